//! Planted bugs: each breaks the driver in one way, and the oracle must see it. An oracle that has never
//! complained proves nothing.

use tidings_store::{CursorWrite, ParkedWrite, Settle};

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planted {
    Nothing,
    /// A settle loses the deliveries that it parks.
    LosesParked,
    /// A settle keeps parked rows of what was delivered.
    KeepsParked,
    /// Parked rows go though nothing was delivered.
    RemovesParked,
    /// Slots come free before the settle is durable.
    FreesEarly,
    /// Cursors move one change too far.
    CursorAhead,
    /// Cursors are not written.
    NoCursor,
    /// Cursors forget what is settled above them.
    ForgetsBitmap,
    /// Apps are matched one change too far.
    MatchedAhead,
    /// Reports of attempts get lost.
    LosesOutcomes,
    /// A page of the journal is taken for all that was asked for.
    ShortPage,
    /// An answer other than 2xx counts as delivered.
    Lies,
    /// Announcements get lost and nobody notices.
    LosesAnnouncements,
    /// A retry says that it stands for more.
    OtherMembers,
}

impl Planted {
    /// Breaks a settle.
    pub(crate) fn tamper(self, settle: &mut Settle) {
        let is_put = |write: &ParkedWrite| matches!(write, ParkedWrite::Put { .. });
        match self {
            Self::LosesParked => settle.parked.retain(|(_, write)| !is_put(write)),
            Self::KeepsParked => settle.parked.retain(|(_, write)| is_put(write)),
            Self::RemovesParked => {
                for (_, write) in &mut settle.parked {
                    if let ParkedWrite::Put { cursor_no, members, .. } = write {
                        let (cursor_no, members) = (*cursor_no, members.clone());
                        *write = ParkedWrite::Remove { cursor_no, members };
                    }
                }
            }
            Self::CursorAhead => settle.cursors.iter_mut().for_each(one_ahead),
            Self::NoCursor => settle.cursors.clear(),
            Self::ForgetsBitmap => settle.cursors.iter_mut().for_each(without_bitmap),
            Self::MatchedAhead => settle.matched.iter_mut().for_each(|(_, seq)| *seq += 1),
            Self::OtherMembers => {
                for (_, write) in &mut settle.parked {
                    if let ParkedWrite::Put { members, .. } = write {
                        (members.last_seq, members.count) = (members.last_seq + 1, 2);
                    }
                }
            }
            _ => {}
        }
    }

    /// What a page that was read up to `reached` of `until` is said to reach.
    pub(crate) fn reached(self, reached: u64, until: u64) -> u64 {
        if self == Self::ShortPage { until } else { reached }
    }

    pub(crate) fn loses_an_outcome(self) -> bool {
        self == Self::LosesOutcomes
    }

    pub(crate) fn loses_announcements(self) -> bool {
        self == Self::LosesAnnouncements
    }

    pub(crate) fn frees_early(self) -> bool {
        self == Self::FreesEarly
    }

    pub(crate) fn lies(self) -> bool {
        self == Self::Lies
    }
}

fn one_ahead(write: &mut CursorWrite) {
    match write {
        CursorWrite::Current { settled_seq, .. } | CursorWrite::Lagging { settled_seq, .. } => {
            *settled_seq += 1;
        }
    }
}

fn without_bitmap(write: &mut CursorWrite) {
    if let CursorWrite::Lagging { delivered, .. } = write {
        delivered.clear();
    }
}
