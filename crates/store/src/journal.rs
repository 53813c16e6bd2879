//! The journal: append, read, publish once.

mod append;
mod search;

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use tidings_core::change::{Change, NewChange, Origin, Subject};
use tidings_core::clock::Timestamp;
use tidings_core::id::{Bits96, ChangeId};
use tidings_core::{fault, limits};

use crate::sql::{Row, Sql, values};
use crate::{Error, Result, Store};

pub(crate) use append::{Append, append, append_all, append_for, append_one};
pub use search::{Found, Sought};

/// Changes that one commit appended to one app's journal, in order of `seq`.
#[derive(Debug)]
pub struct Appended {
    /// The app.
    pub app_no: i64,
    /// The changes; never empty. Shared by whoever appended them and whoever listens.
    pub changes: Vec<Arc<Change>>,
}

/// Identifies a publish request that may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Hash of the client's key.
    pub key_hash: [u8; 32],
    /// Hash of what it asked for.
    pub request_hash: [u8; 32],
}

/// The answer to a publish request.
#[derive(Debug)]
pub struct Published {
    /// The changes as they stand in the journal.
    pub appended: Arc<Appended>,
    /// Whether an earlier request with the same key had written them.
    pub replayed: bool,
}

const SELECT: &str = "SELECT c.seq, c.id, c.type, c.user_no, c.account_no, c.collection_no,
    c.provider, c.item, c.hook_no, c.order_key, c.occurred_at, c.recorded_at, c.origin, c.actor,
    c.traceparent, b.body
  FROM change c LEFT JOIN change_body b ON b.app_no = c.app_no AND b.seq = c.seq";

fn from_row(row: &Row<'_>) -> Result<Change> {
    let (id, origin): (Vec<u8>, String) = (row.get(1)?, row.get(12)?);
    let (Some(id), Some(origin)) = (Bits96::from_bytes(&id), Origin::parse(&origin)) else {
        return Err(Error::corrupt("change"));
    };
    Ok(Change {
        seq: row.get(0)?,
        recorded_at: Timestamp(row.get(11)?),
        new: NewChange {
            id: ChangeId(id),
            kind: row.get(2)?,
            subject: Subject {
                user_no: row.get(3)?,
                account_no: row.get(4)?,
                collection_no: row.get(5)?,
                provider: row.get(6)?,
                item: row.get(7)?,
                hook_no: row.get(8)?,
            },
            order_key: row.get(9)?,
            occurred_at: Timestamp(row.get(10)?),
            origin,
            actor: row.get(13)?,
            traceparent: row.get(14)?,
            body: row.get::<Option<Vec<u8>>>(15)?.map(Bytes::from).unwrap_or_default(),
        },
    })
}

pub(crate) fn range(
    sql: &Sql<'_>,
    app_no: i64,
    after: u64,
    until: u64,
    limit: usize,
) -> Result<Vec<Change>> {
    page(sql, "", app_no, after, until, limit)
}

/// As [`range`], without the bodies.
pub(crate) fn heads(
    sql: &Sql<'_>,
    app_no: i64,
    after: u64,
    until: u64,
    limit: usize,
) -> Result<Vec<Change>> {
    page(sql, " AND 1 = 0", app_no, after, until, limit)
}

