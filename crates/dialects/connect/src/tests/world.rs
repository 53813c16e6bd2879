//! An app with two end users, with a calendar of the same id each.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::format::Formats;
use tidings_core::id::{CollectionId, Ids};
use tidings_core::seal::Keyring;
use tidings_service::{
    AppChanges, Caller, ConnectToken, Hook, NewAccount, PageInput, Password, Service, User,
};
use tidings_store::Store;
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
    ids: Ids,
    directory: tempfile::TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let clock = Clock::manual(Timestamp::parse(NOW).unwrap());
        let ids = Ids::seeded(8);
        let service = Service::new(
            store,
            clock.clone(),
            ids.clone(),
            Keyring::new(&[Zeroizing::new(vec![7; 32])]).unwrap(),
            EgressPolicy::dev(),
            Formats::new(vec![crate::FORMAT]),
        );
        let generated = service.bootstrap(None).await.unwrap().generated.unwrap();
        let owner_key = generated.reveal().to_owned();
        let owner = service.authenticate(&owner_key, None).await.unwrap();
        let (user, _) = service.upsert_user(&owner, "user-123".into()).await.unwrap();
        let (other, _) = service.upsert_user(&owner, "user-456".into()).await.unwrap();
        let mut world = Self {
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
    async fn connect(&self, user: &User, calendars: &[&str]) {
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
        for calendar in calendars {
            let id = CollectionId(self.ids.next(self.clock.now()));
            conn.execute(
                "INSERT INTO collection (id, app_no, account_no, external_id, created_at)
                 SELECT ?1, app_no, account_no, ?2, 0 FROM account WHERE id = ?3",
                rusqlite::params![id.0.to_bytes(), calendar, account.id.0.to_bytes()],
            )
            .unwrap();
        }
    }
}
