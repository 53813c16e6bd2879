//! Migrations: embedded, forward only, checked by checksum at every start.

use sha2::{Digest, Sha256};

use crate::sql::{Engine, Sql, values};
use crate::{Error, Result};

/// Name and text of each migration, in order. Landed ones are never edited. The stores are twins: the same
/// names, the same tables.
const SQLITE: &[(&str, &str)] = &[
    ("0001_spine", include_str!("../migrations/sqlite/0001_spine.sql")),
    ("0002_engine", include_str!("../migrations/sqlite/0002_engine.sql")),
    ("0003_providers", include_str!("../migrations/sqlite/0003_providers.sql")),
    ("0004_records", include_str!("../migrations/sqlite/0004_records.sql")),
];

const POSTGRES: &[(&str, &str)] = &[
    ("0001_spine", include_str!("../migrations/postgres/0001_spine.sql")),
    ("0002_engine", include_str!("../migrations/postgres/0002_engine.sql")),
    ("0003_providers", include_str!("../migrations/postgres/0003_providers.sql")),
    ("0004_records", include_str!("../migrations/postgres/0004_records.sql")),
];

fn migrations(engine: Engine) -> &'static [(&'static str, &'static str)] {
    match engine {
        Engine::Sqlite => SQLITE,
        Engine::Postgres => POSTGRES,
    }
}

/// Brings the schema up to date.
///
/// # Errors
/// When the store was written by a newer binary, or a landed migration differs from ours.
pub(crate) fn migrate(sql: &Sql<'_>) -> Result<()> {
    let migrations = migrations(sql.engine());
    sql.script(match sql.engine() {
        Engine::Sqlite => {
            "CREATE TABLE IF NOT EXISTS migration (
               version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL) STRICT"
        }
        Engine::Postgres => {
            "CREATE TABLE IF NOT EXISTS migration (
               version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum BYTEA NOT NULL)"
        }
    })?;
    let applied = applied(sql)?;
    if applied.len() > migrations.len() {
        let newest = &applied[applied.len() - 1].0;
        return Err(Error::schema(format!(
            "the store has migration {newest}, which this binary does not know; use a newer tidings"
        )));
    }
    for ((name, checksum), (ours, text)) in applied.iter().zip(migrations) {
        if name != ours || *checksum != checksum_of(text) {
            return Err(Error::schema(format!(
                "migration {name} was altered after it was applied"
            )));
        }
    }
    for (index, (name, text)) in migrations.iter().enumerate().skip(applied.len()) {
        sql.script("BEGIN")?;
        let done = apply(sql, index + 1, name, text);
        sql.script(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        done?;
    }
    Ok(())
}

fn apply(sql: &Sql<'_>, version: usize, name: &str, text: &str) -> Result<()> {
    sql.script(text)?;
    sql.run(
        "INSERT INTO migration (version, name, checksum) VALUES (?1, ?2, ?3)",
        values![version, name, checksum_of(text)],
    )?;
    Ok(())
}

fn applied(sql: &Sql<'_>) -> Result<Vec<(String, Vec<u8>)>> {
    let text = "SELECT name, checksum FROM migration ORDER BY version";
    sql.rows(text, values![], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn checksum_of(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn migrating_twice_changes_nothing() {
        let conn = Connection::open_in_memory().unwrap();
        let sql = Sql::sqlite(&conn);
        migrate(&sql).unwrap();
        migrate(&sql).unwrap();
        assert_eq!(applied(&sql).unwrap().len(), SQLITE.len());
    }

    #[test]
    fn the_stores_are_twins() {
        let names = |engine| migrations(engine).iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(names(Engine::Sqlite), names(Engine::Postgres));
    }

    #[test]
    fn altered_and_newer_schemas_are_refused() {
        for tampering in [
            "UPDATE migration SET checksum = x'00'",
            "UPDATE migration SET name = 'other' WHERE version = 1",
            "INSERT INTO migration VALUES (99, '0099_future', x'00')",
        ] {
            let conn = Connection::open_in_memory().unwrap();
            let sql = Sql::sqlite(&conn);
            migrate(&sql).unwrap();
            sql.script(tampering).unwrap();
            assert!(migrate(&sql).is_err(), "{tampering}");
        }
    }
}
