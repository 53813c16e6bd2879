//! Every SQL statement of Tidings.
//!
//! One concrete [`Store`]. Nouns are `impl` blocks in files of their own. Writes go through one writer
//! thread with group commit; reads have connections of their own and never block it.
//! What was committed is announced in commit order on [`Store::committed`].

mod account;
mod app;
mod audit;
mod backup;
mod cursor;
mod database;
mod delivery;
mod error;
mod event_type;
mod gauges;
mod grant;
mod hook;
mod journal;
mod ledger;
mod listen;
mod migrate;
mod mirror;
mod oauth_state;
mod operator;
mod read;
mod record;
mod retention;
mod settle;
mod signing_key;
mod sql;
mod stats;
mod subscription;
mod user;
mod write_key;
mod writer;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::broadcast;

pub use account::{
    Account, AccountFilter, AccountStatus, AccountUpdate, CalendarPlace, Look, NewAccount,
    ScopeIds, SyncState,
};
pub use app::{App, AppCounts, AppUpdate, NewApp};
pub use audit::{AuditBreak, AuditEntry, AuditLog, AuditRow, AuditVerdict};
pub use backup::Contents;
pub use cursor::{CursorRow, DispatchApp, NewReplay, ParkedRow};
pub use delivery::{AttemptDetail, DeliveryRow, DeliveryStatus};
pub use error::Error;
pub use event_type::{EventType, NewEventType};
pub use gauges::Gauges;
pub use grant::{Grant, GrantKind, GrantUpdate, NewGrant, Rotation};
pub use hook::{ActiveHook, Hook, HookLike, HookSecret, HookUpdate, NewHook, NewSecret};
pub use journal::{Appended, Found, Idempotency, Published, Sought};
pub use ledger::{
    LedgerAttempt, LedgerBounds, LedgerCounts, LedgerEntry, LedgerPage, LedgerState, Picked, Picks,
};
pub use migrate::Schema;
pub use mirror::{
    Collection, CollectionWrite, Item, ItemVersion, ItemWrite, MirrorCommit, Superseded,
};
pub use oauth_state::OAuthState;
pub use operator::{
    NewOperator, NewSession, Operator, OperatorSecrets, OperatorSession, OperatorUpdate, Role,
};
pub use record::{
    Deleted, Expect, Flip, NewRecordAccount, OpenRefresh, Record, RecordAccount, RecordChange,
    RecordOrder, RecordPut, RecordQuery, RecordWrite, Staged,
};
pub use retention::{Gap, KeptApp, Trimmed};
pub use settle::{AttemptRecord, CursorWrite, HookCount, ParkedWrite, Settle};
pub use signing_key::{NewSigningKey, SigningKeyRow};
pub use stats::{AccountTrouble, HookBacklog, HookMinute, HookTrouble, Owed, Syncing};
pub use subscription::{NewSubscription, Subscription, SubscriptionStatus};
pub use user::{EndUser, EndUserUpdate, NewEndUser};
pub use write_key::{Claimed, WriteClaim};
pub use writer::Commits;

use database::Database;
use read::Readers;
use writer::postgres::Server;
use writer::sqlite::Embedded;
use writer::{Backend, Writer};

/// Result of a store call.
pub type Result<T> = std::result::Result<T, Error>;

/// The file of the embedded store in its directory.
pub const STORE_FILE: &str = "tidings.sqlite";

/// Announcements that a slow listener may miss before it is told to look for itself.
const ANNOUNCEMENTS_KEPT: usize = 4_096;

/// What a commit changed, announced after it became durable and in commit order.
#[derive(Clone, Debug)]
pub enum Committed {
    /// Changes were appended to an app's journal.
    Appended(Arc<Appended>),
    /// An app was created, changed or deleted.
    App(i64),
    /// A hook was created, changed or deleted, or deliveries of it were resent or replayed.
    Hook(i64),
    /// An account was connected, changed, woken or deleted.
    Account(i64),
    /// Another server of the same database committed something, or may have: look.
    Elsewhere,
}

/// The store. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    writer: Writer,
    readers: Readers,
    committed: broadcast::Sender<Committed>,
}

impl Store {
    /// Opens the embedded store in `directory`, creates it when it does not exist, and migrates it.
    ///
    /// # Errors
    /// When the directory cannot be used, another process has it open, or its schema is newer than
    /// this binary or was altered.
    pub fn open(directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory).map_err(Error::directory)?;
        let path = directory.join(STORE_FILE);
        let (committed, _) = broadcast::channel(ANNOUNCEMENTS_KEPT);
        let embedded = Embedded::open(directory, &path)?;
        let writer = Writer::start(Backend::Sqlite(embedded), committed.clone())?;
        Ok(Self { writer, readers: Readers::sqlite(path), committed })
    }

    /// Connects to the PostgreSQL database of a URL (`postgres://user:password@host:port/name`) and
    /// migrates it. Blocks until it is ready.
    ///
    /// # Errors
    /// When the URL is none, the server cannot be reached or refuses, another process uses the database, or
    /// its schema is newer than this binary or was altered. No error shows the password.
    pub fn connect(database_url: &str) -> Result<Self> {
        let database = Database::parse(database_url)
            .map_err(|why| Error::schema(format!("database_url {why}")))?;
        let (committed, _) = broadcast::channel(ANNOUNCEMENTS_KEPT);
        // A connection drives itself, which an async thread does not allow.
        let opening = std::thread::scope(|scope| {
            scope.spawn(|| Server::open(database.clone())).join().map_err(|_| Error::failed())
        });
        let server = opening??;
        listen::start(database.clone(), &committed)?;
        let writer = Writer::start(Backend::Postgres(Box::new(server)), committed.clone())?;
        Ok(Self { writer, readers: Readers::postgres(database), committed })
    }

    /// Whether `database_url` is one that [`Store::connect`] understands; nothing is connected.
    ///
    /// # Errors
    /// As of [`Store::connect`] when it is none, without the password.
    pub fn check_url(database_url: &str) -> Result<()> {
        Database::parse(database_url).map(drop)
    }

    /// Listens to what is committed from now on.
    pub fn committed(&self) -> broadcast::Receiver<Committed> {
        self.committed.subscribe()
    }

    /// Commits what waits, checkpoints and closes. Later writes fail as unavailable.
    pub async fn close(&self) {
        self.writer.close().await;
    }
}
