//! Trimming: the oldest changes go, once no hook waits for them and what became of them is summed.

use tidings_core::change::Change;
use tidings_core::format::Formats;
use tidings_core::limits;

use super::{gap, journal, weigh};
use crate::hook::{self, Hook};
use crate::sql::{Sql, values};
use crate::writer::Tx;
use crate::{LedgerState, Result, Store, journal as entries, ledger};

/// How far a journal was trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trimmed {
    /// Everything up to the goal is gone.
    Done,
    /// More is to go.
    More,
    /// A hook waits for what is to go: see [`Store::hook_behind`].
    Held,
}

/// What one commit trims.
struct Slice {
    app_no: i64,
    floor_seq: u64,
    /// The new floor.
    until: u64,
    body_bytes: u64,
    /// Deliveries that go with their changes.
    parked: u64,
}

/// Of so many changes a hook says that they are in this state.
type Sum = (i64, LedgerState, u64);

impl Store {
    /// Removes some of the oldest changes of an app, up to `goal`, with what was given up of them, in one
    /// bounded commit that moves the journal's floor and adds to the ledgers' sums.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn trim(&self, app_no: i64, goal: u64, formats: &Formats) -> Result<Trimmed> {
        let Some(slice) = self.read(move |sql| slice(sql, app_no, goal)).await? else {
            return Ok(Trimmed::Done);
        };
        let sums = self.sums(app_no, slice.floor_seq, slice.until, formats).await?;
        let wanted = if slice.until < goal { Trimmed::More } else { Trimmed::Done };
        let rows = 2 * (slice.until - slice.floor_seq) + slice.parked + sums.len() as u64;
        self.write(rows as usize, move |tx| {
            if gap::behind(&tx.sql, app_no, slice.until)?.is_some() {
                return Ok(Trimmed::Held);
            }
            // Looked at without a lock: when something moved since then, look again.
            let floor_seq = journal(&tx.sql, app_no)?.map(|journal| journal.floor_seq);
            let parked = parked(&tx.sql, app_no, slice.until)?;
            if floor_seq != Some(slice.floor_seq) || parked != slice.parked {
                return Ok(Trimmed::More);
            }
            add_sums(&tx.sql, &sums, slice.until)?;
            remove(tx, &slice)?;
            Ok(wanted)
        })
        .await
    }

    /// What became of the changes in `(after, until]` at each hook of the app, but for what was not for it.
    async fn sums(
        &self,
        app_no: i64,
        after: u64,
        until: u64,
        formats: &Formats,
    ) -> Result<Vec<Sum>> {
        let (mut sums, mut after_hook) = (Vec::new(), 0);
        let mut changes: Option<(bool, Vec<Change>)> = None;
        loop {
            let formats = formats.clone();
            let known = changes.take();
            let (page, read, found) = self
                .read(move |sql| {
                    let hooks = hook::list(
                        sql,
                        "app_no = ?1 AND hook_no > ?2 ORDER BY hook_no LIMIT ?3",
                        values![app_no, after_hook, limits::RETENTION_HOOKS_PAGE],
                    )?;
                    let last = hooks.last().map(|hook| hook.hook_no);
                    let read = heads_or_all(sql, app_no, (after, until), &hooks, known)?;
                    let mut found = Vec::new();
                    for hook in hooks {
                        let hook_no = hook.hook_no;
                        let counts = ledger::count(sql, hook, &read.1, &formats)?;
                        found.extend(told(&counts).map(|(state, n)| (hook_no, state, n)));
                    }
                    Ok((last, read, found))
                })
                .await?;
            sums.extend(found);
            changes = Some(read);
            let Some(last) = page else { return Ok(sums) };
            after_hook = last;
        }
    }
}

/// The changes, with their bodies when any of the hooks looks into them; those already read when they do.
fn heads_or_all(
    sql: &Sql<'_>,
    app_no: i64,
    (after, until): (u64, u64),
    hooks: &[Hook],
    known: Option<(bool, Vec<Change>)>,
) -> Result<(bool, Vec<Change>)> {
    let looks = |hook: &Hook| hook.versions.iter().any(|(_, selection)| selection.filter.is_some());
    let bodies = hooks.iter().any(looks);
    match known {
        Some((has_bodies, changes)) if has_bodies || !bodies => Ok((has_bodies, changes)),
        _ if bodies => Ok((true, entries::range(sql, app_no, after, until, usize::MAX >> 1)?)),
        _ => Ok((false, entries::heads(sql, app_no, after, until, usize::MAX >> 1)?)),
    }
}

