//! What a hook has parked, as far as it is read: the next deliveries that are due, whatever their order.

use std::collections::{BTreeSet, VecDeque};

use tidings_core::clock::Timestamp;
use tidings_store::ParkedRow;

/// Parked deliveries read at a time.
pub(crate) const PARKED_PAGE: usize = 64;

/// The next parked deliveries of a hook that follow no order.
#[derive(Debug)]
pub(crate) struct Parked {
    rows: VecDeque<ParkedRow>,
    /// The store has others by now.
    stale: bool,
    /// Those that follow an order are to be read, too.
    keyed_stale: bool,
    reading: bool,
    /// Deliveries settled since the reading began: what is read of them is out of date.
    settled: BTreeSet<(i64, u64)>,
    /// Passed over while they were under way: to be read again when that is settled.
    passed: BTreeSet<(i64, u64)>,
}

impl Parked {
    /// Nothing is known; `any` when the store may have something.
    pub(crate) fn unknown(any: bool) -> Self {
        Self {
            rows: VecDeque::new(),
            stale: any,
            keyed_stale: any,
            reading: false,
            settled: BTreeSet::new(),
            passed: BTreeSet::new(),
        }
    }

    /// The store may have others: `keyed` those that follow an order, too.
    pub(crate) fn outdate(&mut self, keyed: bool) {
        self.stale = true;
        self.keyed_stale |= keyed;
    }

    /// Begins to read when that is needed; answers whether those that follow an order are to be read, too.
    pub(crate) fn begin_reading(&mut self) -> Option<bool> {
        if !self.stale || self.reading {
            return None;
        }
        (self.stale, self.reading) = (false, true);
        Some(std::mem::take(&mut self.keyed_stale))
    }

    /// Whether what follows an order has to be read anew: a reading under way began too early for that.
    pub(crate) fn is_keyed_stale(&self) -> bool {
        self.keyed_stale
    }

    /// Whether a reading is under way.
    pub(crate) fn is_reading(&self) -> bool {
        self.reading
    }

    /// Takes what was read and follows no order.
    pub(crate) fn take(&mut self, rows: Vec<ParkedRow>) {
        self.reading = false;
        self.settled.clear();
        self.rows = rows.into();
    }

    /// Whether what was read of a delivery is out of date: it was settled meanwhile.
    pub(crate) fn is_outdated(&mut self, row: &ParkedRow) -> bool {
        let outdated = self.settled.contains(&(row.cursor_no, row.members.first_seq));
        if outdated && may_be_resend(row) {
            self.outdate(true);
        }
        outdated
    }

    /// Passes over a delivery that follows an order and is under way.
    pub(crate) fn pass(&mut self, row: &ParkedRow) {
        if may_be_resend(row) {
            self.passed.insert((row.cursor_no, row.members.first_seq));
        }
    }

    /// A delivery is settled durably; its row is new, changed or gone when `changed`.
    pub(crate) fn settled(&mut self, delivery: (i64, u64), changed: bool) {
        let passed = self.passed.remove(&delivery);
        self.keyed_stale |= passed;
        self.stale |= passed || changed;
        if self.reading {
            self.settled.insert(delivery);
        }
    }

    /// Passes over deliveries that are under way: a resend of them waits until that is settled.
    pub(crate) fn pass_over(&mut self, under_way: impl Fn(&(i64, u64)) -> bool) {
        let passed = &mut self.passed;
        self.rows.retain(|row| {
            let delivery = (row.cursor_no, row.members.first_seq);
            let passes = under_way(&delivery);
            if passes {
                passed.insert(delivery);
            }
            !passes
        });
    }

    /// When the next one is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.rows.front().filter(|_| !self.reading)?.due_at
    }

    /// Takes the next one.
    pub(crate) fn pop(&mut self) -> Option<ParkedRow> {
        let row = self.rows.pop_front()?;
        self.stale |= self.rows.is_empty();
        Some(row)
    }
}

/// Whether its owner may have asked for it after the attempt that is under way: then it is read again.
/// Others are not: many may wait, and their state is known.
fn may_be_resend(row: &ParkedRow) -> bool {
    row.attempts == 0 && !row.waits
}
