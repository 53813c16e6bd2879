//! Changing events at Graph.
//!
//! Creating is idempotent by `transactionId`. Graph does not document `If-Match` for events but answers
//! 412 to a stale one; Exchange also moves the version several times after one write without changing a
//! word. So whoever writes under a condition reads the event first and compares what it says, then sends
//! the version that it read. Whom Outlook tells about a write is its own choice: `notify` has no
//! counterpart.
//!
//! Source: <https://learn.microsoft.com/graph/api/event-update>.

use http::Method;
use jiff::ToSpan;
use jiff::civil;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tidings_core::clock::Timestamp;

use super::error::{expect, read};
use super::time::wall;
use super::{PROPERTIES_ID, preferring, recurrence};
use crate::draft::{
    Availability, ConferenceDraft, EventDraft, Field, Invitee, Privacy, Status, When,
};
use crate::error::ProviderError;
use crate::event::Event;
use crate::http::{Request, Response, below};
use crate::settings::MicrosoftSettings;
use crate::zone::Zone;

mod split;

pub use split::{continue_request, end_request};

/// Members to send.
type Document = Map<String, Value>;

#[derive(Deserialize)]
struct Written {
    id: String,
}

#[derive(Deserialize)]
struct WrittenPage {
    value: Vec<Written>,
}

/// Creates an event. The same `key` (up to 64 characters) again creates nothing.
///
/// # Errors
/// [`ProviderError::Invalid`] when Graph has no words for the draft.
pub fn create_request(
    settings: &MicrosoftSettings,
    calendar: &str,
    draft: &EventDraft,
    key: &str,
) -> Result<Request, ProviderError> {
    Ok(post(settings, calendar, document(draft, None)?, key))
}

/// Asks for the event that was created with that key: when the answer to [`create_request`] was lost, or
/// was [`ProviderError::Conflict`].
pub fn created_request(settings: &MicrosoftSettings, calendar: &str, key: &str) -> Request {
    let mut url = below(&settings.api, &["me", "calendars", calendar, "events"]);
    let filter = format!("transactionId eq '{key}'");
    url.query_pairs_mut().append_pair("$filter", &filter).append_pair("$select", "id");
    preferring(Request::get(url))
}

/// Reads the id out of the answer to [`created_request`]; `None` when there is no such event.
///
/// # Errors
/// See [`ProviderError`].
pub fn parse_created(response: &Response) -> Result<Option<String>, ProviderError> {
    let page: WrittenPage = read(response, "looking for the event that was created")?;
    Ok(page.value.into_iter().next().map(|written| written.id))
}

/// Changes the event `id`: a single event, a master, or one occurrence or exception of a series.
/// `current` is what it says now, `etag` its version.
///
/// # Errors
/// [`ProviderError::Invalid`] when Graph has no words for the draft.
pub fn update_request(
    settings: &MicrosoftSettings,
    id: &str,
    draft: &EventDraft,
    current: &Event,
    etag: Option<&str>,
) -> Result<Request, ProviderError> {
    if current.recurring_event_id.is_some() && !draft.recurrence.is_keep() {
        return Err(invalid("one occurrence of a series cannot recur; write to the whole series"));
    }
    let document = document(draft, Some(current))?;
    let url = below(&settings.api, &["me", "events", id]);
    Ok(conditional(Request::json(Method::PATCH, url, &document), etag))
}

/// Deletes the event `id`; of a master the whole series, of an occurrence that one.
pub fn delete_request(settings: &MicrosoftSettings, id: &str, etag: Option<&str>) -> Request {
    let url = below(&settings.api, &["me", "events", id]);
    conditional(Request::bare(Method::DELETE, url), etag)
}

/// Reads the id of the event out of the answer to a creation or change. What the event says is to be
/// read anew: the answer does not show it whole.
///
/// # Errors
/// [`ProviderError::Conflict`] when another version is there or (creating) the key was used;
/// [`ProviderError::Retry`] when another save crossed this one; others: see [`ProviderError`].
pub fn parse_written(response: &Response) -> Result<String, ProviderError> {
    Ok(read::<Written>(response, "writing an event")?.id)
}

