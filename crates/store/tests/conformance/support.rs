//! A fresh store and short words for what the cases put into it.

use std::borrow::Borrow;
use std::sync::Arc;

use tempfile::TempDir;
use tidings_core::change::{Change, NewChange, Origin, Subject};
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::format::{Format, Formats, Preset, RenderError};
use tidings_core::hook::{Grouping, is_pattern, pattern_covers};
use tidings_core::hook::{Providers, Selection, Service};
use tidings_core::id::{AccountId, AppId, ChangeId, HookId, Ids, ReplayId, UserId};
use tidings_store::{
    Account, App, AuditEntry, Error, Hook, NewAccount, NewApp, NewEndUser, NewHook, NewReplay,
    NewSecret, ParkedWrite, Settle, Store,
};
use tidings_testkit::postgres::PostgresDatabase;

/// When every case takes place.
pub(crate) const NOW: Timestamp = Timestamp(1_795_248_000_000);

/// Where a store lives; gone with the value.
pub(crate) enum Backend {
    Sqlite(TempDir),
    Postgres(PostgresDatabase),
}

impl Backend {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) fn postgres() -> Self {
        Self::Postgres(PostgresDatabase::create())
    }

    /// Opens the store as a starting process does.
    pub(crate) fn open(&self) -> Result<Store, Error> {
        match self {
            Self::Sqlite(directory) => Store::open(directory.path()),
            Self::Postgres(database) => Store::connect(&database.url),
        }
    }

    /// The first row of a query for two numbers: for the little that is kept but not yet told by any
    /// call of the store.
    pub(crate) fn pair(&self, sql: &str) -> (i64, i64) {
        match self {
            Self::Sqlite(directory) => {
                let path = directory.path().join("tidings.sqlite");
                let conn = rusqlite::Connection::open(path).unwrap();
                conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
            }
            Self::Postgres(database) => {
                let row = database.query(sql);
                let (first, second) = row.split_once('|').unwrap();
                (first.parse().unwrap(), second.parse().unwrap())
            }
        }
    }
}

impl Backend {
    /// Changes rows behind the store's back.
    pub(crate) fn tamper(&self, sql: &str) {
        match self {
            Self::Sqlite(directory) => {
                let path = directory.path().join("tidings.sqlite");
                let conn = rusqlite::Connection::open(path).unwrap();
                conn.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
                conn.execute_batch(sql).unwrap();
            }
            Self::Postgres(database) => drop(database.query(sql)),
        }
    }
}

/// A store of a case's own.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) ids: Ids,
    pub(crate) backend: Arc<Backend>,
}

impl World {
    pub(crate) fn new(backend: Backend) -> Self {
        Self { store: backend.open().unwrap(), ids: Ids::seeded(1), backend: Arc::new(backend) }
    }

    /// The same store as the next process finds it; this one has closed it.
    pub(crate) fn reopened(&self) -> Self {
        let store = self.backend.open().unwrap();
        Self { store, ids: self.ids.clone(), backend: Arc::clone(&self.backend) }
    }

    pub(crate) async fn app(&self, name: &str) -> App {
        let new = NewApp {
            id: AppId(self.ids.next(NOW)),
            name: name.into(),
            external_id: None,
            webhook_url: None,
            created_at: NOW,
        };
        self.store.create_app(new, did("app.create")).await.unwrap()
    }

    /// An active hook for everything; `after_seq` as in [`NewHook`].
    pub(crate) async fn hook(&self, app: &App, after_seq: Option<u64>) -> Hook {
        self.create_hook(NewHook { after_seq, ..self.new_hook(app) }).await
    }

    pub(crate) async fn create_hook(&self, new: NewHook) -> Hook {
        let (secret, audit) = (self.secret(b"first"), did("hook.create"));
        self.store.create_hook(new, secret, Vec::new(), audit, NOW).await.unwrap()
    }

    pub(crate) fn new_hook(&self, app: &App) -> NewHook {
        NewHook {
            id: HookId(self.ids.next(NOW)),
            app_no: app.app_no,
            owner_grant_no: None,
            user_no: None,
            external_id: None,
            description: String::new(),
            url: Some("https://receiver.example/hook".into()),
            service: Service::default(),
            selection: selection("*"),
            expires_at: None,
            after_seq: None,
            access: None,
            disabled: None,
        }
    }

    pub(crate) fn secret(&self, sealed: &[u8]) -> NewSecret {
        NewSecret { id: self.ids.next(NOW), sealed: sealed.into() }
    }

