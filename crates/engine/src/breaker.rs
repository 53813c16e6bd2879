//! The circuit breaker of a hook: a dead receiver parks nothing more and costs one probe now and then.
//!
//! It opens when a connection fails or when five different deliveries fail in a row. While open nothing
//! comes due and no attempt of a schedule is used. Probes go out one at a time, alternating between the
//! oldest parked and the next unsent change; any 2xx closes it, and sending starts again slowly.

use std::collections::BTreeSet;

use tidings_core::clock::Timestamp;

/// Different deliveries that fail in a row until the breaker opens.
const FAILURES_TO_OPEN: usize = 5;
/// The first probe follows after this time, each further one after twice the time before.
const PROBE_FIRST_MS: i64 = 1_000;
/// Probes are never further apart.
const PROBE_LONGEST_MS: i64 = 30_000;

/// State of a breaker.
#[derive(Debug)]
pub(crate) struct Breaker {
    failed: BTreeSet<(i64, u64)>,
    open: Option<Open>,
    allowed: usize,
}

#[derive(Debug)]
struct Open {
    probe_at: Timestamp,
    wait_ms: i64,
    probing: bool,
    parked_next: bool,
}

impl Breaker {
    /// A closed breaker.
    pub(crate) fn closed() -> Self {
        Self { failed: BTreeSet::new(), open: None, allowed: usize::MAX }
    }

    /// Whether it is open.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// How many deliveries may be in flight, by the breaker's judgement.
    pub(crate) fn allowed(&self) -> usize {
        self.allowed
    }

    /// When the next probe may go, while open and none is under way.
    pub(crate) fn probe_at(&self) -> Option<Timestamp> {
        self.open.as_ref().filter(|open| !open.probing).map(|open| open.probe_at)
    }

    /// Begins a probe; answers whether it should take a parked delivery rather than an unsent change.
    pub(crate) fn begin_probe(&mut self) -> bool {
        self.open.as_mut().is_some_and(|open| {
            open.probing = true;
            open.parked_next = !open.parked_next;
            open.parked_next
        })
    }

    /// A probe never reached the receiver: another may go at once.
    pub(crate) fn abandon_probe(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = false;
        }
    }

    /// A delivery was answered with a 2xx.
    pub(crate) fn succeeded(&mut self) {
        self.failed.clear();
        if self.open.take().is_some() {
            self.allowed = 1;
        } else {
            self.allowed = self.allowed.saturating_mul(2);
        }
    }

    /// A delivery failed. `hard` when no HTTP answer came because no connection could be made.
    pub(crate) fn failed(&mut self, delivery: (i64, u64), hard: bool, probe: bool, now: Timestamp) {
        if let Some(open) = &mut self.open {
            if probe {
                open.probing = false;
                open.wait_ms = (open.wait_ms * 2).min(PROBE_LONGEST_MS);
                open.probe_at = now.plus_ms(open.wait_ms);
            }
            return;
        }
        self.failed.insert(delivery);
        if hard || self.failed.len() >= FAILURES_TO_OPEN {
            let probe_at = now.plus_ms(PROBE_FIRST_MS);
            self.open = Some(Open {
                probe_at,
                wait_ms: PROBE_FIRST_MS,
                probing: false,
                parked_next: false,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_different_failures_or_one_failed_connection_open_it() {
        let now = Timestamp(0);
        let mut breaker = Breaker::closed();
        for _ in 0..10 {
            breaker.failed((0, 1), false, false, now);
        }
        assert!(!breaker.is_open(), "one delivery failing again and again is not a dead receiver");
        for seq in 2..=5 {
            breaker.failed((0, seq), false, false, now);
        }
        assert!(breaker.is_open());

        let mut breaker = Breaker::closed();
        breaker.failed((0, 1), true, false, now);
        assert!(breaker.is_open());
    }

    #[test]
    fn probes_go_one_at_a_time_alternate_and_slow_down_until_one_succeeds() {
        let mut now = Timestamp(0);
        let mut breaker = Breaker::closed();
        breaker.failed((0, 1), true, false, now);
        let mut waits = Vec::new();
        let mut kinds = Vec::new();
        for _ in 0..7 {
            let at = breaker.probe_at().unwrap();
            waits.push(at.0 - now.0);
            now = at;
            kinds.push(breaker.begin_probe());
            assert_eq!(breaker.probe_at(), None);
            breaker.failed((0, 1), true, true, now);
        }
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(kinds, [true, false, true, false, true, false, true]);
        breaker.begin_probe();
        let at = now.plus_ms(30_000);
        breaker.abandon_probe();
        assert_eq!(breaker.probe_at(), Some(at), "an abandoned probe costs no wait");
        breaker.begin_probe();
        breaker.succeeded();
        assert_eq!((breaker.is_open(), breaker.allowed()), (false, 1));
        breaker.succeeded();
        assert_eq!(breaker.allowed(), 2);
    }
}
