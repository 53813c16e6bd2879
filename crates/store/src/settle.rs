//! Settle: attempts, cursor moves and parked deliveries of many lanes, in one commit.

use rusqlite::{Connection, params};
use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::hook::HookStatus;

use crate::writer::Tx;
use crate::{Committed, Result, Store, hook, journal};

/// Everything the engine learnt since the last settle.
#[derive(Clone, Debug, Default)]
pub struct Settle {
    /// Attempts made.
    pub attempts: Vec<AttemptRecord>,
    /// Deliveries parked, given up, or no longer parked.
    pub parked: Vec<(i64, ParkedWrite)>,
    /// Where cursors stand.
    pub cursors: Vec<CursorWrite>,
    /// How far apps are matched: `(app_no, matched_seq)`.
    pub matched: Vec<(i64, u64)>,
    /// Counts of attempts by hook.
    pub counts: Vec<HookCount>,
    /// Hooks to disable, with the reason in plain words.
    pub disabled: Vec<(i64, String)>,
    /// Operational changes: `(app_no, change)`.
    pub changes: Vec<(i64, NewChange)>,
}

impl Settle {
    /// About how many rows it writes.
    pub fn rows(&self) -> usize {
        self.attempts.len()
            + self.parked.len()
            + self.cursors.len()
            + self.matched.len()
            + self.counts.len()
            + self.disabled.len()
            + 2 * self.changes.len()
    }
}

/// One HTTP try and its outcome.
#[derive(Clone, Debug)]
pub struct AttemptRecord {
    /// The hook.
    pub hook_no: i64,
    /// The cursor it was made for.
    pub cursor_no: i64,
    /// What the delivery stands for.
    pub members: Members,
    /// 1, 2, 3 … of the delivery's schedule.
    pub n: u32,
    /// Whether it was answered with a 2xx in time.
    pub delivered: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// Name look-up, µs; absent when none was needed.
    pub dns_us: Option<u64>,
    /// TCP connect, µs; absent on a reused connection.
    pub connect_us: Option<u64>,
    /// TLS handshake, µs; absent on a reused connection.
    pub tls_us: Option<u64>,
    /// Until the first byte of the response, µs.
    pub first_byte_us: Option<u64>,
    /// All of it, µs.
    pub total_us: u64,
    /// Where it went.
    pub url: String,
    /// The address that was dialled.
    pub address: Option<String>,
    /// HTTP status of the response.
    pub status: Option<u16>,
    /// What went wrong: a class and its detail in plain words.
    pub error: Option<(String, String)>,
    /// Request headers as a JSON array of pairs.
    pub request_headers: Option<String>,
    /// Response headers as a JSON array of pairs.
    pub response_headers: Option<String>,
    /// Response body, capped.
    pub response_body: Option<Vec<u8>>,
}

/// What to do with a parked delivery.
#[derive(Clone, Debug)]
pub enum ParkedWrite {
    /// It waits until `due_at`, or was given up when that is absent.
    Put {
        /// The cursor that parks it.
        cursor_no: i64,
        /// What it stands for.
        members: Members,
        /// Attempts that count against its schedule.
        attempts: u32,
        /// When it is due; absent: exhausted.
        due_at: Option<Timestamp>,
        /// Why, in plain words.
        reason: String,
    },
    /// It was delivered.
    Remove {
        /// The cursor that had parked it.
        cursor_no: i64,
        /// What it stands for.
        members: Members,
    },
}

/// Where a cursor stands.
#[derive(Clone, Debug)]
pub enum CursorWrite {
    /// A hook that is settled up to `matched_seq` needs no row.
    Current {
        /// The hook.
        hook_no: i64,
        /// How far it is settled; a row that was moved further stays.
        settled_seq: u64,
    },
    /// A cursor with something unsettled.
    Lagging {
        /// The hook.
        hook_no: i64,
        /// 0 for the live cursor.
        cursor_no: i64,
        /// Everything up to here is settled.
        settled_seq: u64,
        /// Bit `i`: `settled_seq + 1 + i` is settled too.
        delivered: Vec<u8>,
    },
}

/// Attempts of a hook to add to its counts.
#[derive(Clone, Copy, Debug)]
pub struct HookCount {
    /// The hook.
    pub hook_no: i64,
    /// Attempts made.
    pub runs: u64,
    /// Those that failed.
    pub failures: u64,
    /// Failures since the last success among them; with `succeeded` this replaces the stored count.
    pub failures_in_a_row: u64,
    /// Whether any succeeded.
    pub succeeded: bool,
}

impl Store {
    /// Writes a settle.
    ///
    /// # Errors
    /// When the store cannot write; nothing of it is written then.
    pub async fn settle(&self, settle: std::sync::Arc<Settle>, now: Timestamp) -> Result<()> {
        self.write(settle.rows(), move |tx| apply(tx, &settle, now)).await
    }
}

