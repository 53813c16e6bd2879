//! A real CalDAV server in a process of its own, with one user: `u`, whose password is `secret`.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A start takes no longer.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often a starting server is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Whose server it is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Radicale; it asks for the password.
    Radicale,
    /// Xandikos; it lets everybody in.
    Xandikos,
}

/// A CalDAV server on a free loopback port. It is killed when it is dropped, and its storage with it.
#[derive(Debug)]
pub struct CalendarServer {
    kind: Kind,
    port: u16,
    directory: TempDir,
    child: Option<Child>,
}

impl CalendarServer {
    /// Starts one with an empty storage and waits until it listens.
    ///
    /// # Panics
    /// When it does not listen; the words say how to install it.
    pub async fn start_new(kind: Kind) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = free.local_addr().expect("a bound listener has an address").port();
        drop(free);
        let directory = TempDir::new().expect("a temporary directory can be made");
        let users = directory.path().join("users");
        std::fs::write(users, "u:secret\n").expect("our directory can be written");
        let mut server = Self { kind, port, directory, child: None };
        server.start().await;
        server
    }

    /// Where its calendars are.
    pub fn home(&self) -> &'static str {
        match self.kind {
            Kind::Radicale => "/u/",
            Kind::Xandikos => "/user/calendars/",
        }
    }

    /// The address of `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Gives the user another password. Xandikos does not ask for any.
    ///
    /// # Panics
    /// When our directory cannot be written.
    pub fn set_password(&self, password: &str) {
        let users = self.directory.path().join("users");
        std::fs::write(users, format!("u:{password}\n")).expect("our directory can be written");
    }

    /// Starts it, on the port and storage that it had before, and waits until it listens.
    ///
    /// # Panics
    /// When it does not listen; the words say how to install it.
    pub async fn start(&mut self) {
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
            let child = self.child.as_mut().expect("it was started");
            let ended = child.try_wait().expect("a child of ours can be asked");
            assert!(ended.is_none(), "{program} ended at once: {ended:?}");
            assert!(began.elapsed() < DEADLINE, "{program} does not listen");
            tokio::time::sleep(LOOK).await;
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

    /// Kills it where it stands, if it runs. Its storage stays.
    ///
    /// # Panics
    /// When the operating system does not let us.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child of ours can be killed");
            child.wait().expect("a child of ours can be waited for");
        }
    }
}

impl Drop for CalendarServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The venv that `./test` makes.
fn venv() -> PathBuf {
    std::env::var_os("TIDINGS_VENV").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv")),
        PathBuf::from,
    )
}
