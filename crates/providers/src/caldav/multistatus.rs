//! Reading `DAV:multistatus` documents (RFC 4918 section 13), with the properties that we ask for.

use roxmltree::{Document, Node, ParsingOptions};
use tidings_core::limits::{PROVIDER_RESPONSE_BYTES_MAX, PROVIDER_XML_NODES_MAX};
use url::Url;

use super::{Href, Response};
use crate::error::ProviderError;

const DAV: &str = "DAV:";
const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
const CALENDARSERVER: &str = "http://calendarserver.org/ns/";

/// A multistatus document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Multistatus {
    /// One entry for each address that the document speaks of, in its order.
    pub resources: Vec<Resource>,
    /// The sync token at the end of a `sync-collection` answer (RFC 6578 section 6.2).
    pub sync_token: Option<String>,
}

/// What the document says of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its address.
    pub href: Href,
    /// The status of the resource: its own, else 200 when some property was found, else that of
    /// its first group of properties.
    pub status: u16,
    /// The properties that were found.
    pub props: Props,
}

/// The properties that we ever ask for; what was not found stays empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Props {
    /// `getetag`, as spelled.
    pub etag: Option<String>,
    /// `calendar-data`: the iCalendar text.
    pub calendar_data: Option<String>,
    /// `displayname`.
    pub name: Option<String>,
    /// `getctag` (calendarserver): moves whenever a member changes.
    pub ctag: Option<String>,
    /// `sync-token`.
    pub sync_token: Option<String>,
    /// `calendar-color` in any namespace, as spelled.
    pub color: Option<String>,
    /// Whether `resourcetype` holds `calendar`.
    pub is_calendar: bool,
    /// Names in `supported-calendar-component-set`; `None` when the server does not say.
    pub components: Option<Vec<String>>,
    /// Whether `supported-report-set` names `sync-collection`.
    pub reports_sync: bool,
    /// Whether `current-user-privilege-set` allows to write content; `None` when it does not say.
    pub writable: Option<bool>,
    /// `current-user-principal`.
    pub principal: Option<String>,
    /// `calendar-home-set`: the first address.
    pub home: Option<String>,
}

/// Reads the answer to a request to `base`. `what` names the request in errors. No DTD, bounded in
/// bytes and nodes; bytes that are not UTF-8 and control characters are replaced, so that one
/// broken calendar object does not hide the others.
///
/// # Errors
/// As [`Response`]'s status asks for; [`ProviderError::Retry`] when the document is cut off or no
/// multistatus; [`ProviderError::Permanent`] when it is too large.
pub fn read(base: &Url, response: &Response, what: &str) -> Result<Multistatus, ProviderError> {
    response.expect_multistatus(what)?;
    if response.body.len() > PROVIDER_RESPONSE_BYTES_MAX {
        return Err(too_large(what));
    }
    let text = cleaned(&response.body);
    let options = ParsingOptions { nodes_limit: PROVIDER_XML_NODES_MAX, ..Default::default() };
    let document = Document::parse_with_options(&text, options).map_err(|error| match error {
        roxmltree::Error::NodesLimitReached => too_large(what),
        roxmltree::Error::DtdDetected => {
            ProviderError::permanent(format!("{what}: the server's answer holds a DTD, refused"))
        }
        other => {
            ProviderError::retry(format!("{what}: the server's answer is broken XML: {other}"))
        }
    })?;
    let root = document.root_element();
    if !is(root, DAV, "multistatus") {
        return Err(ProviderError::retry(format!("{what}: the server's answer is no multistatus")));
    }
    let mut multistatus = Multistatus::default();
    for child in root.children() {
        if is(child, DAV, "response") {
            read_response(base, child, &mut multistatus.resources);
        } else if is(child, DAV, "sync-token") {
            multistatus.sync_token = text_of(child);
        }
    }
    Ok(multistatus)
}

fn too_large(what: &str) -> ProviderError {
    ProviderError::permanent(format!("{what}: the server's answer is too large"))
}

fn cleaned(body: &[u8]) -> String {
    String::from_utf8_lossy(body)
        .trim_start_matches('\u{feff}')
        .chars()
        .filter(|&c| c >= ' ' || matches!(c, '\t' | '\r' | '\n'))
        .filter(|&c| !matches!(c, '\u{fffe}' | '\u{ffff}'))
        .collect()
}

fn read_response(base: &Url, response: Node<'_, '_>, resources: &mut Vec<Resource>) {
    let own = child(response, DAV, "status").and_then(status_of);
    let mut found = None;
    let mut first = None;
    let mut props = Props::default();
    for group in response.children().filter(|node| is(*node, DAV, "propstat")) {
        let status = child(group, DAV, "status").and_then(status_of).unwrap_or(200);
        first = first.or(Some(status));
        if (200..300).contains(&status) {
            found = Some(200);
            if let Some(prop) = child(group, DAV, "prop") {
                read_props(prop, &mut props);
            }
        }
    }
    let status = own.or(found).or(first).unwrap_or(200);
    for href in response.children().filter(|node| is(*node, DAV, "href")) {
        if let Some(href) = text_of(href).and_then(|sent| Href::read(base, &sent)) {
            resources.push(Resource { href, status, props: props.clone() });
        }
    }
}

