//! Outcomes: what an attempt means for cursors, parked deliveries, breakers and hooks.

use bytes::Bytes;
use serde_json::{Value, json};
use tidings_core::change::{NewChange, Origin, Subject, types};
use tidings_core::clock::Timestamp;
use tidings_core::delivery::delivery_id;
use tidings_core::hook::{HookStatus, OnExhausted};
use tidings_core::id::ChangeId;
use tidings_core::limits;
use tidings_store::{HookCount, ParkedWrite, Settle};

use crate::breaker::Breaker;
use crate::deliver::{ERASED, Outcome};
use crate::dispatch::{Dispatch, Slot};
use crate::hook::{HookState, Sending};
use crate::order::Entry;
use crate::settle::{ParkedUnder, parked_put};

impl Dispatch {
    /// Takes the outcome of an attempt.
    pub(crate) fn outcome(&mut self, outcome: Outcome, now: Timestamp) {
        let hook_no = outcome.record.hook_no;
        let delivery = (outcome.record.cursor_no, outcome.record.members.first_seq);
        let mut slot = Slot { app_no: outcome.app_no, hook_no, delivery, parked_changed: false };
        let Some(state) = self.hooks.get_mut(&hook_no) else {
            self.pending.attempts.push(outcome.record);
            self.slots.push(slot);
            return;
        };
        let Some(sending) = state.sending.get_mut(&delivery) else {
            self.slots.push(slot);
            return;
        };
        let (hook, record) = ((outcome.app_no, hook_no), &outcome.record);
        self.counted.count(hook, record.delivered, record.total_us, now);
        sending.done = true;
        let changes = std::mem::take(&mut sending.changes);
        let sent = Sending { changes, ..sending.clone() };
        let sound = state.hook.failing_since.is_none() && state.hook.consecutive_failures == 0;
        if sound && outcome.record.delivered {
            *self.runs.entry(hook_no).or_default() += 1;
        } else {
            self.pending.counts.push(count(&outcome));
        }
        if outcome.record.delivered {
            slot.parked_changed = delivered(state, delivery, &sent, &outcome, &mut self.pending);
            self.healthy(hook_no, sent.test, now);
        } else {
            let fraction = self.ids.fraction();
            let failed = Failed { delivery, sent: &sent, outcome: &outcome, now, fraction };
            let change_id = ChangeId(self.ids.next(now));
            let (changed, ends) = failed.settle(state, &mut self.pending, change_id);
            slot.parked_changed = changed;
            self.unhealthy(&outcome, ends, now);
        }
        self.pending.attempts.push(outcome.record);
        self.dirty.insert(hook_no);
        self.slots.push(slot);
    }

    /// A receiver answered with a 2xx: whatever was held against it is forgotten, and a disabled hook
    /// whose test event it took goes on.
    fn healthy(&mut self, hook_no: i64, test: bool, now: Timestamp) {
        let Some(state) = self.hooks.get_mut(&hook_no) else { return };
        state.hook.failing_since = None;
        state.hook.consecutive_failures = 0;
        if test && state.hook.status == HookStatus::Disabled {
            state.hook.status = HookStatus::Active;
            state.breaker = Breaker::closed();
            self.pending.enabled.push(hook_no);
        }
        if std::mem::take(&mut state.hook.failing_told) {
            self.tell(hook_no, types::HOOK_RECOVERED, &[], now);
            self.pending.failing_told.push((hook_no, false));
        }
    }

    /// Disables a hook when the rule says so, or tells its owner that it fails. Trouble with telling of
    /// trouble is not told of.
    fn unhealthy(&mut self, outcome: &Outcome, ends: Option<String>, now: Timestamp) {
        let hook_no = outcome.record.hook_no;
        let Some(state) = self.hooks.get_mut(&hook_no) else { return };
        let reason = ends.or_else(|| tried_in_vain(state, outcome, now));
        if state.hook.status != HookStatus::Active {
            return;
        }
        if let Some(reason) = reason {
            state.hook.status = HookStatus::Disabled;
            if !outcome.operational {
                self.tell(hook_no, types::HOOK_DISABLED, &[("reason", json!(reason))], now);
            }
            self.pending.disabled.push((hook_no, reason));
        } else if outcome.tried && !outcome.operational && fails(state) {
            state.hook.failing_told = true;
            let error = outcome.record.error.as_ref().map(|(_, detail)| detail);
            let more = [
                ("last_error", json!(error)),
                ("consecutive_failures", json!(state.hook.consecutive_failures)),
                ("failing_since", json!(state.hook.failing_since)),
            ];
            self.tell(hook_no, types::HOOK_FAILING, &more, now);
            self.pending.failing_told.push((hook_no, true));
        }
    }

    /// Ends a hook whose time has passed, and tells its owner.
    pub(crate) fn expire(&mut self, hook_no: i64, now: Timestamp) {
        if !self.hooks.get_mut(&hook_no).is_some_and(|state| state.expire(now)) {
            return;
        }
        let reason = "its expiration has passed";
        self.tell(hook_no, types::HOOK_DISABLED, &[("reason", json!(reason))], now);
        self.pending.disabled.push((hook_no, reason.into()));
        self.dirty.insert(hook_no);
    }

    /// Writes an operational change about a hook.
    fn tell(&mut self, hook_no: i64, kind: &str, more: &[(&str, Value)], now: Timestamp) {
        let id = ChangeId(self.ids.next(now));
        let Some(state) = self.hooks.get(&hook_no) else { return };
        let mut about = json!({"id": state.hook.id, "url": state.target.url});
        for (name, value) in more {
            about[name] = value.clone();
        }
        let change = operational(id, kind, hook_no, &json!({"hook": about}), now);
        self.pending.changes.push((state.hook.app_no, change));
    }
}

