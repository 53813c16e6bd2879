//! An app with one end user, whose client speaks as the vendor's do.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::format::Formats;
use tidings_core::id::{AccountId, Bits96, Ids};
use tidings_core::seal::Keyring;
use tidings_service::{Caller, Change, PageInput, RecordPut, RefreshInput, Service};
use tidings_store::Store;
use tower::ServiceExt;
use zeroize::Zeroizing;

/// 2020-01-10T00:25:24Z, when the documented webhook was created.
pub(super) const NOW: i64 = 1_578_615_924;
/// The documented test site.
pub(super) const SITE: &str = "56cf5728784806f72b8b4568";

pub(super) struct World {
    pub(super) service: Service,
    pub(super) clock: Clock,
    pub(super) owner: Caller,
    pub(super) key: String,
    _directory: tempfile::TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(NOW * 1000));
        let service = Service::new(
            Store::open(directory.path()).unwrap(),
            clock.clone(),
            Ids::seeded(8),
            Keyring::new(&[Zeroizing::new(vec![7; 32])]).unwrap(),
            EgressPolicy::dev(),
            Formats::new(vec![crate::V1, crate::V3]),
        );
        let generated = service.bootstrap(None).await.unwrap().generated.unwrap();
        let key = generated.reveal().to_owned();
        let owner = service.authenticate(&key, None).await.unwrap();
        Self { service, clock, owner, key, _directory: directory }
    }

    pub(super) fn as_key(&self) -> String {
        format!("api_key api_key={}", self.key)
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Response {
        crate::routes(self.service.clone()).oneshot(request).await.unwrap()
    }

    /// Sends a call as the official clients do: a POST with the true method in a header. The answer is
    /// checked to be an envelope whose code is the status.
    pub(super) async fn call(
        &self,
        authorization: &str,
        method: &str,
        path: &str,
        params: Value,
    ) -> (u16, Value) {
        let body = if params.is_null() { String::new() } else { params.to_string() };
        let request = Request::post(format!("/v1{path}"))
            .header(HOST, "sync.example")
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, authorization)
            .header("X-Http-Method-Override", method)
            .body(Body::from(body));
        enveloped(self.send(request.unwrap()).await).await
    }

    /// A call with the API key that must succeed; its payload.
    pub(super) async fn ask(&self, method: &str, path: &str, params: Value) -> Value {
        self.ask_as(&self.as_key(), method, path, params).await
    }

    pub(super) async fn ask_as(
        &self,
        authorization: &str,
        method: &str,
        path: &str,
        params: Value,
    ) -> Value {
        let (status, mut answer) = self.call(authorization, method, path, params).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer["response"].take()
    }

    /// A new user's id.
    pub(super) async fn user(&self, external_id: &str) -> String {
        let params = json!({"id_external": external_id, "name": "Rey Misterio"});
        text(&self.ask("POST", "/users", params).await["id_user"])
    }

    /// What a session of the user authorizes with.
    pub(super) async fn session(&self, user: &str) -> String {
        let session = self.ask("POST", "/sessions", json!({"id_user": user})).await;
        format!("TOKEN token={}", text(&session["token"]))
    }

    /// A new credential of the session's user at the test site.
    pub(super) async fn credential(&self, session: &str) -> Value {
        let login = json!({"username": "test", "password": "test"});
        let params = json!({"id_site": SITE, "credentials": login});
        self.ask_as(session, "POST", "/credentials", params).await
    }

    /// Brings data as a bulk job does: keys and bodies by collection.
    pub(super) async fn bring(
        &self,
        credential: &str,
        whole: bool,
        records: &[(&str, &str, Value)],
    ) {
        let account = AccountId(Bits96::from_hex24(credential).unwrap());
        let input = RefreshInput { whole };
        let mut refresh = self.service.begin_refresh(&self.owner, account, input).await.unwrap();
        let puts = records.iter().map(|(collection, key, body)| RecordPut {
            collection: (*collection).into(),
            key: (*key).into(),
            starts_at: None,
            body: Bytes::from(body.to_string()),
        });
        self.service.stage_records(&self.owner, &mut refresh, puts.collect()).await.unwrap();
        let told = tidings_service::RefreshOutcome::refreshed;
        self.service.finish_refresh(&self.owner, refresh, told).await.unwrap();
    }

    /// The journal's changes of a type, oldest first.
    pub(super) async fn changes(&self, kind: &str) -> Vec<Change> {
        let page = self.service.changes(&self.owner, 0, Some(1000)).await.unwrap();
        page.changes.into_iter().filter(|change| change.kind == kind).collect()
    }

    pub(super) async fn hooks(&self) -> usize {
        self.service.hooks(&self.owner, &PageInput::default()).await.unwrap().items.len()
    }
}

/// Reads an answer that must be an envelope.
pub(super) async fn enveloped(response: Response) -> (u16, Value) {
    let status = response.status();
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    let names: Vec<_> = answer.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["code", "errors", "message", "response", "rid", "status"]);
    assert_eq!(answer["code"], status.as_u16());
    assert_eq!(answer["status"], status == StatusCode::OK);
    let message = (status != StatusCode::OK).then(|| status.canonical_reason().unwrap());
    assert_eq!(answer["message"], json!(message));
    let rid = answer["rid"].as_str().unwrap();
    assert_eq!((rid.len(), &rid[14..15]), (36, "4"), "{rid}");
    (status.as_u16(), answer)
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
