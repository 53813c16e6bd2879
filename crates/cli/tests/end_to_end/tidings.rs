//! The binary in a process of its own, and a client of its API.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_core::egress::EgressPolicy;
use tidings_core::id::Ids;
use tidings_core::key::{Token, TokenKind};
use tidings_core::sign::Secret;
use tidings_engine::egress::{Budget, Egress, Request, Resolver, Tls};
use tidings_testkit::receiver::TestReceiver;

/// Everything in these tests happens within this time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

pub(crate) struct Tidings {
    pub(crate) directory: TempDir,
    pub(crate) key: String,
    pub(crate) port: u16,
    egress: Egress,
    process: Option<Child>,
}

impl Tidings {
    pub(crate) async fn start() -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut tidings = Self {
            directory: TempDir::new().unwrap(),
            key: Token::generate(TokenKind::ApiKey, &Ids::from_os()).reveal().to_owned(),
            port: free.local_addr().unwrap().port(),
            egress: Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public()),
            process: None,
        };
        drop(free);
        tidings.run().await;
        tidings
    }

    /// Starts the process, on the port and data that it had before, and waits until it serves.
    pub(crate) async fn run(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.path().join("log"))
            .unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .args(["serve", "--dev", "--data-dir", "data", "--listen"])
            .arg(format!("127.0.0.1:{}", self.port))
            .current_dir(self.directory.path())
            .env("TIDINGS_BOOTSTRAP_KEY", &self.key)
            .env_remove("TIDINGS_VENV")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        let begun = Instant::now();
        while self.send("GET", "/readyz", &self.key, &[], None).await.0 != 200 {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "{ended:?}\n{}", self.log());
            tokio::time::sleep(POLL).await;
        }
    }

    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Any request; status 0 when there is no answer.
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
        match self.egress.send(request).await.result {
            Ok(response) => {
                let body = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
                (response.status, body)
            }
            Err(_) => (0, Value::Null),
        }
    }

    /// A call of the native API that must succeed.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let path = format!("/api/v1{path}");
        let body = (!body.is_null()).then_some(&body);
        let (status, answer) = self.send(method, &path, &self.key, &[], body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}\n{}", self.log());
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
            assert!(begun.elapsed() < PATIENCE, "{account}\n{}", self.log());
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for Tidings {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.kill());
            drop(process.wait());
        }
    }
}
