//! Errors on the wire: `application/problem+json` (RFC 9457).

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tidings_service::{Error, Field};
use utoipa::ToSchema;

/// The media type of an error.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// What is wrong with one place of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// JSON pointer (RFC 6901) into the request body; empty for the whole document.
    #[schema(example = "/triggers/0")]
    pub pointer: String,
    /// Machine code of what is wrong there.
    #[schema(value_type = String, example = "unknown_trigger")]
    pub code: Cow<'static, str>,
    /// The same in plain words.
    pub detail: String,
}

/// A refused request. Turned into a response by [`crate::request_id`], which knows the request's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    retry_after_s: Option<u32>,
    oldest_seq: Option<u64>,
    etag: Option<String>,
}

/// The body of every answer that is not a success.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "/docs/problems#invalid",
    "title": "The request body is not what this operation takes",
    "status": 422,
    "detail": "missing field `type`",
    "code": "invalid",
    "errors": [{"pointer": "/type", "code": "missing", "detail": "missing field `type`"}],
    "request_id": "req_6b8ff0d1c2a94e57a3d10c44"
}))]
pub(crate) struct Document {
    /// Where this kind of problem is documented.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name, the same for every occurrence.
    #[schema(value_type = String)]
    pub title: &'static str,
    /// The status of the response.
    pub status: u16,
    /// What happened this time and what to do.
    pub detail: String,
    /// Machine code.
    #[schema(value_type = String)]
    pub code: &'static str,
    /// The places of the body that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The first `seq` that is still kept, when what was asked for is older.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_seq: Option<u64>,
    /// The entity tag of the version that is current, when the request named another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Id of the request, also in the header `x-request-id`.
    pub request_id: String,
}