/// Changes in `(after, until]` with the bodies that `which` lets through.
fn page(
    sql: &Sql<'_>,
    which: &str,
    app_no: i64,
    after: u64,
    until: u64,
    limit: usize,
) -> Result<Vec<Change>> {
    let (mut changes, mut bytes) = (Vec::<Change>::new(), 0);
    sql.each(
        &format!(
            "{SELECT}{which} WHERE c.app_no = ?1 AND c.seq > ?2 AND c.seq <= ?3
             ORDER BY c.seq LIMIT ?4"
        ),
        values![app_no, after, until, limit],
        |row| {
            let change = from_row(row)?;
            bytes += change.new.body.len();
            if bytes > limits::JOURNAL_PAGE_BYTES_MAX && !changes.is_empty() {
                return Ok(ControlFlow::Break(()));
            }
            changes.push(change);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(changes)
}

impl Store {
    /// Appends changes, at most once for equal `idempotency`.
    ///
    /// # Errors
    /// Key reused when it was used for another request; conflict when an id is already taken.
    pub async fn publish(
        &self,
        app_no: i64,
        changes: Vec<NewChange>,
        idempotency: Option<Idempotency>,
        now: Timestamp,
    ) -> Result<Published> {
        let append = Append::new(app_no, changes, now);
        let Some(once) = idempotency else {
            let appended = self.write_append(append).await?;
            return Ok(Published { appended, replayed: false });
        };
        self.write(append.rows() + 2, move |tx| {
            if let Some(appended) = earlier(&tx.sql, app_no, &once, now)? {
                return Ok(Published { appended, replayed: true });
            }
            let appended = append_one(tx, append)?;
            remember(&tx.sql, &appended, &once, now)?;
            fault::point("publish.remembered");
            Ok(Published { appended, replayed: false })
        })
        .await
    }

    /// Changes with `after < seq` in order: at most `limit`, and no more than
    /// [`limits::JOURNAL_PAGE_BYTES_MAX`] of bodies.
    ///
    /// # Errors
    /// Gone when `after` lies below the oldest change that is kept.
    pub async fn changes(&self, app_no: i64, after: u64, limit: usize) -> Result<Vec<Change>> {
        self.changes_until(app_no, after, u64::MAX, limit).await
    }

    /// As [`Store::changes`], with `seq <= until`.
    ///
    /// # Errors
    /// As [`Store::changes`].
    pub async fn changes_until(
        &self,
        app_no: i64,
        after: u64,
        until: u64,
        limit: usize,
    ) -> Result<Vec<Change>> {
        self.read(move |sql| {
            let text = "SELECT floor_seq FROM app WHERE app_no = ?1";
            let floor: Option<u64> = sql.row(text, values![app_no], |row| row.get(0))?;
            match floor {
                None => Err(Error::not_found("app")),
                Some(floor) if after < floor => Err(Error::gone(floor + 1)),
                Some(_) => range(sql, app_no, after, until, limit),
            }
        })
        .await
    }

    /// One change by its id.
    ///
    /// # Errors
    /// Not found when the app's journal does not hold it.
    pub async fn change_by_id(&self, app_no: i64, id: ChangeId) -> Result<Change> {
        self.read(move |sql| {
            let text = format!("{SELECT} WHERE c.app_no = ?1 AND c.id = ?2");
            sql.row(&text, values![app_no, id.0.to_bytes()], from_row)?
                .ok_or(Error::not_found("change"))
        })
        .await
    }

    /// One change by its number.
    ///
    /// # Errors
    /// Not found when the app's journal does not hold it.
    pub async fn change_by_seq(&self, app_no: i64, seq: u64) -> Result<Change> {
        self.read(move |sql| {
            range(sql, app_no, seq.saturating_sub(1), seq, 1)?
                .pop()
                .ok_or(Error::not_found("change"))
        })
        .await
    }

    /// The last change recorded before `at`; what lies below the journal's floor counts as before. Found by
    /// halving, for times of recording grow with `seq`.
    ///
    /// # Errors
    /// Not found when the app does not exist.
    pub async fn last_seq_before(&self, app_no: i64, at: Timestamp) -> Result<u64> {
        self.read(move |sql| {
            let text = "SELECT floor_seq, seq FROM app WHERE app_no = ?1";
            let (mut before, mut last): (u64, u64) = sql
                .row(text, values![app_no], |row| Ok((row.get(0)?, row.get(1)?)))?
                .ok_or(Error::not_found("app"))?;
            let recorded = "SELECT recorded_at FROM change WHERE app_no = ?1 AND seq = ?2";
            while before < last {
                let middle = before + (last - before).div_ceil(2);
                let time: i64 = sql
                    .row(recorded, values![app_no, middle], |row| row.get(0))?
                    .ok_or(Error::corrupt("journal"))?;
                if time < at.0 { before = middle } else { last = middle - 1 }
            }
            Ok(before)
        })
        .await
    }

    /// Forgets idempotency keys that are too old, a bounded number at a time; returns how many.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn forget_idempotency(&self, now: Timestamp) -> Result<usize> {
        self.write(limits::COMMIT_ROWS_MAX, move |tx| {
            let old = now.plus_ms(-limits::IDEMPOTENCY_TTL_MS).0;
            let forgotten = tx.sql.run(
                "DELETE FROM idempotency WHERE (app_no, key_hash) IN
                   (SELECT app_no, key_hash FROM idempotency WHERE created_at < ?1 LIMIT ?2)",
                values![old, limits::COMMIT_ROWS_MAX],
            )?;
            Ok(forgotten as usize)
        })
        .await
    }
}

/// What an earlier request with the same key appended, when there was one within the time we remember.
fn earlier(
    sql: &Sql<'_>,
    app_no: i64,
    once: &Idempotency,
    now: Timestamp,
) -> Result<Option<Arc<Appended>>> {
    let found: Option<(Vec<u8>, u64, u64)> = sql.row(
        "SELECT request_hash, first_seq, last_seq FROM idempotency
         WHERE app_no = ?1 AND key_hash = ?2 AND created_at >= ?3",
        values![app_no, once.key_hash, now.plus_ms(-limits::IDEMPOTENCY_TTL_MS).0],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let Some((request_hash, first, last)) = found else { return Ok(None) };
    if request_hash != once.request_hash {
        return Err(Error::key_reused());
    }
    let changes = receipt(sql, app_no, first, last)?.into_iter().map(Arc::new).collect();
    Ok(Some(Arc::new(Appended { app_no, changes })))
}

/// The changes that an earlier request appended, page by page: it may have been a large one.
fn receipt(sql: &Sql<'_>, app_no: i64, first: u64, last: u64) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    let mut after = first - 1;
    while after < last {
        let page = range(sql, app_no, after, last, limits::JOURNAL_PAGE)?;
        let Some(newest) = page.last() else { break };
        after = newest.seq;
        changes.extend(page);
    }
    Ok(changes)
}

fn remember(sql: &Sql<'_>, appended: &Appended, once: &Idempotency, now: Timestamp) -> Result<()> {
    let [first, .., last] = &appended.changes[..] else {
        let only = appended.changes.first().map_or(0, |change| change.seq);
        return insert_key(sql, appended.app_no, once, only, only, now);
    };
    insert_key(sql, appended.app_no, once, first.seq, last.seq, now)
}

fn insert_key(
    sql: &Sql<'_>,
    app_no: i64,
    once: &Idempotency,
    first: u64,
    last: u64,
    now: Timestamp,
) -> Result<()> {
    sql.run(
        "INSERT INTO idempotency (app_no, key_hash, request_hash, first_seq, last_seq, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (app_no, key_hash) DO UPDATE SET request_hash = excluded.request_hash,
           first_seq = excluded.first_seq, last_seq = excluded.last_seq, created_at = excluded.created_at",
        values![app_no, once.key_hash, once.request_hash, first, last, now.0],
    )?;
    Ok(())
}
