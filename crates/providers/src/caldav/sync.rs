//! Which resources of a calendar changed, and their content.
//!
//! With a token: [`request`] and [`parse`] (RFC 6578), page after page while `truncated`. Without
//! (the server cannot, or refused the empty token): [`list_request`] and [`parse_list`], compared
//! with the mirrored entity tags. Either way the content comes by [`multiget_request`].
//!
//! What the mirror must know: the empty token and the listing yield *all* members, so what the
//! mirror has beyond them is deleted. A removed resource that the mirror does not know means
//! nothing. Only these two say that something is gone, never a multiget.

use std::collections::BTreeMap;

use tidings_core::limits::COLLECTION_ITEMS_MAX;
use url::Url;

use super::multistatus::{self, Resource};
use super::{Depth, Href, Request, Response, escape};
use crate::error::ProviderError;

/// A resource of a calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its address.
    pub href: Href,
    /// Its entity tag, as spelled; some servers leave it out.
    pub etag: Option<String>,
}

/// One page of a `sync-collection` answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Created or changed since the token.
    pub changed: Vec<Member>,
    /// Removed since the token. May name resources that were never seen.
    pub removed: Vec<Href>,
    /// The token to ask with next time.
    pub token: String,
    /// Whether there is more: ask again at once with `token`.
    pub truncated: bool,
}

/// A resource with its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its address.
    pub href: Href,
    /// Its entity tag, as spelled.
    pub etag: Option<String>,
    /// The iCalendar text. `None` when the server lists the resource but would not show it: leave
    /// the mirror as it is.
    pub icalendar: Option<String>,
}

/// The answer to a `calendar-multiget`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// What is there.
    pub objects: Vec<Object>,
    /// Gone since it was listed. Not a deletion yet: the next sync says so.
    pub missing: Vec<Href>,
}

const SYNC: &str = "asking what changed in the calendar";
const LIST: &str = "listing the calendar";
const GET: &str = "fetching events";

/// Asks what changed since `token`; the empty token asks for everything. Never limits the answer:
/// servers lose what is beyond a limit.
pub fn request(calendar: &Url, token: &str) -> Request {
    let token = escape(token);
    let body = format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"#
    );
    Request::report(calendar.clone(), Depth::Zero, body)
}

/// Reads the answer to [`request`]; `asked` is the token that was sent.
///
/// # Errors
/// [`ProviderError::TokenRefused`] whenever a server answers with one of the statuses that servers
/// use to say so, or without a new token; the others as the status asks for.
pub fn parse(calendar: &Url, response: &Response, asked: &str) -> Result<Page, ProviderError> {
    let status = response.status.as_u16();
    let refusals: &[u16] = match asked {
        "" => &[400, 403, 405, 409, 412, 415, 418, 500, 501, 507],
        _ => &[400, 403, 409, 410, 412, 418, 500, 507],
    };
    if refusals.contains(&status) {
        return Err(refused(format!("{SYNC}: the server refused the sync token ({status})")));
    }
    let multistatus = multistatus::read(calendar, response, SYNC)?;
    let itself = Href::of(calendar);
    let mut page = Page::default();
    let mut changed = BTreeMap::new();
    let mut removed = BTreeMap::new();
    for Resource { href, status, props } in multistatus.resources {
        if href == itself {
            page.truncated |= status == 507;
        } else if matches!(status, 404 | 410) {
            removed.insert(href.key.clone(), href);
        } else if !href.is_collection() {
            changed.insert(href.key.clone(), Member { href, etag: props.etag });
        }
    }
    removed.retain(|key, _| !changed.contains_key(key));
    too_many(changed.len())?;
    page.token = multistatus
        .sync_token
        .ok_or_else(|| refused(format!("{SYNC}: the server gave no new sync token")))?;
    if page.truncated && page.token == asked {
        return Err(refused(format!("{SYNC}: the server repeats the same page")));
    }
    page.changed = changed.into_values().collect();
    page.removed = removed.into_values().collect();
    Ok(page)
}

