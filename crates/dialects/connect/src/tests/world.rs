//! An app with two end users, with a calendar of the same id each.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    AUTHORIZATION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE,
};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json as object};
use tidings_core::access::Hidden;
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::format::Formats;
use tidings_core::id::{CollectionId, Ids};
use tidings_core::seal::Keyring;
use tidings_core::settings::AppSettings;
use tidings_providers::errand::{Errand, Refusal, Reply};
use tidings_providers::event::Event;
use tidings_providers::item::Item;
use tidings_providers::oauth::{Credential, Identity};
use tidings_providers::settings::{GoogleSettings, Settings};
use tidings_service::{
    AppChanges, Caller, ConnectToken, Desk, Hook, NewAccount, NewKey, PageInput, Password, Scope,
    Service, User,
};
use tidings_store::{ItemWrite, MirrorCommit, Store};
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt;
use zeroize::Zeroizing;

pub(super) const NOW: &str = "2026-03-12T09:00:00.000Z";
pub(super) const WORK: &str = "/u/work/";
pub(super) const HOME: &str = "/u/home/";
/// Only the other user has this one.
pub(super) const OTHERS: &str = "/other/home/";

pub(super) struct World {
    pub(super) service: Service,
    pub(super) clock: Clock,
    pub(super) owner: Caller,
    pub(super) owner_key: String,
    pub(super) user: User,
    /// Of the user with the calendars [`WORK`] and [`HOME`].
    pub(super) token: String,
    /// Of another user with the calendars [`WORK`] and [`OTHERS`].
    pub(super) other_token: String,
    pub(super) store: Store,
    /// An API key of the app: its client secret.
    pub(super) secret: String,
    asked: Asked,
    ids: Ids,
    directory: tempfile::TempDir,
}

/// What was asked of the providers.
#[derive(Clone, Default)]
pub(super) struct Asked(Arc<Mutex<Vec<Errand>>>);

pub(super) const REDIRECT_URI: &str = "https://app.example.com/callback";

impl World {
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let clock = Clock::manual(Timestamp::parse(NOW).unwrap());
        let ids = Ids::seeded(8);
        let service = Service::new(
            store.clone(),
            clock.clone(),
            ids.clone(),
            Keyring::new(&[Zeroizing::new(vec![7; 32])]).unwrap(),
            EgressPolicy::dev(),
            Formats::new(vec![crate::FORMAT]),
        );
        let asked = Asked::default();
        let service = service.with_providers(settings(), desk(asked.clone()));
        let generated = service.bootstrap(None).await.unwrap().generated.unwrap();
        let owner_key = generated.reveal().to_owned();
        let owner = service.authenticate(&owner_key, None).await.unwrap();
        let (user, _) = service.upsert_user(&owner, "user-123".into()).await.unwrap();
        let (other, _) = service.upsert_user(&owner, "user-456".into()).await.unwrap();
        let key =
            NewKey { name: "server".into(), scopes: vec![Scope::Accounts], ..NewKey::default() };
        let key = service.create_key(&owner, key).await.unwrap();
        let mut world = Self {
            store,
            secret: key.token.reveal().to_owned(),
            asked,
            token: mint(&service, &owner, &user).await,
            other_token: mint(&service, &owner, &other).await,
            service,
            clock,
            owner,
            owner_key,
            user: user.clone(),
            ids,
            directory,
        };
        world.set_webhook_url(Some("http://127.0.0.1:9/changes")).await;
        world.connect(&user, &[WORK, HOME]).await;
        world.connect(&other, &[WORK, OTHERS]).await;
        world
    }

    pub(super) async fn set_webhook_url(&mut self, url: Option<&str>) {
        let changes =
            AppChanges { webhook_url: Some(url.map(str::to_owned)), ..AppChanges::default() };
        let app = self.owner.app_id().unwrap();
        self.service.update_app(&self.owner, app, changes).await.unwrap();
    }

    /// Every hook of the app that is not deleted.
    pub(super) async fn hooks(&self) -> Vec<Hook> {
        self.service.hooks(&self.owner, &PageInput::default()).await.unwrap().items
    }

    /// POSTs JSON as a client of the vendor does.
    pub(super) async fn post(&self, path: &str, token: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::post(path)
            .header(HOST, "tidings.example:8080")
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, format!("Bearer {token}"));
        let response = self.send(request.body(Body::from(body.to_string())).unwrap()).await;
        (response.status(), json(response).await)
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Response {
        let routes: Router = crate::routes(self.service.clone());
        routes.oneshot(request).await.unwrap()
    }
}

