//! What nobody sees any more goes, in small commits: superseded rows, what abandoned jobs staged, what deleted
//! accounts held.

use tidings_core::limits;

use super::OpenRefresh;
use super::refresh::check_open;
use crate::sql::{Sql, values};
use crate::{Result, Store};

impl Store {
    /// Record accounts in which a job staged something that was never shown. At start every job is abandoned.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn staged_accounts(&self) -> Result<Vec<OpenRefresh>> {
        self.read(|sql| {
            sql.rows(
                "SELECT account_no, coalesce(staging_gen, last_gen) FROM account
                 WHERE staged_at IS NOT NULL AND deleted_at IS NULL",
                values![],
                |row| Ok(OpenRefresh { account_no: row.get(0)?, r#gen: row.get(1)? }),
            )
        })
        .await
    }

    /// Record accounts that hold superseded rows.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unswept_accounts(&self) -> Result<Vec<i64>> {
        self.read(|sql| {
            let text = "SELECT account_no FROM account
                 WHERE swept_gen < visible_gen AND deleted_at IS NULL";
            sql.rows(text, values![], |row| row.get(0))
        })
        .await
    }

    /// Removes some rows that jobs staged which are over; `false` once none is left. `fresh` is a job just
    /// opened, which has staged nothing itself: then ordinals begin again where readers see the last.
    ///
    /// # Errors
    /// Conflict when `fresh` is over.
    pub async fn drop_staged_step(
        &self,
        account_no: i64,
        fresh: Option<OpenRefresh>,
    ) -> Result<bool> {
        self.write(limits::COMMIT_ROWS_MAX, move |tx| {
            if let Some(open) = fresh {
                check_open(&tx.sql, open)?;
            }
            let dropped = tx.sql.run(
                "DELETE FROM record WHERE (collection_no, ordinal, gen) IN
                   (SELECT r.collection_no, r.ordinal, r.gen FROM account a
                    JOIN collection c ON c.account_no = a.account_no
                    JOIN record r ON r.collection_no = c.collection_no AND r.gen > a.visible_gen
                      AND r.gen <> coalesce(a.staging_gen, -1)
                    WHERE a.account_no = ?1 LIMIT ?2)",
                values![account_no, limits::RECORD_COMMIT_ROWS],
            )?;
            if dropped > 0 {
                return Ok(true);
            }
            tx.sql.run(
                "UPDATE collection SET given_ordinal = shown_ordinal
                 WHERE account_no = ?1 AND given_ordinal > shown_ordinal AND (CAST(?2 AS BIGINT) = 1 OR
                   (SELECT staging_gen FROM account WHERE account_no = ?1) IS NULL)",
                values![account_no, fresh.is_some()],
            )?;
            tx.sql.run(
                "UPDATE account SET staged_at = NULL WHERE account_no = ?1 AND staging_gen IS NULL",
                values![account_no],
            )?;
            Ok(false)
        })
        .await
    }

