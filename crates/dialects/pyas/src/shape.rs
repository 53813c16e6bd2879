//! Events as their provider prints them. The mirror keeps the provider's own object of single events,
//! series and exceptions; an occurrence that is none of its own is the object of its series, moved.

use serde_json::{Map, Value, json};
use tidings_service::CalendarEvent;

use crate::request::Provider;

/// An event in both its forms.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// The normalised one, which is searched.
    pub(crate) event: Value,
    /// The provider's.
    pub(crate) object: Value,
}

impl Shown {
    /// `series` is the event's series, of an occurrence that is no item of its own.
    pub(crate) fn of(
        provider: Provider,
        event: &CalendarEvent,
        series: Option<&CalendarEvent>,
    ) -> Self {
        let mut body = read(event);
        let original = body.as_object_mut().and_then(|members| members.remove("original"));
        let object = match (original, series) {
            (Some(Value::Object(own)), _) => Value::Object(own),
            (_, Some(series)) => {
                let master = read(series)["original"].take();
                occurrence(provider, event, &body, master)
            }
            _ => plain(provider, event, &body),
        };
        Self { event: body, object }
    }
}

/// Whether the provider's object is not there: the series' is needed.
pub(crate) fn needs_series(event: &CalendarEvent) -> bool {
    event.series.is_some() && !read(event)["original"].is_object()
}

fn read(event: &CalendarEvent) -> Value {
    serde_json::from_slice(&event.event).unwrap_or_default()
}

/// What a deleted event is to who continues with a sync token.
pub(crate) fn deleted(id: &str) -> Value {
    json!({ "kind": "calendar#event", "id": id, "status": "cancelled" })
}

/// Of a series' object what is also true of its occurrence.
fn occurrence(provider: Provider, event: &CalendarEvent, body: &Value, master: Value) -> Value {
    let mut members = match master {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let mut set = |name: &str, value: Value| members.insert(name.into(), value);
    set("id", public_id(provider, &event.id).into());
    let zone = body["timeZone"].as_str();
    match provider {
        Provider::Google => {
            set("start", google_time(&body["start"], zone));
            set("end", google_time(&body["end"], zone));
            set("originalStartTime", google_time(&body["recurrenceId"], zone));
            set("recurringEventId", event.series.clone().into());
            members.remove("recurrence");
        }
        _ => {
            set("start", graph_time(&body["start"]));
            set("end", graph_time(&body["end"]));
            set("seriesMasterId", event.series.clone().into());
            set("type", "occurrence".into());
            set("recurrence", Value::Null);
        }
    }
    members.into()
}

/// What is left to say without any object of the provider.
fn plain(provider: Provider, event: &CalendarEvent, body: &Value) -> Value {
    let id = public_id(provider, &event.id);
    let zone = body["timeZone"].as_str();
    let (start, end) = (&body["start"], &body["end"]);
    match provider {
        Provider::Google => json!({
            "kind": "calendar#event", "id": id, "status": body["status"],
            "summary": body["title"], "iCalUID": body["uid"],
            "start": google_time(start, zone), "end": google_time(end, zone),
        }),
        _ => json!({
            "id": id, "subject": body["title"], "iCalUId": body["uid"],
            "isAllDay": body["allDay"], "start": graph_time(start), "end": graph_time(end),
        }),
    }
}

fn google_time(told: &Value, zone: Option<&str>) -> Value {
    let text = told.as_str().unwrap_or_default();
    match (text.contains('T'), zone) {
        (false, _) => json!({ "date": text }),
        (true, Some(zone)) => json!({ "dateTime": text, "timeZone": zone }),
        (true, None) => json!({ "dateTime": text, "timeZone": "UTC" }),
    }
}

/// As Graph prints a time when it is asked for UTC.
fn graph_time(told: &Value) -> Value {
    let text = told.as_str().unwrap_or_default();
    let text = match text.split_once('T') {
        Some((date, time)) => {
            let time = time.split(['.', 'Z']).next().unwrap_or_default();
            format!("{date}T{time}.0000000")
        }
        None => format!("{text}T00:00:00.0000000"),
    };
    json!({ "dateTime": text, "timeZone": "UTC" })
}

/// How the id of an occurrence is printed: Google joins series and start by `_`.
fn public_id(provider: Provider, id: &str) -> String {
    match (provider, stamped(id, '#')) {
        (Provider::Google, Some((series, stamp))) => format!("{series}_{stamp}"),
        _ => id.to_owned(),
    }
}

/// The reverse of what [`Shown`] prints, for an id that is no event's own.
pub(crate) fn occurrence_id(provider: Provider, id: &str) -> Option<String> {
    let (series, stamp) = stamped(id, '_').filter(|_| provider == Provider::Google)?;
    Some(format!("{series}#{stamp}"))
}

/// A series and the compact start of one of its occurrences: `20261203T080000Z`, or `20261203`.
fn stamped(id: &str, by: char) -> Option<(&str, &str)> {
    let (series, stamp) = id.rsplit_once(by)?;
    let is_stamp = matches!(stamp.len(), 8 | 16)
        && stamp.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'T' | b'Z'));
    is_stamp.then_some((series, stamp))
}

#[cfg(test)]
mod tests;
