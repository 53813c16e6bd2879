//! How a hook is served: retries, limits, order and coalescing.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::access::AccessSummary;
use crate::change::{Change, Subject};
use crate::limits;
use crate::retry::Schedule;
use crate::sign::Signing;

use super::Consent;

/// How a hook is served: applies at once, to new and to parked deliveries.
///
/// Stored as JSON; what is absent there has its default, so that a field can be added without a
/// migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// When failed deliveries are tried again.
    pub retry: Schedule,
    /// Deliveries in flight at once.
    pub concurrency: u32,
    /// Total budget of an attempt, response body included, ms.
    pub timeout_ms: u64,
    /// Attempts in a span of time, at most; absent: as fast as the receiver answers.
    pub rate: Option<Rate>,
    /// Which deliveries wait for one another.
    pub ordering: Ordering,
    /// What an ordered hook does when a delivery's schedule ends without success.
    pub on_exhausted: OnExhausted,
    /// Whether and how changes share a request; absent: one request for each change.
    pub coalesce: Option<Coalesce>,
    /// When failures disable the hook.
    pub disable: DisableRule,
    /// Whether a receiver that is down costs a probe now and then rather than its schedule.
    pub breaker: bool,
    /// Whether the waits of the schedule are lengthened by up to a fifth, by chance.
    pub jitter: bool,
    /// Whether a retry takes in what came after the delivery that failed, and comes early when a change
    /// comes that need not wait for the least interval. Only for a hook whose deliveries go out one by one
    /// and share requests.
    pub merges: bool,
    /// What its deliveries are signed with.
    pub signing: Signing,
    /// What its requests carry to be let in, without the secrets.
    pub access: AccessSummary,
    /// Whether the receiver agreed; absent: it is not asked.
    pub consent: Option<Consent>,
}

impl Service {
    /// The group in which `change` is sent, when the hook coalesces.
    pub fn group(&self, change: &Change) -> Option<String> {
        self.coalesce.as_ref().map(|coalesce| coalesce.group.key(change))
    }

    /// The hash of the key that all deliveries have when they go out one by one.
    pub fn order_of_all(&self) -> Option<i64> {
        (self.ordering == Ordering::Hook).then(|| key_hash(""))
    }

    /// The hash of the key within which `change` is delivered in order: its group, when the hook
    /// coalesces; absent when nothing waits for it.
    pub fn key_hash(&self, change: &Change) -> Option<i64> {
        match &self.ordering {
            Ordering::None => None,
            Ordering::Hook => self.order_of_all(),
            Ordering::Key(source) => {
                self.group(change).or_else(|| source.key(change)).map(|key| key_hash(&key))
            }
        }
    }
}

/// The first 8 bytes of the key's SHA-256.
fn key_hash(key: &str) -> i64 {
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

impl Default for Service {
    fn default() -> Self {
        Self {
            retry: Schedule::default(),
            concurrency: limits::HOOK_CONCURRENCY_DEFAULT,
            timeout_ms: limits::DELIVERY_DEADLINE_MS,
            rate: None,
            ordering: Ordering::default(),
            on_exhausted: OnExhausted::default(),
            coalesce: None,
            disable: DisableRule::default(),
            breaker: true,
            jitter: true,
            merges: false,
            signing: Signing::default(),
            access: AccessSummary::default(),
            consent: None,
        }
    }
}

/// At most `count` attempts in each span, evenly spread: first tries, retries and probes alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Attempts in a span; at least 1.
    pub count: u32,
    /// The span.
    pub per: Span,
}

/// A span of time that a [`Rate`] counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Span {
    /// 1,000 ms.
    Second,
    /// 60,000 ms.
    Minute,
    /// 3,600,000 ms.
    Hour,
}

/// Which deliveries of a hook wait for one another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ordering {
    /// None: a failed delivery holds up nothing.
    #[default]
    None,
    /// All: the hook's deliveries go out one by one in order of `seq`.
    Hook,
    /// Those with an equal key; an ordered key blocks only itself.
    Key(KeySource),
}

/// Where the key of an ordered change comes from. A change without the key is not ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// The account that the change is about.
    Account,
    /// The item that the change is about, within its collection.
    Item,
    /// The `order_key` that the publisher gave.
    OrderKey,
    /// What a JSON pointer (RFC 6901) finds in the change's data.
    Pointer(String),
}

impl KeySource {
    /// Reads `account`, `item`, `order_key` or a JSON pointer.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "account" => Some(Self::Account),
            "item" => Some(Self::Item),
            "order_key" => Some(Self::OrderKey),
            pointer => is_pointer(pointer).then(|| Self::Pointer(pointer.to_owned())),
        }
    }

    /// The reverse of [`KeySource::parse`].
    pub fn as_str(&self) -> &str {
        match self {
            Self::Account => "account",
            Self::Item => "item",
            Self::OrderKey => "order_key",
            Self::Pointer(pointer) => pointer,
        }
    }

    /// The key of a change, if it has one.
    pub fn key(&self, change: &Change) -> Option<String> {
        let subject = &change.new.subject;
        match self {
            Self::Account => subject.account_no.map(|account| account.to_string()),
            Self::Item => item_key(subject),
            Self::OrderKey => change.new.order_key.clone(),
            Self::Pointer(pointer) => {
                let body: serde_json::Value = serde_json::from_slice(&change.new.body).ok()?;
                body.pointer(pointer).filter(|found| !found.is_null()).map(ToString::to_string)
            }
        }
    }
}

