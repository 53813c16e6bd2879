use serde_json::json;

use super::*;
use crate::event::Original;
use crate::http::answer;
use crate::microsoft::tests::settings;

/// A single event as Graph answers it with our preferences.
pub(in crate::microsoft) fn event() -> Value {
    json!({
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#events/$entity",
        "@odata.etag": "W/\"ck1\"",
        "id": "e1",
        "type": "singleInstance",
        "seriesMasterId": null,
        "changeKey": "ck1",
        "createdDateTime": "2026-11-01T10:00:00.0000000Z",
        "lastModifiedDateTime": "2026-11-02T10:00:00.1234567Z",
        "iCalUId": "uid-1",
        "subject": "Lunch",
        "bodyPreview": "Soup",
        "body": { "contentType": "text", "content": "Soup\r\n" },
        "start": { "dateTime": "2026-12-02T08:00:00.0000000", "timeZone": "UTC" },
        "end": { "dateTime": "2026-12-02T09:00:00.0000000", "timeZone": "UTC" },
        "originalStartTimeZone": "W. Europe Standard Time",
        "originalEndTimeZone": "W. Europe Standard Time",
        "isAllDay": false,
        "isCancelled": false,
        "location": { "displayName": "Canteen" },
        "attendees": [
            { "type": "required", "status": { "response": "tentativelyAccepted" },
              "emailAddress": { "address": "bob@example.com", "name": "Bob" } },
            { "type": "optional", "status": { "response": "notResponded" },
              "emailAddress": { "address": "eve@example.com", "name": "" } },
        ],
        "organizer": { "emailAddress": { "address": "ann@example.com", "name": "Ann" } },
        "showAs": "busy",
        "sensitivity": "normal",
        "categories": [],
        "webLink": "https://outlook.office365.com/owa/?itemid=e1",
        "onlineMeeting": { "joinUrl": "https://teams.microsoft.com/l/meetup-join/1" },
        "recurrence": null,
    })
}

fn item(changes: &Value) -> Item {
    let mut event = event();
    event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    parse(&answer(200, event.to_string())).unwrap().item
}

#[test]
fn an_event_is_told_in_our_words() {
    let item = item(&json!({}));
    assert_eq!((item.key.as_str(), item.resource.as_str()), ("e1", "e1"));
    assert_eq!((item.series, item.recurrence_id), (None, None));
    assert_eq!(item.etag, "W/\"ck1\"");
    let event = serde_json::to_value(&item.event).unwrap();
    let Original::Object(original) = &item.event.original else { panic!("an object") };
    assert_eq!(original["changeKey"], "ck1");
    assert!(original.get("@odata.context").is_none());
    let expected = json!({
        "uid": "uid-1",
        "title": "Lunch",
        "description": "Soup",
        "start": "2026-12-02T08:00:00.000Z",
        "end": "2026-12-02T09:00:00.000Z",
        "allDay": false,
        "timeZone": "Europe/Berlin",
        "location": "Canteen",
        "attendees": [
            { "email": "ann@example.com", "name": "Ann", "status": "accepted", "organizer": true },
            { "email": "bob@example.com", "name": "Bob", "status": "tentative" },
            { "email": "eve@example.com", "status": "none" },
        ],
        "status": "confirmed",
        "availability": "busy",
        "privacy": "public",
        "lastModified": "2026-11-02T10:00:00.123Z",
        "link": "https://outlook.office365.com/owa/?itemid=e1",
        "conference": { "url": "https://teams.microsoft.com/l/meetup-join/1" },
        "original": original,
    });
    assert_eq!(event, expected);
}

