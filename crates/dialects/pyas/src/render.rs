//! A delivery in the Pyas format: three headers, and ids in the body.

use serde::{Deserialize, Serialize};
use tidings_core::change::{Change, types};
use tidings_core::format::{RenderError, RenderInput, Rendered};

use crate::triggers::trigger_of;

/// What stands in for account and provider in a test event, which concerns neither.
const NONE: &str = "test";

/// The part of a change's body that Pyas receivers are told about.
#[derive(Deserialize)]
struct Content {
    account: Account,
    calendar: Option<Calendar>,
    #[serde(default)]
    event: Event,
}

#[derive(Deserialize)]
struct Account {
    id: String,
    provider: String,
}

#[derive(Deserialize)]
struct Calendar {
    external_id: String,
}

#[derive(Default, Deserialize)]
struct Event {
    id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CalendarsBody {
    calendar_ids: Vec<String>,
}

#[derive(Serialize)]
struct EventsBody {
    events: Vec<EventRef>,
}

#[derive(PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct EventRef {
    calendar_id: String,
    event_id: String,
}

/// Renders changes of one trigger and one account.
pub(crate) fn render(input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
    let first = input.changes.first().ok_or_else(|| refused("there is none"))?;
    let kind = first.new.kind.as_str();
    if input.changes.iter().any(|change| change.new.kind != kind) {
        return Err(refused("a pyas request holds changes of one type"));
    }
    if kind == types::HOOK_TEST {
        return Ok(Rendered {
            headers: headers(NONE, types::HOOK_TEST, NONE)?,
            content_type: Some("application/json"),
            body: first.new.body.clone(),
        });
    }
    let trigger =
        trigger_of(kind).ok_or_else(|| refused(&format!("pyas has no trigger for {kind}")))?;
    let contents = input.changes.iter().map(content).collect::<Result<Vec<_>, _>>()?;
    let account = &contents[0].account;
    if contents.iter().any(|content| content.account.id != account.id) {
        return Err(refused("a pyas request holds changes of one account"));
    }
    let headers = headers(&account.id, trigger, &account.provider.to_lowercase())?;
    let body = match trigger.split_once('.') {
        Some(("calendars", _)) => json(&CalendarsBody { calendar_ids: calendar_ids(contents)? })?,
        Some(("events", _)) => json(&EventsBody { events: event_refs(contents)? })?,
        _ => Vec::new(),
    };
    let content_type = (!body.is_empty()).then_some("application/json");
    Ok(Rendered { headers, content_type, body: body.into() })
}

fn headers(
    account: &str,
    trigger: &str,
    provider: &str,
) -> Result<Vec<(&'static str, String)>, RenderError> {
    let headers = vec![
        ("x-pyas-account-id", account.to_owned()),
        ("x-pyas-webhook-event", trigger.to_owned()),
        ("x-provider", provider.to_owned()),
    ];
    // Published content reaches this point too, and must not be able to write headers of its own.
    let printable = |value: &str| !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic());
    match headers.iter().find(|(_, value)| !printable(value)) {
        Some((name, _)) => Err(refused(&format!("its value for {name} does not fit in a header"))),
        None => Ok(headers),
    }
}

fn content(change: &Change) -> Result<Content, RenderError> {
    // serde's own message would quote the content.
    let mut content: Content = serde_json::from_slice(&change.new.body).map_err(|error| {
        let column = error.column();
        refused(&format!("the content is not that of a watched account (see its column {column})"))
    })?;
    if content.event.id.is_none() {
        content.event.id.clone_from(&change.new.subject.item);
    }
    Ok(content)
}

fn calendar_ids(contents: Vec<Content>) -> Result<Vec<String>, RenderError> {
    let mut ids = Vec::with_capacity(contents.len());
    for content in contents {
        push_new(&mut ids, calendar_id(content.calendar)?);
    }
    Ok(ids)
}

fn event_refs(contents: Vec<Content>) -> Result<Vec<EventRef>, RenderError> {
    let mut refs = Vec::with_capacity(contents.len());
    for content in contents {
        let calendar_id = calendar_id(content.calendar)?;
        let event_id = content.event.id.ok_or_else(|| refused("the content names no event"))?;
        push_new(&mut refs, EventRef { calendar_id, event_id });
    }
    Ok(refs)
}

fn calendar_id(calendar: Option<Calendar>) -> Result<String, RenderError> {
    calendar
        .map(|calendar| calendar.external_id)
        .ok_or_else(|| refused("the content names no calendar"))
}

/// The body says which objects to look at, not how often they changed.
fn push_new<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, RenderError> {
    serde_json::to_vec(body).map_err(|error| refused(&error.to_string()))
}

fn refused(why: &str) -> RenderError {
    RenderError(why.to_owned())
}

#[cfg(test)]
mod tests;
