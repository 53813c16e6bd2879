//! What a hook does next.

use std::sync::Arc;

use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::hook::{HookStatus, Ordering};

use super::{HookState, Sending, Step};
use crate::dispatch::{Send, Work};
use crate::lane::{Delivery, Lane, Next};
use crate::order::Entry;
use crate::settle::{ParkedUnder, parked_put};

/// A delivery parked while it is being sent is not due before this much after its deadline, ms.
const STILL_SENT_MARGIN_MS: i64 = 60_000;

impl HookState {
    /// What to do next. `matched` is how far the app is matched.
    pub(crate) fn step(&mut self, matched: u64, now: Timestamp) -> Step {
        let concurrency = self.hook.service.concurrency as usize;
        if self.sending.len() >= concurrency {
            return self.read(matched).map_or(Step::Idle, Step::Do);
        }
        if let Some(send) = self.send_test() {
            self.pace.began(&self.hook.service, now);
            return Step::Do(Work::Send(send));
        }
        if self.hook.status != HookStatus::Active {
            return Step::Idle;
        }
        if let Some(read) = self.read(matched) {
            return Step::Do(read);
        }
        if self.is_ordered() && !self.order_known {
            return Step::Idle;
        }
        self.pass_blocking(now);
        if self.breaker.is_open() {
            return self.probe(matched, now);
        }
        let room = (self.hook.service.concurrency as usize).min(self.breaker.allowed());
        if self.sending.len() >= room {
            return Step::Idle;
        }
        if let Some(at) = self.pace.wait(&self.hook.service, now) {
            return self.wait_until(at, now);
        }
        let send = self.send_merged(now).or_else(|| self.send_parked(matched, now, false));
        if let Some(send) = send.or_else(|| self.send_next(now, false)) {
            self.pace.began(&self.hook.service, now);
            return Step::Do(Work::Send(send));
        }
        self.wait(now)
    }

    /// Waits for the pace, when there is something to wait for.
    fn wait_until(&self, at: Timestamp, now: Timestamp) -> Step {
        if self.lanes.iter().any(Lane::has_owed) {
            return Step::WaitUntil(at);
        }
        self.dues(now).min().map_or(Step::Idle, |due| Step::WaitUntil(due.max(at)))
    }

    /// Waits for what is due later. What is due already is held up by what is in flight or being read,
    /// and that wakes us.
    fn wait(&self, now: Timestamp) -> Step {
        self.dues(now).filter(|at| *at > now).min().map_or(Step::Idle, Step::WaitUntil)
    }

    fn dues(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        let windows = self.lanes.iter().filter_map(Lane::next_due);
        let throttled = self.lanes.iter().filter(|lane| lane.has_owed());
        let throttled = throttled.filter_map(move |lane| lane.throttle?.wait(now));
        let due = windows.chain(throttled);
        due.chain(self.parked.next_due()).chain(self.order.dues())
    }

    fn read(&mut self, matched: u64) -> Option<Work> {
        let (hook_no, app_no) = (self.hook.hook_no, self.hook.app_no);
        if let Some(keyed) = self.parked.begin_reading() {
            return Some(Work::ReadParked { hook_no, keyed });
        }
        let service = &self.hook.service;
        self.lanes.iter_mut().find_map(|lane| {
            let (after, until) = lane.wants_page(matched, service)?;
            lane.reading = true;
            let (cursor_no, picks) = (lane.cursor_no, lane.picks.clone());
            Some(Work::ReadPage { hook_no, app_no, cursor_no, after, until, picks })
        })
    }

    /// Parks the oldest delivery in flight when it alone keeps its lane from going on.
    fn pass_blocking(&mut self, now: Timestamp) {
        let service = &self.hook.service;
        if service.ordering == Ordering::Hook {
            return;
        }
        let due_at = now.plus_ms(service.timeout_ms.cast_signed() + STILL_SENT_MARGIN_MS);
        for lane in &mut self.lanes {
            let blocking = lane.peek(service, now).and_then(|next| lane.blocking(next));
            let Some(delivery) = blocking.map(|seq| (lane.cursor_no, seq)) else { continue };
            let sent = self.sending.get_mut(&delivery).filter(|sent| !sent.done && !sent.parked);
            let Some(sent) = sent else { continue };
            sent.parked = true;
            lane.settle(&sent.changes);
            let entry = Entry { members: sent.members.clone(), attempts: sent.attempts, due_at };
            let reason = "still being sent while later changes go on";
            let under = ParkedUnder { key: sent.key, waits: false };
            self.writes.push(parked_put(delivery.0, &entry, Some(due_at), reason.into(), under));
            if let Some(key) = sent.key {
                self.order.park(key, delivery.0, entry);
            }
        }
    }

    fn probe(&mut self, matched: u64, now: Timestamp) -> Step {
        let Some(at) = self.breaker.probe_at() else { return Step::Idle };
        let at = self.pace.wait(&self.hook.service, now).map_or(at, |pace| pace.max(at));
        if at > now {
            return Step::WaitUntil(at);
        }
        let reading = self.parked.is_reading() || self.lanes.iter().any(|lane| lane.reading);
        if !self.sending.is_empty() || reading {
            return Step::Idle;
        }
        let send = if self.breaker.begin_probe() {
            self.send_parked(matched, now, true).or_else(|| self.send_next(now, true))
        } else {
            self.send_next(now, true).or_else(|| self.send_parked(matched, now, true))
        };
        match send {
            Some(send) => {
                self.pace.began(&self.hook.service, now);
                Step::Do(Work::Send(send))
            }
            None => {
                // Nothing is owed at the moment, so nothing can probe: let the next change try.
                self.breaker.succeeded();
                self.wait(now)
            }
        }
    }