#[test]
fn words_of_graph_become_ours() {
    for (change, member, expected) in [
        (json!({ "showAs": "free" }), "availability", json!("free")),
        (json!({ "showAs": "workingElsewhere" }), "availability", json!("free")),
        (json!({ "showAs": "oof" }), "availability", json!("busy")),
        (json!({ "showAs": "tentative" }), "status", json!("tentative")),
        (json!({ "isCancelled": true, "showAs": "tentative" }), "status", json!("cancelled")),
        (json!({ "sensitivity": "personal" }), "privacy", json!("private")),
        (json!({ "sensitivity": "private" }), "privacy", json!("private")),
        (json!({ "sensitivity": "confidential" }), "privacy", json!("confidential")),
        (json!({ "onlineMeeting": null }), "conference", Value::Null),
        (json!({ "attendees": [] }), "attendees", Value::Null),
        (json!({ "originalStartTimeZone": "tzone://Microsoft/Custom" }), "timeZone", Value::Null),
        (json!({ "subject": null }), "title", json!("")),
    ] {
        let event = serde_json::to_value(item(&change).event).unwrap();
        assert_eq!(event.get(member).cloned().unwrap_or_default(), expected, "{change}");
    }
}

#[test]
fn an_all_day_event_has_dates() {
    let time = |date| json!({ "dateTime": date, "timeZone": "UTC" });
    let event = item(&json!({ "isAllDay": true, "start": time("2026-12-02T00:00:00.0000000"),
        "end": time("2026-12-04T00:00:00.0000000") }))
    .event;
    assert!(event.all_day);
    assert_eq!(event.start.as_deref(), Some("2026-12-02"));
    assert_eq!(event.end.as_deref(), Some("2026-12-04"));
    assert_eq!(event.time_zone, None);
}

#[test]
fn a_version_moves_with_what_is_said_and_with_nothing_else() {
    let version = item(&json!({})).version;
    for (change, moves) in [
        (json!({ "changeKey": "ck2", "@odata.etag": "W/\"ck2\"" }), false),
        (json!({ "lastModifiedDateTime": "2026-11-03T10:00:00Z", "bodyPreview": "S" }), false),
        (json!({ "@odata.context": "x", "calendar@odata.navigationLink": "y" }), false),
        (json!({ "body": { "contentType": "text", "content": "Soup\n\n" } }), false),
        (json!({ "hasAttachments": null, "transactionId": "t", "webLink": "https://x" }), false),
        (json!({ "subject": "Dinner" }), true),
        (json!({ "body": { "contentType": "text", "content": "Stew" } }), true),
        (json!({ "categories": ["Red"] }), true),
        (json!({ "importance": "high" }), true),
        (json!({ "showAs": "free" }), true),
        (json!({ "originalStartTimeZone": "Asia/Tokyo" }), true),
    ] {
        assert_eq!(item(&change).version != version, moves, "{change}");
    }
}

#[test]
fn our_properties_are_read_and_a_part_of_the_version_wherever_they_come_from() {
    let ours = json!({ "id": PROPERTIES_ID.to_uppercase(), "value": r#"{"a":"1"}"# });
    let other = json!({ "id": "String {x} Name y", "value": "z" });
    let read = item(&json!({ "singleValueExtendedProperties": [other, ours] }));
    let properties = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
    assert_eq!(read.event.properties, properties);
    let mut carried = item(&json!({}));
    assert_ne!(carried.version, read.version);
    carry_properties(&mut carried, properties);
    assert_eq!(carried.version, read.version);
    carry_properties(&mut carried, BTreeMap::new());
    assert_eq!(carried.version, item(&json!({})).version);
}

#[test]
fn an_event_is_asked_for_with_our_properties() {
    let request = request(&settings(), "e/1");
    assert_eq!(request.url.path(), "/v1.0/me/events/e%2F1");
    let (name, value) = request.url.query_pairs().next().unwrap();
    assert_eq!(name, "$expand");
    assert!(value.contains(&format!("'{PROPERTIES_ID}'")));
    assert!(request.headers["prefer"].to_str().unwrap().contains("ImmutableId"));
    let request = request_in(&settings(), "c1", "e1");
    assert_eq!(request.url.path(), "/v1.0/me/calendars/c1/events/e1");
}

#[test]
fn an_occurrence_is_told_apart() {
    let body = json!({ "id": "o1", "type": "occurrence", "seriesMasterId": "m1" });
    let found = parse(&answer(200, body.to_string())).unwrap();
    assert!(found.is_occurrence);
    assert_eq!(found.series.as_deref(), Some("m1"));
    let error = parse(&answer(404, "")).unwrap_err();
    assert!(matches!(error, ProviderError::Gone { .. }));
}
