use proptest::prelude::*;
use url::Url;

use super::*;

fn href() -> Href {
    Href::read(&Url::parse("https://dav.example.com/").unwrap(), "/u/work/a.ics").unwrap()
}

fn read(components: &str) -> Vec<Item> {
    let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{components}\r\nEND:VCALENDAR\r\n");
    items(&href(), Some("\"1\""), &text).unwrap()
}

fn one(lines: &str) -> Event {
    read(&format!("BEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT")).remove(0).event
}

const SERIES: &str = "BEGIN:VEVENT\nUID:s\nDTSTAMP:20261101T080000Z\n\
    DTSTART;TZID=Europe/Berlin:20261201T090000\nDTEND;TZID=Europe/Berlin:20261201T091500\n\
    RRULE:FREQ=DAILY;COUNT=5\nSUMMARY:Standup\nEND:VEVENT";

fn exception(day: u8, title: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:s\nRECURRENCE-ID;TZID=Europe/Berlin:202612{day:02}T090000\n\
         DTSTART;TZID=Europe/Berlin:202612{day:02}T110000\nDURATION:PT15M\nSUMMARY:{title}\nEND:VEVENT"
    )
}

#[test]
fn a_series_is_split_into_its_master_and_its_exceptions() {
    let items = read(&[exception(4, "Late"), SERIES.into(), exception(3, "Later")].join("\n"));
    let keys: Vec<_> = items.iter().map(|item| item.key.as_str()).collect();
    assert_eq!(
        keys,
        ["/u/work/a.ics", "/u/work/a.ics#20261203T080000Z", "/u/work/a.ics#20261204T080000Z"]
    );
    let (master, late) = (&items[0], &items[2]);
    assert_eq!(master.event.recurrence.as_deref(), Some("FREQ=DAILY;COUNT=5"));
    assert_eq!(
        (master.series.as_deref(), master.event.recurring_event_id.as_deref()),
        (None, None)
    );
    assert_eq!(late.series.as_deref(), Some("/u/work/a.ics"));
    assert_eq!(late.event.recurring_event_id, late.series);
    assert_eq!(late.event.recurrence_id.as_deref(), Some("2026-12-04T08:00:00.000Z"));
    assert_eq!(late.event.start.as_deref(), Some("2026-12-04T10:00:00.000Z"));
    assert_eq!(late.event.end.as_deref(), Some("2026-12-04T10:15:00.000Z"));
    assert!(items.iter().all(|item| resource_of(&item.key) == "/u/work/a.ics"));
    assert!(!late.event.original.icalendar().unwrap().contains("RRULE"));
}

#[test]
fn a_change_of_one_exception_is_that_items_alone() {
    let versions = |text: String| -> Vec<(String, String)> {
        read(&text).into_iter().map(|item| (item.key, item.version)).collect()
    };
    let before = versions([SERIES, &exception(3, "A"), &exception(4, "B")].join("\n"));
    let restamped = SERIES.replace("20261101", "20261120");
    let after = versions([&exception(5, "C"), &exception(4, "X"), restamped.as_str()].join("\n"));
    let diff = crate::diff::diff(&before, &after);
    assert_eq!(diff.created, ["/u/work/a.ics#20261205T080000Z"]);
    assert_eq!(diff.updated, ["/u/work/a.ics#20261204T080000Z"]);
    assert_eq!(diff.deleted, ["/u/work/a.ics#20261203T080000Z"]);
}

#[test]
fn two_servers_spellings_of_one_object_have_the_same_versions() {
    use crate::caldav::{answer, multistatus};
    let versions = |body: &'static str| {
        let base = Url::parse("http://127.0.0.1/").unwrap();
        let multistatus = multistatus::read(&base, &answer(207, body), "test").unwrap();
        let texts = multistatus.resources.iter().filter_map(|r| r.props.calendar_data.as_deref());
        let items = texts.flat_map(|text| items(&href(), None, text).unwrap());
        items.map(|item| (item.key, item.version)).collect::<Vec<_>>()
    };
    let radicale = versions(include_str!("../../fixtures/radicale/multiget.xml"));
    assert_eq!(radicale, versions(include_str!("../../fixtures/xandikos/multiget.xml")));
    assert_eq!(radicale.len(), 3);
}

