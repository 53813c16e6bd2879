//! A store with one account at the simulated Graph, and everything that talks to it.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_core::change::{Change, Origin};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::id::{AccountId, AppId, Ids};
use tidings_core::seal::{Keyring, Place};
use tidings_engine::egress::{Egress, Resolver, Tls};
use tidings_engine::errand::Errands;
use tidings_engine::sync::{Cadence, Passed, Providers, Syncer};
use tidings_providers::oauth::Credential;
use tidings_providers::settings::{MicrosoftSettings, Settings};
use tidings_simulators::graph::{ADA, CLIENT, Graph};
use tidings_simulators::server::Setup;
use tidings_store::{Account, App, AuditEntry, Collection, NewAccount, NewApp, Store};

const SCOPES: [&str; 3] = ["offline_access", "User.Read", "Calendars.ReadWrite"];

pub(crate) struct World {
    pub(crate) graph: Graph,
    /// Ada's default calendar.
    pub(crate) work: String,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) app: App,
    pub(crate) account_no: i64,
    keyring: Keyring,
    ids: Ids,
    providers: Arc<Providers>,
    /// The last change that was looked at.
    seen: u64,
    _directory: TempDir,
}

impl World {
    /// Connected, nothing read yet.
    pub(crate) async fn new() -> Self {
        let clock = Clock::manual(Timestamp(1_795_000_000_000));
        let setup = Setup { clock: clock.clone(), ..Setup::default() };
        let graph = Graph::start(&setup).await.unwrap();
        let work = graph.default_calendar(ADA);
        let directory = TempDir::new().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let ids = Ids::from_os();
        let egress = Arc::new(Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public()));
        let keyring = Keyring::new(&[vec![7; 32].into()]).unwrap();
        let new = NewApp {
            id: AppId(ids.next(clock.now())),
            name: "default".into(),
            external_id: None,
            webhook_url: None,
            created_at: clock.now(),
        };
        let app = store.create_app(new, entry()).await.unwrap();
        let mut settings = MicrosoftSettings::new(CLIENT.0, CLIENT.1, "common");
        settings.api = graph.api();
        settings.oauth.token_url = graph.token_url("common");
        let settings = Settings { microsoft: Some(settings), ..Settings::default() };
        let (app_no, app_id) = (app.app_no, app.id);
        let mut world = Self {
            providers: Arc::new(Providers::new(
                store.clone(),
                egress,
                keyring.clone(),
                clock.clone(),
                ids.clone(),
                settings,
            )),
            graph,
            work,
            clock,
            store,
            app,
            account_no: 0,
            keyring,
            ids,
            seen: 0,
            _directory: directory,
        };
        world.account_no = world.connect(app_no, app_id).await;
        world
    }

    /// Connected and its baseline read.
    pub(crate) async fn watched() -> Self {
        let mut world = Self::new().await;
        world.expect(&["account.connected"]).await;
        world
    }

    async fn connect(&self, app_no: i64, app: AppId) -> i64 {
        let (access, refresh) = self.graph.tokens_for(ADA);
        let credential = Credential {
            access_token: access.into(),
            refresh_token: Some(refresh.into()),
            expires_at_ms: self.clock.now().plus_ms(3_599_000).0,
            scopes: SCOPES.map(Into::into).into(),
        };
        let id = AccountId(self.ids.next(self.clock.now()));
        let place = Place { table: "account", column: "credential", app, row: id.0 };
        let new = NewAccount {
            id,
            app_no,
            user_no: None,
            provider: "microsoft".into(),
            external_id: Some(ADA.into()),
            name: ADA.into(),
            server_url: None,
            username: Some(ADA.into()),
            credential: Some(self.keyring.seal(place, &credential.to_json(), &self.ids)),
        };
        let account = self.store.create_account(new, entry(), self.clock.now()).await.unwrap();
        account.account_no
    }

    pub(crate) fn syncer(&self) -> Syncer {
        Syncer::new(Arc::clone(&self.providers), Cadence::default())
    }

    pub(crate) fn errands(&self) -> Errands {
        Errands::new(Arc::clone(&self.providers))
    }

    pub(crate) async fn account(&self) -> Account {
        self.store.account(self.account_no).await.unwrap().unwrap()
    }

    pub(crate) async fn mirror(&self) -> Vec<Collection> {
        self.store.collections(self.account_no).await.unwrap()
    }

    /// The calendar with this id at Graph.
    pub(crate) async fn calendar(&self, id: &str) -> Collection {
        self.mirror().await.into_iter().find(|calendar| calendar.external_id == id).unwrap()
    }

    /// One pass, over everything.
    pub(crate) async fn poll(&self) -> Passed {
        let account = self.account().await;
        if let Some(at) = account.poll_at.filter(|at| *at > self.clock.now()) {
            self.clock.advance_ms(at.0 - self.clock.now().0);
        }
        self.pass().await
    }

    /// One pass, over whatever is due.
    pub(crate) async fn pass(&self) -> Passed {
        self.syncer().pass(self.account().await).await.unwrap()
    }

    /// A poll tells exactly this, in whatever order; another one tells nothing.
    pub(crate) async fn expect(&mut self, expected: &[&str]) {
        assert_eq!(self.poll().await, Passed::Synced);
        let mut told = self.told().await;
        told.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(told, expected);
        assert_eq!(self.poll().await, Passed::Synced);
        assert_eq!(self.told().await, [""; 0], "nothing changed since");
    }

    /// What was written into the journal since the last time: type and title; ours marked `(api)`.
    pub(crate) async fn told(&mut self) -> Vec<String> {
        let changes = self.store.changes(self.app.app_no, self.seen, 10_000).await.unwrap();
        self.seen = changes.last().map_or(self.seen, |change| change.seq);
        changes.iter().map(line).collect()
    }

    /// The bodies of the mirrored events of a calendar.
    pub(crate) async fn events(&self, calendar: &str) -> Vec<Value> {
        let no = self.calendar(calendar).await.collection_no;
        let keys = self.store.item_versions(no).await.unwrap();
        let keys = keys.into_iter().map(|item| item.key).collect();
        let items = self.store.items_by_key(no, keys).await.unwrap();
        items.iter().map(|item| serde_json::from_slice(&item.body).unwrap()).collect()
    }
}

fn line(change: &Change) -> String {
    let body: Value = serde_json::from_slice(&change.new.body).unwrap();
    let name = match change.new.kind.split('.').next().unwrap() {
        "event" => &body["event"]["title"],
        "calendar" => &body["calendar"]["name"],
        _ => return change.new.kind.clone(),
    };
    let origin = if change.new.origin == Origin::Api { " (api)" } else { "" };
    format!("{} {}{origin}", change.new.kind, name.as_str().unwrap())
}

/// An hour of the second of December, or of another time.
pub(crate) fn event(title: &str) -> Value {
    event_at(title, "2026-12-02")
}

pub(crate) fn event_at(title: &str, day: &str) -> Value {
    let at = |hour: &str| json!({ "dateTime": format!("{day}T{hour}:00:00"), "timeZone": "UTC" });
    json!({ "subject": title, "start": at("09"), "end": at("10") })
}

/// A weekly series, eight times.
pub(crate) fn series(title: &str) -> Value {
    let mut series = event(title);
    series["recurrence"] = json!({
        "pattern": { "type": "weekly", "interval": 1, "daysOfWeek": ["wednesday"] },
        "range": { "type": "numbered", "startDate": "2026-12-02", "numberOfOccurrences": 8 },
    });
    series
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
