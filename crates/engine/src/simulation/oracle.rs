//! The oracle: what the engine promises, checked from outside after every step.
//!
//! It knows the model of the store, what was sent and what receivers took, and nothing of the engine's
//! own state.

use std::collections::{BTreeMap, BTreeSet};

use tidings_core::change::types;
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::hook::{Grouping, HookStatus, Service};
use tidings_core::limits;
use tidings_store::{Hook, ParkedRow, ParkedWrite, Settle};

use super::model::{DeliveryKey, Model, key};
use super::plan::formats;
use super::receiver::Receivers;
use super::served::Served;
use crate::dispatch::Send;

/// A broken promise.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// Which promise, in a few words.
    pub(crate) rule: &'static str,
    /// What was seen.
    pub(crate) what: String,
}

pub(crate) type Checked = Result<(), Violation>;

pub(crate) fn broken(rule: &'static str, what: impl Into<String>) -> Checked {
    Err(Violation { rule, what: what.into() })
}

/// What is known of a delivery that was sent.
#[derive(Debug, Default)]
struct Known {
    /// A 2xx came in time.
    good: bool,
    /// An attempt of it is durable.
    durable: bool,
    /// It may be repeated so often, for crashes and for resends that were asked for.
    licences: u32,
}

/// What the engine was told of a hook.
#[derive(Clone, Debug)]
struct Heard {
    status: HookStatus,
    service: Service,
}

#[derive(Debug, Default)]
pub(crate) struct Oracle {
    heard: BTreeMap<i64, Heard>,
    /// Sent, and no durable outcome yet.
    pub(crate) in_flight: BTreeMap<DeliveryKey, Members>,
    known: BTreeMap<DeliveryKey, Known>,
    /// The delivery that a change first went out in, by hook, cursor and seq.
    frozen: BTreeMap<(i64, i64, u64), Members>,
    /// Delivered durably, by hook, cursor and seq.
    delivered: BTreeSet<(i64, i64, u64)>,
    /// Where each cursor stood, by hook and cursor.
    settled: BTreeMap<(i64, i64), u64>,
    /// Hooks whose order or grouping was changed: what was parked under the old one goes by that.
    rearranged: BTreeSet<i64>,
    /// Resent because someone asked for it: it keeps to the order of its key, and has no window.
    asked_for: BTreeSet<DeliveryKey>,
    served: Served,
    /// Repetitions that crashes have cost.
    pub(crate) repeated: u64,
}

impl Oracle {
    /// The engine was told of a hook as it stands in the store.
    pub(crate) fn heard(&mut self, hook: &Hook) {
        let heard = Heard { status: hook.status, service: hook.service.clone() };
        self.heard.insert(hook.hook_no, heard);
    }

    /// The engine was told that a hook or its app is gone.
    pub(crate) fn heard_gone(&mut self, hook_no: i64) {
        self.heard.remove(&hook_no);
    }

    /// The engine was told that an app is gone.
    pub(crate) fn heard_app_gone(&mut self, model: &Model, app_no: i64) {
        self.heard.retain(|hook_no, _| model.hooks[hook_no].hook.app_no != app_no);
    }

    /// The engine looks at everything afresh: from now on it knows what is gone.
    pub(crate) fn heard_all(&mut self, model: &Model) {
        let gone = |hook: &Hook| model.apps[&hook.app_no].deleted;
        self.heard.retain(|hook_no, _| model.hook(*hook_no).is_some_and(|hook| !gone(hook)));
    }

    /// The process lost its memory.
    pub(crate) fn crashed(&mut self, model: &Model) -> Checked {
        if self.in_flight.len() > limits::IN_FLIGHT_MAX {
            return broken("a crash repeats no more than what was in flight", "too many");
        }
        for (delivery, _) in std::mem::take(&mut self.in_flight) {
            self.known.entry(delivery).or_default().licences += 1;
        }
        self.heard.clear();
        self.served.forget();
        // Only what is parked or delivered is remembered as it was formed.
        let delivered = &self.delivered;
        self.frozen.retain(|&(hook_no, cursor_no, seq), members| {
            model.parked.contains_key(&key(hook_no, cursor_no, members))
                || delivered.contains(&(hook_no, cursor_no, seq))
        });
        Ok(())
    }

