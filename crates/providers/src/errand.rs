//! What a caller waits for and only a provider can answer. The service hands errands over; the
//! engine, which alone makes requests, runs them.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tidings_core::clock::Timestamp;
use tidings_core::id::Ids;
use url::Url;
use zeroize::Zeroizing;

use crate::draft::{EventDraft, Notify, Scope};
use crate::item::Item;
use crate::oauth::{Credential, Identity};
pub use crate::provider::Provider;

/// A question to a provider.
#[derive(Clone)]
pub enum Errand {
    /// Trade a code for tokens and ask whose they are. Answer: [`Reply::Connected`].
    Exchange {
        /// Who gave the code.
        provider: Provider,
        /// The code.
        code: Zeroizing<String>,
        /// The PKCE verifier that the flow began with.
        verifier: Zeroizing<String>,
        /// The redirect address that the flow began with.
        redirect_uri: Url,
    },
    /// Stop the account's subscriptions, then revoke its tokens. Answer: [`Reply::Done`].
    Revoke {
        /// The account.
        account_no: i64,
    },
    /// Create an event; the same key again answers with the same event. Answer: [`Reply::Item`].
    Create {
        /// The account.
        account_no: i64,
        /// The calendar.
        collection_no: i64,
        /// What makes it idempotent.
        key: WriteKey,
        /// What to create.
        draft: EventDraft,
        /// Whom the provider tells.
        notify: Notify,
        /// Who asks, as the changes tell it: a grant's id.
        actor: Option<String>,
    },
    /// Change an event. Answer: [`Reply::Item`].
    Update {
        /// The account.
        account_no: i64,
        /// The calendar.
        collection_no: i64,
        /// The event's key in the mirror; of an occurrence that is no item of its own, the key of its
        /// series, `#` and which one (`20261203T080000Z`).
        item_key: String,
        /// The version (entity tag) that the caller has seen: another one is a conflict.
        if_match: Option<String>,
        /// How much of a series.
        scope: Scope,
        /// What to change.
        draft: EventDraft,
        /// Whom the provider tells.
        notify: Notify,
        /// Who asks, as the changes tell it: a grant's id.
        actor: Option<String>,
    },
    /// Send something to a hook's receiver now, as a delivery is sent, but recorded nowhere and counted
    /// against nobody. Answer: [`Reply::Called`].
    Call {
        /// The hook.
        hook_no: i64,
        /// The body, JSON.
        body: Bytes,
    },
    /// Delete an event; one that is gone already counts as deleted. Answer: [`Reply::Done`].
    Delete {
        /// The account.
        account_no: i64,
        /// The calendar.
        collection_no: i64,
        /// The event's key in the mirror; of an occurrence that is no item of its own, the key of its
        /// series, `#` and which one (`20261203T080000Z`).
        item_key: String,
        /// The version (entity tag) that the caller has seen: another one is a conflict.
        if_match: Option<String>,
        /// How much of a series.
        scope: Scope,
        /// Whom the provider tells.
        notify: Notify,
        /// Who asks, as the changes tell it: a grant's id.
        actor: Option<String>,
    },
}

/// Shows what it is about, without codes and content.
impl std::fmt::Debug for Errand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exchange { provider, .. } => write!(f, "Exchange({provider})"),
            Self::Revoke { account_no } => write!(f, "Revoke({account_no})"),
            Self::Create { account_no, .. } => write!(f, "Create({account_no})"),
            Self::Update { account_no, .. } => write!(f, "Update({account_no})"),
            Self::Delete { account_no, .. } => write!(f, "Delete({account_no})"),
            Self::Call { hook_no, .. } => write!(f, "Call({hook_no})"),
        }
    }
}

/// A provider's answer.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one answer to one caller, moved once")]
pub enum Reply {
    /// The account's tokens and whose they are.
    Connected {
        /// To be sealed as the account's credential.
        tokens: Credential,
        /// Whose account it is.
        identity: Identity,
    },
    /// The event as it is now, mirrored already.
    Item(Item),
    /// What the hook's receiver answered.
    Called(Called),
    /// It is done.
    Done,
}