fn read_props(prop: Node<'_, '_>, props: &mut Props) {
    for node in prop.children().filter(Node::is_element) {
        let name = (node.tag_name().namespace().unwrap_or_default(), node.tag_name().name());
        match name {
            (DAV, "getetag") => props.etag = text_of(node),
            (CALDAV, "calendar-data") => props.calendar_data = text_of(node),
            (DAV, "displayname") => props.name = text_of(node),
            (CALENDARSERVER, "getctag") => props.ctag = text_of(node),
            (DAV, "sync-token") => props.sync_token = text_of(node),
            (_, "calendar-color") => props.color = text_of(node),
            (DAV, "resourcetype") => props.is_calendar = child(node, CALDAV, "calendar").is_some(),
            (CALDAV, "supported-calendar-component-set") => {
                props.components = Some(component_names(node));
            }
            (DAV, "supported-report-set") => {
                props.reports_sync = node.descendants().any(|n| is(n, DAV, "sync-collection"));
            }
            (DAV, "current-user-privilege-set") => {
                props.writable = Some(node.descendants().any(|privilege| {
                    ["all", "write", "write-content"].iter().any(|name| is(privilege, DAV, name))
                }));
            }
            (DAV, "current-user-principal") => props.principal = inner_href(node),
            (CALDAV, "calendar-home-set") => props.home = inner_href(node),
            _ => {}
        }
    }
}

fn component_names(set: Node<'_, '_>) -> Vec<String> {
    set.children()
        .filter(|node| is(*node, CALDAV, "comp"))
        .filter_map(|node| node.attribute("name"))
        .map(str::to_ascii_uppercase)
        .collect()
}

fn inner_href(node: Node<'_, '_>) -> Option<String> {
    child(node, DAV, "href").and_then(text_of)
}

fn child<'a, 'i>(node: Node<'a, 'i>, namespace: &str, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| is(*child, namespace, name))
}

fn is(node: Node<'_, '_>, namespace: &str, name: &str) -> bool {
    node.is_element()
        && node.tag_name().name() == name
        && node.tag_name().namespace() == Some(namespace)
}

/// All text directly inside `node` (CDATA or escapes may split it), `None` when blank.
fn text_of(node: Node<'_, '_>) -> Option<String> {
    let text: String = node.children().filter_map(|child| child.text()).collect();
    let trimmed = text.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// `HTTP/1.1 404 Not Found` -> 404.
fn status_of(node: Node<'_, '_>) -> Option<u16> {
    text_of(node)?.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caldav::answer;

    fn base() -> Url {
        Url::parse("http://127.0.0.1:5232/u/").unwrap()
    }

    fn fails(body: impl Into<bytes::Bytes>) -> ProviderError {
        read(&base(), &answer(207, body), "test").unwrap_err()
    }

    #[test]
    fn hostile_documents_are_refused_in_plain_words() {
        let permanent = |body: String| matches!(fails(body), ProviderError::Permanent { .. });
        let retry = |body: String| matches!(fails(body), ProviderError::Retry { .. });
        assert!(permanent("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".into()));
        assert!(permanent("x".repeat(PROVIDER_RESPONSE_BYTES_MAX + 1)));
        assert!(permanent(format!("<a>{}</a>", "<b/>".repeat(2_100_000))));
        assert!(retry("<a>".repeat(500_000)));
        assert!(retry("<html><body>Welcome</body></html>".into()));
        assert!(retry("<multistatus xmlns=\"DAV:\"><response>".into()));
        assert!(retry(String::new()));
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let deep = format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000));
        assert!(matches!(fails(deep), ProviderError::Retry { .. }));
    }

    #[test]
    fn bad_bytes_in_one_object_do_not_hide_the_document() {
        let body =
            b"<multistatus xmlns=\"DAV:\"><response><href>/u/\xe9.ics</href><propstat><prop>\
            <getetag>\"1\x0b\"</getetag></prop><status>HTTP/1.1 200 OK</status></propstat>\
            </response></multistatus>";
        let read = read(&base(), &answer(207, &body[..]), "test").unwrap();
        assert_eq!(read.resources[0].props.etag.as_deref(), Some("\"1\""));
    }

    #[test]
    fn properties_of_failed_groups_do_not_count() {
        let body = "<d:multistatus xmlns:d=\"DAV:\"><d:response><d:href>/a</d:href><d:href>/b</d:href>\
            <d:propstat><d:prop><d:getetag>no</d:getetag></d:prop><d:status>HTTP/1.1 403 No</d:status>\
            </d:propstat></d:response></d:multistatus>";
        let read = read(&base(), &answer(207, body), "test").unwrap();
        let got: Vec<_> = read.resources.iter().map(|r| (r.href.key.as_str(), r.status)).collect();
        assert_eq!(got, [("/a", 403), ("/b", 403)]);
        assert_eq!(read.resources[0].props, Props::default());
    }
}