fn apply(tx: &mut Tx<'_>, settle: &Settle, now: Timestamp) -> Result<()> {
    for attempt in &settle.attempts {
        insert_attempt(tx.conn, attempt)?;
    }
    for (hook_no, write) in &settle.parked {
        write_parked(tx.conn, *hook_no, write, now)?;
    }
    for cursor in &settle.cursors {
        write_cursor(tx.conn, cursor, now)?;
    }
    for (app_no, matched_seq) in &settle.matched {
        tx.conn
            .prepare_cached(
                "INSERT INTO matched (app_no, shard, matched_seq) VALUES (?1, 0, ?2)
                 ON CONFLICT DO UPDATE SET matched_seq = max(matched_seq, excluded.matched_seq)",
            )?
            .execute(params![app_no, matched_seq])?;
    }
    for count in &settle.counts {
        add_count(tx.conn, count, now)?;
    }
    for (hook_no, reason) in &settle.disabled {
        hook::set_status(tx.conn, *hook_no, HookStatus::Disabled, Some(reason))?;
        tx.announce.push(Committed::Hook(*hook_no));
    }
    for (app_no, change) in &settle.changes {
        match journal::append(tx, *app_no, vec![change.clone()], now) {
            // The app was deleted while the outcome was on its way.
            Err(error) if error.is_not_found() => {}
            done => drop(done?),
        }
    }
    Ok(())
}

fn insert_attempt(conn: &Connection, attempt: &AttemptRecord) -> Result<()> {
    let (class, detail) = attempt.error.as_ref().map(|(c, d)| (c, d)).unzip();
    conn.prepare_cached(
        "INSERT INTO attempt (hook_no, cursor_no, first_seq, last_seq, members, group_key, n, outcome,
           started_at, dns_us, connect_us, tls_us, first_byte_us, total_us, url, address, status,
           error_class, error_detail, request_headers, response_headers, response_body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
           ?20, ?21, ?22)",
    )?
    .execute(params![
        attempt.hook_no,
        attempt.cursor_no,
        attempt.members.first_seq,
        attempt.members.last_seq,
        attempt.members.count,
        attempt.members.group,
        attempt.n,
        if attempt.delivered { "delivered" } else { "failed" },
        attempt.started_at.0,
        attempt.dns_us,
        attempt.connect_us,
        attempt.tls_us,
        attempt.first_byte_us,
        attempt.total_us,
        attempt.url,
        attempt.address,
        attempt.status,
        class,
        detail,
        attempt.request_headers,
        attempt.response_headers,
        attempt.response_body,
    ])?;
    Ok(())
}

fn write_parked(
    conn: &Connection,
    hook_no: i64,
    write: &ParkedWrite,
    now: Timestamp,
) -> Result<()> {
    match write {
        ParkedWrite::Put { cursor_no, members, attempts, due_at, reason } => {
            conn.prepare_cached(
                "INSERT OR REPLACE INTO parked (hook_no, cursor_no, first_seq, last_seq, members,
                   group_key, attempts, due_at, reason, parked_at)
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
                 FROM hook WHERE hook_no = ?1 AND deleted_at IS NULL",
            )?
            .execute(params![
                hook_no,
                cursor_no,
                members.first_seq,
                members.last_seq,
                members.count,
                members.group,
                attempts,
                due_at.map(|at| at.0),
                reason,
                now.0,
            ])?;
        }
        ParkedWrite::Remove { cursor_no, members } => {
            conn.prepare_cached(
                "DELETE FROM parked WHERE hook_no = ?1 AND cursor_no = ?2 AND first_seq = ?3
                   AND group_key = ?4",
            )?
            .execute(params![hook_no, cursor_no, members.first_seq, members.group])?;
        }
    }
    Ok(())
}

/// A cursor only ever moves forward: a row that someone moved further in the meantime stays.
fn write_cursor(conn: &Connection, write: &CursorWrite, now: Timestamp) -> Result<()> {
    match write {
        CursorWrite::Current { hook_no, settled_seq } => {
            conn.prepare_cached(
                "DELETE FROM cursor WHERE hook_no = ?1 AND cursor_no = 0 AND settled_seq <= ?2",
            )?
            .execute(params![hook_no, settled_seq])?;
        }
        CursorWrite::Lagging { hook_no, cursor_no, settled_seq, delivered } => {
            conn.prepare_cached(
                "INSERT INTO cursor (hook_no, cursor_no, kind, settled_seq, delivered, created_at)
                 SELECT ?1, ?2, iif(?2 = 0, 'live', 'replay'), ?3, ?4, ?5
                 FROM hook WHERE hook_no = ?1 AND deleted_at IS NULL
                 ON CONFLICT DO UPDATE SET settled_seq = excluded.settled_seq,
                   delivered = excluded.delivered WHERE excluded.settled_seq >= settled_seq",
            )?
            .execute(params![hook_no, cursor_no, settled_seq, delivered, now.0])?;
        }
    }
    Ok(())
}

fn add_count(conn: &Connection, count: &HookCount, now: Timestamp) -> Result<()> {
    conn.prepare_cached(
        "UPDATE hook SET runs = runs + ?2, failures = failures + ?3,
           consecutive_failures = ?4 + iif(?5, 0, consecutive_failures),
           failing_since = iif(?4 = 0, NULL, iif(?5, ?6, coalesce(failing_since, ?6)))
         WHERE hook_no = ?1",
    )?
    .execute(params![
        count.hook_no,
        count.runs,
        count.failures,
        count.failures_in_a_row,
        count.succeeded,
        now.0,
    ])?;
    Ok(())
}
