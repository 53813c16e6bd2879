use serde_json::{Value, json};
use tidings_core::change::{NewChange, Origin, Subject};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, Bits96, ChangeId, DeliveryId, HookId};

use super::*;

/// The documentation's example of an event, as the change of a watched calendar carries it.
fn documented_event() -> Value {
    json!({
        "id": "event-abc", "uid": "event-abc@example.com", "title": "Product review",
        "description": "Quarterly review", "lastModified": "2026-03-10T09:00:00.000Z",
        "start": "2026-03-12T09:00:00.000Z", "end": "2026-03-12T10:00:00.000Z", "allDay": false,
        "timeZone": "Europe/Paris", "recurringEventId": "series-master-id",
        "recurrenceId": "2026-03-12T09:00:00.000Z", "color": "#9fc6e7",
        "location": "Office / Meeting room",
        "attendees": [{"email": "user@example.com", "name": "User", "status": "accepted", "organizer": true}],
        "custom": {"yourCustomKey": "yourCustomValue"},
        "conference": {"url": "https://meet.example.com/abc", "provider": "google-meet"},
        "availability": "busy", "privacy": "private", "status": "confirmed",
        "link": "https://provider-event-link", "original": {},
    })
}

fn body(calendar: &str, event: &Value) -> Value {
    json!({
        "account": {"id": "acc_1", "provider": "google", "user_id": "user-123", "name": "Work"},
        "calendar": {"id": "col_1", "external_id": calendar, "name": "Work"},
        "event": event,
    })
}

fn change(kind: &str, body: &Value) -> Change {
    let at = Timestamp::parse("2026-03-12T09:01:12.000Z").unwrap();
    Change {
        seq: 7,
        recorded_at: at,
        new: NewChange {
            id: ChangeId(Bits96::new(7)),
            kind: kind.into(),
            subject: Subject::default(),
            order_key: None,
            occurred_at: at.plus_ms(-500),
            origin: Origin::Provider,
            actor: None,
            traceparent: None,
            body: Bytes::from(body.to_string()),
        },
    }
}

fn rendered(changes: &[Change]) -> Result<Value, RenderError> {
    let input = RenderInput {
        app: AppId(Bits96::new(1)),
        hook: HookId(Bits96::new(2)),
        hook_external_id: Some("sub-123"),
        delivery: DeliveryId(Bits96::new(3)),
        changes,
        named: &[],
        now: Timestamp(1_790_000_001_000),
    };
    let rendered = (FORMAT.render)(&input)?;
    assert_eq!(rendered.headers, []);
    assert_eq!(rendered.content_type, Some("application/json"));
    Ok(serde_json::from_slice(&rendered.body).unwrap())
}

#[test]
fn the_documented_delivery_is_reproduced_field_by_field() {
    let content = body("work@company.com", &documented_event());
    let expected = json!({
        "provider": "google", "userId": "user-123", "calendarId": "work@company.com",
        "events": [{
            "id": "event-abc", "provider": "google", "calendarId": "work@company.com",
            "title": "Product review", "description": "Quarterly review",
            "lastModified": "2026-03-10T09:00:00.000Z", "start": "2026-03-12T09:00:00.000Z",
            "end": "2026-03-12T10:00:00.000Z", "allDay": false,
            "recurringEventId": "series-master-id", "color": "#9fc6e7",
            "location": "Office / Meeting room",
            "attendees": [{"email": "user@example.com", "status": "accepted", "organizer": true}],
            "custom": {"yourCustomKey": "yourCustomValue"},
            "conference": {"url": "https://meet.example.com/abc", "provider": "google-meet"},
            "availability": "busy", "privacy": "private", "status": "confirmed",
            "link": "https://provider-event-link", "changeType": "updated", "original": {},
        }],
        "changeType": "updated", "timestamp": "2026-03-12T09:01:12.000Z",
        "metadata": {"channelId": "sub-123", "eventCount": 1, "isInitialSync": false},
        "eventType": "event.updated",
    });
    assert_eq!(rendered(&[change("event.updated", &content)]).unwrap(), expected);
}

#[test]
fn what_the_source_lacks_is_left_out_and_required_fields_stay() {
    let event = json!({"uid": "u", "attendees": [{"email": "a@b.c"}]});
    let mut content = body("/u/work/", &event);
    content["account"] = json!({"id": "acc_1", "provider": "caldav", "user_id": null, "name": ""});
    let mut change = change("event.deleted", &content);
    change.new.subject.item = Some("/u/work/a.ics".into());
    let expected = json!({
        "provider": "caldav", "userId": "", "calendarId": "/u/work/",
        "events": [{
            "id": "/u/work/a.ics", "provider": "caldav", "calendarId": "/u/work/", "title": "",
            "start": null, "end": null, "allDay": false,
            "attendees": [{"email": "a@b.c", "status": "none"}],
            "changeType": "deleted", "original": {},
        }],
        "changeType": "deleted", "eventType": "event.deleted", "timestamp": "2026-03-12T09:01:12.000Z",
        "metadata": {"channelId": "sub-123", "eventCount": 1, "isInitialSync": false},
    });
    assert_eq!(rendered(&[change]).unwrap(), expected);
}

