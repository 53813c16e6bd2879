//! A change: one entry of an app's journal.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::ChangeId;
use crate::limits;

/// The types that Tidings itself writes when a watched calendar changes.
pub mod types {
    /// An account was connected.
    pub const ACCOUNT_CONNECTED: &str = "account.connected";
    /// An account can no longer be read; its owner must act.
    pub const ACCOUNT_INACTIVE: &str = "account.inactive";
    /// An account was deleted.
    pub const ACCOUNT_DELETED: &str = "account.deleted";
    /// A calendar appeared.
    pub const CALENDAR_CREATED: &str = "calendar.created";
    /// A calendar was renamed or otherwise described anew.
    pub const CALENDAR_UPDATED: &str = "calendar.updated";
    /// A calendar disappeared.
    pub const CALENDAR_DELETED: &str = "calendar.deleted";
    /// An event appeared in a calendar.
    pub const EVENT_CREATED: &str = "event.created";
    /// An event changed.
    pub const EVENT_UPDATED: &str = "event.updated";
    /// An event disappeared.
    pub const EVENT_DELETED: &str = "event.deleted";
    /// All that is told of accounts, calendars and their events.
    pub const CALENDAR: [&str; 9] = [
        EVENT_CREATED,
        EVENT_UPDATED,
        EVENT_DELETED,
        CALENDAR_CREATED,
        CALENDAR_UPDATED,
        CALENDAR_DELETED,
        ACCOUNT_CONNECTED,
        ACCOUNT_INACTIVE,
        ACCOUNT_DELETED,
    ];
    /// All that Tidings tells of itself; only triggers that name them exactly match.
    pub const OPERATIONAL: [&str; 6] = [
        HOOK_FAILING,
        HOOK_RECOVERED,
        HOOK_DISABLED,
        HOOK_GAP,
        DELIVERY_EXHAUSTED,
        SERVICE_STARTED,
    ];
    /// A hook's receiver fails; what it is owed waits.
    pub const HOOK_FAILING: &str = "hook.failing";
    /// The receiver of a hook that failed takes deliveries again.
    pub const HOOK_RECOVERED: &str = "hook.recovered";
    /// A hook was disabled.
    pub const HOOK_DISABLED: &str = "hook.disabled";
    /// A hook did not get changes that were too old or too many to be kept.
    pub const HOOK_GAP: &str = "hook.gap";
    /// A delivery was given up.
    pub const DELIVERY_EXHAUSTED: &str = "delivery.exhausted";
    /// The test event that a hook's owner asks for.
    pub const HOOK_TEST: &str = "hook.test";
    /// Tidings was started.
    pub const SERVICE_STARTED: &str = "service.started";
}

/// Whether only Tidings may write changes of this type. Wildcard triggers never match these.
pub fn is_operational(kind: &str) -> bool {
    ["hook.", "delivery.", "service."].iter().any(|prefix| kind.starts_with(prefix))
}

/// Whether `kind` is a well-formed type: dot-separated segments of `[A-Za-z0-9_-]`, at most
/// [`limits::TYPE_BYTES_MAX`] bytes.
pub fn is_type(kind: &str) -> bool {
    kind.len() <= limits::TYPE_BYTES_MAX
        && kind.split('.').all(|segment| {
            !segment.is_empty()
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        })
}

/// Where a change comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Seen at a calendar provider.
    Provider,
    /// Written through one of our APIs.
    Api,
    /// Brought in from elsewhere.
    Import,
}

impl Origin {
    /// The name used in the store and in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Api => "api",
            Self::Import => "import",
        }
    }

    /// The reverse of [`Origin::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Provider, Self::Api, Self::Import].into_iter().find(|o| o.as_str() == text)
    }
}

/// What a change is about, as small store keys; what is absent does not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Store key of the end user.
    pub user_no: Option<i64>,
    /// Store key of the account.
    pub account_no: Option<i64>,
    /// Store key of the collection.
    pub collection_no: Option<i64>,
    /// Provider of the account: `caldav`, `apple`, `google`, …
    pub provider: Option<String>,
    /// The item's id at its provider.
    pub item: Option<String>,
    /// The one hook this change is for, when it is a test event.
    pub hook_no: Option<i64>,
}

/// A change that is about to be appended. The journal gives it its `seq`.
#[derive(Clone, Debug)]
pub struct NewChange {
    /// Its id; unique in the app.
    pub id: ChangeId,
    /// Its type, `event.updated`; see [`is_type`].
    pub kind: String,
    /// What it is about.
    pub subject: Subject,
    /// Changes with equal keys can be delivered in order.
    pub order_key: Option<String>,
    /// When it happened at its origin.
    pub occurred_at: Timestamp,
    /// Where it comes from.
    pub origin: Origin,
    /// Who caused it: a grant's id, when known.
    pub actor: Option<String>,
    /// W3C trace context of the request that published it.
    pub traceparent: Option<String>,
    /// The content: a JSON document, kept and forwarded byte for byte.
    pub body: Bytes,
}

/// A journal entry.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its number in the app's journal: 1, 2, 3 … without gaps.
    pub seq: u64,
    /// When it became durable.
    pub recorded_at: Timestamp,
    /// What was appended. The body is empty when the content was erased.
    pub new: NewChange,
}

impl Change {
    /// Whether it is the echo of a write of our own to a calendar of a provider: whoever asked for the write
    /// knows it already, and two-way sync that answers it with another write would never come to rest. What
    /// an app publishes about an account names no calendar, and is none.
    pub fn is_echo(&self) -> bool {
        let NewChange { kind, origin, subject, .. } = &self.new;
        let provider = subject.provider.as_deref();
        *origin == Origin::Api
            && subject.collection_no.is_some()
            && kind.starts_with("event.")
            && matches!(provider, Some("google" | "microsoft" | "caldav" | "apple" | "zoom"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_dotted_words() {
        for (kind, good) in [
            ("event.updated", true),
            ("a", true),
            ("a.b-c_d.E2", true),
            ("", false),
            (" ", false),
            ("a..b", false),
            (".a", false),
            ("a.", false),
            ("a b", false),
            ("a/b", false),
            ("*", false),
            ("a.*", false),
            ("é.b", false),
            ("a\nb", false),
            ("a.b\u{202e}", false),
        ] {
            assert_eq!(is_type(kind), good, "{kind:?}");
        }
        assert!(!is_type(&"a".repeat(limits::TYPE_BYTES_MAX + 1)));
    }
}
