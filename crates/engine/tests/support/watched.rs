//! A store with one account that is watched.

use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tidings_core::change::Change;
use tidings_core::clock::Clock;
use tidings_core::egress::EgressPolicy;
use tidings_core::id::{AccountId, AppId, Ids};
use tidings_core::seal::{Keyring, Place};
use tidings_engine::egress::{Egress, Resolver, Tls};
use tidings_engine::sync::{Cadence, Passed, Providers, Syncer};
use tidings_providers::settings::Settings;
use tidings_store::{Account, App, AuditEntry, Collection, NewAccount, NewApp, Store};

pub(crate) struct Watched {
    pub(crate) store: Store,
    pub(crate) egress: Arc<Egress>,
    keyring: Keyring,
    ids: Ids,
    pub(crate) clock: Clock,
    pub(crate) app: App,
    pub(crate) account_no: i64,
    /// The path of the calendar home.
    home: &'static str,
    /// The last change that was looked at.
    seen: u64,
    _directory: TempDir,
}

impl Watched {
    pub(crate) async fn new(home: &'static str) -> Self {
        let directory = TempDir::new().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let (clock, ids) = (Clock::system(), Ids::from_os());
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
        Self {
            store,
            egress,
            keyring,
            ids,
            clock,
            app,
            account_no: 0,
            home,
            seen: 0,
            _directory: directory,
        }
    }

    pub(crate) async fn connect(&mut self, server_url: String, password: &str) {
        let id = AccountId(self.ids.next(self.clock.now()));
        let place = Place { table: "account", column: "credential", app: self.app.id, row: id.0 };
        let new = NewAccount {
            id,
            app_no: self.app.app_no,
            user_no: None,
            provider: "caldav".into(),
            external_id: None,
            name: "calendar".into(),
            server_url: Some(server_url),
            username: Some("u".into()),
            credential: Some(self.keyring.seal(place, password.as_bytes(), &self.ids)),
        };
        let account = self.store.create_account(new, entry(), self.clock.now()).await.unwrap();
        self.account_no = account.account_no;
    }

    pub(crate) async fn account(&self) -> Account {
        self.store.account(self.account_no).await.unwrap().unwrap()
    }

    pub(crate) async fn mirror(&self) -> Vec<Collection> {
        self.store.collections(self.account_no).await.unwrap()
    }

    pub(crate) fn syncer(&self) -> Syncer {
        Syncer::new(Arc::new(self.providers()), Cadence::quick())
    }

    pub(crate) fn providers(&self) -> Providers {
        Providers::new(
            self.store.clone(),
            Arc::clone(&self.egress),
            self.keyring.clone(),
            self.clock.clone(),
            self.ids.clone(),
            Settings::default(),
        )
    }

    pub(crate) async fn pass(&self) -> Passed {
        self.syncer().pass(self.account().await).await.unwrap()
    }

    /// One pass tells exactly this, in whatever order; another one tells nothing.
    pub(crate) async fn expect(&mut self, expected: &[&str]) {
        assert_eq!(self.pass().await, Passed::Synced);
        let mut told = self.told().await;
        told.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(told, expected);
        assert_eq!(self.pass().await, Passed::Synced);
        assert_eq!(self.told().await, [""; 0], "nothing changed since");
        for calendar in self.mirror().await {
            assert_eq!(calendar.error, None, "{}", calendar.external_id);
        }
    }

    /// What was written into the journal since the last time: type, place below the home, title.
    pub(crate) async fn told(&mut self) -> Vec<String> {
        let changes = self.store.changes(self.app.app_no, self.seen, 10_000).await.unwrap();
        self.seen = changes.last().map_or(self.seen, |change| change.seq);
        let account = self.account().await;
        changes.iter().map(|change| self.line(change, &account)).collect()
    }

    fn line(&self, change: &Change, account: &Account) -> String {
        let body: Value = serde_json::from_slice(&change.new.body).unwrap();
        let subject = &change.new.subject;
        assert_eq!(subject.account_no, Some(self.account_no));
        assert_eq!(subject.provider.as_deref(), Some("caldav"));
        assert_eq!(body["account"]["id"], account.id.to_string());
        let (place, title) = match change.new.kind.split('.').next().unwrap() {
            "event" => {
                assert!(subject.collection_no.is_some());
                assert_eq!(body["event"]["id"].as_str(), subject.item.as_deref());
                let calendar = body["calendar"]["id"].as_str().unwrap();
                let order = change.new.order_key.as_deref().unwrap();
                let resource = order.strip_prefix(calendar).unwrap();
                assert!(subject.item.as_deref().unwrap().starts_with(resource));
                (&body["event"]["id"], &body["event"]["title"])
            }
            "calendar" => {
                assert!(subject.collection_no.is_some());
                (&body["calendar"]["external_id"], &body["calendar"]["name"])
            }
            _ => return change.new.kind.clone(),
        };
        let place = place.as_str().unwrap().strip_prefix(self.home).unwrap();
        format!("{} {place} {}", change.new.kind, title.as_str().unwrap())
    }
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

const HEAD: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//tidings//test//EN\r\n";

fn event(uid: &str, title: &str, day: u8, more: &str) -> String {
    format!(
        "BEGIN:VEVENT\r\nUID:{uid}@example.com\r\nDTSTAMP:20261121T080000Z\r\n\
         DTSTART:202612{day:02}T090000Z\r\nDTEND:202612{day:02}T100000Z\r\n\
         SUMMARY:{}\r\n{more}END:VEVENT\r\n",
        title.replace(',', "\\,")
    )
}

pub(crate) fn single(uid: &str, title: &str) -> String {
    format!("{HEAD}{}END:VCALENDAR\r\n", event(uid, title, 2, ""))
}

/// A weekly series, and perhaps what its second occurrence is instead.
pub(crate) fn recurring(uid: &str, title: &str, second: Option<&str>) -> String {
    let master = event(uid, title, 2, "RRULE:FREQ=WEEKLY;COUNT=8\r\n");
    let exception = second
        .map(|title| event(uid, title, 10, "RECURRENCE-ID:20261209T090000Z\r\n"))
        .unwrap_or_default();
    format!("{HEAD}{master}{exception}END:VCALENDAR\r\n")
}