#[test]
fn several_changes_share_a_change_type_or_are_mixed() {
    let content = body("c", &documented_event());
    for (kinds, expected) in [
        (vec!["event.created"], "created"),
        (vec!["event.deleted", "event.deleted"], "deleted"),
        (vec!["event.created", "event.updated", "event.updated"], "mixed"),
    ] {
        let changes: Vec<_> = kinds.iter().map(|kind| change(kind, &content)).collect();
        let payload = rendered(&changes).unwrap();
        assert_eq!(payload["changeType"], expected, "{kinds:?}");
        assert_eq!(payload["metadata"]["eventCount"], kinds.len(), "{kinds:?}");
        for (event, kind) in payload["events"].as_array().unwrap().iter().zip(&kinds) {
            assert_eq!(format!("event.{}", event["changeType"].as_str().unwrap()), *kind);
        }
    }
}

#[test]
fn the_providers_own_object_is_forwarded_byte_for_byte() {
    let mut event = documented_event();
    event["original"] = Value::Null;
    let text = body("c", &event).to_string();
    let original = r#"{"n":9007199254740993.10,"n":1,"s":"\u00e9"}"#;
    let mut change = change("event.updated", &json!({}));
    change.new.body =
        Bytes::from(text.replace("\"original\":null", &format!("\"original\":{original}")));
    let input = RenderInput {
        app: AppId(Bits96::new(1)),
        hook: HookId(Bits96::new(2)),
        hook_external_id: None,
        delivery: DeliveryId(Bits96::new(3)),
        changes: &[change],
        named: &[],
        now: Timestamp(0),
    };
    let rendered = (FORMAT.render)(&input).unwrap();
    let text = std::str::from_utf8(&rendered.body).unwrap();
    assert!(text.contains(original), "{text}");
    assert!(text.contains("\"channelId\":\"hook_00000000000000000002\""), "{text}");
}

#[test]
fn the_automatic_subscription_tells_the_calendars_id_as_its_channel() {
    let content = body("work@company.com", &documented_event());
    let app = AppId(Bits96::new(1));
    let automatic = app.to_string();
    for (named, expected) in [(automatic.as_str(), "col_1"), ("sub-123", "sub-123")] {
        let input = RenderInput {
            app,
            hook: HookId(Bits96::new(2)),
            hook_external_id: Some(named),
            delivery: DeliveryId(Bits96::new(3)),
            changes: &[change("event.updated", &content)],
            named: &[],
            now: Timestamp(0),
        };
        let rendered = (FORMAT.render)(&input).unwrap();
        let payload: Value = serde_json::from_slice(&rendered.body).unwrap();
        assert_eq!(payload["metadata"]["channelId"], expected);
    }
}

#[test]
fn properties_that_were_given_through_the_api_are_told_as_custom() {
    let mut event = documented_event();
    event.as_object_mut().unwrap().remove("custom");
    event["properties"] = json!({"source": "mine"});
    let payload = rendered(&[change("event.updated", &body("c", &event))]).unwrap();
    assert_eq!(payload["events"][0]["custom"], json!({"source": "mine"}));
}

#[test]
fn a_test_event_has_no_events() {
    let content = json!({"message": "this is a test event", "hook": "hook_1"});
    let expected = json!({
        "provider": "test", "userId": "", "calendarId": "", "events": [], "changeType": "mixed",
        "timestamp": "2026-03-12T09:01:12.000Z",
        "metadata": {"channelId": "sub-123", "eventCount": 0, "isInitialSync": false},
        "message": "this is a test event",
    });
    assert_eq!(rendered(&[change("hook.test", &content)]).unwrap(), expected);
}

#[test]
fn what_does_not_fit_is_refused_and_says_why() {
    let good = body("c", &documented_event());
    let mut nameless = documented_event();
    nameless.as_object_mut().unwrap().remove("id");
    for (changes, why) in [
        (vec![], "there is none"),
        (vec![change("calendar.created", &good)], "does not send calendar.created"),
        (vec![change("hook.disabled", &good)], "does not send hook.disabled"),
        (vec![change("event.updated", &good), change("hook.test", &json!({}))], "hook.test"),
        (
            vec![
                change("event.updated", &good),
                change("event.updated", &body("d", &documented_event())),
            ],
            "one calendar",
        ),
        (vec![change("event.updated", &body("c", &nameless))], "names no event"),
        (vec![change("event.updated", &body("c", &json!({"title": 1})))], "not that of a watched"),
        (vec![change("event.updated", &json!({"account": "s3cret"}))], "not that of a watched"),
        (vec![change("event.updated", &json!([]))], "not that of a watched"),
    ] {
        let Err(error) = rendered(&changes) else { panic!("rendered: {why}") };
        assert!(error.0.contains(why), "{error} does not say {why}");
        assert!(!error.0.contains("s3cret"), "{error} quotes the content");
    }
}

#[test]
fn subscriptions_ask_for_events_only() {
    let events = ["event.created", "event.updated", "event.deleted"];
    for kind in events {
        assert!((FORMAT.knows)(kind), "{kind}");
        assert!((FORMAT.asks)(kind, kind) && (FORMAT.asks)("event.*", kind), "{kind}");
        for provider in ["google", "microsoft", "apple", "caldav"] {
            assert!((FORMAT.documents)(kind, provider), "{kind} {provider}");
        }
        assert!(!(FORMAT.documents)(kind, "zoom"), "{kind}");
    }
    assert!((FORMAT.knows)("event.*"));
    assert!(!(FORMAT.asks)("event.created", "event.updated"));
    for stranger in ["*", "calendar.created", "account.*", "events.created", "created"] {
        assert!(!(FORMAT.knows)(stranger), "{stranger}");
    }
    for kind in ["event.moved", "calendar.created", "hook.test"] {
        assert!(!(FORMAT.asks)("event.*", kind), "{kind}");
        assert!(!(FORMAT.documents)(kind, "google"), "{kind}");
    }
}