/// Reads a body that must be JSON.
pub(super) async fn json(response: Response) -> Value {
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

async fn mint(service: &Service, owner: &Caller, user: &User) -> String {
    let minted = service.mint_connect_token(owner, user.id, ConnectToken::default()).await.unwrap();
    minted.token.reveal().to_owned()
}

impl World {
    /// Connects an account of `user` that has these calendars.
    pub(super) async fn connect(&self, user: &User, calendars: &[&str]) {
        let account = NewAccount {
            provider: "caldav".into(),
            user: Some(user.id),
            external_id: None,
            name: None,
            server_url: Some("http://127.0.0.1:9/".into()),
            username: "u".into(),
            password: Password::new("p".into()),
        };
        let account = self.service.connect_account(&self.owner, account).await.unwrap();
        let conn =
            rusqlite::Connection::open(self.directory.path().join("tidings.sqlite")).unwrap();
        conn.execute_batch("BEGIN").unwrap();
        for calendar in calendars {
            let id = CollectionId(self.ids.next(self.clock.now()));
            conn.execute(
                "INSERT INTO collection (id, app_no, account_no, external_id, created_at)
                 SELECT ?1, app_no, account_no, ?2, 0 FROM account WHERE id = ?3",
                rusqlite::params![id.0.to_bytes(), calendar, account.id.0.to_bytes()],
            )
            .unwrap();
        }
        conn.execute_batch("COMMIT").unwrap();
    }
}

impl World {
    /// As if that had become of the account of this user name.
    pub(super) fn set_account(&self, username: &str, state: &str) {
        let file = self.directory.path().join("tidings.sqlite");
        let conn = rusqlite::Connection::open(file).unwrap();
        let sql = format!("UPDATE account SET {state} WHERE username = ?1");
        assert_eq!(conn.execute(&sql, [username]).unwrap(), 1);
    }

    /// The sealed password of the account of this user name.
    pub(super) async fn credential(&self, username: &str) -> Option<Vec<u8>> {
        let rows = self.store.accounts(1, Default::default(), 0, 100).await.unwrap();
        let row = rows.iter().find(|row| row.username.as_deref() == Some(username)).unwrap();
        row.credential.clone()
    }

    /// The app's id: its client id.
    pub(super) fn client_id(&self) -> String {
        self.owner.app_id().unwrap().to_string()
    }

    /// Lets the app take people through OAuth.
    pub(super) async fn set_redirect_uri(&self, uri: &str) {
        let settings = AppSettings { redirect_uris: vec![uri.into()], ..AppSettings::default() };
        let changes = AppChanges { settings: Some(settings), ..AppChanges::default() };
        let app = self.owner.app_id().unwrap();
        self.service.update_app(&self.owner, app, changes).await.unwrap();
    }

    /// A token of the user for less than everything.
    pub(super) async fn token_for(&self, scope: &str) -> String {
        self.set_redirect_uri(REDIRECT_URI).await;
        let mut browser = Browser::new(self);
        let query = format!("client_id={}&user_id=user-123&scope={scope}", self.client_id());
        browser.get(&format!("/oauth/authorize?{query}")).await;
        let code = browser.connects("ada").await;
        self.trade(&code).await["access_token"].as_str().unwrap().to_owned()
    }

    /// Trades a code for tokens, as the SDKs do.
    pub(super) async fn trade(&self, code: &str) -> Value {
        let form = format!("grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}");
        let (status, answer) = self.ask_token("/oauth/token", &form).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    /// POSTs a form with the app's credentials.
    pub(super) async fn ask_token(&self, path: &str, form: &str) -> (StatusCode, Value) {
        let basic = STANDARD.encode(format!("{}:{}", self.client_id(), self.secret));
        let request = Request::post(path)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("client_id", self.client_id())
            .header(AUTHORIZATION, format!("Basic {basic}"));
        let response = self.send(request.body(Body::from(form.to_owned())).unwrap()).await;
        (response.status(), json(response).await)
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> (StatusCode, Value) {
        self.call("GET", path, token, None).await
    }

    /// A request of the SDKs: they send the media type without a body too.
    pub(super) async fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, format!("Bearer {token}"));
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self.send(request.body(body).unwrap()).await;
        (response.status(), json(response).await)
    }

    /// Puts an event into the mirror of the user's calendar, as the sync would.
    pub(super) async fn mirror(&self, calendar: &str, key: &str, event: Value) {
        let caller = &self.owner;
        let page = PageInput::default();
        let accounts = self.service.accounts(caller, Default::default(), &page).await;
        let accounts = accounts.unwrap().items;
        let account = accounts.iter().find(|a| a.user_id == Some(self.user.id)).unwrap();
        let account = self.store.account_by_id(1, account.id).await.unwrap().unwrap();
        let rows = self.store.collections(account.account_no).await.unwrap();
        let row = rows.iter().find(|row| row.external_id == calendar).unwrap();
        let event = whole(&event);
        let (starts_at, ends_at) = event.span_ms();
        let item = tidings_store::Item {
            key: key.into(),
            resource: key.into(),
            etag: "e1".into(),
            version: b"e1".to_vec(),
            series: event.recurring_event_id.clone(),
            recurrence_id: None,
            starts_at,
            ends_at,
            body: serde_json::to_vec(&event).unwrap(),
        };
        let mut commit = MirrorCommit::new(1, account.account_no);
        commit.items.push((row.collection_no, ItemWrite::Put(item)));
        assert!(self.store.commit_mirror(commit, self.clock.now()).await.unwrap());
    }

    /// How the last thing that was asked of a provider looks.
    pub(super) fn last_asked(&self) -> Errand {
        self.asked.0.lock().unwrap().last().cloned().expect("nothing was asked")
    }
}

/// An event with what every event has.
fn whole(event: &Value) -> Event {
    let mut members = object!({
        "uid": "u@example.com", "title": "", "allDay": false, "availability": "busy", "original": {},
    });
    members.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
    serde_json::from_value(members).unwrap()
}

fn settings() -> Settings {
    Settings {
        google: Some(GoogleSettings::new("g", "secret")),
        microsoft: None,
        zoom: None,
        public_url: Some("https://tidings.example.com".parse().unwrap()),
    }
}

/// Providers that do all they are asked to.
fn desk(asked: Asked) -> Desk {
    type Answer = Result<Reply, Refusal>;
    let (desk, mut errands): (Desk, mpsc::Receiver<(Errand, oneshot::Sender<Answer>)>) =
        mpsc::channel(4);
    tokio::spawn(async move {
        while let Some((errand, reply)) = errands.recv().await {
            let answer = match &errand {
                Errand::Create { .. } => Ok(Reply::Item(written())),
                Errand::Update { item_key, .. } if item_key == "gone" => {
                    Err(Refusal::NotFound("the event is gone".into()))
                }
                Errand::Update { .. } => Ok(Reply::Item(written())),
                Errand::Exchange { .. } => Ok(Reply::Connected {
                    tokens: Credential {
                        access_token: Hidden::from("access".to_owned()),
                        refresh_token: Some(Hidden::from("refresh".to_owned())),
                        expires_at_ms: 1,
                        scopes: Vec::new(),
                    },
                    identity: Identity {
                        external_id: "google-ada".into(),
                        email: Some("ada@gmail.com".into()),
                        name: None,
                    },
                }),
                _ => Ok(Reply::Done),
            };
            asked.0.lock().unwrap().push(errand);
            drop(reply.send(answer));
        }
    });
    desk
}

fn written() -> Item {
    let event = whole(&object!({
        "title": "Team Meeting", "start": "2025-11-01T10:00:00.000Z",
        "end": "2025-11-01T11:00:00.000Z", "location": "Conference Room A", "color": "#9fc6e7",
        "privacy": "public", "status": "confirmed",
        "link": "https://calendar.google.com/calendar/event?eid=...",
        "original": {"kind": "calendar#event", "id": "event123abc", "summary": "Team Meeting"},
    }));
    Item {
        key: "event123abc".into(),
        resource: "event123abc".into(),
        etag: "e".into(),
        version: "e".into(),
        series: None,
        recurrence_id: None,
        event,
    }
}

/// A person's browser: it keeps the cookie and follows nothing by itself.
pub(super) struct Browser<'w> {
    world: &'w World,
    pub(super) cookie: Option<String>,
}

