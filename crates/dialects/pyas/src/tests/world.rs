//! An app with accounts at Google, Microsoft and Zoom, whose mirror holds what their parsers make of the
//! documented objects, and a desk that answers in the providers' stead.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tidings_core::access::Hidden;
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::format::Formats;
use tidings_core::id::{AccountId, CollectionId, Ids};
use tidings_core::seal::Keyring;
use tidings_core::settings::AppSettings;
use tidings_providers::errand::{Errand, Refusal, Reply};
use tidings_providers::item::Item;
use tidings_providers::oauth::{Credential, Identity};
use tidings_providers::settings::{GoogleSettings, MicrosoftSettings, Settings, ZoomSettings};
use tidings_providers::{google, http as wire, microsoft, zoom};
use tidings_service::{AppChanges, Caller, NewKey, Scope, Service};
use tidings_store::{self as store, CollectionWrite, ItemWrite, MirrorCommit, Store};
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt;
use zeroize::Zeroizing;

pub(super) const NOW: &str = "2026-03-12T09:00:00.000Z";
pub(super) const REDIRECT: &str = "https://app.example.com/callback";
pub(super) const WORK: &str = "some-user@gmail.com";

type Answered = Result<Reply, Refusal>;

pub(super) struct World {
    pub(super) service: Service,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) owner: Caller,
    /// Of a key that may do everything in its app.
    pub(super) key: String,
    pub(super) google: Account,
    pub(super) microsoft: Account,
    pub(super) zoom: Account,
    errands: Arc<Mutex<Vec<Errand>>>,
    answers: Arc<Mutex<Vec<Answered>>>,
    ids: Ids,
    _directory: tempfile::TempDir,
}

/// An account with one calendar.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) id: AccountId,
    pub(super) external_id: String,
    account_no: i64,
    collection_no: i64,
}

impl World {
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let (clock, ids) = (Clock::manual(Timestamp::parse(NOW).unwrap()), Ids::seeded(8));
        let service = Service::new(
            store.clone(),
            clock.clone(),
            ids.clone(),
            Keyring::new(&[Zeroizing::new(vec![7; 32])]).unwrap(),
            EgressPolicy::dev(),
            Formats::new(vec![crate::FORMAT]),
        );
        let (errands, answers) = (Arc::default(), Arc::default());
        let service = service.with_providers(settings(), desk(&errands, &answers));
        let owner_key = service.bootstrap(None).await.unwrap().generated.unwrap();
        let owner = service.authenticate(owner_key.reveal(), None).await.unwrap();
        let settings =
            AppSettings { redirect_uris: vec![REDIRECT.into()], ..AppSettings::default() };
        let changes = AppChanges { settings: Some(settings), ..AppChanges::default() };
        service.update_app(&owner, owner.app_id().unwrap(), changes).await.unwrap();
        let owner = service.authenticate(owner_key.reveal(), None).await.unwrap();
        let places = [
            ("google", WORK, google_entry()),
            ("microsoft", "AAMkCal=", graph_calendar()),
            ("zoom", "meetings", Value::Null),
        ];
        let mut accounts = Vec::new();
        for (provider, calendar, original) in places {
            accounts.push(connect(&store, &clock, &ids, provider, calendar, original).await);
        }
        let [google, microsoft, zoom] = accounts.try_into().unwrap();
        let key = key(&service, &owner, "admin", &[Scope::Admin]).await;
        Self {
            service,
            store,
            clock,
            owner,
            key,
            google,
            microsoft,
            zoom,
            errands,
            answers,
            ids,
            _directory: directory,
        }
    }

    pub(super) async fn key(&self, name: &str, scopes: &[Scope]) -> String {
        key(&self.service, &self.owner, name, scopes).await
    }

    /// What the next errand is answered; without it the provider is busy.
    pub(super) fn answer(&self, answer: Answered) {
        self.answers.lock().unwrap().push(answer);
    }

    pub(super) fn errand(&self) -> Errand {
        self.errands.lock().unwrap().pop().expect("an errand")
    }

    /// Puts items into a mirror, as the sync would.
    pub(super) async fn mirror(&self, account: &Account, items: Vec<Item>) {
        let mut commit = MirrorCommit::new(1, account.account_no);
        for item in items {
            let (starts_at, ends_at) = item.event.span_ms();
            let item = store::Item {
                key: item.key,
                resource: item.resource,
                etag: item.etag,
                version: item.version.into_bytes(),
                series: item.series,
                recurrence_id: item.recurrence_id,
                starts_at,
                ends_at,
                body: serde_json::to_vec(&item.event).unwrap(),
            };
            commit.items.push((account.collection_no, ItemWrite::Put(item)));
        }
        assert!(self.store.commit_mirror(commit, self.clock.now()).await.unwrap());
    }

    /// Asks with the admin's key.
    pub(super) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask("GET", path, Some(&self.key), None).await
    }

    pub(super) async fn send(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        self.ask(method, path, Some(&self.key), Some(&body)).await
    }

    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header("x-api-key", key);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self.raw(request.body(body).unwrap()).await;
        (response.status(), read(response).await)
    }

    pub(super) async fn raw(&self, request: Request<Body>) -> Response {
        let routes: Router = crate::routes(self.service.clone());
        routes.oneshot(request).await.unwrap()
    }

    pub(super) fn fresh(&self) -> AccountId {
        AccountId(self.ids.next(self.clock.now()))
    }
}

