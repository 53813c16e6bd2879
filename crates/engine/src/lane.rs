//! A lane: one cursor over the journal, in memory.
//!
//! It knows what its hook still owes within a bounded span of changes, and where the cursor stands: the
//! last `seq` up to which everything is settled. What is settled above that is remembered exactly, so
//! that a restart repeats nothing that was settled durably.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use tidings_core::change::Change;
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::hook::{Rate, Service, Span};
use tidings_core::limits;
use tidings_store::Picks;

use crate::coalesce::{Group, Windows};
use crate::pace::Throttle;

/// How far a lane has looked at the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// As far as its app is matched; new changes come from memory.
    Live,
    /// Up to this `seq`; what follows must be read from the store.
    Behind(u64),
}

/// One cursor over the journal.
#[derive(Debug)]
pub(crate) struct Lane {
    /// 0 for the live cursor, otherwise a replay's.
    pub(crate) cursor_no: i64,
    /// Where a replay ends.
    pub(crate) until_seq: Option<u64>,
    pub(crate) reach: Reach,
    /// A page of the journal is being read.
    pub(crate) reading: bool,
    /// Matched, not sent.
    waiting: VecDeque<Owed>,
    /// The same for a coalescing hook.
    windows: Windows,
    /// Bytes of data in both.
    bytes: usize,
    /// Sent, not settled.
    sent: BTreeSet<u64>,
    /// Settled, while something below is not.
    settled: BTreeSet<u64>,
    /// What a replay takes, one change a request; absent: everything that its hook selects, as it is
    /// served.
    pub(crate) picks: Option<Arc<Picks>>,
    /// How fast a replay goes, when it says.
    pub(crate) throttle: Option<Throttle>,
    /// Changes of a replay that are delivered or parked.
    pub(crate) sent_count: u64,
}

#[derive(Debug)]
struct Owed {
    change: Arc<Change>,
    /// Hash of the key within which it is ordered.
    key: Option<i64>,
}

/// What a lane would send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) first_seq: u64,
    /// Hash of the key within which it is ordered.
    pub(crate) key: Option<i64>,
    grouped: bool,
}

/// A delivery that a lane hands out.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) members: Members,
    pub(crate) changes: Vec<Arc<Change>>,
}

impl Lane {
    /// A lane with nothing to do.
    pub(crate) fn new(cursor_no: i64, reach: Reach, until_seq: Option<u64>) -> Self {
        Self {
            cursor_no,
            until_seq,
            reach,
            reading: false,
            waiting: VecDeque::new(),
            windows: Windows::default(),
            bytes: 0,
            sent: BTreeSet::new(),
            settled: BTreeSet::new(),
            picks: None,
            throttle: None,
            sent_count: 0,
        }
    }

    /// A lane that goes on where a stored cursor stands.
    pub(crate) fn resume(row: &tidings_store::CursorRow) -> Self {
        let mut lane = Self::new(row.cursor_no, Reach::Behind(row.settled_seq), row.until_seq);
        for (index, byte) in row.delivered.iter().enumerate() {
            let bits = (0..8).filter(|bit| byte & (1 << bit) != 0);
            let first = row.settled_seq + 1 + 8 * index as u64;
            lane.settled.extend(bits.map(|bit| first + bit));
        }
        lane.picks = row.picks.clone().map(Arc::new);
        lane.throttle = row.rate.map(|count| Throttle::new(Rate { count, per: Span::Second }));
        lane.sent_count = row.sent;
        lane
    }

    /// Ends a replay before its time: what it has sent goes on, what it owes is forgotten.
    pub(crate) fn cancel(&mut self, matched: u64) {
        let settled = self.settled_seq(matched);
        self.windows.drain();
        self.waiting.clear();
        self.bytes = 0;
        self.reading = false;
        self.reach = Reach::Behind(settled);
        self.until_seq = Some(settled);
    }

    /// Everything up to here is settled. `matched` is how far the app is matched.
    pub(crate) fn settled_seq(&self, matched: u64) -> u64 {
        let oldest = [self.oldest_owed(), self.sent.first().copied()].into_iter().flatten().min();
        match (oldest, self.reach) {
            (Some(oldest), _) => oldest - 1,
            (None, Reach::Behind(seq)) => seq,
            (None, Reach::Live) => matched,
        }
    }

    /// Whether the cursor needs a row: something up to `matched` is not settled.
    pub(crate) fn lags(&self) -> bool {
        self.reach != Reach::Live || self.has_owed() || !self.sent.is_empty()
    }

