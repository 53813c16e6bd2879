//! What the ledger looks at, read in one transaction.

use std::collections::HashMap;

use tidings_core::change::Change;
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::limits;

use super::LedgerAttempt;
use super::judge::{Book, Note, Notes, Parked, Settled, Skipped};
use crate::delivery::attempt_id;
use crate::hook::{self, Hook};
use crate::sql::{Engine, Row, Sql, Value, values};
use crate::{Error, Result, journal};

/// Lets `read` see the store as it is at one moment.
pub(super) fn snapshot<T>(sql: &Sql<'_>, read: impl FnOnce() -> Result<T>) -> Result<T> {
    sql.script(match sql.engine() {
        Engine::Sqlite => "BEGIN",
        Engine::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ",
    })?;
    let found = read();
    // It wrote nothing; on a connection that is lost there is nothing to end.
    drop(sql.script("ROLLBACK"));
    found
}

/// A hook that exists.
pub(super) fn hook(sql: &Sql<'_>, hook_no: i64) -> Result<Option<Hook>> {
    hook::find(sql, "hook_no = ?1", values![hook_no])
}

/// Changes in `(after, until]` of a hook's app: with their bodies when they are asked for, or when any
/// version of the hook looks into them.
pub(super) fn changes(
    sql: &Sql<'_>,
    hook: &Hook,
    after: u64,
    until: u64,
    limit: usize,
    bodies: bool,
) -> Result<Vec<Change>> {
    let app_no = hook.app_no;
    let text = "SELECT floor_seq FROM app WHERE app_no = ?1";
    let floor: u64 =
        sql.row(text, values![app_no], |row| row.get(0))?.ok_or(Error::not_found("app"))?;
    if after < floor {
        return Err(Error::gone(floor + 1));
    }
    let looks_inside = hook.versions.iter().any(|(_, selection)| selection.filter.is_some());
    if bodies || looks_inside {
        journal::range(sql, app_no, after, until, limit)
    } else {
        journal::heads(sql, app_no, after, until, limit)
    }
}

/// What is known of a hook and the changes in `(after, until]`.
pub(super) fn book(sql: &Sql<'_>, hook: Hook, after: u64, until: u64) -> Result<Book> {
    let hook_no = hook.hook_no;
    let matched: Option<u64> = sql.row(
        "SELECT matched_seq FROM matched WHERE app_no = ?1 AND shard = 0",
        values![hook.app_no],
        |row| row.get(0),
    )?;
    let cursor = sql.row(
        "SELECT settled_seq, delivered FROM cursor WHERE hook_no = ?1 AND cursor_no = 0",
        values![hook_no],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let matched = matched.unwrap_or(0);
    let settled = Settled { matched, cursor };
    let parked = parked(sql, hook_no, after, until)?;
    let delivered = delivered(sql, hook_no, after, until)?;
    let skipped = sql.rows(
        "SELECT from_seq, to_seq, reason FROM skipped
         WHERE hook_no = ?1 AND from_seq <= ?3 AND to_seq > ?2 ORDER BY from_seq",
        values![hook_no, after, until],
        |row| Ok(Skipped { from_seq: row.get(0)?, to_seq: row.get(1)?, reason: row.get(2)? }),
    )?;
    Ok(Book { hook, settled, parked, delivered, skipped })
}

/// Rows that stand for changes in `(after, until]`: those that begin there, and ranges that reach in.
fn notes<T>(
    sql: &Sql<'_>,
    select: &str,
    (hook_no, after, until): (i64, u64, u64),
    read: impl Fn(&Row<'_>) -> Result<T>,
) -> Result<Notes<T>> {
    let mut notes = Notes { single: HashMap::new(), ranges: Vec::new() };
    let before = after.saturating_sub(limits::GROUP_SPAN);
    let begin: &[Value<'_>] = values![hook_no, after, until];
    let reach_in: &[Value<'_>] = values![hook_no, before, after];
    let here = format!("{select} AND first_seq > ?2 AND first_seq <= ?3");
    let ranges = format!(
        "{select} AND first_seq > ?2 AND first_seq <= ?3 AND last_seq > first_seq AND last_seq > ?3"
    );
    for (text, values) in [(ranges, reach_in), (here, begin)] {
        sql.each(&text, values, |row| {
            let members = Members {
                first_seq: row.get(0)?,
                last_seq: row.get(1)?,
                count: row.get(2)?,
                group: row.get(3)?,
            };
            notes.put(Note { members, what: read(row)? });
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
    }
    Ok(notes)
}

fn parked(sql: &Sql<'_>, hook_no: i64, after: u64, until: u64) -> Result<Notes<Parked>> {
    let select = "SELECT first_seq, last_seq, members, group_key, due_at, reason, parked_at
        FROM parked WHERE hook_no = ?1";
    notes(sql, select, (hook_no, after, until), |row| {
        Ok(Parked {
            due_at: row.get::<Option<i64>>(4)?.map(Timestamp),
            reason: row.get(5)?,
            parked_at: Timestamp(row.get(6)?),
        })
    })
}

fn delivered(sql: &Sql<'_>, hook_no: i64, after: u64, until: u64) -> Result<Notes<LedgerAttempt>> {
    let select = "SELECT first_seq, last_seq, members, group_key, attempt_no, n, started_at
        FROM attempt WHERE hook_no = ?1 AND outcome = 'delivered'";
    notes(sql, select, (hook_no, after, until), |row| {
        let started_at = Timestamp(row.get(6)?);
        Ok(LedgerAttempt { id: attempt_id(row.get(4)?, started_at), n: row.get(5)?, started_at })
    })
}
