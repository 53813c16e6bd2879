//! VTIMEZONE for every zone that an object names: servers refuse or misread what is not defined.

use calcard::icalendar::{ICalendar, ICalendarComponent, ICalendarComponentType};
use tidings_core::clock::Timestamp;

use super::text::{Block, Document};
use crate::zone::{Zone, civil_of};

const YEAR_S: i64 = 366 * 86_400;

/// Defines the zones that are named and not defined, as far as anybody knows them, for times from `from` on
/// (seconds).
pub(super) fn complete(document: &mut Document, from: i64, now: Timestamp) {
    let defined: Vec<String> = document
        .blocks("VTIMEZONE")
        .filter_map(|zone| Some(zone.value("TZID")?.trim().to_owned()))
        .collect();
    let mut named: Vec<String> = document
        .blocks("VEVENT")
        .flat_map(Block::all)
        .filter_map(|line| line.parameter("TZID").map(str::to_owned))
        .collect();
    named.sort();
    named.dedup();
    for name in named.into_iter().filter(|name| !defined.contains(name)) {
        if let Some(zone) = definition(&name, from, now.unix_seconds()) {
            document.add(zone);
        }
    }
}

/// Whole years, from the one before the first time to one after both it and now; the last rules go on.
fn definition(name: &str, from: i64, now: i64) -> Option<Block> {
    let zone = Zone::named(name)?;
    let first = civil_of(from.saturating_sub(YEAR_S)).year();
    let last = civil_of(from.max(now).saturating_add(2 * YEAR_S)).year();
    let year = |year: i16| {
        let begin = jiff::civil::Date::new(year, 1, 1).ok()?;
        Some(zone.moment(begin.at(0, 0, 0, 0)).unix_seconds())
    };
    let root = ICalendarComponent {
        component_type: ICalendarComponentType::VCalendar,
        entries: Vec::new(),
        component_ids: Vec::new(),
    };
    let mut calendar = ICalendar { components: vec![root] };
    calendar.add_timezone(name, year(first)?, year(last)?)?;
    let text = calendar.to_string();
    Document::read(&text).blocks("VTIMEZONE").next().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_defined_once_with_rules_that_go_on() {
        let text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;TZID=Europe/Berlin:20261202T090000\r\n\
                    DTEND;TZID=\"Europe/Berlin\":20261202T100000\r\nRDATE;TZID=Nowhere/At All:20261203T100000\r\n\
                    END:VEVENT\r\nEND:VCALENDAR\r\n";
        let mut document = Document::read(text);
        let now = Timestamp(1_795_248_000_000);
        for _ in 0..2 {
            complete(&mut document, 1_796_198_400, now);
            let told = document.to_string();
            assert_eq!(told.matches("BEGIN:VTIMEZONE").count(), 1, "{told}");
            assert!(told.contains("TZID:Europe/Berlin"), "{told}");
            assert!(told.contains("BEGIN:DAYLIGHT") && told.contains("TZOFFSETTO:+0100"), "{told}");
            assert!(told.contains("RRULE:FREQ=YEARLY"), "{told}");
            assert!(!told.contains("UNTIL"), "the last rules end: {told}");
            let zone = told.find("BEGIN:VTIMEZONE").unwrap();
            assert!(zone < told.find("BEGIN:VEVENT").unwrap());
        }
    }
}
