//! The one writer: a thread that takes everything waiting, commits it once, then answers.
//!
//! Many publishers and many delivery outcomes share one fsync. A job that fails is rolled back alone
//! (its savepoint); the others of the same commit are not touched. Answers and announcements go out
//! only after the commit.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc as checkpoints;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tidings_core::limits;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::{Committed, Error, Result, Store, migrate};

/// A commit is closed after this time even when more jobs wait.
const COMMIT_TIME_MAX: Duration = Duration::from_millis(20);
/// The write-ahead log is copied into the database file after this many written rows.
const CHECKPOINT_ROWS: usize = 4_000;

/// What a job works on: the open transaction, and what to announce once it is durable.
pub(crate) struct Tx<'c> {
    pub(crate) conn: &'c Connection,
    pub(crate) announce: Vec<Committed>,
}

/// What became of the commit that a job was part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Durable,
    Full,
    Unavailable,
}

impl Fate {
    fn of(error: &Error) -> Self {
        if error.is_full() { Self::Full } else { Self::Unavailable }
    }
}

type Answer = Box<dyn FnOnce(Fate) + Send>;
/// A job. Without a transaction it does nothing but make its answer.
type Work = Box<dyn FnOnce(Option<&mut Tx<'_>>) -> (bool, Answer) + Send>;

enum Message {
    Job { rows: usize, work: Work },
    Close(oneshot::Sender<()>),
}

/// Handle of the writer thread.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Message>,
    commits: Arc<AtomicU64>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Message")
    }
}

impl Writer {
    /// Locks the store for this process, migrates it and starts the thread.
    pub(crate) fn start(
        directory: &Path,
        path: &Path,
        announcements: broadcast::Sender<Committed>,
    ) -> Result<Self> {
        let lock = lock(directory)?;
        let mut conn = open(path)?;
        migrate::migrate(&mut conn)?;
        let (queue, receiver) = mpsc::channel(limits::WRITER_QUEUE_MAX);
        let commits = Arc::new(AtomicU64::new(0));
        let thread = Thread {
            conn,
            receiver,
            announcements,
            commits: Arc::clone(&commits),
            checkpoint: checkpointer(path.into()),
            _lock: lock,
        };
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || thread.run())
            .map_err(Error::directory)?;
        Ok(Self { queue, commits })
    }

    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            // An error means that the thread has already ended, which is what we want.
            drop(closed.await);
        }
    }
}

impl Store {
    /// Commits since the store was opened. Far fewer than writes while many of them wait.
    pub fn commits(&self) -> u64 {
        self.writer.commits.load(Ordering::Relaxed)
    }

    /// Runs `job` in the next commit and answers once it is durable. `rows` is about how many rows it
    /// writes; jobs are grouped up to [`limits::COMMIT_ROWS_MAX`].
    ///
    /// # Errors
    /// What `job` returned; busy when too much waits; unavailable or full when the commit failed.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        rows: usize,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, answer) = oneshot::channel();
        let work: Work = Box::new(move |tx| {
            let done = tx.map_or_else(
                || Err(Error::unavailable()),
                |tx| {
                    catch_unwind(AssertUnwindSafe(|| job(tx)))
                        .unwrap_or_else(|_| Err(Error::failed()))
                },
            );
            let keep = done.is_ok();
            let answer: Answer = Box::new(move |fate| {
                let done = match fate {
                    Fate::Durable => done,
                    Fate::Full => Err(Error::full()),
                    Fate::Unavailable => done.and(Err(Error::unavailable())),
                };
                // The caller may have gone; the work is done all the same.
                drop(sender.send(done));
            });
            (keep, answer)
        });
        match self.writer.queue.try_send(Message::Job { rows, work }) {
            Ok(()) => answer.await.map_err(|_| Error::unavailable())?,
            Err(mpsc::error::TrySendError::Full(_)) => Err(Error::busy()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Error::unavailable()),
        }
    }
}

struct Thread {
    conn: Connection,
    receiver: mpsc::Receiver<Message>,
    announcements: broadcast::Sender<Committed>,
    commits: Arc<AtomicU64>,
    checkpoint: checkpoints::SyncSender<()>,
    _lock: File,
}

