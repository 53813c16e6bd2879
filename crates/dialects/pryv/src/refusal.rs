//! Errors on Pryv's wire: `{"error": {"id", "message", "data"?}, "meta"}`.

use http::StatusCode;
use serde_json::{Map, Value, json};
use tidings_service::{Error, Field};

/// A refused call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    id: &'static str,
    message: String,
    data: Option<Value>,
    /// Seconds until trying again may help.
    pub(crate) retry_after_s: Option<u32>,
}

impl Refusal {
    /// With Pryv's id of the error and plain words.
    pub(crate) fn new(status: StatusCode, id: &'static str, message: impl Into<String>) -> Self {
        Self { status, id, message: message.into(), data: None, retry_after_s: None }
    }

    /// With details for programs.
    pub(crate) fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// 400: what was sent is not JSON, or not of the shape of a call.
    pub(crate) fn structure(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-request-structure", message)
    }

    /// 400: parameters are missing, unknown or of the wrong type; `faults` lists each.
    pub(crate) fn parameters(faults: Vec<Value>) -> Self {
        let message = "The parameters' format is invalid.";
        Self::new(StatusCode::BAD_REQUEST, "invalid-parameters-format", message)
            .with_data(Value::Array(faults))
    }

    /// 400: what is asked contradicts the state of things.
    pub(crate) fn operation(message: impl Into<String>, data: Value) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-operation", message).with_data(data)
    }

    /// 400: the chosen id cannot be one.
    pub(crate) fn item_id(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-item-id", message)
    }

    /// 400: a parameter names something, or several things, that are not there.
    pub(crate) fn unknown_referenced(what: &str, parameter: &str, named: Value) -> Self {
        let listed: Vec<_> = match &named {
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        let message = format!("Unknown referenced {what} \"{}\"", listed.join("\", \""));
        let data = Map::from_iter([(parameter.to_owned(), named)]);
        Self::new(StatusCode::BAD_REQUEST, "unknown-referenced-resource", message)
            .with_data(Value::Object(data))
    }

    /// 401: no token.
    pub(crate) fn token_missing() -> Self {
        let message = "The access token is missing: expected an \"Authorization\" header or an \"auth\" \
                       query string parameter.";
        Self::new(StatusCode::UNAUTHORIZED, "invalid-access-token", message)
    }

    /// 401: an unknown, deleted or expired token, or one of another user.
    pub(crate) fn token_unknown() -> Self {
        let message = "Cannot find access from token.";
        Self::new(StatusCode::UNAUTHORIZED, "invalid-access-token", message)
    }

    /// 401: the password, the user or the app is not the right one.
    pub(crate) fn credentials(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid-credentials", message)
    }

    /// 403 in the words that fit.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 403: the access may not call this method at all.
    pub(crate) fn method_forbidden(method: &str) -> Self {
        Self::forbidden(format!("You cannot access {method} resource using the given access"))
    }

    /// 403: the access's permissions do not reach so far.
    pub(crate) fn permissions() -> Self {
        Self::forbidden("The given token's access permissions do not allow this operation.")
    }

    /// 403: fields that only the server writes.
    pub(crate) fn protected(fields: &[&str]) -> Self {
        let listed = fields.join(", ");
        Self::forbidden(format!(
            "Forbidden update was attempted on the following protected field(s): [{listed}]."
        ))
    }

    /// 404: there is no such item.
    pub(crate) fn unknown(what: &str, id: &str) -> Self {
        let message = format!("Unknown {what} \"{id}\"");
        Self::new(StatusCode::NOT_FOUND, "unknown-resource", message)
    }

    /// 404: there is no such method in a batch.
    pub(crate) fn method(id: &str) -> Self {
        let message = format!("Invalid method id \"{id}\"");
        Self::new(StatusCode::NOT_FOUND, "invalid-method", message)
    }

    /// 409: another item has what must be unique.
    pub(crate) fn exists(what: &str, keys: &[(&str, &str)]) -> Self {
        let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "An" } else { "A" };
        let named: Vec<_> = keys.iter().map(|(key, value)| format!("{key} \"{value}\"")).collect();
        let message = format!("{article} {what} with {} already exists", named.join(", "));
        let data = keys.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        Self::new(StatusCode::CONFLICT, "item-already-exists", message)
            .with_data(Value::Object(data))
    }

    /// 413: more events than one answer holds.
    pub(crate) fn too_many(limit: u32) -> Self {
        let message = format!(
            "Your request gave too many results (the limit is {limit}. Directly calling the API method \
             (i.e. not batching calls), narrowing request scope or paging can help."
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-many-results", message)
            .with_data(json!({ "limit": limit }))
    }

    /// 413: the answers to a batch are long enough; this call was not run.
    pub(crate) fn answer_full() -> Self {
        let message = "The answers to this batch are as long as they may be, and this call was not \
                       run. Send it on its own, or in a smaller batch.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-many-results", message)
    }

    fn fields(fields: &[Field]) -> Self {
        let fault = |field: &Field| {
            let path = format!("#/{}", field.pointer.trim_start_matches('/'));
            json!({ "code": field.code.to_uppercase(), "message": field.why, "path": path })
        };
        Self::parameters(fields.iter().map(fault).collect())
    }

    /// The value of the property `error`.
    pub(crate) fn to_json(&self) -> Value {
        let mut error = Map::new();
        error.insert("id".to_owned(), json!(self.id));
        error.insert("message".to_owned(), json!(self.message));
        if let Some(data) = &self.data {
            error.insert("data".to_owned(), data.clone());
        }
        Value::Object(error)
    }
}

/// What the service says, on Pryv's wire. The documentation has no id for the limits of a server: those
/// ids are ours.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let words = error.to_string();
        match &error {
            Error::Unauthenticated => Self::token_unknown(),
            Error::Forbidden(_) => Self::permissions(),
            Error::NotFound(what) => {
                Self::new(StatusCode::NOT_FOUND, "unknown-resource", format!("Unknown {what}"))
            }
            Error::Conflict(_) | Error::Stale { .. } => {
                Self::new(StatusCode::CONFLICT, "stale-resource", words)
            }
            Error::Invalid(fields) => Self::fields(fields),
            Error::Malformed(_) => Self::structure(words),
            Error::Refused(_) => Self::new(StatusCode::BAD_REQUEST, "invalid-operation", words),
            Error::LimitExceeded { retry_after_s, .. } => Self {
                retry_after_s: *retry_after_s,
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "limit-exceeded", words)
            },
            Error::TooLarge(_) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid-request-structure", words)
            }
            Error::Gone { .. } => Self::new(StatusCode::GONE, "removed-method", words),
            Error::Unavailable { retry_after_s }
            | Error::ProviderUnavailable { retry_after_s, .. } => Self {
                retry_after_s: Some(*retry_after_s),
                ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "api-unavailable", words)
            },
            Error::NotConfigured(_) => {
                Self::new(StatusCode::NOT_IMPLEMENTED, "api-unavailable", words)
            }
            Error::Full | Error::Internal => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "unexpected-error", words)
            }
        }
    }
}

#[cfg(test)]
mod tests;
