//! A hook at work: its lanes, its breaker, its pace, what it has in flight and what it has parked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tidings_core::change::{Change, types};
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::format::Formats;
use tidings_core::hook::{HookStatus, Ordering};
use tidings_store::{CursorRow, Hook, ParkedRow, ParkedWrite};

use crate::breaker::Breaker;
use crate::dispatch::Work;
use crate::hook::merge::Chain;
use crate::lane::{Delivery, Lane, Reach};
use crate::order::{Entry, Order};
use crate::pace::Pace;
use crate::parked::Parked;
use crate::render::Target;

mod merge;
mod step;

/// What a hook wants to do next.
#[derive(Debug)]
pub(crate) enum Step {
    Do(Work),
    WaitUntil(Timestamp),
    Idle,
}

/// A delivery in flight.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    pub(crate) members: Members,
    /// The changes, for a lane's delivery; none for a parked one.
    pub(crate) changes: Vec<Arc<Change>>,
    /// Attempts that counted before this one.
    pub(crate) attempts: u32,
    /// It has a parked row.
    pub(crate) parked: bool,
    /// Hash of the key that it holds locked.
    pub(crate) key: Option<i64>,
    /// It is a probe of an open breaker.
    pub(crate) probe: bool,
    /// It is a test event, which goes out whatever the hook's state.
    pub(crate) test: bool,
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
    /// What is parked and follows an order.
    pub(crate) order: Order,
    /// The order of what was parked before we started is known.
    order_known: bool,
    /// The key under which what was parked without one was ordered.
    whole: Option<i64>,
    parked: Parked,
    pace: Pace,
    /// What a retry of a merging hook can take later changes into.
    chain: Option<Chain>,
    /// Test events that are to be sent, whatever the hook's state.
    tests: VecDeque<u64>,
    /// What was parked since the last step, without an attempt.
    pub(crate) writes: Vec<ParkedWrite>,
}

impl HookState {
    /// A hook that is settled as far as its app is matched; `parked` when the store may have deliveries
    /// of it.
    pub(crate) fn new(hook: Hook, target: Arc<Target>, parked: bool) -> Self {
        Self {
            hook,
            target,
            lanes: vec![Lane::new(0, Reach::Live, None)],
            breaker: Breaker::closed(),
            sending: BTreeMap::new(),
            has_row: false,
            order: Order::default(),
            order_known: !parked,
            whole: None,
            parked: Parked::unknown(parked),
            pace: Pace::default(),
            chain: None,
            tests: VecDeque::new(),
            writes: Vec::new(),
        }
    }

    /// Takes over what the store says of the hook and its cursors; `first` when it is new to us, `parked`
    /// when the store may have parked deliveries that we do not know.
    pub(crate) fn update(
        &mut self,
        mut hook: Hook,
        target: Arc<Target>,
        cursors: &[CursorRow],
        matched: u64,
        (first, parked): (bool, bool),
    ) {
        let status = std::mem::replace(&mut self.hook.status, hook.status);
        match (status, hook.status) {
            (HookStatus::Active, HookStatus::Active) => {
                // What was counted here may not be written yet.
                hook.failing_since = self.hook.failing_since;
                hook.failing_told = self.hook.failing_told;
                hook.consecutive_failures = self.hook.consecutive_failures;
            }
            (_, HookStatus::Active) => {
                self.breaker = Breaker::closed();
                if self.hook.service.order_of_all().is_some() && self.sending.is_empty() {
                    // What waited may have been given up meanwhile.
                    (self.order, self.order_known) = (Order::default(), !parked);
                }
            }
            _ => {}
        }
        // What was put back after a probe keeps its members unless it must be grouped anew.
        let (before, after) = (&self.hook.service, &hook.service);
        let served_otherwise =
            (&before.ordering, &before.coalesce) != (&after.ordering, &after.coalesce);
        self.hook = hook;
        self.target = target;
        if !self.hook.service.breaker {
            self.breaker = Breaker::closed();
        }
        if parked {
            // Keyed ones, too: a resend may revive what was parked while the hook was ordered.
            self.parked.outdate(true);
        }
        if served_otherwise {
            self.chain = None;
            for lane in &mut self.lanes {
                lane.rearrange(&self.hook.service);
            }
        }
        self.take_cursors(cursors, matched, first);
    }

