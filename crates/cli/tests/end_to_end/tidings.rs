//! The binary in a process of its own, and a client of its API.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_core::egress::EgressPolicy;
use tidings_core::sign::Secret;
use tidings_engine::egress::{Budget, Egress, Request, Resolver, Tls};
use tidings_testkit::receiver::TestReceiver;
use tidings_testkit::server::TestServer;

/// Everything in these tests happens within this time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// Where a log goes that a test reads.
const LOG: &str = "tidings.log";
/// Where the words on the terminal go.
const SAID: &str = "tidings.said";

pub(crate) struct Tidings {
    pub(crate) server: TestServer,
    egress: Egress,
    /// Dropped after the server that writes to it.
    directory: TempDir,
}

impl Tidings {
    /// Starts it. Its log goes to the test's own output.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts it with settings of the test's own.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().unwrap();
        let binary = Path::new(env!("CARGO_BIN_EXE_tidings"));
        let environment = [&[("TIDINGS_LOG__LEVEL", "info")], settings].concat();
        Self {
            server: TestServer::start(binary, directory.path(), &environment).await,
            egress: Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public()),
            directory,
        }
    }

    /// The same with everything logged, and log and terminal in files.
    pub(crate) async fn start_logged(settings: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().unwrap();
        let script = directory.path().join("logged");
        let binary = env!("CARGO_BIN_EXE_tidings");
        let [log, said] = [LOG, SAID].map(|name| directory.path().join(name));
        let (log, said) = (log.display(), said.display());
        let text = format!("#!/bin/sh\nexec '{binary}' \"$@\" 2>>'{log}' >>'{said}'\n");
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
        let environment = [&[("TIDINGS_LOG__LEVEL", "trace")], settings].concat();
        Self {
            server: TestServer::start(&script, directory.path(), &environment).await,
            egress: Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public()),
            directory,
        }
    }

    /// What [`Tidings::start_logged`] logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join(LOG)).unwrap()
    }

    /// What [`Tidings::start_logged`] said on the terminal so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.directory.path().join(SAID)).unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.base_url)
    }

    /// Any request; it must be answered.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        bearer: &str,
        headers: &[(&'static str, &str)],
        body: Option<&Value>,
    ) -> (u16, Value) {
        let mut sent = HeaderMap::new();
        sent.insert("authorization", HeaderValue::try_from(format!("Bearer {bearer}")).unwrap());
        if body.is_some() {
            sent.insert("content-type", HeaderValue::from_static("application/json"));
        }
        for (name, value) in headers {
            sent.insert(*name, HeaderValue::try_from(*value).unwrap());
        }
        let request = Request {
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            url: &self.egress.policy().vet_url(&self.url(path)).unwrap(),
            headers: sent,
            body: body.map_or_else(Bytes::new, |body| body.to_string().into()),
            budget: Budget::provider(),
        };
        let response = self.egress.send(request).await.result.unwrap();
        (response.status, serde_json::from_slice(&response.body).unwrap_or(Value::Null))
    }

    /// A call of the native API that must succeed.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let path = format!("/api/v1{path}");
        let body = (!body.is_null()).then_some(&body);
        let (status, answer) = self.send(method, &path, &self.server.key, &[], body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.call("GET", path, Value::Null).await
    }

    pub(crate) async fn publish(&self, kind: &str, data: Value) -> Value {
        self.call("POST", "/changes", json!({"type": kind, "data": data})).await
    }

    /// A hook to `receiver`; returns its id and secret.
    pub(crate) async fn hook(
        &self,
        receiver: &TestReceiver,
        triggers: &[&str],
    ) -> (String, Secret) {
        let hook = json!({"url": receiver.url("/"), "triggers": triggers});
        let made = self.call("POST", "/hooks", hook).await;
        let secret = made["secret"].as_str().unwrap().parse().unwrap();
        (made["hook"]["id"].as_str().unwrap().to_owned(), secret)
    }

    /// Connects an account and waits until its silent first sync is done; returns its id.
    pub(crate) async fn connect(&self, account: Value) -> String {
        let made = self.call("POST", "/accounts", account).await;
        let id = made["id"].as_str().unwrap().to_owned();
        let begun = Instant::now();
        loop {
            let account = self.get(&format!("/accounts/{id}")).await;
            if account["baseline_done"] == true {
                return id;
            }
            assert!(begun.elapsed() < PATIENCE, "{account}");
            tokio::time::sleep(POLL).await;
        }
    }
}
