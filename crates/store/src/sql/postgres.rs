//! One connection to PostgreSQL, and statements on it.
//!
//! A connection brings its own single-threaded runtime: whoever uses it drives it, on a thread that may
//! block. What begins and ends transactions and savepoints waits and travels with the next statement, so
//! that it costs no round trip.

mod types;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::ops::ControlFlow;
use std::time::Duration;

use futures_util::TryStreamExt;
use tidings_core::limits;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, SimpleQueryMessage, Statement};

use super::row::{From as Source, Row};
use super::value::Value;
use crate::database::Database;
use crate::{Error, Result};

/// Prepared statements kept on a connection.
const STATEMENTS_KEPT: usize = 256;

/// An answer takes no longer, or the connection is given up.
pub(crate) const ANSWER: Duration = Duration::from_millis(limits::DATABASE_ANSWER_DEADLINE_MS);

/// A connection. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Connection {
    client: Client,
    driver: JoinHandle<()>,
    statements: RefCell<HashMap<String, Statement>>,
    /// What travels with the next statement.
    waiting: RefCell<String>,
    transaction: Cell<Option<u64>>,
    given_up: Cell<bool>,
    patience: Cell<Duration>,
    /// Taken when the connection is dropped, which may be on an async thread.
    runtime: Option<Runtime>,
}

/// What became of a commit.
#[derive(Debug)]
pub(crate) enum Commit {
    /// It is durable.
    Durable,
    /// It did not happen.
    Failed(Error),
    /// The connection broke before the answer came: ask for this transaction.
    Unknown(u64),
}

