//! Deliveries and attempts as their owners see them.

use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::id::{AttemptId, Bits96, HookId};

use crate::app::bits;
use crate::audit::{self, AuditEntry};
use crate::settle::AttemptRecord;
use crate::sql::{Row, Sql, values};
use crate::{Committed, Error, Result, Store};

/// What became of a delivery that has been attempted or parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// Answered with a 2xx.
    Delivered,
    /// Waits for its retry.
    Parked,
    /// Given up; can be resent.
    Exhausted,
    /// Its outcome is being settled.
    Pending,
}

impl DeliveryStatus {
    /// The name used in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Parked => "parked",
            Self::Exhausted => "exhausted",
            Self::Pending => "pending",
        }
    }

    /// The reverse of [`DeliveryStatus::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Delivered, Self::Parked, Self::Exhausted, Self::Pending]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

/// A delivery.
#[derive(Clone, Debug)]
pub struct DeliveryRow {
    /// The hook's store key.
    pub hook_no: i64,
    /// What it stands for.
    pub members: Members,
    /// What became of it.
    pub status: DeliveryStatus,
    /// Attempts made.
    pub attempts: u32,
    /// When the last of them began.
    pub last_attempt_at: Option<Timestamp>,
    /// When it is tried again.
    pub next_attempt_at: Option<Timestamp>,
    /// Why it is parked or was given up, in plain words.
    pub reason: Option<String>,
}

/// An attempt with its id.
#[derive(Clone, Debug)]
pub struct AttemptDetail {
    /// Its id.
    pub id: AttemptId,
    /// What was recorded.
    pub record: AttemptRecord,
}

/// Deliveries of a hook with their state: those with an attempt, which `[attempted]` narrows down, and
/// those parked, which `[parked]` narrows down.
const SELECT: &str = "
  WITH d AS (
    SELECT * FROM (SELECT DISTINCT hook_no, first_seq, last_seq, members, group_key FROM attempt
      WHERE hook_no = ?1 [attempted]) attempted
    UNION SELECT hook_no, first_seq, last_seq, members, group_key FROM parked
      WHERE hook_no = ?1 [parked]),
  s AS (
    SELECT d.*,
      (SELECT count(*) FROM attempt a WHERE a.hook_no = d.hook_no AND a.first_seq = d.first_seq
         AND a.last_seq = d.last_seq AND a.group_key = d.group_key) AS attempts,
      (SELECT max(started_at) FROM attempt a WHERE a.hook_no = d.hook_no AND a.first_seq = d.first_seq
         AND a.last_seq = d.last_seq AND a.group_key = d.group_key) AS last_at,
      EXISTS (SELECT 1 FROM attempt a WHERE a.hook_no = d.hook_no AND a.first_seq = d.first_seq
         AND a.last_seq = d.last_seq AND a.group_key = d.group_key AND a.outcome = 'delivered')
         AS delivered,
      (SELECT min(due_at) FROM parked p WHERE p.hook_no = d.hook_no AND p.first_seq = d.first_seq
         AND p.group_key = d.group_key) AS due_at,
      (SELECT reason FROM parked p WHERE p.hook_no = d.hook_no AND p.first_seq = d.first_seq
         AND p.group_key = d.group_key ORDER BY due_at IS NULL LIMIT 1) AS reason
    FROM d),
  t AS (
    SELECT *, CASE WHEN due_at IS NOT NULL THEN 'parked' WHEN reason IS NOT NULL THEN 'exhausted'
      WHEN delivered THEN 'delivered' ELSE 'pending' END AS status FROM s)
  SELECT hook_no, first_seq, last_seq, members, group_key, status, attempts, due_at, reason, last_at
    FROM t";

fn from_row(row: &Row<'_>) -> Result<DeliveryRow> {
    Ok(DeliveryRow {
        hook_no: row.get(0)?,
        members: Members {
            first_seq: row.get(1)?,
            last_seq: row.get(2)?,
            count: row.get(3)?,
            group: row.get(4)?,
        },
        status: DeliveryStatus::parse(&row.get::<String>(5)?).ok_or(Error::corrupt("delivery"))?,
        attempts: row.get(6)?,
        next_attempt_at: row.get::<Option<i64>>(7)?.map(Timestamp),
        reason: row.get(8)?,
        last_attempt_at: row.get::<Option<i64>>(9)?.map(Timestamp),
    })
}

