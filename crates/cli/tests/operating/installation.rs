//! The binary as an operator has it: a server in a directory, commands beside it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_testkit::server::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tidings");
/// Everything in these tests happens within this time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An answer: status, headers as they came, body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

/// A server and its directory.
pub(crate) struct Installation {
    pub(crate) server: TestServer,
    /// Dropped after the server that writes to it.
    pub(crate) directory: TempDir,
}

impl Installation {
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().unwrap();
        let server = TestServer::start(Path::new(BINARY), directory.path(), settings).await;
        Self { server, directory }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.server.base_url.trim_start_matches("http://")
    }

    pub(crate) async fn get(&self, path: &str, bearer: Option<&str>) -> Answer {
        send(self.address(), "GET", path, bearer, "").await
    }

    /// A call of the native API with the owner key that must succeed.
    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let path = format!("/api/v1{path}");
        let answer = send(self.address(), method, &path, Some(&self.server.key), &body).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap_or(Value::Null)
    }

    /// Publishes; answers the change's number, or `None` when it was not accepted.
    pub(crate) async fn publish(&self, number: usize) -> Option<u64> {
        let body = json!({"type": "order.placed", "data": {"number": number}}).to_string();
        let key = Some(self.server.key.as_str());
        let answer = send(self.address(), "POST", "/api/v1/changes", key, &body).await;
        let answer: Value = serde_json::from_str(&answer.body).ok()?;
        answer["seq"].as_u64()
    }
}

/// One request on a connection of its own.
pub(crate) async fn send(
    address: &str,
    method: &str,
    path: &str,
    bearer: Option<&str>,
    body: &str,
) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let bearer = bearer.map_or(String::new(), |key| format!("authorization: Bearer {key}\r\n"));
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{bearer}\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (headers, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, headers: headers.to_ascii_lowercase(), body: body.to_owned() }
}

/// Runs a command of the binary in `directory`, without any setting of the surroundings.
pub(crate) fn tidings(directory: &Path, arguments: &[&str]) -> Output {
    tidings_with(directory, arguments, &[])
}

pub(crate) fn tidings_with(
    directory: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Output {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TIDINGS_") {
            command.env_remove(name);
        }
    }
    let variables = variables.iter().copied();
    command.args(arguments).current_dir(directory).envs(variables).output().unwrap()
}

/// What a command printed, whatever became of it.
pub(crate) fn printed(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// Waits until `look` finds something.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A file of this repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}
