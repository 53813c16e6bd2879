//! What a token endpoint answers, by what must be done about it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use tidings_core::access::Hidden;

use super::Identity;
use crate::http::Response;
use crate::provider::Provider;

/// Fresh tokens. `Debug` shows none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// For requests.
    pub access_token: Hidden,
    /// For the next refresh. Absent: the one that was used stays good.
    pub refresh_token: Option<Hidden>,
    /// How long the access token is good, seconds.
    pub expires_in_s: u64,
    /// What was granted. Empty: what was asked for (RFC 6749 section 5.1).
    pub scopes: Vec<String>,
    /// Whose they are, where the endpoint tells (OpenID Connect). It came over TLS from the endpoint
    /// itself, so its signature need not be checked (OpenID Connect Core section 3.1.3.7).
    pub identity: Option<Identity>,
}

/// Why there are no tokens. Texts hold no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Proof that the user must agree again: the account becomes inactive.
    #[error("{why}")]
    Withdrawn {
        /// What the provider said, and what to do.
        why: String,
    },
    /// Our own client is set up wrong at the provider: the operator must act. Never a reason to call
    /// an account inactive.
    #[error("{why}")]
    Operator {
        /// What the provider said.
        why: String,
    },
    /// It may pass.
    #[error("{why}")]
    Retry {
        /// The provider's own wish, ms.
        after_ms: Option<u64>,
        /// What happened.
        why: String,
    },
}

/// Both shapes: RFC 6749 section 5, and Zoom's `{reason, error}`.
#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<Value>,
    scope: Option<String>,
    id_token: Option<String>,
    error: Option<String>,
    error_subtype: Option<String>,
    error_codes: Option<Vec<i64>>,
    error_description: Option<String>,
    suberror: Option<String>,
    reason: Option<String>,
}

/// Used when the endpoint does not say how long (RFC 6749 recommends that it does), seconds.
const EXPIRES_IN_DEFAULT_S: u64 = 3_600;

/// Reads the answer to an exchange or a refresh.
///
/// # Errors
/// [`TokenError`], where only the endpoint's own words prove a withdrawal: an outage never does.
pub fn tokens(provider: Provider, response: &Response) -> Result<Tokens, TokenError> {
    let status = response.status;
    let retry = |why: String| TokenError::Retry { after_ms: response.retry_after_ms(), why };
    let Some(answer) = response.read::<Answer>() else {
        return Err(retry(format!("{provider}'s token endpoint answered {status} without tokens")));
    };
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(retry(format!("{provider}'s token endpoint answered {status}")));
    }
    match (answer.error.as_deref(), &answer.access_token) {
        (None, Some(access_token)) if status.is_success() && !access_token.is_empty() => {
            Ok(answer.into_tokens())
        }
        (Some(error), _) => Err(answer.error(provider, error, response.retry_after_ms())),
        _ => Err(retry(format!("{provider}'s token endpoint answered {status} without tokens"))),
    }
}

impl Answer {
    fn into_tokens(self) -> Tokens {
        let expires_in_s = match &self.expires_in {
            Some(Value::Number(seconds)) => seconds.as_u64(),
            Some(Value::String(seconds)) => seconds.parse().ok(),
            _ => None,
        };
        let scopes = self.scope.unwrap_or_default();
        let scopes = scopes.split([' ', ',']).filter(|scope| !scope.is_empty());
        Tokens {
            access_token: self.access_token.unwrap_or_default().into(),
            refresh_token: self.refresh_token.filter(|t| !t.is_empty()).map(Into::into),
            expires_in_s: expires_in_s.unwrap_or(EXPIRES_IN_DEFAULT_S),
            scopes: scopes.map(Into::into).collect(),
            identity: self.id_token.as_deref().and_then(identity),
        }
    }