    /// A resend was asked for.
    pub(crate) fn resent(&mut self, hook_no: i64, cursor_no: i64, members: &Members) {
        let delivery = key(hook_no, cursor_no, members);
        self.known.entry(delivery.clone()).or_default().licences += 1;
        self.asked_for.insert(delivery);
    }

    /// An attempt goes out.
    pub(crate) fn sent(&mut self, model: &Model, send: &Send, now: Timestamp) -> Checked {
        let delivery = key(send.hook_no, send.cursor_no, &send.members);
        let seqs = member_seqs(model, send.hook_no, &send.members);
        let whole = (seqs.first(), seqs.last(), seqs.len());
        let members = &send.members;
        if whole != (Some(&members.first_seq), Some(&members.last_seq), members.count as usize) {
            return broken(
                "a delivery stands for all of its group",
                format!("{members:?} {seqs:?}"),
            );
        }
        let Some(row) = model.hooks.get(&send.hook_no) else {
            return broken("only hooks that exist are served", format!("{delivery:?}"));
        };
        self.may_be_served(model, send, &seqs)?;
        for &seq in &seqs {
            if !selects(model, &row.hook, seq) {
                return broken("nothing is delivered that was not selected", format!("{seq}"));
            }
        }
        // What is parked has waited: its window was over, whatever the clock says since.
        let again = self.frozen.contains_key(&(send.hook_no, send.cursor_no, seqs[0]))
            || model.parked.contains_key(&delivery);
        self.is_frozen(model, send, &seqs)?;
        self.is_no_repetition(&delivery)?;
        if model.hook(send.hook_no).is_some() && !is_test(model, send.app_no, seqs[0]) {
            let service = self.heard[&send.hook_no].service.clone();
            let rearranged = self.rearranged.contains(&send.hook_no);
            if !rearranged {
                self.is_in_order(model, &row.hook, &service, send)?;
            }
            let excused = rearranged || self.asked_for.contains(&delivery);
            self.served.sent(model, &service, send, (excused, again), now)?;
        }
        self.in_flight.insert(delivery, send.members.clone());
        self.is_within_bounds(model, send)
    }

    fn may_be_served(&self, model: &Model, send: &Send, seqs: &[u64]) -> Checked {
        let what = || format!("hook {} {:?}", send.hook_no, send.members);
        let Some(heard) = self.heard.get(&send.hook_no) else {
            return broken("a hook that is gone is not served", what());
        };
        let tests = seqs.iter().all(|&seq| is_test(model, send.app_no, seq));
        if heard.status != HookStatus::Active && !tests {
            return broken("a hook that is not active is not served", what());
        }
        let until = model.cursors.get(&(send.hook_no, send.cursor_no)).and_then(|it| it.until_seq);
        // A hook may be gone without the engine having heard of it.
        if send.cursor_no > 0 && until.is_none() && model.hook(send.hook_no).is_some() {
            return broken("a delivery belongs to a cursor that exists", what());
        }
        Ok(())
    }

    /// Retries have the members of the first attempt. Only an attempt that a crash made forgotten may
    /// be formed anew.
    fn is_frozen(&mut self, model: &Model, send: &Send, seqs: &[u64]) -> Checked {
        // A resend has the members of whichever delivery was asked for.
        let delivery = key(send.hook_no, send.cursor_no, &send.members);
        let seqs = if self.asked_for.contains(&delivery) { &[] } else { seqs };
        for &seq in seqs {
            let place = (send.hook_no, send.cursor_no, seq);
            let before = self.frozen.insert(place, send.members.clone());
            let Some(before) = before.filter(|before| *before != send.members) else { continue };
            let merges = model.hooks[&send.hook_no].hook.service.merges;
            if merges || self.rearranged.contains(&send.hook_no) {
                continue;
            }
            let what = format!("{before:?} became {:?}", send.members);
            return broken("a retry keeps its members", what);
        }
        Ok(())
    }

