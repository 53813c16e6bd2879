//! Spans of the program become spans of a trace.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use tidings_core::clock::Clock;
use tidings_core::id::Ids;
use tokio::sync::mpsc;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::settings::Sampler;

/// Collects spans that have ended.
#[derive(Debug)]
pub(crate) struct Traces {
    ended: mpsc::Sender<Ended>,
    /// Spans that found no room.
    dropped: Arc<AtomicU64>,
    sampler: Sampler,
    clock: Clock,
    ids: Ids,
}

/// A span that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    name: &'static str,
    place: Place,
    parent: Option<[u8; 8]>,
    began_ms: i64,
    took_ns: u64,
    fields: Fields,
}

/// Where a span is among all traces (W3C Trace Context, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    trace: [u8; 16],
    span: [u8; 8],
    sampled: bool,
}

/// A span that has not ended.
#[derive(Debug)]
struct Open {
    place: Place,
    parent: Option<[u8; 8]>,
    began_ms: i64,
    began: Instant,
    fields: Fields,
}

/// What is said of a span.
#[derive(Debug, Default)]
struct Fields {
    kind: Option<String>,
    name: Option<String>,
    traceparent: Option<String>,
    error: Option<String>,
    attributes: Vec<(&'static str, Value)>,
}

impl Traces {
    pub(super) fn new(
        ended: mpsc::Sender<Ended>,
        dropped: Arc<AtomicU64>,
        sampler: Sampler,
        clock: Clock,
        ids: Ids,
    ) -> Self {
        Self { ended, dropped, sampler, clock, ids }
    }

    /// The place of a new span below `parent`, or of one that begins a trace.
    fn place(&self, parent: Option<Place>) -> Place {
        let mut place = Place { trace: [0; 16], span: [0; 8], sampled: true };
        self.ids.fill(&mut place.span);
        match parent {
            Some(parent) => {
                place.trace = parent.trace;
                place.sampled = parent.sampled;
            }
            None => self.ids.fill(&mut place.trace),
        }
        if parent.is_none() || !self.sampler.follows {
            let number = place.trace[9..].iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
            place.sampled = number < self.sampler.below;
        }
        place
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Traces {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let remote = fields.traceparent.take().and_then(|text| parse(&text));
        let local = span
            .parent()
            .and_then(|parent| parent.extensions().get::<Open>().map(|open| open.place));
        let above = remote.or(local);
        let place = self.place(above);
        let parent = above.map(|above| above.span);
        let (began_ms, began) = (self.clock.now().0, Instant::now());
        span.extensions_mut().insert(Open { place, parent, began_ms, began, fields });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            values.record(&mut open.fields);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else { return };
        if !open.place.sampled {
            return;
        }
        let Open { place, parent, began_ms, began, fields } = open;
        let took_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let ended = Ended { name: span.name(), place, parent, began_ms, took_ns, fields };
        if self.ended.try_send(ended).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "otel.kind" => self.kind = Some(value.to_owned()),
            "otel.name" => self.name = Some(value.to_owned()),
            "traceparent" => self.traceparent = Some(value.to_owned()),
            "error.type" => {
                self.error = Some(value.to_owned());
                self.attributes.push((field.name(), json!({"stringValue": value})));
            }
            name => self.attributes.push((name, json!({"stringValue": value}))),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.attributes.push((field.name(), json!({"intValue": value.to_string()})));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.attributes.push((field.name(), json!({"intValue": value.to_string()})));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl Ended {
    /// As the JSON encoding of OTLP wants it: ids in hexadecimal, 64-bit numbers as text.
    pub(super) fn into_json(self) -> Value {
        let began_ns = i128::from(self.began_ms) * 1_000_000;
        let attributes = self.fields.attributes.iter();
        let attributes: Vec<_> =
            attributes.map(|(key, value)| json!({"key": key, "value": value})).collect();
        // SpanKind: 1 internal, 2 server, 3 client.
        let kind = match self.fields.kind.as_deref() {
            Some("server") => 2,
            Some("client") => 3,
            _ => 1,
        };
        let status = match self.fields.error {
            Some(error) => json!({"code": 2, "message": error}),
            None => json!({}),
        };
        json!({
            "traceId": hexadecimal(&self.place.trace),
            "spanId": hexadecimal(&self.place.span),
            "parentSpanId": self.parent.map_or(String::new(), |parent| hexadecimal(&parent)),
            "name": self.fields.name.as_deref().unwrap_or(self.name),
            "kind": kind,
            "startTimeUnixNano": began_ns.to_string(),
            "endTimeUnixNano": (began_ns + i128::from(self.took_ns)).to_string(),
            "attributes": attributes,
            "status": status,
        })
    }
}

/// A `traceparent` of version 00 (or a later one that begins like it); `None` when it is none.
fn parse(text: &str) -> Option<Place> {
    let mut parts = text.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let flags = u8::from_str_radix(parts.next()?, 16).ok()?;
    if version.len() != 2 || version == "ff" {
        return None;
    }
    let (trace, span) = (bytes::<16>(trace)?, bytes::<8>(span)?);
    let valid = trace != [0; 16] && span != [0; 8];
    valid.then_some(Place { trace, span, sampled: flags & 1 == 1 })
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(bytes)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn traces(sampler: Sampler) -> Traces {
        let (ended, _) = mpsc::channel(1);
        Traces::new(ended, Arc::default(), sampler, Clock::system(), Ids::seeded(1))
    }

    #[test]
    fn a_traceparent_is_taken_or_is_none() {
        let place = parse(PARENT).unwrap();
        assert_eq!(hexadecimal(&place.trace), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!((hexadecimal(&place.span).as_str(), place.sampled), ("b7ad6b7169203331", true));
        assert!(!parse(&PARENT.replace("-01", "-00")).unwrap().sampled);
        for wrong in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319é-b7ad6b7169203331-01",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_part_of_the_traces_is_kept_and_a_parents_word_counts() {
        let parent = parse(&PARENT.replace("-01", "-00"));
        let half = Sampler { below: 1 << 55, follows: true };
        let many = traces(half);
        let kept = (0..1_000).filter(|_| many.place(None).sampled).count();
        assert!((400..600).contains(&kept), "{kept}");
        assert!(!many.place(parent).sampled);
        let all = Sampler { below: 1 << 56, follows: false };
        assert!(traces(all).place(parent).sampled);
        assert_eq!(traces(all).place(parent).trace, parent.unwrap().trace);
    }
}
