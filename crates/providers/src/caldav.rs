//! CalDAV (RFC 4791) without I/O: requests out, pages in.
//!
//! The order of use: [`discovery::Discovery`] finds the calendar home from the address that the user
//! typed; [`probe`] lists the calendars with their tags in one request; for a calendar whose tag
//! moved, [`sync`] tells which resources changed (by token, else by listing) and fetches them;
//! [`crate::icalendar`] splits each into items. Every request passes [`login::Login::authorize`]
//! before it is sent; every answer that is not understood becomes a [`ProviderError`].

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use url::Url;

use crate::error::ProviderError;

pub mod discovery;
pub mod href;
pub mod login;
pub mod multistatus;
pub mod probe;
pub mod sync;
pub mod write;

#[cfg(test)]
pub(crate) use crate::http::answer;
pub use crate::http::{Request, Response};
pub use href::Href;
pub use login::Login;

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
                _ => "of a write",
            };
            assert_eq!(got, expected, "{status}");
        }
    }
}