    fn send_test(&mut self) -> Option<Send> {
        let seq = self.tests.pop_front()?;
        self.parked.pass_over(|delivery| *delivery == (0, seq));
        if self.sending.contains_key(&(0, seq)) {
            return None;
        }
        let mut sending = Sending::new(Members::single(seq));
        (sending.parked, sending.test) = (true, true);
        Some(self.send(0, sending))
    }

    /// The parked delivery whose turn it is: with a probe, whether it is due or not.
    fn send_parked(&mut self, matched: u64, now: Timestamp, probe: bool) -> Option<Send> {
        let sending = &self.sending;
        self.parked.pass_over(|delivery| sending.contains_key(delivery));
        let lanes = &self.lanes;
        let seen = |cursor_no: i64, members: &Members| {
            let mut lane = lanes.iter().filter(|lane| lane.cursor_no == cursor_no);
            lane.all(|lane| lane.has_seen(members, matched))
        };
        let keyed = self.order.next(now, probe, seen);
        let free = self.parked.next_due().filter(|due| probe || *due <= now);
        if let Some((key, cursor_no, entry)) = keyed
            && free.is_none_or(|due| entry.due_at <= due)
        {
            let mut sending = Sending::new(entry.members);
            (sending.attempts, sending.parked) = (entry.attempts, true);
            (sending.key, sending.probe) = (Some(key), probe);
            return Some(self.send(cursor_no, sending));
        }
        free?;
        let row = self.parked.pop()?;
        let mut sending = Sending::new(row.members);
        (sending.attempts, sending.parked, sending.probe) = (row.attempts, true, probe);
        Some(self.send(row.cursor_no, sending))
    }

    /// The next delivery of the lanes. What is behind a blocked key is parked to wait there.
    fn send_next(&mut self, now: Timestamp, probe: bool) -> Option<Send> {
        for place in 0..self.lanes.len() {
            while let Some(next) = self.lanes[place].peek(&self.hook.service, now) {
                let throttle = self.lanes[place].throttle;
                let waits = throttle.is_some_and(|throttle| throttle.wait(now).is_some());
                if self.lanes[place].blocking(next).is_some() || (waits && !probe) {
                    break;
                }
                let cursor_no = self.lanes[place].cursor_no;
                // A failed probe that was put back, while its outcome is not durable yet.
                if self.sending.contains_key(&(cursor_no, next.first_seq)) {
                    break;
                }
                let blocked = next.key.filter(|key| self.is_blocked(*key, next, cursor_no));
                let waits = self.hook.service.ordering != Ordering::Hook && !self.order.is_full();
                if blocked.is_some() && (!waits || probe) {
                    break;
                }
                let delivery = self.lanes[place].pop(next)?;
                if let Some(key) = blocked {
                    self.park_behind(key, cursor_no, delivery, now);
                    continue;
                }
                if let Some(throttle) = &mut self.lanes[place].throttle {
                    throttle.began(now);
                }
                let mut sending = Sending::new(delivery.members);
                (sending.changes, sending.key, sending.probe) = (delivery.changes, next.key, probe);
                return Some(self.send(cursor_no, sending));
            }
        }
        None
    }

    fn is_blocked(&self, key: i64, next: Next, cursor_no: i64) -> bool {
        self.order.blocks(key, (next.first_seq, cursor_no))
    }

    /// Parks what must wait behind an earlier delivery of its key, so that the cursor can pass.
    fn park_behind(&mut self, key: i64, cursor_no: i64, delivery: Delivery, now: Timestamp) {
        self.settle_lane(cursor_no, &delivery.changes);
        let entry = Entry { members: delivery.members, attempts: 0, due_at: now };
        let reason = "waits behind an earlier change of its key";
        let under = ParkedUnder { key: Some(key), waits: true };
        self.writes.push(parked_put(cursor_no, &entry, Some(now), reason.into(), under));
        self.order.park(key, cursor_no, entry);
    }

    pub(super) fn send(&mut self, cursor_no: i64, sending: Sending) -> Send {
        if let Some(key) = sending.key {
            self.order.lock(key);
        }
        let send = Send {
            hook_no: self.hook.hook_no,
            app_no: self.hook.app_no,
            target: Arc::clone(&self.target),
            cursor_no,
            members: sending.members.clone(),
            n: sending.attempts + 1,
            // What is parked is read again, whatever a retry takes in.
            changes: if sending.parked { Vec::new() } else { sending.changes.clone() },
        };
        self.sending.insert((cursor_no, sending.members.first_seq), sending);
        send
    }
}

impl Sending {
    /// A delivery that is about to be sent.
    pub(super) fn new(members: Members) -> Self {
        Self {
            members,
            changes: Vec::new(),
            attempts: 0,
            parked: false,
            key: None,
            probe: false,
            test: false,
            done: false,
        }
    }
}
