//! The answers with which Graph refuses.

use serde_json::{Value, json};

use crate::server::Answer;

/// Why something does not go on.
pub(super) type Refused = Box<Answer>;

/// An error as Graph words it.
pub fn refused(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &body(code, message))
}

/// 429 or 503 with `Retry-After`: `ApplicationThrottled` or, for four requests at once in one mailbox,
/// `MailboxConcurrency`.
pub fn throttled(status: u16, code: &str, retry_after_s: u32) -> Answer {
    let message = "Application is over its limit.";
    refused(status, code, message).with("retry-after", &retry_after_s.to_string())
}

pub(super) fn body(code: &str, message: &str) -> Value {
    json!({ "error": {
        "code": code,
        "message": message,
        "innerError": { "code": code, "message": message },
    }})
}

pub(super) fn not_found() -> Answer {
    refused(404, "ErrorItemNotFound", "The specified object was not found in the store.")
}

pub(super) fn no_subscription() -> Answer {
    refused(404, "ResourceNotFound", "The object was not found.")
}

pub(super) fn invalid(message: &str) -> Answer {
    refused(400, "ErrorInvalidRequest", message)
}

pub(super) fn stale() -> Answer {
    refused(
        412,
        "ErrorIrresolvableConflict",
        "The send or update operation could not be performed because the change key passed in the \
         request does not match the current change key for the item.",
    )
}

pub(super) fn unauthorised() -> Answer {
    refused(401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")
        .with("www-authenticate", "Bearer realm=\"\"")
}
