//! A hook at work: its lanes, its breaker, what it has in flight and what it has parked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tidings_core::change::{Change, types};
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::format::Formats;
use tidings_core::hook::HookStatus;
use tidings_store::{CursorRow, Hook, ParkedRow, ParkedWrite};

use crate::breaker::Breaker;
use crate::dispatch::{Send, Work};
use crate::lane::{Lane, Reach};
use crate::render::Target;

/// Parked deliveries read at a time.
pub(crate) const PARKED_PAGE: usize = 64;
/// A delivery parked while it is being sent is not due before this much after its deadline, ms.
const STILL_SENT_MARGIN_MS: i64 = 60_000;

/// What a hook wants to do next.
#[derive(Debug)]
pub(crate) enum Step {
    Do(Work),
    WaitUntil(Timestamp),
    Idle,
}

/// A delivery in flight.
#[derive(Debug)]
pub(crate) struct Sending {
    /// The change, for a lane's delivery.
    pub(crate) change: Option<Arc<Change>>,
    /// Attempts that counted before this one.
    pub(crate) attempts: u32,
    /// It has a parked row.
    pub(crate) parked: bool,
    /// It is a probe of an open breaker.
    pub(crate) probe: bool,
    /// Its outcome is known, but not durable yet: its slot is still taken.
    pub(crate) done: bool,
}

/// A hook at work.
#[derive(Debug)]
pub(crate) struct HookState {
    pub(crate) hook: Hook,
    pub(crate) target: Arc<Target>,
    /// The live lane first, then replays.
    pub(crate) lanes: Vec<Lane>,
    pub(crate) breaker: Breaker,
    /// Sent and not settled durably, by cursor and first seq.
    pub(crate) sending: BTreeMap<(i64, u64), Sending>,
    /// The live cursor has a row.
    pub(crate) has_row: bool,
    parked: VecDeque<ParkedRow>,
    parked_stale: bool,
    parked_reading: bool,
    /// Deliveries settled since the reading began: what is read of them is out of date.
    settled_while_reading: BTreeSet<(i64, u64)>,
}

impl HookState {
    /// A hook that is settled as far as its app is matched.
    pub(crate) fn new(hook: Hook, target: Arc<Target>) -> Self {
        Self {
            hook,
            target,
            lanes: vec![Lane::new(0, Reach::Live, None)],
            breaker: Breaker::closed(),
            sending: BTreeMap::new(),
            has_row: false,
            parked: VecDeque::new(),
            parked_stale: true,
            parked_reading: false,
            settled_while_reading: BTreeSet::new(),
        }
    }

    /// Takes over what the store says of the hook and its cursors; `first` when it is new to us.
    pub(crate) fn update(
        &mut self,
        hook: Hook,
        target: Arc<Target>,
        cursors: &[CursorRow],
        matched: u64,
        first: bool,
    ) {
        if self.hook.status != HookStatus::Active && hook.status == HookStatus::Active {
            self.breaker = Breaker::closed();
        }
        self.hook = hook;
        self.target = target;
        self.parked_stale = true;
        let unfinished =
            |row: &&CursorRow| row.until_seq.is_none_or(|until| row.settled_seq < until);
        for row in cursors.iter().filter(unfinished) {
            match self.lanes.iter_mut().find(|lane| lane.cursor_no == row.cursor_no) {
                None => self.lanes.push(Lane::resume(row)),
                Some(lane) => {
                    lane.until_seq = row.until_seq;
                    // Someone moved the cursor further than we had, or the hook begins in the past.
                    let moved = row.settled_seq > lane.settled_seq(matched);
                    let begins = first && row.cursor_no == 0;
                    if moved || begins {
                        *lane = Lane::resume(row);
                    }
                }
            }
            self.has_row |= row.cursor_no == 0;
        }
        if self.lanes[0].reach == Reach::Behind(matched) {
            self.lanes[0].reach = Reach::Live;
        }
    }

    /// Whether nothing is sent for the time being.
    pub(crate) fn stands_still(&self) -> bool {
        self.hook.status != HookStatus::Active || self.breaker.is_open()
    }

    /// Whether the live lane reads from the store.
    pub(crate) fn is_behind(&self) -> bool {
        self.lanes[0].reach != Reach::Live
    }

    /// Whether any version of the hook asks for `kind`.
    pub(crate) fn may_ask_for(&self, formats: &Formats, kind: &str) -> bool {
        kind == types::HOOK_TEST
            || self.hook.versions.iter().any(|(_, selection)| {
                formats.get(&selection.format).is_some_and(|format| {
                    selection.triggers.iter().any(|trigger| (format.asks)(trigger, kind))
                })
            })
    }

