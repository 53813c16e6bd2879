//! The formats `sync@1` and `sync@3`: what is POSTed to webhooks (`README.md`, "Delivery").

mod content;
mod payload;

use bytes::Bytes;
use serde_json::{Value, json};
use tidings_core::change::{Change, types};
use tidings_core::format::{Format, Preset, RenderError, RenderInput, Rendered};
use tidings_core::hook::{DisableRule, Grouping};
use tidings_core::limits;

use crate::wire::{ENVIRONMENT, spaced, uuid};
use content::Content;

/// What is known of how Sync serves webhooks: one that fails for long is disabled.
const PRESET: Preset = Preset {
    disable: Some(DisableRule { failing_ms: None, failures: Some(limits::SYNC_FAILURES_MAX) }),
    ..Preset::PLAIN
};

/// The format of webhooks that are managed through `/v1/webhooks`.
pub const V1: Format = Format {
    name: "sync",
    version: 1,
    title: "Sync (V1)",
    triggers: || V1_EVENTS.iter().map(|(event, _)| *event).collect(),
    knows: |trigger| V1_EVENTS.iter().any(|(event, _)| *event == trigger),
    asks: |trigger, kind| V1_EVENTS.contains(&(trigger, kind)),
    documents: |kind, provider| provider == "record" && event_of(kind).is_some(),
    batches: &[],
    preset: PRESET,
    render: render_v1,
};

/// The format of `/v1/webhooks/subscriptions`: an envelope with one or several events.
pub const V3: Format = Format {
    name: "sync",
    version: 3,
    title: "Sync (V3)",
    triggers: || V3_EVENTS.iter().map(|event| event.name).collect(),
    knows: |trigger| V3_EVENTS.iter().any(|event| event.name == trigger),
    asks: |trigger, kind| V3_EVENTS.iter().any(|event| event.name == trigger && event.kind == kind),
    documents: |kind, provider| {
        provider == "record" && V3_EVENTS.iter().any(|event| event.kind == kind)
    },
    batches: &Grouping::EVERY,
    preset: PRESET,
    render: render_v3,
};

/// The events of V1, and the type of change that each asks for.
pub(crate) const V1_EVENTS: [(&str, &str); 4] = [
    ("credential_create", "credential.created"),
    ("credential_update", "credential.updated"),
    ("refresh", "records.refreshed"),
    ("documents_completed", "documents.completed"),
];

/// An event of V3.
#[derive(Clone, Copy, Debug)]
pub(crate) struct V3Event {
    /// `id_webhook_event` in the catalogue.
    pub(crate) id: &'static str,
    /// Its name in subscriptions.
    pub(crate) name: &'static str,
    kind: &'static str,
    /// Its name in deliveries: one of them is documented with another.
    sent: &'static str,
}

/// The events of V3. Their ids are ours: the vendor publishes none of these.
pub(crate) const V3_EVENTS: [V3Event; 6] = [
    V3Event {
        id: "746964696e67730000000001",
        name: "credentials.created",
        kind: "credential.created",
        sent: "credentials.created",
    },
    V3Event {
        id: "746964696e67730000000002",
        name: "credentials.updated",
        kind: "credential.updated",
        sent: "credentials.updated",
    },
    V3Event {
        id: "746964696e67730000000003",
        name: "credentials.refreshed",
        kind: "records.refreshed",
        sent: "credentials.refreshed",
    },
    V3Event {
        id: "746964696e67730000000004",
        name: "documents.completed",
        kind: "documents.completed",
        sent: "documents.completed",
    },
    V3Event {
        id: "746964696e67730000000005",
        name: "documents.success",
        kind: "documents.success",
        sent: "documents.success",
    },
    V3Event {
        id: "746964696e67730000000006",
        name: "documents.fail",
        kind: "documents.failed",
        sent: "documents.failed",
    },
];

fn event_of(kind: &str) -> Option<&'static str> {
    V1_EVENTS.iter().find(|(_, of)| *of == kind).map(|(event, _)| *event)
}

/// One change, as its payload.
fn render_v1(input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
    let [change] = input.changes else {
        return Err(refused("a sync@1 request holds one change"));
    };
    let kind = change.new.kind.as_str();
    if kind == types::HOOK_TEST {
        return Ok(rendered(&test()));
    }
    let event = event_of(kind).ok_or_else(|| refused(&format!("sync@1 does not send {kind}")))?;
    Ok(rendered(&payload::v1(event, &content(change)?)?))
}

/// Changes, each with a header.
fn render_v3(input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
    if input.changes.is_empty() {
        return Err(refused("there is none"));
    }
    let events: Vec<Value> = input.changes.iter().map(v3_event).collect::<Result<_, _>>()?;
    // A pure function of the delivery: equal in every retry.
    Ok(rendered(&json!({ "rid": uuid(input.delivery.0, 0), "events": events })))
}

fn v3_event(change: &Change) -> Result<Value, RenderError> {
    let kind = change.new.kind.as_str();
    let header = |name: &str| {
        json!({
            "at": spaced(change.recorded_at),
            "eid": uuid(change.new.id.0, 0),
            "name": name,
            "version": "3.1",
        })
    };
    if kind == types::HOOK_TEST {
        return Ok(json!({ "header": { "event": header("test") }, "payload": test() }));
    }
    let event = V3_EVENTS.iter().find(|event| event.kind == kind);
    let event = event.ok_or_else(|| refused(&format!("sync@3 does not send {kind}")))?;
    let content = content(change)?;
    let payload = match event_of(kind).filter(|v1| *v1 != "documents_completed") {
        Some(v1) => payload::v1(v1, &content)?,
        None => payload::documents_v3(&content)?,
    };
    let user = json!({
        "id_environment": ENVIRONMENT,
        "id_external": content.id_external(),
        "id_user": content.id_user(),
    });
    let header = json!({ "event": header(event.sent), "user": user });
    Ok(json!({ "header": header, "payload": payload }))
}

/// What is sent to try a webhook out; Sync documents nothing of the kind.
fn test() -> Value {
    json!({ "endpoints": {}, "event": "test", "message": "this is a test event" })
}

fn content(change: &Change) -> Result<Content, RenderError> {
    // serde's own message would quote the content.
    serde_json::from_slice(&change.new.body).map_err(|error| {
        let column = error.column();
        refused(&format!("the content is not that of a credential (see its column {column})"))
    })
}

fn rendered(payload: &Value) -> Rendered {
    Rendered {
        headers: Vec::new(),
        content_type: Some("application/json"),
        body: Bytes::from(payload.to_string()),
    }
}

fn refused(why: &str) -> RenderError {
    RenderError(why.to_owned())
}

#[cfg(test)]
mod tests;
