//! Errors on Vyte's wire. The statuses are documented, the body is ours:
//! `{"status", "error", "code", "message", "details"?}`.

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use tidings_service::{Error, Field};

/// A refused request.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Field name to what is wrong with it.
    details: Map<String, Value>,
    retry_after_s: Option<u32>,
    allow: Option<&'static str>,
}

#[derive(Serialize)]
struct Body<'a> {
    status: u16,
    error: &'a str,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Map<String, Value>>,
}

impl Refusal {
    /// With a machine code and plain words.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let (message, details) = (message.into(), Map::new());
        Self { status, code, message, details, retry_after_s: None, allow: None }
    }

    /// 400: the request is not what the call takes.
    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 400 about one field of the body or query.
    pub(crate) fn field(name: &str, why: &str) -> Self {
        Self::fields(&[(name.to_owned(), why.to_owned())])
    }

    fn fields(fields: &[(String, String)]) -> Self {
        let each: Vec<_> = fields.iter().map(|(name, why)| format!("{name} {why}")).collect();
        let mut refusal = Self::bad_request("invalid", each.join("; "));
        refusal.details =
            fields.iter().map(|(name, why)| (name.clone(), why.clone().into())).collect();
        refusal
    }

    /// 401: no key, or none that works.
    pub(crate) fn unauthorized() -> Self {
        let message = "give your organization's API key, as it is, in the header Authorization";
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
    }

    /// 404: there is no such thing in the organization.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("{what} not found"))
    }

    /// 405, with what the path takes.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let message = format!("this path takes {allow}");
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self { allow: Some(allow), ..Self::new(status, "method_not_allowed", message) }
    }

    /// 503: too many wrote at the same time.
    pub(crate) fn busy() -> Self {
        let message = "others changed the same thing at the same time; try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message).retry_after_s(1)
    }

    fn retry_after_s(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Body {
            status: self.status.as_u16(),
            error: self.status.canonical_reason().unwrap_or("Error"),
            code: self.code,
            message: &self.message,
            details: Some(&self.details).filter(|details| !details.is_empty()),
        };
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What the service says, on Vyte's wire. Of the client's mistakes 400, 401, 403 and 404 are documented.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let with = |status| Self::new(status, error.code(), error.to_string());
        match &error {
            Error::Unauthenticated => Self::unauthorized(),
            Error::Forbidden(_) => with(StatusCode::FORBIDDEN),
            Error::NotFound(_) | Error::Gone { .. } => with(StatusCode::NOT_FOUND),
            Error::Invalid(fields) => Self::fields(&fields.iter().map(named).collect::<Vec<_>>()),
            Error::Conflict(_) | Error::Refused(_) | Error::Malformed(_) => {
                with(StatusCode::BAD_REQUEST)
            }
            Error::LimitExceeded { retry_after_s, .. } => {
                with(StatusCode::TOO_MANY_REQUESTS).retry_after_s(retry_after_s.unwrap_or(60))
            }
            Error::TooLarge(_) => with(StatusCode::PAYLOAD_TOO_LARGE),
            Error::Stale { .. } => Self::busy(),
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

/// A field of the service under its name on Vyte's wire.
fn named(field: &Field) -> (String, String) {
    let name = match field.pointer.trim_start_matches('/') {
        "url" => "target_url",
        "external_id" => "extid",
        "0/data" => "resource",
        pointer if pointer.starts_with("triggers") => "action",
        pointer => pointer,
    };
    let why = match field.code {
        "url_scheme" => "must be a https url".to_owned(),
        "trigger" => format!("must be one of {}", crate::hooks::actions()),
        code if code.starts_with("url_") => format!("is not acceptable: {}", field.why),
        _ => field.why.clone(),
    };
    (name.replace('/', "."), why)
}

#[cfg(test)]
mod tests;
