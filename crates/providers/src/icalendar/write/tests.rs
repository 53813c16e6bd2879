use std::collections::BTreeMap;

use super::*;
use crate::draft::{Availability, ConferenceDraft, Invitee, When};
use crate::icalendar::items;

const NOW: Timestamp = Timestamp(1_795_248_000_000);

/// Weekly on Wednesdays at nine in Berlin, over the change of clocks; one moved, one excluded.
const SERIES: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nX-OF-CALENDAR:kept\r\n\
    BEGIN:VEVENT\r\nUID:s\r\nDTSTAMP:20260101T000000Z\r\nSEQUENCE:4\r\nSUMMARY:Weekly\r\n\
    DTSTART;TZID=Europe/Berlin:20261007T090000\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=10\r\n\
    EXDATE;TZID=Europe/Berlin:20261021T090000,20261118T090000\r\n\
    X-UNKNOWN;X-P=\"a;b:c\":folded \r\n value\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n\
    END:VEVENT\r\nBEGIN:VEVENT\r\nUID:s\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Moved\r\n\
    RECURRENCE-ID;TZID=Europe/Berlin:20261111T090000\r\nDTSTART;TZID=Europe/Berlin:20261111T140000\r\n\
    DTEND;TZID=Europe/Berlin:20261111T150000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

const UNKNOWN: &str = "X-UNKNOWN;X-P=\"a;b:c\":folded \r\n value\r\n";
const ALARM: &str = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n";

fn author() -> Author<'static> {
    Author { now: NOW, email: Some("ada@example.com"), notify: Notify::All }
}

fn target(occurrence: Option<&'static str>, scope: Scope) -> Target<'static> {
    Target { occurrence, scope, new_uid: "new" }
}

fn title(title: &str) -> EventDraft {
    EventDraft { title: Field::Set(title.into()), ..EventDraft::default() }
}

fn at(local: &str, zone: &str) -> Field<When> {
    Field::Set(When::At { local: local.parse().unwrap(), zone: zone.into() })
}

fn day(date: &str) -> Field<When> {
    Field::Set(When::Date(date.parse().unwrap()))
}

fn rewritten(outcome: Outcome) -> String {
    match outcome {
        Outcome::Rewrite { resource, following: None } => resource,
        other => panic!("{other:?}"),
    }
}

fn updated(text: &str, target: Target<'_>, draft: &EventDraft) -> String {
    rewritten(update(text, &target, draft, &author()).unwrap())
}

/// What a resource says, in order: of each item its moment, title, start and end.
fn said(text: &str) -> Vec<(String, String, String, String)> {
    let href = Href { sent: "/s.ics".into(), key: "/s.ics".into() };
    let found = items(&href, None, text).unwrap().into_iter();
    found
        .map(|item| {
            let event = item.event;
            let id = item.recurrence_id.unwrap_or_default();
            (id, event.title, event.start.unwrap(), event.end.unwrap())
        })
        .collect()
}

/// The starts of all occurrences.
fn starts(text: &str) -> Vec<String> {
    let href = Href { sent: "/s.ics".into(), key: "/s.ics".into() };
    let found = items(&href, None, text).unwrap();
    let (series, exceptions): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|item| item.recurrence_id.is_none());
    let exceptions: Vec<_> = exceptions.into_iter().map(|item| (item.key, item.event)).collect();
    let series = ("", &series[0].event);
    let (from, to) = (Timestamp(0), Timestamp(4_000_000_000_000));
    let all = occurrences::expand(series, &exceptions, from, to, 50);
    all.events.into_iter().map(|(_, event)| event.start.unwrap()).collect()
}

/// No line is longer than it may be, every zone is defined, every event has an end.
fn sound(text: &str) {
    assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')), "{text}");
    let document = Document::read(text);
    let zones: Vec<_> =
        document.blocks("VTIMEZONE").map(|zone| zone.value("TZID").unwrap().to_owned()).collect();
    for event in document.blocks("VEVENT") {
        for name in event.all().filter_map(|line| line.parameter("TZID")) {
            assert!(zones.iter().any(|zone| zone == name), "{name} is not defined in {text}");
        }
        assert!(event.get("DTEND").is_some() || event.get("DURATION").is_some(), "{text}");
        for name in ["UID", "DTSTAMP", "DTSTART"] {
            let count = event.own().iter().filter(|line| line.is(name)).count();
            assert_eq!(count, 1, "{name} in {text}");
        }
    }
}

