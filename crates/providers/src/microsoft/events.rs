//! Single events, and what Graph's objects become.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::error::read;
use super::object::{Object, with_properties_hash};
use super::{PROPERTIES_ID, preferring};
use crate::error::ProviderError;
use crate::http::{Request, Response, below};
use crate::item::Item;
use crate::settings::MicrosoftSettings;

/// An event that was asked for by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The event.
    pub item: Item,
    /// The series that it is a part of, or is the master of: only [`super::series`] tells its whole
    /// content.
    pub series: Option<String>,
    /// Whether it is an ordinary occurrence, which is no item of its own.
    pub is_occurrence: bool,
}

/// Asks for one event with our properties, whatever its kind.
pub fn request(settings: &MicrosoftSettings, id: &str) -> Request {
    let mut url = below(&settings.api, &["me", "events", id]);
    url.query_pairs_mut().append_pair("$expand", &properties_expansion());
    preferring(Request::get(url))
}

/// Asks for one event as long as it is in that calendar: an id outlives a move to another one.
pub fn request_in(settings: &MicrosoftSettings, calendar: &str, id: &str) -> Request {
    let mut url = below(&settings.api, &["me", "calendars", calendar, "events", id]);
    url.query_pairs_mut().append_pair("$expand", &properties_expansion());
    preferring(Request::get(url))
}

/// Reads the answer to [`request`] or [`request_in`].
///
/// # Errors
/// [`ProviderError::Gone`] when the event is not there; others: see [`ProviderError`].
pub fn parse(response: &Response) -> Result<Found, ProviderError> {
    let value: Value = read(response, "reading an event")?;
    found(value).ok_or_else(|| ProviderError::retry("reading an event: it has no id"))
}

/// Gives an item properties that the answer it came from could not show, as a delta cannot.
pub fn carry_properties(item: &mut Item, properties: BTreeMap<String, String>) {
    item.event.properties = properties;
    with_properties_hash(item);
}

pub(super) fn properties_expansion() -> String {
    format!("singleValueExtendedProperties($filter=id eq '{PROPERTIES_ID}')")
}

fn found(value: Value) -> Option<Found> {
    let object = object(&value)?;
    let is_occurrence = object.kind.as_deref() == Some("occurrence");
    let series = object.series().map(str::to_owned);
    Some(Found { item: object.item(value), series, is_occurrence })
}

/// The object's members; `None` when it has no id or is no event.
pub(super) fn object(value: &Value) -> Option<Object> {
    Object::deserialize(value).ok().filter(|object| !object.id.is_empty())
}

#[cfg(test)]
pub(super) mod tests;
