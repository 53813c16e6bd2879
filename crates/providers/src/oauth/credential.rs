//! What an account keeps of its tokens.

use serde::{Deserialize, Serialize};
use tidings_core::access::Hidden;
use tidings_core::clock::Timestamp;

use super::Tokens;

/// An account's tokens, stored sealed as JSON. `Debug` shows none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// For requests.
    pub access_token: Hidden,
    /// For the next refresh. Without one the account ends with its access token.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refresh_token: Option<Hidden>,
    /// When the access token ends, ms since the Unix epoch.
    pub expires_at_ms: i64,
    /// What was granted.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// Whose account it is at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The provider's id of the user.
    pub external_id: String,
    /// Their address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
    /// Their name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
}

impl Credential {
    /// That of tokens which came `now`.
    pub fn new(tokens: Tokens, now: Timestamp) -> Self {
        let lives_ms = i64::try_from(tokens.expires_in_s).unwrap_or(i64::MAX).saturating_mul(1000);
        Self {
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            expires_at_ms: now.plus_ms(lives_ms).0,
            scopes: tokens.scopes,
        }
    }

    /// What a refresh makes of it: a rotated refresh token replaces the old one, none keeps it; so do
    /// the scopes.
    #[must_use]
    pub fn refreshed(&self, tokens: Tokens, now: Timestamp) -> Self {
        let mut fresh = Self::new(tokens, now);
        if fresh.refresh_token.is_none() {
            fresh.refresh_token.clone_from(&self.refresh_token);
        }
        if fresh.scopes.is_empty() {
            fresh.scopes.clone_from(&self.scopes);
        }
        fresh
    }

    /// Whether the access token is good for another `ms`.
    pub fn lives(&self, now: Timestamp, ms: i64) -> bool {
        now.plus_ms(ms).0 < self.expires_at_ms
    }

    /// As it is sealed.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a credential is texts and numbers")
    }

    /// The reverse of [`Credential::to_json`].
    pub fn from_json(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }
}

/// The scopes of `needed` that were not granted: users may untick single ones. An empty `granted` is
/// all that was asked for. Microsoft leaves out or adds its prefix, changes case, and does not list
/// those of OpenID Connect; Google spells `email` and `profile` as addresses.
pub fn missing_scopes(needed: &[String], granted: &[String]) -> Vec<String> {
    if granted.is_empty() {
        return Vec::new();
    }
    let granted: Vec<String> = granted.iter().map(|scope| normal(scope)).collect();
    let is_missing = |scope: &&String| {
        let scope = normal(scope);
        !UNLISTED.contains(&scope.as_str()) && !granted.contains(&scope)
    };
    needed.iter().filter(is_missing).cloned().collect()
}

/// Say who the user is, not what we may do; not every provider lists them.
const UNLISTED: [&str; 4] = ["offline_access", "openid", "profile", "email"];

fn normal(scope: &str) -> String {
    let scope = scope.to_ascii_lowercase();
    let prefixes = [
        "https://graph.microsoft.com/",
        "https://graph.microsoft.us/",
        "https://www.googleapis.com/auth/userinfo.",
    ];
    let found = prefixes.iter().find_map(|prefix| scope.strip_prefix(prefix));
    found.unwrap_or(&scope).to_owned()
}