/// Whether `text` is a JSON pointer to something in a document (RFC 6901 §3): `~` only as `~0` or `~1`.
fn is_pointer(text: &str) -> bool {
    text.len() <= limits::POINTER_BYTES_MAX
        && text.starts_with('/')
        && text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}

/// An item is unique within its collection.
fn item_key(subject: &Subject) -> Option<String> {
    let item = subject.item.as_ref()?;
    Some(format!("{}/{item}", subject.collection_no.unwrap_or_default()))
}

/// What an ordered hook does when a delivery's schedule ends without success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExhausted {
    /// The key goes on with its next change.
    #[default]
    Continue,
    /// The hook is disabled with this reason, so that no later change overtakes the lost one.
    Stop,
}

/// How changes share a request. A delivery then stands for a range of changes of one group, which is
/// frozen at its first attempt. Windows open at the first member's time of recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Coalesce {
    /// Which changes may share a request.
    pub group: Grouping,
    /// A group is not sent before this long after its first change, ms.
    pub delay_ms: u64,
    /// A group is sent when no further change has joined it for this long, ms. A full one does not wait,
    /// and changes go on joining until the request begins.
    pub window_ms: u64,
    /// A group is sent at the latest this long after its first change, ms; 0: `window_ms`, so that
    /// further changes do not put it off.
    pub max_wait_ms: u64,
    /// At least this long between the beginnings of two requests of the hook, ms.
    pub min_interval_ms: u64,
    /// Changes in one request, at most.
    pub batch_max: u32,
    /// Bytes of the changes' data in one request, at most; one change always goes.
    pub batch_bytes_max: u64,
}

impl Coalesce {
    /// All changes share requests, as many as may be, and nothing waits.
    pub const PLAIN: Self = Self {
        group: Grouping::All,
        delay_ms: 0,
        window_ms: 0,
        max_wait_ms: 0,
        min_interval_ms: 0,
        batch_max: limits::BATCH_CHANGES_MAX,
        batch_bytes_max: limits::BATCH_BYTES_MAX,
    };
}

impl Default for Coalesce {
    fn default() -> Self {
        Self::PLAIN
    }
}

/// Which changes of a coalescing hook may share a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// All of them.
    #[default]
    All,
    /// Those of one account.
    Account,
    /// Those of one collection.
    Collection,
    /// Those of one type.
    Type,
    /// Those of one account and type.
    AccountType,
    /// Those about one item.
    Item,
}

impl Grouping {
    /// All groupings, for a format that can hold any changes in one request.
    pub const EVERY: [Self; 6] =
        [Self::All, Self::Account, Self::Collection, Self::Type, Self::AccountType, Self::Item];

    /// The group of a change: never empty, and it names its grouping, so that a parked range is found
    /// again when the hook groups otherwise by then.
    pub fn key(self, change: &Change) -> String {
        let subject = &change.new.subject;
        let account = subject.account_no.unwrap_or_default();
        let kind = &change.new.kind;
        match self {
            Self::All => "all".into(),
            Self::Account => format!("account {account}"),
            Self::Collection => {
                format!("collection {}", subject.collection_no.unwrap_or_default())
            }
            Self::Type => format!("type {kind}"),
            Self::AccountType => format!("account-type {account} {kind}"),
            Self::Item => format!("item {}", item_key(subject).unwrap_or_default()),
        }
    }

    /// Whether `group` is the key of `change` in the grouping that the key names.
    pub fn groups(group: &str, change: &Change) -> bool {
        Self::EVERY.iter().any(|grouping| grouping.key(change) == group)
    }
}

/// When failures disable a hook. Only failures that got as far as the receiver count; the rule is looked
/// at after each of them:
///
/// - a receiver that answers 410 wants no more: the hook is disabled at once;
/// - `failing_ms`: nothing but failures since the first one after the last success, and that lies this
///   long back or longer;
/// - `failures`: this many failures since the last success, retries included.
///
/// Both counts are stored with the hook, so that a restart does not begin them anew; a success and
/// enabling the hook clear them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DisableRule {
    /// After nothing but failures for this long, ms; absent: never for this reason.
    pub failing_ms: Option<i64>,
    /// After this many failed attempts in a row; absent: never for this reason.
    pub failures: Option<u64>,
}

impl Default for DisableRule {
    fn default() -> Self {
        Self { failing_ms: Some(limits::HOOK_FAILING_MS_DEFAULT), failures: None }
    }
}