/// A page, or a redirection.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) location: String,
    pub(super) set_cookie: String,
    pub(super) policy: String,
    pub(super) html: String,
}

impl Page {
    /// The value of a hidden field.
    pub(super) fn hidden(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.html.split_once(&mark).unwrap_or_else(|| panic!("{name}: {self:?}"));
        rest.split('"').next().unwrap().to_owned()
    }

    /// A parameter of the address that the browser is sent to.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.location.split_once('?')?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    }
}

impl<'w> Browser<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        Self { world, cookie: None }
    }

    pub(super) async fn get(&mut self, path: &str) -> Page {
        self.visit(Request::get(path), Body::empty()).await
    }

    pub(super) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let form =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.visit(request, Body::from(form)).await
    }

    async fn visit(&mut self, mut request: http::request::Builder, body: Body) -> Page {
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, format!("other=1; oauth_req={cookie}"));
        }
        let response = self.world.send(request.body(body).unwrap()).await;
        let header = |name| {
            let value = response.headers().get(name);
            value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        let (set_cookie, location) = (header(SET_COOKIE), header(LOCATION));
        let policy = header(CONTENT_SECURITY_POLICY);
        if let Some(value) = set_cookie.strip_prefix("oauth_req=") {
            self.cookie = Some(value.split(';').next().unwrap().to_owned());
        }
        let status = response.status();
        let html = response.into_body().collect().await.unwrap().to_bytes();
        let html = String::from_utf8(html.to_vec()).unwrap();
        Page { status, location, set_cookie, policy, html }
    }

    /// Follows the link to a provider on the selection of the pages below `path`.
    pub(super) async fn leaves(&mut self, path: &str, provider: &str) -> Page {
        let page = self.get(&format!("{path}/oauth/select")).await.html;
        let link =
            page.split('"').find(|part| part.starts_with(&format!("leave?provider={provider}")));
        let link = link.unwrap().replace("&amp;", "&");
        self.get(&format!("{path}/oauth/{link}")).await
    }

    /// Fills in the form for a server and a password.
    pub(super) async fn logs_in(&mut self, username: &str) -> Page {
        let form = self.get("/oauth/login?provider=caldav").await;
        let fields = [
            ("csrf", form.hidden("csrf")),
            ("provider", form.hidden("provider")),
            ("server", "http://127.0.0.1:9/".to_owned()),
            ("username", username.to_owned()),
            ("password", "app-password".to_owned()),
        ];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.post("/oauth/login", &fields).await
    }

    /// Connects an account by password and goes back to the app: the code that it brings.
    pub(super) async fn connects(&mut self, username: &str) -> String {
        assert_eq!(self.logs_in(username).await.location, "select");
        let page = self.get("/oauth/select").await;
        let done = self.post("/oauth/finish", &[("csrf", &page.hidden("csrf"))]).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{done:?}");
        done.parameter("code").unwrap()
    }
}
