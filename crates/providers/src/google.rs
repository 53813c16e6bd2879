//! Google Calendar v3 without I/O: requests out, pages in.
//!
//! The order of use: [`calendars`] lists the calendars, whole or since a sync token; [`events`] lists a
//! calendar's masters, single events and exceptions the same way; [`watch`] asks for pushes, which
//! [`push`] reads; [`write`](mod@write) changes events. A push is only a wake-up: what happened is in
//! the lists. Every answer that is no success becomes a [`crate::ProviderError`] by its status and the
//! reason in its body.
//!
//! Source: the discovery document of `calendar` v3, revision 20261030, and
//! <https://developers.google.com/workspace/calendar/api/guides>.

use url::Url;

use crate::http;
use crate::settings::GoogleSettings;

pub mod calendars;
pub mod error;
pub mod events;
mod object;
pub mod push;
pub mod watch;
pub mod write;

fn address(settings: &GoogleSettings, segments: &[&str], query: &[(&str, &str)]) -> Url {
    let mut url = http::below(&settings.api, segments);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}

#[cfg(test)]
mod testing {
    use serde_json::Value;
    use url::Url;

    use crate::error::ProviderError;
    use crate::http::{Response, answer};
    use crate::settings::GoogleSettings;

    pub(super) fn settings() -> GoogleSettings {
        let api = Url::parse("http://127.0.0.1:9/calendar/v3").unwrap();
        GoogleSettings { api, ..GoogleSettings::new("id", "secret") }
    }

    pub(super) fn reply(status: u16, body: &Value) -> Response {
        answer(status, body.to_string())
    }

    /// An error as Google words it.
    pub(super) fn refusal(status: u16, domain: &str, reason: &str) -> Response {
        let error = serde_json::json!({ "domain": domain, "reason": reason, "message": "s3cret" });
        reply(
            status,
            &serde_json::json!({
                "error": { "code": status, "message": "s3cret", "errors": [error] }
            }),
        )
    }

    /// The reaction that an error asks for.
    pub(super) fn reaction(error: &ProviderError) -> &'static str {
        assert!(!error.to_string().contains("s3cret"), "{error}");
        match error {
            ProviderError::Retry { .. } => "retry",
            ProviderError::Reauthorise { .. } => "reauthorise",
            ProviderError::TokenRefused { .. } => "token",
            ProviderError::Gone { .. } => "gone",
            ProviderError::Conflict { .. } => "conflict",
            ProviderError::Invalid { .. } => "invalid",
            ProviderError::Forbidden { .. } => "forbidden",
            ProviderError::Permanent { .. } => "permanent",
        }
    }
}
