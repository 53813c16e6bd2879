//! One request and its answer.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;
use tidings_core::clock::Timestamp;
use url::{Url, form_urlencoded};

/// One request as it was received.
#[derive(Clone, Debug)]
pub struct Call {
    /// 1 for the first of a server.
    pub number: u64,
    /// When it had been read.
    pub at: Timestamp,
    /// The method.
    pub method: Method,
    /// The path as it was sent, without the query.
    pub path: String,
    /// The query as it was sent, without the question mark.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Call {
    /// A request that did not come by wire, for tests of a site.
    #[cfg(test)]
    pub(crate) fn made(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        });
        Self {
            number: 1,
            at: Timestamp(0),
            method: method.parse().unwrap(),
            path: path.into(),
            query: query.into(),
            headers: headers.collect(),
            body: Bytes::from(body.to_owned()),
        }
    }

    /// Path and query.
    pub fn target(&self) -> String {
        match self.query.is_empty() {
            true => self.path.clone(),
            false => format!("{}?{}", self.path, self.query),
        }
    }

    /// The parts of the path, decoded: those between the slashes, without empty ones.
    pub fn segments(&self) -> Vec<String> {
        self.path.split('/').filter(|part| !part.is_empty()).map(decoded).collect()
    }

    /// The parameters of the query in their order, decoded.
    pub fn parameters(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// The first parameter of the query with this name.
    pub fn parameter(&self, name: &str) -> Option<String> {
        first(self.parameters(), name)
    }

    /// The first field of a body that is a form.
    pub fn field(&self, name: &str) -> Option<String> {
        first(form_urlencoded::parse(&self.body).into_owned().collect(), name)
    }

    /// The header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The bearer token.
    pub fn bearer(&self) -> Option<&str> {
        self.headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
    }

    /// The body as JSON; `None` when it is none.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

fn first(pairs: Vec<(String, String)>, name: &str) -> Option<String> {
    pairs.into_iter().find(|(found, _)| found == name).map(|(_, value)| value)
}

/// Percent signs taken out (RFC 3986 section 2.1); what is no escape stays as it is.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What a simulator answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers, content type included.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Nothing but a status.
    ///
    /// # Panics
    /// When `status` is not one of HTTP.
    pub fn empty(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status of HTTP");
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A JSON document.
    pub fn json(status: u16, document: &Value) -> Self {
        Self::body(status, "application/json; charset=UTF-8", document.to_string())
    }

    /// A page for a person.
    pub fn html(status: u16, page: impl Into<Bytes>) -> Self {
        Self::body(status, "text/html; charset=UTF-8", page)
    }

    /// Plain text.
    pub fn text(status: u16, text: impl Into<Bytes>) -> Self {
        Self::body(status, "text/plain", text)
    }

    fn body(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut answer = Self::empty(status);
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        answer.body = body.into();
        answer
    }

    /// Sends a browser elsewhere.
    pub fn redirect(to: &Url) -> Self {
        Self::empty(302).with(LOCATION.as_str(), to.as_str())
    }

    /// The same with this header.
    ///
    /// # Panics
    /// When name or value do not fit into a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header's name");
        self.headers.insert(name, value.parse().expect("a header's value"));
        self
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_part_by_part() {
        for (sent, read) in [
            ("plain", "plain"),
            ("a%40b.c", "a@b.c"),
            ("a+b", "a+b"),
            ("caf%C3%A9", "café"),
            ("100%", "100%"),
            ("%zz", "%zz"),
            ("a%2Fb", "a/b"),
        ] {
            assert_eq!(decoded(sent), read, "{sent}");
        }
    }
}
