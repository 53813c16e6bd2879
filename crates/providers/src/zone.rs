//! Time zones: wall clock readings to moments and back.

use calcard::common::PartialDateTime;
use calcard::common::timezone::Tz;
use jiff::civil;
use tidings_core::clock::Timestamp;

/// A time zone whose rules we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(Tz);

const MS: i64 = 1_000;

impl Zone {
    /// UTC.
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone of that name: IANA (`Europe/Berlin`), `UTC`, or as Windows calls it
    /// (`W. Europe Standard Time`). `None` when nobody knows it.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "" => None,
            "UTC" | "Etc/UTC" | "Z" => Some(Self::UTC),
            _ => name.parse().ok().filter(|zone: &Tz| !zone.is_floating()).map(Self),
        }
    }

    /// Its IANA name; `UTC` for UTC.
    pub fn name(self) -> String {
        if self.0.is_utc() {
            return "UTC".into();
        }
        self.0.name().map_or_else(|| "UTC".into(), Into::into)
    }

    /// The moment at which clocks show `local`. A reading that occurs twice is the first of both; one
    /// that is skipped is read with the offset before the gap (RFC 5545 section 3.3.5).
    pub fn moment(self, local: civil::DateTime) -> Timestamp {
        let wall = wall_seconds(local);
        Timestamp(self.moment_of(wall).saturating_mul(MS))
    }

    /// What clocks show at `at`, to the second.
    pub fn local(self, at: Timestamp) -> civil::DateTime {
        let seconds = at.unix_seconds();
        let utc = PartialDateTime::from_naive_timestamp(seconds).to_date_time_with_tz(Tz::UTC);
        let wall = utc
            .map_or(seconds, |utc| utc.with_timezone(&self.0).naive_local().and_utc().timestamp());
        civil_of(wall)
    }

    /// As [`Zone::moment`], in seconds since the Unix epoch (of the wall clock, of the moment).
    pub(crate) fn moment_of(self, wall: i64) -> i64 {
        /// Longer than any gap or repetition, shorter than the time between two.
        const BEFORE_S: i64 = 24 * 3600;
        let at = |wall| {
            let moment =
                PartialDateTime::from_naive_timestamp(wall).to_date_time_with_tz(self.0)?;
            Some(moment.timestamp())
        };
        at(wall).or_else(|| at(wall - BEFORE_S).map(|moment| moment + BEFORE_S)).unwrap_or(wall)
    }
}

/// The wall clock reading as seconds, whatever the zone.
pub(crate) fn wall_seconds(local: civil::DateTime) -> i64 {
    local.to_zoned(jiff::tz::TimeZone::UTC).map_or(0, |utc| utc.timestamp().as_second())
}

/// The reverse of [`wall_seconds`].
pub(crate) fn civil_of(wall: i64) -> civil::DateTime {
    let at = jiff::Timestamp::from_second(wall).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_zoned(jiff::tz::TimeZone::UTC).datetime()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_and_moments_agree_also_where_clocks_change() {
        for (zone, local, moment, shown) in [
            ("Europe/Berlin", "2026-12-01T09:00:00", "2026-12-01T08:00:00.000Z", None),
            ("W. Europe Standard Time", "2026-07-01T09:00:00", "2026-07-01T07:00:00.000Z", None),
            ("UTC", "2026-07-01T09:00:00", "2026-07-01T09:00:00.000Z", None),
            ("America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00.000Z", None),
            (
                "Europe/Berlin",
                "2026-03-29T02:30:00",
                "2026-03-29T01:30:00.000Z",
                Some("2026-03-29T03:30:00"),
            ),
        ] {
            let found = Zone::named(zone).unwrap();
            let reading: civil::DateTime = local.parse().unwrap();
            let at = found.moment(reading);
            assert_eq!(at.to_string(), moment, "{zone} {local}");
            assert_eq!(found.local(at).to_string(), shown.unwrap_or(local), "{zone} {local}");
        }
    }

    #[test]
    fn names_are_iana_names() {
        assert_eq!(Zone::named("W. Europe Standard Time").unwrap().name(), "Europe/Berlin");
        assert_eq!(Zone::named("Etc/UTC").unwrap().name(), "UTC");
        assert_eq!(Zone::named("tzone://Microsoft/Custom"), None);
        assert_eq!(Zone::named(""), None);
    }
}
