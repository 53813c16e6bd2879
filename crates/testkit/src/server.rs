//! The built server as a child process on a free loopback port, to be killed and started again.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tidings_core::id::Ids;
use tidings_core::key::{Token, TokenKind};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// A start, or a stop by signal, takes no longer.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often a starting server is asked whether it is ready.
const LOOK: Duration = Duration::from_millis(20);

/// A server that runs `tidings serve --dev`. It is killed when it is dropped.
#[derive(Debug)]
pub struct TestServer {
    /// `http://127.0.0.1:port`; the same after a restart.
    pub base_url: String,
    /// Its owner key.
    pub key: String,
    binary: PathBuf,
    directory: PathBuf,
    address: String,
    environment: Vec<(String, String)>,
    child: Option<Child>,
}

impl TestServer {
    /// Starts `binary` with its data in `directory` and waits until it is ready. `environment` comes on
    /// top of address, directory and key; other `TIDINGS_` variables are not inherited.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn start(binary: &Path, directory: &Path, environment: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound listener has an address").to_string();
        drop(listener);
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let mut server = Self {
            base_url: format!("http://{address}"),
            key: Token::generate(TokenKind::ApiKey, &Ids::from_os()).reveal().to_owned(),
            binary: binary.to_owned(),
            directory: directory.to_owned(),
            address,
            environment: environment.iter().map(owned).collect(),
            child: None,
        };
        server.restart().await;
        server
    }

    /// Starts it again (killing it first if it runs) and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn restart(&mut self) {
        self.kill9().await;
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TIDINGS_") {
                command.env_remove(name);
            }
        }
        let child = command
            .args(["serve", "--dev"])
            .current_dir(&self.directory)
            .env("TIDINGS_LISTEN", &self.address)
            .env("TIDINGS_DATA_DIR", &self.directory)
            .env("TIDINGS_BOOTSTRAP_KEY", &self.key)
            .env("TIDINGS_LOG__LEVEL", "warn")
            .envs(self.environment.iter().map(|(name, text)| (name, text)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the server's binary can be run");
        self.child = Some(child);
        self.wait_until_ready().await;
    }

    /// The process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Kills it with SIGKILL, if it runs, and waits for its end.
    ///
    /// # Panics
    /// When the operating system does not let us.
    pub async fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("a child of ours can be killed");
        }
    }

    /// Sends SIGTERM and waits for its end.
    ///
    /// # Panics
    /// When it does not run, or does not end.
    pub async fn sigterm(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the server runs");
        let pid = child.id().expect("the server runs").to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(told.expect("kill can be run").success(), "SIGTERM was not sent");
        let ended = tokio::time::timeout(DEADLINE, child.wait()).await;
        ended.expect("the server ends after SIGTERM").expect("a child of ours can be waited for")
    }

    /// The status of a GET; `None` when there is no answer.
    pub async fn status(&self, path: &str) -> Option<StatusCode> {
        let stream = TcpStream::connect(&self.address).await.ok()?;
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.ok()?;
        let driver = tokio::spawn(connection);
        let request = Request::get(path).header(http::header::HOST, &self.address);
        let request = request.body(Empty::<Bytes>::new()).ok()?;
        let response = sender.send_request(request).await.ok();
        driver.abort();
        response.map(|response| response.status())
    }

    async fn wait_until_ready(&mut self) {
        let started = Instant::now();
        while self.status("/readyz").await != Some(StatusCode::OK) {
            let child = self.child.as_mut().expect("it was started");
            let ended = child.try_wait().expect("a child of ours can be asked");
            assert!(ended.is_none(), "the server ended at once: {ended:?}");
            assert!(started.elapsed() < DEADLINE, "the server is not ready after {DEADLINE:?}");
            tokio::time::sleep(LOOK).await;
        }
    }
}
