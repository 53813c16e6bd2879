//! What is refused by its head alone, before the router sees it.

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE, HOST};
use axum::http::{HeaderValue, Request, Response, StatusCode, Version};

use super::ListenerLimits;

/// A request that is answered by the listener itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    TargetTooLong,
    Host,
    OtherHost,
}

impl Refusal {
    /// A problem document (RFC 9457); the connection ends with it.
    pub(super) fn response(self) -> Response<Body> {
        let (status, code, detail) = match self {
            Self::TargetTooLong => (
                StatusCode::URI_TOO_LONG,
                "target_too_long",
                "the path and query are too long: shorten them",
            ),
            Self::Host => (
                StatusCode::BAD_REQUEST,
                "host_header",
                "a request must have exactly one host header",
            ),
            Self::OtherHost => (
                StatusCode::BAD_REQUEST,
                "other_host",
                "the request line and the host header name different hosts",
            ),
        };
        let title = status.canonical_reason().unwrap_or_default();
        let problem = serde_json::json!({
            "type": "about:blank",
            "title": title,
            "status": status.as_u16(),
            "code": code,
            "detail": detail,
        });
        let mut response = Response::new(Body::from(problem.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// Judges the head of a request (RFC 9112, section 3.2).
pub(super) fn admit<B>(request: &Request<B>, limits: &ListenerLimits) -> Result<(), Refusal> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.target_bytes {
        return Err(Refusal::TargetTooLong);
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Err(Refusal::Host),
        (None, None) if request.version() >= Version::HTTP_11 => return Err(Refusal::Host),
        (host, None) => host,
    };
    match (request.uri().authority(), host) {
        (Some(authority), Some(host)) if authority.as_str().as_bytes() != host.as_bytes() => {
            Err(Refusal::OtherHost)
        }
        _ => Ok(()),
    }
}
