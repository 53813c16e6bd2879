//! A router over a real service and store, with an owner key and an app, and what tests do with it.

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::delivery::Members;
use tidings_core::egress::EgressPolicy;
use tidings_core::format::Formats;
use tidings_core::id::{AccountId, CollectionId, Ids};
use tidings_core::seal::Keyring;
use tidings_providers::errand::{Errand, Refusal, Reply};
use tidings_providers::settings::{GoogleSettings, Settings};
use tidings_service::{Desk, Service};
use tidings_store::{
    AttemptRecord, Collection, CollectionWrite, Item, ItemWrite, MirrorCommit, ParkedWrite, Settle,
    Store,
};
use tokio::sync::{mpsc, watch};
use tower::ServiceExt;

const MASTER_KEY: [u8; 32] = [7; 32];

/// A running API.
pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) clock: Clock,
    pub(crate) stop: watch::Sender<bool>,
    /// The owner key.
    pub(crate) owner: String,
    /// The app that the first start made, and a key that may do everything in it.
    pub(crate) app: Tenant,
    store: Store,
    _directory: TempDir,
}

/// An app and a key of it.
#[derive(Clone, Debug)]
pub(crate) struct Tenant {
    pub(crate) app: String,
    pub(crate) key: String,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let clock = Clock::manual(Timestamp::parse("2026-11-21T08:00:00Z").unwrap());
        let ids = Ids::seeded(11);
        let service = Service::new(
            store.clone(),
            clock.clone(),
            ids.clone(),
            Keyring::new(&[MASTER_KEY.to_vec().into()]).unwrap(),
            EgressPolicy::public_only(),
            Formats::new(vec![tidings_native::NATIVE]),
        )
        .with_providers(settings(), desk());
        let bootstrap = service.bootstrap(None).await.unwrap();
        let owner = bootstrap.generated.unwrap().reveal().to_owned();
        let (stop, stopping) = watch::channel(false);
        let router = tidings_native::router(service, ids, stopping);
        let app = bootstrap.created_app.unwrap().to_string();
        let app = Tenant { key: String::new(), app };
        let mut world = Self { router, clock, stop, owner, app, store, _directory: directory };
        world.app.key = world.key(&world.app.app, &["admin"]).await;
        world
    }

    /// Creates an app with a key that may do everything in it.
    pub(crate) async fn tenant(&self, name: &str) -> Tenant {
        let app = self.post(&self.owner, "/apps", json!({"name": name})).await.json();
        let app = app["id"].as_str().unwrap().to_owned();
        Tenant { key: self.key(&app, &["admin"]).await, app }
    }

    /// Creates a key of an app.
    pub(crate) async fn key(&self, app: &str, scopes: &[&str]) -> String {
        self.key_until(app, scopes, Value::Null).await
    }

    /// Creates a key of an app that expires.
    pub(crate) async fn key_until(&self, app: &str, scopes: &[&str], expires_at: Value) -> String {
        let body = json!({"name": "test", "scopes": scopes, "expires_at": expires_at});
        let mut request = request(Method::POST, &self.owner, "/api/v1/keys", Some(body));
        request.headers_mut().insert("tidings-app", app.parse().unwrap());
        let created = self.send(request).await;
        assert_eq!(created.status, 201, "{created:?}");
        created.json()["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, key: &str, path: &str) -> Answer {
        self.send(request(Method::GET, key, &format!("/api/v1{path}"), None)).await
    }

    pub(crate) async fn post(&self, key: &str, path: &str, body: Value) -> Answer {
        self.send(request(Method::POST, key, &format!("/api/v1{path}"), Some(body))).await
    }

    pub(crate) async fn publish(&self, key: &str, kind: &str) -> Value {
        let answer = self.post(key, "/changes", json!({"type": kind, "data": {"n": 1}})).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()
    }

    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Answer {
        let response = self.router.clone().oneshot(request.map(Body::from)).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Gives an account a calendar, as the sync would, and answers its id.
    pub(crate) async fn calendar(&self, account: &str) -> String {
        let account: AccountId = account.parse().unwrap();
        let now = self.clock.now();
        let due = self.store.due_accounts(now, 1_000).await.unwrap();
        let row = due.into_iter().find(|row| row.id == account).unwrap();
        let id = CollectionId(Ids::from_os().next(now));
        let mut commit = MirrorCommit::new(row.app_no, row.account_no);
        commit.collections.push(CollectionWrite::Create {
            id,
            external_id: "primary".into(),
            name: Some("Work".into()),
            details: "{}".into(),
            announce: None,
        });
        assert!(self.store.commit_mirror(commit, now).await.unwrap());
        id.to_string()
    }

    /// Puts an event into the mirror, as the sync would.
    pub(crate) async fn mirror(&self, calendar: &str, key: &str, etag: &str) {
        let calendar: CollectionId = calendar.parse().unwrap();
        let found = self.store.due_accounts(self.clock.now(), 1_000).await.unwrap();
        for account in found {
            let calendars = self.store.collections(account.account_no).await.unwrap();
            let Some(Collection { collection_no, .. }) =
                calendars.into_iter().find(|row| row.id == calendar)
            else {
                continue;
            };
            let mut commit = MirrorCommit::new(account.app_no, account.account_no);
            commit.items.push((collection_no, ItemWrite::Put(item(key, etag))));
            assert!(self.store.commit_mirror(commit, self.clock.now()).await.unwrap());
            return;
        }
        panic!("there is no calendar {calendar}");
    }

    /// `seq` of the newest change of the first app.
    pub(crate) async fn seq(&self) -> u64 {
        let app = self.get(&self.app.key, &format!("/apps/{}", self.app.app)).await;
        app.json()["seq"].as_u64().unwrap()
    }

    /// Writes what the engine would after failed first attempts of changes 1 to `last_seq`.
    pub(crate) async fn fail_attempts(&self, hook: &str, last_seq: u64) {
        let hooks = self.store.all_hooks().await.unwrap();
        let hook = hooks.iter().find(|found| found.id.to_string() == hook).unwrap();
        let hook_no = hook.hook_no;
        let mut settle = Settle::default();
        for seq in 1..=last_seq {
            settle.attempts.push(failed_attempt(hook_no, seq, self.clock.now()));
            let parked = ParkedWrite::Put {
                cursor_no: 0,
                members: Members::single(seq),
                attempts: 1,
                due_at: Some(self.clock.now()),
                reason: "receiver answered 503".into(),
                key_hash: None,
                waits: false,
            };
            settle.parked.push((hook_no, parked));
        }
        self.store.settle(std::sync::Arc::new(settle), self.clock.now()).await.unwrap();
    }
}

fn failed_attempt(hook_no: i64, seq: u64, at: Timestamp) -> AttemptRecord {
    AttemptRecord {
        hook_no,
        cursor_no: 0,
        members: Members::single(seq),
        n: 1,
        delivered: false,
        started_at: at,
        dns_us: None,
        connect_us: Some(900),
        tls_us: None,
        first_byte_us: Some(1_500),
        total_us: 1_600,
        url: "https://example.com/h".into(),
        address: None,
        status: Some(503),
        error: Some(("status".into(), "receiver answered 503".into())),
        request_headers: None,
        response_headers: None,
        response_body: Some(b"no".to_vec()),
    }
}

/// A request to the API.
pub(crate) fn request(
    method: Method,
    key: &str,
    target: &str,
    body: Option<Value>,
) -> Request<Vec<u8>> {
    let builder = Request::builder()
        .method(method)
        .uri(target)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json");
    builder.body(body.map(|body| body.to_string().into_bytes()).unwrap_or_default()).unwrap()
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body without what differs from request to request.
    pub(crate) fn comparable(&self) -> String {
        let mut body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        if let Some(fields) = body.as_object_mut() {
            fields.remove("request_id");
        }
        format!("{} {body}", self.status)
    }

    /// Checks that it is a complete problem document.
    #[track_caller]
    pub(crate) fn assert_problem(&self) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{self:?}");
        assert_eq!(problem["request_id"], self.headers["x-request-id"].to_str().unwrap());
        for text in ["type", "title", "detail", "code"] {
            assert!(!problem[text].as_str().unwrap().is_empty(), "{text}: {self:?}");
        }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}

fn settings() -> Settings {
    Settings {
        google: Some(GoogleSettings::new("g", "secret")),
        public_url: Some("https://tidings.example.com".parse().unwrap()),
        ..Settings::default()
    }
}

/// A provider that makes every event under the same name, knows no other, and is closed to those who
/// want it to tell people.
fn desk() -> Desk {
    let (desk, mut errands) = mpsc::channel(4);
    let answers: Desk = desk;
    tokio::spawn(async move {
        while let Some((errand, answer)) = errands.recv().await {
            let closed = || {
                let why = "google is closed".into();
                Refusal::Unavailable { why, after_ms: Some(7_000) }
            };
            let all = tidings_providers::draft::Notify::All;
            let reply = match errand {
                Errand::Create { notify, .. } | Errand::Update { notify, .. } if notify == all => {
                    Err(closed())
                }
                Errand::Create { .. } => Ok(Reply::Item(made("m1"))),
                Errand::Update { item_key, .. } if item_key == MADE => Ok(Reply::Item(made("m2"))),
                Errand::Delete { item_key, .. } if item_key == MADE => Ok(Reply::Done),
                _ => Err(Refusal::NotFound("the event is not there".into())),
            };
            drop(answer.send(reply));
        }
    });
    answers
}

/// The id of every event that is made.
pub(crate) const MADE: &str = "/ada/work/tea.ics";

fn event() -> Value {
    json!({"uid": "tea", "title": "Tea", "start": "2026-12-02T15:00:00.000Z",
        "end": "2026-12-02T16:00:00.000Z", "allDay": false, "availability": "busy",
        "privacy": "public", "original": {"id": "tea"}})
}

fn made(etag: &str) -> tidings_providers::item::Item {
    tidings_providers::item::Item {
        key: MADE.into(),
        resource: MADE.into(),
        etag: etag.into(),
        version: etag.into(),
        series: None,
        recurrence_id: None,
        event: serde_json::from_value(event()).unwrap(),
    }
}

fn item(key: &str, etag: &str) -> Item {
    Item {
        key: key.into(),
        resource: key.into(),
        etag: etag.into(),
        version: etag.as_bytes().to_vec(),
        series: None,
        recurrence_id: None,
        starts_at: None,
        ends_at: None,
        body: event().to_string().into_bytes(),
    }
}