    /// Nothing before it of its key is unsettled, whichever cursor, and nothing of its key is in flight.
    fn is_in_order(&self, model: &Model, hook: &Hook, by: &Service, send: &Send) -> Checked {
        let key_of = |seq| model.change(send.app_no, seq).and_then(|change| by.key_hash(change));
        // Groups overlap: their changes are in order within each.
        let group_of = |seq| model.change(send.app_no, seq).and_then(|change| by.group(change));
        let Some(ours) = key_of(send.members.first_seq) else { return Ok(()) };
        let mut in_flight = self.in_flight.keys().filter(|(hook_no, ..)| *hook_no == hook.hook_no);
        if let Some(other) = in_flight
            .find(|other| !is_test(model, send.app_no, other.2) && key_of(other.2) == Some(ours))
        {
            let what = format!("{other:?} and {:?}", send.members);
            return broken("a key has one delivery in flight", what);
        }
        // A replay that was cancelled owes only what is parked.
        let cursor = model.cursors.get(&(hook.hook_no, send.cursor_no));
        let begins = match cursor.filter(|row| row.cancelled_at.is_none()) {
            Some(row) => row.settled_seq,
            None => send.members.first_seq - 1,
        };
        for seq in begins + 1..send.members.first_seq {
            let before = key_of(seq) == Some(ours)
                && group_of(seq) == group_of(send.members.first_seq)
                && !is_test(model, send.app_no, seq);
            if before && !self.is_over(model, hook, send.cursor_no, seq) {
                let what =
                    format!("change {seq} before {:?} of hook {}", send.members, hook.hook_no);
                return broken("nothing of a key begins before what comes first is settled", what);
            }
        }
        let waits = model.parked_of(hook.hook_no).find(|row| {
            row.due_at.is_some()
                && row.cursor_no == send.cursor_no
                && row.members.first_seq < send.members.first_seq
                && key_of(row.members.first_seq) == Some(ours)
                && !is_test(model, send.app_no, row.members.first_seq)
                // Nobody may have heard yet that it was asked for; once it is sent, the key is locked.
                && !self.asked_for.contains(&key(hook.hook_no, row.cursor_no, &row.members))
        });
        match waits {
            None => Ok(()),
            Some(row) => {
                let what = format!("{:?} before {:?}", row.members, send.members);
                broken("nothing of a key begins before what comes first is settled", what)
            }
        }
    }

    /// Whether a change holds up nothing any more: delivered, given up, skipped, not selected, or asked for
    /// once more, which nobody may have heard yet.
    fn is_over(&self, model: &Model, hook: &Hook, cursor_no: i64, seq: u64) -> bool {
        let parked = parked_at(model, hook.hook_no, cursor_no, seq);
        match parked {
            Some(row) => {
                let again = key(hook.hook_no, cursor_no, &row.members);
                row.due_at.is_none() || self.asked_for.contains(&again)
            }
            None => self.is_settled(model, hook, cursor_no, seq).is_ok(),
        }
    }

    /// The process's clock was set: times before and after do not compare.
    pub(crate) fn clock_was_set(&mut self) {
        self.served.forget();
    }

    /// The order or grouping of a hook changes.
    pub(crate) fn rearranged(&mut self, hook_no: i64) {
        self.rearranged.insert(hook_no);
    }

    fn is_no_repetition(&mut self, delivery: &DeliveryKey) -> Checked {
        if self.in_flight.contains_key(delivery) {
            return broken("a delivery is in flight once", format!("{delivery:?}"));
        }
        let known = self.known.entry(delivery.clone()).or_default();
        if !known.good {
            return Ok(());
        }
        if known.licences == 0 {
            return broken("what was delivered is not repeated", format!("{delivery:?}"));
        }
        // The engine does not know of that success: from here on it counts afresh.
        (known.licences, known.good) = (known.licences - 1, false);
        self.repeated += 1;
        Ok(())
    }

    fn is_within_bounds(&self, model: &Model, send: &Send) -> Checked {
        let heard = &self.heard[&send.hook_no];
        let of_hook = self.in_flight.keys().filter(|(hook_no, _, seq, _)| {
            *hook_no == send.hook_no && !is_test(model, send.app_no, *seq)
        });
        let of_hook = of_hook.count();
        let of_app = self
            .in_flight
            .keys()
            .filter(|(hook_no, ..)| model.hooks[hook_no].hook.app_no == send.app_no)
            .count();
        if of_hook > heard.service.concurrency as usize {
            let what = format!("{of_hook} of hook {}", send.hook_no);
            return broken("a hook keeps to its concurrency", what);
        }
        if self.in_flight.len() > limits::IN_FLIGHT_MAX || of_app > limits::APP_IN_FLIGHT_MAX {
            return broken("what is in flight is bounded", format!("{of_app}"));
        }
        Ok(())
    }

