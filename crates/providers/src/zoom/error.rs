//! What an answer of Zoom's API that is not a success asks for.
//!
//! Errors are `{"code", "message"}`. The message is not repeated: it may name a meeting.

use http::StatusCode;
use http::header::{DATE, RETRY_AFTER};
use serde::Deserialize;
use tidings_core::clock::Timestamp;

use crate::error::ProviderError;
use crate::http::Response;

/// The access token is void or expired.
const CODE_TOKEN: u32 = 124;
/// There is no such user (any more).
const CODE_NO_USER: u32 = 1001;
/// There is no such meeting, or it has expired.
pub(super) const CODE_NO_MEETING: u32 = 3001;
/// The app lacks a scope.
const CODE_SCOPE: u32 = 4711;

/// `Ok` for a 2xx, else the error it stands for. `what` names the request: `"listing the meetings"`.
pub(super) fn check(what: &str, response: &Response) -> Result<(), ProviderError> {
    let status = response.status;
    if status.is_success() {
        return Ok(());
    }
    let code = code(response);
    let said = match code {
        Some(code) => format!("{what}: Zoom answered {} (code {code})", status.as_u16()),
        None => format!("{what}: Zoom answered {}", status.as_u16()),
    };
    Err(match (status.as_u16(), code) {
        (_, Some(CODE_SCOPE)) => ProviderError::Forbidden {
            why: format!("{said}: the Zoom app lacks a scope; add it there and connect again"),
        },
        (401, _) | (400, Some(CODE_TOKEN)) => ProviderError::Reauthorise {
            why: format!("Zoom no longer takes the account's token ({said}); connect it again"),
        },
        (400 | 404, Some(CODE_NO_USER)) => ProviderError::Reauthorise {
            why: format!("the account's user is no longer at Zoom ({said}); connect another"),
        },
        (404 | 410, _) | (400, Some(CODE_NO_MEETING)) => ProviderError::Gone { why: said },
        (429, _) => {
            let daily = if is_daily(response) { "; this is the limit of a day" } else { "" };
            let why = format!("{said}{daily}");
            ProviderError::Retry { after_ms: after_ms(response), why }
        }
        (408 | 425 | 500..=599, _) => {
            ProviderError::Retry { after_ms: after_ms(response), why: said }
        }
        (403, _) => ProviderError::Forbidden { why: said },
        (409, _) => ProviderError::Conflict { why: said },
        (400 | 422, _) => ProviderError::Invalid { why: said },
        (300..=399, _) => ProviderError::retry(said),
        _ => ProviderError::permanent(said),
    })
}

/// The error's number in the body.
pub(super) fn code(response: &Response) -> Option<u32> {
    #[derive(Deserialize)]
    struct Body {
        code: u32,
    }
    (response.status >= StatusCode::BAD_REQUEST).then(|| response.read::<Body>())?.map(|b| b.code)
}

/// Zoom limits how fast, and how often a day (100 creates and updates of one user's meetings).
fn is_daily(response: &Response) -> bool {
    let kind = response.headers.get("x-ratelimit-type").and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("daily"))
}

/// `Retry-After`, which Zoom spells as an RFC 3339 moment for the limits of a day; measured against
/// the answer's own `Date`.
fn after_ms(response: &Response) -> Option<u64> {
    if let Some(ms) = response.retry_after_ms() {
        return Some(ms);
    }
    let text = |name| response.headers.get(name).and_then(|value| value.to_str().ok());
    let until = Timestamp::parse(text(RETRY_AFTER)?.trim())?;
    let sent = jiff::fmt::rfc2822::parse(text(DATE)?).ok()?.timestamp().as_millisecond();
    u64::try_from(until.0.saturating_sub(sent)).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::http::answer;

    fn name(error: &ProviderError) -> &'static str {
        match error {
            ProviderError::Retry { .. } => "retry",
            ProviderError::Reauthorise { .. } => "reauthorise",
            ProviderError::TokenRefused { .. } => "token",
            ProviderError::Gone { .. } => "gone",
            ProviderError::Permanent { .. } => "permanent",
            ProviderError::Conflict { .. } => "conflict",
            ProviderError::Invalid { .. } => "invalid",
            ProviderError::Forbidden { .. } => "forbidden",
        }
    }

    #[test]
    fn a_status_and_code_become_the_reaction_they_ask_for() {
        for (status, body, expected) in [
            (401, r#"{"code":124,"message":"Invalid access token."}"#, "reauthorise"),
            (401, "", "reauthorise"),
            (404, r#"{"code":3001,"message":"Meeting does not exist: 7."}"#, "gone"),
            (400, r#"{"code":3001,"message":"Meeting is not found or has expired."}"#, "gone"),
            (404, r#"{"code":1001,"message":"User does not exist."}"#, "reauthorise"),
            (404, "", "gone"),
            (400, r#"{"code":4711,"message":"does not contain scopes:[x]"}"#, "forbidden"),
            (400, r#"{"code":300,"message":"Validation Failed."}"#, "invalid"),
            (403, r#"{"code":200,"message":"No permission."}"#, "forbidden"),
            (429, r#"{"code":429,"message":"rate"}"#, "retry"),
            (500, "", "retry"),
            (503, "<html>", "retry"),
            (302, "", "retry"),
            (418, "", "permanent"),
        ] {
            let error = check("a test", &answer(status, body)).unwrap_err();
            assert_eq!(name(&error), expected, "{status} {body}");
            assert!(!error.to_string().contains("exist: 7"), "{error}");
        }
        for status in [200, 201, 204] {
            assert_eq!(check("a test", &answer(status, "")), Ok(()));
        }
    }

    #[test]
    fn a_429_says_when_to_come_back_in_any_of_three_spellings() {
        for (retry_after, expected) in [
            (Some("3"), Some(3_000)),
            (Some("Sat, 21 Nov 2026 05:00:30 GMT"), Some(30_000)),
            (Some("2026-11-22T00:00:00Z"), Some(19 * 3_600_000)),
            (Some("2026-11-20T00:00:00Z"), None),
            (None, None),
        ] {
            let mut response = answer(429, "{}");
            let date = HeaderValue::from_static("Sat, 21 Nov 2026 05:00:00 GMT");
            response.headers.insert(DATE, date);
            if let Some(text) = retry_after {
                response.headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            }
            let Err(ProviderError::Retry { after_ms, .. }) = check("a test", &response) else {
                panic!("retry");
            };
            assert_eq!(after_ms, expected, "{retry_after:?}");
        }
    }

    #[test]
    fn the_limit_of_a_day_is_named() {
        let mut response = answer(429, "{}");
        let kind = HeaderValue::from_static("Daily-limit");
        response.headers.insert("x-ratelimit-type", kind);
        let error = check("a test", &response).unwrap_err();
        assert!(error.to_string().contains("limit of a day"), "{error}");
    }
}
