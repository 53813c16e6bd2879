//! Read connections: separate from the writer, read-only, handed out one a query.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use crate::{Error, Result, Store};

/// Readers at work at once; more wait for their turn.
const READERS_MAX: usize = 8;

#[derive(Clone, Debug)]
pub(crate) struct Readers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    turns: Semaphore,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Self {
        let (idle, turns) = (Mutex::new(Vec::new()), Semaphore::new(READERS_MAX));
        Self(Arc::new(Pool { path, idle, turns }))
    }
}

impl Pool {
    fn take(&self) -> Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(conn) = idle {
            return Ok(conn);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(&self.path, flags)?;
        conn.busy_timeout(std::time::Duration::from_secs(5))?;
        conn.set_prepared_statement_cache_capacity(64);
        Ok(conn)
    }

    fn give_back(&self, conn: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
    }
}

impl Store {
    /// Runs a query on a read connection, off the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let pool = Arc::clone(&self.readers.0);
        let work = move || {
            let conn = pool.take()?;
            let found = query(&conn);
            pool.give_back(conn);
            found
        };
        let turn = self.readers.0.turns.acquire().await.map_err(|_| Error::unavailable())?;
        let found = tokio::task::spawn_blocking(work).await.map_err(|_| Error::failed())?;
        drop(turn);
        found
    }
}
