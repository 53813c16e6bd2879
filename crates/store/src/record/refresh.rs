//! Bulk jobs: staged under a generation that nobody sees, then shown by one small commit.

use std::collections::BTreeMap;

use tidings_core::clock::Timestamp;
use tidings_core::id::Ids;
use tidings_core::limits;

use super::write::{changed, first};
use super::{Place, RecordChange, RecordPut, announce, keep_place, newest, place, put, state};
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

/// What staging a record amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staged {
    /// It is new, or was deleted.
    Created,
    /// It has other content now.
    Updated,
    /// It is as it was: nothing was staged.
    Same,
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

    /// Stages records of a job in one commit: at most [`limits::RECORD_COMMIT_ROWS`] of them. Answers the
    /// ordinal of each and what it amounts to.
    ///
    /// # Errors
    /// Conflict when the job is over; not found (the account).
    pub async fn stage_records(
        &self,
        open: OpenRefresh,
        puts: Vec<RecordPut>,
        ids: Ids,
        now: Timestamp,
    ) -> Result<Vec<(u64, Staged)>> {
        self.write(limits::COMMIT_ROWS_MAX, move |tx| {
            check_open(&tx.sql, open)?;
            let mut places: BTreeMap<String, Place> = BTreeMap::new();
            let mut staged = Vec::with_capacity(puts.len());
            for new in puts {
                if !places.contains_key(&new.collection) {
                    let made = place(&tx.sql, open.account_no, &new.collection, &ids, now)?;
                    places.insert(new.collection.clone(), made);
                }
                let place = places.get_mut(&new.collection).ok_or(Error::failed())?;
                staged.push(stage(&tx.sql, open, place, new, now)?);
            }
            for place in places.values() {
                keep_place(&tx.sql, place)?;
            }
            Ok(staged)
        })
        .await
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

    /// Stages the deletion of records, at most [`limits::RECORD_COMMIT_ROWS`]; answers of how many. Those that
    /// were written meanwhile stay.
    ///
    /// # Errors
    /// Conflict when the job is over.
    pub async fn stage_deletions(
        &self,
        open: OpenRefresh,
        collection: String,
        keys: Vec<String>,
        ids: Ids,
        now: Timestamp,
    ) -> Result<u64> {
        self.write(limits::COMMIT_ROWS_MAX, move |tx| {
            check_open(&tx.sql, open)?;
            let place = place(&tx.sql, open.account_no, &collection, &ids, now)?;
            let mut deleted = 0;
            for key in keys {
                let Some(stored) = newest(&tx.sql, &place, &key, open.r#gen)? else { continue };
                if stored.r#gen == open.r#gen || stored.record.deleted_at.is_some() {
                    continue;
                }
                let starts_at = stored.record.starts_at;
                let nothing = bytes::Bytes::from_static(b"{}");
                let mut gone = changed(stored, starts_at, nothing, [0; 32], Some(now), now);
                gone.r#gen = open.r#gen;
                put(&tx.sql, place.collection_no, &gone)?;
                deleted += 1;
            }
            Ok(deleted)
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
            tx.sql.run(
                "UPDATE account SET visible_gen = staging_gen, staging_gen = NULL, staged_at = NULL
                 WHERE account_no = ?1",
                values![account_no],
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

fn stage(
    sql: &Sql<'_>,
    open: OpenRefresh,
    place: &mut Place,
    new: RecordPut,
    now: Timestamp,
) -> Result<(u64, Staged)> {
    let hash = new.hash();
    let Some(current) = newest(sql, place, &new.key, open.r#gen)? else {
        place.given += 1;
        let stored = first(place, new, hash, place.given, open.r#gen, now);
        put(sql, place.collection_no, &stored)?;
        return Ok((place.given, Staged::Created));
    };
    let ordinal = current.record.ordinal;
    if current.record.holds(&hash, &current.hash) {
        return Ok((ordinal, Staged::Same));
    }
    let was_there = current.record.deleted_at.is_none();
    let mut stored = changed(current, new.starts_at, new.body, hash, None, now);
    stored.r#gen = open.r#gen;
    put(sql, place.collection_no, &stored)?;
    Ok((ordinal, if was_there { Staged::Updated } else { Staged::Created }))
}
