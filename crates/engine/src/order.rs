//! Order: within a key, no delivery begins before the one before it is settled.
//!
//! A key is locked while one of its deliveries is in flight, until that is settled durably. What of it is
//! parked, for its retry or because it waits, holds up what comes later; the lowest `seq` goes first,
//! whichever cursor it belongs to. All that is parked under a key is known here, so that nothing is read
//! to decide; its number is bounded, and beyond the bound the cursor stands still.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::limits;

/// A place in the order of a key: first `seq` and cursor.
pub(crate) type Place = (u64, i64);

/// A parked delivery of an ordered hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) members: Members,
    /// Attempts that count against its schedule; 0 when it only waits.
    pub(crate) attempts: u32,
    pub(crate) due_at: Timestamp,
}

#[derive(Debug, Default)]
struct Key {
    parked: BTreeMap<Place, Entry>,
    locked: bool,
    /// Its turn as it stands in [`Order::turns`].
    turn: Option<Timestamp>,
}

/// The keys of a hook that have something parked or in flight.
#[derive(Debug, Default)]
pub(crate) struct Order {
    keys: HashMap<i64, Key>,
    parked: usize,
    /// When the first of each key that is not locked is due.
    turns: BTreeSet<(Timestamp, i64)>,
    /// Keys whose first lies beyond what its lane has seen since it was resumed.
    unseen: Vec<i64>,
}

impl Order {
    /// Whether the delivery at `place` must wait.
    pub(crate) fn blocks(&self, key: i64, place: Place) -> bool {
        let Some(key) = self.keys.get(&key) else { return false };
        key.locked || key.parked.first_key_value().is_some_and(|(first, _)| *first < place)
    }

