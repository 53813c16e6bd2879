//! Settle: what outcomes mean for cursors, parked deliveries, breakers and hooks, collected for one
//! commit.

use bytes::Bytes;
use serde_json::json;
use tidings_core::change::{NewChange, Origin, Subject, types};
use tidings_core::clock::Timestamp;
use tidings_core::delivery::delivery_id;
use tidings_core::id::ChangeId;
use tidings_store::{CursorWrite, HookCount, ParkedWrite, Settle};

use crate::deliver::{ERASED, Outcome};
use crate::dispatch::{Dispatch, Slot};
use crate::hook::{HookState, Sending};

/// A hook with nothing but failures for this long is disabled, ms (5 days).
const DISABLE_AFTER_MS: i64 = 5 * 24 * 3600 * 1000;

/// A settle under way: what its durability frees.
#[derive(Debug)]
pub(crate) struct Ticket {
    slots: Vec<Slot>,
    matched: Vec<(i64, u64)>,
}

impl Dispatch {
    /// Takes the outcome of an attempt.
    pub(crate) fn outcome(&mut self, outcome: Outcome, now: Timestamp) {
        let hook_no = outcome.record.hook_no;
        let delivery = (outcome.record.cursor_no, outcome.record.members.first_seq);
        let mut slot = Slot { hook_no, delivery, parked_changed: false };
        let Some(state) = self.hooks.get_mut(&hook_no) else {
            self.pending.attempts.push(outcome.record);
            self.slots.push(slot);
            return;
        };
        let Some(sending) = state.sending.get_mut(&delivery) else {
            self.slots.push(slot);
            return;
        };
        sending.done = true;
        let sent = Sending { change: sending.change.clone(), ..*sending };
        self.pending.counts.push(count(hook_no, outcome.record.delivered));
        slot.parked_changed = if outcome.record.delivered {
            delivered(state, delivery, &sent, &outcome, &mut self.pending)
        } else {
            let fraction = self.ids.fraction();
            let failed = Failed { delivery, sent: &sent, outcome: &outcome, now, fraction };
            let change_id = ChangeId(self.ids.next(now));
            failed.settle(state, &mut self.pending, change_id)
        };
        self.disable_if_due(&outcome, now);
        self.pending.attempts.push(outcome.record);
        self.dirty.insert(hook_no);
        self.slots.push(slot);
    }

    /// Disables a hook whose receiver is gone, or that has only failed for too long.
    fn disable_if_due(&mut self, outcome: &Outcome, now: Timestamp) {
        let hook_no = outcome.record.hook_no;
        let Some(state) = self.hooks.get_mut(&hook_no).filter(|_| outcome.tried) else { return };
        if outcome.record.delivered {
            state.hook.failing_since = None;
            return;
        }
        let since = *state.hook.failing_since.get_or_insert(now);
        let reason = if outcome.gone {
            "receiver answered 410, it wants no more"
        } else if now.0 - since.0 >= DISABLE_AFTER_MS {
            "nothing but failures for 5 days"
        } else {
            return;
        };
        if state.hook.status == tidings_core::hook::HookStatus::Disabled {
            return;
        }
        state.hook.status = tidings_core::hook::HookStatus::Disabled;
        self.pending.disabled.push((hook_no, reason.to_owned()));
        let body =
            json!({"hook": {"id": state.hook.id, "url": state.target.url, "reason": reason}});
        let id = ChangeId(self.ids.next(now));
        let change = operational(id, types::HOOK_DISABLED, hook_no, &body, now);
        self.pending.changes.push((state.hook.app_no, change));
    }

    /// Everything learnt since the last settle, or `None` when no outcome is waiting. `all` includes where
    /// cursors and apps stand without one: a crash before that only means matching them again.
    pub(crate) fn take_settle(&mut self, all: bool) -> Option<(Settle, Ticket)> {
        if !all && self.slots.is_empty() && self.pending.rows() == 0 {
            return None;
        }
        let mut settle = std::mem::take(&mut self.pending);
        let mut apps = std::collections::BTreeSet::new();
        for hook_no in std::mem::take(&mut self.dirty) {
            let Some(state) = self.hooks.get_mut(&hook_no) else { continue };
            let Some(app) = self.apps.get(&state.hook.app_no) else { continue };
            apps.insert(state.hook.app_no);
            cursors(state, app.matched, &mut settle.cursors);
        }
        for (app_no, app) in &self.apps {
            if app.matched > app.durable && (all || apps.contains(app_no)) {
                settle.matched.push((*app_no, app.matched));
            }
        }
        merge_counts(&mut settle.counts);
        if settle.rows() == 0 && self.slots.is_empty() {
            return None;
        }
        let ticket =
            Ticket { slots: std::mem::take(&mut self.slots), matched: settle.matched.clone() };
        Some((settle, ticket))
    }

