//! Times as Graph writes them: a wall clock reading with seven decimals and a zone's name, which may be
//! Windows' own.

use jiff::civil;
use serde::Deserialize;
use tidings_core::clock::Timestamp;

use crate::icalendar::time::Time;
use crate::zone::{Zone, civil_of, wall_seconds};

pub(super) const DAY_S: i64 = 86_400;

/// `dateTimeTimeZone` of Graph.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reading {
    pub(super) date_time: String,
    pub(super) time_zone: Option<String>,
}

impl Reading {
    /// The moment, or the date of an all-day event. A midnight that was moved into another zone is
    /// taken for the nearest midnight; a zone that nobody knows for UTC.
    pub(super) fn time(&self, all_day: bool) -> Option<Time> {
        let wall = wall(&self.date_time)?;
        if all_day {
            return Some(Time::Date((wall + DAY_S / 2).div_euclid(DAY_S)));
        }
        let zone = self.time_zone.as_deref().and_then(zone).unwrap_or(Zone::UTC);
        Some(Time::Moment(zone.moment_of(wall)))
    }
}

/// The wall clock reading, in seconds as if it were UTC.
pub(super) fn wall(text: &str) -> Option<i64> {
    let at: civil::DateTime = text.trim_end_matches('Z').parse().ok()?;
    Some(wall_seconds(at))
}

/// What the clocks of `zone` show at `moment`, in seconds as if it were UTC.
pub(super) fn local(moment: i64, zone: Zone) -> i64 {
    wall_seconds(zone.local(Timestamp(moment.saturating_mul(1_000))))
}

/// The date of a wall clock reading in seconds.
pub(super) fn day_of(wall: i64) -> civil::Date {
    civil_of(wall).date()
}

/// The zone of that IANA or Windows name. `None` for `tzone://Microsoft/Custom`, whose rules Graph does
/// not tell.
pub(super) fn zone(name: &str) -> Option<Zone> {
    match name.strip_prefix("tzone://") {
        Some(special) => special.eq_ignore_ascii_case("microsoft/utc").then_some(Zone::UTC),
        None => Zone::named(name),
    }
}

/// The IANA name of a zone other than UTC.
pub(super) fn zone_name(name: &str) -> Option<String> {
    zone(name).filter(|zone| *zone != Zone::UTC).map(Zone::name).filter(|name| name != "UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(date_time: &str, time_zone: &str, all_day: bool) -> Option<String> {
        let reading = Reading { date_time: date_time.into(), time_zone: Some(time_zone.into()) };
        reading.time(all_day).map(|time| time.to_string())
    }

    #[test]
    fn times_with_seven_decimals_and_windows_zones_are_read() {
        for (date_time, zone, expected) in [
            ("2026-12-02T09:00:00.0000000", "UTC", "2026-12-02T09:00:00.000Z"),
            ("2026-12-02T09:00:00", "UTC", "2026-12-02T09:00:00.000Z"),
            ("2026-12-02T09:00:00.0000000Z", "UTC", "2026-12-02T09:00:00.000Z"),
            ("2026-12-02T09:00:00.0000000", "W. Europe Standard Time", "2026-12-02T08:00:00.000Z"),
            ("2026-07-02T09:00:00.0000000", "Pacific Standard Time", "2026-07-02T16:00:00.000Z"),
            ("2026-12-02T09:00:00.0000000", "Europe/Berlin", "2026-12-02T08:00:00.000Z"),
            ("2026-12-02T09:00:00.0000000", "tzone://Microsoft/Utc", "2026-12-02T09:00:00.000Z"),
            ("2026-12-02T09:00:00.0000000", "tzone://Microsoft/Custom", "2026-12-02T09:00:00.000Z"),
            ("2026-12-02T09:00:00.0000000", "Mars Standard Time", "2026-12-02T09:00:00.000Z"),
        ] {
            let read = read(date_time, zone, false);
            assert_eq!(read.as_deref(), Some(expected), "{date_time} {zone}");
        }
        assert_eq!(read("soon", "UTC", false), None);
    }

    #[test]
    fn an_all_day_event_keeps_its_date_in_whatever_zone_it_comes() {
        for (date_time, zone) in [
            ("2026-12-02T00:00:00.0000000", "UTC"),
            ("2026-12-01T23:00:00.0000000", "UTC"),
            ("2026-12-02T08:00:00.0000000", "UTC"),
            ("2026-12-02T00:00:00.0000000", "W. Europe Standard Time"),
        ] {
            assert_eq!(read(date_time, zone, true).as_deref(), Some("2026-12-02"), "{date_time}");
        }
    }

    #[test]
    fn zones_are_named_as_iana_does() {
        for (name, expected) in [
            ("W. Europe Standard Time", Some("Europe/Berlin")),
            ("Pacific Standard Time", Some("America/Los_Angeles")),
            ("Asia/Tokyo", Some("Asia/Tokyo")),
            ("UTC", None),
            ("tzone://Microsoft/Utc", None),
            ("tzone://Microsoft/Custom", None),
            ("Mars Standard Time", None),
        ] {
            assert_eq!(zone_name(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_moment_is_shown_by_local_clocks() {
        let berlin = zone("Europe/Berlin").unwrap();
        let noon = wall("2026-07-01T12:00:00").unwrap();
        assert_eq!(Some(local(noon, berlin)), wall("2026-07-01T14:00:00"));
    }
}
