//! The ledger: what became of each change at a hook.
//!
//! Nothing is written for it. Success is arithmetic on the cursor, trouble has its rows, and what a cursor
//! jumped has ranges; the version of the hook that was in force says what it was to receive. Each page is
//! read in one transaction, so that a change is neither missing nor counted twice.

mod judge;
mod picks;
mod read;

use serde::{Deserialize, Serialize};
use tidings_core::change::Change;
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::format::Formats;
use tidings_core::id::{AttemptId, ChangeId};

use crate::hook::Hook;
use crate::sql::{Sql, values};
use crate::{Error, Result, Store};

pub use picks::{Picked, Picks};

/// What became of a change at a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LedgerState {
    /// Answered with a 2xx.
    Delivered,
    /// The hook's cursor has not come to it yet.
    Pending,
    /// Waits for its retry.
    Parked,
    /// The hook did not select it.
    Filtered,
    /// Given up; can be resent.
    Exhausted,
    /// The cursor jumped it.
    Skipped,
    /// Not sent because the hook is disabled; enabling it goes on from there.
    Disabled,
}

impl LedgerState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Delivered,
        Self::Pending,
        Self::Parked,
        Self::Filtered,
        Self::Exhausted,
        Self::Skipped,
        Self::Disabled,
    ];

    /// The name used in the store and in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Pending => "pending",
            Self::Parked => "parked",
            Self::Filtered => "filtered",
            Self::Exhausted => "exhausted",
            Self::Skipped => "skipped",
            Self::Disabled => "disabled",
        }
    }

    /// The reverse of [`LedgerState::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// How many changes are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerCounts([u64; LedgerState::ALL.len()]);

impl LedgerCounts {
    /// Counts `more` changes in a state.
    pub fn add(&mut self, state: LedgerState, more: u64) {
        self.0[state as usize] += more;
    }

    /// The same without those in a state.
    #[must_use]
    pub fn without(mut self, state: LedgerState) -> Self {
        self.0[state as usize] = 0;
        self
    }

    /// How many are in a state.
    pub fn of(&self, state: LedgerState) -> u64 {
        self.0[state as usize]
    }

    /// How many there are in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// The attempt that delivered a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerAttempt {
    /// Its id.
    pub id: AttemptId,
    /// 1, 2, 3 … of its delivery's schedule.
    pub n: u32,
    /// When it began.
    pub started_at: Timestamp,
}

/// What became of one change at a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The change's number.
    pub seq: u64,
    /// Its id.
    pub change: ChangeId,
    /// Its type.
    pub kind: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// What became of it.
    pub state: LedgerState,
    /// The delivery it is part of, when something is kept of one.
    pub members: Option<Members>,
    /// The attempt that delivered it; absent once attempts of that age are no longer kept.
    pub attempt: Option<LedgerAttempt>,
    /// When it is tried again.
    pub next_attempt_at: Option<Timestamp>,
    /// Why it is in this state, in plain words.
    pub reason: Option<String>,
}

/// A part of the ledger.
#[derive(Clone, Debug)]
pub struct LedgerPage {
    /// An entry for each change, in order of `seq`.
    pub entries: Vec<LedgerEntry>,
    /// The part ends with this `seq`: that of the last entry, or where it began when there is none.
    pub reached: u64,
}

/// Where an app's journal begins and ends, and what a hook's ledger says of what was trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerBounds {
    /// Changes up to here are no longer kept.
    pub floor_seq: u64,
    /// The last change.
    pub seq: u64,
    /// What became of those that are no longer kept; adds up to `floor_seq`.
    pub trimmed: LedgerCounts,
}

/// How many of some changes that follow one another are in each state at a hook.
pub(crate) fn count(
    sql: &Sql<'_>,
    hook: Hook,
    changes: &[Change],
    formats: &Formats,
) -> Result<LedgerCounts> {
    let mut counts = LedgerCounts::default();
    let [first, ..] = changes else { return Ok(counts) };
    let book = read::book(sql, hook, first.seq - 1, first.seq - 1 + changes.len() as u64)?;
    for change in changes {
        counts.add(book.judge(formats, change).state, 1);
    }
    Ok(counts)
}

impl Store {
    /// What became of the changes in `(after, until]` at a hook: at most `limit` of them.
    ///
    /// # Errors
    /// Not found when the hook does not exist; gone when `after` lies below what is kept.
    pub async fn ledger(
        &self,
        hook_no: i64,
        after: u64,
        until: u64,
        limit: usize,
        formats: &Formats,
    ) -> Result<LedgerPage> {
        let formats = formats.clone();
        self.read(move |sql| {
            read::snapshot(sql, || {
                let hook = read::hook(sql, hook_no)?.ok_or(Error::not_found("hook"))?;
                let read = read::changes(sql, &hook, after, until, limit, false)?;
                let Some(last) = read.last() else {
                    return Ok(LedgerPage { entries: Vec::new(), reached: after });
                };
                let reached = last.seq;
                let book = read::book(sql, hook, after, reached)?;
                let entries = read.iter().map(|change| book.judge(&formats, change)).collect();
                Ok(LedgerPage { entries, reached })
            })
        })
        .await
    }

    /// The bounds of a hook's ledger. What retention did not count of the trimmed changes was not for the
    /// hook: it counts as filtered.
    ///
    /// # Errors
    /// Not found when the hook does not exist.
    pub async fn ledger_bounds(&self, hook_no: i64) -> Result<LedgerBounds> {
        self.read(move |sql| {
            read::snapshot(sql, || {
                let text = "SELECT a.floor_seq, a.seq FROM hook h JOIN app a ON a.app_no = h.app_no
                  WHERE h.hook_no = ?1 AND h.deleted_at IS NULL";
                let (floor_seq, seq): (u64, u64) = sql
                    .row(text, values![hook_no], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .ok_or(Error::not_found("hook"))?;
                let text = "SELECT outcome, count FROM ledger_sum WHERE hook_no = ?1";
                let sums = sql.rows(text, values![hook_no], |row| {
                    Ok((row.get::<String>(0)?, row.get::<u64>(1)?))
                })?;
                let mut trimmed = LedgerCounts::default();
                for (outcome, count) in sums {
                    let state = LedgerState::parse(&outcome).ok_or(Error::corrupt("ledger sum"))?;
                    trimmed.add(state, count);
                }
                trimmed.add(LedgerState::Filtered, floor_seq.saturating_sub(trimmed.total()));
                Ok(LedgerBounds { floor_seq, seq, trimmed })
            })
        })
        .await
    }
}
