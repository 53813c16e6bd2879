//! Deliveries: what one request to one hook stands for, and its computed identity.

use sha2::{Digest, Sha256};

use crate::id::{Bits96, DeliveryId, HookId};

const HOOK_BITS: u32 = 28;
const SEQ_BITS: u32 = 44;
const TAG_BITS: u32 = 24;

/// The changes that one delivery stands for: `members` changes of `group` between two `seq`s.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Members {
    /// Group key of a coalescing hook; empty when the delivery stands for one change.
    pub group: String,
    /// `seq` of the first change.
    pub first_seq: u64,
    /// `seq` of the last change.
    pub last_seq: u64,
    /// How many changes.
    pub count: u32,
}

impl Members {
    /// The delivery of a single change.
    pub fn single(seq: u64) -> Self {
        Self { group: String::new(), first_seq: seq, last_seq: seq, count: 1 }
    }
}

/// The id of a delivery: a pure function of hook and members, so that it is equal after a crash and
/// for every retry, resend and replay. It is also the `webhook-id`.
///
/// Laid out as hook number (28 bits), first seq (44 bits) and a digest of everything (24 bits), so
/// that the delivery is found without a row of its own; see [`locate`].
pub fn delivery_id(hook: HookId, hook_no: i64, members: &Members) -> DeliveryId {
    let mut digest = Sha256::new();
    digest.update(hook.0.to_bytes());
    digest.update(members.first_seq.to_be_bytes());
    digest.update(members.last_seq.to_be_bytes());
    digest.update(members.count.to_be_bytes());
    digest.update(members.group.as_bytes());
    let digest = digest.finalize();
    let tag = u32::from_be_bytes([0, digest[0], digest[1], digest[2]]);
    let hook_bits = u128::from(hook_no.unsigned_abs()) & ((1 << HOOK_BITS) - 1);
    let seq_bits = u128::from(members.first_seq) & ((1 << SEQ_BITS) - 1);
    DeliveryId(Bits96::new(
        (hook_bits << (SEQ_BITS + TAG_BITS)) | (seq_bits << TAG_BITS) | u128::from(tag),
    ))
}

/// The hook number and first seq that a delivery id names. The caller must compute the id again from
/// what it finds there and compare: a forged id names something too.
pub fn locate(id: DeliveryId) -> (i64, u64) {
    let bits = id.0.value();
    let hook_no = (bits >> (SEQ_BITS + TAG_BITS)) & ((1 << HOOK_BITS) - 1);
    let seq = (bits >> TAG_BITS) & ((1 << SEQ_BITS) - 1);
    (hook_no as i64, seq as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::id::Ids;

    #[test]
    fn the_id_is_a_function_of_hook_and_members() {
        let ids = Ids::seeded(3);
        let hook = HookId(ids.next(Timestamp(1)));
        let other = HookId(ids.next(Timestamp(1)));
        let one = delivery_id(hook, 7, &Members::single(42));
        assert_eq!(one, delivery_id(hook, 7, &Members::single(42)));
        assert_eq!(locate(one), (7, 42));
        let range = Members { group: String::new(), first_seq: 42, last_seq: 43, count: 2 };
        let grouped = Members { group: "k".into(), ..Members::single(42) };
        for different in [
            delivery_id(hook, 7, &Members::single(43)),
            delivery_id(hook, 7, &range),
            delivery_id(hook, 7, &grouped),
            delivery_id(other, 7, &Members::single(42)),
        ] {
            assert_ne!(one, different);
        }
    }
}
