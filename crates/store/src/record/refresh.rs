//! Bulk jobs: staged under a generation that nobody sees, then shown by one small commit.

use std::collections::BTreeMap;

use tidings_core::clock::Timestamp;
use tidings_core::limits;

use super::{RecordChange, announce, state};
use crate::sql::{Sql, values};
use crate::{AuditEntry, Error, Result, Store, audit};

/// An open bulk job of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenRefresh {
    /// Store key of the account.
    pub account_no: i64,
    /// Under which generation it stages.
    pub r#gen: i64,
}

/// A job's last commit.
#[derive(Clone, Debug)]
pub struct Flip {
    /// The greatest ordinal of each collection, from now on.
    pub totals: BTreeMap<String, u64>,
}

impl Store {
    /// Opens a bulk job of a record account. One that was open is over; what it staged is removed first.
    ///
    /// # Errors
    /// Not found; conflict when another job is opened at the same time.
    pub async fn begin_refresh(
        &self,
        account_no: i64,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<OpenRefresh> {
        let r#gen = self
            .write(2, move |tx| {
                let state = state(&tx.sql, account_no)?;
                let r#gen = tx.sql.row(
                    "UPDATE account SET staging_gen =
                       CASE WHEN last_gen < visible_gen THEN visible_gen ELSE last_gen END + 1,
                       last_gen = CASE WHEN last_gen < visible_gen THEN visible_gen ELSE last_gen END + 1,
                       staged_at = ?2 WHERE account_no = ?1 RETURNING staging_gen",
                    values![account_no, now.0],
                    |row| row.get(0),
                )?;
                audit::insert(&tx.sql, Some(state.app_no), &entry, now)?;
                r#gen.ok_or(Error::failed())
            })
            .await?;
        let open = OpenRefresh { account_no, r#gen };
        while self.drop_staged_step(account_no, Some(open)).await? {}
        Ok(open)
    }

    /// Live records of a collection with an ordinal in `(after, until]` that nothing was staged for: what a
    /// job that is complete deletes, unless it saw them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unstaged_records(
        &self,
        open: OpenRefresh,
        collection: String,
        after: u64,
        until: u64,
    ) -> Result<Vec<(u64, String)>> {
        self.read(move |sql| {
            sql.rows(
                "SELECT r.ordinal, r.item_key FROM record r JOIN collection c
                   ON c.collection_no = r.collection_no AND c.account_no = ?1 AND c.external_id = ?2
                   AND c.deleted_at IS NULL
                 WHERE r.ordinal > ?3 AND r.ordinal <= ?4 AND r.deleted_at IS NULL AND r.gen < ?5
                   AND NOT EXISTS (SELECT 1 FROM record n WHERE n.collection_no = r.collection_no
                     AND n.ordinal = r.ordinal AND n.gen > r.gen)
                 ORDER BY r.ordinal",
                values![open.account_no, collection, after, until, open.r#gen],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
        })
        .await
    }

    /// Ends a job: from this one small commit on readers see what it staged, and what `tell` makes of it is in
    /// the journal.
    ///
    /// # Errors
    /// Conflict when the job is over already; nothing is shown then.
    pub async fn finish_refresh<T: Send + 'static>(
        &self,
        open: OpenRefresh,
        tell: impl FnOnce(&Flip) -> (T, Vec<RecordChange>) + Send + 'static,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<T> {
        self.write(limits::COMMIT_ROWS_MAX, move |tx| {
            check_open(&tx.sql, open)?;
            let account_no = open.account_no;
            let app_no = state(&tx.sql, account_no)?.app_no;
            show(&tx.sql, open, now)?;
            tx.sql.run(
                "UPDATE account SET visible_gen = staging_gen, staging_gen = NULL, staged_at = NULL,
                   last_sync_at = ?2 WHERE account_no = ?1",
                values![account_no, now.0],
            )?;
            tx.sql.run(
                "UPDATE collection SET shown_ordinal = given_ordinal
                 WHERE account_no = ?1 AND shown_ordinal < given_ordinal",
                values![account_no],
            )?;
            let totals = totals(&tx.sql, account_no)?;
            let (outcome, changes) = tell(&Flip { totals });
            announce(tx, app_no, account_no, changes, now)?;
            audit::insert(&tx.sql, Some(app_no), &entry, now)?;
            Ok(outcome)
        })
        .await
    }

    /// Gives a job up: nothing of it will be seen. What it staged is removed by [`Store::drop_staged_step`].
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn abandon_refresh(&self, open: OpenRefresh) -> Result<()> {
        self.write(1, move |tx| {
            tx.sql.run(
                "UPDATE account SET staging_gen = NULL WHERE account_no = ?1 AND staging_gen = ?2",
                values![open.account_no, open.r#gen],
            )?;
            Ok(())
        })
        .await
    }
}

/// Notes when what a job wrote is shown: whoever asks for what was modified since then finds it, however long
/// ago it was staged. A later job is shown later, whatever the clock says.
fn show(sql: &Sql<'_>, open: OpenRefresh, now: Timestamp) -> Result<()> {
    sql.run(
        "INSERT INTO record_shown (collection_no, gen, shown_at)
         SELECT c.collection_no, CAST(?2 AS BIGINT), coalesce((SELECT max(s.shown_at) + 1 FROM record_shown s
             WHERE s.collection_no = c.collection_no AND s.shown_at >= ?3), ?3)
         FROM collection c WHERE c.account_no = ?1 AND EXISTS (SELECT 1 FROM record r
           WHERE r.collection_no = c.collection_no AND r.gen = ?2)",
        values![open.account_no, open.r#gen, now.0],
    )?;
    Ok(())
}

/// The greatest visible ordinal of each collection.
pub(super) fn totals(sql: &Sql<'_>, account_no: i64) -> Result<BTreeMap<String, u64>> {
    let found = sql.rows(
        "SELECT external_id, shown_ordinal FROM collection
         WHERE account_no = ?1 AND deleted_at IS NULL ORDER BY external_id",
        values![account_no],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(found.into_iter().collect())
}

pub(super) fn check_open(sql: &Sql<'_>, open: OpenRefresh) -> Result<()> {
    let staging = state(sql, open.account_no)?.staging;
    if staging == Some(open.r#gen) {
        return Ok(());
    }
    Err(Error::conflict("the bulk job is over: a newer one was begun"))
}
