//! Tokens of the client credentials grant (RFC 6749 §4.4), fetched through the guarded way out.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use serde::Deserialize;
use tidings_core::access::{ClientCredentials, Hidden};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::{EgressPolicy, UrlRefusal, VettedUrl};
use tidings_core::limits::{
    TOKEN_DEADLINE_MS, TOKEN_EARLY_MS, TOKEN_FAILURE_MS, TOKEN_LIFE_DEFAULT_MS, TOKEN_LIFE_MAX_MS,
    TOKEN_RESPONSE_BYTES_MAX,
};
use tokio::sync::Mutex;

use super::sensitive;
use crate::egress::{Budget, Egress, Request, Response};
use crate::render::AGENT;

/// Error codes of RFC 6749 §5.2: the only part of a refusal that is repeated.
const CODES: [&str; 6] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
];

/// The token of one hook. One request at a time fetches; the others wait for what it finds.
#[derive(Debug)]
pub(super) struct Tokens {
    client: ClientCredentials,
    url: Result<VettedUrl, UrlRefusal>,
    latest: Mutex<Option<Latest>>,
}

/// What the last fetch found, good until then.
#[derive(Debug)]
struct Latest {
    found: Result<HeaderValue, String>,
    until: Timestamp,
}

impl Tokens {
    pub(super) fn new(client: ClientCredentials, policy: &EgressPolicy) -> Self {
        let url = policy.vet_url(&client.token_url);
        Self { client, url, latest: Mutex::default() }
    }

    /// The value of `authorization`. A failure is remembered for a moment, so that a broken token endpoint
    /// is not asked once for each delivery.
    pub(super) async fn get(&self, egress: &Egress, clock: &Clock) -> Result<HeaderValue, String> {
        let mut latest = self.latest.lock().await;
        if let Some(latest) = latest.as_ref().filter(|latest| latest.until > clock.now()) {
            return latest.found.clone();
        }
        let fetched = self.fetch(egress).await;
        let (found, life) = match fetched {
            Ok((value, life)) => (Ok(value), life),
            Err(why) => (Err(format!("no token for the receiver: {why}")), TOKEN_FAILURE_MS),
        };
        *latest = Some(Latest { found: found.clone(), until: clock.now().plus_ms(life) });
        found
    }

    /// The receiver refused this value: it is not used again.
    pub(super) async fn forget(&self, refused: Option<&HeaderValue>) {
        let mut latest = self.latest.lock().await;
        let current = latest.as_ref().and_then(|latest| latest.found.as_ref().ok());
        if current == refused {
            *latest = None;
        }
    }

    async fn fetch(&self, egress: &Egress) -> Result<(HeaderValue, i64), String> {
        let url = self.url.as_ref().map_err(ToString::to_string)?;
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        headers.insert(AUTHORIZATION, sensitive(&self.client.authorization())?);
        let budget = Budget {
            total: Duration::from_millis(TOKEN_DEADLINE_MS),
            read_bytes: TOKEN_RESPONSE_BYTES_MAX,
            store_bytes: TOKEN_RESPONSE_BYTES_MAX,
            ..Budget::delivery()
        };
        let body = Bytes::from(self.client.form());
        let request = Request { method: Method::POST, url, headers, body, budget };
        match egress.send(request).await.result {
            Ok(response) => read(&response),
            Err(failure) => Err(format!("token endpoint: {failure}")),
        }
    }
}

/// A token response (RFC 6749 §5.1); what else is in it is passed over.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
    /// Seconds.
    expires_in: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// The header's value, and for how long it is used, ms.
fn read(response: &Response) -> Result<(HeaderValue, i64), String> {
    if response.status != 200 {
        return Err(refusal(response));
    }
    if response.truncated() {
        return Err(format!(
            "the token endpoint's answer broke off or has more than {TOKEN_RESPONSE_BYTES_MAX} bytes"
        ));
    }
    let granted: Granted = serde_json::from_slice(&response.body)
        .map_err(|_| "the token endpoint's answer is not a token response (RFC 6749 §5.1)")?;
    if !granted.token_type.eq_ignore_ascii_case("bearer") {
        return Err("the token endpoint gave a token of another type than bearer".into());
    }
    let token = granted.access_token;
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("the token endpoint gave a token with characters that HTTP forbids".into());
    }
    let value = sensitive(&Hidden::from(format!("Bearer {token}")))?;
    Ok((value, life(granted.expires_in.as_ref())))
}

fn refusal(response: &Response) -> String {
    let status = response.status;
    if (300..400).contains(&status) {
        return format!("the token endpoint answered {status}; redirects are not followed");
    }
    let refused = serde_json::from_slice::<Refused>(&response.body).ok();
    let code = refused.and_then(|refused| CODES.into_iter().find(|code| *code == refused.error));
    match code {
        Some(code) => format!("the token endpoint answered {status}, {code}"),
        None => format!("the token endpoint answered {status}"),
    }
}

/// A number of seconds, which some servers write as text.
fn life(expires_in: Option<&serde_json::Value>) -> i64 {
    let seconds = expires_in.and_then(|value| {
        value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
    });
    let ms = seconds.map_or(TOKEN_LIFE_DEFAULT_MS, |seconds| seconds.saturating_mul(1_000));
    let ms = ms.clamp(1_000, TOKEN_LIFE_MAX_MS);
    (ms - TOKEN_EARLY_MS).max(ms / 10 * 9)
}
