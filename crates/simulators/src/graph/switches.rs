//! How Graph behaves today.

/// How a delta token is refused that is not known any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resync {
    /// 410 with a `Location` that starts anew (an empty token).
    Location,
    /// 410 with the code `resyncRequired`.
    Required,
    /// 410 with the code `syncStateNotFound`.
    NotFound,
    /// 400 with the code `SyncStateInvalid`.
    Invalid,
}

/// What the simulator does; change it through [`super::Graph::switches`].
#[derive(Clone, Debug)]
pub struct Switches {
    /// Minutes that a subscription may live; a longer wish is answered 400.
    pub max_minutes: i64,
    /// Subscriptions live no longer than this, whatever is asked for; minutes.
    pub granted_minutes: Option<i64>,
    /// Subscriptions that a mailbox has room for.
    pub max_subscriptions: usize,
    /// How long a subscriber has to answer the validation, ms.
    pub handshake_ms: u64,
    /// Events outside the window that were created or changed come as `@removed`.
    pub removed_outside: bool,
    /// Tombstones tell no type.
    pub bare_tombstones: bool,
    /// A cancelled day of a series is not told; only the series' change key moves.
    pub hide_cancelled: bool,
    /// An update is notified as `created`.
    pub created_for_update: bool,
    /// So many further `updated` notifications follow each save.
    pub noisy_saves: u32,
    /// After a write through the API, Exchange moves the change key so many times more.
    pub bumps_after_write: u32,
    /// `If-Match` is not looked at.
    pub ignore_if_match: bool,
    /// A repeated `transactionId` is answered 201 with the first event instead of 409
    /// `ErrorDuplicateTransactionId`.
    pub repeat_answers: bool,
    /// Items of a page at most, whatever is preferred.
    pub max_page: usize,
    /// Requests at once in one mailbox; more are answered 429 `MailboxConcurrency`.
    pub concurrency: usize,
    /// Milliseconds that each request takes.
    pub latency_ms: u64,
    /// How an old delta token is refused.
    pub resync: Resync,
    /// Notifications wait until [`super::Graph::flush`].
    pub hold_notifications: bool,
    /// Items of one notification request at most.
    pub batch: usize,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            max_minutes: 10_080,
            granted_minutes: None,
            max_subscriptions: 1_000,
            handshake_ms: 10_000,
            removed_outside: true,
            bare_tombstones: true,
            hide_cancelled: false,
            created_for_update: false,
            noisy_saves: 0,
            bumps_after_write: 0,
            ignore_if_match: false,
            repeat_answers: false,
            max_page: 50,
            concurrency: 4,
            latency_ms: 0,
            resync: Resync::Location,
            hold_notifications: false,
            batch: 100,
        }
    }
}
