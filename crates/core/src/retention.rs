//! Retention: how long an installation, and each app of it, keeps what it has done.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::limits;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Age at which changes go, days.
    pub journal_days: u32,
    /// Size beyond which the oldest changes go before their time, bytes, counted by
    /// [`limits::CHANGE_BYTES`] and the body of each; absent: no limit. Changes of the last day are always
    /// kept, so that an idempotency key can be answered.
    pub journal_bytes: Option<u64>,
    /// Age at which attempts go, days.
    pub attempt_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { journal_days: 30, journal_bytes: None, attempt_days: 14 }
    }
}

/// What an app keeps; what is absent is as its installation has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppRetention {
    /// See [`Retention::journal_days`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal_days: Option<u32>,
    /// See [`Retention::journal_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal_bytes: Option<u64>,
    /// See [`Retention::attempt_days`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_days: Option<u32>,
}

impl AppRetention {
    /// What an app with these settings keeps in an installation.
    #[must_use]
    pub fn within(&self, installation: &Retention) -> Retention {
        Retention {
            journal_days: self.journal_days.unwrap_or(installation.journal_days),
            journal_bytes: self.journal_bytes.or(installation.journal_bytes),
            attempt_days: self.attempt_days.unwrap_or(installation.attempt_days),
        }
    }
}

impl Retention {
    /// What is wrong with it: the name of each setting and what to give instead.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let (least, most) = (limits::JOURNAL_DAYS_MIN, limits::RETENTION_DAYS_MAX);
        if !(least..=most).contains(&self.journal_days) {
            let why = format!(
                "give {least} to {most} days: a change is kept for the longest schedule of retries and \
                 one day more"
            );
            faults.push(("journal_days", why));
        }
        if self.journal_bytes.is_some_and(|bytes| bytes < limits::JOURNAL_BYTES_MIN) {
            let why = format!("give at least {} bytes", limits::JOURNAL_BYTES_MIN);
            faults.push(("journal_bytes", why));
        }
        if !(1..=most).contains(&self.attempt_days) {
            faults.push(("attempt_days", format!("give 1 to {most} days")));
        }
        faults
    }

    /// Changes recorded before this are old.
    pub fn journal_before(&self, now: Timestamp) -> Timestamp {
        now.plus_ms(-DAY_MS * i64::from(self.journal_days))
    }

    /// Attempts begun before this are old.
    pub fn attempts_before(&self, now: Timestamp) -> Timestamp {
        now.plus_ms(-DAY_MS * i64::from(self.attempt_days))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_overrides_what_it_says() {
        let installation = Retention { journal_bytes: Some(1 << 30), ..Retention::default() };
        assert_eq!(AppRetention::default().within(&installation), installation);
        let own = AppRetention { journal_days: Some(90), ..AppRetention::default() };
        assert_eq!(own.within(&installation), Retention { journal_days: 90, ..installation });
    }

    #[test]
    fn a_change_outlives_its_retries() {
        let with = |journal_days, journal_bytes, attempt_days| Retention {
            journal_days,
            journal_bytes,
            attempt_days,
        };
        let least = limits::JOURNAL_DAYS_MIN;
        assert!(i64::from(least) * DAY_MS >= limits::RETRY_SPAN_MAX_MS + DAY_MS);
        for (retention, named) in [
            (Retention::default(), &[][..]),
            (with(least, Some(limits::JOURNAL_BYTES_MIN), 1), &[]),
            (with(least - 1, None, 1), &["journal_days"]),
            (with(limits::RETENTION_DAYS_MAX + 1, None, 0), &["journal_days", "attempt_days"]),
            (with(30, Some(1), 14), &["journal_bytes"]),
        ] {
            let faults: Vec<_> = retention.faults().into_iter().map(|(name, _)| name).collect();
            assert_eq!(faults, named, "{retention:?}");
        }
    }
}