    fn error(&self, provider: Provider, error: &str, after_ms: Option<u64>) -> TokenError {
        let codes = self.codes();
        let said = self.said(error, &codes);
        let transient = codes.iter().any(|code| TRANSIENT_AADSTS.contains(code));
        match error {
            "temporarily_unavailable" | "server_error" | "slow_down" => {
                TokenError::Retry { after_ms, why: format!("{provider} cannot now: {said}") }
            }
            _ if transient => {
                TokenError::Retry { after_ms, why: format!("{provider} cannot now: {said}") }
            }
            "invalid_grant"
            | "interaction_required"
            | "login_required"
            | "consent_required"
            | "access_denied" => TokenError::Withdrawn {
                why: format!("{provider} withdrew the permission ({said}); connect it again"),
            },
            _ if codes.iter().any(|code| CONSENT_AADSTS.contains(code)) => TokenError::Withdrawn {
                why: format!("{provider} withdrew the permission ({said}); connect it again"),
            },
            "invalid_client"
            | "unauthorized_client"
            | "redirect_uri_mismatch"
            | "invalid_scope"
            | "unsupported_grant_type"
            | "deleted_client"
            | "disabled_client" => TokenError::Operator {
                why: format!("{provider} refuses our client ({said}); check its credentials"),
            },
            // So Zoom said `invalid_grant` in former years.
            "invalid_request" if self.reason.as_deref() == Some("Invalid Token!") => {
                TokenError::Withdrawn {
                    why: format!("{provider} withdrew the permission ({said}); connect it again"),
                }
            }
            "invalid_request" => TokenError::Operator {
                why: format!("{provider} refuses our request ({said}); check its configuration"),
            },
            _ => TokenError::Retry { after_ms, why: format!("{provider} answered {said}") },
        }
    }

    /// The numbers of Microsoft's `AADSTS…` codes, also where only the description names them.
    fn codes(&self) -> Vec<i64> {
        if let Some(codes) = self.error_codes.as_ref().filter(|codes| !codes.is_empty()) {
            return codes.clone();
        }
        let description = self.error_description.as_deref().unwrap_or_default();
        let parts = description.split("AADSTS").skip(1);
        parts
            .filter_map(|part| {
                part.split(|c: char| !c.is_ascii_digit()).next().and_then(|code| code.parse().ok())
            })
            .collect()
    }

    /// The codes, never the description: that may name people.
    fn said(&self, error: &str, codes: &[i64]) -> String {
        let plain = |text: &str| -> String {
            let kept = text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_');
            kept.take(64).collect()
        };
        let mut said = plain(error);
        for detail in [&self.error_subtype, &self.suberror].into_iter().flatten() {
            said.push_str(", ");
            said.push_str(&plain(detail));
        }
        for code in codes.iter().take(4) {
            said.push_str(&format!(", AADSTS{code}"));
        }
        said
    }
}

/// Outages and timeouts of Microsoft's, whatever `error` says beside them.
const TRANSIENT_AADSTS: [i64; 6] = [90033, 90006, 90012, 90024, 90051, 50196];
/// Consent or approval is missing (65001, 90094, 65004), multi-factor authentication or a policy
/// stands before it (50076, 50079, 50158, 53003).
const CONSENT_AADSTS: [i64; 7] = [65001, 65004, 90094, 50076, 50079, 50158, 53003];

/// Who an ID token (a JWT) is about.
fn identity(id_token: &str) -> Option<Identity> {
    #[derive(Deserialize)]
    struct Claims {
        sub: Option<String>,
        oid: Option<String>,
        email: Option<String>,
        preferred_username: Option<String>,
        name: Option<String>,
    }
    let payload = id_token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    let user_name = claims.preferred_username.filter(|name| name.contains('@'));
    Some(Identity {
        // Microsoft's `sub` differs between apps; `oid` is the user's id in Graph.
        external_id: claims.oid.or(claims.sub)?,
        email: claims.email.or(user_name),
        name: claims.name,
    })
}
