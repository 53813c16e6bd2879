//! An organization with a key, beside another one.

use axum::Router;
use axum::body::Body;
use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::format::Formats;
use tidings_core::id::Ids;
use tidings_core::seal::Keyring;
use tidings_service::{Caller, GrantKind, NewApp, NewKey, Scope, Service};
use tidings_store::Store;
use tower::ServiceExt;
use zeroize::Zeroizing;

pub(super) const NOW: &str = "2020-07-14T09:45:20.862Z";

pub(super) struct World {
    pub(super) service: Service,
    pub(super) clock: Clock,
    /// As the organization's key.
    pub(super) caller: Caller,
    /// The organization's API key.
    pub(super) key: String,
    /// That of another organization.
    pub(super) others_key: String,
    /// The organization's id on the wire.
    pub(super) organization: String,
    owner_key: String,
    _directory: tempfile::TempDir,
}

/// An answer.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// JSON, or a text where it is none; null when there is none.
    pub(super) body: Value,
    pub(super) allow: Option<String>,
}

impl Answer {
    /// The body of a success.
    pub(super) fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        self.body
    }
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(EgressPolicy::dev()).await
    }

    pub(super) async fn with(egress: EgressPolicy) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let clock = Clock::manual(Timestamp::parse(NOW).unwrap());
        let keyring = Keyring::new(&[Zeroizing::new(vec![7; 32])]).unwrap();
        let formats = Formats::new(vec![crate::FORMAT, crate::FORMAT_ARRAY]);
        let service = Service::new(store, clock.clone(), Ids::seeded(8), keyring, egress, formats);
        let generated = service.bootstrap(None).await.unwrap().generated.unwrap();
        let owner = service.authenticate(generated.reveal(), None).await.unwrap();
        let acme = owner.app_id().unwrap();
        let other = NewApp { name: "Other".into(), ..NewApp::default() };
        let other = service.create_app(&owner, other).await.unwrap().id;
        let scopes = [Scope::Hooks, Scope::Read, Scope::Accounts, Scope::Records];
        let mut keys = Vec::new();
        for app in [acme, other] {
            let owner = service.authenticate(generated.reveal(), Some(app)).await.unwrap();
            let key = NewKey {
                kind: GrantKind::App,
                name: "vyte".into(),
                scopes: scopes.to_vec(),
                expires_at: None,
            };
            let created = service.create_key(&owner, key).await.unwrap();
            keys.push(created.token.reveal().to_owned());
        }
        let [key, others_key] = keys.try_into().unwrap();
        let caller = service.authenticate(&key, None).await.unwrap();
        let organization = acme.0.to_hex24();
        let owner_key = generated.reveal().to_owned();
        Self {
            service,
            clock,
            caller,
            key,
            others_key,
            organization,
            owner_key,
            _directory: directory,
        }
    }

    /// As the installation's owner, in the organization.
    pub(super) async fn owner(&self) -> Caller {
        self.service.authenticate(&self.owner_key, self.caller.app_id()).await.unwrap()
    }

    /// A key of the organization with these scopes only.
    pub(super) async fn key_with(&self, owner: &Caller, scopes: &[Scope]) -> String {
        let key = NewKey {
            kind: GrantKind::App,
            name: "narrow".into(),
            scopes: scopes.to_vec(),
            expires_at: None,
        };
        self.service.create_key(owner, key).await.unwrap().token.reveal().to_owned()
    }

    /// A request with the organization's key in the header, as curl sends it.
    pub(super) async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, &[(AUTHORIZATION.as_str(), &self.key)], body).await
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        self.call("GET", path, Value::Null).await.ok()
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, body).await.ok()
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Value {
        self.call("PUT", path, body).await.ok()
    }

    /// Any request.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let routes: Router = crate::routes(self.service.clone());
        let response = routes.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = response.status();
        let allow = response.headers().get(ALLOW).map(|allow| allow.to_str().unwrap().to_owned());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| {
            let text = std::str::from_utf8(&body).unwrap();
            if text.is_empty() { Value::Null } else { json!(text) }
        });
        Answer { status, body, allow }
    }

    /// The types and contents of all changes since `seq` of the journal.
    pub(super) async fn told_since(&self, seq: u64) -> Vec<(String, Value)> {
        let page = self.service.changes(&self.caller, seq, Some(100)).await.unwrap();
        let told = |change: &tidings_service::Change| {
            let data = serde_json::from_slice(change.data.as_ref().unwrap()).unwrap();
            (change.kind.clone(), data)
        };
        page.changes.iter().map(told).collect()
    }

    /// The types of all changes so far.
    pub(super) async fn kinds(&self) -> Vec<String> {
        self.told_since(0).await.into_iter().map(|(kind, _)| kind).collect()
    }

    /// Jean Dupont, as the examples of events know him.
    pub(super) async fn jean(&self) -> String {
        let jean = json!({ "organization": self.organization, "user": {
            "email": "creator@example.com", "first_name": "Jean", "last_name": "Dupont",
            "language": "fr", "timezone": "Europe/Paris" } });
        self.post("/v2/users", jean).await["user"]["_id"].as_str().unwrap().to_owned()
    }
}
