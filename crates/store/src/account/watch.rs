//! Whether an account's calendars and their list are to be watched at its provider.

use tidings_core::clock::Timestamp;

use super::{Account, list};
use crate::sql::{Sql, values};
use crate::{Result, Store};

impl Store {
    /// Active accounts whose calendar list is not watched and could be, the longest waiting first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unwatched_lists(&self, now: Timestamp, limit: u32) -> Result<Vec<Account>> {
        self.read(move |sql| {
            let condition = "c.watch_at <= ?1 AND c.status = 'active' ORDER BY c.watch_at LIMIT ?2";
            list(sql, condition, values![now.0, limit])
        })
        .await
    }

    /// Notes why a calendar, or an account's calendar list (`collection_no` absent), is only polled,
    /// and when to try to watch it again; never on its own when absent.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn refuse_watch(
        &self,
        account_no: i64,
        collection_no: Option<i64>,
        why: String,
        again_at: Option<Timestamp>,
    ) -> Result<()> {
        self.write(1, move |tx| {
            refuse(&tx.sql, account_no, collection_no, Some(why), again_at).map(drop)
        })
        .await
    }
}

/// Providers that push about single calendars, as an SQL list.
pub(crate) const PUSHING: &str = "('google', 'microsoft')";

/// Has an account's calendars and list watched that are not: it became active.
pub(super) fn begin(sql: &Sql<'_>, account_no: i64, now: Timestamp) -> Result<()> {
    sql.run(
        "UPDATE account SET watch_at = ?2, watch_error = NULL
         WHERE account_no = ?1 AND provider = 'google' AND NOT EXISTS (SELECT 1 FROM subscription s
           WHERE s.account_no = ?1 AND s.collection_no IS NULL AND s.status IN ('registering', 'active'))",
        values![account_no, now.0],
    )?;
    sql.run(
        &format!(
            "UPDATE collection SET watch_at = ?2, watch_error = NULL
             WHERE account_no = ?1 AND deleted_at IS NULL
               AND (SELECT provider FROM account WHERE account_no = ?1) IN {PUSHING}
               AND NOT EXISTS (SELECT 1 FROM subscription s
                 WHERE s.collection_no = collection.collection_no
                   AND s.status IN ('registering', 'active'))"
        ),
        values![account_no, now.0],
    )?;
    Ok(())
}

/// Has nothing of an account watched any more and forgets its subscriptions: its tokens are of no use.
pub(super) fn end(sql: &Sql<'_>, account_no: i64, now: Timestamp) -> Result<()> {
    sql.run("UPDATE account SET watch_at = NULL WHERE account_no = ?1", values![account_no])?;
    sql.run(
        "UPDATE collection SET watch_at = NULL WHERE account_no = ?1 AND watch_at IS NOT NULL",
        values![account_no],
    )?;
    sql.run(
        "UPDATE subscription SET status = 'ended', ended_at = ?2, token_hash = NULL
         WHERE account_no = ?1 AND status <> 'ended'",
        values![account_no, now.0],
    )?;
    Ok(())
}

/// Sets when to watch and why not now.
pub(crate) fn refuse(
    sql: &Sql<'_>,
    account_no: i64,
    collection_no: Option<i64>,
    why: Option<String>,
    again_at: Option<Timestamp>,
) -> Result<u64> {
    let again_at = again_at.map(|at| at.0);
    match collection_no {
        Some(collection_no) => sql.run(
            "UPDATE collection SET watch_at = ?3, watch_error = ?4
             WHERE collection_no = ?1 AND account_no = ?2 AND deleted_at IS NULL",
            values![collection_no, account_no, again_at, why],
        ),
        None => sql.run(
            "UPDATE account SET watch_at = ?2, watch_error = ?3
             WHERE account_no = ?1 AND deleted_at IS NULL",
            values![account_no, again_at, why],
        ),
    }
}
