//! How often an account is looked at.

use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_store::Account;

/// How often the whole list of an account's calendars is read though its provider tells what changed in
/// it: it does not tell everything.
const WEEK: i64 = 7 * 24 * 60 * MINUTE;

/// Whether the account's week began since its last pass: each account's begins at another time.
pub(super) fn begins_a_week(account: &Account, now: Timestamp) -> bool {
    let offset = (account.account_no % 1_009) * WEEK / 1_009;
    let week = |at: Timestamp| (at.0 + offset).div_euclid(WEEK);
    account.last_sync_at.is_some_and(|last| week(last) < week(now))
}

/// Waits between passes, ms. Whoever was busy lately is looked at more often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// Wait for [`Cadence::fast_for`] after a change or after connecting.
    pub fast: i64,
    /// Wait after that.
    pub normal: i64,
    /// Wait once nothing happened for [`Cadence::idle_after`].
    pub idle: i64,
    /// Wait while every calendar is pushed, whatever happens: the poll only finds what pushes lost.
    pub pushed: i64,
    /// How long a change counts as fresh.
    pub fast_for: i64,
    /// How long an account must be silent to count as idle.
    pub idle_after: i64,
    /// Wait after the first failure; it doubles with every further one.
    pub backoff: i64,
    /// The longest wait between failures.
    pub backoff_max: i64,
}

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

/// 60 s for 10 min after a change, then 5 min, 15 min after a day of silence or while changes are pushed.
impl Default for Cadence {
    fn default() -> Self {
        Self {
            fast: MINUTE,
            normal: 5 * MINUTE,
            idle: 15 * MINUTE,
            pushed: 15 * MINUTE,
            fast_for: 10 * MINUTE,
            idle_after: 24 * 60 * MINUTE,
            backoff: 2 * SECOND,
            backoff_max: 15 * MINUTE,
        }
    }
}

impl Cadence {
    /// About a second between passes: for development, the demo and tests.
    pub fn quick() -> Self {
        Self {
            fast: SECOND,
            normal: SECOND,
            idle: SECOND,
            pushed: SECOND,
            backoff: SECOND,
            backoff_max: 5 * SECOND,
            ..Self::default()
        }
    }

    /// The wait, ms, after a pass that ended well `quiet_ms` after the last change, with or without
    /// pushes. `fraction` in `0.0..1.0` spreads it by +-10 %.
    pub fn wait_ms(&self, quiet_ms: i64, pushed: bool, fraction: f64) -> i64 {
        let wait = if pushed {
            self.pushed
        } else if quiet_ms < self.fast_for {
            self.fast
        } else if quiet_ms < self.idle_after {
            self.normal
        } else {
            self.idle
        };
        wait + (wait as f64 * 0.1 * (2.0 * fraction - 1.0)) as i64
    }

    /// The wait, ms, after the `failures`-th failure in a row, jitter only ever added. The server's
    /// own wish lengthens it, up to [`limits::RETRY_AFTER_MAX_MS`], and never shortens it.
    pub fn backoff_ms(&self, failures: u32, asked_ms: Option<u64>, fraction: f64) -> i64 {
        let doublings = failures.saturating_sub(1).min(30);
        let wait = self.backoff.saturating_mul(1 << doublings).min(self.backoff_max);
        let wait = wait + (wait as f64 * 0.1 * fraction) as i64;
        let asked = i64::try_from(asked_ms.unwrap_or(0)).unwrap_or(i64::MAX);
        wait.max(asked.min(limits::RETRY_AFTER_MAX_MS))
    }

    /// When an account counts as having last shown life.
    pub(super) fn last_life(connected: Timestamp, changed: Option<Timestamp>) -> Timestamp {
        changed.map_or(connected, |changed| changed.max(connected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_slows_polling_down() {
        let cadence = Cadence::default();
        for (quiet, pushed, fraction, expected) in [
            (0, false, 0.5, MINUTE),
            (10 * MINUTE - 1, false, 0.0, 54 * SECOND),
            (10 * MINUTE, false, 0.5, 5 * MINUTE),
            (24 * 60 * MINUTE, false, 0.5, 15 * MINUTE),
            (0, true, 0.5, 15 * MINUTE),
        ] {
            assert_eq!(cadence.wait_ms(quiet, pushed, fraction), expected, "{quiet} {pushed}");
        }
    }

    #[test]
    fn failures_double_the_wait_and_servers_only_lengthen_it() {
        let cadence = Cadence::default();
        for (failures, asked, expected) in [
            (1, None, 2 * SECOND),
            (2, None, 4 * SECOND),
            (9, None, 512 * SECOND),
            (10, None, 15 * MINUTE),
            (u32::MAX, None, 15 * MINUTE),
            (1, Some(500), 2 * SECOND),
            (1, Some(90_000), 90 * SECOND),
            (1, Some(u64::MAX), limits::RETRY_AFTER_MAX_MS),
        ] {
            assert_eq!(cadence.backoff_ms(failures, asked, 0.0), expected, "{failures} {asked:?}");
        }
    }
}
