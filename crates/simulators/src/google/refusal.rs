//! Google's way of saying no.

use serde_json::json;

use crate::server::Answer;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

pub(super) type Outcome<T> = Result<T, Refusal>;

impl Refusal {
    pub(super) fn new(status: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid", message)
    }

    pub(super) fn required(message: impl Into<String>) -> Self {
        Self::new(400, "required", message)
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "notFound", "Not Found")
    }

    pub(super) fn to_answer(&self) -> Answer {
        refusal(self.status, self.reason, &self.message)
    }
}

/// An error document of Google's, for faults that a test plants:
/// `refusal(403, "rateLimitExceeded", "Rate Limit Exceeded")`.
pub fn refusal(status: u16, reason: &str, message: &str) -> Answer {
    let domain = match reason {
        "rateLimitExceeded" | "userRateLimitExceeded" | "quotaExceeded" | "dailyLimitExceeded" => {
            "usageLimits"
        }
        "fullSyncRequired"
        | "updatedMinTooLongAgo"
        | "timeRangeEmpty"
        | "forbiddenForNonOrganizer"
        | "requiredAccessLevel" => "calendar",
        _ => "global",
    };
    Answer::json(
        status,
        &json!({ "error": {
            "code": status, "message": message,
            "errors": [{ "domain": domain, "reason": reason, "message": message }],
        }}),
    )
}
