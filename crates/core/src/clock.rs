//! Time as a value that is handed down, so that tests and the simulator own it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment `ms` milliseconds later (earlier when negative), saturating.
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Whole seconds since the Unix epoch, as `webhook-timestamp` wants them.
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Parses RFC 3339. `None` when the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|at| Self(at.as_millisecond()))
    }

    /// Parses the date of an HTTP header (RFC 9110 section 5.6.7). `None` when the text is not one.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
        Some(Self(date.as_millisecond()))
    }

    fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

/// RFC 3339 in UTC with milliseconds and `Z`: `2026-03-12T09:01:12.000Z`.
impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3}", self.to_jiff())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
    }
}

/// Where the wall clock is read. `Clock::system()` in production, `Clock::manual` in tests.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
    Forward(Arc<Mutex<(Timestamp, Instant)>>),
}

impl Clock {
    /// The machine's wall clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::advance_ms`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.0))))
    }

    /// The same clock for what waits: when the wall clock is set back, it goes on counting from where it
    /// was, so that nothing waits longer than it was told to. It is never behind the wall clock.
    #[must_use]
    pub fn forward(&self) -> Self {
        match &self.0 {
            Source::System => {
                Self(Source::Forward(Arc::new(Mutex::new((self.now(), Instant::now())))))
            }
            Source::Manual(_) | Source::Forward(_) => self.clone(),
        }
    }

    /// The present moment.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => {
                let since = std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .unwrap_or_default();
                Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Source::Manual(ms) => Timestamp(ms.load(Ordering::SeqCst)),
            Source::Forward(anchor) => {
                let mut anchor = anchor.lock().unwrap_or_else(PoisonError::into_inner);
                advance(&mut anchor, Self::system().now(), Instant::now())
            }
        }
    }

    /// Moves a manual clock. The system clock ignores it.
    pub fn advance_ms(&self, by: i64) {
        if let Source::Manual(ms) = &self.0 {
            ms.fetch_add(by, Ordering::SeqCst);
        }
    }
}

/// The moment when the wall clock says `wall`: what has passed since the anchor, unless the wall is further.
fn advance(anchor: &mut (Timestamp, Instant), wall: Timestamp, now: Instant) -> Timestamp {
    let passed = now.saturating_duration_since(anchor.1).as_millis();
    let counted = anchor.0.plus_ms(i64::try_from(passed).unwrap_or(i64::MAX));
    if wall > counted {
        *anchor = (wall, now);
    }
    wall.max(counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_is_set_back_makes_nothing_wait_longer() {
        let begun = Instant::now();
        let mut anchor = (Timestamp(1_000), begun);
        for (passed_ms, wall, said) in [
            (10, 1_010, 1_010),
            (20, 500, 1_020),
            (30, 510, 1_030),
            (40, 9_000, 9_000),
            (50, 520, 9_010),
            (60, 9_030, 9_030),
        ] {
            let now = begun + std::time::Duration::from_millis(passed_ms);
            assert_eq!(advance(&mut anchor, Timestamp(wall), now), Timestamp(said), "{passed_ms}");
        }
    }

    #[test]
    fn http_dates_are_understood() {
        let epoch = Timestamp::parse_http_date("Thu, 01 Jan 1970 00:00:01 GMT");
        assert_eq!(epoch, Some(Timestamp(1_000)));
        assert_eq!(Timestamp::parse_http_date("tomorrow"), None);
    }

    #[test]
    fn rfc_3339_round_trip_keeps_milliseconds() {
        for text in ["2026-03-12T09:01:12.000Z", "1970-01-01T00:00:00.001Z"] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Timestamp::parse("2026-13-01T00:00:00Z"), None);
    }
}
