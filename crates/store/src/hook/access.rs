//! How hooks get in at their receivers: one sealed document each.

use tidings_core::clock::Timestamp;

use super::NewSecret;
use crate::app::bits;
use crate::sql::{Sql, values};
use crate::{Result, Store};

impl Store {
    /// The sealed access of a hook, with the id that it is sealed for; each version has another one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hook_access(&self, hook_no: i64) -> Result<Option<NewSecret>> {
        self.read(move |sql| {
            sql.row(
                "SELECT id, sealed FROM hook_access WHERE hook_no = ?1",
                values![hook_no],
                |row| Ok(NewSecret { id: bits(row, 0)?, sealed: row.get(1)? }),
            )
        })
        .await
    }
}

/// Replaces a hook's access, or takes it away.
pub(super) fn put(
    sql: &Sql<'_>,
    hook_no: i64,
    access: Option<&NewSecret>,
    now: Timestamp,
) -> Result<()> {
    sql.run("DELETE FROM hook_access WHERE hook_no = ?1", values![hook_no])?;
    if let Some(access) = access {
        sql.run(
            "INSERT INTO hook_access (hook_no, id, sealed, updated_at) VALUES (?1, ?2, ?3, ?4)",
            values![hook_no, access.id.to_bytes(), &access.sealed, now.0],
        )?;
    }
    Ok(())
}
