//! CalDAV (RFC 4791) without I/O: requests out, pages in.
//!
//! The order of use: [`discovery::Discovery`] finds the calendar home from the address that the user
//! typed; [`probe`] lists the calendars with their tags in one request; for a calendar whose tag
//! moved, [`sync`] tells which resources changed (by token, else by listing) and fetches them;
//! [`crate::icalendar`] splits each into items. Every request passes [`login::Login::authorize`]
//! before it is sent; every answer that is not understood becomes a [`ProviderError`].

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

use crate::error::ProviderError;

pub mod discovery;
pub mod href;
pub mod login;
pub mod multistatus;
pub mod probe;
pub mod sync;

pub use href::Href;
pub use login::Login;

/// A request to send. Not yet authorised: see [`Login::authorize`].
#[derive(Clone, Debug)]
pub struct Request {
    /// `PROPFIND` or `REPORT`.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// All headers but `Host` and `Content-Length`; `Content-Type` exactly once.
    pub headers: HeaderMap,
    /// The XML document.
    pub body: Bytes,
}

/// A response that arrived whole, within the limits of the caller.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// How far below a resource a request reaches (RFC 4918 section 10.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The resource alone.
    Zero,
    /// The resource and its members.
    One,
}

impl Request {
    fn propfind(url: Url, depth: Depth, body: String) -> Self {
        Self::new("PROPFIND", url, depth, body)
    }

    fn report(url: Url, depth: Depth, body: String) -> Self {
        Self::new("REPORT", url, depth, body)
    }

    fn new(method: &str, url: Url, depth: Depth, body: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
        headers.insert(
            "depth",
            HeaderValue::from_static(match depth {
                Depth::Zero => "0",
                Depth::One => "1",
            }),
        );
        let method = Method::from_bytes(method.as_bytes()).expect("a token is a method");
        Self { method, url, headers, body: body.into() }
    }
}

impl Response {
    /// `Ok` for 207, else the error that the status stands for. `what` names the request in the
    /// error's text, for instance `"listing the calendars"`.
    fn expect_multistatus(&self, what: &str) -> Result<(), ProviderError> {
        let status = self.status.as_u16();
        match status {
            207 => Ok(()),
            401 => Err(ProviderError::Reauthorise {
                why: format!("the calendar server refused the user name or password ({what}: 401)"),
            }),
            404 | 410 => {
                Err(ProviderError::Gone { why: format!("{what}: the server answered {status}") })
            }
            408 | 423 | 425 | 429 | 500..=599 => Err(ProviderError::Retry {
                after_ms: self.retry_after_ms(),
                why: format!("{what}: the server answered {status}"),
            }),
            300..=399 => Err(ProviderError::retry(format!(
                "{what}: the server answered with a redirect ({status}); if this lasts, connect \
                 the account again with the new address"
            ))),
            200..=299 => Err(ProviderError::permanent(format!(
                "{what}: the server answered {status} instead of 207; this is not a CalDAV address"
            ))),
            _ => Err(ProviderError::permanent(format!("{what}: the server answered {status}"))),
        }
    }

    /// `Retry-After` in either form. A date is measured against the response's own `Date`, so no
    /// clock of ours is involved.
    fn retry_after_ms(&self) -> Option<u64> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(seconds.saturating_mul(1000));
        }
        let sent = self.headers.get(DATE)?.to_str().ok()?;
        let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
        let sent = jiff::fmt::rfc2822::parse(sent).ok()?.timestamp().as_millisecond();
        u64::try_from(at.saturating_sub(sent)).ok()
    }
}

/// `text` with the characters escaped that XML gives a meaning.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Response {
    Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_becomes_the_reaction_it_asks_for() {
        for (status, expected) in [
            (401, "reauthorise"),
            (403, "permanent"),
            (404, "gone"),
            (410, "gone"),
            (429, "retry"),
            (503, "retry"),
            (200, "permanent"),
            (302, "retry"),
        ] {
            let got = match answer(status, "").expect_multistatus("test").unwrap_err() {
                ProviderError::Retry { .. } => "retry",
                ProviderError::Reauthorise { .. } => "reauthorise",
                ProviderError::TokenRefused { .. } => "token",
                ProviderError::Gone { .. } => "gone",
                ProviderError::Permanent { .. } => "permanent",
            };
            assert_eq!(got, expected, "{status}");
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        for (text, expected) in [
            ("7", Some(7000)),
            ("Sat, 21 Nov 2026 05:00:30 GMT", Some(30_000)),
            ("Sat, 21 Nov 2026 04:59:00 GMT", None),
            ("soon", None),
        ] {
            let mut response = answer(503, "");
            response.headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            response
                .headers
                .insert(DATE, HeaderValue::from_static("Sat, 21 Nov 2026 05:00:00 GMT"));
            assert_eq!(response.retry_after_ms(), expected, "{text}");
        }
    }
}
