//! A row of a query.

use super::value::{FromValue, Value};
use crate::{Error, Result};

/// A row, whatever the engine.
#[derive(Clone, Copy)]
pub(crate) struct Row<'r>(pub(super) From<'r>);

#[derive(Clone, Copy)]
pub(super) enum From<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
}

impl Row<'_> {
    /// The column at `index`, counted from 0.
    ///
    /// # Errors
    /// When it is not what the schema says.
    pub(crate) fn get<T: FromValue>(&self, index: usize) -> Result<T> {
        let value = match self.0 {
            From::Sqlite(row) => Value::from(row.get_ref(index)?),
            From::Postgres(row) => row.try_get(index)?,
        };
        T::from_value(value).ok_or(Error::corrupt("column"))
    }
}
