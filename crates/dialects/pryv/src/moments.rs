//! The time of a request, such that nobody misses a change who asks for what changed since then.
//!
//! A write that was taken on at 12:00:00.000 may be seen only at 12:00:00.020. A reader who was answered
//! in between with a `serverTime` of 12:00:00.010 would later ask for changes since then, and never get that
//! one. So an answer's `serverTime` is never later than the beginning of a write to the same account that is
//! still under way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidings_core::clock::{Clock, Timestamp};

/// Where requests get their time. Clones share what is under way.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    clock: Clock,
    under_way: Arc<Mutex<UnderWay>>,
}

/// Beginnings of writes under way by the name of the account, each with a number of its own.
#[derive(Debug, Default)]
struct UnderWay {
    begun: BTreeMap<String, BTreeSet<(Timestamp, u64)>>,
    last: u64,
}

/// The time of one request. A write is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct Moment {
    /// When it was taken on.
    pub(crate) at: Timestamp,
    /// What it is told as `serverTime`.
    pub(crate) server_time: Timestamp,
    write: Option<(String, u64, Moments)>,
}

impl Moments {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, under_way: Arc::default() }
    }

    /// The present moment, for a request to an account that `writes` or does not.
    pub(crate) fn take(&self, account: &str, writes: bool) -> Moment {
        let mut under_way = self.lock();
        let at = self.clock.now();
        let first = under_way.begun.get(account).and_then(BTreeSet::first);
        let oldest = first.map_or(at, |(begun, _)| *begun);
        let write = writes.then(|| {
            under_way.last += 1;
            let number = under_way.last;
            under_way.begun.entry(account.to_owned()).or_default().insert((at, number));
            (account.to_owned(), number, self.clone())
        });
        Moment { at, server_time: oldest.min(at), write }
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        let Some((account, number, moments)) = self.write.take() else { return };
        let mut under_way = moments.lock();
        if let Some(begun) = under_way.begun.get_mut(&account) {
            begun.remove(&(self.at, number));
            if begun.is_empty() {
                under_way.begun.remove(&account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_time_is_not_later_than_a_write_under_way() {
        let clock = Clock::manual(Timestamp(1_000));
        let moments = Moments::new(clock.clone());
        let first = moments.take("ana", true);
        let second = moments.take("ana", true);
        clock.advance_ms(10);
        assert_eq!(moments.take("ana", false).server_time, Timestamp(1_000));
        assert_eq!(moments.take("tom", false).server_time, Timestamp(1_010));
        drop(first);
        let later = moments.take("ana", true);
        assert_eq!((later.at, later.server_time), (Timestamp(1_010), Timestamp(1_000)));
        drop(second);
        clock.advance_ms(10);
        assert_eq!(moments.take("ana", false).server_time, Timestamp(1_010));
        drop(later);
        assert_eq!(moments.take("ana", false).server_time, Timestamp(1_020));
    }
}