    /// An attempt was answered with a 2xx in time. A test event that is taken enables its hook.
    pub(crate) fn succeeded(&mut self, model: &Model, send: &Send) {
        if is_test(model, send.app_no, send.members.first_seq)
            && let Some(heard) = self.heard.get_mut(&send.hook_no)
            && heard.status == HookStatus::Disabled
        {
            heard.status = HookStatus::Active;
        }
        let delivery = key(send.hook_no, send.cursor_no, &send.members);
        self.known.entry(delivery).or_default().good = true;
    }

    /// A settle became durable.
    pub(crate) fn committed(
        &mut self,
        model: &Model,
        receivers: &Receivers,
        settle: &Settle,
    ) -> Checked {
        for attempt in &settle.attempts {
            let delivery = key(attempt.hook_no, attempt.cursor_no, &attempt.members);
            self.in_flight.remove(&delivery);
            let known = self.known.entry(delivery).or_default();
            known.durable = true;
            if !attempt.delivered {
                continue;
            }
            for seq in member_seqs(model, attempt.hook_no, &attempt.members) {
                if !receivers.taken.contains_key(&(attempt.hook_no, seq)) {
                    let what = format!("hook {} change {seq}", attempt.hook_no);
                    return broken("delivered means that the receiver took it", what);
                }
                self.delivered.insert((attempt.hook_no, attempt.cursor_no, seq));
            }
        }
        for (hook_no, write) in &settle.parked {
            let ParkedWrite::Remove { cursor_no, members } = write else { continue };
            for seq in member_seqs(model, *hook_no, members) {
                if !self.delivered.contains(&(*hook_no, *cursor_no, seq)) {
                    let what = format!("hook {hook_no} change {seq}");
                    return broken("a parked delivery goes only when it is delivered", what);
                }
            }
        }
        self.cursors_hold(model)
    }

    /// No cursor has passed anything that is neither delivered, nor parked, nor skipped, and none went back.
    pub(crate) fn cursors_hold(&mut self, model: &Model) -> Checked {
        for hook in model.live_hooks() {
            self.cursor_holds(model, hook, 0, model.settled_seq(hook))?;
            for row in model.cursors.range((hook.hook_no, 0)..=(hook.hook_no, i64::MAX)) {
                let ((_, cursor_no), row) = row;
                if *cursor_no > 0 {
                    self.cursor_holds(model, hook, *cursor_no, row.settled_seq)?;
                }
                for seq in bits(row.settled_seq, &row.delivered) {
                    self.is_settled(model, hook, *cursor_no, seq)?;
                }
            }
        }
        Ok(())
    }

    fn cursor_holds(&mut self, model: &Model, hook: &Hook, cursor_no: i64, to: u64) -> Checked {
        let from = self.settled.insert((hook.hook_no, cursor_no), to).unwrap_or(to);
        if to < from {
            let what = format!("cursor {cursor_no} of hook {} from {from} to {to}", hook.hook_no);
            return broken("a cursor never goes back", what);
        }
        (from + 1..=to).try_for_each(|seq| self.is_settled(model, hook, cursor_no, seq))
    }

    fn is_settled(&self, model: &Model, hook: &Hook, cursor_no: i64, seq: u64) -> Checked {
        // Test events go out when they are matched; a replay passes them over.
        if !selects(model, hook, seq)
            || (cursor_no > 0 && is_test(model, hook.app_no, seq))
            || self.delivered.contains(&(hook.hook_no, cursor_no, seq))
            || parked_at(model, hook.hook_no, cursor_no, seq).is_some()
            || (cursor_no == 0 && was_skipped(model, hook.hook_no, seq))
        {
            return Ok(());
        }
        let what = format!("cursor {cursor_no} of hook {} passed change {seq}", hook.hook_no);
        broken("a cursor never passes an unsettled change", what)
    }

    /// A cursor was made here; what lies before is not its.
    pub(crate) fn begins(&mut self, hook_no: i64, cursor_no: i64, after: u64) {
        self.settled.insert((hook_no, cursor_no), after);
    }

