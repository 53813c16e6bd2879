//! A store with one account at the simulated Google, and everything that talks to it.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_core::change::{Change, Origin};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::id::{AccountId, AppId, Ids};
use tidings_core::seal::{Keyring, Place};
use tidings_engine::egress::{Budget, Egress, Request, Resolver, Tls};
use tidings_engine::errand::Errands;
use tidings_engine::subscriptions::Subscriptions;
use tidings_engine::sync::{Cadence, Passed, Providers, Syncer};
use tidings_providers::oauth::Credential;
use tidings_providers::settings::{GoogleSettings, Settings};
use tidings_simulators::google::{CLIENT_ID, CLIENT_SECRET, Google, PERSON};
use tidings_simulators::server::Setup;
use tidings_store::{
    Account, App, AuditEntry, Collection, NewAccount, NewApp, Store, Subscription,
};
use url::Url;

pub(crate) const SCOPES: [&str; 4] = [
    "openid",
    "email",
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
];

pub(crate) struct World {
    pub(crate) google: Google,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) app: App,
    pub(crate) account_no: i64,
    pub(crate) keyring: Keyring,
    pub(crate) settings: Settings,
    egress: Arc<Egress>,
    ids: Ids,
    providers: Arc<Providers>,
    /// The last change that was looked at.
    seen: u64,
    _directory: TempDir,
}

impl World {
    /// Connected, nothing read yet. Pushes go to `public_url`.
    pub(crate) async fn new(public_url: Option<&str>) -> Self {
        let clock = Clock::manual(Timestamp(1_795_000_000_000));
        let setup = Setup { clock: clock.clone(), ..Setup::default() };
        let google = Google::start(&setup).await.unwrap();
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
        let mut settings = GoogleSettings::new(CLIENT_ID, CLIENT_SECRET);
        settings.api = google.api_url();
        settings.oauth.token_url = google.token_url();
        settings.oauth.authorize_url = google.authorize_url();
        settings.oauth.revoke_url = Some(google.revoke_url());
        let settings = Settings {
            google: Some(settings),
            public_url: public_url.map(|url| Url::parse(url).unwrap()),
            ..Settings::default()
        };
        let (app_no, app_id) = (app.app_no, app.id);
        let mut world = Self {
            providers: Arc::new(Providers::new(
                store.clone(),
                Arc::clone(&egress),
                keyring.clone(),
                clock.clone(),
                ids.clone(),
                settings.clone(),
            )),
            google,
            clock,
            store,
            app,
            account_no: 0,
            keyring,
            settings,
            egress,
            ids,
            seen: 0,
            _directory: directory,
        };
        world.account_no = world.connect(app_no, app_id, PERSON).await;
        world
    }

    /// Connected and its baseline read.
    pub(crate) async fn watched() -> Self {
        let mut world = Self::new(None).await;
        world.expect(&["account.connected"]).await;
        world
    }

    pub(crate) async fn connect(&self, app_no: i64, app: AppId, email: &str) -> i64 {
        let (access, refresh) = self.google.oauth().tokens_for(email, &SCOPES);
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
            provider: "google".into(),
            external_id: Some(email.into()),
            name: email.into(),
            server_url: None,
            username: None,
            credential: Some(self.keyring.seal(place, &credential.to_json(), &self.ids)),
        };
        let account = self.store.create_account(new, entry(), self.clock.now()).await.unwrap();
        account.account_no
    }

    /// As another process on the same database would be.
    pub(crate) fn other_process(&self) -> Arc<Providers> {
        Arc::new(Providers::new(
            self.store.clone(),
            Arc::clone(&self.egress),
            self.keyring.clone(),
            self.clock.clone(),
            self.ids.clone(),
            self.settings.clone(),
        ))
    }

    /// No tokens are being refreshed.
    pub(crate) async fn settled(&self) {
        self.providers.settled().await;
    }

    pub(crate) fn syncer(&self) -> Syncer {
        Syncer::new(Arc::clone(&self.providers), Cadence::default())
    }

    pub(crate) fn subscriptions(&self) -> Subscriptions {
        Subscriptions::new(Arc::clone(&self.providers))
    }

    pub(crate) fn errands(&self) -> Errands {
        Errands::new(Arc::clone(&self.providers))
    }

    pub(crate) async fn account(&self) -> Account {
        self.store.account(self.account_no).await.unwrap().unwrap()
    }

    pub(crate) async fn credential(&self) -> Credential {
        let account = self.account().await;
        let place =
            Place { table: "account", column: "credential", app: self.app.id, row: account.id.0 };
        let opened = self.keyring.open(place, &account.credential.unwrap()).unwrap();
        Credential::from_json(&opened).unwrap()
    }

    pub(crate) async fn mirror(&self) -> Vec<Collection> {
        self.store.collections(self.account_no).await.unwrap()
    }

    /// The calendar with this id at Google.
    pub(crate) async fn calendar(&self, id: &str) -> Collection {
        self.mirror().await.into_iter().find(|calendar| calendar.external_id == id).unwrap()
    }

    pub(crate) async fn live(&self) -> Vec<Subscription> {
        self.store.subscriptions_of(self.account_no).await.unwrap()
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

    /// A push arrives about this calendar, as its endpoint takes it down.
    pub(crate) async fn pushed(&self, calendar: &str) {
        let no = self.calendar(calendar).await.collection_no;
        let now = self.clock.now();
        assert!(self.store.push_collection(self.account_no, no, now).await.unwrap());
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

    /// Where a browser that goes to `url` is sent on to.
    pub(crate) async fn follow(&self, url: &Url) -> Url {
        let vetted = self.egress.policy().vet_url(url.as_str()).unwrap();
        let request = Request {
            method: http::Method::GET,
            url: &vetted,
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::new(),
            budget: Budget::provider(),
        };
        let response = self.egress.send(request).await.result.unwrap();
        let location = response.headers.iter().find(|(name, _)| name == "location");
        Url::parse(std::str::from_utf8(&location.unwrap().1).unwrap()).unwrap()
    }

    /// How often Google was asked this since the log was cleared.
    pub(crate) fn asked(&self, method: &str, part: &str) -> usize {
        self.google.log().matching(method, part).len()
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

/// An event of an hour.
pub(crate) fn event(title: &str) -> Value {
    json!({
        "summary": title,
        "start": { "dateTime": "2026-12-02T09:00:00Z" },
        "end": { "dateTime": "2026-12-02T10:00:00Z" },
    })
}

/// A weekly series, eight times.
pub(crate) fn series(title: &str) -> Value {
    json!({
        "summary": title,
        "start": { "dateTime": "2026-12-02T09:00:00Z", "timeZone": "UTC" },
        "end": { "dateTime": "2026-12-02T10:00:00Z", "timeZone": "UTC" },
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=8"],
    })
}

pub(crate) fn entry() -> AuditEntry {
    AuditEntry {
        actor: "test".into(),
        action: "test",
        object: String::new(),
        denied: false,
        address: None,
        detail: Value::Null,
    }
}