impl Connection {
    /// Connects and prepares the session. `meanwhile` runs beside it and never ends.
    ///
    /// # Errors
    /// When the server does not answer in time or refuses.
    pub(crate) fn open(
        database: &Database,
        session: &str,
        meanwhile: impl Future<Output = Infallible>,
    ) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(Error::directory)?;
        let opening = async {
            let (client, driver) = database.connect(None).await?;
            client.batch_execute(session).await?;
            Ok::<_, Error>((client, driver))
        };
        let opened = runtime.block_on(async {
            tokio::select! {
                opened = tokio::time::timeout(ANSWER, opening) => opened,
                never = meanwhile => match never {},
            }
        });
        let (client, driver) = opened.map_err(|_| Error::unavailable())??;
        Ok(Self {
            client,
            driver,
            statements: RefCell::default(),
            waiting: RefCell::default(),
            transaction: Cell::new(None),
            given_up: Cell::new(false),
            patience: Cell::new(ANSWER),
            runtime: Some(runtime),
        })
    }

    /// How long an answer may take from now on.
    pub(crate) fn be_patient(&self, patience: Duration) {
        self.patience.set(patience);
    }

    /// Whether the connection is gone.
    pub(crate) fn is_lost(&self) -> bool {
        self.given_up.get() || self.client.is_closed()
    }

    /// Notices what happened to an idle connection.
    pub(crate) fn look(&self) {
        self.block_on(async {
            // The first turn lets the runtime see the socket, the second lets the driver read it.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        });
    }

    /// Waits for `event`, or `None` when the connection is lost first.
    pub(crate) fn until_lost<T>(&mut self, event: impl Future<Output = T>) -> Option<T> {
        if self.is_lost() {
            return None;
        }
        let runtime = self.runtime.as_ref().expect("it is taken only when dropped");
        runtime.block_on(async {
            tokio::select! {
                biased;
                event = event => Some(event),
                _ = &mut self.driver => None,
            }
        })
    }

    /// Waits for a time. `meanwhile` runs beside it and never ends.
    pub(crate) fn pause(&self, time: Duration, meanwhile: impl Future<Output = Infallible>) {
        self.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(time) => {}
                never = meanwhile => match never {},
            }
        });
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.as_ref().expect("it is taken only when dropped").block_on(work)
    }

    /// Waits for an answer, but not for ever.
    fn answer<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let limited = async { tokio::time::timeout(self.patience.get(), work).await };
        let answer = self.block_on(limited).unwrap_or_else(|_| Err(Error::unavailable()));
        if answer.as_ref().is_err_and(Error::is_unavailable) {
            self.given_up.set(true);
        }
        answer
    }

    /// Sends what waits, and `work` right behind it.
    fn send<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        if self.is_lost() {
            return Err(Error::unavailable());
        }
        let waiting = self.waiting.take();
        if waiting.is_empty() {
            return self.answer(work);
        }
        self.answer(async {
            let (first, done) = tokio::join!(self.client.simple_query(&waiting), work);
            self.note_transaction(&first?);
            done
        })
    }

    fn note_transaction(&self, messages: &[SimpleQueryMessage]) {
        for message in messages {
            if let SimpleQueryMessage::Row(row) = message {
                self.transaction.set(row.get(0).and_then(|number| number.parse().ok()));
            }
        }
    }

    async fn statement(&self, text: &str) -> Result<Statement> {
        if let Some(statement) = self.statements.borrow().get(text) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(&text.replace('?', "$")).await?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= STATEMENTS_KEPT {
            statements.clear();
        }
        statements.insert(text.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(super) fn run(&self, text: &str, values: &[Value<'_>]) -> Result<u64> {
        self.send(async {
            let statement = self.statement(text).await?;
            Ok(self.client.execute_raw(&statement, values).await?)
        })
    }

    pub(super) fn each(
        &self,
        text: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.send(async {
            let statement = self.statement(text).await?;
            let rows = self.client.query_raw(&statement, values).await?;
            tokio::pin!(rows);
            while let Some(row) = rows.try_next().await? {
                if read(&Row(Source::Postgres(&row)))?.is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    pub(super) fn script(&self, text: &str) -> Result<()> {
        self.send(async { Ok(self.client.batch_execute(text).await?) })
    }

    fn later(&self, text: &str) {
        self.waiting.borrow_mut().push_str(text);
    }

    /// Begins a transaction and asks for its number, in case its commit is never answered.
    pub(super) fn begin(&self) {
        self.transaction.set(None);
        self.waiting.replace("BEGIN; SELECT CAST(pg_current_xact_id() AS TEXT);".into());
    }

    /// Each savepoint has a name of its own: one that could not be released must not be taken for another.
    pub(super) fn savepoint(&self, number: usize) {
        self.later(&format!("SAVEPOINT job_{number};"));
    }

    pub(super) fn release(&self, number: usize) {
        self.later(&format!("RELEASE job_{number};"));
    }

    pub(super) fn undo(&self, number: usize) {
        self.later(&format!("ROLLBACK TO job_{number}; RELEASE job_{number};"));
    }

    pub(super) fn commit(&self) -> Commit {
        let Some(transaction) = self.transaction.get() else {
            // Nothing reached the server, or it did not begin.
            let begun = self.waiting.take().is_empty();
            let failed = begun || self.is_lost();
            return if failed { Commit::Failed(Error::unavailable()) } else { Commit::Durable };
        };
        if self.is_lost() {
            return Commit::Failed(Error::unavailable());
        }
        // A failed statement in front keeps COMMIT from being run: it cannot quietly roll back.
        self.later("COMMIT");
        let text = self.waiting.take();
        match self.answer(async { Ok(self.client.simple_query(&text).await?) }) {
            Ok(_) => Commit::Durable,
            Err(_) if self.is_lost() => Commit::Unknown(transaction),
            Err(error) => Commit::Failed(error),
        }
    }

    pub(super) fn rollback(&self) {
        self.waiting.take();
        if self.transaction.take().is_some() {
            // When it fails the connection is gone, and the transaction with it.
            drop(self.script("ROLLBACK"));
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
        if let Some(runtime) = self.runtime.take() {
            // Its tasks are dropped here, which closes the socket; waiting is not allowed on an async thread.
            runtime.shutdown_background();
        }
    }
}
