//! The end of an account: its content is erased, its place in the journal stays.

use rusqlite::{Connection, OptionalExtension, params};
use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::limits;

use super::{change_of, get};
use crate::{AuditEntry, Result, Store};

impl Store {
    /// Deletes an account: erases its credential and appends its `account.deleted` in one commit. Its
    /// mirror and the bodies of its earlier changes are erased afterwards by
    /// [`Store::erase_account_step`].
    ///
    /// # Errors
    /// Not found.
    pub async fn delete_account(
        &self,
        account_no: i64,
        change: NewChange,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<()> {
        self.write(5, move |tx| {
            let account = get(tx.conn, account_no)?;
            let seq = change_of(tx, &account, change, &entry, now)?;
            tx.conn.execute(
                "UPDATE account SET status = 'deleted', deleted_at = ?2, updated_at = ?2,
                   erase_below = ?3, credential = NULL, username = NULL, server_url = NULL,
                   home_url = NULL, last_error = NULL WHERE account_no = ?1",
                params![account_no, now.0, seq],
            )?;
            Ok(())
        })
        .await
    }

    /// Erases some content of a deleted account in one bounded commit: items of its mirror, then bodies
    /// of its changes below its `account.deleted`, newest first. `false` once nothing is left.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn erase_account_step(&self, account_no: i64) -> Result<bool> {
        self.write(limits::COMMIT_ROWS_MAX, move |tx| {
            let below: Option<u64> = tx
                .conn
                .query_row(
                    "SELECT erase_below FROM account WHERE account_no = ?1",
                    [account_no],
                    |row| row.get(0),
                )
                .optional()?
                .flatten();
            let Some(below) = below else { return Ok(false) };
            let items = erase_items(tx.conn, account_no)?;
            let rest = limits::COMMIT_ROWS_MAX - items;
            let below = erase_bodies(tx.conn, account_no, below, rest)?;
            tx.conn.execute(
                "UPDATE account SET erase_below = ?2 WHERE account_no = ?1",
                params![account_no, below],
            )?;
            Ok(below.is_some())
        })
        .await
    }

    /// Store keys of deleted accounts whose content is not erased yet, as after a crash.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unerased_accounts(&self) -> Result<Vec<i64>> {
        self.read(|conn| {
            let mut statement =
                conn.prepare("SELECT account_no FROM account WHERE erase_below IS NOT NULL")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

/// Erases mirrored items, as many as fit in a commit; returns how many.
fn erase_items(conn: &Connection, account_no: i64) -> Result<usize> {
    Ok(conn.execute(
        "DELETE FROM item WHERE (collection_no, item_key) IN
           (SELECT i.collection_no, i.item_key
            FROM collection c JOIN item i USING (collection_no) WHERE c.account_no = ?1 LIMIT ?2)",
        params![account_no, limits::COMMIT_ROWS_MAX],
    )?)
}

/// Erases the bodies of the last `limit` changes of an account below `below`. Returns below which `seq`
/// to go on, `None` at the journal's begin: so that no step looks again at what an earlier one erased.
fn erase_bodies(
    conn: &Connection,
    account_no: i64,
    below: u64,
    limit: usize,
) -> Result<Option<u64>> {
    let mut statement = conn.prepare_cached(
        "SELECT app_no, seq FROM change WHERE account_no = ?1 AND seq < ?2
         ORDER BY seq DESC LIMIT ?3",
    )?;
    let found: Vec<(i64, u64)> = statement
        .query_map(params![account_no, below, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut erase =
        conn.prepare_cached("DELETE FROM change_body WHERE app_no = ?1 AND seq = ?2")?;
    for (app_no, seq) in &found {
        erase.execute(params![app_no, seq])?;
    }
    let lowest = found.last().map_or(below, |(_, seq)| *seq);
    Ok((found.len() == limit).then_some(lowest))
}
