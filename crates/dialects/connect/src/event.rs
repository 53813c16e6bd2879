//! `POST`, `PUT` and `DELETE /event`: writing events, and events as Connect tells them.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use http::HeaderMap;
use serde_json::{Map, Value, json};
use tidings_service::{CalendarEvent, SeriesScope, Service};

use crate::draft;
use crate::refusal::Refusal;
use crate::request::{Fields, caller};

/// Members of an event that are told as the mirror has them, when it has them.
const AS_THEY_ARE: [&str; 9] = [
    "description",
    "lastModified",
    "color",
    "location",
    "availability",
    "privacy",
    "status",
    "link",
    "recurringEventId",
];

pub(crate) async fn create(
    State(service): State<Service>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let caller = caller(&service, &headers).await?;
    let fields = Fields::read(&headers, body).await?;
    let (provider, calendar) = (fields.provider()?, fields.text("calendarId")?);
    for required in ["title", "start", "end"] {
        fields.text(required)?;
    }
    let draft = draft::read(&fields)?;
    let made = service.connect_create_event(&caller, &provider, &calendar, &draft).await?;
    Ok(Json(success(told(&provider, &calendar, &made))))
}

pub(crate) async fn update(
    State(service): State<Service>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let caller = caller(&service, &headers).await?;
    let fields = Fields::read(&headers, body).await?;
    let (provider, calendar) = (fields.provider()?, fields.text("calendarId")?);
    let (id, scope) = (target(&fields)?, mode(&fields, "updateMode")?);
    let draft = draft::read(&fields)?;
    let at = (provider.as_str(), calendar.as_str());
    let changed = service.connect_update_event(&caller, at, &id, &draft, scope).await?;
    Ok(Json(success(told(&provider, &calendar, &changed))))
}

/// The documentation has the fields in the body, the SDKs send them in the query: both are read.
pub(crate) async fn delete(
    State(service): State<Service>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let caller = caller(&service, &headers).await?;
    let fields = Fields::read_with_query(&headers, query.as_deref(), body).await?;
    let (provider, calendar) = (fields.provider()?, fields.text("calendarId")?);
    let (id, scope) = (target(&fields)?, mode(&fields, "deleteMode")?);
    let at = (provider.as_str(), calendar.as_str());
    service.connect_delete_event(&caller, at, &id, scope).await?;
    Ok(Json(json!({ "success": true, "message": "Event deleted successfully" })))
}

/// The event that is meant. `recurringEventId` says of which series it is, which the id does already.
fn target(fields: &Fields) -> Result<String, Refusal> {
    fields.optional_text("recurringEventId")?;
    fields.text("eventId")
}

fn mode(fields: &Fields, name: &str) -> Result<Option<SeriesScope>, Refusal> {
    let Some(text) = fields.optional_text(name)? else { return Ok(None) };
    let why = "must be this, following or all";
    SeriesScope::parse(&text).map(Some).ok_or_else(|| Refusal::field(name, "invalid", why))
}

/// The documentation has the event at the root of the answer, the Python SDK reads it from `event`.
fn success(event: Value) -> Value {
    let mut answer = event.clone();
    answer["success"] = true.into();
    answer["event"] = event;
    answer
}

/// An event as Connect tells it.
pub(crate) fn told(provider: &str, calendar: &str, event: &CalendarEvent) -> Value {
    let mut content = content(event);
    let mut take = |name: &str| content.remove(name).filter(|value| !value.is_null());
    let mut out = json!({
        "provider": provider, "id": event.id, "calendarId": calendar,
        "title": take("title").unwrap_or_else(|| "".into()),
        "start": take("start"), "end": take("end"),
        "allDay": take("allDay").unwrap_or(false.into()),
        "attendees": attendees(take("attendees")),
        "original": take("original").unwrap_or_else(|| json!({})),
    });
    for name in AS_THEY_ARE {
        if let Some(value) = take(name) {
            out[name] = value;
        }
    }
    if let Some(custom) = take("properties") {
        out["custom"] = custom;
    }
    // The events API has the address as a text, and the rest beside it.
    if let Some(conference) = take("conference") {
        out["conference"] = conference["url"].clone();
        out["conferenceData"] = conference;
    }
    if let Some(series) = &event.series {
        out["recurringEventId"] = series.as_str().into();
    }
    out
}

/// What is left of an event for who may know only when the user is busy.
pub(crate) fn told_opaque(provider: &str, calendar: &str, event: &CalendarEvent) -> Value {
    let mut content = content(event);
    let mut take = |name: &str| content.remove(name).filter(|value| !value.is_null());
    let availability = take("availability").unwrap_or_else(|| "busy".into());
    json!({
        "provider": provider, "id": event.id, "calendarId": calendar,
        "title": if availability == "free" { "Free" } else { "Busy" },
        "start": take("start"), "end": take("end"),
        "allDay": take("allDay").unwrap_or(false.into()),
        "availability": availability, "original": {},
    })
}

fn content(event: &CalendarEvent) -> Map<String, Value> {
    serde_json::from_slice(&event.event).unwrap_or_default()
}

fn attendees(listed: Option<Value>) -> Vec<Value> {
    let Some(Value::Array(listed)) = listed else { return Vec::new() };
    let told = |attendee: Value| {
        let mut out = json!({
            "email": attendee["email"],
            "status": attendee["status"].as_str().unwrap_or("none"),
        });
        if attendee["organizer"] == true {
            out["organizer"] = true.into();
        }
        out
    };
    listed.into_iter().map(told).collect()
}