    /// Whether a replay has nothing left to do.
    pub(crate) fn finished(&self) -> bool {
        let Reach::Behind(seq) = self.reach else { return false };
        self.until_seq.is_some_and(|until| seq >= until) && !self.has_owed() && self.sent.is_empty()
    }

    /// The settled changes above the cursor as a bitmap: bit `i` is `settled_seq + 1 + i`.
    pub(crate) fn delivered(&mut self, settled_seq: u64) -> Vec<u8> {
        self.settled = self.settled.split_off(&(settled_seq + 1));
        let mut bitmap = Vec::new();
        for seq in &self.settled {
            let bit = (seq - settled_seq - 1) as usize;
            bitmap.resize(bitmap.len().max(bit / 8 + 1), 0);
            bitmap[bit / 8] |= 1u8 << (bit % 8);
        }
        bitmap
    }

    /// Takes a matched change, unless it was settled before a restart. Answers whether there was room;
    /// when not, the lane is behind from here on.
    pub(crate) fn take(&mut self, change: Arc<Change>, service: &Service) -> bool {
        if self.settled.contains(&change.seq) {
            if let Some(group) = service.group(&change) {
                self.windows.close(&group);
            }
            return true;
        }
        if self.held() >= most(service) || self.bytes >= limits::LANE_WAITING_BYTES_MAX {
            self.fall_behind(change.seq - 1);
            return false;
        }
        self.owe(change, service);
        true
    }

    fn owe(&mut self, change: Arc<Change>, service: &Service) {
        self.bytes += change.new.body.len();
        match &service.coalesce {
            Some(rule) if self.picks.is_none() => self.windows.join(change, rule),
            _ => {
                let key = service.key_hash(&change);
                self.waiting.push_back(Owed { change, key });
            }
        }
    }

    /// The hook is served otherwise from now on: what is owed is grouped and ordered anew.
    pub(crate) fn rearrange(&mut self, service: &Service) {
        let mut changes = self.windows.drain();
        changes.extend(self.waiting.drain(..).map(|owed| owed.change));
        changes.sort_by_key(|change| change.seq);
        self.bytes = 0;
        let mut before = 0;
        for change in changes {
            // What went out in between may be of any group: a range must not reach over it.
            if self.went_out_in(before..change.seq) {
                self.windows.close_all();
            }
            before = change.seq;
            self.owe(change, service);
        }
        if self.went_out_in(before..u64::MAX) {
            self.windows.close_all();
        }
    }

    fn went_out_in(&self, range: std::ops::Range<u64>) -> bool {
        let sent = self.sent.range(range.clone()).next();
        sent.is_some() || self.settled.range(range).next().is_some()
    }

    /// Leaves what follows `seq` in the journal.
    pub(crate) fn fall_behind(&mut self, seq: u64) {
        self.reach = Reach::Behind(seq);
    }

    /// Whether the store should be asked for more, and from where.
    pub(crate) fn wants_page(&self, matched: u64, service: &Service) -> Option<(u64, u64)> {
        let Reach::Behind(after) = self.reach else { return None };
        let until = self.until_seq.unwrap_or(matched).min(matched);
        (!self.reading && after < until && self.has_room(service)).then_some((after, until))
    }

    /// Whether a page would find room.
    fn has_room(&self, service: &Service) -> bool {
        self.held() < most(service) / 2 && self.bytes < limits::LANE_WAITING_BYTES_MAX / 2
    }

    /// What would be sent next: the oldest change, or a group that is due. Windows close early when the
    /// lane has no room for what follows.
    pub(crate) fn peek(&self, service: &Service, now: Timestamp) -> Option<Next> {
        if let Some(owed) = self.waiting.front() {
            return Some(Next { first_seq: owed.change.seq, key: owed.key, grouped: false });
        }
        let oldest = self.windows.first_seq()?;
        let behind = self.reach != Reach::Live && !self.has_room(service);
        let due = self.windows.next(now, behind || service.coalesce.is_none())?;
        let first_seq = if due - oldest < limits::GROUP_SPAN { due } else { oldest };
        let change = self.windows.get(first_seq)?.changes.first()?;
        Some(Next { first_seq, key: service.key_hash(change), grouped: true })
    }

    /// Hands out what [`Lane::peek`] found.
    pub(crate) fn pop(&mut self, next: Next) -> Option<Delivery> {
        let delivery = if next.grouped {
            let group = self.windows.take(next.first_seq)?;
            Delivery { members: group.members(), changes: group.changes }
        } else {
            let change = self.waiting.pop_front()?.change;
            Delivery { members: Members::single(change.seq), changes: vec![change] }
        };
        for change in &delivery.changes {
            self.bytes = self.bytes.saturating_sub(change.new.body.len());
            self.sent.insert(change.seq);
        }
        Some(delivery)
    }

