//! A real CalDAV server in a process of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Radicale,
    Xandikos,
}

pub(crate) struct Server {
    kind: Kind,
    port: u16,
    directory: TempDir,
    child: Option<Child>,
}

impl Server {
    pub(crate) async fn start_new(kind: Kind) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("users"), "u:secret\n").unwrap();
        let mut server = Self { kind, port, directory, child: None };
        server.start().await;
        server
    }

    /// Where its calendars are.
    pub(crate) fn home(&self) -> &'static str {
        match self.kind {
            Kind::Radicale => "/u/",
            Kind::Xandikos => "/user/calendars/",
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Starts it, on the port and storage that it had before.
    pub(crate) async fn start(&mut self) {
        let (program, arguments) = self.command();
        let path = venv().join("bin").join(program);
        let child = Command::new(&path)
            .args(arguments)
            .env("XDG_DATA_HOME", self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap_or_else(|error| {
            panic!(
                "{} does not start ({error}): run ./test once, which installs it, or name a venv \
                 with radicale and xandikos in TIDINGS_VENV",
                path.display()
            )
        }));
        let began = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            let child = self.child.as_mut().unwrap();
            assert!(child.try_wait().unwrap().is_none(), "{program} ended at once");
            assert!(began.elapsed() < Duration::from_secs(30), "{program} does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn command(&self) -> (&'static str, Vec<String>) {
        let data = self.directory.path().join("data").display().to_string();
        let users = self.directory.path().join("users").display().to_string();
        let port = self.port.to_string();
        let hosts = format!("127.0.0.1:{port}");
        match self.kind {
            Kind::Radicale => (
                "radicale",
                [
                    ["--config", ""],
                    ["--server-hosts", &hosts],
                    ["--storage-filesystem-folder", &data],
                    ["--auth-type", "htpasswd"],
                    ["--auth-htpasswd-filename", &users],
                    ["--auth-htpasswd-encryption", "plain"],
                    ["--auth-delay", "0"],
                ]
                .concat()
                .into_iter()
                .map(Into::into)
                .collect(),
            ),
            Kind::Xandikos => (
                "xandikos",
                ["serve", "-d", &data, "--autocreate", "-l", "127.0.0.1", "-p", &port]
                    .map(Into::into)
                    .to_vec(),
            ),
        }
    }

    /// Kills it where it stands.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn venv() -> PathBuf {
    std::env::var_os("TIDINGS_VENV").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv")),
        PathBuf::from,
    )
}