impl Thread {
    fn run(mut self) {
        let mut rows_since_checkpoint = 0;
        let mut waiting = None;
        while let Some(first) = waiting.take().or_else(|| self.receiver.blocking_recv()) {
            match first {
                Message::Job { rows, work } => {
                    let (written, next) = self.commit(rows, work);
                    waiting = next;
                    rows_since_checkpoint += written;
                    if rows_since_checkpoint >= CHECKPOINT_ROWS {
                        rows_since_checkpoint = 0;
                        // Full means that one is asked for already.
                        let _asked = self.checkpoint.try_send(());
                    }
                }
                Message::Close(done) => {
                    self.receiver.close();
                    drop(self.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"));
                    drop(self);
                    let _told = done.send(());
                    return;
                }
            }
        }
    }

    /// Commits the first job and whatever else waits; returns the rows written and a message that
    /// did not belong in the commit.
    fn commit(&mut self, rows: usize, work: Work) -> (usize, Option<Message>) {
        let began = Instant::now();
        let mut written = rows;
        let mut answers = Vec::new();
        let mut leftover = None;
        let mut tx = Tx { conn: &self.conn, announce: Vec::new() };
        let mut fate = outcome(tx.conn.execute_batch("BEGIN IMMEDIATE"));
        let mut next = Some(work);
        while let Some(work) = next.take() {
            if fate != Fate::Durable {
                answers.push(work(None).1);
                break;
            }
            answers.push(run_job(&mut tx, work));
            if tx.conn.is_autocommit() {
                // SQLite gave the whole transaction up, as it does when the disk is full.
                fate = Fate::Full;
                break;
            }
            if began.elapsed() > COMMIT_TIME_MAX {
                break;
            }
            match self.receiver.try_recv() {
                Ok(Message::Job { rows, work }) if written + rows <= limits::COMMIT_ROWS_MAX => {
                    written += rows;
                    next = Some(work);
                }
                Ok(message) => leftover = Some(message),
                Err(_) => {}
            }
        }
        if fate == Fate::Durable {
            fate = outcome(tx.conn.execute_batch("COMMIT"));
        }
        let announce = std::mem::take(&mut tx.announce);
        if fate == Fate::Durable {
            self.commits.fetch_add(1, Ordering::Relaxed);
            for event in announce {
                // No listener is not an error.
                drop(self.announcements.send(event));
            }
        } else if !self.conn.is_autocommit() {
            drop(self.conn.execute_batch("ROLLBACK"));
        }
        for answer in answers {
            answer(fate);
        }
        (written, leftover)
    }
}

fn outcome(statement: rusqlite::Result<()>) -> Fate {
    match statement.map_err(Error::from) {
        Ok(()) => Fate::Durable,
        Err(error) => {
            tracing::error!(error = %error, "commit failed");
            Fate::of(&error)
        }
    }
}

/// Runs one job in a savepoint of its own.
fn run_job(tx: &mut Tx<'_>, work: Work) -> Answer {
    let announced = tx.announce.len();
    let began = tx.conn.execute_batch("SAVEPOINT job").is_ok();
    let (keep, answer) = if began { work(Some(tx)) } else { work(None) };
    if keep {
        drop(tx.conn.execute_batch("RELEASE job"));
    } else {
        tx.announce.truncate(announced);
        drop(tx.conn.execute_batch("ROLLBACK TO job; RELEASE job"));
    }
    answer
}

fn open(path: &Path) -> Result<Connection> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(128);
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(conn)
}

/// One process a store: a second writer would break the order that announcements promise.
fn lock(directory: &Path) -> Result<File> {
    let file = File::create(directory.join("tidings.lock")).map_err(Error::directory)?;
    file.try_lock().map_err(|_| {
        Error::schema(
            "another tidings process has this store open; stop it or use another directory",
        )
    })?;
    Ok(file)
}

/// A thread that copies the write-ahead log into the database file, so that the writer never does.
fn checkpointer(path: PathBuf) -> checkpoints::SyncSender<()> {
    let (sender, receiver) = checkpoints::sync_channel(1);
    let path = Arc::new(path);
    drop(std::thread::Builder::new().name("store-checkpoint".into()).spawn(move || {
        let Ok(conn) = open(&path) else { return };
        while receiver.recv().is_ok() {
            drop(conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())));
        }
    }));
    sender
}
