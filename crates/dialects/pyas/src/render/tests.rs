use bytes::Bytes;
use serde_json::{Value, json};
use tidings_core::change::{NewChange, Origin, Subject};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, Bits96, ChangeId, DeliveryId, HookId};

use super::*;
use crate::FORMAT;

fn change(kind: &str, body: &Value) -> Change {
    Change {
        seq: 7,
        recorded_at: Timestamp(1_790_000_000_000),
        new: NewChange {
            id: ChangeId(Bits96::new(7)),
            kind: kind.into(),
            subject: Subject::default(),
            order_key: None,
            occurred_at: Timestamp(1_790_000_000_000),
            origin: Origin::Provider,
            actor: None,
            traceparent: None,
            body: Bytes::from(body.to_string()),
        },
    }
}

fn rendered(changes: &[Change]) -> Result<Rendered, RenderError> {
    (FORMAT.render)(&RenderInput {
        app: AppId(Bits96::new(1)),
        hook: HookId(Bits96::new(2)),
        hook_external_id: None,
        delivery: DeliveryId(Bits96::new(3)),
        changes,
        named: &[],
        now: Timestamp(1_790_000_001_000),
    })
}

fn account(id: &str, provider: &str) -> Value {
    json!({"id": id, "provider": provider, "user_id": "user-1", "name": "Work"})
}

fn calendar_body(provider: &str, calendar: &str) -> Value {
    json!({
        "account": account("acc_1", provider),
        "calendar": {"id": "col_1", "external_id": calendar, "name": "Work"},
    })
}

fn event_body(provider: &str, calendar: &str, event: &str) -> Value {
    let mut body = calendar_body(provider, calendar);
    body["event"] = json!({"id": event, "uid": "u", "title": "Stand-up"});
    body
}

#[test]
fn each_trigger_has_its_documented_headers_and_body() {
    let account_body = json!({"account": {
        "id": "acc_1", "provider": "Google", "user_id": null, "name": "", "status": "active", "reason": null
    }});
    let calendar = calendar_body("google", "team@group.calendar.google.com");
    let event = event_body("microsoft", "AAMkAD=", "AAMkEv/1=");
    let calendar_ids = r#"{"calendarIds":["team@group.calendar.google.com"]}"#;
    let events = r#"{"events":[{"calendarId":"AAMkAD=","eventId":"AAMkEv/1="}]}"#;
    for (kind, content, trigger, provider, body) in [
        ("account.connected", &account_body, "account.connected", "google", ""),
        ("account.inactive", &account_body, "account.inactive", "google", ""),
        ("account.deleted", &account_body, "account.deleted", "google", ""),
        ("calendar.created", &calendar, "calendars.created", "google", calendar_ids),
        ("calendar.deleted", &calendar, "calendars.deleted", "google", calendar_ids),
        ("event.created", &event, "events.created", "microsoft", events),
        ("event.updated", &event, "events.updated", "microsoft", events),
        ("event.deleted", &event, "events.deleted", "microsoft", events),
    ] {
        let rendered = rendered(&[change(kind, content)]).unwrap();
        let headers = [
            ("x-pyas-account-id", "acc_1".to_owned()),
            ("x-pyas-webhook-event", trigger.to_owned()),
            ("x-provider", provider.to_owned()),
        ];
        assert_eq!(rendered.headers, headers, "{kind}");
        assert_eq!(rendered.body, body.as_bytes(), "{kind}");
        let content_type = (!body.is_empty()).then_some("application/json");
        assert_eq!(rendered.content_type, content_type, "{kind}");
    }
}

#[test]
fn several_changes_make_one_list_that_names_each_object_once() {
    let calendars: Vec<_> =
        ["a", "b", "a"].map(|id| change("calendar.deleted", &calendar_body("google", id))).into();
    assert_eq!(rendered(&calendars).unwrap().body, r#"{"calendarIds":["a","b"]}"#.as_bytes());

    let events: Vec<_> = [("a", "1"), ("b", "1"), ("a", "1")]
        .map(|(calendar, event)| change("event.updated", &event_body("caldav", calendar, event)))
        .into();
    let expected =
        r#"{"events":[{"calendarId":"a","eventId":"1"},{"calendarId":"b","eventId":"1"}]}"#;
    assert_eq!(rendered(&events).unwrap().body, expected.as_bytes());
}

#[test]
fn the_event_is_the_item_of_the_change_when_its_content_has_no_id() {
    let mut body = event_body("caldav", "/u/work/", "");
    body["event"].as_object_mut().unwrap().remove("id");
    let mut change = change("event.created", &body);
    assert!(rendered(&[change.clone()]).unwrap_err().0.contains("names no event"));
    change.new.subject.item = Some("/u/work/a.ics".into());
    let expected = r#"{"events":[{"calendarId":"/u/work/","eventId":"/u/work/a.ics"}]}"#;
    assert_eq!(rendered(&[change]).unwrap().body, expected.as_bytes());
}

#[test]
fn a_test_event_names_neither_account_nor_provider() {
    let body = json!({"message": "this is a test event", "hook": "hook_1"});
    let rendered = rendered(&[change("hook.test", &body)]).unwrap();
    let headers = [
        ("x-pyas-account-id", "test".to_owned()),
        ("x-pyas-webhook-event", "hook.test".to_owned()),
        ("x-provider", "test".to_owned()),
    ];
    assert_eq!(rendered.headers, headers);
    assert_eq!(rendered.content_type, Some("application/json"));
    assert_eq!(serde_json::from_slice::<Value>(&rendered.body).unwrap(), body);
}

#[test]
fn what_does_not_fit_is_refused_and_says_why() {
    let event = event_body("google", "c", "e");
    let mut other = event.clone();
    other["account"]["id"] = json!("acc_2");
    let mut injected = event.clone();
    injected["account"]["id"] = json!("acc_1\r\nx-evil: 1");
    let mut odd_provider = event.clone();
    odd_provider["account"]["provider"] = json!("göögle");
    let erased = {
        let mut erased = change("event.updated", &event);
        erased.new.body = Bytes::new();
        erased
    };
    for (changes, why) in [
        (vec![], "there is none"),
        (vec![change("calendar.updated", &event)], "no trigger for calendar.updated"),
        (vec![change("invoice.paid", &json!({}))], "no trigger for invoice.paid"),
        (vec![change("hook.disabled", &json!({}))], "no trigger for hook.disabled"),
        (vec![change("event.updated", &event), change("event.created", &event)], "one type"),
        (vec![change("event.updated", &event), change("event.updated", &other)], "one account"),
        (vec![change("event.updated", &injected)], "x-pyas-account-id"),
        (vec![change("event.updated", &odd_provider)], "x-provider"),
        (
            vec![change("event.updated", &json!({"account": account("acc_1", "google")}))],
            "no calendar",
        ),
        (vec![change("event.updated", &json!({}))], "not that of a watched account"),
        (vec![change("event.updated", &json!({"account": "s3cret"}))], "column 19)"),
        (vec![change("event.updated", &json!([1]))], "not that of a watched account"),
        (vec![erased], "not that of a watched account"),
    ] {
        let error = rendered(&changes).unwrap_err();
        assert!(error.0.contains(why), "{error} does not say {why}");
        assert!(!error.0.contains("s3cret"), "{error} quotes the content");
    }
}
