//! One at a time: a lock per account or collection, made when it is asked for and forgotten when nobody
//! holds it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// The locks of the things of one kind, by store key.
#[derive(Debug, Default)]
pub(crate) struct Locks(Mutex<HashMap<i64, Weak<Turn<()>>>>);

/// Entries of locks that nobody holds are looked for when there are this many.
const SWEEP_AT: usize = 256;

impl Locks {
    /// Waits for its turn; the turn ends when the guard is dropped.
    pub(crate) async fn turn(&self, no: i64) -> OwnedMutexGuard<()> {
        self.of(no).lock_owned().await
    }

    fn of(&self, no: i64) -> Arc<Turn<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(&no).and_then(Weak::upgrade) {
            return lock;
        }
        if locks.len() >= SWEEP_AT {
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::default();
        locks.insert(no, Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_turn_excludes_others_of_the_same_thing_only() {
        let locks = Locks::default();
        let first = locks.turn(1).await;
        assert!(locks.turn(1).now_or_never().is_none());
        assert!(locks.turn(2).now_or_never().is_some());
        drop(first);
        assert!(locks.turn(1).now_or_never().is_some());
    }

    #[tokio::test]
    async fn locks_that_nobody_holds_are_forgotten() {
        let locks = Locks::default();
        let held = locks.turn(-1).await;
        for no in 0..10 * SWEEP_AT as i64 {
            locks.turn(no).await;
        }
        assert!(locks.0.lock().unwrap().len() <= SWEEP_AT);
        assert!(locks.turn(-1).now_or_never().is_none());
        drop(held);
    }
}
