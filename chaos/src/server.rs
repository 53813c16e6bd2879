//! The server under test as a process of its own, so that it can be killed for real.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
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
    /// Goes before the program: what it runs in.
    wrapper: Vec<String>,
    environment: Vec<(String, String)>,
    process: Option<Child>,
}

impl Server {
    /// A new installation in `directory`; nothing runs yet.
    pub(crate) fn new(directory: &Path, ids: &Ids) -> Result<Self, String> {
        let program = program()?;
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.map_err(|error| format!("no free port on loopback: {error}"))?;
        let key = Token::generate(TokenKind::ApiKey, ids).reveal().to_owned();
        Ok(Self {
            program,
            directory: directory.to_owned(),
            address,
            key,
            wrapper: Vec::new(),
            environment: Vec::new(),
            process: None,
        })
    }

    /// A client of this server; it survives restarts.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address, &self.key)
    }

    /// Where its data are.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// From the next start on these variables are set, besides address, directory and key.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// From the next start on this variable is not set.
    pub(crate) fn unset(&mut self, name: &str) {
        self.environment.retain(|(known, _)| known != name);
    }

    /// From the next start on it runs in this command.
    pub(crate) fn wrap(&mut self, wrapper: &[String]) {
        self.wrapper = wrapper.to_vec();
    }

    /// Starts the process and returns how long it took until it was ready.
    pub(crate) async fn start(&mut self) -> Result<Duration, String> {
        let begun = Instant::now();
        self.spawn()?;
        self.ready(begun).await
    }

    /// Starts the process and does not wait for it.
    pub(crate) fn spawn(&mut self) -> Result<(), String> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("server.log"))
            .map_err(|error| format!("the server's log cannot be opened: {error}"))?;
        let output = log.try_clone().map_err(|error| error.to_string())?;
        let mut words = self.wrapper.clone();
        words.push(self.program.display().to_string());
        let mut command = Command::new(&words[0]);
        // This directory and these settings alone.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TIDINGS_") {
                command.env_remove(name);
            }
        }
        let child = command
            .args(&words[1..])
            .current_dir(&self.directory)
            .args(["serve", "--dev"])
            .arg("--listen")
            .arg(self.address.to_string())
            .arg("--data-dir")
            .arg(self.data())
            .env("TIDINGS_BOOTSTRAP_KEY", &self.key)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::from(output))
            .stderr(Stdio::from(log))
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", words[0]))?;
        self.process = Some(child);
        Ok(())
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

    /// The process is gone afterwards, however it stood before.
    pub(crate) fn end(&mut self) {
        if let Some(mut child) = self.process.take() {
            // It may be gone already, which is what we want.
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Whether the process ended by itself, and how.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.process.as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// Fails when the process ended by itself or said that something of ours panicked.
    pub(crate) fn healthy(&mut self) -> Result<(), String> {
        if let Some(status) = self.exited() {
            return Err(format!("the server ended by itself: {status}\n{}", self.log_tail()));
        }
        match self.log().lines().find(|line| line.contains("panicked")) {
            Some(line) => Err(format!("a panic: {line}")),
            None => Ok(()),
        }
    }

    /// The process id.
    pub(crate) fn pid(&self) -> Result<u32, String> {
        self.process.as_ref().map(Child::id).ok_or_else(|| "the server does not run".to_owned())
    }

    /// Memory that the process holds, MiB.
    pub(crate) fn memory_mib(&self) -> Result<u64, String> {
        self.memory("VmRSS:")
    }

    /// Most memory that the process ever held, MiB.
    pub(crate) fn peak_memory_mib(&self) -> Result<u64, String> {
        self.memory("VmHWM:")
    }

    /// As Linux counts it.
    fn memory(&self, counter: &str) -> Result<u64, String> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?))
            .map_err(|error| format!("memory cannot be read from /proc: {error}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(counter));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.map(|kib| kib.div_ceil(1024)).ok_or_else(|| format!("no {counter} in /proc"))
    }

    /// Files and sockets that the process has open.
    pub(crate) fn descriptors(&self) -> Result<usize, String> {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.pid()?));
        open.map(Iterator::count).map_err(|error| error.to_string())
    }

    /// Everything that it logged.
    pub(crate) fn log(&self) -> String {
        let log = std::fs::read(self.directory.join("server.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
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
