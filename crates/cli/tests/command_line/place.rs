//! A server, and a home directory in which commands are run.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tidings_testkit::server::TestServer;
use tokio::process::Command;

/// Everything in these tests happens within this time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tidings");

pub(crate) struct Place {
    pub(crate) server: TestServer,
    /// Home and current directory of the commands.
    pub(crate) home: TempDir,
    /// Dropped after the server that writes to it.
    pub(crate) data: TempDir,
}

impl Place {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        let data = TempDir::new().unwrap();
        let server = TestServer::start(Path::new(BINARY), data.path(), settings).await;
        Self { server, home: TempDir::new().unwrap(), data }
    }

    /// A program with the environment of somebody who uses this server.
    pub(crate) fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("TIDINGS_") || name.starts_with("XDG_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env("TIDINGS_URL", &self.server.base_url)
            .env("TIDINGS_KEY", &self.server.key)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    pub(crate) fn tidings(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(BINARY);
        command.args(arguments);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        self.tidings(arguments).output().await.unwrap()
    }

    /// What a command that must succeed prints.
    pub(crate) async fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The document that a command prints.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.ok(&[&["--output", "json"], arguments].concat()).await;
        serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{arguments:?}: {printed}"))
    }

    /// The id of what a command makes.
    pub(crate) async fn id(&self, arguments: &[&str]) -> String {
        let made = self.json(arguments).await;
        let id = ["/id", "/hook/id", "/key/id"].iter().find_map(|place| made.pointer(place));
        id.and_then(Value::as_str).unwrap_or_else(|| panic!("{made}")).to_owned()
    }
}

/// Waits until something is there.
pub(crate) async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} did not happen in {PATIENCE:?}");
        tokio::time::sleep(POLL).await;
    }
}
