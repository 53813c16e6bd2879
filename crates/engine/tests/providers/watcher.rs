//! Tidings with one account: its store, its passes and its subscriptions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tidings_core::change::Change;
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::id::{AccountId, AppId, Ids};
use tidings_core::seal::{Keyring, Place};
use tidings_engine::egress::{Egress, Resolver, Tls};
use tidings_engine::subscriptions::Subscriptions;
use tidings_engine::sync::{Cadence, Providers, Syncer};
use tidings_simulators::server::Server;
use tidings_store::{
    Account, AccountStatus, App, AuditEntry, CollectionWrite, MirrorCommit, NewAccount, NewApp,
    Store,
};

use crate::door::Door;
use crate::peer::{PUBLIC, Peer};

pub(crate) struct Watcher {
    store: Store,
    pub(crate) clock: Clock,
    app: App,
    account_no: i64,
    syncer: Arc<Syncer>,
    subscriptions: Subscriptions,
    /// The last change that was looked at.
    seen: u64,
    _door: Server,
    _directory: TempDir,
}

impl Watcher {
    /// Connects the peer's account.
    pub(crate) async fn connect<P: Peer>(peer: &P, clock: &Clock) -> Self {
        let directory = TempDir::new().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let (clock, ids) = (clock.clone(), Ids::from_os());
        let keyring = Keyring::new(&[vec![7; 32].into()]).unwrap();
        let egress = Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public());
        let new = NewApp {
            id: AppId(ids.next(clock.now())),
            name: "default".into(),
            external_id: None,
            webhook_url: None,
            created_at: clock.now(),
        };
        let app = store.create_app(new, entry()).await.unwrap();
        let id = AccountId(ids.next(clock.now()));
        let place = Place { table: "account", column: "credential", app: app.id, row: id.0 };
        let signed = peer.sign_in(&clock);
        let new = NewAccount {
            id,
            app_no: app.app_no,
            user_no: None,
            provider: P::PROVIDER.into(),
            external_id: peer.simulated().is_some().then(|| "ada".into()),
            name: "calendar".into(),
            server_url: signed.server_url,
            username: Some("u".into()),
            credential: Some(keyring.seal(place, &signed.credential, &ids)),
        };
        let account = store.create_account(new, entry(), clock.now()).await.unwrap();
        let door = Door::open(store.clone(), clock.clone()).await;
        if let Some(simulated) = peer.simulated() {
            simulated.pushes.route(PUBLIC, door.url().as_str().trim_end_matches('/'));
        }
        let settings = peer.settings();
        let providers =
            Providers::new(store.clone(), Arc::new(egress), keyring, clock.clone(), ids, settings);
        let providers = Arc::new(providers);
        Self {
            store,
            clock,
            app,
            account_no: account.account_no,
            syncer: Arc::new(Syncer::new(Arc::clone(&providers), Cadence::default())),
            subscriptions: Subscriptions::new(providers),
            seen: 0,
            _door: door,
            _directory: directory,
        }
    }

    /// Does what is due now, until nothing is.
    pub(crate) async fn settle(&self, peer: &impl Peer) {
        for _ in 0..20 {
            self.subscriptions.step().await.unwrap();
            arrived(peer).await;
            if self.syncer.step().await.unwrap() == 0 {
                return;
            }
        }
        panic!("there is no end to what is due: {:?}", self.account().await);
    }

    pub(crate) async fn account(&self) -> Account {
        self.store.account(self.account_no).await.unwrap().unwrap()
    }

    /// One pass over what is due, whether or not more is.
    pub(crate) fn pass(&self) -> impl Future<Output = usize> + use<> {
        let syncer = Arc::clone(&self.syncer);
        async move { syncer.step().await.unwrap() }
    }

    /// The account is well, and every calendar is read.
    pub(crate) async fn is_well(&self) {
        let account = self.account().await;
        assert_eq!((account.status, account.last_error), (AccountStatus::Active, None));
        for calendar in self.store.collections(self.account_no).await.unwrap() {
            assert_eq!(calendar.error, None, "{}", calendar.external_id);
        }
    }

    /// The calendars that are pushed.
    pub(crate) async fn pushed(&self) -> BTreeSet<String> {
        let subscriptions = self.store.subscriptions_of(self.account_no).await.unwrap();
        let watched: BTreeSet<i64> =
            subscriptions.iter().filter_map(|subscription| subscription.collection_no).collect();
        let calendars = self.store.collections(self.account_no).await.unwrap();
        let pushed = calendars.into_iter().filter(|one| watched.contains(&one.collection_no));
        pushed.map(|calendar| calendar.external_id).collect()
    }

    /// The keys of everything in the mirror.
    pub(crate) async fn mirrored(&self) -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        for calendar in self.store.collections(self.account_no).await.unwrap() {
            let items = self.store.item_versions(calendar.collection_no).await.unwrap();
            keys.extend(items.into_iter().map(|item| item.key));
        }
        keys
    }

    /// Makes every stored cursor one that no server knows.
    pub(crate) async fn spoil_cursors(&self, token: &str) {
        for calendar in self.store.collections(self.account_no).await.unwrap() {
            let mut commit = MirrorCommit::new(self.app.app_no, self.account_no);
            commit.collections.push(CollectionWrite::Synced {
                collection_no: calendar.collection_no,
                ctag: Some("other".into()),
                sync_token: Some(token.into()),
                synced_gen: None,
                window: None,
            });
            assert!(self.store.commit_mirror(commit, self.clock.now()).await.unwrap());
        }
    }

    /// Everything in the mirror, by key: the calendar's id at the provider, and the title.
    pub(crate) async fn held(&self) -> BTreeMap<String, (String, String)> {
        let mut held = BTreeMap::new();
        for calendar in self.store.collections(self.account_no).await.unwrap() {
            let no = calendar.collection_no;
            let keys = self.store.item_versions(no).await.unwrap();
            let keys = keys.into_iter().map(|item| item.key).collect();
            for item in self.store.items_by_key(no, keys).await.unwrap() {
                let event: Value = serde_json::from_slice(&item.body).unwrap();
                let title = event["title"].as_str().unwrap_or_default().to_owned();
                held.insert(item.key, (calendar.external_id.clone(), title));
            }
        }
        held
    }

    /// What was written into the journal since the last time: (type, what it is about, its title).
    pub(crate) async fn told(&mut self) -> Vec<(String, String, String)> {
        let told = self.heard().await;
        told.into_iter().map(|told| (told.kind, told.about, told.title)).collect()
    }

    /// The same with all that was said.
    pub(crate) async fn heard(&mut self) -> Vec<Told> {
        let changes = self.store.changes(self.app.app_no, self.seen, 10_000).await.unwrap();
        self.seen = changes.last().map_or(self.seen, |change| change.seq);
        changes.iter().map(|change| self.line(change)).collect()
    }

    fn line(&self, change: &Change) -> Told {
        let mut body: Value = serde_json::from_slice(&change.new.body).unwrap();
        assert_eq!(change.new.subject.account_no, Some(self.account_no));
        let (about, title) = match change.new.kind.split('.').next().unwrap() {
            "event" => (&body["event"]["id"], &body["event"]["title"]),
            "calendar" => (&body["calendar"]["external_id"], &body["calendar"]["name"]),
            _ => (&Value::Null, &Value::Null),
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Told {
            kind: change.new.kind.clone(),
            about: text(about),
            title: text(title),
            calendar: text(&body["calendar"]["external_id"]),
            event: body["event"].take(),
        }
    }
}

/// One change, as the journal tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Told {
    pub(crate) kind: String,
    /// The id at the provider of the event or calendar.
    pub(crate) about: String,
    pub(crate) title: String,
    /// The calendar's id at the provider.
    pub(crate) calendar: String,
    pub(crate) event: Value,
}

/// Waits until every push has arrived, or is lost.
pub(crate) async fn arrived(peer: &impl Peer) {
    if let Some(simulated) = peer.simulated() {
        simulated.pushes.settled().await;
    }
}

/// When the story begins.
pub(crate) fn beginning() -> Timestamp {
    Timestamp::parse("2026-11-21T11:00:00Z").unwrap()
}

fn entry() -> AuditEntry {
    AuditEntry {
        actor: "test".into(),
        action: "test",
        object: String::new(),
        denied: false,
        address: None,
        detail: Value::Null,
    }
}