fn refused(why: String) -> ProviderError {
    ProviderError::TokenRefused { why }
}

/// Asks for the entity tags of all members.
pub fn list_request(calendar: &Url) -> Request {
    const BODY: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/><D:resourcetype/></D:prop></D:propfind>"#;
    Request::propfind(calendar.clone(), Depth::One, BODY.to_owned())
}

/// Reads the answer to [`list_request`]: all members, each once, by key.
///
/// # Errors
/// As the status asks for; [`ProviderError::Retry`] when the answer speaks of nothing, is cut off
/// or reports trouble with a member, since such an answer proves no deletion.
pub fn parse_list(calendar: &Url, response: &Response) -> Result<Vec<Member>, ProviderError> {
    let multistatus = multistatus::read(calendar, response, LIST)?;
    if multistatus.resources.is_empty() {
        return Err(ProviderError::retry(format!("{LIST}: the server's answer is empty")));
    }
    let itself = Href::of(calendar);
    let mut members = BTreeMap::new();
    for Resource { href, status, props } in multistatus.resources {
        match status {
            200..=299 if href == itself || href.is_collection() => {}
            200..=299 => {
                members.insert(href.key.clone(), Member { href, etag: props.etag });
            }
            404 | 410 => {}
            _ => {
                let why = format!("{LIST}: the server answered {status} for one of its events");
                return Err(ProviderError::retry(why));
            }
        }
    }
    too_many(members.len())?;
    Ok(members.into_values().collect())
}

/// Asks for the content of `members`: at most
/// [`CALDAV_MULTIGET_CHUNK`](tidings_core::limits::CALDAV_MULTIGET_CHUNK) at a time.
pub fn multiget_request(calendar: &Url, members: &[Member]) -> Request {
    let mut body = String::from(
        r#"<?xml version="1.0" encoding="utf-8"?>
<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/></D:prop>"#,
    );
    for member in members {
        body.push_str("<D:href>");
        body.push_str(&escape(&member.href.sent));
        body.push_str("</D:href>");
    }
    body.push_str("</C:calendar-multiget>");
    Request::report(calendar.clone(), Depth::One, body)
}

/// Reads the answer to [`multiget_request`] and counts: every member that was asked for must be
/// answered for.
///
/// # Errors
/// As the status asks for; [`ProviderError::Retry`] when answers are missing or a member's own
/// status may pass.
pub fn parse_multiget(
    calendar: &Url,
    members: &[Member],
    response: &Response,
) -> Result<Fetched, ProviderError> {
    let multistatus = multistatus::read(calendar, response, GET)?;
    let mut answers: BTreeMap<String, Resource> =
        multistatus.resources.into_iter().map(|r| (r.href.key.clone(), r)).collect();
    let mut fetched = Fetched::default();
    for member in members {
        let Some(resource) = answers.remove(&member.href.key) else {
            let why = format!(
                "{GET}: the server answered for {} of {} only",
                fetched.count(),
                members.len()
            );
            return Err(ProviderError::retry(why));
        };
        match resource.status {
            404 | 410 => fetched.missing.push(resource.href),
            429 | 500..=599 => {
                let status = resource.status;
                let why = format!("{GET}: the server answered {status} for one of them");
                return Err(ProviderError::retry(why));
            }
            _ => fetched.objects.push(Object {
                href: resource.href,
                etag: resource.props.etag.or_else(|| member.etag.clone()),
                icalendar: resource.props.calendar_data,
            }),
        }
    }
    Ok(fetched)
}

impl Fetched {
    fn count(&self) -> usize {
        self.objects.len() + self.missing.len()
    }
}

fn too_many(count: usize) -> Result<(), ProviderError> {
    if count <= COLLECTION_ITEMS_MAX {
        return Ok(());
    }
    Err(ProviderError::permanent(format!(
        "the calendar holds more than {COLLECTION_ITEMS_MAX} events"
    )))
}

#[cfg(test)]
mod tests;
