//! When a failed delivery is tried again.

use serde::{Deserialize, Serialize};

use crate::limits;

/// Seconds to wait before each attempt, counted from the previous one; the first is 0.
///
/// At most [`limits::RETRY_TRIES_MAX`] attempts over [`limits::RETRY_SPAN_MAX_MS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u32>", into = "Vec<u32>")]
pub struct Schedule(Vec<u32>);

/// Why a list of waits is not a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Empty, or the first wait is not 0.
    #[error("a retry schedule begins with 0, the first attempt")]
    First,
    /// More attempts than allowed.
    #[error("a retry schedule has at most {} attempts", limits::RETRY_TRIES_MAX)]
    TooMany,
    /// Longer than allowed.
    #[error("a retry schedule spans at most 8 days")]
    TooLong,
}

impl TryFrom<Vec<u32>> for Schedule {
    type Error = ScheduleError;
    fn try_from(waits: Vec<u32>) -> Result<Self, ScheduleError> {
        if waits.first() != Some(&0) {
            return Err(ScheduleError::First);
        }
        if waits.len() > limits::RETRY_TRIES_MAX {
            return Err(ScheduleError::TooMany);
        }
        let span_ms: i64 = waits.iter().map(|&wait| i64::from(wait) * 1000).sum();
        if span_ms > limits::RETRY_SPAN_MAX_MS {
            return Err(ScheduleError::TooLong);
        }
        Ok(Self(waits))
    }
}

impl From<Schedule> for Vec<u32> {
    fn from(schedule: Schedule) -> Self {
        schedule.0
    }
}

/// 14 attempts over about 100 hours.
impl Default for Schedule {
    fn default() -> Self {
        const M: u32 = 60;
        const H: u32 = 60 * M;
        let day = 24 * H;
        let waits =
            [0, 5, 30, 2 * M, 10 * M, 30 * M, H, 2 * H, 4 * H, 8 * H, 12 * H, day, day, day];
        Self(waits.into())
    }
}

impl Schedule {
    /// How many attempts it allows.
    pub fn attempts(&self) -> u32 {
        self.0.len() as u32
    }

    /// Milliseconds until the attempt after the `made`-th, or `None` when no attempt is left.
    ///
    /// Jitter is only ever added: 0 to 20 % of the wait, by `fraction` in `0.0..1.0`. A receiver's
    /// `retry_after_ms` can lengthen the wait up to [`limits::RETRY_AFTER_MAX_MS`], never shorten it.
    pub fn wait_ms(&self, made: u32, fraction: f64, retry_after_ms: Option<i64>) -> Option<i64> {
        let wait = i64::from(*self.0.get(made as usize)?) * 1000;
        let jitter = (wait as f64 * 0.2 * fraction) as i64;
        let asked = retry_after_ms.unwrap_or(0).clamp(0, limits::RETRY_AFTER_MAX_MS);
        Some((wait + jitter).max(asked))
    }
}

/// Milliseconds that a `Retry-After` header asks for, in either form of RFC 9110 §10.2.3: seconds, or
/// an HTTP date. `None` when it is neither.
pub fn parse_retry_after(value: &str, now: crate::clock::Timestamp) -> Option<i64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        let seconds = value.parse::<i64>().unwrap_or(i64::MAX / 1000);
        return Some(seconds.saturating_mul(1000));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some((date.as_millisecond() - now.0).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn the_default_is_fourteen_attempts_over_a_hundred_hours() {
        let schedule = Schedule::default();
        assert_eq!(schedule.attempts(), 14);
        let span: i64 = (0..14).filter_map(|made| schedule.wait_ms(made, 0.0, None)).sum();
        assert_eq!(span / 1000, 99 * 3600 + 42 * 60 + 35);
        assert_eq!(schedule.wait_ms(14, 0.0, None), None);
    }

    #[test]
    fn jitter_only_adds_and_retry_after_only_lengthens() {
        let schedule = Schedule::default();
        for (fraction, asked, expect) in [
            (0.0, None, 5_000),
            (0.5, None, 5_500),
            (0.999_999, None, 5_999),
            (0.0, Some(1_000), 5_000),
            (0.0, Some(60_000), 60_000),
            (0.0, Some(i64::MAX), limits::RETRY_AFTER_MAX_MS),
            (0.0, Some(-5), 5_000),
        ] {
            assert_eq!(schedule.wait_ms(1, fraction, asked), Some(expect));
        }
    }

    #[test]
    fn retry_after_has_two_forms() {
        let now = Timestamp::parse("2026-11-21T08:00:00Z").unwrap();
        for (value, expect) in [
            ("120", Some(120_000)),
            (" 0 ", Some(0)),
            ("Sat, 21 Nov 2026 08:00:30 GMT", Some(30_000)),
            ("Sat, 21 Nov 2026 07:00:00 GMT", Some(0)),
            ("soon", None),
            ("", None),
            ("-1", None),
            ("99999999999999999999999", Some(i64::MAX / 1000 * 1000)),
        ] {
            assert_eq!(parse_retry_after(value, now), expect, "{value:?}");
        }
    }

    #[test]
    fn schedules_are_bounded() {
        for (waits, expect) in [
            (vec![], Err(ScheduleError::First)),
            (vec![5], Err(ScheduleError::First)),
            (vec![0; 51], Err(ScheduleError::TooMany)),
            (vec![0, 9 * 86_400], Err(ScheduleError::TooLong)),
            (vec![0, 1, 1], Ok(3)),
        ] {
            assert_eq!(Schedule::try_from(waits).map(|s| s.attempts()), expect);
        }
    }
}