#[test]
fn a_new_event_says_what_its_draft_does() {
    let draft = EventDraft {
        title: Field::Set("Plan; a, b\nc".into()),
        start: at("2026-12-02T09:00:00", "Europe/Berlin"),
        end: at("2026-12-02T10:00:00", "Europe/Berlin"),
        availability: Field::Set(Availability::Free),
        recurrence: Field::Set("FREQ=DAILY;UNTIL=20261205".into()),
        conference: Field::Set(ConferenceDraft::Url("https://meet.example/1".into())),
        attendees: Field::Set(vec![Invitee {
            email: "bob@example.com".into(),
            name: Some("Bob \"B\"; jr".into()),
            optional: true,
        }]),
        properties: Field::Set(BTreeMap::from([("a;b".into(), "1,\n2".into())])),
        ..EventDraft::default()
    };
    let text = create("uid", &draft, &author()).unwrap();
    sound(&text);
    let href = Href { sent: "/s.ics".into(), key: "/s.ics".into() };
    let event = items(&href, None, &text).unwrap().remove(0).event;
    assert_eq!((&*event.uid, &*event.title), ("uid", "Plan; a, b\nc"));
    assert_eq!(event.start.as_deref(), Some("2026-12-02T08:00:00.000Z"));
    assert_eq!(event.time_zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!((&*event.availability, event.attendees.len()), ("free", 2));
    assert_eq!(event.attendees[0].email, "ada@example.com", "no organiser: it is no meeting");
    assert_eq!(event.conference.unwrap().url, "https://meet.example/1");
    assert_eq!(event.properties["a;b"], "1,\n2");
    // A day as UNTIL of times is the end of that day there, in UTC (RFC 5545 section 3.3.10).
    assert_eq!(event.recurrence.as_deref(), Some("FREQ=DAILY;UNTIL=20261205T225959Z"));
}

#[test]
fn icloud_refuses_an_event_without_an_end_so_there_always_is_one() {
    for (start, end) in [
        (day("2026-12-02"), "DTEND;VALUE=DATE:20261203\r\n"),
        (at("2026-12-02T09:00:00", "UTC"), "DTEND:20261202T090000Z\r\n"),
    ] {
        let draft = EventDraft { start, ..EventDraft::default() };
        let text = create("uid", &draft, &author()).unwrap();
        assert!(text.contains(end), "{text}");
        sound(&text);
        let bare = text.replace(end, "");
        let again = updated(&bare, target(None, Scope::This), &title("x"));
        assert!(again.contains(end), "{again}");
    }
}

#[test]
fn what_a_write_does_not_concern_keeps_its_bytes() {
    let text = updated(SERIES, target(None, Scope::All), &title("Other"));
    sound(&text);
    for kept in [UNKNOWN, ALARM, "X-OF-CALENDAR:kept\r\n", "SUMMARY:Moved\r\n", "COUNT=10\r\n"] {
        assert!(text.contains(kept), "{kept} in {text}");
    }
    for changed in ["SUMMARY:Other\r\n", "SEQUENCE:5\r\n", "LAST-MODIFIED:20261121T"] {
        assert!(text.contains(changed), "{changed} in {text}");
    }
    assert_eq!(text.matches("DTSTAMP:20260101T000000Z").count(), 1, "the stamp of the exception");
    assert_eq!(text.matches("BEGIN:VTIMEZONE").count(), 1);
    assert_eq!(starts(&text), starts(SERIES));
    let again = updated(&text, target(None, Scope::All), &EventDraft::default());
    assert_eq!(again.matches("BEGIN:VTIMEZONE").count(), 1, "a zone is defined twice");
}

#[test]
fn one_occurrence_becomes_an_exception_of_its_own() {
    let draft = EventDraft {
        start: at("2026-10-28T11:00:00", "Europe/Berlin"),
        end: at("2026-10-28T12:30:00", "Europe/Berlin"),
        ..title("Once")
    };
    let text = updated(SERIES, target(Some("20261028T080000Z"), Scope::This), &draft);
    sound(&text);
    assert!(text.contains("RECURRENCE-ID;TZID=Europe/Berlin:20261028T090000\r\n"), "{text}");
    assert_eq!(text.matches("RRULE:FREQ=WEEKLY").count(), 1, "an exception has a rule: {text}");
    assert_eq!(text.matches("EXDATE").count(), 1);
    assert_eq!(text.matches(UNKNOWN).count(), 2, "the exception lost what its series has");
    let all = said(&text);
    let own = all.iter().find(|(id, ..)| id == "20261028T080000Z").unwrap();
    assert_eq!((&*own.1, &*own.2), ("Once", "2026-10-28T10:00:00.000Z"));
    assert_eq!(own.3, "2026-10-28T11:30:00.000Z");

    let again = updated(&text, target(Some("20261028T080000Z"), Scope::This), &title("Twice"));
    assert_eq!(said(&again).len(), 3, "{again}");
    let moved = updated(SERIES, target(Some("20261111T080000Z"), Scope::This), &title("Again"));
    assert!(moved.contains("SUMMARY:Again\r\n") && !moved.contains("SUMMARY:Moved"), "{moved}");
}

#[test]
fn an_occurrence_that_only_keeps_its_length_stays_as_long() {
    let text = updated(SERIES, target(Some("20261028T080000Z"), Scope::This), &title("Once"));
    let own = said(&text).into_iter().find(|(id, ..)| id == "20261028T080000Z").unwrap();
    assert_eq!((&*own.2, &*own.3), ("2026-10-28T08:00:00.000Z", "2026-10-28T09:00:00.000Z"));
    assert!(
        !Document::read(&text)
            .blocks("VEVENT")
            .last()
            .unwrap()
            .own()
            .iter()
            .any(|line| { line.is("DURATION") })
    );
}

#[test]
fn a_series_that_moves_takes_its_exceptions_and_excluded_days_along() {
    let draft = EventDraft {
        start: at("2026-10-28T10:30:00", "Europe/Berlin"),
        end: at("2026-10-28T11:30:00", "Europe/Berlin"),
        ..EventDraft::default()
    };
    let text = updated(SERIES, target(Some("20261028T080000Z"), Scope::All), &draft);
    sound(&text);
    assert!(text.contains("DTSTART;TZID=Europe/Berlin:20261007T103000\r\n"), "{text}");
    assert!(text.contains("EXDATE;TZID=Europe/Berlin:20261021T103000,20261118T103000\r\n"));
    assert!(text.contains("RECURRENCE-ID;TZID=Europe/Berlin:20261111T103000\r\n"), "{text}");
    let all = starts(&text);
    assert_eq!(all.len(), starts(SERIES).len(), "an excluded day is back, or one too many went");
    // In summer 8:30 UTC, in winter 9:30; the moved one stays where it was put.
    assert_eq!((&*all[0], &*all[2]), ("2026-10-07T08:30:00.000Z", "2026-10-28T09:30:00.000Z"));
    assert!(all.contains(&"2026-11-11T13:00:00.000Z".to_owned()), "{all:?}");

    let whole =
        EventDraft { start: day("2026-10-07"), end: day("2026-10-08"), ..EventDraft::default() };
    let days = updated(SERIES, target(None, Scope::All), &whole);
    assert!(days.contains("EXDATE;VALUE=DATE:20261021,20261118\r\n"), "{days}");
    assert!(days.contains("RECURRENCE-ID;VALUE=DATE:20261111\r\n"), "{days}");
}

#[test]
fn a_series_is_split_in_two_that_together_are_what_it_was() {
    let split = target(Some("20261104T080000Z"), Scope::Following);
    let Outcome::Rewrite { resource, following: Some(following) } =
        update(SERIES, &split, &title("Later"), &author()).unwrap()
    else {
        panic!("not split")
    };
    sound(&resource);
    sound(&following);
    let (first, second) = (starts(&resource), starts(&following));
    assert_eq!([first.clone(), second].concat(), starts(SERIES));
    assert_eq!(first.last().unwrap(), "2026-10-28T08:00:00.000Z");
    assert!(!resource.contains("Moved") && following.contains("SUMMARY:Moved\r\n"));
    assert!(resource.contains("UID:s\r\n") && !resource.contains("UID:new"));
    assert_eq!(following.matches("UID:new\r\n").count(), 2, "one resource, one UID: {following}");
    assert!(following.contains("SUMMARY:Later\r\n") && !following.contains("SUMMARY:Weekly"));
    assert!(following.contains(UNKNOWN) && following.contains("20261118T090000"));
    assert!(!resource.contains("20261118T090000") && resource.contains("20261021T090000"));
    assert!(resource.contains("UNTIL=20261104T075959Z"), "{resource}");

    let first = target(Some("20261007T070000Z"), Scope::Following);
    let whole = updated(SERIES, first, &title("All"));
    assert!(whole.contains("SUMMARY:All\r\n") && whole.contains("COUNT=10"), "{whole}");
}

#[test]
fn an_occurrence_is_deleted_by_an_excluded_date() {
    let one = target(Some("20261028T080000Z"), Scope::This);
    let text = rewritten(delete(SERIES, &one, &author()).unwrap());
    sound(&text);
    assert!(text.contains("EXDATE;TZID=Europe/Berlin:20261028T090000\r\n"), "{text}");
    assert_eq!(starts(&text).len(), starts(SERIES).len() - 1);
    assert!(matches!(delete(&text, &one, &author()), Err(ProviderError::Gone { .. })));

    let moved = target(Some("20261111T080000Z"), Scope::This);
    let text = rewritten(delete(SERIES, &moved, &author()).unwrap());
    assert!(!text.contains("Moved") && text.contains("20261111T090000"), "{text}");
    assert_eq!(starts(&text).len(), starts(SERIES).len() - 1, "it is back where it was");

    let all_day = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:d\r\nDTSTAMP:20260101T000000Z\r\n\
        DTSTART;VALUE=DATE:20261201\r\nDTEND;VALUE=DATE:20261202\r\nRRULE:FREQ=DAILY;COUNT=2\r\n\
        END:VEVENT\r\nEND:VCALENDAR\r\n";
    let text =
        rewritten(delete(all_day, &target(Some("20261201"), Scope::This), &author()).unwrap());
    assert!(text.contains("EXDATE;VALUE=DATE:20261201\r\n"), "{text}");
    let last = delete(&text, &target(Some("20261202"), Scope::This), &author()).unwrap();
    assert_eq!(last, Outcome::Remove, "a series without any occurrence is left");
}

#[test]
fn a_series_is_deleted_from_an_occurrence_on_or_whole() {
    let following = target(Some("20261104T080000Z"), Scope::Following);
    let text = rewritten(delete(SERIES, &following, &author()).unwrap());
    sound(&text);
    assert_eq!(starts(&text), starts(SERIES)[..3]);
    assert!(!text.contains("Moved"), "{text}");
    for whole in [
        target(None, Scope::This),
        target(Some("20261104T080000Z"), Scope::All),
        target(Some("20261007T070000Z"), Scope::Following),
    ] {
        assert_eq!(delete(SERIES, &whole, &author()).unwrap(), Outcome::Remove, "{whole:?}");
    }
}

#[test]
fn who_stays_invited_keeps_their_answer() {
    let text = SERIES.replace(
        "SUMMARY:Weekly\r\n",
        "SUMMARY:Weekly\r\nORGANIZER:mailto:eve@example.com\r\n\
         ATTENDEE;PARTSTAT=ACCEPTED;X-A=1:MAILTO:Bob@example.com\r\n\
         ATTENDEE;PARTSTAT=DECLINED;EMAIL=cid@example.com:urn:uuid:1\r\n\
         ATTENDEE;PARTSTAT=DECLINED:mailto:dan@example.com\r\n",
    );
    let invitee = |email: &str| Invitee { email: email.into(), name: None, optional: false };
    let guests = ["bob@example.com", "cid@example.com", "new@example.com"];
    let draft = EventDraft {
        attendees: Field::Set(guests.into_iter().map(invitee).collect()),
        ..EventDraft::default()
    };
    let quiet = Author { notify: Notify::None, ..author() };
    let changed = rewritten(update(&text, &target(None, Scope::All), &draft, &quiet).unwrap());
    assert!(changed.contains("ATTENDEE;PARTSTAT=ACCEPTED;X-A=1:MAILTO:Bob@example.com\r\n"));
    assert!(changed.contains("EMAIL=cid@example.com:urn:uuid:1\r\n"), "{changed}");
    assert!(!changed.contains("dan@example.com"), "{changed}");
    assert_eq!(changed.matches("ORGANIZER").count(), 1);
    assert_eq!(changed.matches("SCHEDULE-AGENT=NONE").count(), 1, "the server tells someone");
    let none = EventDraft { attendees: Field::Clear, ..EventDraft::default() };
    assert!(!updated(&changed, target(None, Scope::All), &none).contains("ATTENDEE"));
}

#[test]
fn what_icalendar_cannot_say_is_refused() {
    let none = EventDraft::default;
    let early = EventDraft { end: at("2026-10-07T08:00:00", "Europe/Berlin"), ..none() };
    let mixed = EventDraft { end: day("2026-10-08"), ..none() };
    let rule = EventDraft { recurrence: Field::Set("FREQ=DAILY".into()), ..none() };
    let meet = EventDraft { conference: Field::Set(ConferenceDraft::Create), ..none() };
    let one = Some("20261028T080000Z");
    for (occurrence, draft) in [(None, &early), (None, &mixed), (one, &rule), (None, &meet)] {
        let refused = update(SERIES, &target(occurrence, Scope::This), draft, &author());
        assert!(matches!(refused, Err(ProviderError::Invalid { .. })), "{draft:?}");
    }
    assert!(matches!(
        create("uid", &title("no start"), &author()),
        Err(ProviderError::Invalid { .. })
    ));
    for never in ["20261029T080000Z", "20261021T070000Z", "20261028"] {
        let gone = update(SERIES, &target(Some(never), Scope::This), &title("x"), &author());
        assert!(matches!(gone, Err(ProviderError::Gone { .. })), "{never}");
    }
    let broken = update("BEGIN:VEVENT", &target(None, Scope::All), &title("x"), &author());
    assert!(broken.is_err());
}

#[test]
fn a_series_can_become_a_single_event() {
    let single = EventDraft { recurrence: Field::Clear, ..EventDraft::default() };
    let text = updated(SERIES, target(None, Scope::All), &single);
    sound(&text);
    assert_eq!(said(&text).len(), 1, "{text}");
    assert!(!text.contains("EXDATE") && !text.contains("\r\nRRULE:FREQ=WEEKLY"), "{text}");
}

/// As [`SERIES`], in a zone that nobody knows by its name.
const OWN_ZONE: &str = "BEGIN:VTIMEZONE\r\nTZID:Head office\r\nBEGIN:STANDARD\r\n\
    DTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\n\
    END:VTIMEZONE\r\n";

#[test]
fn what_only_its_own_object_times_is_refused_and_not_moved() {
    let own = SERIES.replace("TZID=Europe/Berlin", "TZID=Head office");
    let own = own.replacen("BEGIN:VEVENT", &format!("{OWN_ZONE}BEGIN:VEVENT"), 1);
    let moved = EventDraft { start: at("2026-12-02T09:00:00", "Europe/Berlin"), ..title("x") };
    let first = Some("20261007T080000Z");
    let refused = |outcome: Result<Outcome, ProviderError>| match outcome {
        Err(ProviderError::Invalid { why }) => assert!(why.contains("\"Head office\""), "{why}"),
        other => panic!("{other:?}"),
    };
    for (occurrence, scope) in
        [(None, Scope::All), (first, Scope::This), (first, Scope::Following), (first, Scope::All)]
    {
        for draft in [&moved, &title("x")] {
            refused(update(&own, &target(occurrence, scope), draft, &author()));
        }
    }
    for scope in [Scope::This, Scope::Following] {
        refused(delete(&own, &target(first, scope), &author()));
    }
    let whole = delete(&own, &target(None, Scope::All), &author());
    assert_eq!(whole, Ok(Outcome::Remove), "all of it can go");
    let known = own.replace("Head office", "W. Europe Standard Time");
    assert!(update(&known, &target(None, Scope::All), &title("x"), &author()).is_ok());
}
