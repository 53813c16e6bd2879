//! The format `native@1`: what a native hook receives.

use bytes::Bytes;
use tidings_core::change::{Change, types};
use tidings_core::format::{Format, Preset, RenderError, RenderInput, Rendered};
use tidings_core::hook::{Grouping, is_pattern, pattern_covers};

/// `{"id","type","timestamp","seq","data"}`, with `data` byte for byte as it was published.
///
/// Several changes in one delivery are `{"id","type":"batch","timestamp","data":[…]}` with the delivery's id,
/// the time of its last change and such an object for each change.
///
/// Triggers are types, `prefix.*` or `*`.
pub const NATIVE: Format = Format {
    name: "native",
    version: 1,
    title: "Tidings",
    triggers: || types::CALENDAR.to_vec(),
    knows: is_pattern,
    asks: pattern_covers,
    documents: |_, _| true,
    batches: &Grouping::EVERY,
    preset: Preset::PLAIN,
    render,
};

fn render(input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
    let body = match input.changes {
        [] => return Err(RenderError("native@1 carries at least one change".to_owned())),
        [change] => envelope(change),
        [.., last] => batch(input, last),
    };
    Ok(Rendered { headers: Vec::new(), content_type: Some("application/json"), body })
}

fn batch(input: &RenderInput<'_>, last: &Change) -> Bytes {
    let head = format!(
        r#"{{"id":"{}","type":"batch","timestamp":"{}","data":["#,
        input.delivery, last.new.occurred_at
    );
    let mut body = head.into_bytes();
    for (place, change) in input.changes.iter().enumerate() {
        if place > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&envelope(change));
    }
    body.extend_from_slice(b"]}");
    body.into()
}

/// The body of the webhook, and of the change in the live stream.
fn envelope(change: &Change) -> Bytes {
    let new = &change.new;
    let head = format!(
        r#"{{"id":"{}","type":"{}","timestamp":"{}","seq":{},"data":"#,
        new.id, new.kind, new.occurred_at, change.seq
    );
    // Erased content leaves no document to forward.
    let data: &[u8] = if new.body.is_empty() { b"null" } else { &new.body };
    [head.as_bytes(), data, b"}"].concat().into()
}

#[cfg(test)]
mod tests {
    use tidings_core::change::{NewChange, Origin, Subject};
    use tidings_core::clock::Timestamp;
    use tidings_core::id::{AppId, Bits96, ChangeId, DeliveryId, HookId};

    use super::*;

    fn change(body: &'static str) -> Change {
        let id = ChangeId(Bits96::new(1));
        let new = NewChange {
            id,
            kind: "invoice.paid".into(),
            subject: Subject::default(),
            order_key: None,
            occurred_at: Timestamp::parse("2026-03-12T09:01:12Z").unwrap(),
            origin: Origin::Api,
            actor: None,
            traceparent: None,
            body: Bytes::from_static(body.as_bytes()),
        };
        Change { seq: 42, recorded_at: Timestamp(0), new }
    }

    fn rendered(changes: &[Change]) -> Result<Rendered, RenderError> {
        (NATIVE.render)(&RenderInput {
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
    fn data_is_forwarded_byte_for_byte() {
        for (body, expect) in [
            (r#"{ "a" :  1.0, "a":9007199254740993 }"#, r#"{ "a" :  1.0, "a":9007199254740993 }"#),
            ("", "null"),
        ] {
            let sent = rendered(&[change(body)]).unwrap();
            let expect = format!(
                r#"{{"id":"chg_00000000000000000001","type":"invoice.paid","timestamp":"2026-03-12T09:01:12.000Z","seq":42,"data":{expect}}}"#
            );
            assert_eq!(sent.body, expect.as_bytes());
            assert_eq!(sent.content_type, Some("application/json"));
            assert!(tidings_core::json::validate(&sent.body).is_ok());
        }
        assert!(rendered(&[]).is_err());
    }

    #[test]
    fn several_changes_are_a_batch() {
        let sent = rendered(&[change("1"), change("[2]")]).unwrap();
        let one = |data| {
            format!(
                r#"{{"id":"chg_00000000000000000001","type":"invoice.paid","timestamp":"2026-03-12T09:01:12.000Z","seq":42,"data":{data}}}"#
            )
        };
        let expect = format!(
            r#"{{"id":"dlv_00000000000000000003","type":"batch","timestamp":"2026-03-12T09:01:12.000Z","data":[{},{}]}}"#,
            one("1"),
            one("[2]")
        );
        assert_eq!(sent.body, expect.as_bytes());
        assert!(tidings_core::json::validate(&sent.body).is_ok());
    }
}