/// Reads a body that must be JSON.
pub(super) async fn read(response: Response) -> Value {
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

fn settings() -> Settings {
    Settings {
        google: Some(GoogleSettings::new("g", "secret")),
        microsoft: Some(MicrosoftSettings::new("m", "secret", "common")),
        zoom: Some(ZoomSettings::new("z", "secret")),
        public_url: Some("https://tidings.example.com".parse().unwrap()),
    }
}

fn desk(
    errands: &Arc<Mutex<Vec<Errand>>>,
    answers: &Arc<Mutex<Vec<Answered>>>,
) -> tidings_service::Desk {
    let (errands, answers) = (errands.clone(), answers.clone());
    let (desk, mut asked) = mpsc::channel::<(Errand, oneshot::Sender<Answered>)>(4);
    tokio::spawn(async move {
        while let Some((errand, reply)) = asked.recv().await {
            errands.lock().unwrap().push(errand);
            let answer = answers.lock().unwrap().pop();
            drop(reply.send(answer.unwrap_or(Err(Refusal::Busy))));
        }
    });
    desk
}

async fn key(service: &Service, owner: &Caller, name: &str, scopes: &[Scope]) -> String {
    let new = NewKey { name: name.into(), scopes: scopes.to_vec(), ..NewKey::default() };
    service.create_key(owner, new).await.unwrap().token.reveal().to_owned()
}

async fn connect(
    store: &Store,
    clock: &Clock,
    ids: &Ids,
    provider: &str,
    external_id: &str,
    original: Value,
) -> Account {
    let now = clock.now();
    let id = AccountId(ids.next(now));
    let new = store::NewAccount {
        id,
        app_no: 1,
        user_no: None,
        provider: provider.into(),
        external_id: Some(format!("{provider}-1")),
        name: "ada".into(),
        server_url: None,
        username: Some("some-user@gmail.com".into()),
        credential: Some(vec![1]),
    };
    let entry = store::AuditEntry {
        actor: "test".into(),
        action: "account.connect",
        object: id.to_string(),
        denied: false,
        address: None,
        detail: json!({}),
    };
    let account_no = store.connect_oauth_account(new, None, entry, now).await.unwrap().0.account_no;
    let calendar = CollectionId(ids.next(now));
    let mut details = json!({ "writable": true, "primary": true, "original": original });
    if original.is_null() {
        details.as_object_mut().unwrap().remove("original");
    }
    let mut commit = MirrorCommit::new(1, account_no);
    commit.collections.push(CollectionWrite::Create {
        id: calendar,
        external_id: external_id.into(),
        name: Some("Work".into()),
        details: details.to_string(),
        announce: None,
    });
    assert!(store.commit_mirror(commit, now).await.unwrap());
    let collection_no = store.collections(account_no).await.unwrap()[0].collection_no;
    let mut commit = MirrorCommit::new(1, account_no);
    commit.collections.push(CollectionWrite::Synced {
        collection_no,
        ctag: None,
        sync_token: None,
        synced_gen: None,
        window: None,
    });
    assert!(store.commit_mirror(commit, now).await.unwrap());
    let external_id = external_id.to_owned();
    Account { id, external_id, account_no, collection_no }
}

/// What a provider answers to a code.
pub(super) fn connected(scopes: &[&str]) -> Answered {
    Ok(Reply::Connected {
        tokens: Credential {
            access_token: Hidden::from("access".to_owned()),
            refresh_token: Some(Hidden::from("refresh".to_owned())),
            expires_at_ms: 1,
            scopes: scopes.iter().map(|&scope| scope.into()).collect(),
        },
        identity: Identity {
            external_id: "sub-1".into(),
            email: Some("some-user@gmail.com".into()),
            name: None,
        },
    })
}

fn answered(body: &Value) -> wire::Response {
    let body = Bytes::from(body.to_string());
    wire::Response { status: StatusCode::OK, headers: HeaderMap::new(), body }
}

pub(super) fn google_items(objects: &[Value]) -> Vec<Item> {
    let answer = answered(&json!({ "items": objects }));
    google::events::parse_list(&answer, false).unwrap().items
}

pub(super) fn graph_item(object: &Value) -> Item {
    microsoft::events::parse(&answered(object)).unwrap().item
}

pub(super) fn zoom_items(object: &Value) -> Vec<Item> {
    zoom::meetings::parse_meeting(&answered(object)).unwrap()
}

/// The documented entry of Google's list of calendars.
pub(super) fn google_entry() -> Value {
    let notice = |kind: &str| json!({ "type": kind, "method": "email" });
    json!({
        "kind": "calendar#calendarListEntry", "etag": "\"000000000000000000000\"", "id": WORK,
        "summary": WORK, "timeZone": "UTC", "colorId": "14", "backgroundColor": "#9fe1e7",
        "foregroundColor": "#000000", "selected": true, "accessRole": "owner",
        "defaultReminders": [{ "method": "popup", "minutes": 10 }],
        "notificationSettings": { "notifications": [
            notice("eventCreation"), notice("eventChange"), notice("eventCancellation"),
            notice("eventResponse"),
        ]},
        "primary": true,
        "conferenceProperties": { "allowedConferenceSolutionTypes": ["hangoutsMeet"] },
    })
}

/// A calendar of Graph with the documented members.
pub(super) fn graph_calendar() -> Value {
    json!({
        "id": "AAMkCal=", "name": "Calendar", "color": "auto", "hexColor": "",
        "isDefaultCalendar": true, "changeKey": "some-key", "canShare": true,
        "canViewPrivateItems": true, "canEdit": true,
        "allowedOnlineMeetingProviders": ["teamsForBusiness"],
        "defaultOnlineMeetingProvider": "teamsForBusiness", "isTallyingResponses": true,
        "isRemovable": false, "owner": { "name": "Ada", "address": "some-user@gmail.com" },
    })
}

/// An event of Google with the documented members.
pub(super) fn google_event(id: &str, summary: &str, start: &str) -> Value {
    let end = start.replace("T09", "T10");
    json!({
        "kind": "calendar#event", "etag": "\"00000\"", "id": id, "status": "confirmed",
        "htmlLink": "https://www.google.com/calendar/event?eid=1",
        "created": "2023-01-05T01:56:37.000Z", "updated": "2023-01-05T01:56:38.403Z",
        "summary": summary, "description": "some description",
        "creator": { "email": WORK }, "organizer": { "email": WORK },
        "start": { "dateTime": start, "timeZone": "UTC" },
        "end": { "dateTime": end, "timeZone": "UTC" },
        "iCalUID": format!("{id}@google.com"), "sequence": 0, "eventType": "default",
    })
}

/// An event of Graph with the documented members.
pub(super) fn graph_event(id: &str, subject: &str) -> Value {
    let at = |hour: &str| {
        json!({ "dateTime": format!("2026-04-02T{hour}:00:00.0000000"),
                                  "timeZone": "UTC" })
    };
    json!({
        "@odata.etag": "W/\"some-id\"", "id": id,
        "createdDateTime": "2023-04-06T21:48:43.8341359Z",
        "lastModifiedDateTime": "2023-04-06T21:48:44.2375882Z", "changeKey": "some-key",
        "categories": [], "transactionId": null, "originalStartTimeZone": "UTC",
        "originalEndTimeZone": "UTC", "iCalUId": "some-id", "reminderMinutesBeforeStart": 15,
        "isReminderOn": true, "hasAttachments": false, "subject": subject,
        "bodyPreview": "This is a test", "importance": "normal", "sensitivity": "normal",
        "isAllDay": false, "isCancelled": false, "isOrganizer": true, "responseRequested": true,
        "seriesMasterId": null, "showAs": "busy", "type": "singleInstance",
        "webLink": "https://outlook.live.com/owa/?itemid=some-event-id",
        "onlineMeetingUrl": null, "isOnlineMeeting": false, "onlineMeetingProvider": "unknown",
        "body": { "contentType": "text", "content": "This is a test" },
        "start": at("09"), "end": at("10"),
    })
}

/// A meeting of Zoom with the documented members that the mirror keeps.
pub(super) fn zoom_meeting(id: u64, topic: &str, start: &str) -> Value {
    json!({
        "id": id, "host_id": "some-id-string", "topic": topic, "type": 2, "start_time": start,
        "duration": 30, "timezone": "America/Los_Angeles", "agenda": "This is an example meeting",
        "created_at": "2023-04-26T12:26:57Z", "join_url": "https://us05web.zoom.us/j/81398421915",
    })
}
