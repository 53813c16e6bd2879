//! What Zoom posts to us: verified against the raw bytes, then read.
//!
//! One app has one endpoint and one secret for all its users, so that a push is routed by what it
//! names. It is only a wake-up: its content is never taken for the truth, and a duplicate (Zoom
//! repeats what was not answered in time, from other addresses) wakes up what is awake already.
//! See <https://developers.zoom.us/docs/api/webhooks/>.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tidings_core::clock::Timestamp;
use tidings_core::limits::ZOOM_PUSH_AGE_MAX_MS;

/// `v0=` and the hex HMAC-SHA256 of `v0:{timestamp}:{raw body}`.
pub const SIGNATURE: &str = "x-zm-signature";
/// When it was signed, whole seconds since the Unix epoch.
pub const TIMESTAMP: &str = "x-zm-request-timestamp";

/// A push that is Zoom's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// Zoom asks whether the endpoint is ours: answer with [`validation`]. Repeated every 72 hours.
    Validation {
        /// What to prove the secret with.
        plain_token: String,
    },
    /// Something of these users may have changed: `meeting.*` or `user.*`.
    Event {
        /// The Zoom account, which may have many users.
        account_id: String,
        /// The Zoom users that it may concern: the host first, then who did it. Never empty.
        users: Vec<String>,
        /// For instance `meeting.updated`.
        event: String,
        /// The meeting, or the user.
        object_id: Option<String>,
    },
    /// The user took the app's permission back: its tokens are void.
    Deauthorized {
        /// The Zoom account.
        account_id: String,
        /// The Zoom user.
        user_id: String,
    },
    /// Of an event that concerns nothing of ours, or names nobody.
    Ignored,
}

/// Why a push changes nothing. Answer all of them alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No signature or no timestamp, or not of the expected form.
    #[error("the push is not signed")]
    Unsigned,
    /// The signature is not of our secret over these bytes.
    #[error("the signature is not Zoom's")]
    Forged,
    /// Signed too long ago, or in the future.
    #[error("the push was signed too long ago, or this machine's clock is wrong")]
    Stale,
    /// Genuine and not understood.
    #[error("the push is not an event")]
    Malformed,
}

/// The answer to [`Push::Validation`], due within 3 seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// As it was sent.
    pub plain_token: String,
    /// The hex HMAC-SHA256 of it.
    pub encrypted_token: String,
}

/// Verifies a push and reads it. `secret` is the app's webhook secret token, `body` the bytes as they
/// arrived.
///
/// # Errors
/// [`Refused`] unless it is signed with `secret`, fresh, and an event.
pub fn read(
    secret: &str,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Push, Refused> {
    verify(secret, headers, body, now)?;
    let envelope: Envelope = serde_json::from_slice(body).map_err(|_| Refused::Malformed)?;
    let Payload { account_id, operator_id, user_id, plain_token, object } = envelope.payload;
    let account_id = account_id.unwrap_or_default();
    let object = object.unwrap_or_default();
    Ok(match envelope.event.as_str() {
        "endpoint.url_validation" => {
            let plain_token = plain_token.filter(|t| is_plain(t)).ok_or(Refused::Malformed)?;
            Push::Validation { plain_token }
        }
        "app_deauthorized" => {
            let user_id = user_id.ok_or(Refused::Malformed)?;
            Push::Deauthorized { account_id, user_id }
        }
        "meeting.created"
        | "meeting.updated"
        | "meeting.deleted"
        | "meeting.permanently_deleted"
        | "meeting.recovered" => {
            let named = [object.host_id, operator_id];
            event(account_id, named, envelope.event, object.id)
        }
        "user.deactivated" | "user.deleted" | "user.disassociated" => {
            let named = [object.id.clone().map(Id::text), None];
            event(account_id, named, envelope.event, object.id)
        }
        _ => Push::Ignored,
    })
}

/// What answers a [`Push::Validation`] with this token.
pub fn validation(secret: &str, plain_token: &str) -> Validation {
    let mac = mac(secret, &[plain_token.as_bytes()]).finalize().into_bytes();
    Validation { plain_token: plain_token.to_owned(), encrypted_token: hex(&mac) }
}

/// The value of [`SIGNATURE`] over `body`, as Zoom makes it.
pub fn signature(secret: &str, unix_seconds: i64, body: &[u8]) -> String {
    let mac = signed(secret, &unix_seconds.to_string(), body).finalize().into_bytes();
    format!("v0={}", hex(&mac))
}

fn event(account_id: String, users: [Option<String>; 2], event: String, id: Option<Id>) -> Push {
    let mut users: Vec<String> =
        users.into_iter().flatten().filter(|user| !user.is_empty()).collect();
    users.dedup();
    if users.is_empty() {
        return Push::Ignored;
    }
    Push::Event { account_id, users, event, object_id: id.map(Id::text) }
}

/// The age is judged after the signature, so that only Zoom learns anything about our clock.
fn verify(secret: &str, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Refused> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let given = header(SIGNATURE)
        .and_then(|text| text.strip_prefix("v0="))
        .and_then(unhex)
        .ok_or(Refused::Unsigned)?;
    let signed_at = header(TIMESTAMP).ok_or(Refused::Unsigned)?;
    signed(secret, signed_at, body).verify_slice(&given).map_err(|_| Refused::Forged)?;
    let at: i64 = signed_at.parse().map_err(|_| Refused::Unsigned)?;
    if now.0.abs_diff(at.saturating_mul(1000)) > ZOOM_PUSH_AGE_MAX_MS {
        return Err(Refused::Stale);
    }
    Ok(())
}

/// A validation is signed like every push. Even so nothing is authenticated for it that could be taken
/// for what a signature covers, which has colons.
fn is_plain(token: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"-_+/=.".contains(&c);
    (1..=128).contains(&token.len()) && token.bytes().all(plain)
}

fn signed(secret: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    mac(secret, &[b"v0:", timestamp.as_bytes(), b":", body])
}

fn mac(secret: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

#[derive(Deserialize)]
struct Envelope {
    event: String,
    #[serde(default)]
    payload: Payload,
}

#[derive(Default, Deserialize)]
struct Payload {
    account_id: Option<String>,
    operator_id: Option<String>,
    user_id: Option<String>,
    #[serde(rename = "plainToken")]
    plain_token: Option<String>,
    object: Option<Object>,
}

#[derive(Default, Deserialize)]
struct Object {
    id: Option<Id>,
    host_id: Option<String>,
}

/// A meeting's id is a number, a user's a text.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Text(String),
}

impl Id {
    fn text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text,
        }
    }
}

#[cfg(test)]
mod tests;