impl Problem {
    /// A problem with a machine code and plain words.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_s: None,
            oldest_seq: None,
            etag: None,
        }
    }

    /// 400 about the query string, a header or the syntax of the body.
    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// The same, said of a line of a body that has one document a line.
    pub(crate) fn in_line(mut self, number: u64) -> Self {
        self.detail = format!("line {number}: {}", self.detail);
        self
    }

    /// 404: the path, or something in the request, names nothing of this app.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 422: one place of the body is wrong.
    pub(crate) fn invalid(
        pointer: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        let (pointer, detail) = (pointer.into(), detail.into());
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail.clone());
        problem.errors.push(FieldError { pointer, code: code.into(), detail });
        problem
    }

    fn fields(mut self, fields: &[Field]) -> Self {
        self.errors = fields
            .iter()
            .map(|field| FieldError {
                pointer: field.pointer.clone(),
                code: field.code.into(),
                detail: field.why.clone(),
            })
            .collect();
        self
    }

    /// Moves the places that are wrong below `pointer`.
    #[must_use]
    pub(crate) fn under(mut self, pointer: &str) -> Self {
        for error in &mut self.errors {
            error.pointer.insert_str(0, pointer);
        }
        self
    }

    /// Adds `retry-after`, seconds.
    #[must_use]
    pub(crate) fn retry_after_s(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Says which `seq` is the oldest that is kept.
    #[must_use]
    pub(crate) fn oldest_seq(mut self, seq: u64) -> Self {
        self.oldest_seq = Some(seq);
        self
    }

    /// Says which version is current, in the body and as header.
    #[must_use]
    pub(crate) fn etag(mut self, current: Option<String>) -> Self {
        self.etag = current;
        self
    }

    /// The response to the request with this id.
    pub(crate) fn respond(&self, request_id: &str) -> Response {
        let document = Document {
            kind: format!("/docs/problems#{}", self.code),
            title: title(self.code),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code,
            errors: self.errors.clone(),
            oldest_seq: self.oldest_seq,
            etag: self.etag.clone(),
            request_id: request_id.to_owned(),
        };
        let body = serde_json::to_vec(&document).expect("a problem has only plain fields");
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"tidings\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(Ok(etag)) = self.etag.as_deref().map(HeaderValue::from_str) {
            headers.insert(ETAG, etag);
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// Leaves the problem in the response's extensions; the request id completes it later.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What the service says, on the wire of the native API.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let with = |status| Self::new(status, error.code(), error.to_string());
        match &error {
            Error::NotFound(_) => with(StatusCode::NOT_FOUND),
            Error::Conflict(_) => with(StatusCode::CONFLICT),
            Error::Stale { current, .. } => {
                with(StatusCode::PRECONDITION_FAILED).etag(current.clone())
            }
            Error::Refused(_) => with(StatusCode::UNPROCESSABLE_ENTITY),
            Error::Invalid(fields) if fields.iter().any(is_query_parameter) => {
                Self::bad_request("invalid_query", error.to_string())
            }
            Error::Invalid(fields) => with(StatusCode::UNPROCESSABLE_ENTITY).fields(fields),
            Error::Malformed(_) => with(StatusCode::BAD_REQUEST),
            Error::Unauthenticated => with(StatusCode::UNAUTHORIZED),
            Error::Forbidden(_) => with(StatusCode::FORBIDDEN),
            Error::LimitExceeded { retry_after_s, .. } => {
                with(StatusCode::TOO_MANY_REQUESTS).retry_after_s(retry_after_s.unwrap_or(60))
            }
            Error::TooLarge(_) => with(StatusCode::PAYLOAD_TOO_LARGE),
            Error::Gone { oldest_seq } => with(StatusCode::GONE).oldest_seq(*oldest_seq),
            Error::Unavailable { retry_after_s } => {
                with(StatusCode::SERVICE_UNAVAILABLE).retry_after_s(*retry_after_s)
            }
            Error::ProviderUnavailable { retry_after_s, .. } => {
                with(StatusCode::SERVICE_UNAVAILABLE).retry_after_s(*retry_after_s)
            }
            Error::NotConfigured(_) => with(StatusCode::NOT_IMPLEMENTED),
            Error::Full => with(StatusCode::INSUFFICIENT_STORAGE),
            Error::Internal => with(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// A query parameter is named alone; a pointer into the body is empty or begins with a slash.
fn is_query_parameter(field: &Field) -> bool {
    !field.pointer.is_empty() && !field.pointer.starts_with('/')
}

/// The name of each problem; the crate's README lists them under the same codes.
fn title(code: &str) -> &'static str {
    match code {
        "not_found" => "There is no such thing here",
        "conflict" => "The request contradicts what is stored",
        "stale" => "What was to be written has changed in the meantime",
        "refused" => "The calendar's provider does not do this",
        "provider_unavailable" => "The calendar's provider cannot do this at the moment",
        "not_configured" => "The operator must configure this first",
        "invalid" => "The request body is not what this operation takes",
        "malformed" => "The request cannot be understood",
        "unauthenticated" => "A valid key is needed",
        "forbidden" => "The key may not do this",
        "limit_exceeded" => "A limit is reached",
        "too_large" => "The request is too large",
        "gone" => "The journal no longer holds this",
        "unavailable" => "The server cannot do this at the moment",
        "full" => "The server's disk is full",
        "method_not_allowed" => "The path does not take this method",
        "invalid_query" => "The query string is not what this operation takes",
        "invalid_header" => "A request header is not what this operation takes",
        "unsupported_media_type" => "The request body must be plain JSON",
        "uri_too_long" => "The request target is too long",
        _ => "Something went wrong in the server",
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// Every kind of error once; a new kind does not compile until it is listed here.
    fn every_kind() -> Vec<Error> {
        let place = |pointer: &str| {
            let why = "must not be blank".to_owned();
            Field { pointer: pointer.to_owned(), code: "blank", why }
        };
        let kinds = vec![
            Error::NotFound("hook"),
            Error::Conflict("another app has this external id".into()),
            Error::Stale { why: "the event has changed".into(), current: Some("\"a1\"".into()) },
            Error::Refused("the calendar is read-only".into()),
            Error::Invalid(vec![place("/name"), place("/external_id")]),
            Error::Invalid(vec![place("limit")]),
            Error::Malformed("name the app: send its id in the header tidings-app".into()),
            Error::Unauthenticated,
            Error::Forbidden("publish"),
            Error::LimitExceeded { limit: "hooks of an app".into(), retry_after_s: None },
            Error::LimitExceeded {
                limit: "512 streams open at once".into(),
                retry_after_s: Some(5),
            },
            Error::TooLarge("a batch has at most 1000 changes".into()),
            Error::Gone { oldest_seq: 42 },
            Error::Unavailable { retry_after_s: 1 },
            Error::ProviderUnavailable { why: "google is busy".into(), retry_after_s: 30 },
            Error::NotConfigured("google is not configured: set google.client_id".into()),
            Error::Full,
            Error::Internal,
        ];
        let place_of = |error: &Error| match error {
            Error::NotFound(_) => 0,
            Error::Conflict(_) => 1,
            Error::Stale { .. } => 2,
            Error::Refused(_) => 3,
            Error::Invalid(_) => 4,
            Error::Malformed(_) => 5,
            Error::Unauthenticated => 6,
            Error::Forbidden(_) => 7,
            Error::LimitExceeded { .. } => 8,
            Error::TooLarge(_) => 9,
            Error::Gone { .. } => 10,
            Error::Unavailable { .. } => 11,
            Error::ProviderUnavailable { .. } => 12,
            Error::NotConfigured(_) => 13,
            Error::Full => 14,
            Error::Internal => 15,
        };
        let mut places: Vec<_> = kinds.iter().map(place_of).collect();
        places.dedup();
        assert_eq!(places, (0..=15).collect::<Vec<_>>());
        kinds
    }

    #[tokio::test]
    async fn every_kind_of_error_has_its_wire_form() {
        let mut wire = String::new();
        for error in every_kind() {
            let response = Problem::from(error).respond("req_1");
            let (parts, body) = response.into_parts();
            wire += &format!("{}\n", parts.status);
            for (name, value) in &parts.headers {
                wire += &format!("{name}: {}\n", value.to_str().unwrap());
            }
            let body = body.collect().await.unwrap().to_bytes();
            wire += &format!("{}\n\n", std::str::from_utf8(&body).unwrap());
        }
        insta::assert_snapshot!(wire);
    }
}
