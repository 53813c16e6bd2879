//! A private PostgreSQL: a server as a child process on a free loopback port, and databases of their own
//! for test cases.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidings_core::clock::Timestamp;
use tidings_core::id::Ids;

/// Names a running server for all test cases, as `postgres://user@host:port/postgres`: its user must be
/// able to create databases. Without it each case starts a server of its own, which takes seconds.
pub const SERVER_URL: &str = "TEST_POSTGRES_URL";

/// A start or a stop takes no longer.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often a starting server is asked whether it is ready.
const LOOK: Duration = Duration::from_millis(20);

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Connections are ended, what was committed is written down.
    Fast,
    /// As a crash: the next start recovers.
    Immediate,
    /// The main process is killed; those that serve connections notice and end by themselves.
    Kill,
}

/// A server with its data, synced to disk as in production, in a temporary directory. It is stopped when it
/// is dropped.
#[derive(Debug)]
pub struct PostgresServer {
    directory: TempDir,
    port: u16,
    /// User and group of its process: it does not run as root.
    account: Option<(u32, u32)>,
    child: Option<Child>,
}

impl PostgresServer {
    /// Makes a server and waits until it is ready.
    ///
    /// # Panics
    /// When PostgreSQL is not installed, or does not start.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let account = unprivileged();
        if let Some((user, group)) = account {
            chown(directory.path(), Some(user), Some(group))
                .expect("root may give a directory away");
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        drop(listener);
        let mut server = Self { directory, port, account, child: None };
        let initialised = server
            .command("initdb")
            .args(["--username=tidings", "--auth=trust", "--encoding=UTF8", "--no-sync"])
            .arg("-D")
            .arg(server.data())
            .output()
            .expect("initdb can be run");
        let said = String::from_utf8_lossy(&initialised.stderr);
        assert!(initialised.status.success(), "initdb failed: {said}");
        server.resume();
        server
    }

    /// Starts it again after [`PostgresServer::stop`], on the same port, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn resume(&mut self) {
        let log = self.directory.path().join("log");
        self.child = Some(self.launch(&log));
        let started = Instant::now();
        while !self.is_ready() {
            let child = self.child.as_mut().expect("it was started");
            let ended = child.try_wait().expect("a child of ours can be asked").is_some();
            let said = || std::fs::read_to_string(&log).unwrap_or_default();
            // What a killed server left behind may be in the way for a moment.
            let give_up = if ended { DEADLINE / 6 } else { DEADLINE };
            assert!(started.elapsed() < give_up, "postgres is not ready: {}", said());
            std::thread::sleep(LOOK);
            if ended {
                self.child = Some(self.launch(&log));
            }
        }
    }

    fn launch(&self, log: &Path) -> Child {
        self.command("postgres")
            .arg("-D")
            .arg(self.data())
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-k"])
            .arg(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log).expect("the directory can be written"))
            .spawn()
            .expect("postgres can be run")
    }

    /// Stops it, if it runs, and waits for its end.
    ///
    /// # Panics
    /// When the operating system does not let us.
    pub fn stop(&mut self, how: Stop) {
        let Some(mut child) = self.child.take() else { return };
        let signal = match how {
            Stop::Fast => "-INT",
            Stop::Immediate => "-QUIT",
            Stop::Kill => "-KILL",
        };
        let told = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(told.expect("kill can be run").success(), "{signal} was not sent");
        child.wait().expect("a child of ours can be waited for");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// `postgres://…` of a database of it; `postgres` is always there.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://tidings@127.0.0.1:{}/{database}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn is_ready(&self) -> bool {
        let port = self.port.to_string();
        let asked = program("pg_isready").args(["-q", "-h", "127.0.0.1", "-p", &port]).status();
        asked.expect("pg_isready can be run").success()
    }

    /// A command that runs as the server's account, in its directory.
    fn command(&self, name: &str) -> Command {
        let mut command = program(name);
        command.current_dir(self.directory.path());
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.stop(Stop::Immediate);
    }
}

/// A database of a test case's own, in the server that [`SERVER_URL`] names or in one of its own. It is gone
/// with the value.
#[derive(Debug)]
pub struct PostgresDatabase {
    /// `postgres://…`
    pub url: String,
    name: String,
    /// The database in which others are created.
    maintenance_url: String,
    server: Option<PostgresServer>,
}

impl PostgresDatabase {
    /// Makes an empty database.
    ///
    /// # Panics
    /// When there is no server, or it refuses.
    pub fn create() -> Self {
        match std::env::var(SERVER_URL) {
            Ok(url) => Self::create_in(url, None),
            Err(_) => {
                let server = PostgresServer::start();
                Self::create_in(server.url("postgres"), Some(server))
            }
        }
    }

    fn create_in(maintenance_url: String, server: Option<PostgresServer>) -> Self {
        let name = format!("case_{:x}", Ids::from_os().next(Timestamp(0)).value());
        // Text in the order of a dictionary, as most servers have it: no test may rely on the simple one.
        let create = format!(
            "CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
        );
        query(&maintenance_url, &create);
        let (server_url, _) = maintenance_url.rsplit_once('/').expect("a URL has a path");
        Self { url: format!("{server_url}/{name}"), name, maintenance_url, server }
    }

    /// What `psql` prints for a statement: a line a row, columns parted by `|`.
    ///
    /// # Panics
    /// When the statement fails.
    pub fn query(&self, sql: &str) -> String {
        query(&self.url, sql)
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        if self.server.is_none() {
            query(&self.maintenance_url, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

fn query(url: &str, sql: &str) -> String {
    let psql = program("psql")
        .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"])
        .args(["--set=ON_ERROR_STOP=1", "--command", sql, url])
        .output()
        .expect("psql can be run");
    let said = String::from_utf8_lossy(&psql.stderr);
    assert!(psql.status.success(), "{sql}: {said}");
    String::from_utf8_lossy(&psql.stdout).trim_end().to_owned()
}

/// A program of PostgreSQL. Debian keeps those of each version apart from the path.
fn program(name: &str) -> Command {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.exists())
        .max_by_key(|path| version_of(path));
    Command::new(newest.unwrap_or_else(|| name.into()))
}

fn version_of(program: &Path) -> Option<u32> {
    program.ancestors().nth(2)?.file_name()?.to_str()?.parse().ok()
}

/// An account for the server when we are root, as which it refuses to run.
fn unprivileged() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    let account = |name: &str| Some((id(&["-u", name])?, id(&["-g", name])?));
    account("postgres").or_else(|| account("nobody"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_recovers_what_was_committed_before_it_crashed() {
        let mut server = PostgresServer::start();
        let url = server.url("postgres");
        query(&url, "CREATE TABLE kept AS SELECT 7 AS number");
        server.stop(Stop::Immediate);
        server.resume();
        assert_eq!(query(&url, "SELECT number, 'a' FROM kept"), "7|a");
        server.stop(Stop::Fast);
    }
}
