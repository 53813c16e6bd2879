//! Errors on the wire of Pyas: what express-validator makes of a wrong parameter, and
//! `{"success": false, "error", "code"}` for the rest.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tidings_service::{Error, Field, NotConnected};

/// Where a parameter stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Location {
    Query,
    Body,
}

/// One wrong parameter. Members are printed in this order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Fault {
    /// What was given; absent when nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Value>,
    pub(crate) msg: String,
    pub(crate) param: String,
    pub(crate) location: Location,
}

/// A refused request.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// 400 with every wrong parameter.
    Invalid(Vec<Fault>),
    /// 401, the same for every key that does not work.
    Unauthorized,
    /// Any other status, in words.
    Told { status: StatusCode, error: String, retry_after_s: Option<u32> },
}

#[derive(Serialize)]
struct Errors<'a> {
    errors: &'a [Fault],
}

#[derive(Serialize)]
struct Unauthorized {
    error: &'static str,
}

#[derive(Serialize)]
struct Told<'a> {
    success: bool,
    error: &'a str,
    code: u16,
}

impl Refusal {
    pub(crate) fn told(status: StatusCode, error: impl Into<String>) -> Self {
        Self::Told { status, error: error.into(), retry_after_s: None }
    }

    fn later(status: StatusCode, error: String, seconds: u32) -> Self {
        Self::Told { status, error, retry_after_s: Some(seconds) }
    }

    pub(crate) fn not_found() -> Self {
        Self::told(StatusCode::NOT_FOUND, "Not Found")
    }

    pub(crate) fn no_account() -> Self {
        Self::told(StatusCode::NOT_FOUND, "Invalid account id. Account Not Found")
    }

    pub(crate) fn one(fault: Fault) -> Self {
        Self::Invalid(vec![fault])
    }

    /// The fields of a service error as parameters, named by `name`.
    fn fields(fields: Vec<Field>) -> Self {
        let fault = |field: Field| Fault {
            value: None,
            msg: field.why,
            param: parameter(&field.pointer),
            // The service names members of a body by pointer, parameters of a query alone.
            location: if field.pointer.starts_with('/') || field.pointer.is_empty() {
                Location::Body
            } else {
                Location::Query
            },
        };
        Self::Invalid(fields.into_iter().map(fault).collect())
    }
}

/// The parameter of Pyas that a member of the service's input was read from, as express-validator names
/// it: `/attendees/0/email` is `eventData.attendees[0].email`.
fn parameter(pointer: &str) -> String {
    let Some(path) = pointer.strip_prefix('/') else {
        let name = match pointer {
            "" => "eventData",
            "from" => "startDate",
            "to" => "endDate",
            "cursor" => "nextPageToken",
            "limit" => "maxResults",
            other => other,
        };
        return name.to_owned();
    };
    let mut steps = path.split('/');
    let first = steps.next().unwrap_or_default();
    let mut name = match first {
        "redirectUrl" | "email" | "state" | "name" | "provider" => first.to_owned(),
        "start" => "eventData.startDate".into(),
        "end" => "eventData.endDate".into(),
        "conference" => "eventData.conferencing".into(),
        "properties" => "eventData.meta".into(),
        other => format!("eventData.{other}"),
    };
    for step in steps {
        match step.parse::<usize>() {
            Ok(at) => name.push_str(&format!("[{at}]")),
            Err(_) => name.push_str(&format!(".{step}")),
        }
    }
    name
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = match &self {
            Self::Invalid(errors) => {
                (StatusCode::BAD_REQUEST, axum::Json(Errors { errors })).into_response()
            }
            Self::Unauthorized => {
                let body = Unauthorized { error: "Unauthorized. Invalid API key." };
                (StatusCode::UNAUTHORIZED, axum::Json(body)).into_response()
            }
            Self::Told { status, error, .. } => {
                let body = Told { success: false, error, code: status.as_u16() };
                (*status, axum::Json(body)).into_response()
            }
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Self::Told { retry_after_s: Some(seconds), .. } = self {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What the service says. Of these 400, 401 and 404 are documented.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let words = error.to_string();
        let with = |status| Self::told(status, words.clone());
        match error {
            Error::Unauthenticated => Self::Unauthorized,
            Error::NotFound("account") => Self::no_account(),
            Error::NotFound(_) => Self::not_found(),
            Error::Invalid(fields) => Self::fields(fields),
            Error::Malformed(_) => with(StatusCode::BAD_REQUEST),
            Error::Forbidden(_) => with(StatusCode::FORBIDDEN),
            Error::Conflict(_) => with(StatusCode::CONFLICT),
            Error::Stale { .. } => with(StatusCode::PRECONDITION_FAILED),
            Error::Refused(_) => with(StatusCode::UNPROCESSABLE_ENTITY),
            Error::TooLarge(_) => with(StatusCode::PAYLOAD_TOO_LARGE),
            Error::Gone { .. } => {
                let why = "Sync token is no longer valid, a full sync is required.";
                Self::told(StatusCode::GONE, why)
            }
            Error::LimitExceeded { retry_after_s, .. } => {
                Self::later(StatusCode::TOO_MANY_REQUESTS, words, retry_after_s.unwrap_or(60))
            }
            Error::Unavailable { retry_after_s }
            | Error::ProviderUnavailable { retry_after_s, .. } => {
                Self::later(StatusCode::SERVICE_UNAVAILABLE, words, retry_after_s)
            }
            Error::NotConfigured(_) => with(StatusCode::NOT_IMPLEMENTED),
            Error::Full => with(StatusCode::INSUFFICIENT_STORAGE),
            Error::Internal => with(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// What the provider says of a code.
impl From<NotConnected> for Refusal {
    fn from(refusal: NotConnected) -> Self {
        match refusal.code {
            "invalid_code" => {
                Self::told(StatusCode::BAD_REQUEST, format!("Invalid grant. {}", refusal.why))
            }
            "provider_unavailable" => Self::later(StatusCode::SERVICE_UNAVAILABLE, refusal.why, 5),
            "not_configured" => Self::told(StatusCode::NOT_IMPLEMENTED, refusal.why),
            "limit_exceeded" => Self::told(StatusCode::CONFLICT, refusal.why),
            _ => Self::told(StatusCode::BAD_REQUEST, refusal.why),
        }
    }
}

#[cfg(test)]
mod tests;
