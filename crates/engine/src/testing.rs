//! Values that this crate's unit tests share.

use std::sync::Arc;

use bytes::Bytes;
use tidings_core::change::{Change, NewChange, Origin, Subject};
use tidings_core::clock::Timestamp;
use tidings_core::id::{Bits96, ChangeId};

/// A change with a number.
pub(crate) fn change(seq: u64) -> Arc<Change> {
    Arc::new(Change {
        seq,
        recorded_at: Timestamp(0),
        new: NewChange {
            id: ChangeId(Bits96::new(u128::from(seq))),
            kind: "a.b".into(),
            subject: Subject::default(),
            order_key: None,
            occurred_at: Timestamp(0),
            origin: Origin::Api,
            actor: None,
            traceparent: None,
            body: Bytes::from_static(b"{}"),
        },
    })
}

/// A change with a number, altered.
pub(crate) fn change_with(seq: u64, alter: impl FnOnce(&mut Change)) -> Arc<Change> {
    let mut change = Change::clone(&change(seq));
    alter(&mut change);
    Arc::new(change)
}
