//! What a refusal of Google's asks for: by status and by the reason in the body, never by the message,
//! which may hold content.

use serde::Deserialize;

use crate::error::ProviderError;
use crate::http::Response;

/// What was asked, as far as it changes the meaning of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// A read of its own.
    Read,
    /// A list that goes on from a sync token or a page token.
    Continue,
    /// A write.
    Write,
}

#[derive(Deserialize)]
struct Body {
    error: Error,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Error {
    errors: Vec<Reason>,
    details: Vec<Reason>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reason {
    reason: Option<String>,
}

/// The reasons that the body names, as words without content. `None`: this is no refusal of the API.
pub(super) fn reasons(response: &Response) -> Option<Vec<String>> {
    let error = response.read::<Body>()?.error;
    let named = error.errors.into_iter().chain(error.details).filter_map(|reason| reason.reason);
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let plain = named.map(|reason| reason.chars().filter(|c| is_word(*c)).take(64).collect());
    Some(plain.collect())
}

/// Whether a 401 is about the access token, so that a refresh may help. Google also answers 401 when
/// the push address' domain is not ours to use (`push.webhookUrlUnauthorized`): an account must not
/// become inactive for that.
pub fn is_about_the_token(response: &Response) -> bool {
    let named = reasons(response).unwrap_or_default();
    response.status == 401 && !named.iter().any(|reason| reason.starts_with("push."))
}

/// The quota of a minute, a user, a day: <https://developers.google.com/workspace/calendar/api/guides/errors>.
const QUOTA: [&str; 8] = [
    "rateLimitExceeded",
    "userRateLimitExceeded",
    "quotaExceeded",
    "calendarUsageLimits",
    "calendarLimitsExceeded",
    "dailyLimitExceeded",
    "RATE_LIMIT_EXCEEDED",
    "RESOURCE_EXHAUSTED",
];
const SCOPE: [&str; 3] =
    ["insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficientScope"];
const DISABLED: [&str; 3] = ["accessNotConfigured", "SERVICE_DISABLED", "CONSUMER_INVALID"];

/// The error that `response`, which is no success, stands for. `what` names the request in its text.
pub(super) fn refused(response: &Response, what: &str, call: Call) -> ProviderError {
    let status = response.status.as_u16();
    let named = reasons(response);
    let has =
        |known: &[&str]| named.iter().flatten().any(|reason| known.contains(&reason.as_str()));
    let said = match named.as_deref().and_then(<[String]>::first) {
        Some(reason) => format!("{what}: google answered {status} ({reason})"),
        None => format!("{what}: google answered {status}"),
    };
    let retry = |why| ProviderError::Retry { after_ms: response.retry_after_ms(), why };
    match status {
        408 | 425 | 429 | 300..=399 | 500..=599 => retry(said),
        401 => ProviderError::Reauthorise {
            why: format!("{said}; the permission has ended, connect the account again"),
        },
        403 if has(&QUOTA) => retry(said),
        403 if has(&SCOPE) => ProviderError::Forbidden {
            why: format!(
                "{said}: a permission was not given; connect the account again and tick every \
                 permission"
            ),
        },
        403 if has(&DISABLED) => ProviderError::Permanent {
            why: format!(
                "{said}: enable the Google Calendar API in the project of the OAuth client"
            ),
        },
        // A page of a proxy in between proves nothing.
        403 if named.is_none() => retry(said),
        // 410 is the documented answer, 400 that to a garbled one; 403 was seen by others.
        400 | 403 | 410 if call == Call::Continue => ProviderError::TokenRefused { why: said },
        403 => ProviderError::Forbidden { why: said },
        404 | 410 => ProviderError::Gone { why: said },
        409 | 412 if call == Call::Write => ProviderError::Conflict { why: said },
        400 | 422 if call == Call::Write => ProviderError::Invalid { why: said },
        _ => ProviderError::Permanent { why: said },
    }
}

/// A success that we do not understand: an outage, a proxy, or a new version. Asking again is safe.
pub(super) fn unreadable(what: &str) -> ProviderError {
    ProviderError::retry(format!("{what}: google's answer could not be read"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google::testing::{reaction, refusal, reply};
    use crate::http::answer;

    #[test]
    fn a_refusal_becomes_the_reaction_it_asks_for() {
        use Call::{Continue, Read, Write};
        for (status, domain, reason, call, expected) in [
            (401, "global", "authError", Read, "reauthorise"),
            (403, "usageLimits", "rateLimitExceeded", Read, "retry"),
            (403, "usageLimits", "userRateLimitExceeded", Continue, "retry"),
            (403, "usageLimits", "quotaExceeded", Write, "retry"),
            (403, "usageLimits", "calendarUsageLimits", Write, "retry"),
            (429, "usageLimits", "rateLimitExceeded", Read, "retry"),
            (403, "global", "insufficientPermissions", Read, "forbidden"),
            (403, "global", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", Continue, "forbidden"),
            (403, "calendar", "forbiddenForNonOrganizer", Write, "forbidden"),
            (403, "global", "forbidden", Read, "forbidden"),
            (403, "usageLimits", "accessNotConfigured", Read, "permanent"),
            (404, "global", "notFound", Read, "gone"),
            (404, "global", "notFound", Continue, "gone"),
            (410, "global", "deleted", Write, "gone"),
            (410, "calendar", "fullSyncRequired", Continue, "token"),
            (410, "calendar", "updatedMinTooLongAgo", Continue, "token"),
            (400, "global", "invalid", Continue, "token"),
            (403, "global", "forbidden", Continue, "token"),
            (409, "global", "duplicate", Write, "conflict"),
            (412, "global", "conditionNotMet", Write, "conflict"),
            (400, "calendar", "timeRangeEmpty", Write, "invalid"),
            (400, "global", "invalid", Read, "permanent"),
            (500, "global", "backendError", Write, "retry"),
        ] {
            let error = refused(&refusal(status, domain, reason), "test", call);
            assert_eq!(reaction(&error), expected, "{status} {reason} {call:?}");
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn a_resync_is_decided_by_the_status_alone() {
        for body in ["", "<html>gone</html>", "{}"] {
            let error = refused(&answer(410, body), "test", Call::Continue);
            assert_eq!(reaction(&error), "token", "{body}");
        }
    }

    #[test]
    fn a_403_that_is_not_googles_proves_nothing() {
        assert_eq!(reaction(&refused(&answer(403, "<html>"), "test", Call::Read)), "retry");
    }

    #[test]
    fn a_missing_permission_asks_for_consent() {
        let error = refused(&refusal(403, "global", "insufficientPermissions"), "t", Call::Read);
        assert!(error.to_string().contains("connect the account again"), "{error}");
    }

    #[test]
    fn the_newer_shape_of_reasons_is_read_too() {
        let body = serde_json::json!({ "error": { "status": "PERMISSION_DENIED", "details": [
            { "@type": "type.googleapis.com/google.rpc.ErrorInfo",
              "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT" },
            { "@type": "type.googleapis.com/google.rpc.Help", "links": [] },
        ] } });
        let error = refused(&reply(403, &body), "t", Call::Read);
        assert_eq!(reaction(&error), "forbidden");
    }

    #[test]
    fn a_refused_push_address_does_not_end_an_account() {
        assert!(is_about_the_token(&refusal(401, "global", "authError")));
        assert!(is_about_the_token(&answer(401, "")));
        assert!(!is_about_the_token(&refusal(401, "global", "push.webhookUrlUnauthorized")));
        assert!(!is_about_the_token(&refusal(403, "global", "forbidden")));
    }
}