    pub(crate) async fn account(&self, app: &App) -> Account {
        let new = NewAccount {
            id: AccountId(self.ids.next(NOW)),
            app_no: app.app_no,
            user_no: None,
            provider: "caldav".into(),
            external_id: None,
            name: "ada".into(),
            server_url: Some("https://dav.example".into()),
            username: Some("ada".into()),
            credential: Some(b"sealed".into()),
        };
        self.store.create_account(new, did("account.connect"), NOW).await.unwrap()
    }

    /// A change with a body of its own.
    pub(crate) fn change(&self, kind: &str) -> NewChange {
        let id = ChangeId(self.ids.next(NOW));
        NewChange {
            id,
            kind: kind.into(),
            subject: Subject::default(),
            order_key: None,
            occurred_at: NOW,
            origin: Origin::Api,
            actor: None,
            traceparent: None,
            body: format!("{{\"of\":\"{id}\"}}").into(),
        }
    }

    pub(crate) fn change_of(&self, account: &Account, kind: &str) -> NewChange {
        let subject = Subject { account_no: Some(account.account_no), ..Subject::default() };
        NewChange { subject, ..self.change(kind) }
    }

    /// Publishes `count` changes one after another in a request.
    pub(crate) async fn publish(&self, app: &App, count: usize) {
        let changes = (0..count).map(|_| self.change("thing.happened")).collect();
        self.store.publish(app.app_no, changes, None, NOW).await.unwrap();
    }

    pub(crate) async fn settle(&self, settle: Settle) {
        self.store.settle(Arc::new(settle), NOW).await.unwrap();
    }

    /// Parks deliveries of a hook, or ends their parking.
    pub(crate) async fn park(&self, hook: &Hook, writes: Vec<ParkedWrite>) {
        let parked = writes.into_iter().map(|write| (hook.hook_no, write)).collect();
        self.settle(Settle { parked, ..Settle::default() }).await;
    }

    /// The whole journal of an app.
    pub(crate) async fn journal(&self, app: &App) -> Vec<Change> {
        self.store.changes(app.app_no, 0, usize::MAX >> 1).await.unwrap()
    }
}

/// Parks a delivery of a live cursor; exhausted when it is never due.
pub(crate) fn put(members: Members, attempts: u32, due_at: Option<Timestamp>) -> ParkedWrite {
    let reason = "receiver answered 500".into();
    ParkedWrite::Put {
        cursor_no: 0,
        members,
        attempts,
        due_at,
        reason,
        key_hash: None,
        waits: false,
    }
}

/// A replay of everything that its hook selects in `(after, until]`.
pub(crate) fn new_replay(id: ReplayId, after: u64, until: u64) -> NewReplay {
    NewReplay { id, after, until, picks: None, rate: None, total: None }
}

/// What a hook with one trigger selects.
pub(crate) fn selection(trigger: &str) -> Selection {
    Selection {
        format: "native@1".to_owned().try_into().unwrap(),
        triggers: vec![trigger.into()],
        providers: Providers::All,
        user_no: None,
        account_no: None,
        collection_no: None,
        echoes: false,
        except: Vec::new(),
        left: Vec::new(),
        filter: None,
        named: Vec::new(),
        transform: None,
    }
}

/// The one format of the hooks here.
pub(crate) fn formats() -> Formats {
    Formats::new(vec![Format {
        name: "native",
        version: 1,
        title: "Plain",
        triggers: Vec::new,
        knows: is_pattern,
        asks: pattern_covers,
        documents: |_, _| true,
        batches: &Grouping::EVERY,
        preset: Preset::PLAIN,
        render: |_| Err(RenderError("not rendered here".into())),
    }])
}

/// The audit line of a verb that was done.
pub(crate) fn did(action: &'static str) -> AuditEntry {
    AuditEntry {
        actor: "system".into(),
        action,
        object: String::new(),
        denied: false,
        address: None,
        detail: serde_json::json!({}),
    }
}

/// An end user whom the app knows by `name`.
pub(crate) fn end_user(app_no: i64, id: UserId, name: &str) -> NewEndUser {
    NewEndUser {
        id,
        app_no,
        external_id: Some(name.into()),
        name: None,
        details: serde_json::json!({}),
        password: None,
    }
}

/// The numbers of some changes.
pub(crate) fn seqs(changes: &[impl Borrow<Change>]) -> Vec<u64> {
    changes.iter().map(|change| change.borrow().seq).collect()
}
