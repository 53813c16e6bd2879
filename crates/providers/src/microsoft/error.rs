//! What an answer of Graph asks us to do.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::ProviderError;
use crate::http::Response;

/// Codes that say that a delta link is no longer good, whatever the status.
const TOKEN_CODES: [&str; 4] =
    ["resyncrequired", "syncstatenotfound", "syncstateinvalid", "resyncrequiredexception"];

#[derive(Deserialize)]
struct Body {
    error: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    code: Option<String>,
}

/// The document of a successful answer. `what` names the request in errors, for instance `"listing the
/// calendars"`.
pub(super) fn read<T: DeserializeOwned>(
    response: &Response,
    what: &str,
) -> Result<T, ProviderError> {
    expect(response, what)?;
    response.read().ok_or_else(|| {
        ProviderError::retry(format!("{what}: microsoft graph's answer is not what was asked for"))
    })
}

/// `Ok` for 2xx, else the reaction.
pub(super) fn expect(response: &Response, what: &str) -> Result<(), ProviderError> {
    if response.status.is_success() { Ok(()) } else { Err(refusal(response, what)) }
}

/// Whether the answer says that the delta link must be given up (410, or one of several codes).
pub(super) fn refuses_token(response: &Response) -> bool {
    let code = code(response).to_ascii_lowercase();
    let names_it = TOKEN_CODES.contains(&code.as_str());
    response.status.as_u16() == 410 || (response.status.is_client_error() && names_it)
}

/// Graph's own word for what is wrong; a short plain token, empty when there is none.
pub(super) fn code(response: &Response) -> String {
    let code = response.read::<Body>().and_then(|body| body.error?.code).unwrap_or_default();
    code.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_')).take(64).collect()
}

fn refusal(response: &Response, what: &str) -> ProviderError {
    let status = response.status.as_u16();
    let code = code(response);
    let why = match code.is_empty() {
        true => format!("{what}: microsoft graph answered {status}"),
        false => format!("{what}: microsoft graph answered {status} ({code})"),
    };
    let is = |part: &str| code.to_ascii_lowercase().contains(part);
    let retry = |why| ProviderError::Retry { after_ms: response.retry_after_ms(), why };
    match status {
        401 => ProviderError::Reauthorise { why },
        404 if is("mailboxnotenabled") || is("mailboxnotsupported") => ProviderError::Permanent {
            why: format!("{why}; this microsoft account has no outlook mailbox"),
        },
        404 | 410 => ProviderError::Gone { why },
        408 | 423 | 425 | 429 | 500..=599 => retry(why),
        // Outlook's limits on one mailbox, and a save that crossed another one.
        403 | 409 if is("mailboxconcurrency") || is("throttl") || is("concurrentitemsave") => {
            retry(why)
        }
        403 => ProviderError::Forbidden { why },
        409 | 412 => ProviderError::Conflict { why },
        400 | 413 | 422 => ProviderError::Invalid { why },
        300..=399 => ProviderError::retry(why),
        _ => ProviderError::Permanent { why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::answer;

    fn refused(status: u16, code: &str) -> ProviderError {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"about Ann's party"}}}}"#);
        expect(&answer(status, body), "testing").unwrap_err()
    }

    fn reaction(error: &ProviderError) -> &'static str {
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

    #[test]
    fn a_status_and_its_code_become_the_reaction_they_ask_for() {
        for (status, code, expected) in [
            (401, "InvalidAuthenticationToken", "reauthorise"),
            (403, "ErrorAccessDenied", "forbidden"),
            (404, "ErrorItemNotFound", "gone"),
            (404, "MailboxNotEnabledForRESTAPI", "permanent"),
            (410, "", "gone"),
            (412, "ErrorIrresolvableConflict", "conflict"),
            (409, "ConcurrentItemSave", "retry"),
            (409, "ErrorConcurrentItemSave", "retry"),
            (409, "ErrorDuplicateTransactionId", "conflict"),
            (400, "ErrorInvalidRequest", "invalid"),
            (429, "ApplicationThrottled", "retry"),
            (429, "MailboxConcurrency", "retry"),
            (503, "MailboxConcurrency", "retry"),
            (500, "", "retry"),
            (405, "", "permanent"),
        ] {
            assert_eq!(reaction(&refused(status, code)), expected, "{status} {code}");
        }
    }

    #[test]
    fn throttling_says_when_to_come_again() {
        for status in [429, 503] {
            let response = answer(status, r#"{"error":{"code":"MailboxConcurrency"}}"#);
            let mut told = response.clone();
            told.headers.insert("retry-after", "17".parse().unwrap());
            let after = |response| match expect(response, "testing").unwrap_err() {
                ProviderError::Retry { after_ms, .. } => after_ms,
                other => panic!("{other:?}"),
            };
            assert_eq!((after(&told), after(&response)), (Some(17_000), None));
        }
    }

    #[test]
    fn an_error_tells_the_code_but_not_the_message() {
        let error = refused(403, "ErrorAccessDenied").to_string();
        assert_eq!(error, "testing: microsoft graph answered 403 (ErrorAccessDenied)");
    }

    #[test]
    fn an_answer_that_is_not_json_is_asked_for_again() {
        let error = read::<serde_json::Value>(&answer(200, "<html>"), "testing").unwrap_err();
        assert_eq!(reaction(&error), "retry");
    }
}
