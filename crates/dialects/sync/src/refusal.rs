//! Errors on Sync's wire: the envelope with a documented code and its message.

use http::StatusCode;
use serde::Serialize;
use tidings_service::{Error, Field};

/// A refused request.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// One of the documented codes, which is the HTTP status too.
    pub(crate) status: StatusCode,
    /// What is wrong, `null` on the wire when there is nothing to say.
    pub(crate) faults: Vec<Fault>,
    /// When trying again may help, seconds.
    pub(crate) retry_after_s: Option<u32>,
}

/// One entry of `errors`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    /// The parameter that is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    pub(crate) message: String,
}

impl Refusal {
    fn bare(status: StatusCode) -> Self {
        Self { status, faults: Vec::new(), retry_after_s: None }
    }

    fn because(status: StatusCode, message: impl Into<String>) -> Self {
        let fault = Fault { field: None, message: message.into() };
        Self { faults: vec![fault], ..Self::bare(status) }
    }

    /// 400: the request cannot be understood or is not acceptable.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::because(StatusCode::BAD_REQUEST, message)
    }

    /// 400 about one parameter.
    pub(crate) fn field(name: &str, message: impl Into<String>) -> Self {
        let fault = Fault { field: Some(name.to_owned()), message: message.into() };
        Self { faults: vec![fault], ..Self::bare(StatusCode::BAD_REQUEST) }
    }

    /// 401, always the same.
    pub(crate) fn unauthorized() -> Self {
        Self::bare(StatusCode::UNAUTHORIZED)
    }

    /// 403: the key or token is good, but not for this.
    pub(crate) fn forbidden(message: &str) -> Self {
        Self::because(StatusCode::FORBIDDEN, message)
    }

    /// 404.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::because(StatusCode::NOT_FOUND, format!("{what} not found"))
    }

    fn retry_after_s(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

impl From<&Field> for Fault {
    fn from(field: &Field) -> Self {
        let name = field.pointer.trim_start_matches('/');
        // The service's words for what Sync calls otherwise.
        let name = match name.split('/').next().unwrap_or_default() {
            "triggers" => "events",
            "coalesce" => "delay",
            other => other,
        };
        Self { field: Some(name.to_owned()), message: field.why.clone() }
    }
}

/// What the service says, on Sync's wire. The list of codes is closed: what has none of its own gets the
/// nearest.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let with = |status| Self::because(status, error.to_string());
        match &error {
            Error::Unauthenticated => Self::unauthorized(),
            Error::Forbidden(_) => with(StatusCode::FORBIDDEN),
            Error::NotFound(what) => Self::not_found(what),
            Error::Gone { .. } => with(StatusCode::NOT_FOUND),
            Error::Invalid(fields) => Self {
                faults: fields.iter().map(Fault::from).collect(),
                ..Self::bare(StatusCode::BAD_REQUEST)
            },
            Error::Conflict(_)
            | Error::Stale { .. }
            | Error::Refused(_)
            | Error::Malformed(_)
            | Error::TooLarge(_) => with(StatusCode::BAD_REQUEST),
            Error::LimitExceeded { retry_after_s, .. } => {
                with(StatusCode::TOO_MANY_REQUESTS).retry_after_s(retry_after_s.unwrap_or(60))
            }
            Error::Unavailable { retry_after_s }
            | Error::ProviderUnavailable { retry_after_s, .. } => {
                with(StatusCode::SERVICE_UNAVAILABLE).retry_after_s(*retry_after_s)
            }
            Error::Full => with(StatusCode::SERVICE_UNAVAILABLE).retry_after_s(60),
            Error::NotConfigured(_) | Error::Internal => with(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

#[cfg(test)]
mod tests;
