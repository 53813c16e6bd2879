//! Google's pushes: everything is in the headers, the body is empty.
//!
//! Whatever the answer to a push with an unknown channel is worth, it is a success: else Google keeps
//! failing at it. A push never tells what changed.

use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tidings_core::clock::Timestamp;
use tidings_core::limits::GOOGLE_PUSH_HEADER_BYTES_MAX;

/// One push.
#[derive(Clone, PartialEq, Eq)]
pub struct Push {
    /// The channel, as we named it.
    pub channel_id: String,
    /// The channel's token, as it came: compare it by [`Push::is_genuine`].
    pub token: String,
    /// Google's name of what is watched.
    pub resource_id: String,
    /// What kind of push it is.
    pub state: State,
    /// 1 for the first; later ones grow, with gaps.
    pub message_number: Option<u64>,
    /// When the channel ends.
    pub expires_at: Option<Timestamp>,
}

/// What kind of push it is. Drive's states (`add`, `update` …) do not occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The channel begins. May come before the answer to the request for it.
    Sync,
    /// Something changed.
    Exists,
    /// What is watched is gone.
    NotExists,
}

/// Reads a push; `None` when it is none.
pub fn read(headers: &HeaderMap) -> Option<Push> {
    let value = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        (value.len() <= GOOGLE_PUSH_HEADER_BYTES_MAX).then_some(value)
    };
    let state = match value("x-goog-resource-state")? {
        "sync" => State::Sync,
        "exists" => State::Exists,
        "not_exists" => State::NotExists,
        _ => return None,
    };
    let expires_at = value("x-goog-channel-expiration").and_then(|text| {
        let at = jiff::fmt::rfc2822::parse(text).ok()?;
        Some(Timestamp(at.timestamp().as_millisecond()))
    });
    Some(Push {
        channel_id: value("x-goog-channel-id").filter(|id| !id.is_empty())?.to_owned(),
        token: value("x-goog-channel-token").unwrap_or_default().to_owned(),
        resource_id: value("x-goog-resource-id")?.to_owned(),
        state,
        message_number: value("x-goog-message-number").and_then(|number| number.parse().ok()),
        expires_at,
    })
}

/// What is kept of a channel's token.
pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

impl Push {
    /// Whether it comes from the channel with this token hash and this resource. The resource is not
    /// known as long as Google has not answered the request for the channel. Takes the same time
    /// whatever the token is.
    pub fn is_genuine(&self, expected: &[u8], resource_id: Option<&str>) -> bool {
        let same_token: bool = token_hash(&self.token).ct_eq(expected).into();
        same_token && resource_id.is_none_or(|id| id == self.resource_id)
    }
}

/// Without the token.
impl std::fmt::Debug for Push {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Push");
        shown.field("channel_id", &self.channel_id).field("state", &self.state);
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(state: &str) -> HeaderMap {
        let pairs = [
            ("X-Goog-Channel-ID", "c1"),
            ("X-Goog-Channel-Token", "s3cret"),
            ("X-Goog-Channel-Expiration", "Sat, 21 Nov 2026 05:00:00 GMT"),
            ("X-Goog-Resource-ID", "r1"),
            ("X-Goog-Resource-URI", "https://www.googleapis.com/calendar/v3/calendars/x/events"),
            ("X-Goog-Resource-State", state),
            ("X-Goog-Message-Number", "17"),
        ];
        let pair = |(name, value): (&str, &str)| {
            (HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap())
        };
        pairs.into_iter().map(pair).collect()
    }

    #[test]
    fn everything_is_in_the_headers() {
        let push = read(&headers("exists")).unwrap();
        assert_eq!((push.channel_id.as_str(), push.resource_id.as_str()), ("c1", "r1"));
        assert_eq!((push.state, push.message_number), (State::Exists, Some(17)));
        assert_eq!(push.expires_at, Timestamp::parse("2026-11-21T05:00:00Z"));
        assert!(!format!("{push:?}").contains("s3cret"));
        assert_eq!(read(&headers("sync")).unwrap().state, State::Sync);
        assert_eq!(read(&headers("not_exists")).unwrap().state, State::NotExists);
    }

    #[test]
    fn states_of_other_products_and_broken_pushes_are_none() {
        for state in ["add", "update", "change", ""] {
            assert_eq!(read(&headers(state)), None, "{state}");
        }
        for missing in ["x-goog-channel-id", "x-goog-resource-id", "x-goog-resource-state"] {
            let mut headers = headers("exists");
            headers.remove(missing);
            assert_eq!(read(&headers), None, "{missing}");
        }
        let mut long = headers("exists");
        long.insert("x-goog-channel-id", HeaderValue::try_from("c".repeat(257)).unwrap());
        assert_eq!(read(&long), None);
    }

    #[test]
    fn a_push_is_genuine_with_its_channels_token_and_resource() {
        let push = read(&headers("exists")).unwrap();
        let hash = token_hash("s3cret");
        assert!(push.is_genuine(&hash, Some("r1")));
        assert!(push.is_genuine(&hash, None), "the sync push may come before the answer");
        assert!(!push.is_genuine(&hash, Some("r2")));
        assert!(!push.is_genuine(&token_hash("other"), Some("r1")));
        assert!(!push.is_genuine(&[], Some("r1")));
        let mut without = headers("exists");
        without.remove("x-goog-channel-token");
        assert!(!read(&without).unwrap().is_genuine(&hash, Some("r1")));
    }
}
