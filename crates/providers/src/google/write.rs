//! Writing events.
//!
//! An event is created under an id of ours, so that a repeated create is refused (409) instead of
//! doubled. A change carries the entity tag that it was made for, so that nothing unseen is
//! overwritten (412). The id of an occurrence is that of its series and a stamp: a write to it makes
//! Google keep it as an exception.
//!
//! A split ("this and all following") takes two requests. Send [`follow_request`] first, which can be
//! repeated, then [`end_request`]; should that be refused, delete what the first one made.

use http::Method;
use http::header::IF_MATCH;
use serde_json::{Map, Value, json};
use tidings_core::clock::Timestamp;

use super::address;
use super::error::{Call, refused};
use super::events;
use crate::draft::{EventDraft, Notify};
use crate::errand::WriteKey;
use crate::error::ProviderError;
use crate::event::{Event, Original};
use crate::http::{Request, Response};
use crate::item::Item;
use crate::occurrences;
use crate::settings::GoogleSettings;

mod body;

/// The private property that marks events which we created; it holds their write key. Workspace
/// administrators may have it stripped, so nothing depends on it.
pub const MARK: &str = "tidings";

/// What is written to.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The calendar.
    pub calendar: &'a str,
    /// The event's id, or that of an occurrence ([`instance_id`]).
    pub event: &'a str,
    /// The entity tag that it must still have.
    pub etag: Option<&'a str>,
    /// Whom Google tells.
    pub notify: Notify,
}

/// The id of the occurrence of `master` that begins at `recurrence_id` by the rule
/// (`20261203T080000Z`, or `20261203`). Where Google split a series itself, the occurrences of the
/// second part are named after the first; should it not be found, ask [`events::instance_request`].
pub fn instance_id(master: &str, recurrence_id: &str) -> String {
    let split_by_google = |(base, rest): (&str, &str)| {
        let is_stamp =
            rest.len() >= 8 && rest.bytes().all(|b| b.is_ascii_digit() || b == b'T' || b == b'Z');
        is_stamp.then_some(base.len())
    };
    let end = master.rsplit_once("_R").and_then(split_by_google).unwrap_or(master.len());
    format!("{}_{recurrence_id}", &master[..end])
}

/// Creates an event under the id `key`.
///
/// # Errors
/// [`ProviderError::Invalid`] when Google has no such thing.
pub fn insert_request(
    settings: &GoogleSettings,
    calendar: &str,
    key: &WriteKey,
    draft: &EventDraft,
    notify: Notify,
) -> Result<Request, ProviderError> {
    let fresh = json!({ "extendedProperties": { "private": { MARK: key.as_str() } } });
    let event = body::merged(fresh, &body::patch(draft, None, key.as_str())?);
    Ok(insert(settings, calendar, key, event, notify))
}

/// Creates the second part of a series that is split before `occurrence` (which begins at `at` by the
/// rule), with the changes of `draft`.
///
/// # Errors
/// [`ProviderError::Invalid`] when there is nothing to split (then the whole series is meant), or
/// Google has no such thing.
pub fn follow_request(
    settings: &GoogleSettings,
    calendar: &str,
    key: &WriteKey,
    (master, occurrence, at): (&Event, &Event, Timestamp),
    draft: &EventDraft,
    notify: Notify,
) -> Result<Request, ProviderError> {
    let split = occurrences::split(master, at).ok_or_else(nothing_to_split)?;
    let mut rest = body::rest_of(master, occurrence, &split, key.as_str());
    if !draft.conference.is_keep() {
        // Another meeting, not a mixture of both.
        rest["conferenceData"] = Value::Null;
    }
    let mut event = body::merged(rest, &body::patch(draft, Some(master), key.as_str())?);
    event["extendedProperties"]["private"][MARK] = key.as_str().into();
    Ok(insert(settings, calendar, key, event, notify))
}

/// Ends a series before `at`.
///
/// # Errors
/// [`ProviderError::Invalid`] when nothing of it would be left.
pub fn end_request(
    settings: &GoogleSettings,
    target: &Target<'_>,
    master: &Event,
    at: Timestamp,
) -> Result<Request, ProviderError> {
    let split = occurrences::split(master, at).ok_or_else(nothing_to_split)?;
    let mut lines = vec![format!("RRULE:{}", split.before)];
    lines.extend(split.dates_before);
    Ok(change(settings, target, &json!({ "recurrence": lines })))
}

