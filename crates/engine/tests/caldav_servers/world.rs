//! A calendar server, a store with one account that watches it, and somebody who edits.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;
use tempfile::TempDir;
use tidings_core::change::Change;
use tidings_core::clock::Clock;
use tidings_core::egress::EgressPolicy;
use tidings_core::id::{AccountId, AppId, Ids};
use tidings_core::seal::{Keyring, Place};
use tidings_engine::egress::{Budget, Egress, Request, Resolver, Tls};
use tidings_engine::sync::{Cadence, Passed, Syncer};
use tidings_store::{
    Account, App, AuditEntry, Collection, CollectionWrite, MirrorCommit, NewAccount, NewApp, Store,
};

use crate::server::{Kind, Server};

/// `u:secret`.
const BASIC: &str = "Basic dTpzZWNyZXQ=";

pub(crate) struct World {
    pub(crate) server: Server,
    store: Store,
    egress: Arc<Egress>,
    keyring: Keyring,
    ids: Ids,
    clock: Clock,
    syncer: Syncer,
    app: App,
    account_no: i64,
    /// The last change that was looked at.
    seen: u64,
    _directory: TempDir,
}

impl World {
    pub(crate) async fn start(kind: Kind) -> Self {
        let directory = TempDir::new().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let (clock, ids) = (Clock::system(), Ids::from_os());
        let egress =
            Arc::new(Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public()));
        let keyring = Keyring::new(&[vec![7; 32].into()]).unwrap();
        let syncer = Syncer::new(
            store.clone(),
            Arc::clone(&egress),
            keyring.clone(),
            clock.clone(),
            ids.clone(),
            Cadence::quick(),
        );
        let new = NewApp {
            id: AppId(ids.next(clock.now())),
            name: "default".into(),
            external_id: None,
            webhook_url: None,
            created_at: clock.now(),
        };
        let app = store.create_app(new, entry()).await.unwrap();
        let server = Server::start_new(kind).await;
        Self {
            server,
            store,
            egress,
            keyring,
            ids,
            clock,
            syncer,
            app,
            account_no: 0,
            seen: 0,
            _directory: directory,
        }
    }

    pub(crate) async fn connect(&mut self, password: &str) {
        let id = AccountId(self.ids.next(self.clock.now()));
        let place =
            Place { table: "account", column: "credential", app: self.app.id, row: id.0 };
        let new = NewAccount {
            id,
            app_no: self.app.app_no,
            user_no: None,
            provider: "caldav".into(),
            external_id: None,
            name: "calendar".into(),
            server_url: Some(self.server.url("/")),
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

    pub(crate) async fn pass(&self) -> Passed {
        self.syncer.pass(self.account().await).await.unwrap()
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
        let place = place.as_str().unwrap().strip_prefix(self.server.home()).unwrap();
        format!("{} {place} {}", change.new.kind, title.as_str().unwrap())
    }

    /// Makes the stored cursor of a calendar one that no server knows.
    pub(crate) async fn corrupt_token(&self, calendar: &str, token: &str) {
        let known = self.mirror().await.into_iter().find(|c| c.external_id.ends_with(calendar));
        let mut commit = MirrorCommit::new(self.app.app_no, self.account_no);
        commit.collections.push(CollectionWrite::Synced {
            collection_no: known.unwrap().collection_no,
            ctag: Some("other".into()),
            sync_token: Some(token.into()),
        });
        assert!(self.store.commit_mirror(commit, self.clock.now()).await.unwrap());
    }

    pub(crate) async fn make_calendar(&self, name: &str) {
        let body = format!(
            r#"<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop><D:displayname>{name}</D:displayname></D:prop></D:set></C:mkcalendar>"#
        );
        self.edit("MKCALENDAR", &format!("{name}/"), "application/xml; charset=utf-8", body).await;
    }

    pub(crate) async fn rename_calendar(&self, calendar: &str, name: &str) {
        let name = name.replace('&', "&amp;");
        let body = format!(
            r#"<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname>{name}</D:displayname></D:prop></D:set></D:propertyupdate>"#
        );
        let path = format!("{calendar}/");
        self.edit("PROPPATCH", &path, "application/xml; charset=utf-8", body).await;
    }

    pub(crate) async fn put(&self, path: &str, icalendar: &str) {
        self.edit("PUT", path, "text/calendar; charset=utf-8", icalendar.to_owned()).await;
    }

    pub(crate) async fn delete(&self, path: &str) {
        self.edit("DELETE", path, "text/plain", String::new()).await;
    }

    async fn edit(&self, method: &str, path: &str, kind: &'static str, body: String) {
        let url = self.server.url(&format!("{}{path}", self.server.home()));
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static(BASIC));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let attempted = self
            .egress
            .send(Request {
                method: Method::from_bytes(method.as_bytes()).unwrap(),
                url: &self.egress.policy().vet_url(&url).unwrap(),
                headers,
                body: Bytes::from(body),
                budget: Budget::provider(),
            })
            .await;
        let status = attempted.status();
        assert!(
            status.is_some_and(|status| (200..300).contains(&status)),
            "{method} {path}: {attempted:?} {:?}",
            attempted.result.as_ref().map(|response| &response.body)
        );
    }
}

fn entry() -> AuditEntry {
    AuditEntry {
        actor: "test".into(),
        action: "test",
        object: String::new(),
        denied: false,
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