    /// A settle is durable: its slots are free.
    pub(crate) fn settled(&mut self, ticket: Ticket) {
        for (app_no, matched) in ticket.matched {
            if let Some(app) = self.apps.get_mut(&app_no) {
                app.durable = app.durable.max(matched);
            }
        }
        for slot in ticket.slots {
            self.in_flight = self.in_flight.saturating_sub(1);
            if let Some(state) = self.hooks.get_mut(&slot.hook_no) {
                state.settled(slot.delivery, slot.parked_changed);
                self.wake(slot.hook_no);
            }
        }
    }
}

/// Settles a delivered one; answers whether a parked row goes.
fn delivered(
    state: &mut HookState,
    delivery: (i64, u64),
    sent: &Sending,
    outcome: &Outcome,
    pending: &mut Settle,
) -> bool {
    settle_lane(state, delivery);
    state.breaker.succeeded();
    if sent.parked {
        let members = outcome.record.members.clone();
        let remove = ParkedWrite::Remove { cursor_no: delivery.0, members };
        pending.parked.push((state.hook.hook_no, remove));
    }
    sent.parked
}

/// A failed attempt.
struct Failed<'a> {
    delivery: (i64, u64),
    sent: &'a Sending,
    outcome: &'a Outcome,
    now: Timestamp,
    fraction: f64,
}

impl Failed<'_> {
    /// Parks it, or leaves it where it was when the receiver failed a probe; answers whether a parked row changed.
    fn settle(&self, state: &mut HookState, pending: &mut Settle, change_id: ChangeId) -> bool {
        let Self { delivery, sent, outcome, now, fraction } = *self;
        if outcome.tried {
            state.breaker.failed(delivery, outcome.hard, sent.probe, now);
        } else if sent.probe {
            state.breaker.abandon_probe();
        }
        let members = outcome.record.members.clone();
        let reason = outcome.record.error.as_ref().map(|(_, detail)| detail.clone());
        let reason = reason.unwrap_or_else(|| "failed".into());
        if sent.probe && outcome.tried {
            if let Some(change) = &sent.change {
                put_back(state, delivery, change);
            }
            return sent.parked;
        }
        settle_lane(state, delivery);
        let made = sent.attempts + 1;
        let retry = &state.hook.service.retry;
        let erased = outcome.record.error.as_ref().is_some_and(|(class, _)| class == ERASED);
        let wait = if outcome.gone || erased {
            None
        } else {
            retry.wait_ms(made, fraction, outcome.retry_after_ms)
        };
        let due_at = wait.map(|wait| now.plus_ms(wait));
        if due_at.is_none() && !outcome.operational {
            let id = delivery_id(state.hook.id, state.hook.hook_no, &members);
            let body = json!({"hook": {"id": state.hook.id}, "delivery": id, "attempts": made,
                "last_error": reason});
            let hook_no = state.hook.hook_no;
            let change = operational(change_id, types::DELIVERY_EXHAUSTED, hook_no, &body, now);
            pending.changes.push((state.hook.app_no, change));
        }
        let cursor_no = delivery.0;
        let put = ParkedWrite::Put { cursor_no, members, attempts: made, due_at, reason };
        pending.parked.push((state.hook.hook_no, put));
        true
    }
}

fn settle_lane(state: &mut HookState, (cursor_no, seq): (i64, u64)) {
    if let Some(lane) = state.lanes.iter_mut().find(|lane| lane.cursor_no == cursor_no) {
        lane.settle(seq);
    }
}

fn put_back(
    state: &mut HookState,
    (cursor_no, _): (i64, u64),
    change: &std::sync::Arc<tidings_core::change::Change>,
) {
    if let Some(lane) = state.lanes.iter_mut().find(|lane| lane.cursor_no == cursor_no) {
        lane.put_back(std::sync::Arc::clone(change));
    }
}

/// Where the cursors of a hook stand. Finished replays are written once more and dropped.
fn cursors(state: &mut HookState, matched: u64, writes: &mut Vec<CursorWrite>) {
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
        writes.push(CursorWrite::Lagging { hook_no, cursor_no, settled_seq, delivered });
    }
    state.lanes.retain(|lane| !lane.finished());
}

fn count(hook_no: i64, delivered: bool) -> HookCount {
    let failed = u64::from(!delivered);
    HookCount {
        hook_no,
        runs: 1,
        failures: failed,
        failures_in_a_row: failed,
        succeeded: delivered,
    }
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

fn operational(
    id: ChangeId,
    kind: &str,
    hook_no: i64,
    body: &serde_json::Value,
    now: Timestamp,
) -> NewChange {
    NewChange {
        id,
        kind: kind.to_owned(),
        subject: Subject { hook_no: Some(hook_no), ..Subject::default() },
        order_key: None,
        occurred_at: now,
        origin: Origin::Api,
        actor: None,
        traceparent: None,
        body: Bytes::from(body.to_string()),
    }
}
