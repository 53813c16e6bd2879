//! The embedded store, as the writer holds it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as checkpoints;
use std::time::Duration;

use rusqlite::Connection;
use tidings_core::fault;
use tidings_core::limits::WAL_PAGES_MAX;

use crate::sql::{self, Sql};
use crate::{Error, Result, migrate};

/// The write-ahead log is copied into the database file after this many written rows.
const CHECKPOINT_ROWS: usize = 4_000;

/// The database file, locked for this process.
#[derive(Debug)]
pub(crate) struct Embedded {
    conn: Connection,
    rows_since_checkpoint: usize,
    checkpoint: checkpoints::SyncSender<()>,
    /// The checkpointer copied nearly all of a long log: the rest is little.
    nearly_copied: Arc<AtomicBool>,
    _lock: File,
}

impl Embedded {
    /// Locks the store for this process, opens and migrates it.
    pub(crate) fn open(directory: &Path, path: &Path) -> Result<Self> {
        let lock = lock(directory)?;
        let conn = open(path)?;
        migrate::migrate(&Sql::sqlite(&conn))?;
        let nearly_copied = Arc::new(AtomicBool::new(false));
        let checkpoint = checkpointer(path.into(), Arc::clone(&nearly_copied));
        Ok(Self { conn, rows_since_checkpoint: 0, checkpoint, nearly_copied, _lock: lock })
    }

    pub(super) fn sql(&self) -> Sql<'_> {
        Sql::sqlite(&self.conn)
    }

    /// Asks for a checkpoint now and then. Copies the last of a long log itself: only between two commits
    /// is there a moment in which all of it is copied, and the next commit begins it anew.
    pub(super) fn wrote(&mut self, rows: usize) {
        if self.nearly_copied.swap(false, Ordering::Relaxed) {
            drop(copy_log(&self.conn));
        }
        self.rows_since_checkpoint += rows;
        if self.rows_since_checkpoint >= CHECKPOINT_ROWS {
            self.rows_since_checkpoint = 0;
            // Full means that one is asked for already.
            let _asked = self.checkpoint.try_send(());
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"));
    }
}

fn open(path: &Path) -> Result<Connection> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    sql::keep_statements(&conn, 128)?;
    conn.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY;",
    )?;
    if fault::planted("no-sync") {
        conn.execute_batch("PRAGMA synchronous = OFF")?;
    }
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
fn checkpointer(path: PathBuf, nearly_copied: Arc<AtomicBool>) -> checkpoints::SyncSender<()> {
    let (sender, receiver) = checkpoints::sync_channel(1);
    let path = Arc::new(path);
    drop(std::thread::Builder::new().name("store-checkpoint".into()).spawn(move || {
        let Ok(conn) = open(&path) else { return };
        while receiver.recv().is_ok() {
            fault::point("writer.checkpoint");
            if copy_log(&conn).is_ok_and(|pages| pages > WAL_PAGES_MAX) {
                // The first took long, and much was written meanwhile.
                nearly_copied.store(copy_log(&conn).is_ok(), Ordering::Relaxed);
            }
            fault::point("writer.checkpointed");
        }
    }));
    sender
}

/// Copies what can be copied of the write-ahead log, and says how many pages it has.
fn copy_log(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))
}
