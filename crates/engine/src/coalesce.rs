//! Coalescing: the groups of changes that will share a request.
//!
//! Changes of one group follow one another: the groups of a key form a chain, and only its first can be
//! sent. Everything is counted from the times at which the changes were recorded, so that a restart opens
//! no window anew.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tidings_core::change::Change;
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::hook::Coalesce;
use tidings_core::limits;

/// Changes that will share a request.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) key: String,
    /// In order of `seq`; never empty.
    pub(crate) changes: Vec<Arc<Change>>,
    bytes: u64,
    due: Timestamp,
    /// Takes no more changes.
    closed: bool,
}

impl Group {
    fn first_seq(&self) -> u64 {
        self.changes[0].seq
    }

    /// What its delivery stands for.
    pub(crate) fn members(&self) -> Members {
        Members {
            group: self.key.clone(),
            first_seq: self.first_seq(),
            last_seq: self.changes[self.changes.len() - 1].seq,
            count: self.changes.len() as u32,
        }
    }

    /// What its changes' data weigh.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn has_room(&self, change: &Change, rule: &Coalesce) -> bool {
        !self.closed
            && self.changes.len() < rule.batch_max as usize
            && self.bytes + change.new.body.len() as u64 <= rule.batch_bytes_max
            && change.seq - self.first_seq() < limits::GROUP_SPAN
    }

    fn push(&mut self, change: Arc<Change>, rule: &Coalesce) {
        self.bytes += change.new.body.len() as u64;
        self.changes.push(change);
        self.closed |= self.changes.len() >= rule.batch_max as usize;
        self.due = self.due_at(rule);
    }

    fn due_at(&self, rule: &Coalesce) -> Timestamp {
        let first = self.changes[0].recorded_at;
        let last = self.changes[self.changes.len() - 1].recorded_at;
        let delayed = first.plus_ms(rule.delay_ms.cast_signed());
        if self.closed {
            return delayed;
        }
        let longest = if rule.max_wait_ms == 0 { rule.window_ms } else { rule.max_wait_ms };
        let quiet = last.plus_ms(rule.window_ms.cast_signed());
        delayed.max(quiet.min(first.plus_ms(longest.cast_signed())))
    }
}

/// The groups of a lane that are not sent.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    chains: HashMap<String, VecDeque<Group>>,
    /// The key of each group, by its first `seq`.
    firsts: BTreeMap<u64, String>,
    /// When the first group of each chain is due, with its first `seq`.
    due: BTreeSet<(Timestamp, u64)>,
    held: usize,
}

impl Windows {
    /// Changes in all groups.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// The first change of all.
    pub(crate) fn first_seq(&self) -> Option<u64> {
        self.firsts.first_key_value().map(|(seq, _)| *seq)
    }

    /// When the next group is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes a change into the last group of its key, or opens one.
    pub(crate) fn join(&mut self, change: Arc<Change>, rule: &Coalesce) {
        self.held += 1;
        let key = rule.group.key(&change);
        if let Some(chain) = self.chains.get_mut(&key) {
            let alone = chain.len() == 1;
            let open = chain.back_mut().expect("an empty chain is removed");
            let before = (open.due, open.first_seq());
            let joins = open.has_room(&change, rule);
            if joins {
                open.push(Arc::clone(&change), rule);
            } else {
                open.closed = true;
                open.due = open.due_at(rule);
            }
            if alone && before.0 != open.due {
                self.due.remove(&before);
                self.due.insert((open.due, before.1));
            }
            if joins {
                return;
            }
        }
        let (seq, bytes) = (change.seq, change.new.body.len() as u64);
        let closed = rule.batch_max <= 1;
        let mut group =
            Group { key: key.clone(), changes: vec![change], bytes, due: Timestamp(0), closed };
        group.due = group.due_at(rule);
        self.insert(group, seq, false);
    }

    /// A change of this group was settled before a restart: a range must not reach over it.
    pub(crate) fn close(&mut self, key: &str) {
        if let Some(open) = self.chains.get_mut(key).and_then(VecDeque::back_mut) {
            open.closed = true;
        }
    }

    /// No group takes more changes.
    pub(crate) fn close_all(&mut self) {
        for open in self.chains.values_mut().filter_map(VecDeque::back_mut) {
            open.closed = true;
        }
    }

    /// The first `seq` of the group to send next: one that is due, or the oldest when `early`.
    pub(crate) fn next(&self, now: Timestamp, early: bool) -> Option<u64> {
        if early {
            return self.first_seq();
        }
        self.due.first().filter(|(at, _)| *at <= now).map(|(_, seq)| *seq)
    }

    /// The group that begins with `seq`.
    pub(crate) fn get(&self, seq: u64) -> Option<&Group> {
        self.chains.get(self.firsts.get(&seq)?)?.front()
    }

    /// Takes the first group of a chain out, to be sent or parked.
    pub(crate) fn take(&mut self, seq: u64) -> Option<Group> {
        let key = self.firsts.get(&seq)?;
        let chain = self.chains.get_mut(key)?;
        let group = chain.pop_front()?;
        let next = chain.front().map(|next| (next.due, next.first_seq()));
        if next.is_none() {
            self.chains.remove(key);
        }
        self.firsts.remove(&seq);
        self.due.remove(&(group.due, seq));
        self.due.extend(next);
        self.held -= group.changes.len();
        Some(group)
    }

    /// A group's attempt did not count: it is owed as before, with the same members.
    pub(crate) fn put_back(&mut self, members: &Members, changes: &[Arc<Change>]) {
        let changes = changes.to_vec();
        self.held += changes.len();
        let bytes = changes.iter().map(|change| change.new.body.len() as u64).sum();
        let due = Timestamp(0);
        let group = Group { key: members.group.clone(), changes, bytes, due, closed: true };
        self.insert(group, members.first_seq, true);
    }

    /// Whether a group of `key` begins before `seq`.
    pub(crate) fn has_before(&self, key: &str, seq: u64) -> bool {
        let first = self.chains.get(key).and_then(VecDeque::front);
        first.is_some_and(|group| group.first_seq() < seq)
    }

    /// Everything, in order of `seq`.
    pub(crate) fn drain(&mut self) -> Vec<Arc<Change>> {
        let windows = std::mem::take(self);
        let groups = windows.chains.into_values().flatten();
        let mut changes: Vec<_> = groups.flat_map(|group| group.changes).collect();
        changes.sort_by_key(|change| change.seq);
        changes
    }

    fn insert(&mut self, group: Group, seq: u64, front: bool) {
        self.firsts.insert(seq, group.key.clone());
        let chain = self.chains.entry(group.key.clone()).or_default();
        if front {
            if let Some(next) = chain.front() {
                self.due.remove(&(next.due, next.first_seq()));
            }
            chain.push_front(group);
        } else {
            chain.push_back(group);
        }
        if front || chain.len() == 1 {
            self.due.extend(chain.front().map(|group| (group.due, seq)));
        }
    }
}

#[cfg(test)]
mod tests;
