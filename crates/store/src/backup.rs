//! Copies of the embedded store, made while a server writes to it.
//!
//! By SQLite's backup interface in one step, on a read connection of its own: a read transaction sees
//! one state of the database from the first page to the last, and in WAL mode a reader never holds the
//! writer. In several steps every commit in between would make it begin anew, under load for ever.
//! `VACUUM INTO` would write a smaller copy, but builds every index again: several times the work, in the
//! same read transaction. While it lasts the write-ahead log cannot begin anew and grows by what is
//! written meanwhile.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::migrate::{self, Schema};
use crate::sql::{Sql, values};
use crate::{Error, Result, STORE_FILE, Store};

/// The store may be busy for a moment: a checkpoint begins the log anew.
const PAUSE: Duration = Duration::from_millis(20);

/// What a copy holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Its migrations.
    pub schema: Schema,
    /// Apps.
    pub apps: u64,
    /// Changes that were ever recorded: retention may have taken the oldest away.
    pub changes: u64,
}

impl Store {
    /// Copies the embedded store of `directory` to the new file `to`, whether a server runs or not, and
    /// looks the copy over. Blocks. The caller syncs the file.
    ///
    /// # Errors
    /// There is no store; the disk is full; the copy is damaged, which means that the store is.
    pub fn back_up(directory: &Path, to: &Path) -> Result<Contents> {
        let from = read_only(&directory.join(STORE_FILE))?;
        let mut copy = Connection::open(to)?;
        // Whoever asked for it syncs it once, at the end.
        copy.execute_batch("PRAGMA synchronous = OFF")?;
        let backup = Backup::new(&from, &mut copy)?;
        while backup.step(-1)? != StepResult::Done {
            std::thread::sleep(PAUSE);
        }
        drop(backup);
        // One file that any SQLite can read; a server that opens it makes a log of its own again.
        copy.execute_batch("PRAGMA journal_mode = DELETE")?;
        drop(copy);
        Self::examine(to)
    }

    /// Looks over a copy that [`Store::back_up`] made.
    ///
    /// # Errors
    /// It is no such copy, or damaged; it is newer than this binary.
    pub fn examine(file: &Path) -> Result<Contents> {
        let copy = read_only(file)?;
        let verdict: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(Error::schema(format!("the database is damaged: {verdict}")));
        }
        let sql = Sql::sqlite(&copy);
        let schema = migrate::schema(&sql)?;
        if schema.applied.is_empty() {
            return Err(Error::schema("this is not a store of tidings"));
        }
        let text = "SELECT count(*), coalesce(sum(seq), 0) FROM app WHERE deleted_at IS NULL";
        let counted = sql.row(text, values![], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (apps, changes) = counted.unwrap_or_default();
        Ok(Contents { schema, apps, changes })
    }
}

pub(crate) fn read_only(file: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(file, flags)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_store_or_damaged_is_not_taken_for_a_copy() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Store::back_up(directory.path(), &directory.path().join("copy")).is_err());
        let other = directory.path().join("other");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        assert!(Store::examine(&other).is_err());
        std::fs::write(&other, b"not a database at all, but longer than a header would be ......")
            .unwrap();
        assert!(Store::examine(&other).is_err());
    }

    #[tokio::test]
    async fn a_copy_made_beside_an_open_store_holds_what_was_committed() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let copy = directory.path().join("copy");
        let contents = Store::back_up(directory.path(), &copy).unwrap();
        assert_eq!((contents.apps, contents.changes), (0, 0));
        assert!(contents.schema.pending.is_empty() && !contents.schema.applied.is_empty());
        assert_eq!(Store::examine(&copy).unwrap(), contents);
        let beside: Vec<_> = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("copy"))
            .collect();
        assert_eq!(beside, ["copy"], "one file");
        store.close().await;
    }
}
