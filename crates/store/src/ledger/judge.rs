//! The judgement: what became of one change, from what is known of its hook.

use std::collections::HashMap;

use tidings_core::change::{Change, types};
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::format::Formats;
use tidings_core::hook::{Grouping, HookStatus};

use super::{LedgerAttempt, LedgerEntry, LedgerState};
use crate::hook::Hook;

/// What is known of a hook and some changes.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) hook: Hook,
    pub(super) settled: Settled,
    pub(super) parked: Notes<Parked>,
    pub(super) delivered: Notes<LedgerAttempt>,
    pub(super) skipped: Vec<Skipped>,
}

/// How far the hook is settled.
#[derive(Debug)]
pub(super) struct Settled {
    /// Its app is matched up to here, and so is the hook unless it has a cursor.
    pub(super) matched: u64,
    /// Where its live cursor stands, and the bitmap of what is settled above.
    pub(super) cursor: Option<(u64, Vec<u8>)>,
}

impl Settled {
    fn has(&self, seq: u64) -> bool {
        let Some((settled, above)) = &self.cursor else { return seq <= self.matched };
        if seq <= *settled {
            return true;
        }
        let bit = (seq - settled - 1) as usize;
        above.get(bit / 8).is_some_and(|byte| byte & (1 << (bit % 8)) != 0)
    }
}

/// A delivery in trouble.
#[derive(Debug)]
pub(super) struct Parked {
    /// Absent: given up.
    pub(super) due_at: Option<Timestamp>,
    pub(super) reason: String,
    pub(super) parked_at: Timestamp,
}

/// What a cursor jumped.
#[derive(Debug)]
pub(super) struct Skipped {
    pub(super) from_seq: u64,
    pub(super) to_seq: u64,
    pub(super) reason: String,
}

/// Something that is noted of a delivery.
#[derive(Debug)]
pub(super) struct Note<T> {
    pub(super) members: Members,
    pub(super) what: T,
}

/// Notes by what their deliveries stand for.
#[derive(Debug)]
pub(super) struct Notes<T> {
    pub(super) single: HashMap<u64, Vec<Note<T>>>,
    /// Of groups of changes.
    pub(super) ranges: Vec<Note<T>>,
}

impl<T> Notes<T> {
    pub(super) fn put(&mut self, note: Note<T>) {
        if note.members.group.is_empty() {
            self.single.entry(note.members.first_seq).or_default().push(note);
        } else {
            self.ranges.push(note);
        }
    }

    /// The notes of deliveries that `change` is part of; of groups only when the hook selected it.
    fn of<'a>(&'a self, change: &'a Change, selected: bool) -> impl Iterator<Item = &'a Note<T>> {
        let covers = move |note: &&Note<T>| {
            let Members { first_seq, last_seq, group, .. } = &note.members;
            selected
                && (*first_seq..=*last_seq).contains(&change.seq)
                && Grouping::groups(group, change)
        };
        let single = self.single.get(&change.seq).into_iter().flatten();
        single.chain(self.ranges.iter().filter(covers))
    }
}

impl Book {
    /// What became of `change`. What there is a row of goes first: it happened, whatever the hook selects.
    pub(super) fn judge(&self, formats: &Formats, change: &Change) -> LedgerEntry {
        let version = self.hook.selection_at(change.seq);
        let selected =
            version.is_some_and(|selection| selection.matches(formats, self.hook.hook_no, change));
        let test = change.new.kind == types::HOOK_TEST;
        // A test event is a delivery of its own, in no group.
        if let Some(entry) = self.noted(change, selected && !test) {
            return entry;
        }
        let entry = |state, reason: Option<&str>| LedgerEntry {
            reason: reason.map(str::to_owned),
            ..blank(change, state)
        };
        if !selected {
            let reason = version.is_none().then_some("the hook did not select anything yet");
            return entry(LedgerState::Filtered, reason);
        }
        // Nor does a cursor pass it, or jump it.
        let settled =
            if test { change.seq <= self.settled.matched } else { self.settled.has(change.seq) };
        let jumped =
            |skipped: &&Skipped| !test && (skipped.from_seq..=skipped.to_seq).contains(&change.seq);
        if let Some(skipped) = self.skipped.iter().find(jumped) {
            return entry(LedgerState::Skipped, Some(&skipped.reason));
        }
        if settled {
            return entry(LedgerState::Delivered, None);
        }
        match self.hook.status {
            HookStatus::Active => entry(LedgerState::Pending, None),
            HookStatus::Paused => entry(LedgerState::Pending, Some("the hook is paused")),
            HookStatus::Disabled => {
                let reason = self.hook.status_reason.as_deref();
                entry(LedgerState::Disabled, reason.or(Some("the hook is disabled")))
            }
        }
    }

    /// What the rows of a change's deliveries say: a retry to come, else what came last.
    fn noted(&self, change: &Change, selected: bool) -> Option<LedgerEntry> {
        let parked = self.parked.of(change, selected);
        let trouble = parked.max_by_key(|note| (note.what.due_at.is_some(), note.what.parked_at));
        let delivered = self.delivered.of(change, selected).max_by_key(|note| note.what.started_at);
        let later = |trouble: &&Note<Parked>| {
            trouble.what.due_at.is_some()
                || delivered.is_none_or(|done| done.what.started_at < trouble.what.parked_at)
        };
        if let Some(trouble) = trouble.filter(later) {
            let state = match trouble.what.due_at {
                Some(_) => LedgerState::Parked,
                None => LedgerState::Exhausted,
            };
            return Some(LedgerEntry {
                members: Some(trouble.members.clone()),
                next_attempt_at: trouble.what.due_at,
                reason: Some(trouble.what.reason.clone()),
                ..blank(change, state)
            });
        }
        let done = delivered?;
        Some(LedgerEntry {
            members: Some(done.members.clone()),
            attempt: Some(done.what),
            ..blank(change, LedgerState::Delivered)
        })
    }
}

fn blank(change: &Change, state: LedgerState) -> LedgerEntry {
    LedgerEntry {
        seq: change.seq,
        change: change.new.id,
        kind: change.new.kind.clone(),
        recorded_at: change.recorded_at,
        state,
        members: None,
        attempt: None,
        next_attempt_at: None,
        reason: None,
    }
}