    fn take_cursors(&mut self, cursors: &[CursorRow], matched: u64, first: bool) {
        for row in cursors.iter().filter(|row| row.cancelled_at.is_some()) {
            let lane = self.lanes.iter_mut().find(|lane| lane.cursor_no == row.cursor_no);
            if let Some(lane) = lane {
                lane.cancel(matched);
            }
        }
        for row in cursors.iter().filter(|row| !row.is_over()) {
            match self.lanes.iter_mut().find(|lane| lane.cursor_no == row.cursor_no) {
                None => self.lanes.push(Lane::resume(row)),
                Some(lane) => {
                    lane.until_seq = row.until_seq;
                    // Someone moved the cursor further than we had, or the hook begins in the past.
                    let moved = row.settled_seq > lane.settled_seq(matched);
                    let begins = first && row.cursor_no == 0;
                    if moved || begins {
                        self.chain = None;
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

    /// Whether deliveries of this hook wait for one another.
    pub(crate) fn is_ordered(&self) -> bool {
        self.hook.service.ordering != Ordering::None
    }

    /// Whether nothing is sent for the time being.
    pub(crate) fn stands_still(&self) -> bool {
        self.hook.status != HookStatus::Active || self.breaker.is_open()
    }

    /// Whether the live lane reads from the store.
    pub(crate) fn is_behind(&self) -> bool {
        self.lanes[0].reach != Reach::Live
    }

    /// Whether the live lane would read on if the app were matched up to `matched`.
    pub(crate) fn wants_more(&self, matched: u64) -> bool {
        !self.stands_still() && self.lanes[0].wants_page(matched, &self.hook.service).is_some()
    }

    /// Whether any version of the hook asks for `kind`.
    pub(crate) fn may_ask_for(&self, formats: &Formats, kind: &str) -> bool {
        self.hook.versions.iter().any(|(_, selection)| {
            formats.get(&selection.format).is_some_and(|format| {
                selection.triggers.iter().any(|trigger| (format.asks)(trigger, kind))
            })
        })
    }

    /// Takes a page of the journal into the lane that asked for it. Test events went out when they were
    /// matched.
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
            // What a replay takes was picked when it was read.
            let selected = lane.picks.is_some()
                || change.new.kind != types::HOOK_TEST
                    && self
                        .hook
                        .selection_at(change.seq)
                        .is_some_and(|selection| selection.matches(formats, hook_no, change));
            if selected && !lane.take(Arc::new(change.clone()), &self.hook.service) {
                return;
            }
        }
        let reached = reached.max(before);
        let live = cursor_no == 0 && reached == matched;
        lane.reach = if live { Reach::Live } else { Reach::Behind(reached) };
    }

    /// Takes a test event, which has its parked row already.
    pub(crate) fn take_test(&mut self, seq: u64) {
        self.tests.push_back(seq);
    }

    /// Takes the next parked deliveries that follow no order, and all that do when they were asked for.
    pub(crate) fn parked_page(&mut self, rows: Vec<ParkedRow>) {
        // A hook whose deliveries go out one by one orders a resend, too.
        let whole = self.hook.service.order_of_all();
        let key = |row: &ParkedRow| row.key_hash.or(whole);
        // A test event that waits for its turn goes out once.
        let tests = &self.tests;
        let waits = |row: &ParkedRow| row.cursor_no == 0 && tests.contains(&row.members.first_seq);
        let parked = &mut self.parked;
        let rows = rows.into_iter().filter(|row| !waits(row) && !parked.is_outdated(row));
        let (keyed, free): (Vec<_>, Vec<_>) = rows.partition(|row| key(row).is_some());
        if let Some(before) = self.whole.filter(|_| whole.is_none()) {
            // Its deliveries went out one by one until now.
            for row in &free {
                self.order.remove(before, (row.members.first_seq, row.cursor_no));
            }
        }
        self.whole = self.whole.or(whole);
        self.parked.take(free);
        if !self.order_known && self.parked.is_keyed_stale() {
            // It was read before the hook was enabled: another reading follows.
            return;
        }
        for row in keyed {
            let delivery = (row.cursor_no, row.members.first_seq);
            if self.sending.contains_key(&delivery) {
                self.parked.pass(&row);
                continue;
            }
            if let (Some(key), Some(due_at)) = (key(&row), row.due_at) {
                let entry = Entry { members: row.members, attempts: row.attempts, due_at };
                self.order.load(key, row.cursor_no, entry);
            }
        }
        self.order_known = true;
    }

    /// A delivery is settled durably: its slot and its key are free, and its parked row may be new or gone.
    pub(crate) fn settled(&mut self, delivery: (i64, u64), parked_changed: bool) {
        let key = self.sending.remove(&delivery).and_then(|sending| sending.key);
        if let Some(key) = key {
            self.order.unlock(key);
        }
        self.parked.settled(delivery, parked_changed && key.is_none());
    }

    /// Its changes are delivered or parked: the cursor may pass them.
    pub(crate) fn settle_lane(&mut self, cursor_no: i64, changes: &[Arc<Change>]) {
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.cursor_no == cursor_no) {
            lane.settle(changes);
        }
    }

    /// A probe was not answered: its changes are owed as before.
    pub(crate) fn put_back(&mut self, cursor_no: i64, sent: &Sending) {
        let delivery = Delivery { members: sent.members.clone(), changes: sent.changes.clone() };
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.cursor_no == cursor_no) {
            lane.put_back(&delivery, &self.hook.service);
        }
    }

    /// Disables the hook when its dialect lets it end now; answers whether it did.
    pub(crate) fn expire(&mut self, now: Timestamp) -> bool {
        let ends = self.ends_at().is_some_and(|at| at <= now);
        if ends {
            self.hook.status = HookStatus::Disabled;
        }
        ends
    }

    /// When the dialect of a hook that delivers lets it end.
    pub(crate) fn ends_at(&self) -> Option<Timestamp> {
        self.hook.expires_at.filter(|_| self.hook.status == HookStatus::Active)
    }
}