/// What came of a request to a hook's receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// The status of the answer; absent: none came.
    pub status: Option<u16>,
    /// Why none came, in plain words.
    pub why: Option<String>,
}

/// Why an errand was not done. Texts hold neither secrets nor calendar content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The account, calendar or event is not there.
    #[error("{0}")]
    NotFound(String),
    /// The event is not in the version that was given, or the provider saw a conflict.
    #[error("{0}")]
    Conflict(String),
    /// The provider cannot take what was given.
    #[error("{0}")]
    Invalid(String),
    /// The calendar or event is not the account's to change, or a permission was not given.
    #[error("{0}")]
    Forbidden(String),
    /// The account must be connected again first.
    #[error("{0}")]
    Inactive(String),
    /// The operator's configuration at the provider is wrong.
    #[error("{0}")]
    Operator(String),
    /// The provider cannot now.
    #[error("{why}")]
    Unavailable {
        /// What happened.
        why: String,
        /// When to ask again, ms, if the provider said so.
        after_ms: Option<u64>,
    },
    /// Too many errands wait already.
    #[error("too many requests wait for the providers; try again")]
    Busy,
}

/// What makes a create idempotent at every provider: 26 to 64 characters of `[a-v0-9]`, which is what
/// Google takes as an event id and fits a Graph `transactionId` and a CalDAV file name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WriteKey(String);

impl WriteKey {
    /// The key of these texts (app, calendar, the caller's idempotency key); equal for equal texts.
    pub fn derived(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(base32hex(&hash.finalize()))
    }

    /// A key that no one has used.
    pub fn fresh(ids: &Ids, now: Timestamp) -> Self {
        let mut random = [0; 32];
        random[..12].copy_from_slice(&ids.next(now).to_bytes());
        ids.fill(&mut random[12..]);
        Self(base32hex(&random))
    }

    /// A key that was stored.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (26..=64).contains(&text.len());
        let is_plain = text.bytes().all(|b| matches!(b, b'a'..=b'v' | b'0'..=b'9'));
        (fits && is_plain).then(|| Self(text.into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// RFC 4648 section 7 in lower case, without padding.
fn base32hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let digit = |bits: u32| char::from(DIGITS[(bits & 31) as usize]);
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut held, mut count) = (0_u32, 0);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(digit(held >> count));
        }
        held &= (1 << count) - 1;
    }
    if count > 0 {
        text.push(digit(held << (5 - count)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32hex_is_that_of_rfc_4648_section_10() {
        for (plain, expected) in [
            ("", ""),
            ("f", "co"),
            ("fo", "cpng"),
            ("foo", "cpnmu"),
            ("foob", "cpnmuog"),
            ("fooba", "cpnmuoj1"),
            ("foobar", "cpnmuoj1e8"),
        ] {
            assert_eq!(base32hex(plain.as_bytes()), expected);
        }
    }

    #[test]
    fn keys_are_equal_for_equal_texts_only_and_fit_every_provider() {
        let key = WriteKey::derived(&["app", "key"]);
        assert_eq!(key, WriteKey::derived(&["app", "key"]));
        assert_ne!(key, WriteKey::derived(&["appk", "ey"]));
        assert_eq!(WriteKey::parse(key.as_str()), Some(key.clone()));
        let fresh = WriteKey::fresh(&Ids::seeded(1), Timestamp(1_795_000_000_000));
        assert_eq!(WriteKey::parse(fresh.as_str()), Some(fresh.clone()));
        assert_eq!((key.as_str().len(), fresh.as_str().len()), (52, 52));
        assert_eq!(WriteKey::parse("short"), None);
        assert_eq!(WriteKey::parse(&"W".repeat(52)), None);
    }

    #[test]
    fn an_errand_shows_no_code() {
        let errand = Errand::Exchange {
            provider: Provider::Google,
            code: Zeroizing::new("s3cret".into()),
            verifier: Zeroizing::new("s3cret".into()),
            redirect_uri: Url::parse("https://t.example/cb").unwrap(),
        };
        assert_eq!(format!("{errand:?}"), "Exchange(google)");
    }
}
