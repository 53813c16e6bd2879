//! The events of a calendar: `events.list` (masters and exceptions, never single instances), and
//! `events.get`.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;
use tidings_core::clock::Timestamp;
use tidings_core::limits::GOOGLE_PAGE_EVENTS_MAX;

use super::address;
use super::error::{Call, refused, unreadable};
use super::object::{Read, read};
use crate::error::ProviderError;
use crate::http::{Request, Response};
use crate::item::Item;
use crate::settings::GoogleSettings;

/// One page of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventPage {
    /// Masters, single events and exceptions. An occurrence that was cancelled alone is an exception
    /// with the status `cancelled`, for its master says nothing of it.
    pub items: Vec<Item>,
    /// Keys of deleted masters and single events. With a master all its exceptions are gone.
    pub gone: Vec<String>,
    /// Where the next page is.
    pub next_page: Option<String>,
    /// For the next look; on the last page only.
    pub token: Option<String>,
    /// Objects without id, or of another shape: not ours to understand, left out.
    pub unreadable: usize,
    /// The ids of those that have one: they are there, whatever they say.
    pub unread: Vec<String>,
}

/// Asks for the whole calendar, or with a sync token for what changed; pages repeat the same query.
/// Nothing else may be asked together with a token, so nothing else is ever asked. `page_size` is at
/// most [`GOOGLE_PAGE_EVENTS_MAX`]; a smaller one helps when a page is too large to take.
pub fn list_request(
    settings: &GoogleSettings,
    calendar: &str,
    token: Option<&str>,
    page: Option<&str>,
    page_size: u16,
) -> Request {
    let size = page_size.clamp(1, GOOGLE_PAGE_EVENTS_MAX).to_string();
    let mut query = vec![("maxResults", size.as_str()), ("singleEvents", "false")];
    query.extend(token.map(|token| ("syncToken", token)));
    query.extend(page.map(|page| ("pageToken", page)));
    Request::get(address(settings, &["calendars", calendar, "events"], &query))
}

/// Reads a page. `continued` says that a sync or page token was sent.
///
/// # Errors
/// [`ProviderError::TokenRefused`]: list the whole calendar and compare it with the mirror.
/// [`ProviderError::Gone`] and [`ProviderError::Forbidden`]: the calendar may have left the account;
/// confirm by the calendar list. Else by what must be done.
pub fn parse_list(response: &Response, continued: bool) -> Result<EventPage, ProviderError> {
    const WHAT: &str = "listing the events";
    if response.status != 200 {
        let call = if continued { Call::Continue } else { Call::Read };
        return Err(refused(response, WHAT, call));
    }
    let list: List = response.read().ok_or_else(|| unreadable(WHAT))?;
    let mut page = EventPage {
        next_page: list.next_page_token,
        token: list.next_sync_token,
        ..EventPage::default()
    };
    for object in list.items {
        let id = object["id"].as_str().map(str::to_owned);
        match read(object) {
            Some(Read::Item(item)) => page.items.push(*item),
            Some(Read::Gone { key, .. }) => page.gone.push(key),
            None => {
                page.unreadable += 1;
                page.unread.extend(id);
            }
        }
    }
    Ok(page)
}

/// Asks for one event, also for an occurrence by its id ([`super::write::instance_id`]).
pub fn get_request(settings: &GoogleSettings, calendar: &str, event: &str) -> Request {
    Request::get(address(settings, &["calendars", calendar, "events", event], &[]))
}

/// Reads the answer to [`get_request`].
///
/// # Errors
/// [`ProviderError::Gone`] also for an event that Google still knows as deleted. Else by what must be
/// done.
pub fn parse_event(response: &Response) -> Result<Item, ProviderError> {
    parse(response, "reading an event", Call::Read)
}

pub(super) fn parse(response: &Response, what: &str, call: Call) -> Result<Item, ProviderError> {
    if !response.status.is_success() {
        return Err(refused(response, what, call));
    }
    match response.read::<Value>().and_then(read) {
        Some(Read::Item(item)) => Ok(*item),
        Some(Read::Gone { .. }) => {
            Err(ProviderError::Gone { why: format!("{what}: it is deleted") })
        }
        None => Err(unreadable(what)),
    }
}

/// Asks which occurrence of a series begins at `original_start` (RFC 3339, or a date): the id of one
/// can be computed, save where Google split the series itself.
pub fn instance_request(
    settings: &GoogleSettings,
    calendar: &str,
    master: &str,
    original_start: &str,
) -> Request {
    let query = [("originalStart", original_start), ("maxResults", "1")];
    let path = ["calendars", calendar, "events", master, "instances"];
    Request::get(address(settings, &path, &query))
}

/// Reads the answer to [`instance_request`].
///
/// # Errors
/// [`ProviderError::Gone`] when the series has no such occurrence.
pub fn parse_instance(response: &Response) -> Result<Item, ProviderError> {
    const WHAT: &str = "looking for an occurrence";
    let page = parse_list(response, false)?;
    let none = || ProviderError::Gone { why: format!("{WHAT}: the series has none there") };
    page.items.into_iter().next().ok_or_else(none)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    #[serde(default)]
    items: Vec<Value>,
    next_page_token: Option<String>,
    next_sync_token: Option<String>,
}

/// What earlier pages of one listing told. The order across pages is not specified, and one event may
/// be on two of them.
#[derive(Debug, Default)]
pub struct Seen {
    updated: HashMap<String, Option<Timestamp>>,
    ended: HashSet<String>,
}

impl Seen {
    /// Leaves in `page` what is news: of an event that is there twice the one that was updated later,
    /// and of a series that has ended nothing.
    pub fn keep_news(&mut self, page: &mut EventPage) {
        self.ended.extend(page.gone.iter().cloned());
        let mut latest: HashMap<String, usize> = HashMap::new();
        for (at, item) in page.items.iter().enumerate() {
            if self.is_news(item) {
                latest.insert(item.key.clone(), at);
            }
        }
        let mut at = 0;
        page.items.retain(|item| {
            let keeps = latest.get(&item.key) == Some(&at) && !self.ended.contains(&item.resource);
            at += 1;
            keeps
        });
    }

    fn is_news(&mut self, item: &Item) -> bool {
        let updated = item.event.last_modified.as_deref().and_then(Timestamp::parse);
        // A cancelled occurrence does not say when: what else is told of it is older.
        let is_cancelled = item.event.status.as_deref() == Some("cancelled");
        let updated = updated.or(is_cancelled.then_some(Timestamp(i64::MAX)));
        match self.updated.get(&item.key) {
            Some(known) if *known > updated => false,
            _ => {
                self.updated.insert(item.key.clone(), updated);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests;
