//! Tells other servers of one database that there is something new, and hears it from them.
//!
//! `NOTIFY` is a hint: it goes out after the commits, on a connection of its own and now and then, and one
//! may be lost. The truth is in the database, which is looked at every other second.

use std::collections::HashMap;
use std::time::Duration;

use tidings_core::limits;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout, timeout_at};
use tokio_postgres::{Client, Notification};

use crate::database::Database;
use crate::{Committed, Error, Result};

/// Hints go out no more often.
const TELL_EVERY: Duration = Duration::from_millis(10);
/// How often the database is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What was committed is announced within this time.
const ANNOUNCED_WITHIN: Duration = Duration::from_millis(50);
const ANSWER: Duration = Duration::from_millis(limits::DATABASE_ANSWER_DEADLINE_MS);
/// Between connections.
const PAUSE: Duration = Duration::from_secs(1);
/// A hint need not survive a crash, so it waits for no disk.
const SESSION: &str = "SET synchronous_commit = off; LISTEN tidings";
/// Hints that wait; more of them would say no more.
const HINTS_KEPT: usize = 16;

/// Starts the thread that listens. It ends with the store.
pub(crate) fn start(database: Database, committed: &broadcast::Sender<Committed>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::directory)?;
    let listener = Listener {
        database,
        ours: committed.subscribe(),
        announce: committed.downgrade(),
        seen: HashMap::new(),
        looked: false,
        verbs: false,
        appended: false,
    };
    std::thread::Builder::new()
        .name("store-listener".into())
        .spawn(move || runtime.block_on(listener.run()))
        .map_err(Error::directory)?;
    Ok(())
}

struct Listener {
    database: Database,
    ours: broadcast::Receiver<Committed>,
    /// Weak, so that the thread does not keep the store open.
    announce: broadcast::WeakSender<Committed>,
    /// Last `seq` and `hooks_version` of each app that we know of.
    seen: HashMap<i64, (i64, i64)>,
    /// Whether `seen` has all apps: before the first look nobody was told anything else.
    looked: bool,
    /// We committed something other than changes since the last look.
    verbs: bool,
    /// We committed something that others were not told of.
    appended: bool,
}

/// The store was closed.
struct Closed;

impl Listener {
    async fn run(mut self) {
        let mut missed = false;
        loop {
            let connected = async {
                let (hint, hints) = mpsc::channel(HINTS_KEPT);
                let (client, _driver) = self.database.connect(Some(hint)).await?;
                client.batch_execute(SESSION).await?;
                Ok::<_, Error>((client, hints))
            };
            // What goes wrong here is said by the writer, whose connection ends too.
            if let Ok(Ok((client, hints))) = timeout(ANSWER, connected).await {
                if std::mem::replace(&mut missed, true) {
                    // Whatever happened between the connections was not heard.
                    self.elsewhere();
                }
                if let Ok(Closed) = self.listen(&client, hints).await {
                    return;
                }
            }
            if self.rest().await.is_err() {
                return;
            }
        }
    }

    /// Waits before the next connection and takes note of our own commits.
    async fn rest(&mut self) -> std::result::Result<(), Closed> {
        let until = Instant::now() + PAUSE;
        while let Ok(event) = timeout_at(until, self.ours.recv()).await {
            self.note(event)?;
        }
        Ok(())
    }

    /// Until the store is closed, or the connection is lost.
    async fn listen(
        &mut self,
        client: &Client,
        mut hints: mpsc::Receiver<Notification>,
    ) -> Result<Closed> {
        let us = ask(client.query_one("SELECT CAST(pg_backend_pid() AS BIGINT)", &[])).await?;
        let us: i64 = us.try_get(0)?;
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tell_at = Instant::now();
        loop {
            tokio::select! {
                hint = hints.recv() => match hint {
                    Some(hint) if i64::from(hint.process_id()) != us => self.elsewhere(),
                    Some(_) => {}
                    None => return Err(Error::unavailable()),
                },
                event = self.ours.recv() => if let Err(Closed) = self.note(event) {
                    return Ok(Closed);
                },
                () = sleep_until(tell_at), if self.appended => {
                    ask(client.batch_execute("NOTIFY tidings")).await?;
                    self.appended = false;
                    tell_at = Instant::now() + TELL_EVERY;
                }
                _ = look.tick() => if let Err(Closed) = self.look(client).await? {
                    return Ok(Closed);
                },
            }
        }
    }

    /// Takes note of a commit of ours.
    fn note(
        &mut self,
        event: std::result::Result<Committed, RecvError>,
    ) -> std::result::Result<(), Closed> {
        match event {
            Ok(Committed::Appended(appended)) => {
                let last = appended.changes.last().map_or(0, |change| change.seq);
                let (seq, _) = self.seen.entry(appended.app_no).or_default();
                *seq = (*seq).max(i64::try_from(last).unwrap_or(i64::MAX));
                self.appended = true;
            }
            // Our own word about others.
            Ok(Committed::Elsewhere) => {}
            Ok(_) | Err(RecvError::Lagged(_)) => (self.verbs, self.appended) = (true, true),
            Err(RecvError::Closed) => return Err(Closed),
        }
        Ok(())
    }

    /// Looks whether an app moved without us.
    async fn look(&mut self, client: &Client) -> Result<std::result::Result<(), Closed>> {
        let text = "SELECT app_no, seq, hooks_version FROM app";
        let rows = ask(client.query(text, &[])).await?;
        let until = Instant::now() + ANNOUNCED_WITHIN;
        while let Ok(event) = timeout_at(until, self.ours.recv()).await {
            if let Err(closed) = self.note(event) {
                return Ok(Err(closed));
            }
        }
        let mut moved = false;
        for row in rows {
            let (seq, version): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
            let seen = self.seen.entry(row.try_get(0)?).or_default();
            moved |= seq > seen.0 || (version > seen.1 && !self.verbs);
            *seen = (seen.0.max(seq), seen.1.max(version));
        }
        self.verbs = false;
        if moved && self.looked {
            self.elsewhere();
        }
        self.looked = true;
        Ok(Ok(()))
    }

    fn elsewhere(&self) {
        if let Some(announce) = self.announce.upgrade() {
            // No listener is not an error.
            drop(announce.send(Committed::Elsewhere));
        }
    }
}

/// An answer of the server, but not for ever.
async fn ask<T>(
    answer: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
) -> Result<T> {
    Ok(timeout(ANSWER, answer).await.map_err(|_| Error::unavailable())??)
}
