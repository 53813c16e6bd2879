//! Writing resources: one PUT or DELETE, guarded by what was seen before.
//!
//! A resource is created where nothing is (`If-None-Match: *`), so a repeated create is refused and found to
//! be done by reading; it is changed and deleted only in the version that was seen (`If-Match` with its
//! own entity tag, never `*`, which servers understand differently). It is deleted at the address that
//! the server lists, never at one made from its UID.
//!
//! Servers rewrite what they are given, so what is mirrored is read back with [`get_request`]; where the
//! answer to a PUT names no strong entity tag, there is no other way to know the version.

use http::Method;
use http::header::{CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH};
use url::Url;

use super::{Request, Response};
use crate::error::ProviderError;
use crate::http::below;

const CALENDAR: &str = "text/calendar; charset=utf-8";

const CREATE: &str = "creating the event";
const UPDATE: &str = "writing the event";
const DELETE: &str = "deleting the event";
const READ: &str = "reading the event";

/// The address of a new resource.
pub fn address(calendar: &Url, uid: &str) -> Url {
    below(calendar, &[&format!("{uid}.ics")])
}

/// Creates a resource at [`address`].
pub fn create_request(calendar: &Url, uid: &str, icalendar: &str) -> Request {
    put(address(calendar, uid), icalendar).with(IF_NONE_MATCH.as_str(), "*")
}

/// Writes a resource that has the entity tag `etag`, as spelled.
///
/// # Errors
/// [`ProviderError::Conflict`] when there is no entity tag to guard it with: read the resource first.
pub fn update_request(
    resource: &Url,
    etag: &str,
    icalendar: &str,
) -> Result<Request, ProviderError> {
    guarded(put(resource.clone(), icalendar), etag)
}

/// Deletes a resource that has the entity tag `etag`, as spelled.
///
/// # Errors
/// As [`update_request`].
pub fn delete_request(resource: &Url, etag: &str) -> Result<Request, ProviderError> {
    guarded(Request::bare(Method::DELETE, resource.clone()), etag)
}

/// Reads a resource.
pub fn get_request(resource: &Url) -> Request {
    Request::get(resource.clone()).with("accept", "text/calendar")
}

fn put(url: Url, icalendar: &str) -> Request {
    let body = icalendar.to_owned().into();
    let request = Request { body, ..Request::bare(Method::PUT, url) };
    request.with(CONTENT_TYPE.as_str(), CALENDAR)
}

fn guarded(request: Request, etag: &str) -> Result<Request, ProviderError> {
    if etag.is_empty() || etag == "*" {
        let why = "the event's version is not known; read it again".into();
        return Err(ProviderError::Conflict { why });
    }
    Ok(request.with(IF_MATCH.as_str(), etag))
}

/// Reads the answer to a create or an update: the strong entity tag of what is there now, where the server
/// tells it. Read the resource where it does not.
///
/// # Errors
/// [`ProviderError::Conflict`] when it is there already, was changed meanwhile or its UID is taken;
/// [`ProviderError::Invalid`] when the server takes no such object; others as their status says.
pub fn parse_put(response: &Response, created: bool) -> Result<Option<String>, ProviderError> {
    match response.status.as_u16() {
        200 | 201 | 204 => Ok(strong_etag(response)),
        _ => Err(refused(response, if created { CREATE } else { UPDATE })),
    }
}

/// Reads the answer to a delete. What is gone already counts as deleted.
///
/// # Errors
/// As [`parse_put`].
pub fn parse_delete(response: &Response) -> Result<(), ProviderError> {
    match response.status.as_u16() {
        200 | 202 | 204 | 404 | 410 => Ok(()),
        _ => Err(refused(response, DELETE)),
    }
}

/// Reads the answer to [`get_request`]: entity tag, as spelled, and text.
///
/// # Errors
/// [`ProviderError::Gone`] when it is not there; others as their status says.
pub fn parse_get(response: &Response) -> Result<(Option<String>, String), ProviderError> {
    if response.status.as_u16() != 200 {
        return Err(refused(response, READ));
    }
    let text = std::str::from_utf8(&response.body)
        .map_err(|_| ProviderError::permanent(format!("{READ}: the object is no text")))?;
    Ok((etag(response), text.to_owned()))
}

fn etag(response: &Response) -> Option<String> {
    let etag = response.headers.get(ETAG)?.to_str().ok()?.trim();
    (!etag.is_empty()).then(|| etag.to_owned())
}

/// A weak tag guards nothing, and may be another one when the resource is read.
fn strong_etag(response: &Response) -> Option<String> {
    etag(response).filter(|etag| !etag.starts_with("W/"))
}