const ATTEMPT: &str = "SELECT attempt_no, hook_no, cursor_no, first_seq, last_seq, members, group_key,
    n, outcome, started_at, dns_us, connect_us, tls_us, first_byte_us, total_us, url, address, status,
    error_class, error_detail, request_headers, response_headers, response_body FROM attempt";

fn attempt_from_row(row: &Row<'_>) -> Result<AttemptDetail> {
    let started_at = Timestamp(row.get(9)?);
    let class: Option<String> = row.get(18)?;
    let detail: Option<String> = row.get(19)?;
    Ok(AttemptDetail {
        id: attempt_id(row.get(0)?, started_at),
        record: AttemptRecord {
            hook_no: row.get(1)?,
            cursor_no: row.get(2)?,
            members: Members {
                first_seq: row.get(3)?,
                last_seq: row.get(4)?,
                count: row.get(5)?,
                group: row.get(6)?,
            },
            n: row.get(7)?,
            delivered: row.get::<String>(8)? == "delivered",
            started_at,
            dns_us: row.get(10)?,
            connect_us: row.get(11)?,
            tls_us: row.get(12)?,
            first_byte_us: row.get(13)?,
            total_us: row.get(14)?,
            url: row.get(15)?,
            address: row.get(16)?,
            status: row.get(17)?,
            error: class.map(|class| (class, detail.unwrap_or_default())),
            request_headers: row.get(20)?,
            response_headers: row.get(21)?,
            response_body: row.get(22)?,
        },
    })
}

/// An attempt's id: the millisecond it began and its row number. So it needs no column of its own.
pub(crate) fn attempt_id(attempt_no: i64, started_at: Timestamp) -> AttemptId {
    let millis = u128::from(started_at.0.max(0).unsigned_abs()) << 48;
    AttemptId(Bits96::new(millis | u128::from(attempt_no.unsigned_abs())))
}

fn select(attempted: &str, parked: &str) -> String {
    SELECT.replace("[attempted]", attempted).replace("[parked]", parked)
}

/// Narrows attempts down so far that a page costs a page, not the whole history of the hook.
fn attempted(status: Option<DeliveryStatus>) -> &'static str {
    match status {
        None => "AND first_seq < ?2 ORDER BY first_seq DESC LIMIT ?4",
        Some(DeliveryStatus::Delivered) => {
            "AND first_seq < ?2 AND outcome = 'delivered' AND NOT EXISTS (SELECT 1 FROM parked p
               WHERE p.hook_no = ?1 AND p.first_seq = attempt.first_seq
                 AND p.group_key = attempt.group_key) ORDER BY first_seq DESC LIMIT ?4"
        }
        Some(DeliveryStatus::Parked | DeliveryStatus::Exhausted) => "AND 1 = 0",
        Some(DeliveryStatus::Pending) => "AND first_seq < ?2",
    }
}

fn find(sql: &Sql<'_>, hook_no: i64, first_seq: u64) -> Result<Vec<DeliveryRow>> {
    let text = select("AND first_seq = ?2", "AND first_seq = ?2");
    sql.rows(&text, values![hook_no, first_seq], from_row)
}

impl Store {
    /// Deliveries of a hook that were attempted or parked, newest first, with `first_seq < before`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn deliveries(
        &self,
        hook_no: i64,
        status: Option<DeliveryStatus>,
        before: u64,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>> {
        self.read(move |sql| {
            let text = format!(
                "{} WHERE CAST(?3 AS TEXT) IS NULL OR status = ?3 ORDER BY first_seq DESC LIMIT ?4",
                select(attempted(status), "AND first_seq < ?2")
            );
            let before = i64::try_from(before).unwrap_or(i64::MAX);
            let status = status.map(DeliveryStatus::as_str);
            sql.rows(&text, values![hook_no, before, status, limit], from_row)
        })
        .await
    }