/// Reads the answer to [`delete_request`]. An event that is gone already is deleted.
///
/// # Errors
/// As [`parse_written`].
pub fn parse_deleted(response: &Response) -> Result<(), ProviderError> {
    match expect(response, "deleting an event") {
        Err(ProviderError::Gone { .. }) => Ok(()),
        other => other,
    }
}

fn post(
    settings: &MicrosoftSettings,
    calendar: &str,
    mut document: Document,
    key: &str,
) -> Request {
    document.insert("transactionId".into(), key.into());
    let url = below(&settings.api, &["me", "calendars", calendar, "events"]);
    preferring(Request::json(Method::POST, url, &document))
}

fn conditional(request: Request, etag: Option<&str>) -> Request {
    let request = preferring(request);
    match etag.filter(|etag| !etag.is_empty()) {
        Some(etag) => request.with("if-match", etag),
        None => request,
    }
}

fn invalid(why: impl Into<String>) -> ProviderError {
    ProviderError::Invalid { why: why.into() }
}

/// The members of Graph's event that the draft sets or empties.
fn document(draft: &EventDraft, current: Option<&Event>) -> Result<Document, ProviderError> {
    let mut document = Document::new();
    let mut say = |name: &str, value: Option<Value>| {
        document.extend(value.map(|value| (name.to_owned(), value)));
    };
    say("subject", said(&draft.title, json!(""), |title| json!(title)));
    let body = |text: &str| json!({ "contentType": "text", "content": text });
    say("body", said(&draft.description, body(""), |text| body(text)));
    let place = |name: &str| json!({ "displayName": name });
    say("location", said(&draft.location, place(""), |name| place(name)));
    say("attendees", said(&draft.attendees, json!([]), |all| all.iter().map(invited).collect()));
    say(
        "sensitivity",
        said(&draft.privacy, json!("normal"), |privacy| json!(sensitivity(*privacy))),
    );
    say("showAs", show_as(draft, current)?.map(Into::into));
    match &draft.conference {
        Field::Keep => {}
        Field::Clear => say("isOnlineMeeting", Some(json!(false))),
        Field::Set(ConferenceDraft::Create) => {
            say("isOnlineMeeting", Some(json!(true)));
            say("onlineMeetingProvider", Some(json!("teamsForBusiness")));
        }
        Field::Set(ConferenceDraft::Url(_)) => {
            let why = "a microsoft calendar takes no conference of others; put its address into \
                       the location";
            return Err(invalid(why));
        }
    }
    let property = |value: String| json!([{ "id": PROPERTIES_ID, "value": value }]);
    say(
        "singleValueExtendedProperties",
        said(&draft.properties, property("{}".into()), |properties| {
            property(serde_json::to_string(properties).expect("texts serialise"))
        }),
    );
    document.extend(times(draft, current)?);
    Ok(document)
}

fn said<T>(field: &Field<T>, empty: Value, value: impl Fn(&T) -> Value) -> Option<Value> {
    match field {
        Field::Keep => None,
        Field::Clear => Some(empty),
        Field::Set(set) => Some(value(set)),
    }
}

fn invited(invitee: &Invitee) -> Value {
    let name = invitee.name.as_deref().unwrap_or(&invitee.email);
    let kind = if invitee.optional { "optional" } else { "required" };
    json!({ "emailAddress": { "address": invitee.email, "name": name }, "type": kind })
}

fn sensitivity(privacy: Privacy) -> &'static str {
    match privacy {
        Privacy::Public => "normal",
        Privacy::Private => "private",
        Privacy::Confidential => "confidential",
    }
}

/// Graph has one word for availability and for whether an event is certain.
fn show_as(
    draft: &EventDraft,
    current: Option<&Event>,
) -> Result<Option<&'static str>, ProviderError> {
    if draft.status == Field::Set(Status::Cancelled) {
        return Err(invalid("an event of a microsoft calendar is cancelled by deleting it"));
    }
    if draft.status.is_keep() && draft.availability.is_keep() {
        return Ok(None);
    }
    let was = |what: fn(&Event) -> bool| current.is_some_and(what);
    let free = match draft.availability {
        Field::Keep => was(|event| event.availability == "free"),
        Field::Clear => false,
        Field::Set(availability) => availability == Availability::Free,
    };
    let tentative = match draft.status {
        Field::Keep => was(|event| event.status.as_deref() == Some("tentative")),
        Field::Clear => false,
        Field::Set(status) => status == Status::Tentative,
    };
    Ok(Some(match (free, tentative) {
        (true, _) => "free",
        (false, true) => "tentative",
        (false, false) => "busy",
    }))
}

