//! What the engine starts from: how far apps are matched, cursors that lag, parked deliveries.

use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::id::{AppId, Bits96, ReplayId};

use crate::audit::{self, AuditEntry};
use crate::sql::{Row, Sql, values};
use crate::{Committed, Error, Result, Store};

/// An app as the engine sees it.
#[derive(Clone, Debug)]
pub struct DispatchApp {
    /// Store key.
    pub app_no: i64,
    /// Its id.
    pub id: AppId,
    /// Where hooks without a URL of their own deliver.
    pub webhook_url: Option<String>,
    /// The last `seq` of its journal.
    pub seq: u64,
    /// Every change up to here is matched durably; hooks without a cursor are settled up to here.
    pub matched_seq: u64,
}

/// A cursor with a row: a live one that lags, or a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorRow {
    /// The hook's store key.
    pub hook_no: i64,
    /// 0 for the live cursor.
    pub cursor_no: i64,
    /// Id of a replay.
    pub id: Option<ReplayId>,
    /// Everything up to here is settled.
    pub settled_seq: u64,
    /// Where a replay ends.
    pub until_seq: Option<u64>,
    /// Bit `i` (least significant first): `settled_seq + 1 + i` is settled too.
    pub delivered: Vec<u8>,
    /// When it began.
    pub created_at: Timestamp,
}

/// A delivery that waits for its retry, or was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedRow {
    /// The cursor that parked it.
    pub cursor_no: i64,
    /// What it stands for.
    pub members: Members,
    /// Attempts that count against its schedule.
    pub attempts: u32,
    /// When it is due; absent: exhausted.
    pub due_at: Option<Timestamp>,
    /// Why it was parked, in plain words.
    pub reason: String,
}

const APP: &str = "SELECT a.app_no, a.id, a.webhook_url, a.seq, coalesce(m.matched_seq, 0)
  FROM app a LEFT JOIN matched m ON m.app_no = a.app_no AND m.shard = 0 WHERE a.deleted_at IS NULL";

fn app_from_row(row: &Row<'_>) -> Result<DispatchApp> {
    let id: Vec<u8> = row.get(1)?;
    let id = Bits96::from_bytes(&id).ok_or(Error::corrupt("app"))?;
    Ok(DispatchApp {
        app_no: row.get(0)?,
        id: AppId(id),
        webhook_url: row.get(2)?,
        seq: row.get(3)?,
        matched_seq: row.get(4)?,
    })
}

fn cursor_from_row(row: &Row<'_>) -> Result<CursorRow> {
    let id: Option<Vec<u8>> = row.get(2)?;
    Ok(CursorRow {
        hook_no: row.get(0)?,
        cursor_no: row.get(1)?,
        id: id.and_then(|id| Bits96::from_bytes(&id)).map(ReplayId),
        settled_seq: row.get(3)?,
        until_seq: row.get(4)?,
        delivered: row.get(5)?,
        created_at: Timestamp(row.get(6)?),
    })
}

const CURSOR: &str =
    "SELECT hook_no, cursor_no, id, settled_seq, until_seq, delivered, created_at FROM cursor";

fn parked_from_row(row: &Row<'_>) -> Result<ParkedRow> {
    Ok(ParkedRow {
        cursor_no: row.get(0)?,
        members: Members {
            first_seq: row.get(1)?,
            last_seq: row.get(2)?,
            count: row.get(3)?,
            group: row.get(4)?,
        },
        attempts: row.get(5)?,
        due_at: row.get::<Option<i64>>(6)?.map(Timestamp),
        reason: row.get(7)?,
    })
}

