//! The one writer: a thread that takes everything waiting, commits it once, then answers.
//!
//! Many publishers and many delivery outcomes share one fsync. A job that fails is rolled back alone
//! (its savepoint); the others of the same commit are not touched. Plain publishes that wait together become
//! one append. Answers and announcements go out only after the commit.

mod batch;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidings_core::meter::{Count, Durations};
use tidings_core::{fault, limits};
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, oneshot};

use batch::Batch;

use crate::journal::{Append, Appended};
use crate::sql::{Commit, Sql};
use crate::{Committed, Error, Result, Store};

/// That commits fail is said no more often.
const SAY_AGAIN: Duration = Duration::from_secs(1);
/// A commit is closed after this time even when more jobs wait.
const COMMIT_TIME_MAX: Duration = Duration::from_millis(20);

/// What a job works on: the open transaction, and what to announce once it is durable.
pub(crate) struct Tx<'c> {
    pub(crate) sql: Sql<'c>,
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
    Append { append: Append, answer: oneshot::Sender<Result<Arc<Appended>>> },
    Close(oneshot::Sender<()>),
}

impl Message {
    /// About how many rows it writes.
    fn rows(&self) -> usize {
        match self {
            Self::Job { rows, .. } => *rows,
            Self::Append { append, .. } => append.rows(),
            Self::Close(_) => 0,
        }
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Message")
    }
}

/// Makes the answer of work that ended with `done`, for when the fate of its commit is known.
fn answer<T: Send + 'static>(to: oneshot::Sender<Result<T>>, done: Result<T>) -> Answer {
    Box::new(move |fate| {
        let done = match fate {
            Fate::Durable => done,
            Fate::Full => Err(Error::full()),
            Fate::Unavailable => done.and(Err(Error::unavailable())),
        };
        // The caller may have gone; the work is done all the same.
        drop(to.send(done));
    })
}

/// How the commits of a writer went.
#[derive(Debug, Default)]
pub struct Commits {
    /// How long it took from the first job of a commit until it was durable.
    pub durable: Durations,
    /// Commits that failed, or whose fate could not be found out.
    pub failed: Count,
}

/// Handle of the writer thread.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Message>,
    commits: Arc<Commits>,
    /// How long callers wait for the fate of a commit, unless they must know it.
    patience: Duration,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(
        backend: Backend,
        announcements: broadcast::Sender<Committed>,
    ) -> Result<Self> {
        let (queue, receiver) = mpsc::channel(limits::WRITER_QUEUE_MAX);
        let commits = Arc::new(Commits::default());
        let patience = backend.patience();
        let commits_made = Arc::clone(&commits);
        let thread = Thread {
            backend,
            receiver,
            waiting: None,
            announcements,
            commits: commits_made,
            runtime: Handle::try_current().ok(),
            said: None,
        };
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || thread.run())
            .map_err(Error::directory)?;
        Ok(Self { queue, commits, patience })
    }

    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            // An error means that the thread has already ended, which is what we want.
            drop(closed.await);
        }
    }

    async fn ask<T>(&self, message: Message, answer: oneshot::Receiver<Result<T>>) -> Result<T> {
        match self.queue.try_send(message) {
            Ok(()) => answer.await.map_err(|_| Error::unavailable())?,
            Err(mpsc::error::TrySendError::Full(_)) => Err(Error::busy()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Error::unavailable()),
        }
    }

    async fn ask_patiently<T>(
        &self,
        message: Message,
        answer: oneshot::Receiver<Result<T>>,
    ) -> Result<T> {
        let asked = tokio::time::timeout(self.patience, self.ask(message, answer)).await;
        asked.unwrap_or_else(|_| Err(Error::unavailable()))
    }
}

impl Store {
    /// Commits since the store was opened. Far fewer than writes while many of them wait.
    pub fn commits(&self) -> u64 {
        self.writer.commits.durable.count()
    }

    /// How the commits went.
    pub fn commit_meters(&self) -> &Commits {
        &self.writer.commits
    }

    /// Jobs that wait for the writer now, and how many may: one more is refused as busy.
    pub fn writer_queue(&self) -> (usize, usize) {
        let most = self.writer.queue.max_capacity();
        (most - self.writer.queue.capacity(), most)
    }

    /// Runs `job` in the next commit and answers once it is durable. `rows` is about how many rows it
    /// writes; jobs are grouped up to [`limits::COMMIT_ROWS_MAX`].
    ///
    /// # Errors
    /// What `job` returned; busy when too much waits; unavailable or full when the commit failed, and
    /// unavailable when its fate is not known in time: then it may have been written.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        rows: usize,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (work, answer) = work_of(job);
        self.writer.ask_patiently(Message::Job { rows, work }, answer).await
    }

    /// As [`Store::write`], but waits until the fate of the commit is known, however long that takes:
    /// unavailable means that nothing was written.
    pub(crate) async fn write_surely<T: Send + 'static>(
        &self,
        rows: usize,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (work, answer) = work_of(job);
        self.writer.ask(Message::Job { rows, work }, answer).await
    }

    /// Appends to a journal in the next commit, together with whoever else appends.
    ///
    /// # Errors
    /// Not found when the app does not exist; conflict when an id is taken; as [`Store::write`].
    pub(crate) async fn write_append(&self, append: Append) -> Result<Arc<Appended>> {
        let (answer, answered) = oneshot::channel();
        self.writer.ask_patiently(Message::Append { append, answer }, answered).await
    }
}

