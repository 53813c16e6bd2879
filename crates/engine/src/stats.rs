//! What the charts show: attempts counted by hook and minute.
//!
//! Counting is a look-up in a map while outcomes are taken in; now and then what was counted is written, apart
//! from settles. A crash loses what was not written yet: charts are not the ledger.

use std::collections::HashMap;

use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_core::tally::{Tally, minute_of};
use tidings_store::{HookMinute, Store};

use crate::patience::STORE_RETRY;

/// So many are one commit, with the rows of their apps: it is written or not, and can be tried again.
const MINUTES_OF_A_COMMIT: usize = limits::STATS_COMMIT_ROWS / 2;
/// How often a store that is busy is asked.
const BUSY_TRIES: u32 = 5;

/// Attempts that were counted and not written yet.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// By app, hook and minute.
    tallies: HashMap<(i64, i64, i64), Tally>,
    /// When the oldest of them was counted.
    since: Option<Timestamp>,
}

impl Counted {
    /// Counts an attempt of a hook of the app, which took `total_us`.
    pub(crate) fn count(
        &mut self,
        (app_no, hook_no): (i64, i64),
        delivered: bool,
        total_us: u64,
        now: Timestamp,
    ) {
        let key = (app_no, hook_no, minute_of(now));
        self.tallies.entry(key).or_default().count(delivered, total_us);
        self.since.get_or_insert(now);
    }

    /// Takes what was counted once it is old enough to be written.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<Vec<HookMinute>> {
        let due = self.since?.plus_ms(limits::STATS_FLUSH_MS);
        // The tick comes once a second: the next one may be late.
        (now.plus_ms(1_000) >= due).then(|| self.take())
    }

    /// Takes everything that was counted.
    pub(crate) fn take(&mut self) -> Vec<HookMinute> {
        self.since = None;
        std::mem::take(&mut self.tallies)
            .into_iter()
            .map(|((app_no, hook_no, minute), tally)| HookMinute { app_no, hook_no, minute, tally })
            .collect()
    }
}

/// Writes what was counted. A store that is busy is asked again, for that is when charts are looked at; when it
/// cannot write, the charts go without it.
pub(crate) async fn write(store: &Store, minutes: Vec<HookMinute>) {
    for some in minutes.chunks(MINUTES_OF_A_COMMIT) {
        let mut tries = 1;
        while let Err(error) = store.add_minutes(some.to_vec()).await {
            if !error.is_busy() || tries == BUSY_TRIES {
                tracing::warn!(error = %error, "counts for the charts could not be written");
                return;
            }
            tries += 1;
            tokio::time::sleep(STORE_RETRY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_by_hook_and_minute_and_written_when_they_are_due() {
        let at = |ms: i64| Timestamp(60_000 * 100 + ms);
        let mut counted = Counted::default();
        assert_eq!(counted.take_due(at(0)), None);
        counted.count((1, 5), true, 2_000, at(55_000));
        counted.count((1, 5), false, 2_000, at(56_000));
        counted.count((1, 6), true, 2_000, at(57_000));
        counted.count((1, 5), true, 2_000, at(61_000));
        assert_eq!(counted.take_due(at(61_000)), None);
        let mut taken = counted.take_due(at(64_000)).unwrap();
        taken.sort_by_key(|row| (row.hook_no, row.minute));
        let rows: Vec<_> = taken
            .iter()
            .map(|row| (row.hook_no, row.minute, row.tally.delivered, row.tally.failed))
            .collect();
        assert_eq!(rows, [(5, 100, 1, 1), (5, 101, 1, 0), (6, 100, 1, 0)]);
        assert_eq!(counted.take_due(at(900_000)), None);
        assert!(counted.take().is_empty());
    }
}