#[test]
fn one_moment_has_one_key_however_it_is_written() {
    for written in [";TZID=Europe/Berlin:20261203T090000", ":20261203T080000Z"] {
        let items = read(&format!("BEGIN:VEVENT\nUID:s\nRECURRENCE-ID{written}\nEND:VEVENT"));
        assert_eq!(items[0].key, "/u/work/a.ics#20261203T080000Z");
        assert_eq!(items[0].event.start.as_deref(), Some("2026-12-03T08:00:00.000Z"));
    }
    let dated = read("BEGIN:VEVENT\nUID:s\nRECURRENCE-ID;VALUE=DATE:20261203\nEND:VEVENT");
    assert_eq!(dated[0].key, "/u/work/a.ics#20261203");
}

#[test]
fn an_event_is_normalised() {
    let event = one(
        "SUMMARY:Lunch\\, then talk\nDESCRIPTION:a\\nb\nLOCATION:Room 1\\; left, right\n\
        DTSTART:20261202T090000Z\nDTEND:20261202T100000Z\nSTATUS:TENTATIVE\nTRANSP:TRANSPARENT\n\
        CLASS:CONFIDENTIAL\nLAST-MODIFIED:20261101T070000Z\nURL:https://example.com/e\n\
        X-GOOGLE-CONFERENCE:https://meet.example.com/abc\n\
        ORGANIZER;CN=Ann:mailto:ann@example.com\nATTENDEE;PARTSTAT=ACCEPTED:MAILTO:Ann@example.com\n\
        ATTENDEE;PARTSTAT=NEEDS-ACTION;CN=\"Bo: B\":mailto:bo@example.com\n\
        ATTENDEE;EMAIL=cy@example.com;PARTSTAT=DECLINED:/aMzA/principal/",
    );
    let expected = serde_json::json!({
        "uid": "1", "title": "Lunch, then talk", "description": "a\nb",
        "start": "2026-12-02T09:00:00.000Z", "end": "2026-12-02T10:00:00.000Z", "allDay": false,
        "location": "Room 1; left, right", "status": "tentative", "availability": "free",
        "privacy": "confidential", "lastModified": "2026-11-01T07:00:00.000Z",
        "link": "https://example.com/e", "conference": {"url": "https://meet.example.com/abc"},
        "attendees": [
            {"email": "Ann@example.com", "status": "accepted", "organizer": true},
            {"email": "bo@example.com", "name": "Bo: B", "status": "none"},
            {"email": "cy@example.com", "status": "declined"},
        ],
    });
    let mut got = serde_json::to_value(&event).unwrap();
    let original = got.as_object_mut().unwrap().remove("original").unwrap();
    assert_eq!(got, expected);
    assert_eq!(original["href"], "/u/work/a.ics");
    assert_eq!(original["etag"], "\"1\"");
    assert!(original["icalendar"].as_str().unwrap().contains("CLASS:CONFIDENTIAL\r\n"));
}

#[test]
fn an_organiser_who_is_not_invited_is_added() {
    let event = one("ORGANIZER:mailto:ann@example.com\nATTENDEE:mailto:bo@example.com");
    assert_eq!(event.attendees.len(), 2);
    assert!(event.attendees[0].organizer && event.attendees[0].email == "ann@example.com");
    assert!(!event.attendees[1].organizer);
}

const OWN_ZONE: &str = "BEGIN:VTIMEZONE\nTZID:Head office\n\
    BEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n\
    RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\n\
    BEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n\
    RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE\n";

#[test]
fn times_are_resolved_to_utc() {
    for (start, utc) in [
        (":20261202T090000Z", "2026-12-02T09:00:00.000Z"),
        (":20261202T090000", "2026-12-02T09:00:00.000Z"),
        (";TZID=Europe/Berlin:20261202T090000", "2026-12-02T08:00:00.000Z"),
        (";TZID=Europe/Berlin:20260702T090000", "2026-07-02T07:00:00.000Z"),
        (";TZID=\"W. Europe Standard Time\":20260702T090000", "2026-07-02T07:00:00.000Z"),
        (";TZID=America/New_York:20261202T090000", "2026-12-02T14:00:00.000Z"),
        (";TZID=Europe/Berlin:20261025T023000", "2026-10-25T00:30:00.000Z"),
        (";TZID=Europe/Berlin:20260329T023000", "2026-03-29T01:30:00.000Z"),
        (";TZID=Head office:20261202T090000", "2026-12-02T08:00:00.000Z"),
        (";TZID=Head office:20260702T090000", "2026-07-02T07:00:00.000Z"),
        (";TZID=Nowhere/Atall:20260702T090000", "2026-07-02T09:00:00.000Z"),
        (";VALUE=DATE:20261202", "2026-12-02"),
    ] {
        let items = read(&format!("{OWN_ZONE}BEGIN:VEVENT\nUID:1\nDTSTART{start}\nEND:VEVENT"));
        assert_eq!(items[0].event.start.as_deref(), Some(utc), "{start}");
    }
}