    /// Deliveries of a hook that were attempted, durably.
    pub(crate) fn attempted(&self, hook_no: i64) -> Vec<Members> {
        let durable = self.known.iter().filter(|(it, known)| it.0 == hook_no && known.durable);
        let members = durable.filter_map(|(it, _)| self.frozen.get(&(it.0, it.1, it.2)).cloned());
        members.collect()
    }

    /// Nothing is owed any more: everything selected was taken by its receiver. Erased content excepted.
    pub(crate) fn nothing_is_owed(&self, model: &Model, receivers: &Receivers) -> Checked {
        for hook in model.live_hooks() {
            let app = &model.apps[&hook.app_no];
            for seq in (1..=app.journal.len() as u64).filter(|_| !app.deleted) {
                let owed = selects(model, hook, seq)
                    && !was_skipped(model, hook.hook_no, seq)
                    && !is_erased(model, hook, seq);
                if owed && !receivers.taken.contains_key(&(hook.hook_no, seq)) {
                    let what = format!("hook {} never got change {seq}", hook.hook_no);
                    return broken("accepted and selected means delivered", what);
                }
            }
        }
        Ok(())
    }
}

/// The changes that a delivery stands for.
pub(crate) fn member_seqs(model: &Model, hook_no: i64, members: &Members) -> Vec<u64> {
    if members.group.is_empty() && members.count == 1 {
        return vec![members.first_seq];
    }
    let Some(row) = model.hooks.get(&hook_no) else { return Vec::new() };
    let all = members.first_seq..=members.last_seq;
    all.filter(|seq| is_member(model, &row.hook, members, *seq)).collect()
}

fn is_member(model: &Model, hook: &Hook, members: &Members, seq: u64) -> bool {
    let in_range = (members.first_seq..=members.last_seq).contains(&seq);
    if members.group.is_empty() || !in_range {
        return in_range;
    }
    let change = model.change(hook.app_no, seq).filter(|it| it.new.kind != types::HOOK_TEST);
    change.is_some_and(|change| Grouping::groups(&members.group, change))
        && selects(model, hook, seq)
}

/// Whether a hook receives a change, by the selection in force at it.
fn selects(model: &Model, hook: &Hook, seq: u64) -> bool {
    let (Some(selection), Some(change)) = (hook.selection_at(seq), model.change(hook.app_no, seq))
    else {
        return false;
    };
    selection.matches(&formats(), hook.hook_no, change)
}

/// Whether a change is a test event, which goes out whatever the state of its hook.
fn is_test(model: &Model, app_no: i64, seq: u64) -> bool {
    model.change(app_no, seq).is_some_and(|change| change.new.kind == types::HOOK_TEST)
}

/// The parked delivery that a change is part of.
fn parked_at(model: &Model, hook_no: i64, cursor_no: i64, seq: u64) -> Option<&ParkedRow> {
    if let Some(row) = model.parked.get(&(hook_no, cursor_no, seq, String::new())) {
        return Some(row);
    }
    let hook = &model.hooks.get(&hook_no)?.hook;
    model
        .parked_of(hook_no)
        .find(|row| row.cursor_no == cursor_no && is_member(model, hook, &row.members, seq))
}

/// Whether the content of a change is gone, or of another that shares its request.
fn is_erased(model: &Model, hook: &Hook, seq: u64) -> bool {
    let gone =
        |seq: u64| model.change(hook.app_no, seq).is_none_or(|change| change.new.body.is_empty());
    gone(seq)
        || parked_at(model, hook.hook_no, 0, seq)
            .is_some_and(|row| member_seqs(model, hook.hook_no, &row.members).into_iter().any(gone))
}

fn was_skipped(model: &Model, hook_no: i64, seq: u64) -> bool {
    model.skipped.iter().any(|(hook, from, to)| *hook == hook_no && (*from..=*to).contains(&seq))
}

/// The numbers that a cursor's bitmap names.
fn bits(settled_seq: u64, bitmap: &[u8]) -> impl Iterator<Item = u64> {
    let all = bitmap.iter().enumerate().flat_map(|(index, byte)| {
        (0..8).filter(move |bit| byte & (1 << bit) != 0).map(move |bit| 8 * index as u64 + bit)
    });
    all.map(move |bit| settled_seq + 1 + bit)
}
