//! How a hook is served: retries, limits, order and coalescing.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::retry::Schedule;

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
        }
    }
}

/// At most `count` attempts in each span, evenly spread, with a burst of what one second allows.
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
    /// Each change waits at least this long before it is sent, ms.
    pub delay_ms: u64,
    /// A group is sent when no further change has joined it for this long, ms.
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

impl Default for Coalesce {
    fn default() -> Self {
        Self {
            group: Grouping::default(),
            delay_ms: 0,
            window_ms: 0,
            max_wait_ms: 0,
            min_interval_ms: 0,
            batch_max: limits::BATCH_CHANGES_MAX,
            batch_bytes_max: limits::BATCH_BYTES_MAX,
        }
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
    /// Those of one type.
    Type,
    /// Those of one account and type.
    AccountType,
    /// Those about one item.
    Item,
}

/// When failures disable a hook. A receiver that answers 410 always does.
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
