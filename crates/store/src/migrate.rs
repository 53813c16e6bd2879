//! Migrations: embedded, forward only, checked by checksum at every start.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::database::Database;
use crate::sql::postgres::Connection;
use crate::sql::{Engine, Sql, values};
use crate::{Error, Result, STORE_FILE, Store, backup};

/// Name and text of each migration, in order. Landed ones are never edited. The stores are twins: the same
/// names, the same tables.
const SQLITE: &[(&str, &str)] = &[
    ("0001_spine", include_str!("../migrations/sqlite/0001_spine.sql")),
    ("0002_engine", include_str!("../migrations/sqlite/0002_engine.sql")),
    ("0003_providers", include_str!("../migrations/sqlite/0003_providers.sql")),
    ("0004_records", include_str!("../migrations/sqlite/0004_records.sql")),
    ("0005_console", include_str!("../migrations/sqlite/0005_console.sql")),
];

const POSTGRES: &[(&str, &str)] = &[
    ("0001_spine", include_str!("../migrations/postgres/0001_spine.sql")),
    ("0002_engine", include_str!("../migrations/postgres/0002_engine.sql")),
    ("0003_providers", include_str!("../migrations/postgres/0003_providers.sql")),
    ("0004_records", include_str!("../migrations/postgres/0004_records.sql")),
    ("0005_console", include_str!("../migrations/postgres/0005_console.sql")),
];

fn migrations(engine: Engine) -> &'static [(&'static str, &'static str)] {
    match engine {
        Engine::Sqlite => SQLITE,
        Engine::Postgres => POSTGRES,
    }
}

/// Where the schema of a store stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Names of the migrations that it has, in order.
    pub applied: Vec<String>,
    /// Those that this binary would apply.
    pub pending: Vec<&'static str>,
}

impl Store {
    /// Where the schema of the embedded store of `directory` stands, without changing anything; a server
    /// may run. All is pending where there is no store yet.
    ///
    /// # Errors
    /// It cannot be read, is newer than this binary, or was altered.
    pub fn schema_in(directory: &Path) -> Result<Schema> {
        let file = directory.join(STORE_FILE);
        if !file.try_exists().map_err(Error::directory)? {
            let pending = SQLITE.iter().map(|(name, _)| *name).collect();
            return Ok(Schema { applied: Vec::new(), pending });
        }
        schema(&Sql::sqlite(&backup::read_only(&file)?))
    }

    /// The same of the PostgreSQL database of a URL. Blocks.
    ///
    /// # Errors
    /// As [`Store::schema_in`], and those of [`Store::connect`].
    pub fn schema_at(database_url: &str) -> Result<Schema> {
        let database = Database::parse(database_url)
            .map_err(|why| Error::schema(format!("database_url {why}")))?;
        let look = || {
            let session = "SET default_transaction_read_only = on; SET statement_timeout = '8s'";
            let conn = Connection::open(&database, session, std::future::pending())
                .map_err(|error| database.refusal(&error))?;
            schema(&Sql::postgres(&conn))
        };
        // A connection drives itself, which an async thread does not allow.
        std::thread::scope(|scope| scope.spawn(look).join().map_err(|_| Error::failed()))?
    }
}

/// Where the schema stands.
///
/// # Errors
/// When the store was written by a newer binary, or a landed migration differs from ours.
pub(crate) fn schema(sql: &Sql<'_>) -> Result<Schema> {
    let begun = sql.row(
        match sql.engine() {
            Engine::Sqlite => "SELECT count(*) FROM sqlite_master WHERE name = 'migration'",
            Engine::Postgres => {
                "SELECT count(*) FROM pg_tables
                 WHERE tablename = 'migration' AND schemaname = current_schema()"
            }
        },
        values![],
        |row| row.get::<i64>(0),
    )?;
    let applied = if begun == Some(0) { Vec::new() } else { checked(sql)? };
    let migrations = migrations(sql.engine());
    let pending = migrations.iter().skip(applied.len()).map(|(name, _)| *name).collect();
    Ok(Schema { applied: applied.into_iter().map(|(name, _)| name).collect(), pending })
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
    let applied = checked(sql)?;
    for (index, (name, text)) in migrations.iter().enumerate().skip(applied.len()) {
        sql.script("BEGIN")?;
        let done = apply(sql, index + 1, name, text);
        sql.script(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        done?;
    }
    Ok(())
}

/// The migrations that were applied, all of them ours.
fn checked(sql: &Sql<'_>) -> Result<Vec<(String, Vec<u8>)>> {
    let (migrations, applied) = (migrations(sql.engine()), applied(sql)?);
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
    Ok(applied)
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
    fn a_schema_is_told_without_being_touched() {
        let conn = Connection::open_in_memory().unwrap();
        let sql = Sql::sqlite(&conn);
        let before = schema(&sql).unwrap();
        assert_eq!((before.applied.len(), before.pending.len()), (0, SQLITE.len()));
        assert_eq!(schema(&sql).unwrap(), before);
        migrate(&sql).unwrap();
        sql.script("DELETE FROM migration WHERE version > 3").unwrap();
        let after = schema(&sql).unwrap();
        assert_eq!((after.applied.len(), after.pending[0]), (3, SQLITE[3].0));
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
            assert!(schema(&sql).is_err(), "{tampering}");
            assert!(migrate(&sql).is_err(), "{tampering}");
        }
    }
}
