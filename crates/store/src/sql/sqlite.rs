//! Statements on the embedded store.

use std::borrow::Cow;
use std::ops::ControlFlow;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::row::{From as Source, Row};
use super::value::Value;
use crate::Result;

/// Keeps so many prepared statements, each with the one plan that it was given first: SQLite would
/// otherwise plan a statement anew whenever another value is bound to its `LIMIT`.
///
/// # Errors
/// When the connection cannot be configured.
pub(crate) fn keep_statements(conn: &Connection, most: usize) -> Result<()> {
    conn.set_prepared_statement_cache_capacity(most);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

pub(super) fn run(conn: &Connection, text: &str, values: &[Value<'_>]) -> Result<u64> {
    Ok(conn.prepare_cached(text)?.execute(params_from_iter(values))? as u64)
}

pub(super) fn each(
    conn: &Connection,
    text: &str,
    values: &[Value<'_>],
    mut read: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut statement = conn.prepare_cached(text)?;
    let mut rows = statement.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        if read(&Row(Source::Sqlite(row)))?.is_break() {
            break;
        }
    }
    Ok(())
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
            Self::Ints(_) | Self::Texts(_) | Self::Blobs(_) => {
                return Err(rusqlite::Error::ToSqlConversionFailure(
                    "a column of many rows".into(),
                ));
            }
        }))
    }
}

impl<'a> From<ValueRef<'a>> for Value<'a> {
    fn from(value: ValueRef<'a>) -> Self {
        match value {
            ValueRef::Integer(number) => Self::Int(number),
            ValueRef::Text(text) => Self::Text(String::from_utf8_lossy(text)),
            ValueRef::Blob(bytes) => Self::Blob(Cow::Borrowed(bytes)),
            // No column of ours is a fraction.
            ValueRef::Null | ValueRef::Real(_) => Self::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    /// How often a kept statement is planned anew for other values.
    fn planned_anew(conn: &Connection) -> i32 {
        let text = "SELECT a FROM t WHERE a >= ?1 ORDER BY a LIMIT ?2";
        for n in 0..5 {
            let values = [Value::Int(n), Value::Int(n + 1)];
            each(conn, text, &values, |_| Ok(ControlFlow::Continue(()))).unwrap();
        }
        conn.prepare_cached(text).unwrap().get_status(StatementStatus::RePrepare)
    }

    #[test]
    fn a_kept_statement_is_not_planned_anew_for_other_values() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY)").unwrap();
        assert!(planned_anew(&conn) > 0, "sqlite does it no longer: keep_statements is of no use");
        conn.flush_prepared_statement_cache();
        keep_statements(&conn, 8).unwrap();
        assert_eq!(planned_anew(&conn), 0);
    }
}