    /// The group that [`Lane::peek`] found.
    pub(crate) fn group(&self, next: Next) -> Option<&Group> {
        self.windows.get(next.first_seq).filter(|_| next.grouped)
    }

    /// Whether nothing above `seq` was sent or settled.
    pub(crate) fn is_fresh_above(&self, seq: u64) -> bool {
        !self.went_out_in(seq + 1..u64::MAX)
    }

    /// The oldest sent change when it holds up `next` by using up the span.
    pub(crate) fn blocking(&self, next: Next) -> Option<u64> {
        let oldest = *self.sent.first()?;
        (next.first_seq >= oldest + limits::LANE_SPAN).then_some(oldest)
    }

    /// When the next window closes.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.windows.next_due()
    }

    /// Sent changes are delivered or parked.
    pub(crate) fn settle(&mut self, changes: &[Arc<Change>]) {
        for change in changes {
            if self.sent.remove(&change.seq) {
                self.settled.insert(change.seq);
                self.sent_count += u64::from(self.cursor_no != 0);
            }
        }
    }

    /// A probe was not answered: its changes are owed as before, together.
    pub(crate) fn put_back(&mut self, delivery: &Delivery, service: &Service) {
        let mut ours = true;
        for change in &delivery.changes {
            ours &= self.sent.remove(&change.seq);
            self.bytes += change.new.body.len();
        }
        if !ours {
            return;
        }
        if !delivery.members.group.is_empty() {
            self.windows.put_back(&delivery.members, &delivery.changes);
            return;
        }
        for change in &delivery.changes {
            let place = self.waiting.partition_point(|owed| owed.change.seq < change.seq);
            let key = service.key_hash(change);
            self.waiting.insert(place, Owed { change: Arc::clone(change), key });
        }
    }

    /// Whether all that comes before these members in their key was handed out or settled.
    pub(crate) fn has_seen(&self, members: &Members, matched: u64) -> bool {
        let reached = match self.reach {
            Reach::Live => matched,
            Reach::Behind(seq) => seq,
        };
        reached >= members.last_seq
            && self.waiting.front().is_none_or(|owed| owed.change.seq > members.first_seq)
            && !self.windows.has_before(&members.group, members.first_seq)
    }

    /// Whether anything waits to be sent.
    pub(crate) fn has_owed(&self) -> bool {
        self.oldest_owed().is_some()
    }

    fn oldest_owed(&self) -> Option<u64> {
        let waiting = self.waiting.front().map(|owed| owed.change.seq);
        waiting.into_iter().chain(self.windows.first_seq()).min()
    }

    fn held(&self) -> usize {
        self.waiting.len() + self.windows.held()
    }
}

/// Changes that a lane keeps in memory.
fn most(service: &Service) -> usize {
    if service.coalesce.is_some() { limits::LANE_COALESCING_MAX } else { limits::LANE_WAITING_MAX }
}

#[cfg(test)]
mod tests {
    use tidings_core::hook::Coalesce;

    use super::*;
    use crate::testing::change;

    const NOW: Timestamp = Timestamp(0);

    fn lane(seqs: &[u64]) -> Lane {
        let mut lane = Lane::new(0, Reach::Live, None);
        for &seq in seqs {
            assert!(lane.take(change(seq), &Service::default()));
        }
        lane
    }

    /// Sends the next delivery when the span allows it.
    fn send(lane: &mut Lane, service: &Service) -> Option<Delivery> {
        let next = lane.peek(service, NOW)?;
        if lane.blocking(next).is_some() {
            return None;
        }
        lane.pop(next)
    }

    fn send_seq(lane: &mut Lane) -> Option<u64> {
        send(lane, &Service::default()).map(|delivery| delivery.members.first_seq)
    }

    #[test]
    fn the_cursor_stands_before_the_oldest_unsettled_change() {
        let mut lane = lane(&[3, 5, 9]);
        assert_eq!(lane.settled_seq(10), 2);
        for seq in [3, 5, 9] {
            assert_eq!(send_seq(&mut lane), Some(seq));
        }
        lane.settle(&[change(5), change(9)]);
        assert_eq!(lane.settled_seq(10), 2);
        assert_eq!(lane.delivered(2), [0b0100_0100]);
        lane.settle(&[change(3)]);
        assert_eq!((lane.settled_seq(10), lane.lags()), (10, false));
    }