impl Store {
    /// Every app.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn dispatch_apps(&self) -> Result<Vec<DispatchApp>> {
        self.read(|sql| sql.rows(APP, values![], app_from_row)).await
    }

    /// One app, or `None` when it was deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn dispatch_app(&self, app_no: i64) -> Result<Option<DispatchApp>> {
        self.read(move |sql| {
            sql.row(&format!("{APP} AND a.app_no = ?1"), values![app_no], app_from_row)
        })
        .await
    }

    /// The cursors of a hook that have a row: at most its live one, and its replays.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn cursors(&self, hook_no: i64) -> Result<Vec<CursorRow>> {
        self.read(move |sql| {
            let text = format!("{CURSOR} WHERE hook_no = ?1 ORDER BY cursor_no");
            sql.rows(&text, values![hook_no], cursor_from_row)
        })
        .await
    }

    /// The next parked deliveries of a hook by due time, whether due already or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next_parked(&self, hook_no: i64, limit: usize) -> Result<Vec<ParkedRow>> {
        self.read(move |sql| {
            sql.rows(
                "SELECT cursor_no, first_seq, last_seq, members, group_key, attempts, due_at, reason
                 FROM parked WHERE hook_no = ?1 AND due_at IS NOT NULL
                 ORDER BY due_at, first_seq LIMIT ?2",
                values![hook_no, limit],
                parked_from_row,
            )
        })
        .await
    }

    /// Begins a replay of the changes in `(after, until]`.
    ///
    /// # Errors
    /// Gone when `after` lies below what is kept.
    pub async fn create_replay(
        &self,
        hook_no: i64,
        id: ReplayId,
        after: u64,
        until: u64,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<CursorRow> {
        self.write(4, move |tx| {
            let (app_no, seq, floor) = app_of(&tx.sql, hook_no)?;
            if after < floor {
                return Err(Error::gone(floor + 1));
            }
            tx.sql.run(
                "INSERT INTO cursor (hook_no, cursor_no, kind, id, settled_seq, until_seq, created_at)
                 VALUES (?1, (SELECT coalesce(max(cursor_no), 0) + 1 FROM cursor WHERE hook_no = ?1),
                   'replay', ?2, ?3, ?4, ?5)",
                values![hook_no, id.0.to_bytes(), after.min(seq), until.min(seq), now.0],
            )?;
            audit::insert(&tx.sql, Some(app_no), &audit, now)?;
            tx.announce.push(Committed::Hook(hook_no));
            replay(&tx.sql, hook_no, id)
        })
        .await
    }

    /// Ends a replay before its time. What it parked goes on.
    ///
    /// # Errors
    /// Not found when the hook has no such replay.
    pub async fn cancel_replay(
        &self,
        hook_no: i64,
        id: ReplayId,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<CursorRow> {
        self.write(4, move |tx| {
            let (app_no, _, _) = app_of(&tx.sql, hook_no)?;
            tx.sql.run(
                "UPDATE cursor SET until_seq = settled_seq WHERE hook_no = ?1 AND id = ?2",
                values![hook_no, id.0.to_bytes()],
            )?;
            audit::insert(&tx.sql, Some(app_no), &audit, now)?;
            tx.announce.push(Committed::Hook(hook_no));
            replay(&tx.sql, hook_no, id)
        })
        .await
    }

    /// A replay of a hook. It is finished when `settled_seq` has reached `until_seq`.
    ///
    /// # Errors
    /// Not found when the hook has no such replay.
    pub async fn replay(&self, hook_no: i64, id: ReplayId) -> Result<CursorRow> {
        self.read(move |sql| replay(sql, hook_no, id)).await
    }
}

fn replay(sql: &Sql<'_>, hook_no: i64, id: ReplayId) -> Result<CursorRow> {
    let text = format!("{CURSOR} WHERE hook_no = ?1 AND id = ?2");
    sql.row(&text, values![hook_no, id.0.to_bytes()], cursor_from_row)?
        .ok_or(Error::not_found("replay"))
}

fn app_of(sql: &Sql<'_>, hook_no: i64) -> Result<(i64, u64, u64)> {
    sql.row(
        "SELECT a.app_no, a.seq, a.floor_seq FROM hook h JOIN app a ON a.app_no = h.app_no
         WHERE h.hook_no = ?1",
        values![hook_no],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?
    .ok_or(Error::not_found("hook"))
}