/// The counts that are summed. Nothing waits any more: what did was jumped.
fn told(counts: &crate::LedgerCounts) -> impl Iterator<Item = (LedgerState, u64)> {
    let of = |state| counts.of(state);
    let jumped =
        [LedgerState::Pending, LedgerState::Parked, LedgerState::Disabled, LedgerState::Skipped];
    [
        (LedgerState::Delivered, of(LedgerState::Delivered)),
        (LedgerState::Exhausted, of(LedgerState::Exhausted)),
        (LedgerState::Skipped, jumped.into_iter().map(of).sum()),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
}

/// What one commit can trim: bounded by changes, by bytes and by deliveries given up.
fn slice(sql: &Sql<'_>, app_no: i64, goal: u64) -> Result<Option<Slice>> {
    let Some(journal) = journal(sql, app_no)? else { return Ok(None) };
    let floor_seq = journal.floor_seq;
    let mut weights = Vec::new();
    let mut bytes = 0;
    weigh(sql, app_no, floor_seq, limits::RETENTION_COMMIT_CHANGES, |seq, weight| {
        if seq > goal {
            return false;
        }
        weights.push(weight);
        bytes += weight;
        bytes < limits::RETENTION_COMMIT_BYTES
    })?;
    let mut until = floor_seq + weights.len() as u64;
    if until == floor_seq {
        return Ok(None);
    }
    let mut going = parked(sql, app_no, until)?;
    while going > limits::RETENTION_COMMIT_PARKED as u64 && until > floor_seq + 1 {
        until = floor_seq + (until - floor_seq) / 2;
        going = parked(sql, app_no, until)?;
    }
    let body_bytes = weights.iter().take((until - floor_seq) as usize).sum();
    Ok(Some(Slice { app_no, floor_seq, until, body_bytes, parked: going }))
}

const PARKED: &str = "hook_no IN (SELECT hook_no FROM hook WHERE app_no = ?1)
    AND first_seq <= ?2 AND last_seq <= ?2";

/// How many deliveries of an app stand for nothing but changes up to `until`.
fn parked(sql: &Sql<'_>, app_no: i64, until: u64) -> Result<u64> {
    let text = format!("SELECT count(*) FROM parked WHERE {PARKED}");
    Ok(sql.row(&text, values![app_no, until], |row| row.get(0))?.unwrap_or(0))
}

fn add_sums(sql: &Sql<'_>, sums: &[Sum], until: u64) -> Result<()> {
    for (hook_no, state, count) in sums {
        sql.run(
            "INSERT INTO ledger_sum (hook_no, outcome, until_seq, count) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (hook_no, outcome) DO UPDATE SET
               until_seq = excluded.until_seq, count = ledger_sum.count + excluded.count",
            values![hook_no, state.as_str(), until, count],
        )?;
    }
    Ok(())
}

fn remove(tx: &Tx<'_>, slice: &Slice) -> Result<()> {
    let Slice { app_no, until, body_bytes, .. } = slice;
    let old = values![app_no, until];
    tx.sql.run(&format!("DELETE FROM parked WHERE {PARKED}"), old)?;
    tx.sql.run(
        "DELETE FROM skipped WHERE hook_no IN (SELECT hook_no FROM hook WHERE app_no = ?1)
           AND from_seq <= ?2 AND to_seq <= ?2",
        old,
    )?;
    tx.sql.run("DELETE FROM change_body WHERE app_no = ?1 AND seq <= ?2", old)?;
    tx.sql.run("DELETE FROM change WHERE app_no = ?1 AND seq <= ?2", old)?;
    tx.sql.run(
        "UPDATE app SET floor_seq = ?2, journal_bytes = journal_bytes - ?3 WHERE app_no = ?1",
        values![app_no, until, body_bytes],
    )?;
    Ok(())
}
