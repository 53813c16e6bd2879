//! Latencies, recorded without loss of precision and summed up in percentiles.

use hdrhistogram::Histogram;

/// The longest that is told apart: two minutes.
const LONGEST_US: u64 = 120_000_000;

/// Latencies in microseconds, exact to 0.1 %.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are valid"))
    }

    /// Records what lies between the moment that was meant and the present one. The clock starts when
    /// the request should have been sent, not when the generator got round to it: a server that
    /// stalls is charged for every request that had to wait (coordinated omission).
    pub(crate) fn record(&mut self, intended_us: u64, now_us: u64) {
        self.0.saturating_record(now_us.saturating_sub(intended_us).max(1));
    }

    /// Takes those of another measurement in.
    pub(crate) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("the bounds are the same");
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// Milliseconds below which `percent` of them lie.
    pub(crate) fn percentile_ms(&self, percent: f64) -> f64 {
        let us = u32::try_from(self.0.value_at_percentile(percent)).unwrap_or(u32::MAX);
        f64::from(us) / 1000.0
    }

    pub(crate) fn max_ms(&self) -> f64 {
        self.percentile_ms(100.0)
    }
}

/// `p50 0.31 ms, p99 …`.
impl std::fmt::Display for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [p50, p99, p999] = [50.0, 99.0, 99.9].map(|percent| self.percentile_ms(percent));
        write!(
            f,
            "p50 {p50:.2} ms, p99 {p99:.2} ms, p99.9 {p999:.2} ms, max {:.2} ms",
            self.max_ms()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut latencies = Latencies::new();
        (1..=1000).for_each(|ms| latencies.record(5_000, 5_000 + ms * 1000));
        for (percent, expect) in [(50.0, 500.0), (99.0, 990.0), (99.9, 999.0), (100.0, 1000.0)] {
            let found = latencies.percentile_ms(percent);
            assert!((found / expect - 1.0).abs() < 0.002, "p{percent}: {found}");
        }
    }

    #[test]
    fn a_stall_is_charged_to_every_request_that_it_delayed() {
        // 100 requests, one due each 10 ms; all are answered when a stall of a second ends.
        let mut latencies = Latencies::new();
        (0..100).for_each(|n| latencies.record(n * 10_000, 1_000_000));
        assert!((latencies.percentile_ms(50.0) - 510.0).abs() < 11.0, "{latencies}");
        assert!(latencies.percentile_ms(99.0) > 980.0, "{latencies}");
    }

    #[test]
    fn what_is_beyond_the_bounds_counts_as_the_bound() {
        let mut latencies = Latencies::new();
        latencies.record(10, 5);
        latencies.record(0, u64::MAX);
        assert_eq!(latencies.count(), 2);
        assert!(latencies.max_ms() >= 120_000.0);
    }
}
