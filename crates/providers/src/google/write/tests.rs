use serde_json::json;

use super::*;
use crate::google::testing::{reaction, refusal, reply, settings};
use crate::http::answer;

fn draft(value: &Value) -> EventDraft {
    EventDraft::from_json(value).unwrap()
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

fn event(object: &Value) -> Event {
    events::parse_event(&reply(200, object)).unwrap().event
}

fn key() -> WriteKey {
    WriteKey::derived(&["test"])
}

fn target<'a>(event: &'a str, etag: Option<&'a str>) -> Target<'a> {
    Target { calendar: "c", event, etag, notify: Notify::None }
}

fn patch(current: &Value, change: &Value) -> Value {
    let request = patch_request(&settings(), &target("e", None), &event(current), &draft(change));
    body(&request.unwrap())
}

fn series() -> Value {
    json!({
        "id": "abc", "etag": "\"1\"", "status": "confirmed", "summary": "Standup", "colorId": "3",
        "iCalUID": "abc@google.com", "htmlLink": "https://x", "created": "2026-11-01T00:00:00Z",
        "start": { "dateTime": "2026-12-01T09:00:00+01:00", "timeZone": "Europe/Berlin" },
        "end": { "dateTime": "2026-12-01T09:15:00+01:00", "timeZone": "Europe/Berlin" },
        "recurrence": ["RRULE:FREQ=DAILY;COUNT=10", "EXDATE;TZID=Europe/Berlin:20261206T090000"],
        "attendees": [{ "email": "you@x.org", "responseStatus": "accepted" }],
        "extendedProperties": { "private": { "crm": "7", "tidings": "old" } },
    })
}

#[test]
fn an_event_is_created_under_our_own_id() {
    let draft = draft(&json!({
        "title": "Lunch", "location": null, "start": "2026-12-02T12:00:00",
        "end": "2026-12-02T13:00:00", "timeZone": "Europe/Berlin",
        "attendees": [{ "email": "you@x.org", "name": "You", "optional": true }],
        "availability": "free", "privacy": "public", "status": "tentative",
        "recurrence": "FREQ=WEEKLY", "conference": "create", "properties": { "crm": "7" },
    }));
    let request = insert_request(&settings(), "a#b", &key(), &draft, Notify::External).unwrap();
    assert_eq!(request.method, Method::POST);
    assert_eq!(
        request.url.as_str(),
        "http://127.0.0.1:9/calendar/v3/calendars/a%23b/events\
         ?conferenceDataVersion=1&sendUpdates=externalOnly"
    );
    let id = key().as_str().to_owned();
    assert!(
        (5..=1024).contains(&id.len())
            && id.bytes().all(|b| matches!(b, b'a'..=b'v' | b'0'..=b'9'))
    );
    assert_eq!(
        body(&request),
        json!({
            "id": id, "summary": "Lunch", "status": "tentative", "transparency": "transparent",
            "visibility": "default", "recurrence": ["RRULE:FREQ=WEEKLY"],
            "start": { "dateTime": "2026-12-02T12:00:00", "timeZone": "Europe/Berlin" },
            "end": { "dateTime": "2026-12-02T13:00:00", "timeZone": "Europe/Berlin" },
            "attendees": [{ "email": "you@x.org", "displayName": "You", "optional": true }],
            "conferenceData": { "createRequest": {
                "requestId": id, "conferenceSolutionKey": { "type": "hangoutsMeet" },
            } },
            "extendedProperties": { "private": { "crm": "7", "tidings": id } },
        }),
        "and no iCalUID beside the id"
    );
}

#[test]
fn a_repeated_create_finds_the_event_of_the_first_and_a_tombstone_is_told() {
    let refused = parse_write(&refusal(409, "global", "duplicate")).unwrap_err();
    assert_eq!(reaction(&refused), "conflict");
    let id = key().as_str().to_owned();
    assert_eq!(parse_existing(&reply(200, &json!({ "id": id }))).unwrap().key, id);
    for gone in [reply(200, &json!({ "id": id, "status": "cancelled" })), answer(404, "")] {
        let error = parse_existing(&gone).unwrap_err();
        assert_eq!(reaction(&error), "conflict");
        assert!(error.to_string().contains("use a new key"), "{error}");
    }
    assert_eq!(reaction(&parse_existing(&answer(503, "")).unwrap_err()), "retry");
}

#[test]
fn an_event_without_length_becomes_a_minute_long() {
    let moment = json!({ "start": "2026-12-02T09:00:00Z", "end": "2026-12-02T09:00:00Z" });
    let request = insert_request(&settings(), "c", &key(), &draft(&moment), Notify::None).unwrap();
    let body = body(&request);
    assert_eq!(body["start"]["dateTime"], "2026-12-02T09:00:00");
    assert_eq!(body["end"]["dateTime"], "2026-12-02T09:01:00");
}

#[test]
fn a_change_is_bound_to_the_version_it_was_made_for() {
    let target = Target { notify: Notify::All, ..target("abc_20261203T080000Z", Some("\"7\"")) };
    let change = draft(&json!({ "title": "New" }));
    let request = patch_request(&settings(), &target, &event(&series()), &change).unwrap();
    assert_eq!(
        (request.method.as_str(), request.headers[IF_MATCH].to_str().unwrap()),
        ("PATCH", "\"7\"")
    );
    assert_eq!(
        request.url.as_str(),
        "http://127.0.0.1:9/calendar/v3/calendars/c/events/abc_20261203T080000Z\
         ?conferenceDataVersion=1&sendUpdates=all"
    );
    assert_eq!(body(&request), json!({ "summary": "New" }), "what is not named stays");
    let error = parse_write(&refusal(412, "global", "conditionNotMet")).unwrap_err();
    assert_eq!(reaction(&error), "conflict");
    let delete = delete_request(&settings(), &target);
    assert_eq!(
        (delete.method.as_str(), delete.headers[IF_MATCH].to_str().unwrap()),
        ("DELETE", "\"7\"")
    );
    assert!(delete.url.as_str().ends_with("?sendUpdates=all") && delete.body.is_empty());
}

#[test]
fn what_google_replaces_whole_is_carried_over() {
    let people = json!({ "attendees": [{ "email": "YOU@x.org" }, { "email": "new@x.org" }] });
    assert_eq!(
        patch(&series(), &people)["attendees"],
        json!([{ "email": "you@x.org", "responseStatus": "accepted" }, { "email": "new@x.org" }])
    );
    assert_eq!(
        patch(&series(), &json!({ "recurrence": "FREQ=WEEKLY" }))["recurrence"],
        json!(["RRULE:FREQ=WEEKLY", "EXDATE;TZID=Europe/Berlin:20261206T090000"])
    );
    assert_eq!(
        patch(&series(), &json!({ "properties": { "new": "1" } })),
        json!({ "extendedProperties": { "private": { "crm": null, "new": "1" } } })
    );
}

#[test]
fn what_is_cleared_is_emptied() {
    let cleared = json!({
        "title": null, "description": null, "attendees": null, "availability": null,
        "privacy": null, "status": null, "recurrence": null, "conference": null, "properties": null,
    });
    assert_eq!(
        patch(&series(), &cleared),
        json!({
            "summary": null, "description": null, "attendees": [], "transparency": "opaque",
            "visibility": "default", "status": "confirmed", "recurrence": null,
            "conferenceData": null, "extendedProperties": { "private": { "crm": null } },
        })
    );
}

#[test]
fn a_day_can_become_a_time_and_back() {
    let day = patch(&series(), &json!({ "start": "2026-12-02", "end": "2026-12-03" }));
    assert_eq!(day["start"], json!({ "date": "2026-12-02", "dateTime": null, "timeZone": null }));
    let time = json!({ "start": "2026-12-02T09:00:00Z", "end": "2026-12-02T10:00:00Z" });
    assert_eq!(
        patch(&series(), &time)["end"],
        json!({ "date": null, "dateTime": "2026-12-02T10:00:00", "timeZone": "UTC" })
    );
}

#[test]
fn a_meeting_elsewhere_is_an_entry_point() {
    let patch = patch(&series(), &json!({ "conference": { "url": "https://zoom.us/j/1" } }));
    let points = &patch["conferenceData"]["entryPoints"];
    assert_eq!(points, &json!([{ "entryPointType": "video", "uri": "https://zoom.us/j/1" }]));
    let read = event(&json!({ "id": "a", "conferenceData": patch["conferenceData"] }));
    assert_eq!(read.conference.unwrap().url, "https://zoom.us/j/1", "and reads back");
}

#[test]
fn cancelling_is_deleting() {
    let change = draft(&json!({ "status": "cancelled" }));
    let error = patch_request(&settings(), &target("e", None), &event(&series()), &change);
    assert_eq!(reaction(&error.unwrap_err()), "invalid");
}

#[test]
fn what_is_gone_already_is_deleted() {
    for status in [200, 204, 404, 410] {
        assert_eq!(parse_delete(&answer(status, "")), Ok(()), "{status}");
    }
    for (status, reason, expected) in [
        (412, "conditionNotMet", "conflict"),
        (403, "forbiddenForNonOrganizer", "forbidden"),
        (403, "rateLimitExceeded", "retry"),
    ] {
        let error = parse_delete(&refusal(status, "global", reason)).unwrap_err();
        assert_eq!(reaction(&error), expected, "{reason}");
    }
}

#[test]
fn an_occurrence_is_named_after_its_series() {
    for (master, moment, expected) in [
        ("abc", "20261203T080000Z", "abc_20261203T080000Z"),
        ("abc", "20261203", "abc_20261203"),
        ("abc_R20261201T080000", "20261203T080000Z", "abc_20261203T080000Z"),
        ("abc_Rx", "20261203", "abc_Rx_20261203"),
    ] {
        assert_eq!(instance_id(master, moment), expected);
    }
}

#[test]
fn this_and_all_following_become_a_series_of_their_own() {
    let master = event(&series());
    let (_, third) = occurrences::occurrence_at(("abc", &master), "20261203T080000Z").unwrap();
    let at = Timestamp::parse("2026-12-03T08:00:00Z").unwrap();
    let change = draft(&json!({ "title": "Later", "attendees": null }));
    let split = (&master, &third, at);
    let request = follow_request(&settings(), "c", &key(), split, &change, Notify::None).unwrap();
    assert_eq!(
        body(&request),
        json!({
            "id": key().as_str(), "summary": "Later", "colorId": "3", "attendees": [],
            "start": { "dateTime": "2026-12-03T08:00:00.000Z", "timeZone": "Europe/Berlin" },
            "end": { "dateTime": "2026-12-03T08:15:00.000Z", "timeZone": "Europe/Berlin" },
            "recurrence": ["RRULE:FREQ=DAILY;COUNT=8", "EXDATE:20261206T080000Z"],
            "extendedProperties": { "private": { "crm": "7", "tidings": key().as_str() } },
        })
    );
    let end = end_request(&settings(), &target("abc", Some("\"1\"")), &master, at).unwrap();
    assert_eq!(body(&end), json!({ "recurrence": ["RRULE:FREQ=DAILY;UNTIL=20261203T075959Z"] }));
    assert_eq!(end.headers[IF_MATCH], "\"1\"");

    let first = Timestamp::parse("2026-12-01T08:00:00Z").unwrap();
    let error = end_request(&settings(), &target("abc", None), &master, first).unwrap_err();
    assert_eq!(reaction(&error), "invalid", "the whole series is meant");
}

#[test]
fn a_new_time_of_all_following_is_that_of_the_draft() {
    let master = event(&series());
    let (_, third) = occurrences::occurrence_at(("abc", &master), "20261203T080000Z").unwrap();
    let at = Timestamp::parse("2026-12-03T08:00:00Z").unwrap();
    let change = json!({ "start": "2026-12-03", "end": "2026-12-04", "recurrence": "FREQ=WEEKLY" });
    let split = (&master, &third, at);
    let request = follow_request(&settings(), "c", &key(), split, &draft(&change), Notify::None);
    let body = body(&request.unwrap());
    assert_eq!(body["start"], json!({ "date": "2026-12-03" }));
    assert_eq!(body["recurrence"][0], "RRULE:FREQ=WEEKLY");
}

#[test]
fn a_meeting_at_google_is_never_shared_by_two_events() {
    let at = Timestamp::parse("2026-12-03T08:00:00Z").unwrap();
    let follow = |conference: &Value, change: &Value| {
        let mut object = series();
        object["conferenceData"] = conference.clone();
        let master = event(&object);
        let (_, third) = occurrences::occurrence_at(("abc", &master), "20261203T080000Z").unwrap();
        let (split, change) = ((&master, &third, at), draft(change));
        let request = follow_request(&settings(), "c", &key(), split, &change, Notify::None);
        body(&request.unwrap())["conferenceData"].clone()
    };
    let meet = json!({
        "conferenceId": "abc", "conferenceSolution": { "key": { "type": "hangoutsMeet" } },
    });
    let followed = follow(&meet, &json!({ "title": "x" }));
    assert_eq!(followed["createRequest"]["requestId"], key().as_str());
    assert_eq!(followed.get("conferenceId"), None);
    let other = json!({ "conferenceSolution": { "key": { "type": "addOn" } }, "entryPoints": [] });
    assert_eq!(follow(&other, &json!({ "title": "x" })), other);
    let changed = follow(&meet, &json!({ "conference": { "url": "https://zoom.us/j/1" } }));
    assert_eq!(changed.get("createRequest"), None);
    assert_eq!(changed["entryPoints"][0]["uri"], "https://zoom.us/j/1");
    assert_eq!(follow(&meet, &json!({ "conference": null })), Value::Null);
}
