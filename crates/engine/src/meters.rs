//! What the engine counts: attempts, deliveries and passes over accounts. Deliveries are counted by the
//! settle, many at a time and beside the loop, so that counting costs the hot path nothing.

use std::time::Duration;

use tidings_core::egress::FailureClass;
use tidings_core::meter::{Count, Durations};
use tidings_store::{AttemptRecord, ParkedWrite, Settle};

use crate::access::AUTH;
use crate::deliver::ERASED;
use crate::sync::Passed;
use crate::transform::TRANSFORM;

/// What an attempt came to, besides the classes of [`FailureClass`].
const OWN_CLASSES: [&str; 10] = [
    "delivered",
    "status_3xx",
    "status_4xx",
    "status_5xx",
    "status_other",
    "render",
    TRANSFORM,
    AUTH,
    ERASED,
    "internal",
];
const CLASSES: usize = OWN_CLASSES.len() + FailureClass::ALL.len();

/// What became of a pass over an account.
const PASSES: [&str; 5] = ["synced", "failed", "deactivated", "gone", "store_failed"];

/// The engine's meters. One for the process, handed down.
#[derive(Debug, Default)]
pub struct Meters {
    attempts: [Count; CLASSES],
    attempt: Durations,
    delivered: Count,
    retried: Count,
    exhausted: Count,
    passes: [Count; PASSES.len()],
    pass: Durations,
}

impl Meters {
    /// Counts what is about to be settled.
    pub(crate) fn settled(&self, settle: &Settle) {
        for attempt in &settle.attempts {
            self.attempts[class_of(attempt)].add(1);
            if attempt.total_us > 0 {
                self.attempt.record_us(attempt.total_us);
            }
        }
        let delivered = settle.attempts.iter().filter(|attempt| attempt.delivered).count();
        self.delivered.add(delivered as u64);
        for (_, write) in &settle.parked {
            match write {
                ParkedWrite::Put { due_at: None, .. } => self.exhausted.add(1),
                ParkedWrite::Put { waits: false, .. } => self.retried.add(1),
                ParkedWrite::Put { .. } | ParkedWrite::Remove { .. } => {}
            }
        }
    }

    /// Counts a pass over an account; `None` when what it found could not be stored.
    pub(crate) fn passed(&self, passed: Option<&Passed>, took: Duration) {
        let place = match passed {
            Some(Passed::Synced) => 0,
            Some(Passed::Failed(_)) => 1,
            Some(Passed::Deactivated) => 2,
            Some(Passed::Gone) => 3,
            None => 4,
        };
        self.passes[place].add(1);
        self.pass.record(took);
    }

    /// Attempts by what they came to: `delivered`, the class of the status, or the class of the error.
    pub fn attempts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let failures = FailureClass::ALL.iter().map(|class| class.code());
        let classes = OWN_CLASSES.into_iter().chain(failures);
        classes.zip(self.attempts.iter().map(Count::get))
    }

    /// How long attempts took that got as far as the way out.
    pub fn attempt(&self) -> &Durations {
        &self.attempt
    }

    /// Deliveries by what became of them: `delivered`; `retried` once for each retry that is put off;
    /// `exhausted`.
    pub fn deliveries(&self) -> [(&'static str, u64); 3] {
        [
            ("delivered", self.delivered.get()),
            ("retried", self.retried.get()),
            ("exhausted", self.exhausted.get()),
        ]
    }

    /// Passes over accounts by outcome.
    pub fn passes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        PASSES.into_iter().zip(self.passes.iter().map(Count::get))
    }

    /// How long passes took.
    pub fn pass(&self) -> &Durations {
        &self.pass
    }
}

fn class_of(attempt: &AttemptRecord) -> usize {
    if attempt.delivered {
        return 0;
    }
    match (attempt.status, &attempt.error) {
        (Some(300..=399), _) => 1,
        (Some(400..=499), _) => 2,
        (Some(500..=599), _) => 3,
        (Some(_), _) | (None, None) => 4,
        (None, Some((class, _))) => {
            let own = OWN_CLASSES.iter().position(|own| own == class);
            let failure = || FailureClass::ALL.iter().position(|known| known.code() == class);
            let internal = OWN_CLASSES.len() - 1;
            own.or_else(|| Some(OWN_CLASSES.len() + failure()?)).unwrap_or(internal)
        }
    }
}

#[cfg(test)]
mod tests {
    use tidings_core::clock::Timestamp;
    use tidings_core::delivery::Members;
    use tidings_providers::error::ProviderError;

    use super::*;

    fn attempt(status: Option<u16>, class: Option<&str>) -> AttemptRecord {
        AttemptRecord {
            hook_no: 1,
            cursor_no: 0,
            members: Members::single(1),
            n: 1,
            delivered: status.is_some_and(|status| (200..300).contains(&status)),
            started_at: Timestamp(0),
            dns_us: None,
            connect_us: None,
            tls_us: None,
            first_byte_us: None,
            total_us: u64::from(status.is_some()) * 1_500,
            url: String::new(),
            address: None,
            status,
            error: class.map(|class| (class.to_owned(), String::new())),
            request_headers: None,
            response_headers: None,
            response_body: None,
        }
    }

    #[test]
    fn every_attempt_has_a_class_and_each_class_its_own_count() {
        let statuses = [(204, 0), (301, 1), (404, 2), (410, 2), (503, 3), (199, 4), (999, 4)];
        for (status, place) in statuses {
            assert_eq!(class_of(&attempt(Some(status), Some("status"))), place, "{status}");
        }
        let names: Vec<_> = Meters::default().attempts().map(|(name, _)| name).collect();
        assert_eq!(names.len(), CLASSES);
        for name in &names[5..] {
            assert_eq!(names[class_of(&attempt(None, Some(name)))], *name);
        }
        assert_eq!(names[class_of(&attempt(None, Some("what is this")))], "internal");
    }

    #[test]
    fn a_settle_counts_attempts_and_what_became_of_deliveries() {
        let put = |due_at, waits| {
            let members = Members::single(1);
            let reason = String::new();
            let (cursor_no, attempts, key_hash) = (0, 1, None);
            let put =
                ParkedWrite::Put { cursor_no, members, attempts, due_at, reason, key_hash, waits };
            (1, put)
        };
        let meters = Meters::default();
        meters.settled(&Settle {
            attempts: vec![attempt(Some(200), None), attempt(None, Some("dns"))],
            parked: vec![
                put(Some(Timestamp(9)), false),
                put(None, false),
                put(Some(Timestamp(9)), true),
                (1, ParkedWrite::Remove { cursor_no: 0, members: Members::single(1) }),
            ],
            ..Settle::default()
        });
        assert_eq!(meters.deliveries(), [("delivered", 1), ("retried", 1), ("exhausted", 1)]);
        let counted: Vec<_> = meters.attempts().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [("delivered", 1), ("dns", 1)]);
        assert_eq!(meters.attempt().count(), 1, "what was not sent took no time");
    }

    #[test]
    fn passes_are_counted_by_outcome() {
        let meters = Meters::default();
        let took = Duration::from_millis(20);
        meters.passed(Some(&Passed::Synced), took);
        meters.passed(Some(&Passed::Failed(ProviderError::retry("busy"))), took);
        meters.passed(None, took);
        let counted: Vec<_> = meters.passes().map(|(_, count)| count).collect();
        assert_eq!((counted, meters.pass().count()), (vec![1, 1, 0, 0, 1], 3));
    }
}