/// `start`, `end`, `isAllDay` and `recurrence`, as far as they change.
fn times(draft: &EventDraft, current: Option<&Event>) -> Result<Document, ProviderError> {
    let mut document = Document::new();
    let start = draft.start.set().cloned();
    let end = match (draft.end.set(), &start, current) {
        (None, Some(start), Some(current)) => Some(moved_end(start, current)?),
        (end, ..) => end.cloned(),
    };
    let all_day = start.as_ref().or(end.as_ref()).map(When::is_date);
    if let (None, Some(all_day), Some(current)) = (&start, all_day, current)
        && current.all_day != all_day
    {
        return Err(invalid("start and end must both be days or both be times"));
    }
    if let Some(all_day) = all_day {
        document.insert("isAllDay".into(), all_day.into());
    }
    document.extend(start.as_ref().map(|start| ("start".into(), reading(start))));
    document.extend(end.as_ref().map(|end| ("end".into(), reading(end))));
    let begins = start.or_else(|| current.and_then(begin_of));
    let rule = match &draft.recurrence {
        Field::Clear => {
            document.insert("recurrence".into(), Value::Null);
            None
        }
        Field::Set(rule) => Some(rule),
        // The range of a series begins with its first day.
        Field::Keep if draft.start.set().is_some() => {
            current.and_then(|current| current.recurrence.as_ref())
        }
        Field::Keep => None,
    };
    if let Some(rule) = rule {
        let begins = begins.ok_or_else(|| invalid("a series needs a start"))?;
        let (day, zone) = match &begins {
            When::Date(day) => (*day, "UTC"),
            When::At { local, zone } => (local.date(), zone.as_str()),
        };
        let recurrence = recurrence::parse(rule, day, zone).map_err(invalid)?;
        let value = serde_json::to_value(recurrence).expect("texts and numbers serialise");
        document.insert("recurrence".into(), value);
    }
    Ok(document)
}

/// The end of an event that was moved as a whole.
fn moved_end(start: &When, current: &Event) -> Result<When, ProviderError> {
    let both = || invalid("give the end, too");
    let parsed = |time: &Option<String>| time.as_deref().and_then(moment_of);
    let (from, to) = (parsed(&current.start), parsed(&current.end));
    let lasts_ms = to.zip(from).map(|(to, from)| to.0 - from.0).ok_or_else(both)?;
    match start {
        _ if start.is_date() != current.all_day => Err(both()),
        When::Date(day) => {
            let days = lasts_ms / (24 * 3_600_000);
            Ok(When::Date(day.checked_add(days.days()).map_err(|_| both())?))
        }
        When::At { zone, .. } => {
            let end = start.moment().plus_ms(lasts_ms);
            let local = Zone::named(zone).unwrap_or(Zone::UTC).local(end);
            Ok(When::At { local, zone: zone.clone() })
        }
    }
}

/// A start as our events tell it.
fn moment_of(told: &str) -> Option<Timestamp> {
    let date = || wall(&format!("{told}T00:00:00")).map(|at| Timestamp(at * 1_000));
    Timestamp::parse(told).or_else(date)
}

fn begin_of(event: &Event) -> Option<When> {
    let start = event.start.as_deref()?;
    if event.all_day {
        return start.parse::<civil::Date>().ok().map(When::Date);
    }
    let zone = event.time_zone.clone().unwrap_or_else(|| "UTC".into());
    let local = Zone::named(&zone)?.local(Timestamp::parse(start)?);
    Some(When::At { local, zone })
}

fn reading(when: &When) -> Value {
    match when {
        When::Date(day) => json!({ "dateTime": format!("{day}T00:00:00"), "timeZone": "UTC" }),
        When::At { local, zone } => {
            json!({ "dateTime": local.to_string(), "timeZone": zone })
        }
    }
}

#[cfg(test)]
mod tests;