/// Whether its owner is to be told that a hook fails, and was not.
fn fails(state: &HookState) -> bool {
    let in_a_row = state.hook.consecutive_failures >= limits::HOOK_FAILING_AFTER;
    !state.hook.failing_told && (in_a_row || state.breaker.is_open())
}

/// Counts a failure against the hook; answers why it is to be disabled, when the rule says so.
fn tried_in_vain(state: &mut HookState, outcome: &Outcome, now: Timestamp) -> Option<String> {
    if !outcome.tried {
        return None;
    }
    let since = *state.hook.failing_since.get_or_insert(now);
    state.hook.consecutive_failures += 1;
    let rule = state.hook.service.disable;
    if outcome.gone {
        return Some("receiver answered 410, it wants no more".into());
    }
    if rule.failing_ms.is_some_and(|failing_ms| now.0 - since.0 >= failing_ms) {
        return Some(format!("nothing but failures since {since}"));
    }
    let failures = rule.failures.filter(|most| state.hook.consecutive_failures >= *most)?;
    Some(format!("{failures} failures in a row"))
}

/// Settles a delivered one; answers whether a parked row goes.
fn delivered(
    state: &mut HookState,
    delivery: (i64, u64),
    sent: &Sending,
    outcome: &Outcome,
    pending: &mut Settle,
) -> bool {
    state.settle_lane(delivery.0, &sent.changes);
    state.breaker.succeeded();
    state.succeeded();
    if !sent.parked {
        return false;
    }
    if let Some(key) = sent.key {
        state.order.remove(key, (delivery.1, delivery.0));
    }
    let members = outcome.record.members.clone();
    let remove = ParkedWrite::Remove { cursor_no: delivery.0, members };
    pending.parked.push((state.hook.hook_no, remove));
    true
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
    /// Parks it, or leaves it where it was when the receiver failed a probe. Answers whether a parked row
    /// changed, and why the hook ends with this delivery, if it does.
    fn settle(
        &self,
        state: &mut HookState,
        pending: &mut Settle,
        change_id: ChangeId,
    ) -> (bool, Option<String>) {
        let Self { delivery, sent, outcome, now, .. } = *self;
        if outcome.tried && !sent.test && state.hook.service.breaker {
            state.breaker.failed(delivery, outcome.hard, sent.probe, now);
        } else if sent.probe {
            state.breaker.abandon_probe();
        }
        if sent.probe && outcome.tried {
            if !sent.parked {
                state.put_back(delivery.0, sent);
            }
            return (sent.parked, None);
        }
        let made = sent.attempts + 1;
        let due_at = self.due_at(state, made);
        state.failed(delivery.0, sent, due_at.is_some());
        state.settle_lane(delivery.0, &sent.changes);
        let members = outcome.record.members.clone();
        let id = delivery_id(state.hook.id, state.hook.hook_no, &members);
        let reason = outcome.record.error.as_ref().map(|(_, detail)| detail.clone());
        let reason = reason.unwrap_or_else(|| "failed".into());
        if due_at.is_none() && !outcome.operational {
            let body = json!({"hook": {"id": state.hook.id}, "delivery": id, "attempts": made,
                "last_error": reason});
            let hook_no = state.hook.hook_no;
            let change = operational(change_id, types::DELIVERY_EXHAUSTED, hook_no, &body, now);
            pending.changes.push((state.hook.app_no, change));
        }
        let entry = Entry { members, attempts: made, due_at: due_at.unwrap_or(now) };
        let under = ParkedUnder { key: sent.key, waits: false };
        let put = parked_put(delivery.0, &entry, due_at, reason, under);
        pending.parked.push((state.hook.hook_no, put));
        match (sent.key, due_at) {
            (Some(key), Some(_)) => state.order.park(key, delivery.0, entry),
            (Some(key), None) => state.order.remove(key, (delivery.1, delivery.0)),
            (None, _) => {}
        }
        let stops = due_at.is_none()
            && sent.key.is_some()
            && state.hook.service.on_exhausted == OnExhausted::Stop;
        let why = || format!("delivery {id} was given up, and nothing may overtake it");
        (true, stops.then(why))
    }

    /// When it is due again; `None` when it is given up.
    fn due_at(&self, state: &HookState, made: u32) -> Option<Timestamp> {
        let Self { sent, outcome, .. } = *self;
        let erased = outcome.record.error.as_ref().is_some_and(|(class, _)| class == ERASED);
        // A hook that does not deliver is tested once.
        let only_test = sent.test && state.hook.status != HookStatus::Active;
        if outcome.gone || erased || only_test {
            return None;
        }
        let service = &state.hook.service;
        let fraction = if service.jitter { self.fraction } else { 0.0 };
        let wait = service.retry.wait_ms(made, fraction, outcome.retry_after_ms)?;
        Some(self.now.plus_ms(wait))
    }
}

fn count(outcome: &Outcome) -> HookCount {
    let delivered = outcome.record.delivered;
    HookCount {
        hook_no: outcome.record.hook_no,
        runs: 1,
        failures: u64::from(!delivered),
        // What failed on our side says nothing about the receiver.
        failures_in_a_row: u64::from(!delivered && outcome.tried),
        succeeded: delivered,
    }
}

fn operational(id: ChangeId, kind: &str, hook_no: i64, body: &Value, now: Timestamp) -> NewChange {
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
