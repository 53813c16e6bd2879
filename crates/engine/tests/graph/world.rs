//! A store with one account at the simulated Graph, and the door that its pushes come to.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::id::{AccountId, AppId, Ids};
use tidings_core::seal::{Keyring, Place};
use tidings_engine::egress::{Egress, Resolver, Tls};
use tidings_engine::subscriptions::Subscriptions;
use tidings_engine::sync::{Cadence, Passed, Providers, Syncer};
use tidings_providers::oauth::Credential;
use tidings_providers::settings::{MicrosoftSettings, Settings};
use tidings_simulators::graph::{ADA, CLIENT, Graph};
use tidings_simulators::server::{Server, Setup};
use tidings_store::{AuditEntry, Collection, NewAccount, NewApp, Store, Subscription};

use crate::door::Door;

const PUBLIC: &str = "https://tidings.test";

pub(crate) struct World {
    pub(crate) graph: Graph,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    providers: Arc<Providers>,
    account_no: i64,
    _door: Server,
    _directory: TempDir,
}

impl World {
    /// Connected and read: the default calendar and another one.
    pub(crate) async fn watched() -> Self {
        let world = Self::unreachable().await;
        let door = world._door.url();
        world.graph.pushes().route(PUBLIC, door.as_str().trim_end_matches('/'));
        world
    }

    /// The same, while pushes lead nowhere.
    pub(crate) async fn unreachable() -> Self {
        let clock = Clock::manual(Timestamp(1_795_000_000_000));
        let setup = Setup { clock: clock.clone(), ..Setup::default() };
        let graph = Graph::start(&setup).await.unwrap();
        graph.add_calendar(ADA, "Other");
        let directory = TempDir::new().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let (ids, keyring) = (Ids::from_os(), Keyring::new(&[vec![7; 32].into()]).unwrap());
        let egress = Arc::new(Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public()));
        let mut microsoft = MicrosoftSettings::new(CLIENT.0, CLIENT.1, "common");
        microsoft.api = graph.api();
        microsoft.oauth.token_url = graph.token_url("common");
        let settings = Settings {
            microsoft: Some(microsoft),
            public_url: Some(PUBLIC.parse().unwrap()),
            ..Settings::default()
        };
        let account_no = connect(&graph, &store, &keyring, &clock, &ids).await;
        let providers =
            Providers::new(store.clone(), egress, keyring, clock.clone(), ids, settings);
        let world = Self {
            _door: Door::open(store.clone(), clock.clone()).await,
            graph,
            clock,
            store,
            providers: Arc::new(providers),
            account_no,
            _directory: directory,
        };
        assert_eq!(world.pass().await, Passed::Synced);
        world
    }

    pub(crate) async fn pass(&self) -> Passed {
        let syncer = Syncer::new(Arc::clone(&self.providers), Cadence::default());
        let account = self.store.account(self.account_no).await.unwrap().unwrap();
        syncer.pass(account).await.unwrap()
    }

    /// Passes until nothing is dirty.
    pub(crate) async fn settle(&self) {
        for _ in 0..10 {
            if !self.mirror().await.iter().any(Collection::is_dirty) {
                return;
            }
            self.clock.advance_ms(60_000);
            self.pass().await;
        }
        panic!("a calendar stays dirty");
    }

    pub(crate) fn subscriptions(&self) -> Subscriptions {
        Subscriptions::new(Arc::clone(&self.providers))
    }

    pub(crate) async fn live(&self) -> Vec<Subscription> {
        self.store.subscriptions_of(self.account_no).await.unwrap()
    }

    /// Graph and the store know the same subscriptions.
    pub(crate) async fn agree(&self) {
        let live = self.live().await.into_iter().filter_map(|live| live.external_id);
        let (mut known, mut there): (Vec<String>, _) = (live.collect(), self.graph.subscriptions());
        known.sort();
        there.sort();
        assert_eq!(there, known);
    }

    pub(crate) async fn mirror(&self) -> Vec<Collection> {
        self.store.collections(self.account_no).await.unwrap()
    }
}

async fn connect(graph: &Graph, store: &Store, keyring: &Keyring, clock: &Clock, ids: &Ids) -> i64 {
    let new = NewApp {
        id: AppId(ids.next(clock.now())),
        name: "default".into(),
        external_id: None,
        webhook_url: None,
        created_at: clock.now(),
    };
    let app = store.create_app(new, entry()).await.unwrap();
    let (access, refresh) = graph.tokens_for(ADA);
    let credential = Credential {
        access_token: access.into(),
        refresh_token: Some(refresh.into()),
        expires_at_ms: clock.now().plus_ms(3_599_000).0,
        scopes: Vec::new(),
    };
    let id = AccountId(ids.next(clock.now()));
    let place = Place { table: "account", column: "credential", app: app.id, row: id.0 };
    let new = NewAccount {
        id,
        app_no: app.app_no,
        user_no: None,
        provider: "microsoft".into(),
        external_id: Some("ada".into()),
        name: ADA.into(),
        server_url: None,
        username: Some(ADA.into()),
        credential: Some(keyring.seal(place, &credential.to_json(), ids)),
    };
    store.create_account(new, entry(), clock.now()).await.unwrap().account_no
}

/// An event of an hour.
pub(crate) fn event(title: &str) -> Value {
    let at =
        |hour: u8| json!({ "dateTime": format!("2026-12-02T{hour:02}:00:00"), "timeZone": "UTC" });
    json!({ "subject": title, "start": at(9), "end": at(10) })
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
