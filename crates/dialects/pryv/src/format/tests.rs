use tidings_core::change::{Change, NewChange, Origin, Subject};
use tidings_core::id::{AppId, Bits96, ChangeId, DeliveryId, HookId};

use super::*;

fn change(seq: u64, kind: &str) -> Change {
    let new = NewChange {
        id: ChangeId(Bits96::new(1)),
        kind: kind.into(),
        subject: Subject::default(),
        order_key: None,
        occurred_at: Timestamp(0),
        origin: Origin::Api,
        actor: None,
        traceparent: None,
        body: Bytes::from_static(b"{}"),
    };
    Change { seq, recorded_at: Timestamp(1), new }
}

fn rendered(kinds: &[&str], named: &[Vec<&str>]) -> Result<Value, RenderError> {
    let changes: Vec<_> = (1..).zip(kinds).map(|(seq, kind)| change(seq, kind)).collect();
    let rendered = render(&RenderInput {
        app: AppId(Bits96::new(2)),
        hook: HookId(Bits96::new(3)),
        hook_external_id: None,
        delivery: DeliveryId(Bits96::new(4)),
        changes: &changes,
        named,
        now: Timestamp(1_586_254_000_213),
    })?;
    assert_eq!(rendered.content_type, Some("application/json"));
    assert_eq!(rendered.headers, []);
    Ok(serde_json::from_slice(&rendered.body).unwrap())
}

#[test]
fn the_documented_payload_is_rendered() {
    let body = rendered(&["entry.created", "stream.updated"], &[]).unwrap();
    let documented = json!({
        "messages": ["eventsChanged", "streamsChanged"],
        "meta": { "apiVersion": API_VERSION, "serial": SERIAL, "serverTime": 1_586_254_000.213 },
    });
    assert_eq!(body, documented);
}

#[test]
fn messages_are_distinct_and_in_the_order_of_the_changes() {
    for (kinds, messages) in [
        (&["entry.created"][..], json!(["eventsChanged"])),
        (&["entry.created", "entry.deleted", "entry.updated"], json!(["eventsChanged"])),
        (
            &["stream.created", "entry.created", "stream.deleted", "access.created"],
            json!(["streamsChanged", "eventsChanged", "accessesChanged"]),
        ),
        (&["access.updated"], json!(["accessesChanged"])),
        (&["service.started", "entry.updated"], json!(["webhooksServiceBoot", "eventsChanged"])),
        (&["hook.test"], json!(["test"])),
    ] {
        assert_eq!(rendered(kinds, &[]).unwrap()["messages"], messages, "{kinds:?}");
    }
    assert!(rendered(&["event.updated"], &[]).unwrap_err().0.contains("event.updated"));
}

#[test]
fn a_scoped_webhook_is_told_the_keys_of_its_scopes() {
    let kinds = ["entry.created", "stream.updated", "entry.updated", "service.started"];
    let named = [vec!["newReadings"], vec!["structure"], vec!["newReadings", "all"], vec![]];
    let body = rendered(&kinds, &named).unwrap();
    assert_eq!(body["messages"], json!(["newReadings", "structure", "all", "webhooksServiceBoot"]));
}

#[test]
fn triggers_are_the_messages() {
    for (trigger, kind, asks) in [
        ("eventsChanged", "entry.created", true),
        ("eventsChanged", "entry.deleted", true),
        ("eventsChanged", "event.created", false),
        ("eventsChanged", "stream.created", false),
        ("streamsChanged", "stream.deleted", true),
        ("accessesChanged", "access.created", true),
        ("webhooksServiceBoot", "service.started", true),
        ("webhooksServiceBoot", "entry.created", false),
    ] {
        assert_eq!((FORMAT.asks)(trigger, kind), asks, "{trigger} {kind}");
    }
    assert!(TRIGGERS.into_iter().all(FORMAT.knows));
    assert!(!(FORMAT.knows)("events-changed"));
}

#[test]
fn six_calls_and_then_inactive() {
    assert_eq!(FORMAT.preset.retry, Some(&[0, 5, 10, 15, 20, 25][..]));
    assert_eq!(FORMAT.preset.disable.unwrap().failures, Some(6));
    let coalesce = FORMAT.preset.coalesce.unwrap();
    assert_eq!((coalesce.group, coalesce.min_interval_ms), (Grouping::All, 5_000));
}
