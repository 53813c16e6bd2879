//! Settle: what was learnt about cursors, parked deliveries and hooks, collected for one commit.

use tidings_core::clock::Timestamp;
use tidings_store::{CursorWrite, HookCount, ParkedWrite, Settle};

use crate::dispatch::{Dispatch, Slot};
use crate::hook::HookState;
use crate::order::Entry;

/// A settle under way: what its durability frees.
#[derive(Debug)]
pub(crate) struct Ticket {
    slots: Vec<Slot>,
    matched: Vec<(i64, u64)>,
    /// Replays that have nothing left to do, by hook and cursor.
    finished: Vec<(i64, i64)>,
}

/// The key of a parked delivery, and whether it waits there for an earlier one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ParkedUnder {
    pub(crate) key: Option<i64>,
    pub(crate) waits: bool,
}

/// Parks a delivery; without `due_at` it is given up.
pub(crate) fn parked_put(
    cursor_no: i64,
    entry: &Entry,
    due_at: Option<Timestamp>,
    reason: String,
    under: ParkedUnder,
) -> ParkedWrite {
    let (members, attempts) = (entry.members.clone(), entry.attempts);
    let ParkedUnder { key: key_hash, waits } = under;
    ParkedWrite::Put { cursor_no, members, attempts, due_at, reason, key_hash, waits }
}

impl Dispatch {
    /// Everything learnt since the last settle, or `None` when no outcome is waiting. `all` includes where
    /// cursors and apps stand without one: a crash before that only means matching them again.
    pub(crate) fn take_settle(&mut self, all: bool) -> Option<(Settle, Ticket)> {
        if !all && self.slots.is_empty() && self.pending.rows() == 0 {
            return None;
        }
        let mut settle = std::mem::take(&mut self.pending);
        let mut apps = std::collections::BTreeSet::new();
        let mut finished = Vec::new();
        for hook_no in std::mem::take(&mut self.dirty) {
            let Some(state) = self.hooks.get_mut(&hook_no) else { continue };
            let Some(app) = self.apps.get(&state.hook.app_no) else { continue };
            apps.insert(state.hook.app_no);
            cursors(state, app.matched, &mut settle.cursors, &mut finished);
        }
        if all {
            apps.extend(self.apps.keys());
        }
        let moved = |app_no: i64| {
            let app = self.apps.get(&app_no).filter(|app| app.matched > app.durable)?;
            Some((app_no, app.matched))
        };
        settle.matched.extend(apps.into_iter().filter_map(moved));
        if all {
            settle.counts.extend(std::mem::take(&mut self.runs).into_iter().map(more_runs));
        }
        merge_counts(&mut settle.counts);
        if settle.rows() == 0 && self.slots.is_empty() {
            return None;
        }
        let (slots, matched) = (std::mem::take(&mut self.slots), settle.matched.clone());
        Some((settle, Ticket { slots, matched, finished }))
    }

    /// A settle is durable: its slots are free.
    pub(crate) fn settled(&mut self, ticket: Ticket) {
        for (app_no, matched) in ticket.matched {
            if let Some(app) = self.apps.get_mut(&app_no) {
                app.durable = app.durable.max(matched);
            }
        }
        for (hook_no, cursor_no) in ticket.finished {
            if let Some(state) = self.hooks.get_mut(&hook_no) {
                state.lanes.retain(|lane| lane.cursor_no != cursor_no);
            }
        }
        for slot in ticket.slots {
            self.in_flight = self.in_flight.saturating_sub(1);
            self.turns.ended(slot.app_no);
            if let Some(state) = self.hooks.get_mut(&slot.hook_no) {
                state.settled(slot.delivery, slot.parked_changed);
                self.wake(slot.hook_no);
            }
        }
    }
}

/// Where the cursors of a hook stand. A finished replay is dropped when that is durable, not before: the
/// store would have it begin anew.
fn cursors(
    state: &mut HookState,
    matched: u64,
    writes: &mut Vec<CursorWrite>,
    finished: &mut Vec<(i64, i64)>,
) {
    let hook_no = state.hook.hook_no;
    for lane in &mut state.lanes {
        let settled_seq = lane.settled_seq(matched);
        if lane.cursor_no == 0 && !lane.lags() {
            if state.has_row {
                writes.push(CursorWrite::Current { hook_no, settled_seq });
                state.has_row = false;
            }
            lane.delivered(settled_seq);
            continue;
        }
        state.has_row |= lane.cursor_no == 0;
        let (cursor_no, delivered) = (lane.cursor_no, lane.delivered(settled_seq));
        let sent = lane.sent_count;
        writes.push(CursorWrite::Lagging { hook_no, cursor_no, settled_seq, delivered, sent });
    }
    let ended = state.lanes.iter().filter(|lane| lane.finished());
    finished.extend(ended.map(|lane| (hook_no, lane.cursor_no)));
}

/// Deliveries of a hook that change nothing but their number.
fn more_runs((hook_no, runs): (i64, u64)) -> HookCount {
    HookCount { hook_no, runs, failures: 0, failures_in_a_row: 0, succeeded: false }
}

/// Adds up the counts of each hook, in the order in which they came.
fn merge_counts(counts: &mut Vec<HookCount>) {
    let mut merged = std::collections::BTreeMap::<i64, HookCount>::new();
    for next in counts.drain(..) {
        let Some(sum) = merged.get_mut(&next.hook_no) else {
            merged.insert(next.hook_no, next);
            continue;
        };
        sum.runs += next.runs;
        sum.failures += next.failures;
        sum.succeeded |= next.succeeded;
        sum.failures_in_a_row =
            if next.succeeded { 0 } else { sum.failures_in_a_row + next.failures_in_a_row };
    }
    counts.extend(merged.into_values());
}
