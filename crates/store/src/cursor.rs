//! What the engine starts from: how far apps are matched, cursors that lag, parked deliveries.

use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::id::{AppId, Bits96, ReplayId};
use tidings_core::limits;

use crate::audit::{self, AuditEntry};
use crate::sql::{Row, Sql, values};
use crate::{Committed, Error, Picks, Result, Store};

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
    /// What a replay takes; absent: everything that its hook selects.
    pub picks: Option<Picks>,
    /// Requests that a replay begins in a second, at most; absent: as many as the hook may.
    pub rate: Option<u32>,
    /// Changes that a replay has sent: they are delivered or parked.
    pub sent: u64,
    /// Changes that a replay takes in all, counted when it began; absent: not counted.
    pub total: Option<u64>,
    /// When a replay was ended before its time.
    pub cancelled_at: Option<Timestamp>,
    /// When it began.
    pub created_at: Timestamp,
}

impl CursorRow {
    /// Whether nothing is left to do for a replay.
    pub fn is_over(&self) -> bool {
        self.cancelled_at.is_some() || self.until_seq.is_some_and(|until| self.settled_seq >= until)
    }
}

/// A replay to begin.
#[derive(Clone, Debug)]
pub struct NewReplay {
    /// Its id.
    pub id: ReplayId,
    /// It takes changes with a greater `seq`,
    pub after: u64,
    /// up to this one or the last there is.
    pub until: u64,
    /// What it takes; absent: everything that its hook selects.
    pub picks: Option<Picks>,
    /// Requests that it begins in a second, at most.
    pub rate: Option<u32>,
    /// Changes that it takes in all, when they were counted.
    pub total: Option<u64>,
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
    /// Hash of the key within which it is delivered in order.
    pub key_hash: Option<i64>,
    /// It waits behind an earlier one of its key rather than for its own time.
    pub waits: bool,
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
    let picks: Option<String> = row.get(7)?;
    Ok(CursorRow {
        hook_no: row.get(0)?,
        cursor_no: row.get(1)?,
        id: id.and_then(|id| Bits96::from_bytes(&id)).map(ReplayId),
        settled_seq: row.get(3)?,
        until_seq: row.get(4)?,
        delivered: row.get(5)?,
        created_at: Timestamp(row.get(6)?),
        picks: picks.map(|picks| serde_json::from_str(&picks)).transpose()?,
        rate: row.get(8)?,
        sent: row.get(9)?,
        total: row.get(10)?,
        cancelled_at: row.get::<Option<i64>>(11)?.map(Timestamp),
    })
}

const CURSOR: &str = "SELECT hook_no, cursor_no, id, settled_seq, until_seq, delivered, created_at,
    selects, rate, sent, total, cancelled_at FROM cursor";

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
        key_hash: row.get(8)?,
        waits: row.get(9)?,
    })
}

