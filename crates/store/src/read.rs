//! Read connections: separate from the writer, read-only, handed out one a query.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::OpenFlags;
use tokio::sync::Semaphore;

use crate::database::Database;
use crate::sql::{self, Sql, postgres};
use crate::{Error, Result, Store};

/// Readers at work at once; more wait for their turn.
const READERS_MAX: usize = 8;

/// A reader changes nothing and waits for nothing for long.
const SESSION: &str = "SET default_transaction_read_only = on; SET statement_timeout = '8s';
    SET lock_timeout = '5s'; SET jit = off";

#[derive(Clone, Debug)]
pub(crate) struct Readers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    place: Place,
    idle: Mutex<Vec<Connection>>,
    turns: Semaphore,
}

#[derive(Debug)]
enum Place {
    Sqlite(PathBuf),
    Postgres(Database),
}

#[derive(Debug)]
enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Box<postgres::Connection>),
}

impl Readers {
    pub(crate) fn sqlite(path: PathBuf) -> Self {
        Self::of(Place::Sqlite(path))
    }

    pub(crate) fn postgres(database: Database) -> Self {
        Self::of(Place::Postgres(database))
    }

    fn of(place: Place) -> Self {
        let (idle, turns) = (Mutex::new(Vec::new()), Semaphore::new(READERS_MAX));
        Self(Arc::new(Pool { place, idle, turns }))
    }
}

impl Readers {
    /// Runs a query on a read connection, off the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Sql<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let pool = Arc::clone(&self.0);
        let work = move || {
            let conn = pool.take()?;
            let found = query(&conn.sql());
            pool.give_back(conn);
            found
        };
        let turn = self.0.turns.acquire().await.map_err(|_| Error::unavailable())?;
        let found = tokio::task::spawn_blocking(work).await.map_err(|_| Error::failed())?;
        drop(turn);
        found
    }
}

impl Connection {
    fn sql(&self) -> Sql<'_> {
        match self {
            Self::Sqlite(conn) => Sql::sqlite(conn),
            Self::Postgres(conn) => Sql::postgres(conn),
        }
    }

    fn is_lost(&self) -> bool {
        matches!(self, Self::Postgres(conn) if conn.is_lost())
    }
}

impl Pool {
    fn take(&self) -> Result<Connection> {
        while let Some(conn) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            if let Connection::Postgres(conn) = &conn {
                conn.look();
            }
            if !conn.is_lost() {
                return Ok(conn);
            }
        }
        match &self.place {
            Place::Sqlite(path) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let conn = rusqlite::Connection::open_with_flags(path, flags)?;
                conn.busy_timeout(std::time::Duration::from_secs(5))?;
                sql::keep_statements(&conn, 64)?;
                Ok(Connection::Sqlite(conn))
            }
            Place::Postgres(database) => {
                let never = std::future::pending();
                let conn = postgres::Connection::open(database, SESSION, never)?;
                Ok(Connection::Postgres(Box::new(conn)))
            }
        }
    }

    fn give_back(&self, conn: Connection) {
        if !conn.is_lost() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        }
    }
}

impl Store {
    /// Runs a query on a read connection, off the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Sql<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.readers.read(query).await
    }
}
