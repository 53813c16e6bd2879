//! SQL for either engine: statements in the common subset of SQLite and PostgreSQL, written once.
//!
//! Parameters are `?1`, `?2`, …; integers are 64 bits wide, booleans are 0 and 1, ids and hashes are bytes.
//! The few statements that need two texts ask for the [`Engine`].

pub(crate) mod postgres;
mod row;
mod sqlite;
mod value;
mod wanted;

use std::ops::ControlFlow;

use rusqlite::Connection;

pub(crate) use postgres::Commit;
pub(crate) use row::Row;
pub(crate) use sqlite::keep_statements;
pub(crate) use value::Value;
pub(crate) use wanted::Wanted;

use crate::Result;

/// What a connection leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// The embedded store.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

/// One connection, whatever the engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sql<'c>(To<'c>);

#[derive(Clone, Copy, Debug)]
enum To<'c> {
    Sqlite(&'c Connection),
    Postgres(&'c postgres::Connection),
}

impl<'c> Sql<'c> {
    /// SQL on the embedded store.
    pub(crate) fn sqlite(conn: &'c Connection) -> Self {
        Self(To::Sqlite(conn))
    }

    /// SQL on a PostgreSQL server.
    pub(crate) fn postgres(conn: &'c postgres::Connection) -> Self {
        Self(To::Postgres(conn))
    }
}

impl Sql<'_> {
    /// Runs a statement; answers how many rows it changed.
    pub(crate) fn run(&self, text: &str, values: &[Value<'_>]) -> Result<u64> {
        match self.0 {
            To::Sqlite(conn) => sqlite::run(conn, text, values),
            To::Postgres(conn) => conn.run(text, values),
        }
    }

    /// The first row, if any.
    pub(crate) fn row<T>(
        &self,
        text: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let (mut read, mut found) = (Some(read), None);
        self.each(text, values, |row| {
            if let Some(read) = read.take() {
                found = Some(read(row)?);
            }
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// All rows.
    pub(crate) fn rows<T>(
        &self,
        text: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        self.each(text, values, |row| {
            found.push(read(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Rows until `read` breaks: for pages bounded by bytes.
    pub(crate) fn each(
        &self,
        text: &str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        match self.0 {
            To::Sqlite(conn) => sqlite::each(conn, text, values, read),
            To::Postgres(conn) => conn.each(text, values, read),
        }
    }

    /// Runs statements without parameters, one after another.
    pub(crate) fn script(&self, text: &str) -> Result<()> {
        match self.0 {
            To::Sqlite(conn) => Ok(conn.execute_batch(text)?),
            To::Postgres(conn) => conn.script(text),
        }
    }

    /// Begins a transaction.
    pub(crate) fn begin(&self) -> Result<()> {
        match self.0 {
            To::Sqlite(conn) => Ok(conn.execute_batch("BEGIN IMMEDIATE")?),
            To::Postgres(conn) => {
                conn.begin();
                Ok(())
            }
        }
    }

    /// Begins a part of the transaction that can be undone alone.
    pub(crate) fn savepoint(&self, number: usize) -> Result<()> {
        match self.0 {
            To::Sqlite(conn) => Ok(conn.execute_batch("SAVEPOINT job")?),
            To::Postgres(conn) => {
                conn.savepoint(number);
                Ok(())
            }
        }
    }

    /// Ends that part: keeps it or undoes it.
    pub(crate) fn end_savepoint(&self, number: usize, keep: bool) {
        match (self.0, keep) {
            (To::Sqlite(conn), true) => drop(conn.execute_batch("RELEASE job")),
            (To::Sqlite(conn), false) => drop(conn.execute_batch("ROLLBACK TO job; RELEASE job")),
            (To::Postgres(conn), true) => conn.release(number),
            (To::Postgres(conn), false) => conn.undo(number),
        }
    }

    /// Whether the transaction can no longer be committed: SQLite gives it up when the disk is full, and
    /// with a connection it is gone.
    pub(crate) fn gave_up(&self) -> bool {
        match self.0 {
            To::Sqlite(conn) => conn.is_autocommit(),
            To::Postgres(conn) => conn.is_lost(),
        }
    }

    /// Commits.
    pub(crate) fn commit(&self) -> Commit {
        match self.0 {
            To::Sqlite(conn) => match conn.execute_batch("COMMIT") {
                Ok(()) => Commit::Durable,
                Err(error) => Commit::Failed(error.into()),
            },
            To::Postgres(conn) => conn.commit(),
        }
    }

    /// Takes everything of the transaction back, if one is open.
    pub(crate) fn rollback(&self) {
        match self.0 {
            To::Sqlite(conn) if conn.is_autocommit() => {}
            To::Sqlite(conn) => drop(conn.execute_batch("ROLLBACK")),
            To::Postgres(conn) => conn.rollback(),
        }
    }

    /// Which engine, for the few statements with two texts.
    pub(crate) fn engine(&self) -> Engine {
        match self.0 {
            To::Sqlite(_) => Engine::Sqlite,
            To::Postgres(_) => Engine::Postgres,
        }
    }
}

/// The parameters of a statement: `values![a, b]` is `&[Value::from(a), Value::from(b)]`.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$($crate::sql::Value::from($value)),*] as &[$crate::sql::Value<'_>]
    };
}
pub(crate) use values;
