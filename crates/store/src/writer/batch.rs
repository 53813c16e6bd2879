//! What goes into one commit.

use std::sync::Arc;

use tidings_core::{fault, limits};
use tokio::sync::oneshot;

use super::{Answer, Fate, Message, Tx, Work, answer};
use crate::journal::{self, Append, Appended};
use crate::sql::{Commit, Engine, Sql};
use crate::{Committed, Error, Result};

/// An open transaction and what waits for its end.
pub(super) struct Batch<'c> {
    tx: Tx<'c>,
    begun: Result<()>,
    rows: usize,
    savepoints: usize,
    answers: Vec<Answer>,
    appends: Vec<(Append, oneshot::Sender<Result<Arc<Appended>>>)>,
}

/// A transaction that ended, one way or the other.
pub(super) struct Ended {
    pub(super) commit: Commit,
    pub(super) rows: usize,
    pub(super) answers: Vec<Answer>,
    pub(super) announce: Vec<Committed>,
}

impl<'c> Batch<'c> {
    pub(super) fn begin(sql: Sql<'c>) -> Self {
        Self {
            begun: sql.begin(),
            tx: Tx { sql, announce: Vec::new() },
            rows: 0,
            savepoints: 0,
            answers: Vec::new(),
            appends: Vec::new(),
        }
    }

    /// Whether nothing more of it can be kept.
    pub(super) fn is_lost(&self) -> bool {
        self.begun.is_err() || self.tx.sql.gave_up()
    }

    pub(super) fn has_room_for(&self, message: &Message) -> bool {
        let closing = matches!(message, Message::Close(_));
        !closing && self.rows + message.rows() <= limits::COMMIT_ROWS_MAX
    }

    /// Runs a job, or keeps an append for the end: so that the apps' counters are locked as late as
    /// can be, and once.
    pub(super) fn take(&mut self, message: Message) {
        self.rows += message.rows();
        match message {
            Message::Job { work, .. } => self.run(work),
            Message::Append { append, answer } => self.appends.push((append, answer)),
            Message::Close(_) => {}
        }
    }

    fn run(&mut self, work: Work) {
        let answer = if self.is_lost() {
            work(None).1
        } else {
            let mut made = None;
            self.alone(|tx| {
                let (keep, answer) = work(Some(tx));
                made = Some(answer);
                keep
            });
            match made {
                Some(answer) => answer,
                None => return,
            }
        };
        self.answers.push(answer);
    }

    /// Runs `part` in a savepoint of its own; `false` takes back what it did.
    fn alone(&mut self, part: impl FnOnce(&mut Tx<'c>) -> bool) -> bool {
        self.savepoints += 1;
        let (number, announced) = (self.savepoints, self.tx.announce.len());
        if self.tx.sql.savepoint(number).is_err() {
            return false;
        }
        let keep = part(&mut self.tx);
        if !keep {
            self.tx.announce.truncate(announced);
        }
        self.tx.sql.end_savepoint(number, keep);
        keep
    }

    /// Appends all that waits at once; when one of them cannot be, each on its own.
    fn append(&mut self) {
        let (mut appends, senders): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.appends).into_iter().unzip();
        if appends.is_empty() {
            return;
        }
        let mut done: Vec<Result<Arc<Appended>>> = Vec::new();
        let together = |tx: &mut Tx<'_>| match journal::append_all(tx, &mut appends) {
            Ok(appended) => {
                done = appended;
                true
            }
            Err(_) => false,
        };
        if !self.alone(together) {
            done = appends.iter_mut().map(|append| self.append_one(append)).collect();
        }
        self.answers.extend(senders.into_iter().zip(done).map(|(to, done)| answer(to, done)));
    }

    fn append_one(&mut self, append: &mut Append) -> Result<Arc<Appended>> {
        let mut done = Err(Error::unavailable());
        if !self.is_lost() {
            self.alone(|tx| {
                let one = journal::append_all(tx, std::slice::from_mut(append));
                done = one.and_then(|mut one| one.pop().unwrap_or(Err(Error::failed())));
                done.is_ok()
            });
        }
        done
    }

    /// Commits, unless it is lost already.
    pub(super) fn commit(mut self) -> Ended {
        if !self.is_lost() {
            self.append();
        }
        fault::point("writer.commit");
        if fault::planted("ack-before-commit") {
            self.answers.drain(..).for_each(|answer| answer(Fate::Durable));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let commit = match self.begun {
            Err(error) => Commit::Failed(error),
            Ok(()) if self.tx.sql.gave_up() => Commit::Failed(match self.tx.sql.engine() {
                Engine::Sqlite => Error::full(),
                Engine::Postgres => Error::unavailable(),
            }),
            Ok(()) => self.tx.sql.commit(),
        };
        // Those that were not appended because all is lost.
        let unappended = std::mem::take(&mut self.appends).into_iter();
        self.answers.extend(unappended.map(|(_, to)| answer(to, Err(Error::unavailable()))));
        Ended { commit, rows: self.rows, answers: self.answers, announce: self.tx.announce }
    }
}
