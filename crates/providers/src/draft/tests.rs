use serde_json::json;

use super::*;

fn read(value: &serde_json::Value) -> EventDraft {
    EventDraft::from_json(value).unwrap_or_else(|faults| panic!("{faults:?}"))
}

#[test]
fn a_draft_is_read_with_all_its_members() {
    let draft = read(&json!({
        "title": "Standup", "description": null, "location": "Room 1",
        "start": "2026-12-02T09:00:00", "end": "2026-12-02T09:15:00", "timeZone": "Europe/Berlin",
        "allDay": false,
        "attendees": [{ "email": "a@x.org", "name": "A" }, { "email": "b@x.org", "optional": true }],
        "availability": "free", "privacy": "private", "status": "tentative",
        "recurrence": "FREQ=WEEKLY;BYDAY=MO", "conference": "create", "properties": { "crm": "7" },
    }));
    assert_eq!(draft.title, Field::Set("Standup".into()));
    assert_eq!(draft.description, Field::Clear);
    assert_eq!(draft.start.set().unwrap().told(), "2026-12-02T08:00:00.000Z");
    assert_eq!(draft.attendees.set().unwrap().len(), 2);
    assert!(draft.attendees.set().unwrap()[1].optional);
    assert_eq!(draft.availability, Field::Set(Availability::Free));
    assert_eq!(draft.recurrence, Field::Set("FREQ=WEEKLY;BYDAY=MO".into()));
    assert_eq!(draft.conference, Field::Set(ConferenceDraft::Create));
    assert_eq!(draft.properties.set().unwrap()["crm"], "7");
    assert_eq!(draft.check_new(), Ok(()));
    assert!(read(&json!({})).is_empty());
}

#[test]
fn times_are_read_in_every_spelling() {
    let at =
        |local: &str, zone: &str| When::At { local: local.parse().unwrap(), zone: zone.into() };
    for (start, zone, expected) in [
        ("2026-12-02", json!(null), When::Date("2026-12-02".parse().unwrap())),
        ("2026-12-02T09:00:00Z", json!(null), at("2026-12-02T09:00:00", "UTC")),
        (
            "2026-12-02T09:00:00.000Z",
            json!("Europe/Berlin"),
            at("2026-12-02T10:00:00", "Europe/Berlin"),
        ),
        ("2026-12-02T09:00:00+05:00", json!(null), at("2026-12-02T04:00:00", "UTC")),
        (
            "2026-12-02T09:00",
            json!("America/New_York"),
            at("2026-12-02T09:00:00", "America/New_York"),
        ),
    ] {
        let draft = read(&json!({ "start": start, "timeZone": zone }));
        assert_eq!(draft.start, Field::Set(expected), "{start}");
    }
}

#[test]
fn what_is_wrong_is_named_by_its_place() {
    for (value, place) in [
        (json!([]), ""),
        (json!({ "titel": "x" }), "/titel"),
        (json!({ "title": 7 }), "/title"),
        (json!({ "title": "x".repeat(5_000) }), "/title"),
        (json!({ "start": null }), "/start"),
        (json!({ "start": "2026-12-02T09:00:00" }), "/start"),
        (json!({ "start": "soon" }), "/start"),
        (json!({ "start": "2026-12-02", "end": "2026-12-02T09:00:00Z" }), "/end"),
        (json!({ "start": "2026-12-02", "end": "2026-12-02" }), "/end"),
        (json!({ "start": "2026-12-02T09:00:00Z", "end": "2026-12-02T08:00:00Z" }), "/end"),
        (json!({ "start": "2026-12-02", "allDay": false }), "/allDay"),
        (json!({ "allDay": true }), "/allDay"),
        (json!({ "timeZone": "Europe/Berlin" }), "/timeZone"),
        (json!({ "start": "2026-12-02T09:00:00Z", "timeZone": "Middle/Earth" }), "/timeZone"),
        (json!({ "attendees": [{ "email": "nobody" }] }), "/attendees/0/email"),
        (json!({ "attendees": [{ "email": "a@b", "mood": 1 }] }), "/attendees/0/mood"),
        (json!({ "attendees": [{ "email": "a@b" }, { "email": "A@b" }] }), "/attendees/1/email"),
        (json!({ "availability": "maybe" }), "/availability"),
        (json!({ "recurrence": "every monday" }), "/recurrence"),
        (json!({ "recurrence": "FREQ=DAILY\r\nATTENDEE:x" }), "/recurrence"),
        (json!({ "conference": { "url": "javascript:alert(1)" } }), "/conference"),
        (json!({ "properties": { "a/b": "x" } }), "/properties/a~1b"),
        (json!({ "properties": { "a": 1 } }), "/properties/a"),
    ] {
        let faults = EventDraft::from_json(&value).expect_err(&value.to_string());
        assert!(faults.iter().any(|(at, _)| at == place), "{value}: {faults:?}");
    }
    let faults = read(&json!({ "title": "x" })).check_new().unwrap_err();
    assert_eq!(faults.iter().map(|(at, _)| at.as_str()).collect::<Vec<_>>(), ["/start", "/end"]);
}

#[test]
fn an_event_without_length_is_allowed_for_icalendar_has_them() {
    let draft = read(&json!({ "start": "2026-12-02T09:00:00Z", "end": "2026-12-02T09:00:00Z" }));
    assert_eq!(draft.start, draft.end);
}
