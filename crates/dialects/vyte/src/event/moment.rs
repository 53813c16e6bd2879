//! Times as clients write them: ISO 8601 with an offset (`Z`, `+01:00`, `+0100`), without one (then in the
//! event's time zone), or a date alone.

use jiff::civil;
use jiff::tz::TimeZone;
use tidings_core::clock::Timestamp;

/// Reads a time; `None` when it is not one, or outside the years 0 to 9999.
pub(super) fn parse(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    let at = match text.parse::<jiff::Timestamp>() {
        Ok(at) => at,
        Err(_) => local(text)?.to_zoned(zone.clone()).ok()?.timestamp(),
    };
    let years = 0..=9_999;
    let at = Timestamp(at.as_millisecond());
    years
        .contains(&jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(TimeZone::UTC).year())
        .then_some(at)
}

/// A time without offset. A text with one is not for us: its offset would be overlooked.
fn local(text: &str) -> Option<civil::DateTime> {
    if let Ok(date) = text.parse::<civil::Date>()
        && text.len() <= "2020-07-16".len()
    {
        return Some(date.at(0, 0, 0, 0));
    }
    let (_, time) = text.split_once(['T', 't', ' '])?;
    if time.contains(['+', '-', 'Z', 'z', '[']) {
        return None;
    }
    text.parse().ok()
}

/// The time zone of this name in the TZ database; UTC when there is none.
pub(super) fn zone(name: Option<&str>) -> TimeZone {
    name.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC)
}

/// Whether the TZ database has a zone of this name.
pub(crate) fn is_time_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_the_documentation_writes_them() {
        let paris = zone(Some("Europe/Paris"));
        for (text, expected) in [
            ("2020-07-16T09:00:00", Some("2020-07-16T07:00:00.000Z")),
            ("2020-07-16T14:00:00+0100", Some("2020-07-16T13:00:00.000Z")),
            ("2020-07-16T15:00:00", Some("2020-07-16T13:00:00.000Z")),
            ("2017-11-10T11:00:00.000Z", Some("2017-11-10T11:00:00.000Z")),
            ("2020-07-16T14:00:00+01:00", Some("2020-07-16T13:00:00.000Z")),
            ("2020-07-16", Some("2020-07-15T22:00:00.000Z")),
            ("2020-07-16T09:00", Some("2020-07-16T07:00:00.000Z")),
            // Does not exist in Paris: an hour later.
            ("2020-03-29T02:30:00", Some("2020-03-29T01:30:00.000Z")),
            ("", None),
            ("tomorrow", None),
            ("2020-13-01T00:00:00Z", None),
            ("2020-07-16T09:00:00+99:99", None),
            ("-000001-01-01T00:00:00Z", None),
            ("1594890000000", None),
        ] {
            let read = parse(text, &paris).map(|at| at.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
