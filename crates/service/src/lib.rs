//! The verbs of Tidings: authorisation, validation, limits and audit. Surfaces call only this crate.
//!
//! One [`Service`]; its verbs are `impl` blocks, one file per noun. A surface turns its wire into plain
//! input structs, calls a verb as a [`Caller`], and turns the output or the [`Error`] back.
//! Everything outside the caller's app is not found, with the same answer as for an unknown id.

mod accounts;
mod advice;
mod announcement;
mod apps;
mod audit;
mod authenticate;
mod bootstrap;
mod calendars;
mod changes;
mod connect;
mod connections;
mod cursor;
mod deliveries;
mod error;
mod event_types;
mod events;
mod examples;
mod hooks;
mod inboxes;
mod keys;
mod known;
mod ledger;
mod operators;
mod passwords;
mod people;
mod portal;
mod providers;
mod publish;
mod pushes;
mod records;
mod replays;
mod retention;
mod signing_keys;
mod stats;
mod tokens;
mod users;
mod validate;
mod watching;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tidings_core::catalogue::Example;
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::format::Formats;
use tidings_core::id::Ids;
use tidings_core::limits;
use tidings_core::meter::Durations;
use tidings_core::retention::Retention;
use tidings_core::seal::Keyring;
use tidings_store::Store;
use tidings_transform::Sandbox;
use tokio::sync::{Mutex, Semaphore};

pub use accounts::{Account, AccountChanges, AccountQuery, NewAccount, Password};
pub use advice::{Advice, advice};
pub use announcement::Announcement;
pub use apps::{App, AppChanges, NewApp};
pub use audit::{AuditBreak, AuditLine, AuditVerdict};
pub use authenticate::{Caller, Scope};
pub use bootstrap::Bootstrap;
pub use calendars::Calendar;
pub use changes::{Change, ChangePage, ChangeSearch, ChangeStream, FoundChanges};
pub use connect::{
    Authorization, AuthorizationInput, CONNECT_CALENDARS, CONNECT_READ, CONNECT_WRITE,
    CalendarChoice, ConnectAccess, ConnectAccount, ConnectCalendar, ConnectEvents, ConnectLogin,
    ConnectQuery, ConnectStatus, ConnectTokens, Connecting, EventPlace, GrantRefusal,
    SubscribeInput, Subscription, Unsubscribed,
};
pub use connections::{
    CodeConnection, ConnectedByCode, Connection, ConsentPage, Finished, NewConnection, NotConnected,
};
pub use cursor::{Page, PageInput};
pub use deliveries::{Attempt, Delivery, DeliveryQuery, DeliveryRequest, SignedDelivery};
pub use error::{Error, Field};
pub use event_types::{EventType, EventTypeInput};
pub use events::{CalendarEvent, EventQuery, Made as MadeEvent, Writing};
pub use examples::TypeExample;
pub use hooks::{
    AccessChanges, Coalescing, CreatedHook, EnableFrom, Hook, HookChanges, HookFrom, HookMatch,
    Made, NamedFilter, NewHook, OrderingKind, Preview, PreviewInput, Reach, RevealedSecret,
    RotateSecret, Rotated, Run, Serving, Verify,
};
pub use inboxes::{Inbox, InboxRequest};
pub use keys::{CreatedKey, Key, NewKey};
pub use ledger::{LedgerExport, LedgerLine, LedgerQuery, LedgerSummary};
pub use operators::{
    NewOperator, Operator, OperatorChanges, OperatorSession, Origin, SignIn, SignedIn, TotpOffer,
};
pub use people::{NewPerson, Person, Registration};
pub use portal::{PortalInput, PortalLink};
pub use providers::Desk;
pub use publish::{NewPublication, Published, Receipt};
pub use pushes::{Pushed, ZoomPush};
pub use records::{
    Deleted, Expect, NewRecordAccount, Record, RecordAccount, RecordOrder, RecordPut, RecordQuery,
    RecordWrite, Refresh, RefreshCounts, RefreshInput, RefreshOutcome,
};
pub use replays::{NewReplay, Replay, ReplayFrom};
pub use retention::Retainer;
pub use signing_keys::WebhookKey;
pub use stats::{About, AccountSync, AppOverview, HookBacklog, Point, Span, Stats, Trouble};
// What surfaces need of the store's vocabulary, so that they need not know the store.
pub use tidings_core::settings::AppSettings;
pub use tidings_store::{
    AccountStatus, DeliveryStatus, GrantKind, LedgerAttempt, LedgerCounts, LedgerState, Role,
};
pub use tokens::{NewToken, TokenChanges, TokenText};
pub use users::{ConnectToken, NewUser, User, UserChanges};
pub use validate::is_deceptive;
pub use watching::Watch;
// What surfaces need of the providers' vocabulary.
pub use tidings_providers::draft::{Notify, Scope as SeriesScope};
pub use tidings_providers::errand::Called;
pub use tidings_providers::microsoft::push::validation_token as microsoft_validation_token;
pub use tidings_providers::settings::Settings as ProviderSettings;

/// Result of a verb.
pub type Result<T> = std::result::Result<T, Error>;

/// The verbs. Clones share everything.
#[derive(Clone, Debug)]
pub struct Service {
    store: Store,
    clock: Clock,
    ids: Ids,
    keyring: Keyring,
    egress: EgressPolicy,
    formats: Formats,
    inboxes: inboxes::Inboxes,
    streams: Arc<Semaphore>,
    subscribing: Arc<Mutex<()>>,
    known: known::Known,
    sandbox: Sandbox,
    retention: Retention,
    disk_is_low: Arc<AtomicBool>,
    compiled: event_types::Compiled,
    providers: providers::Providers,
    passwords: passwords::Passwords,
    sign_ins: operators::SignIns,
    registration: Arc<Registration>,
    accepted: Arc<Durations>,
    examples: Arc<[Example]>,
}

impl Service {
    /// Puts the service together from what is handed down.
    pub fn new(
        store: Store,
        clock: Clock,
        ids: Ids,
        keyring: Keyring,
        egress: EgressPolicy,
        formats: Formats,
    ) -> Self {
        Self {
            store,
            clock,
            ids,
            keyring,
            egress,
            formats,
            inboxes: inboxes::Inboxes::default(),
            streams: Arc::new(Semaphore::new(limits::STREAMS_MAX)),
            subscribing: Arc::default(),
            known: known::Known::default(),
            sandbox: Sandbox::default(),
            retention: Retention::default(),
            disk_is_low: Arc::default(),
            compiled: event_types::Compiled::default(),
            providers: providers::Providers::default(),
            passwords: passwords::Passwords::default(),
            sign_ins: operators::SignIns::default(),
            registration: Arc::default(),
            accepted: Arc::default(),
            examples: Arc::default(),
        }
    }

    /// The formats that hooks can pin.
    pub fn formats(&self) -> &Formats {
        &self.formats
    }

    /// Where ids and other random values come from, for those that a dialect's wire wants.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Where the present moment is read.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How long publishes took from the call until they were durable; those that were refused are not
    /// among them.
    pub fn accepted(&self) -> &Durations {
        &self.accepted
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn ready(&self) -> Result<()> {
        self.store.apps(0, 1).await?;
        Ok(())
    }

    /// Commits of this process so far: who shows something looks again when the number has grown.
    pub fn commits(&self) -> u64 {
        self.store.commits()
    }

    /// The time by the clock that was handed down.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
