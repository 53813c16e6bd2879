//! The server that is measured, as a process of its own in a fresh installation.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidings_core::id::Ids;
use tidings_core::key::{Token, TokenKind};

use crate::api::Api;

/// A server that is not ready after this time does not come up at all.
const READY_WAIT: Duration = Duration::from_secs(60);
const READY_LOOK: Duration = Duration::from_millis(2);
/// The database on the given PostgreSQL server that every installation begins anew.
const DATABASE: &str = "tidings_bench";

/// One installation; it ends, and its data goes, with this value.
#[derive(Debug)]
pub(crate) struct Server {
    program: PathBuf,
    directory: TempDir,
    database_url: Option<String>,
    /// With a configuration of its own it is not in `--dev`.
    configured: bool,
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    process: Option<Child>,
}

impl Server {
    /// A fresh installation, running. With `database_url` it keeps its data in the database
    /// `tidings_bench` of that server, which is dropped and made anew.
    pub(crate) async fn start(database_url: Option<&str>) -> Result<Self, String> {
        let mut server = Self::new(database_url)?;
        server.run().await?;
        Ok(server)
    }

    /// The same with the configuration file that `configuration` makes of its address, and not in `--dev`.
    pub(crate) async fn configured(
        database_url: Option<&str>,
        configuration: impl FnOnce(SocketAddr) -> String,
    ) -> Result<Self, String> {
        let mut server = Self::new(database_url)?;
        server.configured = true;
        let file = server.directory.path().join("tidings.toml");
        std::fs::write(file, configuration(server.address)).map_err(|error| error.to_string())?;
        server.run().await?;
        Ok(server)
    }

    fn new(database_url: Option<&str>) -> Result<Self, String> {
        let directory = tempfile::Builder::new().prefix("tidings-bench-").tempdir();
        let directory = directory.map_err(|error| error.to_string())?;
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.map_err(|error| format!("no free port on loopback: {error}"))?;
        let key = Token::generate(TokenKind::ApiKey, &Ids::from_os()).reveal().to_owned();
        let database_url = database_url.map(fresh_database).transpose()?;
        let program = program()?;
        let (configured, process) = (false, None);
        Ok(Self { program, directory, database_url, configured, address, key, process })
    }

    /// A client of this server; it survives restarts.
    pub(crate) fn api(&self) -> Api {
        Api::new(self.address, &self.key)
    }

    /// Starts the process and waits until it is ready.
    pub(crate) async fn run(&mut self) -> Result<(), String> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.path().join("server.log"))
            .map_err(|error| format!("the server's log cannot be opened: {error}"))?;
        let output = log.try_clone().map_err(|error| error.to_string())?;
        let mut command = Command::new(&self.program);
        // The server takes its configuration from here alone.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TIDINGS_") {
                command.env_remove(name);
            }
        }
        if let Some(url) = &self.database_url {
            command.env("TIDINGS_DATABASE_URL", url);
        }
        let child = command
            .current_dir(self.directory.path())
            .arg("serve")
            .args((!self.configured).then_some("--dev"))
            .arg("--listen")
            .arg(self.address.to_string())
            .arg("--data-dir")
            .arg(self.data_directory())
            .env("TIDINGS_BOOTSTRAP_KEY", &self.key)
            .stdin(Stdio::null())
            .stdout(Stdio::from(output))
            .stderr(Stdio::from(log))
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", self.program.display()))?;
        self.process = Some(child);
        self.ready().await
    }

    async fn ready(&mut self) -> Result<(), String> {
        let (api, begun) = (self.api(), Instant::now());
        while begun.elapsed() < READY_WAIT {
            if matches!(api.get("/readyz").await, Ok((200, _))) {
                return Ok(());
            }
            let ended = self.process.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                return Err(format!("the server ended: {status}\n{}", self.log_tail()));
            }
            tokio::time::sleep(READY_LOOK).await;
        }
        Err(format!("the server was not ready within {READY_WAIT:?}\n{}", self.log_tail()))
    }

    /// `kill -9`, and waits until the process is gone.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.process.take() {
            // It may be gone already, which is what we want.
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Where the embedded store is.
    pub(crate) fn data_directory(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The database of this installation, if it has one.
    pub(crate) fn database_url(&self) -> Option<&str> {
        self.database_url.as_deref()
    }

    /// Its process id.
    ///
    /// # Errors
    /// It does not run.
    pub(crate) fn id(&self) -> Result<u32, String> {
        self.process.as_ref().map(Child::id).ok_or_else(|| "the server does not run".to_owned())
    }

    /// The last lines of its log.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.directory.path().join("server.log");
        let log = std::fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `TIDINGS_BIN`, or the `tidings` beside this program.
pub(crate) fn program() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("TIDINGS_BIN") {
        return Ok(path.into());
    }
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let beside = own.with_file_name("tidings");
    if beside.is_file() {
        return Ok(beside);
    }
    Err(format!("{} is not there: build the package tidings too", beside.display()))
}

/// Makes the database anew and returns its URL.
fn fresh_database(server: &str) -> Result<String, String> {
    let mut url =
        url::Url::parse(server).map_err(|error| format!("--database-url is not a URL: {error}"))?;
    let maintenance = format!("--maintenance-db={url}");
    for (tool, flags) in [("dropdb", &["--if-exists", "--force"][..]), ("createdb", &[])] {
        let ran = Command::new(tool).args(flags).args([&maintenance, DATABASE]).output();
        let ran = ran.map_err(|error| format!("{tool} (of PostgreSQL's client) fails: {error}"))?;
        if !ran.status.success() {
            return Err(format!("{tool} fails: {}", String::from_utf8_lossy(&ran.stderr).trim()));
        }
    }
    url.set_path(DATABASE);
    Ok(url.into())
}