    /// Takes a page of the journal into the lane that asked for it.
    pub(crate) fn lane_page(
        &mut self,
        cursor_no: i64,
        changes: &[Change],
        reached: u64,
        matched: u64,
        formats: &Formats,
    ) {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.cursor_no == cursor_no) else {
            return;
        };
        if !std::mem::take(&mut lane.reading) {
            return;
        }
        let Reach::Behind(before) = lane.reach else { return };
        let hook_no = self.hook.hook_no;
        for change in changes.iter().filter(|change| change.seq > before) {
            let selected = self
                .hook
                .selection_at(change.seq)
                .is_some_and(|selection| selection.matches(formats, hook_no, change));
            if selected && !lane.take(Arc::new(change.clone())) {
                return;
            }
        }
        let reached = reached.max(before);
        let live = cursor_no == 0 && reached == matched;
        lane.reach = if live { Reach::Live } else { Reach::Behind(reached) };
    }

    /// Takes the next parked deliveries.
    pub(crate) fn parked_page(&mut self, rows: Vec<ParkedRow>) {
        self.parked_reading = false;
        let settled = std::mem::take(&mut self.settled_while_reading);
        let key = |row: &ParkedRow| (row.cursor_no, row.members.first_seq);
        self.parked = rows.into_iter().filter(|row| !settled.contains(&key(row))).collect();
    }

    /// A delivery is settled durably: its slot is free, and its parked row may be new or gone.
    pub(crate) fn settled(&mut self, delivery: (i64, u64), parked_changed: bool) {
        self.sending.remove(&delivery);
        self.parked_stale |= parked_changed;
        if self.parked_reading {
            self.settled_while_reading.insert(delivery);
        }
    }

    /// Parks the oldest delivery in flight when it alone keeps the lane from going on.
    pub(crate) fn pass_blocking(&mut self, now: Timestamp) -> Option<ParkedWrite> {
        let due_at = now.plus_ms(self.hook.service.timeout_ms.cast_signed() + STILL_SENT_MARGIN_MS);
        self.lanes.iter_mut().find_map(|lane| {
            let seq = lane.blocking()?;
            let sending = self.sending.get_mut(&(lane.cursor_no, seq)).filter(|sent| !sent.done)?;
            sending.parked = true;
            lane.settle(seq);
            Some(ParkedWrite::Put {
                cursor_no: lane.cursor_no,
                members: Members::single(seq),
                attempts: sending.attempts,
                due_at: Some(due_at),
                reason: "still being sent while later changes go on".into(),
            })
        })
    }

    /// Disables the hook when its dialect lets it end now; answers whether it did.
    pub(crate) fn expire(&mut self, now: Timestamp) -> bool {
        let ends = self.hook.status == HookStatus::Active
            && self.hook.expires_at.is_some_and(|expires_at| expires_at <= now);
        if ends {
            self.hook.status = HookStatus::Disabled;
        }
        ends
    }

    /// What to do next. `matched` is how far the app is matched.
    pub(crate) fn step(&mut self, matched: u64, now: Timestamp) -> Step {
        if self.hook.status != HookStatus::Active {
            return Step::Idle;
        }
        if let Some(read) = self.read(matched) {
            return Step::Do(read);
        }
        if self.breaker.is_open() {
            return self.probe(now);
        }
        let room = (self.hook.service.concurrency as usize).min(self.breaker.allowed());
        if self.sending.len() >= room {
            return Step::Idle;
        }
        if let Some(send) = self.send_parked(now, false).or_else(|| self.send_next(false)) {
            return Step::Do(Work::Send(send));
        }
        self.parked.front().and_then(|row| row.due_at).map_or(Step::Idle, Step::WaitUntil)
    }

    fn read(&mut self, matched: u64) -> Option<Work> {
        let hook_no = self.hook.hook_no;
        if self.parked_stale && !self.parked_reading {
            (self.parked_stale, self.parked_reading) = (false, true);
            return Some(Work::ReadParked { hook_no });
        }
        let app_no = self.hook.app_no;
        self.lanes.iter_mut().find_map(|lane| {
            let (after, until) = lane.wants_page(matched)?;
            lane.reading = true;
            Some(Work::ReadPage { hook_no, app_no, cursor_no: lane.cursor_no, after, until })
        })
    }

    fn probe(&mut self, now: Timestamp) -> Step {
        let Some(at) = self.breaker.probe_at() else { return Step::Idle };
        if at > now {
            return Step::WaitUntil(at);
        }
        let reading = self.parked_reading || self.lanes.iter().any(|lane| lane.reading);
        if !self.sending.is_empty() || reading {
            return Step::Idle;
        }
        let send = if self.breaker.begin_probe() {
            self.send_parked(now, true).or_else(|| self.send_next(true))
        } else {
            self.send_next(true).or_else(|| self.send_parked(now, true))
        };
        match send {
            Some(send) => Step::Do(Work::Send(send)),
            None => {
                // Nothing is owed at the moment, so nothing can probe: let the next change try.
                self.breaker.succeeded();
                Step::Idle
            }
        }
    }

    fn send_parked(&mut self, now: Timestamp, probe: bool) -> Option<Send> {
        if self.parked_reading {
            return None;
        }
        let sending = &self.sending;
        self.parked.retain(|row| !sending.contains_key(&(row.cursor_no, row.members.first_seq)));
        let due = self.parked.front()?.due_at?;
        if due > now && !probe {
            return None;
        }
        let row = self.parked.pop_front()?;
        if self.parked.is_empty() {
            self.parked_stale = true;
        }
        let sending =
            Sending { change: None, attempts: row.attempts, parked: true, probe, done: false };
        self.sending.insert((row.cursor_no, row.members.first_seq), sending);
        Some(self.send(row.cursor_no, row.members, row.attempts, None))
    }

    fn send_next(&mut self, probe: bool) -> Option<Send> {
        let (cursor_no, change) =
            self.lanes.iter_mut().find_map(|lane| Some((lane.cursor_no, lane.next()?)))?;
        let members = Members::single(change.seq);
        let sending = Sending {
            change: Some(Arc::clone(&change)),
            attempts: 0,
            parked: false,
            probe,
            done: false,
        };
        self.sending.insert((cursor_no, change.seq), sending);
        Some(self.send(cursor_no, members, 0, Some(change)))
    }

    fn send(
        &self,
        cursor_no: i64,
        members: Members,
        attempts: u32,
        change: Option<Arc<Change>>,
    ) -> Send {
        Send {
            hook_no: self.hook.hook_no,
            app_no: self.hook.app_no,
            target: Arc::clone(&self.target),
            cursor_no,
            members,
            n: attempts + 1,
            change,
        }
    }
}
