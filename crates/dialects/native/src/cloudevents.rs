//! The format `cloudevents@1`: CloudEvents 1.0 in structured content mode, JSON.
//!
//! One change is one event (`application/cloudevents+json`); several changes in one delivery are a batch
//! (`application/cloudevents-batch+json`).

use bytes::Bytes;
use serde_json::Value;
use tidings_core::change::{Change, types};
use tidings_core::format::{Format, Preset, RenderError, RenderInput, Rendered};
use tidings_core::hook::{Grouping, is_pattern, pattern_covers};
use tidings_core::id::AppId;

/// Attributes: `id`, `source` (`tidings:` and the app's id), `type`, `time`, `datacontenttype`, for an item
/// `subject`. Extensions: `sequence` (the change's `seq` in 20 digits, so that it sorts as text),
/// `recordedtime`, and where the change has them `partitionkey` (its order key) and `traceparent`.
/// `data` is byte for byte as it was published. Triggers are those of `native@1`.
pub const CLOUDEVENTS: Format = Format {
    name: "cloudevents",
    version: 1,
    title: "CloudEvents",
    triggers: || types::CALENDAR.to_vec(),
    knows: is_pattern,
    asks: pattern_covers,
    documents: |_, _| true,
    batches: &Grouping::EVERY,
    preset: Preset::PLAIN,
    render,
};

fn render(input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
    let mut body = Vec::new();
    let content_type = match input.changes {
        [] => return Err(RenderError("cloudevents@1 carries at least one change".to_owned())),
        [change] => {
            write_event(&mut body, input.app, change);
            "application/cloudevents+json"
        }
        changes => {
            for change in changes {
                body.push(if body.is_empty() { b'[' } else { b',' });
                write_event(&mut body, input.app, change);
            }
            body.push(b']');
            "application/cloudevents-batch+json"
        }
    };
    Ok(Rendered { headers: Vec::new(), content_type: Some(content_type), body: Bytes::from(body) })
}

fn write_event(body: &mut Vec<u8>, app: AppId, change: &Change) {
    let new = &change.new;
    let head = format!(
        r#"{{"specversion":"1.0","id":"{}","source":"tidings:{app}","type":"{}","time":"{}","sequence":"{:020}","recordedtime":"{}""#,
        new.id, new.kind, new.occurred_at, change.seq, change.recorded_at
    );
    body.extend_from_slice(head.as_bytes());
    for (name, value) in [
        ("subject", &new.subject.item),
        ("partitionkey", &new.order_key),
        ("traceparent", &new.traceparent),
    ] {
        // The specification forbids empty attributes.
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            let attribute = format!(r#","{name}":{}"#, Value::from(value));
            body.extend_from_slice(attribute.as_bytes());
        }
    }
    // Erased content leaves no document to forward.
    let data: &[u8] = if new.body.is_empty() { b"null" } else { &new.body };
    body.extend_from_slice(br#","datacontenttype":"application/json","data":"#);
    body.extend_from_slice(data);
    body.push(b'}');
}

#[cfg(test)]
mod tests {
    use tidings_core::change::{NewChange, Origin, Subject};
    use tidings_core::clock::Timestamp;
    use tidings_core::id::{Bits96, ChangeId, DeliveryId, HookId};

    use super::*;

    fn change(seq: u64, body: &'static str) -> Change {
        let new = NewChange {
            id: ChangeId(Bits96::new(1)),
            kind: "invoice.paid".into(),
            subject: Subject::default(),
            order_key: None,
            occurred_at: Timestamp::parse("2026-03-12T09:01:12Z").unwrap(),
            origin: Origin::Api,
            actor: None,
            traceparent: None,
            body: Bytes::from_static(body.as_bytes()),
        };
        let recorded_at = Timestamp::parse("2026-03-12T09:01:13Z").unwrap();
        Change { seq, recorded_at, new }
    }

    fn rendered(changes: &[Change]) -> Result<Rendered, RenderError> {
        (CLOUDEVENTS.render)(&RenderInput {
            app: AppId(Bits96::new(1)),
            hook: HookId(Bits96::new(2)),
            hook_external_id: None,
            delivery: DeliveryId(Bits96::new(3)),
            changes,
            named: &[],
            now: Timestamp(0),
        })
    }

    #[test]
    fn one_change_is_an_event_with_its_data_byte_for_byte() {
        let mut full = change(42, r#"{ "a" :  1.0 }"#);
        full.new.subject.item = Some("it\"em\n1".into());
        full.new.order_key = Some("order-7".into());
        full.new.traceparent =
            Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
        let sent = rendered(&[full]).unwrap();
        assert_eq!(sent.content_type, Some("application/cloudevents+json"));
        assert_eq!(
            std::str::from_utf8(&sent.body).unwrap(),
            concat!(
                r#"{"specversion":"1.0","id":"chg_00000000000000000001","#,
                r#""source":"tidings:app_00000000000000000001","type":"invoice.paid","#,
                r#""time":"2026-03-12T09:01:12.000Z","sequence":"00000000000000000042","#,
                r#""recordedtime":"2026-03-12T09:01:13.000Z","subject":"it\"em\n1","#,
                r#""partitionkey":"order-7","#,
                r#""traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","#,
                r#""datacontenttype":"application/json","data":{ "a" :  1.0 }}"#
            )
        );
        let empty = Change {
            new: NewChange { order_key: Some(String::new()), ..change(1, "").new },
            ..change(1, "")
        };
        let event: Value = serde_json::from_slice(&rendered(&[empty]).unwrap().body).unwrap();
        assert_eq!((event.get("partitionkey"), &event["data"]), (None, &Value::Null));
    }

    #[test]
    fn several_changes_are_a_batch() {
        let sent = rendered(&[change(1, "1"), change(2, "[]"), change(3, "\"x\"")]).unwrap();
        assert_eq!(sent.content_type, Some("application/cloudevents-batch+json"));
        let batch: Value = serde_json::from_slice(&sent.body).unwrap();
        let data: Vec<_> =
            batch.as_array().unwrap().iter().map(|e| e["data"].to_string()).collect();
        assert_eq!(data, ["1", "[]", "\"x\""]);
        assert!(rendered(&[]).is_err());
    }
}