/// Changes `current`, which must have been read in the version `target.etag`: what Google replaces
/// whole (attendees, dates of a series) is carried over from it.
///
/// # Errors
/// [`ProviderError::Invalid`] when Google has no such thing.
pub fn patch_request(
    settings: &GoogleSettings,
    target: &Target<'_>,
    current: &Event,
    draft: &EventDraft,
) -> Result<Request, ProviderError> {
    let once = WriteKey::derived(&[target.event, target.etag.unwrap_or_default()]);
    Ok(change(settings, target, &body::patch(draft, Some(current), once.as_str())?))
}

/// Deletes an event, a series, or by its id one occurrence.
pub fn delete_request(settings: &GoogleSettings, target: &Target<'_>) -> Request {
    let query = [("sendUpdates", told(target.notify))];
    let path = ["calendars", target.calendar, "events", target.event];
    matched(Request::bare(Method::DELETE, address(settings, &path, &query)), target)
}

/// Reads the answer to a create or a change: the event as it is now.
///
/// # Errors
/// [`ProviderError::Conflict`]: after a create, the id is known: ask [`events::get_request`] and read
/// that by [`parse_existing`]; after a change, the event is not in the given version. Else by what must
/// be done.
pub fn parse_write(response: &Response) -> Result<Item, ProviderError> {
    events::parse(response, "writing an event", Call::Write)
}

/// Reads what is there under the id of a create that was refused as known: the event of an earlier try.
///
/// # Errors
/// [`ProviderError::Conflict`] when it was deleted since: Google never forgets an id, nor gives it away
/// again.
pub fn parse_existing(response: &Response) -> Result<Item, ProviderError> {
    match events::parse_event(response) {
        Err(ProviderError::Gone { .. }) => Err(ProviderError::Conflict {
            why: "the event of this idempotency key was created and then deleted; use a new key"
                .into(),
        }),
        other => other,
    }
}

/// Reads the answer to [`delete_request`]; what is gone already is deleted.
///
/// # Errors
/// [`ProviderError::Conflict`] when it is not in the given version. Else by what must be done.
pub fn parse_delete(response: &Response) -> Result<(), ProviderError> {
    match response.status.as_u16() {
        200..=299 | 404 | 410 => Ok(()),
        _ => Err(refused(response, "deleting an event", Call::Write)),
    }
}

fn nothing_to_split() -> ProviderError {
    ProviderError::Invalid { why: "the series has nothing before this occurrence".into() }
}

fn insert(
    settings: &GoogleSettings,
    calendar: &str,
    key: &WriteKey,
    mut event: Value,
    notify: Notify,
) -> Request {
    event["id"] = key.as_str().into();
    let url = address(settings, &["calendars", calendar, "events"], &query(notify));
    Request::json(Method::POST, url, &event)
}

fn change(settings: &GoogleSettings, target: &Target<'_>, patch: &Value) -> Request {
    let path = ["calendars", target.calendar, "events", target.event];
    let url = address(settings, &path, &query(target.notify));
    matched(Request::json(Method::PATCH, url, patch), target)
}

/// Without this version Google drops conference data without a word.
fn query(notify: Notify) -> [(&'static str, &'static str); 2] {
    [("conferenceDataVersion", "1"), ("sendUpdates", told(notify))]
}

fn told(notify: Notify) -> &'static str {
    match notify {
        Notify::All => "all",
        Notify::External => "externalOnly",
        Notify::None => "none",
    }
}

fn matched(request: Request, target: &Target<'_>) -> Request {
    match target.etag {
        Some(etag) => request.with(IF_MATCH.as_str(), etag),
        None => request,
    }
}

/// Google's object of an event that was read from Google.
fn object(event: &Event) -> Option<&Map<String, Value>> {
    match &event.original {
        Original::Object(object) => object.as_object(),
        Original::Resource { .. } => None,
    }
}

#[cfg(test)]
mod tests;
