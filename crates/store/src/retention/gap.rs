//! Gaps: a hook that lags behind what is kept is passed over what goes, visibly.

use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::format::Formats;
use tidings_core::id::{Bits96, HookId, ReplayId};
use tidings_core::limits;

use crate::app::bits;
use crate::cursor::unsettled;
use crate::sql::{Sql, values};
use crate::writer::Tx;
use crate::{Committed, LedgerState, Result, Store, journal};

/// Why a ledger says that changes were jumped.
const REASON: &str = "gap";
/// Why a delivery was given up.
const TRIMMED: &str = "its changes are no longer kept";

/// What a hook does not get of the changes that go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The hook's store key.
    pub hook_no: i64,
    /// Its id.
    pub hook: HookId,
    /// The first change that it waited for.
    pub from_seq: u64,
    /// The last change that goes.
    pub to_seq: u64,
    /// Changes that it selected and did not get; absent when they are too many to be counted.
    pub changes: Option<u64>,
    /// Deliveries that waited for their retry and are given up.
    pub exhausted: u64,
    /// Replays that are passed over a part of what they were to take.
    pub replays: Vec<ReplayId>,
}

impl Gap {
    /// Whether anything is lost.
    pub fn is_loss(&self) -> bool {
        self.changes != Some(0) || self.exhausted > 0 || !self.replays.is_empty()
    }
}

/// A cursor that stands below the goal.
struct Behind {
    cursor_no: i64,
    id: Option<ReplayId>,
    settled_seq: u64,
    /// Where it goes on, or ends.
    goal: u64,
    delivered: Vec<u8>,
}

impl Store {
    /// Some hook of an app that waits for changes up to `goal`, after which they can go.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hook_behind(&self, app_no: i64, goal: u64) -> Result<Option<i64>> {
        self.read(move |sql| behind(sql, app_no, goal)).await
    }

    /// Passes a hook over everything up to `goal`, in one bounded commit with the change that `tell` makes
    /// of the gap: its live cursor and its replays go on after it, and the deliveries that waited for their
    /// retry are given up. Answers the gap; `None` when there was nothing left to pass over.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn pass_over(
        &self,
        hook_no: i64,
        goal: u64,
        formats: &Formats,
        now: Timestamp,
        tell: impl FnOnce(&Gap) -> NewChange + Send + 'static,
    ) -> Result<Option<Gap>> {
        let changes = self.count_lost(hook_no, goal, formats).await?;
        self.write(limits::RETENTION_COMMIT_PARKED + 32, move |tx| {
            let text = "SELECT app_no, id FROM hook WHERE hook_no = ?1 AND deleted_at IS NULL";
            let found = tx.sql.row(text, values![hook_no], |row| {
                Ok((row.get::<i64>(0)?, HookId(bits(row, 1)?)))
            })?;
            let Some((app_no, hook)) = found else { return Ok(None) };
            let blank = Gap {
                hook_no,
                hook,
                from_seq: goal + 1,
                to_seq: goal,
                changes,
                exhausted: 0,
                replays: Vec::new(),
            };
            let Some(gap) = write(tx, blank, now)? else { return Ok(None) };
            if gap.is_loss() {
                journal::append(tx, app_no, vec![tell(&gap)], now)?;
            }
            tx.announce.push(Committed::Hook(hook_no));
            Ok(Some(gap))
        })
        .await
    }

    /// How many changes up to `goal` a hook selected and has not got, without those that are parked.
    async fn count_lost(&self, hook_no: i64, goal: u64, formats: &Formats) -> Result<Option<u64>> {
        let standing = self.cursors(hook_no).await?;
        let live = standing.into_iter().find(|cursor| cursor.cursor_no == 0);
        let Some(live) = live.filter(|live| live.settled_seq < goal) else { return Ok(Some(0)) };
        if goal - live.settled_seq > limits::LEDGER_COUNT_MAX {
            return Ok(None);
        }
        let (mut lost, mut after) = (0, live.settled_seq);
        while after < goal {
            let page = self.ledger(hook_no, after, goal, limits::JOURNAL_PAGE, formats).await;
            let page = match page {
                // The hook, or what it waited for, is gone.
                Err(error) if error.is_not_found() || error.gone_oldest().is_some() => break,
                page => page?,
            };
            let missing = |state| matches!(state, LedgerState::Pending | LedgerState::Disabled);
            lost += page.entries.iter().filter(|entry| missing(entry.state)).count() as u64;
            if page.reached == after {
                break;
            }
            after = page.reached;
        }
        Ok(Some(lost))
    }
}

/// A hook whose live cursor, a running replay or a parked delivery needs a change up to `goal`.
pub(super) fn behind(sql: &Sql<'_>, app_no: i64, goal: u64) -> Result<Option<i64>> {
    sql.row(
        "SELECT h.hook_no FROM hook h WHERE h.app_no = ?1 AND h.deleted_at IS NULL AND (
           EXISTS (SELECT 1 FROM cursor c WHERE c.hook_no = h.hook_no AND c.settled_seq < ?2
             AND c.cancelled_at IS NULL AND (c.until_seq IS NULL OR c.settled_seq < c.until_seq))
           OR EXISTS (SELECT 1 FROM parked p WHERE p.hook_no = h.hook_no AND p.first_seq <= ?2
             AND p.due_at IS NOT NULL))
         ORDER BY h.hook_no LIMIT 1",
        values![app_no, goal],
        |row| row.get(0),
    )
}