const PARKED: &str =
    "SELECT cursor_no, first_seq, last_seq, members, group_key, attempts, due_at, reason,
    key_hash, waits FROM parked WHERE hook_no = ?1 AND due_at IS NOT NULL";

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

    /// The next parked deliveries of a hook that follow no order, by due time, whether due already or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next_parked(&self, hook_no: i64, limit: usize) -> Result<Vec<ParkedRow>> {
        self.read(move |sql| {
            let text = format!("{PARKED} AND key_hash IS NULL ORDER BY due_at, first_seq LIMIT ?2");
            sql.rows(&text, values![hook_no, limit], parked_from_row)
        })
        .await
    }

    /// All parked deliveries of a hook that follow an order and are not given up.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn blocked(&self, hook_no: i64) -> Result<Vec<ParkedRow>> {
        self.read(move |sql| {
            let text = format!("{PARKED} AND key_hash IS NOT NULL ORDER BY key_hash, first_seq");
            sql.rows(&text, values![hook_no], parked_from_row)
        })
        .await
    }

    /// Makes what was parked after `now` due at once: the clock was set back since, by nobody knows how much.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn unpark_the_future(&self, now: Timestamp) -> Result<()> {
        self.write(1, move |tx| {
            let text = "UPDATE parked SET due_at = ?1, parked_at = ?1
                 WHERE due_at IS NOT NULL AND parked_at > ?1";
            tx.sql.run(text, values![now.0])?;
            Ok(())
        })
        .await
    }

    /// The hooks that have a parked delivery which is not given up.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hooks_with_parked(&self) -> Result<Vec<i64>> {
        self.read(|sql| {
            sql.rows(
                "SELECT h.hook_no FROM hook h WHERE h.deleted_at IS NULL AND EXISTS
                   (SELECT 1 FROM parked p WHERE p.hook_no = h.hook_no AND p.due_at IS NOT NULL)",
                values![],
                |row| row.get(0),
            )
        })
        .await
    }

    /// Begins a replay into a hook. Those that ended long ago are forgotten.
    ///
    /// # Errors
    /// Gone when `after` lies below what is kept.
    pub async fn create_replay(
        &self,
        hook_no: i64,
        new: NewReplay,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<CursorRow> {
        self.write(8, move |tx| {
            let (app_no, seq, floor) = app_of(&tx.sql, hook_no)?;
            if new.after < floor {
                return Err(Error::gone(floor + 1));
            }
            tx.sql.run(
                "DELETE FROM cursor WHERE hook_no = ?1 AND kind = 'replay'
                   AND (settled_seq >= until_seq OR cancelled_at IS NOT NULL)
                   AND cursor_no <= (SELECT max(cursor_no) FROM cursor WHERE hook_no = ?1) - ?2",
                values![hook_no, limits::HOOK_REPLAYS_KEPT],
            )?;
            let picks = new.picks.as_ref().map(serde_json::to_string).transpose()?;
            tx.sql.run(
                "INSERT INTO cursor (hook_no, cursor_no, kind, id, settled_seq, until_seq, created_at,
                   selects, rate, total)
                 VALUES (?1, (SELECT coalesce(max(cursor_no), 0) + 1 FROM cursor WHERE hook_no = ?1),
                   'replay', ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                values![
                    hook_no,
                    new.id.0.to_bytes(),
                    new.after.min(seq),
                    new.until.min(seq),
                    now.0,
                    picks,
                    new.rate,
                    new.total,
                ],
            )?;
            audit::insert(&tx.sql, Some(app_no), &audit, now)?;
            tx.announce.push(Committed::Hook(hook_no));
            replay(&tx.sql, hook_no, new.id)
        })
        .await
    }

    /// Ends a replay before its time, if it has not ended. What it parked goes on.
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
                "UPDATE cursor SET cancelled_at = ?3 WHERE hook_no = ?1 AND id = ?2
                   AND settled_seq < until_seq AND cancelled_at IS NULL",
                values![hook_no, id.0.to_bytes(), now.0],
            )?;
            audit::insert(&tx.sql, Some(app_no), &audit, now)?;
            tx.announce.push(Committed::Hook(hook_no));
            replay(&tx.sql, hook_no, id)
        })
        .await
    }

    /// A replay of a hook. See [`CursorRow::is_over`].
    ///
    /// # Errors
    /// Not found when the hook has no such replay.
    pub async fn replay(&self, hook_no: i64, id: ReplayId) -> Result<CursorRow> {
        self.read(move |sql| replay(sql, hook_no, id)).await
    }
}

/// The ranges up to `until` that a cursor has not settled, by where it stands and the bitmap of what is
/// settled above.
pub(crate) fn unsettled(settled_seq: u64, above: &[u8], until: u64) -> Vec<(u64, u64)> {
    let bits = above.iter().flat_map(|byte| (0..8).map(move |bit| byte & (1 << bit) != 0));
    let settled = (settled_seq + 1..=until).zip(bits).filter(|(_, settled)| *settled);
    let mut ranges = Vec::new();
    let mut from = settled_seq + 1;
    for (seq, _) in settled {
        if from < seq {
            ranges.push((from, seq - 1));
        }
        from = seq + 1;
    }
    if from <= until {
        ranges.push((from, until));
    }
    ranges
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