/// What a refusal means. The body of a 403 or 409 may name the precondition that failed (RFC 4791 section
/// 5.3.2.1).
fn refused(response: &Response, what: &str) -> ProviderError {
    let status = response.status.as_u16();
    let said = String::from_utf8_lossy(&response.body);
    let named = |name: &str| said.contains(name);
    let why = format!("{what}: the server answered {status}");
    match status {
        401 => ProviderError::Reauthorise {
            why: format!("the calendar server refused the user name or password ({what}: 401)"),
        },
        412 => ProviderError::Conflict { why: format!("{why}; it was changed meanwhile") },
        403 | 409 if named("no-uid-conflict") => ProviderError::Conflict {
            why: format!("{why}: its UID is in use in this or another calendar"),
        },
        403 | 409 if named("valid-calendar") || named("supported-calendar") || named("max-") => {
            ProviderError::Invalid { why: format!("{why}: it takes no such event") }
        }
        403 => ProviderError::Forbidden { why: format!("{why}; the calendar may be read only") },
        409 if what != READ => ProviderError::Conflict { why },
        404 | 410 => ProviderError::Gone { why },
        400 | 413 | 415 | 422 => ProviderError::Invalid { why },
        507 => ProviderError::Forbidden { why: format!("{why}; the calendar is full") },
        408 | 423 | 425 | 429 | 500..=599 => {
            ProviderError::Retry { after_ms: response.retry_after_ms(), why }
        }
        300..=399 => ProviderError::retry(format!("{why}, a redirect")),
        _ => ProviderError::permanent(why),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::http::answer;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
        request.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn a_create_is_at_its_uid_and_only_where_nothing_is() {
        for calendar in ["https://h/u/work/", "https://h/u/work"] {
            let request = create_request(&url(calendar), "a@b/c", "BEGIN:VCALENDAR\r\n");
            assert_eq!(request.url.as_str(), "https://h/u/work/a@b%2Fc.ics");
            assert_eq!(
                (request.method.as_str(), header(&request, "if-none-match")),
                ("PUT", Some("*"))
            );
            assert_eq!(header(&request, "content-type"), Some("text/calendar; charset=utf-8"));
            assert_eq!(request.headers.get_all("content-type").iter().count(), 1, "Xandikos: 415");
        }
    }

    #[test]
    fn changes_are_guarded_by_the_entity_tag_that_was_seen_and_never_by_a_star() {
        // The listed address, as it was listed: never one made from the UID.
        let listed = url("https://h/u/work/Some%20Name.ics");
        for etag in ["\"1\"", "W/\"1\"", "unquoted"] {
            let update = update_request(&listed, etag, "x").unwrap();
            let delete = delete_request(&listed, etag).unwrap();
            for request in [&update, &delete] {
                assert_eq!(header(request, "if-match"), Some(etag));
                assert_eq!(request.url, listed);
            }
        }
        for etag in ["", "*"] {
            for refused in [update_request(&listed, etag, "x"), delete_request(&listed, etag)] {
                assert!(matches!(refused, Err(ProviderError::Conflict { .. })), "{etag}");
            }
        }
    }

    #[test]
    fn a_put_without_a_strong_entity_tag_must_be_read_back() {
        for (etag, told) in [(Some("\"2\""), Some("\"2\"")), (Some("W/\"2\""), None), (None, None)]
        {
            let mut response = answer(201, "");
            if let Some(etag) = etag {
                response.headers.insert(ETAG, HeaderValue::from_static(etag));
            }
            assert_eq!(parse_put(&response, true).unwrap().as_deref(), told, "{etag:?}");
        }
        let mut response = answer(200, "BEGIN:VCALENDAR");
        response.headers.insert(ETAG, HeaderValue::from_static("W/\"2\""));
        let read = parse_get(&response).unwrap();
        assert_eq!(read, (Some("W/\"2\"".to_owned()), "BEGIN:VCALENDAR".to_owned()));
        assert!(matches!(parse_get(&answer(404, "")), Err(ProviderError::Gone { .. })));
    }

    #[test]
    fn a_refusal_becomes_the_reaction_it_asks_for() {
        let uid = "<C:no-uid-conflict xmlns:C=\"urn:ietf:params:xml:ns:caldav\"/>";
        for (status, body, expected) in [
            (412, "", "conflict"),
            (409, uid, "conflict"),
            (403, uid, "conflict"),
            (409, "", "conflict"),
            (403, "<C:valid-calendar-data/>", "invalid"),
            (403, "<C:max-resource-size/>", "invalid"),
            (415, "", "invalid"),
            (400, "", "invalid"),
            (403, "", "forbidden"),
            (507, "", "forbidden"),
            (404, "", "gone"),
            (401, "", "reauthorise"),
            (503, "", "retry"),
            (429, "", "retry"),
            (405, "", "permanent"),
        ] {
            let got = match parse_put(&answer(status, body), false).unwrap_err() {
                ProviderError::Conflict { .. } => "conflict",
                ProviderError::Invalid { .. } => "invalid",
                ProviderError::Forbidden { .. } => "forbidden",
                ProviderError::Gone { .. } => "gone",
                ProviderError::Reauthorise { .. } => "reauthorise",
                ProviderError::Retry { .. } => "retry",
                ProviderError::Permanent { .. } => "permanent",
                ProviderError::TokenRefused { .. } => "token",
            };
            assert_eq!(got, expected, "{status} {body}");
        }
    }

    #[test]
    fn what_is_gone_already_is_deleted_but_what_was_changed_is_not() {
        for status in [200, 204, 404, 410] {
            assert_eq!(parse_delete(&answer(status, "")), Ok(()), "{status}");
        }
        let changed = parse_delete(&answer(412, ""));
        assert!(matches!(changed, Err(ProviderError::Conflict { .. })), "{changed:?}");
    }
}
