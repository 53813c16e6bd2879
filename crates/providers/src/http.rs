//! Requests and responses as data: whoever does the I/O sends the one and hands back the other.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

/// A request to send, not yet authorised. `Debug` shows neither body nor query: both may hold
/// secrets.
#[derive(Clone)]
pub struct Request {
    /// What is done there.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// All headers but `Host` and `Content-Length`; `Content-Type` exactly once, when there is a body.
    pub headers: HeaderMap,
    /// The document.
    pub body: Bytes,
}

/// A response that arrived whole, within the limits of the caller. `Debug` does not show the body.
#[derive(Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Request {
    /// Reads `url`.
    pub fn get(url: Url) -> Self {
        Self::bare(Method::GET, url)
    }

    /// A request without a body.
    pub fn bare(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// Sends `document` as JSON.
    pub fn json(method: Method, url: Url, document: &impl Serialize) -> Self {
        let body = serde_json::to_vec(document).expect("documents of ours are texts and numbers");
        let request = Self { body: body.into(), ..Self::bare(method, url) };
        request.with(CONTENT_TYPE.as_str(), "application/json")
    }

    /// Posts a form (`application/x-www-form-urlencoded`).
    pub fn form(url: Url, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish()
            .into();
        let request = Self { body, ..Self::bare(Method::POST, url) };
        request.with(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")
    }

    /// The same request with one more header. A value that no header can hold is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let name = http::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            self.headers.insert(name, value);
        }
        self
    }
}

impl Response {
    /// The body as JSON; `None` when it is none, or not of that shape.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// `Retry-After` in either form, ms. A date is measured against the response's own `Date`, so no
    /// clock of ours is involved.
    pub fn retry_after_ms(&self) -> Option<u64> {
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

/// The address below `base` with these path segments, each escaped: ids may hold slashes, `@`, `#`.
pub fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = (self.url.host_str().unwrap_or_default(), self.url.path());
        let mut shown = f.debug_struct("Request");
        shown.field("method", &self.method).field("place", &place);
        shown.field("body_bytes", &self.body.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Response");
        shown.field("status", &self.status).field("body_bytes", &self.body.len());
        shown.finish_non_exhaustive()
    }
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

    #[test]
    fn ids_become_single_path_segments() {
        for (base, expected) in [
            ("http://h/calendar/v3", "http://h/calendar/v3/calendars/a%2Fb%23c@d/events"),
            ("http://h/calendar/v3/", "http://h/calendar/v3/calendars/a%2Fb%23c@d/events"),
            ("http://h", "http://h/calendars/a%2Fb%23c@d/events"),
        ] {
            let url = below(&Url::parse(base).unwrap(), &["calendars", "a/b#c@d", "events"]);
            assert_eq!(url.as_str(), expected, "{base}");
        }
    }

    #[test]
    fn secrets_of_forms_and_queries_are_not_shown() {
        let url = Url::parse("https://h/token?code=s3cret").unwrap();
        let request = Request::form(url, &[("refresh_token", "s3cret & more")]);
        assert_eq!(request.body, "refresh_token=s3cret+%26+more");
        assert!(!format!("{request:?}").contains("s3cret"));
        assert!(!format!("{:?}", answer(200, "s3cret")).contains("s3cret"));
    }
}
