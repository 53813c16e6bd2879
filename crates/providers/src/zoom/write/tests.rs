use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::http::answer;
use crate::zoom::meetings::parse_meeting;

fn settings() -> ZoomSettings {
    ZoomSettings::new("id", "secret")
}

fn at(local: &str, zone: &str) -> Field<When> {
    Field::Set(When::At { local: local.parse().unwrap(), zone: zone.into() })
}

fn new() -> EventDraft {
    EventDraft {
        title: Field::Set("Plan".into()),
        start: at("2026-12-02T10:00:00", "Europe/Berlin"),
        end: at("2026-12-02T10:45:00", "Europe/Berlin"),
        ..EventDraft::default()
    }
}

/// From 09:00 to 10:00 UTC on 2 December 2026.
fn current(recurrence: Option<&str>) -> Event {
    let body = json!({ "id": 7, "type": 2, "topic": "Plan", "timezone": "Europe/Berlin",
                       "start_time": "2026-12-02T09:00:00Z", "duration": 60 });
    let event = parse_meeting(&answer(200, body.to_string())).unwrap().remove(0).event;
    Event { recurrence: recurrence.map(Into::into), ..event }
}

fn sent(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

fn is_invalid<T: std::fmt::Debug>(result: &Result<T, ProviderError>) -> bool {
    matches!(result, Err(ProviderError::Invalid { .. }))
}

#[test]
fn a_new_event_is_a_scheduled_meeting() {
    let draft = EventDraft {
        description: Field::Set("About".into()),
        attendees: Field::Set(vec![Invitee {
            email: "b@x.de".into(),
            name: Some("B".into()),
            optional: false,
        }]),
        conference: Field::Set(ConferenceDraft::Create),
        availability: Field::Set(Availability::Busy),
        status: Field::Set(Status::Confirmed),
        ..new()
    };
    let request = create_request(&settings(), &draft).unwrap();
    assert_eq!(request.method, Method::POST);
    assert_eq!(request.url.as_str(), "https://api.zoom.us/v2/users/me/meetings");
    assert_eq!(
        sent(&request),
        json!({ "topic": "Plan", "agenda": "About", "type": 2,
                "start_time": "2026-12-02T10:00:00", "timezone": "Europe/Berlin", "duration": 45,
                "settings": { "meeting_invitees": [{ "email": "b@x.de" }] } })
    );
}

#[test]
fn a_start_in_utc_says_so() {
    let draft = EventDraft {
        start: at("2026-12-02T09:00:00", "UTC"),
        end: at("2026-12-02T10:45:00", "Europe/Berlin"),
        ..EventDraft::default()
    };
    let sent = sent(&create_request(&settings(), &draft).unwrap());
    assert_eq!(sent["start_time"], "2026-12-02T09:00:00Z");
    assert_eq!((&sent["timezone"], &sent["duration"]), (&json!("UTC"), &json!(45)));
}

#[test]
fn a_new_series_is_a_meeting_of_type_8() {
    let recurrence = Field::Set("FREQ=WEEKLY;BYDAY=WE;COUNT=4".into());
    let request = create_request(&settings(), &EventDraft { recurrence, ..new() }).unwrap();
    let body = sent(&request);
    assert_eq!(body["type"], 8);
    let expected = json!({ "type": 2, "repeat_interval": 1, "weekly_days": "4", "end_times": 4 });
    assert_eq!(body["recurrence"], expected);
}

#[test]
fn what_zoom_cannot_say_is_refused_not_dropped() {
    let date = || Field::Set(When::Date("2026-12-02".parse().unwrap()));
    let one = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    for draft in [
        EventDraft { start: date(), end: date(), ..new() },
        EventDraft { location: Field::Set("Room 1".into()), ..new() },
        EventDraft { availability: Field::Set(Availability::Free), ..new() },
        EventDraft { status: Field::Set(Status::Tentative), ..new() },
        EventDraft { conference: Field::Clear, ..new() },
        EventDraft { conference: Field::Set(ConferenceDraft::Url("https://x.de".into())), ..new() },
        EventDraft { properties: Field::Set(one), ..new() },
        EventDraft { recurrence: Field::Set("FREQ=YEARLY;COUNT=2".into()), ..new() },
        EventDraft { end: at("2026-12-02T10:00:00", "Europe/Berlin"), ..new() },
        EventDraft { end: at("2026-12-02T10:00:30", "Europe/Berlin"), ..new() },
        EventDraft { end: at("2026-12-03T10:01:00", "Europe/Berlin"), ..new() },
        EventDraft { end: Field::Keep, ..new() },
    ] {
        let refused = create_request(&settings(), &draft);
        assert!(is_invalid(&refused), "{draft:?}");
    }
}

#[test]
fn an_update_sends_what_changed_and_nothing_else() {
    let draft = EventDraft {
        title: Field::Set("New".into()),
        description: Field::Clear,
        attendees: Field::Clear,
        ..EventDraft::default()
    };
    let request = update_request(&settings(), "7", Scope::This, &draft, &current(None)).unwrap();
    assert_eq!(request.method, Method::PATCH);
    assert_eq!(request.url.as_str(), "https://api.zoom.us/v2/meetings/7");
    let expected = json!({ "topic": "New", "agenda": "", "settings": { "meeting_invitees": [] } });
    assert_eq!(sent(&request), expected);
}

#[test]
fn a_meeting_that_only_ends_later_lasts_longer() {
    let end = at("2026-12-02T12:00:00", "Europe/Berlin");
    let draft = EventDraft { end, ..EventDraft::default() };
    let request = update_request(&settings(), "7", Scope::All, &draft, &current(None)).unwrap();
    assert_eq!(sent(&request), json!({ "duration": 120 }));
    let start = at("2026-12-02T12:00:00", "Europe/Berlin");
    let draft = EventDraft { start, ..EventDraft::default() };
    let refused = update_request(&settings(), "7", Scope::All, &draft, &current(None));
    assert!(is_invalid(&refused), "it would end before it begins");
}

#[test]
fn one_occurrence_is_changed_by_its_first_start() {
    let draft = EventDraft {
        start: at("2026-12-03T11:00:00", "UTC"),
        end: at("2026-12-03T12:00:00", "UTC"),
        ..EventDraft::default()
    };
    let series = current(Some("FREQ=DAILY;COUNT=3"));
    let key = "7#20261203T080000Z";
    let request = update_request(&settings(), key, Scope::This, &draft, &series).unwrap();
    let expected = "https://api.zoom.us/v2/meetings/7?occurrence_id=1796284800000";
    assert_eq!(request.url.as_str(), expected);
    let all = update_request(&settings(), key, Scope::All, &draft, &series).unwrap();
    assert_eq!(all.url.as_str(), "https://api.zoom.us/v2/meetings/7");
}

#[test]
fn scopes_that_zoom_does_not_have_are_refused() {
    let series = current(Some("FREQ=DAILY;COUNT=3"));
    let renamed = EventDraft { title: Field::Set("x".into()), ..EventDraft::default() };
    let empty = EventDraft::default();
    for (key, scope, draft) in [
        ("7#20261203T080000Z", Scope::Following, &empty),
        ("7", Scope::Following, &empty),
        ("7", Scope::This, &empty),
        ("7#someday", Scope::This, &empty),
        ("7#20261203T080000Z", Scope::This, &renamed),
    ] {
        let refused = update_request(&settings(), key, scope, draft, &series);
        assert!(is_invalid(&refused), "{key} {scope:?}");
    }
    let refused = delete_request(&settings(), "7", Scope::Following, Notify::None, &series);
    assert!(is_invalid(&refused));
}

#[test]
fn a_deletion_tells_people_only_when_asked_to() {
    for (notify, tell) in [(Notify::None, "false"), (Notify::All, "true")] {
        let single = current(None);
        let request = delete_request(&settings(), "7", Scope::This, notify, &single).unwrap();
        assert_eq!(request.method, Method::DELETE);
        let expected = format!("schedule_for_reminder={tell}&cancel_meeting_reminder={tell}");
        assert_eq!(request.url.query(), Some(expected.as_str()));
    }
}

#[test]
fn deleting_twice_is_no_error() {
    let gone = answer(404, r#"{"code":3001,"message":"Meeting does not exist: 7."}"#);
    assert_eq!(parse_deleted(&gone), Ok(()));
    assert_eq!(parse_deleted(&answer(204, "")), Ok(()));
    assert!(parse_deleted(&answer(404, "a proxy's page")).is_err());
    assert!(parse_updated(&gone).is_err());
}

#[test]
fn what_was_created_is_read_by_its_number() {
    let created = parse_created(&answer(201, r#"{"id":81234567890,"uuid":"u=="}"#));
    assert_eq!(created.as_deref(), Ok("81234567890"));
    assert!(parse_created(&answer(201, "{}")).is_err());
    let daily = parse_created(&answer(429, r#"{"code":429}"#));
    assert!(matches!(daily, Err(ProviderError::Retry { .. })));
}