fn work_of<T: Send + 'static>(
    job: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
) -> (Work, oneshot::Receiver<Result<T>>) {
    let (sender, answered) = oneshot::channel();
    let work: Work = Box::new(move |tx| {
        let done = tx.map_or_else(
            || Err(Error::unavailable()),
            |tx| {
                catch_unwind(AssertUnwindSafe(|| job(tx))).unwrap_or_else(|_| Err(Error::failed()))
            },
        );
        (done.is_ok(), answer(sender, done))
    });
    (work, answered)
}

/// What the writer writes to.
#[derive(Debug)]
pub(crate) enum Backend {
    Sqlite(sqlite::Embedded),
    Postgres(Box<postgres::Server>),
}

impl Backend {
    fn patience(&self) -> Duration {
        match self {
            // A disk of our own answers or fails.
            Self::Sqlite(_) => Duration::MAX,
            Self::Postgres(_) => Duration::from_millis(limits::DATABASE_COMMIT_DEADLINE_MS),
        }
    }

    fn sql(&self) -> Sql<'_> {
        match self {
            Self::Sqlite(embedded) => embedded.sql(),
            Self::Postgres(server) => server.sql(),
        }
    }

    /// Waits for the next message; `None` when nobody can send one any more.
    fn next(&mut self, queue: &mut mpsc::Receiver<Message>) -> Option<Message> {
        match self {
            Self::Sqlite(_) => queue.blocking_recv(),
            Self::Postgres(server) => server.next(queue),
        }
    }

    /// What became of a commit.
    fn fate(
        &mut self,
        commit: Commit,
        queue: &mut mpsc::Receiver<Message>,
        said: &mut Option<Instant>,
    ) -> Fate {
        match (commit, self) {
            (Commit::Durable, _) => Fate::Durable,
            (Commit::Unknown(transaction), Self::Postgres(server)) => {
                server.ask(transaction, queue)
            }
            (Commit::Unknown(_), Self::Sqlite(_)) => Fate::Unavailable,
            (Commit::Failed(error), backend) => {
                backend.sql().rollback();
                // That a connection was lost is told by whoever makes the next.
                if !error.is_unavailable() && said.is_none_or(|at| at.elapsed() > SAY_AGAIN) {
                    *said = Some(Instant::now());
                    tracing::error!(error = %error, "commit failed");
                }
                Fate::of(&error)
            }
        }
    }
}

struct Thread {
    backend: Backend,
    receiver: mpsc::Receiver<Message>,
    /// Did not belong in the last commit.
    waiting: Option<Message>,
    announcements: broadcast::Sender<Committed>,
    commits: Arc<Commits>,
    /// Where the callers run.
    runtime: Option<Handle>,
    /// When it was last said that a commit failed.
    said: Option<Instant>,
}

impl Thread {
    fn run(mut self) {
        while let Some(first) =
            self.waiting.take().or_else(|| self.backend.next(&mut self.receiver))
        {
            if let Message::Close(done) = first {
                self.receiver.close();
                // Whatever it holds is released before the caller goes on.
                drop(self);
                let _told = done.send(());
                return;
            }
            self.commit(first);
        }
    }

    /// Commits the first message and whatever else waits, then answers.
    fn commit(&mut self, first: Message) {
        fault::point("writer.taken");
        let began = Instant::now();
        let mut batch = Batch::begin(self.backend.sql());
        fault::point("writer.begun");
        let mut next = Some(first);
        while let Some(message) = next.take() {
            batch.take(message);
            fault::point("writer.job");
            if batch.is_lost() || began.elapsed() > COMMIT_TIME_MAX {
                break;
            }
            match self.receiver.try_recv() {
                Ok(message) if batch.has_room_for(&message) => next = Some(message),
                Ok(message) => self.waiting = Some(message),
                Err(_) => {}
            }
        }
        let done = batch.commit();
        let fate = self.backend.fate(done.commit, &mut self.receiver, &mut self.said);
        if fate == Fate::Durable {
            fault::point("writer.durable");
            self.commits.durable.record(began.elapsed());
            for event in done.announce {
                // No listener is not an error.
                drop(self.announcements.send(event));
            }
        }
        self.commits.failed.add(u64::from(fate != Fate::Durable));
        fault::point("writer.announced");
        let answers = done.answers;
        let answer_all = move || answers.into_iter().for_each(|answer| answer(fate));
        match &self.runtime {
            // To wake tasks one by one from outside of their runtime costs a system call for each.
            Some(runtime) => drop(runtime.spawn(async move { answer_all() })),
            None => answer_all(),
        }
        fault::point("writer.answered");
        if let Backend::Sqlite(embedded) = &mut self.backend {
            embedded.wrote(done.rows);
        }
    }
}