    /// Deliveries of a hook that begin with the change `first_seq`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn deliveries_at(&self, hook_no: i64, first_seq: u64) -> Result<Vec<DeliveryRow>> {
        self.read(move |sql| find(sql, hook_no, first_seq)).await
    }

    /// Deliveries that begin with one change, with the ids of their hooks, in order of hooks after `after_no`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn deliveries_of_change(
        &self,
        app_no: i64,
        seq: u64,
        after_no: i64,
        limit: u32,
    ) -> Result<Vec<(HookId, DeliveryRow)>> {
        self.read(move |sql| {
            let hooks = sql.rows(
                "SELECT h.hook_no, h.id FROM hook h
                 WHERE h.app_no = ?1 AND h.hook_no > ?2 AND h.deleted_at IS NULL
                   AND (EXISTS (SELECT 1 FROM attempt a WHERE a.hook_no = h.hook_no AND a.first_seq = ?3)
                     OR EXISTS (SELECT 1 FROM parked p WHERE p.hook_no = h.hook_no AND p.first_seq = ?3))
                 ORDER BY h.hook_no LIMIT ?4",
                values![app_no, after_no, seq, limit],
                |row| Ok((row.get::<i64>(0)?, HookId(bits(row, 1)?))),
            )?;
            let mut found = Vec::new();
            for (hook_no, id) in hooks {
                found.extend(find(sql, hook_no, seq)?.into_iter().map(|row| (id, row)));
            }
            Ok(found)
        })
        .await
    }

    /// Where a hook's live cursor stands: it is settled up to here, and what lies above may be.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn settled_seq(&self, app_no: i64, hook_no: i64) -> Result<u64> {
        self.read(move |sql| {
            let settled = sql.row(
                "SELECT coalesce(
                   (SELECT settled_seq FROM cursor WHERE hook_no = ?2 AND cursor_no = 0),
                   (SELECT matched_seq FROM matched WHERE app_no = ?1 AND shard = 0), 0)",
                values![app_no, hook_no],
                |row| row.get(0),
            )?;
            settled.ok_or(Error::failed())
        })
        .await
    }

    /// Attempts of a delivery, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn attempts(&self, hook_no: i64, members: &Members) -> Result<Vec<AttemptDetail>> {
        let members = members.clone();
        self.read(move |sql| {
            sql.rows(
                &format!(
                    "{ATTEMPT} WHERE hook_no = ?1 AND first_seq = ?2 AND last_seq = ?3
                       AND group_key = ?4 ORDER BY attempt_no"
                ),
                values![hook_no, members.first_seq, members.last_seq, members.group],
                attempt_from_row,
            )
        })
        .await
    }

    /// Makes a delivery due at once, with a fresh schedule. `key_hash` is the key within which it goes
    /// out in order; one that waits already keeps its own.
    ///
    /// # Errors
    /// Conflict when another range that begins with the same change is parked in its place.
    pub async fn resend(
        &self,
        app_no: i64,
        hook_no: i64,
        members: Members,
        key_hash: Option<i64>,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<()> {
        self.write(2, move |tx| {
            let cursor_no: Option<i64> = tx.sql.row(
                "SELECT cursor_no FROM parked WHERE hook_no = ?1 AND first_seq = ?2 AND last_seq = ?3
                   AND members = ?4 AND group_key = ?5 ORDER BY cursor_no LIMIT 1",
                values![
                    hook_no,
                    members.first_seq,
                    members.last_seq,
                    members.count,
                    &members.group
                ],
                |row| row.get(0),
            )?;
            let written = tx.sql.run(
                "INSERT INTO parked (hook_no, cursor_no, first_seq, last_seq, members, group_key,
                   attempts, due_at, reason, parked_at, key_hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, 'resend was asked for', ?7, ?8)
                 ON CONFLICT (hook_no, cursor_no, first_seq, group_key) DO UPDATE SET
                   key_hash = CASE WHEN parked.due_at IS NULL THEN excluded.key_hash
                                   ELSE parked.key_hash END,
                   attempts = 0, due_at = excluded.due_at, reason = excluded.reason,
                   parked_at = excluded.parked_at, waits = 0
                 WHERE parked.last_seq = excluded.last_seq AND parked.members = excluded.members",
                values![
                    hook_no,
                    cursor_no.unwrap_or(0),
                    members.first_seq,
                    members.last_seq,
                    members.count,
                    members.group,
                    now.0,
                    key_hash
                ],
            )?;
            if written == 0 {
                // Its row would replace that of another range, whose changes would be lost.
                let why = "another delivery that begins with the same change is parked; resend that one";
                return Err(Error::conflict(why));
            }
            audit::insert(&tx.sql, Some(app_no), &audit, now)?;
            tx.announce.push(Committed::Hook(hook_no));
            Ok(())
        })
        .await
    }
}
