//! Failed sign-ins of each address: so many in a span of time, and no more.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidings_core::clock::Timestamp;
use tidings_core::limits::{SIGN_IN_ADDRESSES_MAX, SIGN_IN_FAILURES_MAX, SIGN_IN_SPAN_MS};

use crate::{Error, Result};

/// Bits of an IPv6 address that are one subscriber's: the rest is theirs to choose.
const SUBSCRIBER: u128 = !0 << 64;

/// Failed sign-ins of addresses. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct SignIns(Arc<Mutex<HashMap<IpAddr, Failures>>>);

/// What is remembered of an address.
#[derive(Clone, Copy, Debug)]
struct Failures {
    since: Timestamp,
    times: u32,
}

/// A sign-in that was counted as failed before it is tried, so that those at the same time count too. Dropping it
/// takes that back, unless it did fail.
#[must_use]
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    sign_ins: &'a SignIns,
    address: Option<IpAddr>,
    failed: bool,
}

impl Attempt<'_> {
    pub(super) fn failed(mut self) {
        self.failed = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let Some(address) = self.address.filter(|_| !self.failed) else { return };
        if let Some(failures) = self.sign_ins.lock().get_mut(&address) {
            failures.times = failures.times.saturating_sub(1);
        }
    }
}

impl SignIns {
    /// Begins a sign-in from an address; one whose address is not known is not counted.
    ///
    /// # Errors
    /// Limit exceeded when too many failed lately.
    pub(super) fn begin(&self, address: Option<IpAddr>, now: Timestamp) -> Result<Attempt<'_>> {
        let address = address.map(subscriber);
        if let Some(address) = address {
            self.count(address, now)?;
        }
        Ok(Attempt { sign_ins: self, address, failed: false })
    }

    fn count(&self, address: IpAddr, now: Timestamp) -> Result<()> {
        let mut all = self.lock();
        let known = all.get(&address).copied();
        let mut failures = known
            .filter(|known| now.0 - known.since.0 < SIGN_IN_SPAN_MS)
            .unwrap_or(Failures { since: now, times: 0 });
        if failures.times >= SIGN_IN_FAILURES_MAX {
            let wait_ms = failures.since.0 + SIGN_IN_SPAN_MS - now.0;
            return Err(Error::LimitExceeded {
                limit: "failed sign-ins from this address; wait before the next try".into(),
                retry_after_s: u32::try_from(wait_ms.max(1).unsigned_abs().div_ceil(1_000)).ok(),
            });
        }
        if known.is_none() && all.len() >= SIGN_IN_ADDRESSES_MAX {
            make_room(&mut all, now);
        }
        failures.times += 1;
        all.insert(address, failures);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the addresses whose span is over, or else the one with the fewest failures.
fn make_room(all: &mut HashMap<IpAddr, Failures>, now: Timestamp) {
    let before = all.len();
    all.retain(|_, known| now.0 - known.since.0 < SIGN_IN_SPAN_MS && known.times > 0);
    if all.len() == before {
        let least = all.iter().min_by_key(|(_, known)| (known.times, known.since));
        let least = least.map(|(address, _)| *address);
        least.map(|address| all.remove(&address));
    }
}

/// The address by which a subscriber is told from others.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & SUBSCRIBER)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_248_000_000);

    fn fail(sign_ins: &SignIns, address: &str, now: Timestamp) -> bool {
        let address = Some(address.parse().unwrap());
        sign_ins.begin(address, now).map(Attempt::failed).is_ok()
    }

    #[test]
    fn an_address_may_fail_so_often_in_a_span_whoever_it_tries_and_others_are_not_touched() {
        let sign_ins = SignIns::default();
        for _ in 0..SIGN_IN_FAILURES_MAX {
            assert!(fail(&sign_ins, "192.0.2.7", NOW));
        }
        for (address, goes) in [
            ("192.0.2.7", false),
            ("::ffff:192.0.2.7", false),
            ("192.0.2.8", true),
            ("2001:db8::1", true),
        ] {
            assert_eq!(fail(&sign_ins, address, NOW), goes, "{address}");
        }
        let refused = sign_ins.begin("192.0.2.7".parse().ok(), NOW.plus_ms(500));
        let Err(Error::LimitExceeded { retry_after_s, .. }) = refused else { panic!("let in") };
        assert_eq!(retry_after_s, Some(60));
        assert!(fail(&sign_ins, "192.0.2.7", NOW.plus_ms(SIGN_IN_SPAN_MS)));
    }

    #[test]
    fn addresses_of_one_ipv6_subscriber_count_together() {
        let sign_ins = SignIns::default();
        for n in 0..SIGN_IN_FAILURES_MAX {
            assert!(fail(&sign_ins, &format!("2001:db8:1:2::{n:x}"), NOW));
        }
        assert!(!fail(&sign_ins, "2001:db8:1:2:ffff::1", NOW));
        assert!(fail(&sign_ins, "2001:db8:1:3::1", NOW));
    }

    #[test]
    fn what_did_not_fail_is_not_counted() {
        let sign_ins = SignIns::default();
        for _ in 0..3 * SIGN_IN_FAILURES_MAX {
            drop(sign_ins.begin("192.0.2.7".parse().ok(), NOW).unwrap());
        }
        assert!(fail(&sign_ins, "192.0.2.7", NOW));
    }

    #[test]
    fn addresses_that_are_remembered_are_bounded_and_the_worst_stays() {
        let sign_ins = SignIns::default();
        for _ in 0..SIGN_IN_FAILURES_MAX {
            assert!(fail(&sign_ins, "192.0.2.7", NOW));
        }
        for n in 0..SIGN_IN_ADDRESSES_MAX + 10 {
            let address = format!("10.{}.{}.{}", n >> 16, (n >> 8) & 255, n & 255);
            assert!(fail(&sign_ins, &address, NOW));
        }
        assert!(sign_ins.lock().len() <= SIGN_IN_ADDRESSES_MAX);
        assert!(!fail(&sign_ins, "192.0.2.7", NOW));
    }
}
