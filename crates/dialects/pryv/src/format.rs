//! The format `pryv@1`: what is POSTed to a webhook's URL (`README.md`, "Delivery").

use bytes::Bytes;
use serde_json::{Value, json};
use tidings_core::change::types;
use tidings_core::clock::Timestamp;
use tidings_core::format::{Format, OnEnable, Preset, RenderError, RenderInput, Rendered};
use tidings_core::hook::{Coalesce, DisableRule, Grouping};
use tidings_core::limits;

use crate::{API_VERSION, SERIAL, seconds};

/// Name and version of the format.
pub(crate) const NAME: &str = "pryv@1";

/// Seconds before the first call and before each try again.
const RETRY_S: [u32; limits::PRYV_RETRIES as usize + 1] = [0, 5, 10, 15, 20, 25];

/// What a service start says.
const BOOT: &str = "webhooksServiceBoot";

/// The format `pryv@1`.
pub const FORMAT: Format = Format {
    name: "pryv",
    version: 1,
    title: "Pryv.io",
    triggers: || TRIGGERS.to_vec(),
    knows: |trigger| TRIGGERS.contains(&trigger),
    asks: |trigger, kind| message(kind) == Some(trigger),
    documents: |kind, _| message(kind).is_some(),
    batches: &Grouping::EVERY,
    preset: Preset {
        retry: Some(&RETRY_S),
        disable: Some(DisableRule {
            failing_ms: None,
            failures: Some(limits::PRYV_RETRIES as u64 + 1),
        }),
        one_by_one: true,
        stops_when_exhausted: true,
        coalesce: Some(Coalesce { min_interval_ms: limits::PRYV_INTERVAL_MS, ..Coalesce::PLAIN }),
        breaker: false,
        jitter: false,
        merges: true,
        any_url: true,
        from_on_enable: OnEnable::Now,
    },
    render,
};

/// What every webhook asks for.
pub(crate) const TRIGGERS: [&str; 4] = ["eventsChanged", "streamsChanged", "accessesChanged", BOOT];

/// The message for a change of this type.
fn message(kind: &str) -> Option<&'static str> {
    match kind {
        types::SERVICE_STARTED => Some(BOOT),
        types::HOOK_TEST => Some("test"),
        _ => match kind.split_once('.')?.0 {
            "entry" => Some("eventsChanged"),
            "stream" => Some("streamsChanged"),
            "access" => Some("accessesChanged"),
            _ => None,
        },
    }
}

/// Renders what changed, never its content: the messages, each once, in order. A scoped webhook is told
/// the keys of the scopes that took the changes instead.
fn render(input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
    let mut messages: Vec<&str> = Vec::new();
    for (place, change) in input.changes.iter().enumerate() {
        let kind = change.new.kind.as_str();
        let coarse =
            message(kind).ok_or_else(|| RenderError(format!("pryv does not send {kind}")))?;
        let named = input.named.get(place).filter(|names| !names.is_empty());
        let about = named.map_or_else(|| vec![coarse], Clone::clone);
        for message in about {
            if !messages.contains(&message) {
                messages.push(message);
            }
        }
    }
    Ok(Rendered {
        headers: Vec::new(),
        content_type: Some("application/json"),
        body: Bytes::from(body(&messages, input.now).to_string()),
    })
}

/// The body of a call at this time.
pub(crate) fn body(messages: &[&str], now: Timestamp) -> Value {
    json!({ "messages": messages, "meta": meta(now) })
}

/// The property `meta` of every body.
pub(crate) fn meta(now: Timestamp) -> Value {
    json!({ "apiVersion": API_VERSION, "serial": SERIAL, "serverTime": seconds::of(now) })
}

#[cfg(test)]
mod tests;