#[test]
fn an_end_is_found_or_implied() {
    for (lines, end) in [
        ("DTSTART:20261202T090000Z\nDURATION:PT1H30M", "2026-12-02T10:30:00.000Z"),
        ("DTSTART:20261202T090000Z", "2026-12-02T09:00:00.000Z"),
        ("DTSTART;VALUE=DATE:20261231", "2027-01-01"),
        ("DTSTART;VALUE=DATE:20261231\nDURATION:P2D", "2027-01-02"),
        ("DTSTART;VALUE=DATE:20261230\nDTEND;VALUE=DATE:20270101", "2027-01-01"),
    ] {
        let event = one(lines);
        assert_eq!(event.end.as_deref(), Some(end), "{lines}");
        assert_eq!(event.all_day, lines.contains("VALUE=DATE"), "{lines}");
    }
    assert_eq!(one("SUMMARY:no time").start, None);
}

#[test]
fn a_resource_without_events_is_empty_and_a_broken_one_an_error() {
    assert_eq!(read("BEGIN:VTODO\nUID:1\nEND:VTODO"), []);
    let long = format!("BEGIN:VCALENDAR\n{}END:VCALENDAR", "X-A:b\n".repeat(200_000));
    let crowd = format!(
        "BEGIN:VCALENDAR\n{}END:VCALENDAR",
        "BEGIN:VEVENT\nEND:VEVENT\n".repeat(RESOURCE_ITEMS_MAX + 1)
    );
    for (text, expected) in [
        ("", Malformed::NotICalendar),
        ("<html>", Malformed::NotICalendar),
        ("BEGIN:VCARD\nEND:VCARD", Malformed::NotICalendar),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n", Malformed::Broken),
        (long.as_str(), Malformed::TooLarge),
        (crowd.as_str(), Malformed::TooLarge),
    ] {
        let shown: String = text.chars().take(40).collect();
        assert_eq!(items(&href(), None, text), Err(expected), "{shown}");
    }
}

#[test]
fn hostile_time_zones_do_not_keep_us_busy() {
    for rule in ["FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"] {
        let zone = format!(
            "BEGIN:VTIMEZONE\nTZID:X\n{}END:VTIMEZONE\n",
            format!("BEGIN:STANDARD\nDTSTART:16010101T000000\nTZOFFSETTO:+0100\nRRULE:{rule}\nEND:STANDARD\n")
                .repeat(2_000)
        );
        let event =
            read(&format!("{zone}BEGIN:VEVENT\nUID:1\nDTSTART;TZID=X:20261202T090000\nEND:VEVENT"));
        assert_eq!(event[0].event.start.as_deref(), Some("2026-12-02T08:00:00.000Z"));
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(
        lines in prop::collection::vec(
            prop_oneof![
                Just("BEGIN:VEVENT".to_owned()), Just("END:VEVENT".to_owned()),
                Just("BEGIN:VTIMEZONE".to_owned()), Just("END:VTIMEZONE".to_owned()),
                Just("BEGIN:STANDARD".to_owned()), Just("END:STANDARD".to_owned()),
                "(DTSTART|DTEND|RECURRENCE-ID|DURATION|TZID|TZOFFSETTO|RRULE|ATTENDEE|SUMMARY|é|:)\
                 (;TZID=[a-zA-Z/]{0,8}|;VALUE=DATE|;[\"=,]{0,3})?[:;]\
                 ([0-9TZP+-]{0,17}|FREQ=[A-Z]{0,7};BYMONTH=[0-9-]{0,3}|\\PC{0,12})",
            ],
            0..30,
        ),
    ) {
        let text = format!("BEGIN:VCALENDAR\n{}\nEND:VCALENDAR", lines.join("\n"));
        let first = items(&href(), None, &text);
        prop_assert_eq!(&first, &items(&href(), None, &text));
    }
}
