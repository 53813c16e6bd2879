//! A bounded memory of names, each for a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidings_core::clock::Timestamp;
use tidings_core::limits;

/// Names remembered for a time. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent(Arc<Mutex<Names>>);

#[derive(Debug, Default)]
struct Names {
    /// How often all were forgotten: what was found out before the last time is not remembered.
    generation: u64,
    until: HashMap<[u8; 32], Timestamp>,
}

impl Recent {
    /// How often all were forgotten; read it before finding out what is to be remembered.
    pub(super) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Whether the name is remembered.
    pub(super) fn holds(&self, name: &[u8; 32], now: Timestamp) -> bool {
        self.lock().until.get(name).is_some_and(|until| *until > now)
    }

    /// Remembers a name, unless all were forgotten since `generation`. A full memory first loses what
    /// is past its time, then everything.
    pub(super) fn remember(
        &self,
        name: [u8; 32],
        until: Timestamp,
        generation: u64,
        now: Timestamp,
    ) {
        let mut names = self.lock();
        if names.generation != generation {
            return;
        }
        if names.until.len() >= limits::PUSHES_REMEMBERED_MAX {
            names.until.retain(|_, until| *until > now);
        }
        if names.until.len() >= limits::PUSHES_REMEMBERED_MAX {
            names.until.clear();
        }
        names.until.insert(name, until);
    }

    /// Forgets all.
    pub(super) fn forget(&self) {
        let mut names = self.lock();
        names.generation += 1;
        names.until.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: usize) -> [u8; 32] {
        let mut name = [0; 32];
        name[..8].copy_from_slice(&n.to_be_bytes());
        name
    }

    #[test]
    fn names_are_remembered_for_their_time_and_never_too_many() {
        let recent = Recent::default();
        let (now, later) = (Timestamp(1_000), Timestamp(2_000));
        recent.remember(name(0), later, 0, now);
        assert!(recent.holds(&name(0), now) && !recent.holds(&name(1), now));
        assert!(!recent.holds(&name(0), later));
        for n in 0..2 * limits::PUSHES_REMEMBERED_MAX {
            recent.remember(name(n), Timestamp(9_000), 0, later);
            assert!(recent.lock().until.len() <= limits::PUSHES_REMEMBERED_MAX);
        }
    }

    #[test]
    fn what_was_found_out_before_all_was_forgotten_is_not_remembered() {
        let recent = Recent::default();
        let generation = recent.generation();
        recent.forget();
        recent.remember(name(0), Timestamp(9_000), generation, Timestamp(1));
        assert!(!recent.holds(&name(0), Timestamp(1)));
    }
}
