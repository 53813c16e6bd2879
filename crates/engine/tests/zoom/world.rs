//! A store with one account at the simulated Zoom, and what talks to it.

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
use tidings_providers::settings::{Settings, ZoomSettings};
use tidings_simulators::server::Setup;
use tidings_simulators::zoom::Zoom;
use tidings_store::{Account, AuditEntry, Collection, Item, NewAccount, NewApp, Store};

pub(crate) const HOST: &str = "host@example.com";

pub(crate) struct World {
    pub(crate) zoom: Zoom,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) account_no: i64,
    app_no: i64,
    providers: Arc<Providers>,
    /// The last change that was looked at.
    seen: u64,
    _directory: TempDir,
}

impl World {
    /// Connected at 09:00 on 1 December 2026; nothing read yet.
    pub(crate) async fn new() -> Self {
        let clock = Clock::manual(Timestamp::parse("2026-12-01T09:00:00Z").unwrap());
        let zoom = Zoom::start(&Setup { clock: clock.clone(), ..Setup::default() }).await.unwrap();
        let directory = TempDir::new().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let ids = Ids::from_os();
        let keyring = Keyring::new(&[vec![7; 32].into()]).unwrap();
        let (id, secret) = zoom.oauth().client();
        let mut settings = ZoomSettings::new(id, secret);
        settings.api = zoom.api_url();
        settings.oauth.token_url = zoom.token_url();
        settings.oauth.revoke_url = Some(zoom.revoke_url());
        let new = NewApp {
            id: AppId(ids.next(clock.now())),
            name: "default".into(),
            external_id: None,
            webhook_url: None,
            created_at: clock.now(),
        };
        let app = store.create_app(new, entry()).await.unwrap();
        let (access, refresh) = zoom.oauth().tokens_for(HOST, &[]);
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
            provider: "zoom".into(),
            external_id: Some("person-host".into()),
            name: HOST.into(),
            server_url: None,
            username: None,
            credential: Some(keyring.seal(place, &credential.to_json(), &ids)),
        };
        let account = store.create_account(new, entry(), clock.now()).await.unwrap();
        let egress = Arc::new(Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public()));
        let settings = Settings { zoom: Some(settings), ..Settings::default() };
        let providers =
            Providers::new(store.clone(), egress, keyring, clock.clone(), ids, settings);
        Self {
            zoom,
            clock,
            store,
            account_no: account.account_no,
            app_no: app.app_no,
            providers: Arc::new(providers),
            seen: 0,
            _directory: directory,
        }
    }

    /// Connected and its baseline read.
    pub(crate) async fn watched() -> Self {
        let mut world = Self::new().await;
        world.expect(&["account.connected"]).await;
        world
    }

    pub(crate) fn errands(&self) -> Errands {
        Errands::new(Arc::clone(&self.providers))
    }

    pub(crate) async fn account(&self) -> Account {
        self.store.account(self.account_no).await.unwrap().unwrap()
    }

    pub(crate) async fn calendar(&self) -> Collection {
        let mut calendars = self.store.collections(self.account_no).await.unwrap();
        assert_eq!(calendars.len(), 1);
        calendars.remove(0)
    }

    /// One pass over whatever is due.
    pub(crate) async fn pass(&self) -> Passed {
        let syncer = Syncer::new(Arc::clone(&self.providers), Cadence::default());
        syncer.pass(self.account().await).await.unwrap()
    }

    /// A pass because of a push.
    pub(crate) async fn pushed(&self) -> Passed {
        let (no, now) = (self.calendar().await.collection_no, self.clock.now());
        assert!(self.store.push_collection(self.account_no, no, now).await.unwrap());
        self.pass().await
    }

    /// One pass over everything, when it is time for it.
    pub(crate) async fn poll(&self) -> Passed {
        let account = self.account().await;
        if let Some(at) = account.poll_at.filter(|at| *at > self.clock.now()) {
            self.clock.advance_ms(at.0 - self.clock.now().0);
        }
        self.pass().await
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
        assert_eq!(self.calendar().await.error, None);
    }

    /// What was written into the journal since the last time: type, title, and the id of an occurrence;
    /// ours marked `(api)`.
    pub(crate) async fn told(&mut self) -> Vec<String> {
        let changes = self.store.changes(self.app_no, self.seen, 10_000).await.unwrap();
        self.seen = changes.last().map_or(self.seen, |change| change.seq);
        changes.iter().map(line).collect()
    }

    pub(crate) async fn mirrored(&self) -> Vec<Item> {
        let no = self.calendar().await.collection_no;
        let keys = self.store.item_versions(no).await.unwrap();
        let keys = keys.into_iter().map(|item| item.key).collect();
        self.store.items_by_key(no, keys).await.unwrap()
    }

    pub(crate) async fn mirrored_keys(&self) -> Vec<String> {
        self.mirrored().await.into_iter().map(|item| item.key).collect()
    }
}

fn line(change: &Change) -> String {
    let body: Value = serde_json::from_slice(&change.new.body).unwrap();
    let origin = if change.new.origin == Origin::Api { " (api)" } else { "" };
    match change.new.kind.split('.').next().unwrap() {
        "event" => {
            let key = body["event"]["id"].as_str().unwrap();
            let occurrence = key.split_once('#').map(|(_, at)| format!(" {at}"));
            let title = body["event"]["title"].as_str().unwrap();
            format!("{} {title}{}{origin}", change.new.kind, occurrence.unwrap_or_default())
        }
        _ => change.new.kind.clone(),
    }
}

/// Half an hour on a day of December 2026.
pub(crate) fn single(topic: &str, day: u8) -> Value {
    json!({ "topic": topic, "type": 2, "start_time": format!("2026-12-{day:02}T09:00:00Z"),
            "duration": 30, "timezone": "UTC" })
}

/// Daily from 2 December 2026, three times.
pub(crate) fn daily(topic: &str) -> Value {
    json!({ "topic": topic, "type": 8, "start_time": "2026-12-02T09:00:00Z", "duration": 30,
            "timezone": "UTC", "recurrence": { "type": 1, "repeat_interval": 1, "end_times": 3 } })
}

/// The id that Zoom gives the occurrence of [`daily`] on that day.
pub(crate) fn on(day: u8) -> String {
    Timestamp::parse(&format!("2026-12-{day:02}T09:00:00Z")).unwrap().0.to_string()
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
