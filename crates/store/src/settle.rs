//! Settle: attempts, cursor moves and parked deliveries of many lanes, in one commit.

mod columns;
mod rows;

use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::hook::HookStatus;

use crate::sql::{Engine, Sql, values};
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
    /// Disabled hooks that go on, after a successful test event.
    pub enabled: Vec<i64>,
    /// Whether the owner of a hook was told that it fails.
    pub failing_told: Vec<(i64, bool)>,
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
            + self.enabled.len()
            + self.failing_told.len()
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

impl AttemptRecord {
    fn outcome(&self) -> &'static str {
        if self.delivered { "delivered" } else { "failed" }
    }
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
        /// Hash of the key within which it is delivered in order.
        key_hash: Option<i64>,
        /// It waits behind an earlier one of its key rather than for its own time.
        waits: bool,
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
        /// Changes that a replay has sent; 0 for a live cursor.
        sent: u64,
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

impl HookCount {
    /// Adds attempts that came after these.
    fn add(&mut self, later: &Self) {
        self.runs += later.runs;
        self.failures += later.failures;
        let before = if later.succeeded { 0 } else { self.failures_in_a_row };
        self.failures_in_a_row = before + later.failures_in_a_row;
        self.succeeded |= later.succeeded;
    }
}

impl Store {
    /// Writes a settle.
    ///
    /// # Errors
    /// When the store cannot write; nothing of it is written then.
    pub async fn settle(&self, settle: std::sync::Arc<Settle>, now: Timestamp) -> Result<()> {
        self.write_surely(settle.rows(), move |tx| apply(tx, &settle, now)).await
    }
}

fn apply(tx: &mut Tx<'_>, settle: &Settle, now: Timestamp) -> Result<()> {
    match tx.sql.engine() {
        Engine::Sqlite => rows::write(&tx.sql, settle, now)?,
        Engine::Postgres => columns::write(&tx.sql, settle, now)?,
    }
    for attempt in
        settle.attempts.iter().filter(|attempt| attempt.delivered && attempt.cursor_no > 0)
    {
        made_good(&tx.sql, attempt)?;
    }
    for (hook_no, reason) in &settle.disabled {
        hook::set_status(&tx.sql, *hook_no, HookStatus::Disabled, Some(reason))?;
        tx.announce.push(Committed::Hook(*hook_no));
    }
    for hook_no in &settle.enabled {
        hook::enable(&tx.sql, *hook_no)?;
        tx.announce.push(Committed::Hook(*hook_no));
    }
    for (hook_no, told) in &settle.failing_told {
        let told_and_hook = values![told, hook_no];
        tx.sql.run("UPDATE hook SET failing_told = ?1 WHERE hook_no = ?2", told_and_hook)?;
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

/// A replay delivered what a cursor had given up.
fn made_good(sql: &Sql<'_>, attempt: &AttemptRecord) -> Result<()> {
    let members = &attempt.members;
    sql.run(
        "DELETE FROM parked WHERE hook_no = ?1 AND first_seq = ?2 AND last_seq = ?3 AND group_key = ?4
           AND due_at IS NULL",
        values![attempt.hook_no, members.first_seq, members.last_seq, &members.group],
    )?;
    Ok(())
}