fn cursors_behind(sql: &Sql<'_>, hook_no: i64, goal: u64) -> Result<Vec<Behind>> {
    sql.rows(
        "SELECT cursor_no, id, settled_seq, delivered, until_seq FROM cursor
         WHERE hook_no = ?1 AND settled_seq < ?2 AND cancelled_at IS NULL
           AND (until_seq IS NULL OR settled_seq < until_seq) ORDER BY cursor_no",
        values![hook_no, goal],
        |row| {
            let id: Option<Vec<u8>> = row.get(1)?;
            let until: Option<u64> = row.get(4)?;
            Ok(Behind {
                goal: until.map_or(goal, |until| until.min(goal)),
                cursor_no: row.get(0)?,
                id: id.and_then(|id| Bits96::from_bytes(&id)).map(ReplayId),
                settled_seq: row.get(2)?,
                delivered: row.get(3)?,
            })
        },
    )
}

/// Moves the cursors and gives deliveries up; `None` when there were none.
fn write(tx: &Tx<'_>, mut gap: Gap, now: Timestamp) -> Result<Option<Gap>> {
    let (hook_no, goal) = (gap.hook_no, gap.to_seq);
    let cursors = cursors_behind(&tx.sql, hook_no, goal)?;
    for cursor in &cursors {
        gap.from_seq = gap.from_seq.min(cursor.settled_seq + 1);
        gap.replays.extend(cursor.id);
        if cursor.cursor_no == 0 {
            for (from_seq, to_seq) in unsettled(cursor.settled_seq, &cursor.delivered, goal) {
                note(&tx.sql, hook_no, from_seq, to_seq, now)?;
            }
        }
        let above = above(&cursor.delivered, cursor.goal - cursor.settled_seq);
        tx.sql.run(
            "UPDATE cursor SET settled_seq = ?3, delivered = ?4
             WHERE hook_no = ?1 AND cursor_no = ?2",
            values![hook_no, cursor.cursor_no, cursor.goal, above],
        )?;
    }
    let given_up = tx.sql.rows(
        "UPDATE parked SET due_at = NULL, waits = 0, reason = ?3, parked_at = ?5
         WHERE (hook_no, cursor_no, first_seq, group_key) IN
           (SELECT hook_no, cursor_no, first_seq, group_key FROM parked
            WHERE hook_no = ?1 AND first_seq <= ?2 AND due_at IS NOT NULL
            ORDER BY first_seq LIMIT ?4) RETURNING first_seq",
        values![hook_no, goal, TRIMMED, limits::RETENTION_COMMIT_PARKED, now.0],
        |row| row.get::<u64>(0),
    )?;
    gap.exhausted = given_up.len() as u64;
    gap.from_seq = given_up.into_iter().fold(gap.from_seq, u64::min);
    Ok((!cursors.is_empty() || gap.exhausted > 0).then_some(gap))
}

/// Notes that a live cursor jumped a range.
fn note(sql: &Sql<'_>, hook_no: i64, from_seq: u64, to_seq: u64, now: Timestamp) -> Result<()> {
    sql.run(
        "INSERT INTO skipped (hook_no, from_seq, to_seq, reason, at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (hook_no, from_seq) DO UPDATE SET
           to_seq = excluded.to_seq, reason = excluded.reason, at = excluded.at",
        values![hook_no, from_seq, to_seq, REASON, now.0],
    )?;
    Ok(())
}

/// The bitmap of a cursor that moved on by `by` changes.
fn above(delivered: &[u8], by: u64) -> Vec<u8> {
    let bit = |at: u64| {
        let byte = usize::try_from(at / 8).ok().and_then(|byte| delivered.get(byte));
        byte.is_some_and(|byte| byte & (1 << (at % 8)) != 0)
    };
    let left = (delivered.len() as u64 * 8).saturating_sub(by);
    let mut above = vec![0; left.div_ceil(8) as usize];
    for at in (0..left).filter(|at| bit(at + by)) {
        above[(at / 8) as usize] |= 1 << (at % 8);
    }
    above
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_settled_above_the_goal_stays_settled() {
        for (delivered, by, expected) in [
            (&[][..], 5, &[][..]),
            (&[0b1010_0000], 0, &[0b1010_0000]),
            (&[0b1010_0000], 5, &[0b101]),
            (&[0b1010_0000, 0b11], 7, &[0b111, 0]),
            (&[0, 0b11], 8, &[0b11]),
            (&[0xff], 8, &[]),
            (&[0xff], 100, &[]),
        ] {
            assert_eq!(above(delivered, by), expected, "{delivered:?} by {by}");
        }
    }
}
