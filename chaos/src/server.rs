//! The server under test as a process of its own, so that it can be killed for real.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tidings_core::id::Ids;
use tidings_core::key::{Token, TokenKind};

use crate::client::Client;

/// A server that is not ready after this time does not come up at all.
const READY_DEADLINE: Duration = Duration::from_secs(60);
const READY_POLL: Duration = Duration::from_millis(5);

/// One installation: its directory, address and key; the process comes and goes.
#[derive(Debug)]
pub(crate) struct Server {
    program: PathBuf,
    directory: PathBuf,
    address: SocketAddr,
    key: String,
    process: Option<Child>,
}

impl Server {
    /// A new installation in `directory`; nothing runs yet.
    pub(crate) fn new(directory: &Path, ids: &Ids) -> Result<Self, String> {
        let program = program()?;
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.map_err(|error| format!("no free port on loopback: {error}"))?;
        let key = Token::generate(TokenKind::ApiKey, ids).reveal().to_owned();
        Ok(Self { program, directory: directory.to_owned(), address, key, process: None })
    }

    /// A client of this server; it survives restarts.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address, &self.key)
    }

    /// Starts the process and returns how long it took until it was ready.
    pub(crate) async fn start(&mut self) -> Result<Duration, String> {
        let begun = Instant::now();
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("server.log"))
            .map_err(|error| format!("the server's log cannot be opened: {error}"))?;
        let output = log.try_clone().map_err(|error| error.to_string())?;
        let mut command = Command::new(&self.program);
        // The server takes its configuration from this directory and these flags alone.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TIDINGS_") {
                command.env_remove(name);
            }
        }
        let child = command
            .current_dir(&self.directory)
            .args(["serve", "--dev"])
            .arg("--listen")
            .arg(self.address.to_string())
            .arg("--data-dir")
            .arg(self.directory.join("data"))
            .env("TIDINGS_BOOTSTRAP_KEY", &self.key)
            .stdin(Stdio::null())
            .stdout(Stdio::from(output))
            .stderr(Stdio::from(log))
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", self.program.display()))?;
        self.process = Some(child);
        self.ready(begun).await
    }

    async fn ready(&mut self, begun: Instant) -> Result<Duration, String> {
        let client = self.client();
        while begun.elapsed() < READY_DEADLINE {
            if matches!(client.get("/readyz").await, Ok((200, _))) {
                return Ok(begun.elapsed());
            }
            if let Some(status) = self.exited() {
                return Err(format!("the server ended by itself: {status}\n{}", self.log_tail()));
            }
            tokio::time::sleep(READY_POLL).await;
        }
        Err(format!("the server was not ready within {READY_DEADLINE:?}\n{}", self.log_tail()))
    }

    /// `kill -9`, and waits until the process is gone.
    pub(crate) fn kill(&mut self) -> Result<(), String> {
        let Some(mut child) = self.process.take() else { return Ok(()) };
        // A server that died by itself is a finding, not a kill.
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("the server ended by itself: {status}\n{}", self.log_tail()));
        }
        child.kill().and_then(|()| child.wait()).map(|_| ()).map_err(|error| error.to_string())
    }

    /// Most memory that the process ever held, MiB, as Linux counts it (`VmHWM`).
    pub(crate) fn peak_memory_mib(&self) -> Result<u64, String> {
        let child = self.process.as_ref().ok_or("the server does not run")?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))
            .map_err(|error| format!("memory cannot be read from /proc: {error}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.map(|kib| kib.div_ceil(1024)).ok_or_else(|| "no VmHWM in /proc".to_owned())
    }

    fn exited(&mut self) -> Option<std::process::ExitStatus> {
        self.process.as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.directory.join("server.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.process.take() {
            // It may be gone already, which is what we want.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// `TIDINGS_BIN`, or the `tidings` beside this program.
fn program() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("TIDINGS_BIN") {
        return Ok(path.into());
    }
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let beside = own.with_file_name("tidings");
    if beside.is_file() {
        return Ok(beside);
    }
    Err(format!("{} is not there: cargo build, or set TIDINGS_BIN", beside.display()))
}
