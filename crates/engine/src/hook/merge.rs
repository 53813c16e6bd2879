//! Merging: a retry takes in what came after the delivery that failed.
//!
//! A hook that merges sends one by one, so behind a delivery that waits for its retry stands exactly what
//! its lane owes next. When both are of one group, what goes out is their union: it begins with the same
//! change, so it has the place of the failed one in the store and in its order, and replaces it there when
//! it fails itself. Until then the store knows the failed one as before: a crash repeats no more than what
//! was in flight.
//!
//! What was parked before this process began is retried as it is.

use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::limits;

use super::{HookState, Sending};
use crate::dispatch::Send;
use crate::lane::Next;

/// A failed delivery of the live lane behind which nothing was sent: what its lane owes next follows it
/// without a gap.
#[derive(Debug)]
pub(crate) struct Chain {
    members: Members,
    /// What the data of its changes weigh.
    bytes: u64,
}

impl HookState {
    /// A delivery failed, and is tried `again` or not. To be told before its lane takes it for settled.
    pub(crate) fn failed(&mut self, cursor_no: i64, sent: &Sending, again: bool) {
        if !self.hook.service.merges || sent.test || cursor_no != 0 {
            return;
        }
        let added: u64 = sent.changes.iter().map(|change| change.new.body.len() as u64).sum();
        let members = sent.members.clone();
        let before = self.chain.take();
        let goes_on = |chain: &Chain| chain.members.first_seq == members.first_seq;
        let bytes = match before.filter(goes_on) {
            Some(chain) if sent.parked => Some(chain.bytes + added),
            _ => {
                let begins = !sent.parked && self.lanes[0].is_fresh_above(members.last_seq);
                begins.then_some(added)
            }
        };
        let follows = again && sent.key.is_some() && !members.group.is_empty();
        self.chain = bytes.filter(|_| follows).map(|bytes| Chain { members, bytes });
    }

    /// A delivery succeeded: nothing waits to be taken into.
    pub(crate) fn succeeded(&mut self) {
        self.chain = None;
    }

    /// The delivery that waits for its retry together with what its lane owes next: when the retry is due,
    /// or at once when a change came that need not wait for the least interval since the last attempt.
    pub(crate) fn send_merged(&mut self, now: Timestamp) -> Option<Send> {
        let chain = self.chain.as_ref().filter(|_| self.hook.service.merges)?;
        let key = self.hook.service.order_of_all()?;
        let (cursor_no, entry) = self.order.first(key)?;
        if cursor_no != 0 || entry.members != chain.members {
            return None;
        }
        let (next, members) = self.joined(chain, now)?;
        if entry.due_at > now && !self.comes_early(next) {
            return None;
        }
        let mut sending = Sending::new(members);
        (sending.attempts, sending.parked, sending.key) = (entry.attempts, true, Some(key));
        sending.changes = self.lanes[0].pop(next)?.changes;
        Some(self.send(0, sending))
    }

    /// What its lane would send next, and the union, when they fit together.
    fn joined(&self, chain: &Chain, now: Timestamp) -> Option<(Next, Members)> {
        let (service, lane) = (&self.hook.service, &self.lanes[0]);
        let rule = service.coalesce.as_ref()?;
        let next = lane.peek(service, now).filter(|next| lane.blocking(*next).is_none())?;
        let (group, failed) = (lane.group(next)?, &chain.members);
        let more = group.members();
        let count = failed.count + more.count;
        let fits = more.group == failed.group
            && more.first_seq > failed.last_seq
            && count <= rule.batch_max
            && chain.bytes + group.bytes() <= rule.batch_bytes_max
            && more.last_seq - failed.first_seq < limits::GROUP_SPAN;
        let first_seq = failed.first_seq;
        fits.then_some((next, Members { first_seq, count, ..more }))
    }

    /// Whether a change of the group came the least interval after the last attempt, or later.
    fn comes_early(&self, next: Next) -> bool {
        let newest = self.lanes[0].group(next).and_then(|group| group.changes.last());
        let Some((newest, rule)) = newest.zip(self.hook.service.coalesce) else { return false };
        self.pace.last().is_some_and(|last| {
            newest.recorded_at >= last.plus_ms(rule.min_interval_ms.cast_signed())
        })
    }
}
