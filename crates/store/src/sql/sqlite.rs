//! Statements on the embedded store.

use std::borrow::Cow;
use std::ops::ControlFlow;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::row::{From as Source, Row};
use super::value::Value;
use crate::Result;

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