    /// Whether no more may be parked only to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.parked >= limits::HOOK_BLOCKED_MAX
    }

    /// A delivery of the key is in flight.
    pub(crate) fn lock(&mut self, key: i64) {
        self.keys.entry(key).or_default().locked = true;
        self.arrange(key);
    }

    /// It is settled durably.
    pub(crate) fn unlock(&mut self, key: i64) {
        if let Some(state) = self.keys.get_mut(&key) {
            state.locked = false;
        }
        self.arrange(key);
    }

    /// A delivery is parked, or parked anew.
    pub(crate) fn park(&mut self, key: i64, cursor_no: i64, entry: Entry) {
        let place = (entry.members.first_seq, cursor_no);
        let before = self.keys.entry(key).or_default().parked.insert(place, entry);
        self.parked += usize::from(before.is_none());
        self.arrange(key);
    }

    /// A delivery is parked no more.
    pub(crate) fn remove(&mut self, key: i64, place: Place) {
        let removed = self.keys.get_mut(&key).and_then(|key| key.parked.remove(&place));
        self.parked -= usize::from(removed.is_some());
        self.arrange(key);
    }

    /// Takes over what the store has. What is known here is newer, unless its owner asked for it to be
    /// sent again with a fresh schedule.
    pub(crate) fn load(&mut self, key: i64, cursor_no: i64, entry: Entry) {
        let place = (entry.members.first_seq, cursor_no);
        let known = self.keys.get(&key).and_then(|key| key.parked.get(&place));
        if known.is_none_or(|known| entry.attempts < known.attempts) {
            self.park(key, cursor_no, entry);
        }
    }

    /// The delivery whose turn it is; whether it is due, too, unless `any`. `seen` says whether a lane has
    /// seen all that comes before a delivery.
    pub(crate) fn next(
        &mut self,
        now: Timestamp,
        any: bool,
        seen: impl Fn(i64, &Members) -> bool,
    ) -> Option<(i64, i64, Entry)> {
        for key in std::mem::take(&mut self.unseen) {
            self.arrange(key);
        }
        while let Some(&(at, key)) = self.turns.first() {
            if at > now && !any {
                return None;
            }
            let state = self.keys.get_mut(&key)?;
            let (&(_, cursor_no), entry) = state.parked.first_key_value()?;
            if seen(cursor_no, &entry.members) {
                return Some((key, cursor_no, entry.clone()));
            }
            state.turn = None;
            self.turns.remove(&(at, key));
            self.unseen.push(key);
        }
        None
    }

    /// The first delivery of a key that is parked, with its cursor, unless one of the key is in flight.
    pub(crate) fn first(&self, key: i64) -> Option<(i64, &Entry)> {
        let state = self.keys.get(&key).filter(|state| !state.locked)?;
        state.parked.first_key_value().map(|((_, cursor_no), entry)| (*cursor_no, entry))
    }

    /// When the next delivery is due whose turn it is, and those whose turn it may be by now.
    pub(crate) fn dues(&self) -> impl Iterator<Item = Timestamp> {
        let unseen = self.unseen.iter().filter_map(|key| self.keys.get(key));
        let firsts = unseen.filter_map(|key| key.parked.first_key_value());
        let firsts = firsts.map(|(_, entry)| entry.due_at);
        firsts.chain(self.turns.first().map(|(at, _)| *at))
    }

    /// Whether nothing is parked.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.parked == 0
    }

    /// Brings the key's turn up to date.
    fn arrange(&mut self, key: i64) {
        let Some(state) = self.keys.get_mut(&key) else { return };
        let first = state.parked.first_key_value().map(|(_, entry)| entry.due_at);
        let turn = first.filter(|_| !state.locked);
        if turn != state.turn {
            if let Some(at) = state.turn {
                self.turns.remove(&(at, key));
            }
            self.turns.extend(turn.map(|at| (at, key)));
            state.turn = turn;
        }
        if state.parked.is_empty() && !state.locked {
            self.keys.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, attempts: u32, due_at: i64) -> Entry {
        Entry { members: Members::single(seq), attempts, due_at: Timestamp(due_at) }
    }

    fn next(order: &mut Order, now: i64) -> Option<(i64, u64)> {
        let found = order.next(Timestamp(now), false, |_, _| true)?;
        Some((found.0, found.2.members.first_seq))
    }

    #[test]
    fn a_key_in_flight_or_with_something_earlier_parked_blocks_itself_only() {
        let mut order = Order::default();
        assert!(!order.blocks(1, (5, 0)));
        order.lock(1);
        assert!(order.blocks(1, (6, 0)) && !order.blocks(2, (6, 0)));
        order.park(1, 0, entry(5, 1, 1_000));
        order.unlock(1);
        assert!(order.blocks(1, (6, 0)), "an earlier one waits for its retry");
        assert!(!order.blocks(1, (4, 0)), "an earlier change is not held up by a later one");
        order.remove(1, (5, 0));
        assert!(!order.blocks(1, (6, 0)) && order.is_empty());
    }

    #[test]
    fn the_lowest_of_a_key_goes_first_when_it_is_due_and_the_key_is_free() {
        let mut order = Order::default();
        order.park(1, 0, entry(5, 1, 1_000));
        order.park(1, 0, entry(7, 0, 10));
        order.park(2, 0, entry(6, 0, 20));
        assert_eq!(next(&mut order, 500), Some((2, 6)));
        order.lock(2);
        assert_eq!((next(&mut order, 500), order.dues().min()), (None, Some(Timestamp(1_000))));
        assert_eq!(next(&mut order, 1_000), Some((1, 5)));
        order.lock(1);
        order.remove(1, (5, 0));
        assert_eq!(next(&mut order, 1_000), None, "the one before is not settled durably");
        order.unlock(1);
        assert_eq!(next(&mut order, 1_000), Some((1, 7)));
    }

    #[test]
    fn what_the_lane_has_not_seen_yet_waits_for_it() {
        let mut order = Order::default();
        order.park(1, 0, entry(7, 0, 10));
        for (seen_up_to, found) in [(6, false), (6, false), (7, true)] {
            let seen = |_, members: &Members| members.first_seq <= seen_up_to;
            assert_eq!(order.next(Timestamp(50), false, seen).is_some(), found);
            assert_eq!(order.dues().min(), Some(Timestamp(10)), "it is not forgotten");
        }
    }

    #[test]
    fn what_is_known_is_newer_than_the_store_unless_a_fresh_schedule_was_asked_for() {
        let mut order = Order::default();
        order.park(1, 0, entry(5, 2, 9_000));
        order.load(1, 0, entry(5, 2, 4_000));
        assert_eq!(order.dues().min(), Some(Timestamp(9_000)));
        order.load(1, 0, entry(5, 0, 50));
        assert_eq!(order.dues().min(), Some(Timestamp(50)));
        order.load(2, 0, entry(6, 1, 40));
        assert_eq!(order.dues().min(), Some(Timestamp(40)));
    }
}
