//! Errors on Connect's wire: `{"error", "message", "code", "details"?}`.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use tidings_service::{CONNECT_CALENDARS, CONNECT_READ, CONNECT_WRITE, Error, Field};

/// A refused request.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Field name to what is wrong with it.
    details: Map<String, Value>,
    retry_after_s: Option<u32>,
}

/// The documentation shows `error`, the SDKs read the rest.
#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    message: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Map<String, Value>>,
}

impl Refusal {
    /// With a machine code and plain words.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Map::new(), retry_after_s: None }
    }

    /// 400: the request is not what the endpoint takes.
    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 400 about one field of the body.
    pub(crate) fn field(name: &str, code: &'static str, why: &str) -> Self {
        let mut refusal = Self::bad_request(code, format!("{name} {why}"));
        refusal.details.insert(name.to_owned(), why.into());
        refusal
    }

    fn fields(fields: &[Field]) -> Self {
        let named = |field: &Field| field.pointer.trim_start_matches('/').to_owned();
        let each: Vec<_> = fields.iter().map(|f| format!("{} {}", named(f), f.why)).collect();
        let mut refusal = Self::bad_request("invalid", each.join("; "));
        refusal.details = fields.iter().map(|f| (named(f), f.why.clone().into())).collect();
        refusal
    }

    /// 401: the documented answer to a missing, wrong or insufficient bearer.
    pub(crate) fn unauthorized() -> Self {
        let message = "give a valid access token in the authorization header: Bearer and the token";
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
    }

    /// What is said of it in one line, with its status.
    pub(crate) fn into_words(self) -> (StatusCode, String) {
        (self.status, self.message)
    }

    fn retry_after_s(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let unauthorized = self.status == StatusCode::UNAUTHORIZED;
        let body = Body {
            error: if unauthorized { "Unauthorized" } else { &self.message },
            message: &self.message,
            code: self.code,
            details: Some(&self.details).filter(|details| !details.is_empty()),
        };
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"connect\""));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What the service says, on Connect's wire. Of the client's mistakes only
/// 400, 401, 403 and 404 are documented.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let with = |status| Self::new(status, error.code(), error.to_string());
        match &error {
            Error::Unauthenticated => Self::unauthorized(),
            // Writing and the list of calendars as documented, word for word.
            Error::Forbidden(CONNECT_WRITE) => {
                let message = "Write access denied for current scope";
                Self::new(StatusCode::UNAUTHORIZED, error.code(), message)
            }
            Error::Forbidden(CONNECT_READ) => {
                let message = "Webhook access denied for current scope";
                Self::new(StatusCode::UNAUTHORIZED, error.code(), message)
            }
            Error::Forbidden(CONNECT_CALENDARS) => {
                let message = "Calendar list access is forbidden for free-busy scope";
                Self::new(StatusCode::FORBIDDEN, error.code(), message)
            }
            Error::Forbidden(_) => {
                let message = "the access token may not do this";
                Self::new(StatusCode::UNAUTHORIZED, error.code(), message)
            }
            Error::NotFound(_) => with(StatusCode::NOT_FOUND),
            Error::Conflict(_) | Error::Stale { .. } | Error::Refused(_) | Error::Malformed(_) => {
                with(StatusCode::BAD_REQUEST)
            }
            Error::Invalid(fields) => Self::fields(fields),
            Error::LimitExceeded { retry_after_s, .. } => {
                with(StatusCode::TOO_MANY_REQUESTS).retry_after_s(retry_after_s.unwrap_or(60))
            }
            Error::TooLarge(_) => with(StatusCode::PAYLOAD_TOO_LARGE),
            Error::Gone { .. } => with(StatusCode::GONE),
            Error::Unavailable { retry_after_s }
            | Error::ProviderUnavailable { retry_after_s, .. } => {
                with(StatusCode::SERVICE_UNAVAILABLE).retry_after_s(*retry_after_s)
            }
            Error::NotConfigured(_) | Error::Full | Error::Internal => {
                with(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

#[cfg(test)]
mod tests;