    /// Removes rows that newer visible ones supersede, all of an account: the rows are found by a reader and
    /// removed in small commits.
    ///
    /// # Errors
    /// When the store fails; what is left is found again.
    pub async fn sweep_records(&self, account_no: i64) -> Result<()> {
        let (swept, visible) = self.generations(account_no).await?;
        for r#gen in swept + 1..=visible {
            for collection_no in self.record_collections(account_no).await? {
                self.sweep_generation(collection_no, r#gen).await?;
            }
            self.write(2, move |tx| {
                tx.sql.run(
                    "DELETE FROM record_shown WHERE gen < ?2
                       AND collection_no IN (SELECT collection_no FROM collection WHERE account_no = ?1)
                       AND NOT EXISTS (SELECT 1 FROM record r WHERE r.gen = record_shown.gen
                         AND r.collection_no = record_shown.collection_no)",
                    values![account_no, r#gen],
                )?;
                tx.sql.run(
                    "UPDATE account SET swept_gen = ?2 WHERE account_no = ?1 AND swept_gen < ?2",
                    values![account_no, r#gen],
                )
            })
            .await?;
        }
        Ok(())
    }

    async fn generations(&self, account_no: i64) -> Result<(i64, i64)> {
        let found = self
            .read(move |sql| {
                sql.row(
                    "SELECT swept_gen, visible_gen FROM account
                     WHERE account_no = ?1 AND deleted_at IS NULL",
                    values![account_no],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
            })
            .await?;
        Ok(found.unwrap_or((0, 0)))
    }

    async fn record_collections(&self, account_no: i64) -> Result<Vec<i64>> {
        self.read(move |sql| {
            let text = "SELECT collection_no FROM collection WHERE account_no = ?1";
            sql.rows(text, values![account_no], |row| row.get(0))
        })
        .await
    }

    /// Removes what the rows of one generation supersede in a collection.
    async fn sweep_generation(&self, collection_no: i64, r#gen: i64) -> Result<()> {
        let mut after = 0;
        while let Some(last) = self.last_of_window(collection_no, r#gen, after).await? {
            let old: Vec<i64> = self
                .read(move |sql| {
                    sql.rows(
                        "SELECT o.ordinal FROM record r CROSS JOIN record o
                         WHERE r.collection_no = ?1 AND r.gen = ?2 AND r.ordinal > ?3 AND r.ordinal <= ?4
                           AND o.collection_no = r.collection_no AND o.ordinal = r.ordinal
                           AND o.gen < r.gen ORDER BY r.ordinal",
                        values![collection_no, r#gen, after, last],
                        |row| row.get(0),
                    )
                })
                .await?;
            for step in old.chunks(limits::RECORD_COMMIT_ROWS) {
                let (first, last) = (step[0], step[step.len() - 1]);
                self.write(step.len(), move |tx| {
                    tx.sql.run(
                        "DELETE FROM record WHERE (collection_no, ordinal, gen) IN
                           (SELECT o.collection_no, o.ordinal, o.gen FROM record r CROSS JOIN record o
                            WHERE r.collection_no = ?1 AND r.gen = ?2 AND r.ordinal >= ?3
                              AND r.ordinal <= ?4 AND o.collection_no = r.collection_no
                              AND o.ordinal = r.ordinal AND o.gen < r.gen)",
                        values![collection_no, r#gen, first, last],
                    )
                })
                .await?;
            }
            after = last;
        }
        Ok(())
    }

    /// The ordinal that ends the next window of a generation's rows after one.
    async fn last_of_window(
        &self,
        collection_no: i64,
        r#gen: i64,
        after: i64,
    ) -> Result<Option<i64>> {
        let last = self
            .read(move |sql| {
                sql.row(
                    "SELECT max(ordinal) FROM (SELECT ordinal FROM record
                       WHERE collection_no = ?1 AND gen = ?2 AND ordinal > ?3
                       ORDER BY ordinal LIMIT ?4) AS w",
                    values![collection_no, r#gen, after, limits::RECORD_PAGE_MAX],
                    |row| row.get::<Option<i64>>(0),
                )
            })
            .await?;
        Ok(last.flatten())
    }
}

/// Erases records of an account's collections, at most `limit`, and what is known of their generations once
/// none is left; returns how many.
pub(crate) fn erase(sql: &Sql<'_>, account_no: i64, limit: u64) -> Result<u64> {
    let erased = sql.run(
        "DELETE FROM record WHERE (collection_no, ordinal, gen) IN
           (SELECT r.collection_no, r.ordinal, r.gen
            FROM collection c JOIN record r USING (collection_no) WHERE c.account_no = ?1 LIMIT ?2)",
        values![account_no, limit],
    )?;
    if erased < limit {
        sql.run(
            "DELETE FROM record_shown WHERE collection_no IN
               (SELECT collection_no FROM collection WHERE account_no = ?1)",
            values![account_no],
        )?;
    }
    Ok(erased)
}
