//! A platform with the person `ana-test`, who is logged in.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tidings_core::change::{Change, NewChange, Origin, Subject};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::format::Formats;
use tidings_core::id::{Bits96, ChangeId, Ids};
use tidings_core::seal::Keyring;
use tidings_service::{Caller, Registration, Service};
use tidings_store::Store;
use tower::ServiceExt;
use zeroize::Zeroizing;

use crate::Options;

pub(super) const NOW: f64 = 1_586_254_000.0;
pub(super) const ANA: &str = "ana-test";
pub(super) const PASSWORD: &str = "correct horse";

pub(super) struct World {
    pub(super) service: Service,
    pub(super) clock: Clock,
    owner_key: String,
    /// Ana's personal access.
    pub(super) ana: String,
    router: Router,
    _directory: tempfile::TempDir,
}

/// A status and a body.
pub(super) type Answered = (StatusCode, Value);

impl World {
    pub(super) async fn new() -> Self {
        let mut world = Self::empty(Options::default(), Registration::Open).await;
        let (status, body) = world.register(ANA).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        world.ana = world.login(ANA).await;
        world
    }

    pub(super) async fn empty(options: Options, registration: Registration) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let clock = Clock::manual(Timestamp(NOW as i64 * 1000));
        let service = Service::new(
            store,
            clock.clone(),
            Ids::seeded(8),
            Keyring::new(&[Zeroizing::new(vec![7; 32])]).unwrap(),
            EgressPolicy::dev(),
            Formats::new(vec![crate::FORMAT]),
        )
        .with_people(registration);
        let generated = service.bootstrap(None).await.unwrap().generated.unwrap();
        let owner_key = generated.reveal().to_owned();
        let router = crate::routes_of(service.clone(), options);
        Self { service, clock, owner_key, ana: String::new(), router, _directory: directory }
    }

    /// The operator, in Ana's app.
    pub(super) async fn operator(&self) -> Caller {
        let person = self.service.person(ANA).await.unwrap().unwrap();
        self.service.authenticate(&self.owner_key, Some(person.app)).await.unwrap()
    }

    /// All changes in Ana's journal: type and content.
    pub(super) async fn journal(&self) -> Vec<(String, Value)> {
        let page = self.service.changes(&self.operator().await, 0, Some(1_000)).await.unwrap();
        let read = |change: tidings_service::Change| {
            (change.kind, serde_json::from_slice(&change.data.unwrap()).unwrap())
        };
        page.changes.into_iter().map(read).collect()
    }

    /// The same, as hooks are matched with them.
    pub(super) async fn raw_journal(&self) -> Vec<Change> {
        let journal = self.journal().await;
        let change = |(kind, body): (String, Value)| NewChange {
            id: ChangeId(Bits96::new(1)),
            kind,
            subject: Subject::default(),
            order_key: None,
            occurred_at: Timestamp(0),
            origin: Origin::Api,
            actor: None,
            traceparent: None,
            body: body.to_string().into(),
        };
        let whole = |(seq, new)| Change { seq, recorded_at: Timestamp(0), new };
        (1..).zip(journal.into_iter().map(change)).map(whole).collect()
    }

    pub(super) fn owner_key(&self) -> &str {
        &self.owner_key
    }

    /// Their types.
    pub(super) async fn changes(&self) -> Vec<String> {
        self.journal().await.into_iter().map(|(kind, _)| kind).collect()
    }

    pub(super) async fn register(&self, username: &str) -> Answered {
        let person = json!({
            "appId": "my-app-id",
            "username": username,
            "password": PASSWORD,
            "email": format!("{username}@example.com"),
            "languageCode": "fr",
        });
        self.call(Method::POST, "/users", "", person).await
    }

    pub(super) async fn login(&self, username: &str) -> String {
        let body = json!({ "username": username, "password": PASSWORD, "appId": "my-app-id" });
        let request = Request::post(format!("/pryv/{username}/auth/login"))
            .header(CONTENT_TYPE, "application/json")
            .header("origin", "https://sw.example.com")
            .body(Body::from(body.to_string()));
        let (status, body) = self.send(request.unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body["token"].as_str().unwrap().to_owned()
    }

    /// Calls a path under `/pryv`; `null` is no body.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Value,
    ) -> Answered {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/pryv{path}"))
            .header(HOST, "tidings.example:8080");
        if !token.is_empty() {
            request = request.header(AUTHORIZATION, token);
        }
        let body = match body {
            Value::Null => Body::empty(),
            body => {
                request = request.header(CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
        };
        self.send(request.body(body).unwrap()).await
    }

    /// As [`World::call`], in Ana's account.
    pub(super) async fn of(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Value,
    ) -> Answered {
        self.call(method, &format!("/{ANA}{path}"), token, body).await
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> Answered {
        self.of(Method::GET, path, token, Value::Null).await
    }

    pub(super) async fn post(&self, path: &str, token: &str, body: Value) -> Answered {
        self.of(Method::POST, path, token, body).await
    }

    pub(super) async fn put(&self, path: &str, token: &str, body: Value) -> Answered {
        self.of(Method::PUT, path, token, body).await
    }

    pub(super) async fn delete(&self, path: &str, token: &str) -> Answered {
        self.of(Method::DELETE, path, token, Value::Null).await
    }

    /// Sends a request and checks what every answer has.
    pub(super) async fn send(&self, request: Request<Body>) -> Answered {
        let response = self.respond(request).await;
        assert_eq!(response.headers()["api-version"], crate::API_VERSION);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["meta"]["apiVersion"], crate::API_VERSION, "{body}");
        assert_eq!(body["meta"]["serial"], crate::SERIAL, "{body}");
        assert!(body["meta"]["serverTime"].as_f64().unwrap() >= NOW, "{body}");
        (status, body)
    }

    pub(super) async fn respond(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Creates a stream as Ana.
    pub(super) async fn stream(&self, id: &str, parent: Option<&str>) {
        let body = json!({ "id": id, "name": id, "parentId": parent });
        let (status, body) = self.post("/streams", &self.ana, body).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
    }

    /// Creates an access with `by`; its id and token.
    pub(super) async fn access(
        &self,
        by: &str,
        usage: &str,
        name: &str,
        permissions: &[(&str, &str)],
    ) -> (String, String) {
        let permission = |(id, level): &(&str, &str)| json!({ "streamId": id, "level": level });
        let permissions: Vec<_> = permissions.iter().map(permission).collect();
        let body = json!({ "name": name, "type": usage, "permissions": permissions });
        let (status, body) = self.post("/accesses", by, body).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let text = |name: &str| body["access"][name].as_str().unwrap().to_owned();
        (text("id"), text("token"))
    }

    /// Creates an event with `by`; its id.
    pub(super) async fn event(&self, by: &str, streams: &[&str], kind: &str) -> String {
        let body = json!({ "streamIds": streams, "type": kind, "content": 1 });
        let (status, body) = self.post("/events", by, body).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        body["event"]["id"].as_str().unwrap().to_owned()
    }

    /// Creates a webhook with `by`; its id.
    pub(super) async fn webhook(&self, by: &str, url: &str) -> String {
        let (status, body) = self.post("/webhooks", by, json!({ "url": url })).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        body["webhook"]["id"].as_str().unwrap().to_owned()
    }

    /// The ids of the events that a query finds.
    pub(super) async fn found(&self, token: &str, query: &str) -> Vec<String> {
        let (status, body) = self.get(&format!("/events{query}"), token).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let ids = body["events"].as_array().unwrap().iter();
        ids.map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }
}

/// Checks status and error id.
pub(super) fn refused((status, body): &Answered, expected: u16, id: &str) {
    assert_eq!((status.as_u16(), &body["error"]["id"]), (expected, &json!(id)), "{body}");
}

/// A body without what differs from call to call.
pub(super) fn without_meta(mut body: Value) -> Value {
    body.as_object_mut().unwrap().remove("meta");
    body
}
