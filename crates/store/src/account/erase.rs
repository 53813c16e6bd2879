//! The end of an account: its content is erased, its place in the journal stays.

use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::limits;

use super::{change_of, get};
use crate::sql::{Sql, values};
use crate::{AuditEntry, Result, Store, record};

impl Store {
    /// Deletes an account: erases its credential and appends its `account.deleted` in one commit. From then on
    /// nothing of its subscriptions is found. They, its mirror and the bodies of its earlier changes are
    /// erased afterwards by [`Store::erase_account_step`].
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
            let account = get(&tx.sql, account_no)?;
            let seq = change_of(tx, &account, change, &entry, now)?;
            tx.sql.run(
                "UPDATE account SET status = 'deleted', deleted_at = ?2, updated_at = ?2,
                   erase_below = ?3, credential = NULL, username = NULL, server_url = NULL,
                   home_url = NULL, last_error = NULL, list_token = NULL, watch_at = NULL,
                   watch_error = NULL, details = '{}', staging_gen = NULL, staged_at = NULL
                 WHERE account_no = ?1",
                values![account_no, now.0, seq],
            )?;
            Ok(())
        })
        .await
    }

    /// Erases some content of a deleted account in one bounded commit: its subscriptions and what else holds
    /// secrets, items of its mirror, its records, then bodies of its changes below its `account.deleted`, newest first.
    /// `false` once nothing is left.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn erase_account_step(&self, account_no: i64) -> Result<bool> {
        self.write(limits::COMMIT_ROWS_MAX, move |tx| {
            let below: Option<u64> = tx.sql.row(
                "SELECT erase_below FROM account WHERE account_no = ?1 AND erase_below IS NOT NULL",
                values![account_no],
                |row| row.get(0),
            )?;
            let Some(below) = below else { return Ok(false) };
            let rest = erase_watch(&tx.sql, account_no)?;
            let rest = rest - erase_items(&tx.sql, account_no, rest)?;
            let most = rest.min(limits::RECORD_COMMIT_ROWS as u64);
            let records = record::erase(&tx.sql, account_no, most)?;
            if records == most {
                return Ok(true);
            }
            let rest = rest - records;
            let below = erase_bodies(&tx.sql, account_no, below, rest)?;
            tx.sql.run(
                "UPDATE account SET erase_below = ?2 WHERE account_no = ?1",
                values![account_no, below],
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
        self.read(|sql| {
            sql.rows(
                "SELECT account_no FROM account WHERE erase_below IS NOT NULL",
                values![],
                |row| row.get(0),
            )
        })
        .await
    }
}

/// Erases subscriptions, OAuth flows and what is remembered of writes; returns how many rows still fit in
/// the commit.
fn erase_watch(sql: &Sql<'_>, account_no: i64) -> Result<u64> {
    let mut rest = limits::COMMIT_ROWS_MAX as u64;
    for text in [
        "DELETE FROM subscription WHERE subscription_no IN
           (SELECT subscription_no FROM subscription WHERE account_no = ?1 LIMIT ?2)",
        "DELETE FROM oauth_state WHERE state_hash IN
           (SELECT state_hash FROM oauth_state WHERE account_no = ?1 LIMIT ?2)",
        "DELETE FROM superseded WHERE (collection_no, item_key, etag) IN
           (SELECT s.collection_no, s.item_key, s.etag FROM collection c
            JOIN superseded s USING (collection_no) WHERE c.account_no = ?1 LIMIT ?2)",
    ] {
        rest -= sql.run(text, values![account_no, rest])?;
    }
    Ok(rest)
}

/// Erases mirrored items, at most `limit`; returns how many.
fn erase_items(sql: &Sql<'_>, account_no: i64, limit: u64) -> Result<u64> {
    sql.run(
        "DELETE FROM item WHERE (collection_no, item_key) IN
           (SELECT i.collection_no, i.item_key
            FROM collection c JOIN item i USING (collection_no) WHERE c.account_no = ?1 LIMIT ?2)",
        values![account_no, limit],
    )
}

/// Erases the bodies of the last `limit` changes of an account below `below`. Returns below which `seq`
/// to go on, `None` at the journal's begin: so that no step looks again at what an earlier one erased.
fn erase_bodies(sql: &Sql<'_>, account_no: i64, below: u64, limit: u64) -> Result<Option<u64>> {
    let found: Vec<u64> = sql.rows(
        "SELECT seq FROM change WHERE account_no = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
        values![account_no, below, limit],
        |row| row.get(0),
    )?;
    let lowest = found.last().copied().unwrap_or(below);
    sql.run(
        "UPDATE app SET journal_bytes = journal_bytes -
           (SELECT coalesce(sum(length(b.body)), 0) FROM change c JOIN change_body b
              ON b.app_no = c.app_no AND b.seq = c.seq
            WHERE c.account_no = ?1 AND c.seq >= ?2 AND c.seq < ?3)
         WHERE app_no = (SELECT app_no FROM account WHERE account_no = ?1)",
        values![account_no, lowest, below],
    )?;
    sql.run(
        "DELETE FROM change_body WHERE (app_no, seq) IN
           (SELECT app_no, seq FROM change WHERE account_no = ?1 AND seq >= ?2 AND seq < ?3)",
        values![account_no, lowest, below],
    )?;
    Ok((found.len() as u64 == limit).then_some(lowest))
}
