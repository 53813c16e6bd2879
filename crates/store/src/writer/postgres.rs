//! A PostgreSQL server, as the writer holds it: one connection that owns the database's lock.
//!
//! When the connection is lost, whatever waits is refused at once, and the writer goes on as soon as
//! there is a new one. A commit whose answer was lost is asked for by its transaction's number.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use tidings_core::limits;
use tokio::sync::{mpsc, oneshot};

use super::{Fate, Message};
use crate::database::Database;
use crate::sql::postgres::{ANSWER, Connection};
use crate::sql::{Sql, values};
use crate::{Error, Result, migrate};

/// A predecessor that was killed a moment ago may still hold the lock for this long.
const LOCK_WAIT: Duration = Duration::from_secs(3);
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_LONGEST: Duration = Duration::from_millis(limits::DATABASE_PAUSE_MAX_MS);
/// While there is no connection, this is said no more often.
const SAY_AGAIN: Duration = Duration::from_secs(10);
const MIGRATION_PATIENCE: Duration = Duration::from_secs(3_600);

/// Of all the locks in a database this one is ours: "tidings" in ASCII.
const LOCK: i64 = 0x0074_6964_696e_6773;

/// Nothing waits for ever, on either side; and a commit is answered once it is on disk.
const SESSION: &str =
    "SET synchronous_commit = on; SET default_transaction_isolation = 'read committed';
    SET lock_timeout = '5s'; SET statement_timeout = '8s';
    SET idle_in_transaction_session_timeout = '10s';
    SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
    SET tcp_user_timeout = '8s'; SET jit = off";

/// The database, locked for this process.
#[derive(Debug)]
pub(crate) struct Server {
    database: Database,
    conn: Connection,
    /// Somebody closed the store while there was no connection.
    closing: Option<oneshot::Sender<()>>,
}

impl Server {
    /// Connects, locks the database for this process and migrates it.
    pub(crate) fn open(database: Database) -> Result<Self> {
        let conn = Connection::open(&database, SESSION, std::future::pending())
            .map_err(|error| database.refusal(&error))?;
        let began = Instant::now();
        while !lock(&conn)? {
            if began.elapsed() > LOCK_WAIT {
                return Err(Error::schema(
                    "another tidings process has this store open; stop it or use another database: \
                     several servers on one database are not supported yet",
                ));
            }
            conn.pause(PAUSE_FIRST, std::future::pending());
        }
        conn.be_patient(MIGRATION_PATIENCE);
        let sql = Sql::postgres(&conn);
        sql.script("SET statement_timeout = 0; SET lock_timeout = 0")?;
        migrate::migrate(&sql)?;
        sql.script(SESSION)?;
        conn.be_patient(ANSWER);
        Ok(Self { database, conn, closing: None })
    }

    pub(super) fn sql(&self) -> Sql<'_> {
        Sql::postgres(&self.conn)
    }

    /// Waits for the next message and keeps a connection in the meantime.
    pub(super) fn next(&mut self, queue: &mut mpsc::Receiver<Message>) -> Option<Message> {
        loop {
            if let Some(done) = self.closing.take() {
                return Some(Message::Close(done));
            }
            if let Some(message) = self.conn.until_lost(queue.recv()) {
                return message;
            }
            self.reconnect(queue);
        }
    }

    /// What became of a transaction whose commit was not answered.
    pub(super) fn ask(&mut self, transaction: u64, queue: &mut mpsc::Receiver<Message>) -> Fate {
        loop {
            self.reconnect(queue);
            if self.closing.is_some() {
                return Fate::Unavailable;
            }
            match status(&self.conn, transaction).as_deref() {
                Ok("committed") => return Fate::Durable,
                Ok("aborted") => return Fate::Unavailable,
                // The old session is at it still, or this one is lost too.
                Ok("in progress") => self.pause(PAUSE_FIRST, queue),
                Err(error) if error.is_unavailable() => {}
                _ => {
                    tracing::error!(
                        transaction,
                        "the database does not know what became of a commit"
                    );
                    return Fate::Unavailable;
                }
            }
        }
    }

    /// Returns with a connection that holds the lock, or when the store was closed.
    fn reconnect(&mut self, queue: &mut mpsc::Receiver<Message>) {
        let (began, mut pause) = (Instant::now(), PAUSE_FIRST);
        let mut said: Option<Instant> = None;
        while self.conn.is_lost() && self.closing.is_none() {
            match self.try_reconnect(queue) {
                Ok(()) if said.is_some() => {
                    let away_ms = began.elapsed().as_millis();
                    tracing::info!(away_ms, "the database is back");
                }
                Ok(()) => {}
                Err(error) => {
                    if said.is_none_or(|at| at.elapsed() > SAY_AGAIN) {
                        said = Some(Instant::now());
                        tracing::error!(database = ?self.database, error = %self.database.refusal(&error),
                            "no connection to the database; trying again");
                    }
                    self.pause(pause, queue);
                    pause = (pause * 2).min(PAUSE_LONGEST);
                }
            }
        }
    }

    fn try_reconnect(&mut self, queue: &mut mpsc::Receiver<Message>) -> Result<()> {
        let conn = Connection::open(&self.database, SESSION, refuse(queue, &mut self.closing))?;
        if !lock(&conn)? {
            return Err(Error::schema("another tidings process has this store open"));
        }
        self.conn = conn;
        Ok(())
    }

    fn pause(&mut self, time: Duration, queue: &mut mpsc::Receiver<Message>) {
        self.conn.pause(time, refuse(queue, &mut self.closing));
    }
}

/// Refuses what arrives while nothing can be written.
async fn refuse(
    queue: &mut mpsc::Receiver<Message>,
    closing: &mut Option<oneshot::Sender<()>>,
) -> Infallible {
    while let Some(message) = queue.recv().await {
        match message {
            Message::Job { work, .. } => work(None).1(Fate::Unavailable),
            Message::Append { answer, .. } => drop(answer.send(Err(Error::unavailable()))),
            Message::Close(done) => *closing = Some(done),
        }
    }
    std::future::pending().await
}

/// One process a database: a second writer would break the order that announcements promise.
fn lock(conn: &Connection) -> Result<bool> {
    let locked =
        Sql::postgres(conn)
            .row("SELECT pg_try_advisory_lock(?1)", values![LOCK], |row| row.get(0))?;
    Ok(locked.unwrap_or(false))
}

fn status(conn: &Connection, transaction: u64) -> Result<String> {
    let text = "SELECT pg_xact_status(CAST(CAST(?1 AS TEXT) AS xid8))";
    let status: Option<Option<String>> =
        Sql::postgres(conn).row(text, values![transaction.to_string()], |row| row.get(0))?;
    status.flatten().ok_or(Error::corrupt("transaction status"))
}
