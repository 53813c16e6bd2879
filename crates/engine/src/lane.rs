//! A lane: one cursor over the journal, in memory.
//!
//! It knows what its hook still owes within a bounded span of changes, and where the cursor stands: the
//! last `seq` up to which everything is settled. What is settled above that is remembered exactly, so
//! that a restart repeats nothing that was settled durably.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use tidings_core::change::Change;
use tidings_core::limits;

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
    waiting: VecDeque<Arc<Change>>,
    /// Sent, not settled.
    sent: BTreeSet<u64>,
    /// Settled, while something below is not.
    settled: BTreeSet<u64>,
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
            sent: BTreeSet::new(),
            settled: BTreeSet::new(),
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
        lane
    }

    /// Everything up to here is settled. `matched` is how far the app is matched.
    pub(crate) fn settled_seq(&self, matched: u64) -> u64 {
        let waiting = self.waiting.front().map(|change| change.seq);
        let oldest = [waiting, self.sent.first().copied()].into_iter().flatten().min();
        match (oldest, self.reach) {
            (Some(oldest), _) => oldest - 1,
            (None, Reach::Behind(seq)) => seq,
            (None, Reach::Live) => matched,
        }
    }

    /// Whether the cursor needs a row: something up to `matched` is not settled.
    pub(crate) fn lags(&self) -> bool {
        self.reach != Reach::Live || !self.waiting.is_empty() || !self.sent.is_empty()
    }

    /// Whether a replay has nothing left to do.
    pub(crate) fn finished(&self) -> bool {
        let Reach::Behind(seq) = self.reach else { return false };
        self.until_seq.is_some_and(|until| seq >= until)
            && self.waiting.is_empty()
            && self.sent.is_empty()
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
    pub(crate) fn take(&mut self, change: Arc<Change>) -> bool {
        if self.settled.contains(&change.seq) {
            return true;
        }
        if self.waiting.len() >= limits::LANE_WAITING_MAX {
            self.fall_behind(change.seq - 1);
            return false;
        }
        self.waiting.push_back(change);
        true
    }

    /// Leaves what follows `seq` in the journal.
    pub(crate) fn fall_behind(&mut self, seq: u64) {
        self.reach = Reach::Behind(seq);
    }

    /// Whether the store should be asked for more, and from where.
    pub(crate) fn wants_page(&self, matched: u64) -> Option<(u64, u64)> {
        let Reach::Behind(after) = self.reach else { return None };
        let until = self.until_seq.unwrap_or(matched).min(matched);
        (!self.reading && after < until && self.waiting.len() < limits::LANE_WAITING_MAX / 2)
            .then_some((after, until))
    }

    /// The next change to send, when the span allows it.
    pub(crate) fn next(&mut self) -> Option<Arc<Change>> {
        let next = self.waiting.front()?.seq;
        let oldest = self.sent.first().copied().unwrap_or(next);
        if next - oldest >= limits::LANE_SPAN {
            return None;
        }
        let change = self.waiting.pop_front()?;
        self.sent.insert(change.seq);
        Some(change)
    }

    /// The oldest sent change when it holds up the next one by using up the span.
    pub(crate) fn blocking(&self) -> Option<u64> {
        let next = self.waiting.front()?.seq;
        let oldest = *self.sent.first()?;
        (next - oldest >= limits::LANE_SPAN).then_some(oldest)
    }

    /// A sent change is delivered or parked.
    pub(crate) fn settle(&mut self, seq: u64) {
        if self.sent.remove(&seq) {
            self.settled.insert(seq);
        }
    }

    /// A probe was not answered: the change is owed as before.
    pub(crate) fn put_back(&mut self, change: Arc<Change>) {
        if self.sent.remove(&change.seq) {
            let place = self.waiting.partition_point(|waiting| waiting.seq < change.seq);
            self.waiting.insert(place, change);
        }
    }

    /// Whether anything waits to be sent.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::change;

    fn lane(seqs: &[u64]) -> Lane {
        let mut lane = Lane::new(0, Reach::Live, None);
        for &seq in seqs {
            assert!(lane.take(change(seq)));
        }
        lane
    }

    #[test]
    fn the_cursor_stands_before_the_oldest_unsettled_change() {
        let mut lane = lane(&[3, 5, 9]);
        assert_eq!(lane.settled_seq(10), 2);
        for seq in [3, 5, 9] {
            assert_eq!(lane.next().unwrap().seq, seq);
        }
        lane.settle(5);
        lane.settle(9);
        assert_eq!(lane.settled_seq(10), 2);
        assert_eq!(lane.delivered(2), [0b0100_0100]);
        lane.settle(3);
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
            created_at: tidings_core::clock::Timestamp(0),
        };
        let mut lane = Lane::resume(&row);
        for seq in 3..=12 {
            assert!(lane.take(change(seq)));
        }
        let mut owed = Vec::new();
        while let Some(change) = lane.next() {
            owed.push(change.seq);
        }
        assert_eq!(owed, [3, 4, 6, 7, 8, 10, 12]);
    }

    #[test]
    fn a_full_lane_falls_behind_and_a_used_up_span_holds_the_next_change() {
        let mut full = lane(&(1..=limits::LANE_WAITING_MAX as u64).collect::<Vec<_>>());
        assert!(!full.take(change(200)));
        assert_eq!(full.reach, Reach::Behind(199));

        let mut slow = lane(&[1, limits::LANE_SPAN, limits::LANE_SPAN + 1]);
        assert!(slow.next().is_some() && slow.next().is_some());
        assert!(slow.next().is_none());
        assert_eq!(slow.blocking(), Some(1));
        slow.settle(1);
        assert_eq!(slow.next().map(|change| change.seq), Some(limits::LANE_SPAN + 1));
    }

    #[test]
    fn an_unanswered_probe_leaves_the_cursor_where_it_was() {
        let mut lane = lane(&[4, 6]);
        let probe = lane.next().unwrap();
        lane.put_back(probe);
        assert_eq!((lane.settled_seq(9), lane.next().unwrap().seq), (3, 4));
    }
}
