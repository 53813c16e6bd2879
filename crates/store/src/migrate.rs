//! Migrations: embedded, forward only, checked by checksum at every start.

use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Name and text of each migration, in order. Landed ones are never edited.
const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_spine", include_str!("../migrations/sqlite/0001_spine.sql")),
    ("0002_engine", include_str!("../migrations/sqlite/0002_engine.sql")),
];

/// Brings the schema up to date.
///
/// # Errors
/// When the store was written by a newer binary, or a landed migration differs from ours.
pub(crate) fn migrate(conn: &mut Connection) -> Result<()> {
    conn.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration (
           version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL) STRICT",
    )?;
    let applied = applied(conn)?;
    if applied.len() > MIGRATIONS.len() {
        let newest = &applied[applied.len() - 1].0;
        return Err(Error::schema(format!(
            "the store has migration {newest}, which this binary does not know; use a newer tidings"
        )));
    }
    for ((name, checksum), (ours, sql)) in applied.iter().zip(MIGRATIONS) {
        if name != ours || *checksum != checksum_of(sql) {
            return Err(Error::schema(format!(
                "migration {name} was altered after it was applied"
            )));
        }
    }
    for (index, (name, sql)) in MIGRATIONS.iter().enumerate().skip(applied.len()) {
        let tx = conn.transaction()?;
        tx.execute_batch(sql)?;
        tx.execute(
            "INSERT INTO migration (version, name, checksum) VALUES (?1, ?2, ?3)",
            params![index as i64 + 1, name, checksum_of(sql)],
        )?;
        tx.commit()?;
    }
    Ok(())
}

fn applied(conn: &Connection) -> Result<Vec<(String, Vec<u8>)>> {
    let mut statement = conn.prepare("SELECT name, checksum FROM migration ORDER BY version")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn checksum_of(sql: &str) -> Vec<u8> {
    Sha256::digest(sql.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn).unwrap();
        migrate(&mut conn).unwrap();
        assert_eq!(applied(&conn).unwrap().len(), MIGRATIONS.len());
    }

    #[test]
    fn altered_and_newer_schemas_are_refused() {
        for tampering in [
            "UPDATE migration SET checksum = x'00'",
            "UPDATE migration SET name = 'other' WHERE version = 1",
            "INSERT INTO migration VALUES (99, '0099_future', x'00')",
        ] {
            let mut conn = Connection::open_in_memory().unwrap();
            migrate(&mut conn).unwrap();
            conn.execute_batch(tampering).unwrap();
            assert!(migrate(&mut conn).is_err(), "{tampering}");
        }
    }
}