    #[test]
    fn a_resumed_lane_skips_what_was_settled_above_the_cursor() {
        let row = tidings_store::CursorRow {
            hook_no: 1,
            cursor_no: 0,
            id: None,
            settled_seq: 2,
            until_seq: None,
            delivered: vec![0b0100_0100, 1],
            picks: None,
            rate: None,
            sent: 0,
            total: None,
            cancelled_at: None,
            created_at: Timestamp(0),
        };
        let mut lane = Lane::resume(&row);
        for seq in 3..=12 {
            assert!(lane.take(change(seq), &Service::default()));
        }
        let mut owed = Vec::new();
        while let Some(seq) = send_seq(&mut lane) {
            owed.push(seq);
        }
        assert_eq!(owed, [3, 4, 6, 7, 8, 10, 12]);
    }

    #[test]
    fn a_full_lane_falls_behind_and_a_used_up_span_holds_the_next_change() {
        let mut full = lane(&(1..=limits::LANE_WAITING_MAX as u64).collect::<Vec<_>>());
        assert!(!full.take(change(200), &Service::default()));
        assert_eq!(full.reach, Reach::Behind(199));

        let mut slow = lane(&[1, limits::LANE_SPAN, limits::LANE_SPAN + 1]);
        assert!(send_seq(&mut slow).is_some() && send_seq(&mut slow).is_some());
        assert!(send_seq(&mut slow).is_none());
        let next = slow.peek(&Service::default(), NOW).unwrap();
        assert_eq!(slow.blocking(next), Some(1));
        slow.settle(&[change(1)]);
        assert_eq!(send_seq(&mut slow), Some(limits::LANE_SPAN + 1));
    }

    #[test]
    fn an_unanswered_probe_leaves_the_cursor_where_it_was() {
        let mut lane = lane(&[4, 6]);
        let probe = send(&mut lane, &Service::default()).unwrap();
        lane.put_back(&probe, &Service::default());
        assert_eq!((lane.settled_seq(9), send_seq(&mut lane)), (3, Some(4)));
    }

    #[test]
    fn an_open_window_holds_the_cursor_and_closes_early_when_the_lane_is_full() {
        let coalesce = Some(Coalesce { window_ms: 60_000, ..Coalesce::default() });
        let service = Service { coalesce, ..Service::default() };
        let mut lane = Lane::new(0, Reach::Live, None);
        for seq in 1..=limits::LANE_COALESCING_MAX as u64 {
            assert!(lane.take(change(seq), &service));
        }
        // Full groups are due at once; the last one has 24 changes and stays open.
        let mut sizes = Vec::new();
        while let Some(delivery) = send(&mut lane, &service) {
            sizes.push(delivery.members.count);
            lane.settle(&delivery.changes);
        }
        assert_eq!((sizes, lane.settled_seq(5_000)), (vec![100; 10], 1_000));
        let rare = Some(Coalesce { batch_max: 1_000, window_ms: 60_000, ..Coalesce::default() });
        let rare = Service { coalesce: rare, ..Service::default() };
        lane.rearrange(&rare);
        assert!(send(&mut lane, &rare).is_none());
        for seq in 1_025..1_600 {
            lane.take(change(seq), &rare);
        }
        lane.fall_behind(1_600);
        assert_eq!(send(&mut lane, &rare).unwrap().members.count, 599);
    }

    #[test]
    fn a_range_that_is_formed_anew_does_not_reach_over_what_went_out() {
        let grouped = |batch_max| {
            let coalesce = Some(Coalesce { batch_max, ..Coalesce::default() });
            Service { coalesce, ..Service::default() }
        };
        let mut lane = Lane::new(0, Reach::Live, None);
        for seq in 1..=4 {
            lane.take(change(seq), &grouped(2));
        }
        let sent = send(&mut lane, &grouped(2)).unwrap();
        lane.take(change(5), &grouped(2));
        let second = send(&mut lane, &grouped(2)).unwrap();
        lane.put_back(&sent, &grouped(2));
        lane.rearrange(&grouped(9));
        lane.take(change(6), &grouped(9));
        lane.settle(&second.changes);
        let mut counts = Vec::new();
        while let Some(Delivery { members, .. }) = send(&mut lane, &grouped(9)) {
            counts.push((members.first_seq, members.last_seq, members.count));
        }
        assert_eq!(counts, [(1, 2, 2), (5, 6, 2)]);
    }
}
