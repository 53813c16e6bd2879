//! A tally of attempts: how many were delivered, how many failed, and how long the delivered ones took.
//!
//! Times are kept as a small histogram: tallies of many minutes and hooks can be added up, and a percentile
//! is exact to the width of its bucket.

use crate::clock::Timestamp;
use crate::limits;

/// Upper ends of the buckets, ms, inclusive; what takes longer than the last has a bucket of its own.
pub const BOUNDS_MS: [u64; BUCKETS - 1] =
    [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];
/// Buckets of a tally.
pub const BUCKETS: usize = 12;

/// The minute of a moment, counted from 1970.
pub fn minute_of(at: Timestamp) -> i64 {
    at.0.div_euclid(60_000)
}

/// Attempts added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Attempts answered with a 2xx.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// What the delivered ones took, µs, added up.
    pub latency_us: u64,
    /// The delivered ones by what they took.
    pub buckets: [u64; BUCKETS],
}

impl Tally {
    /// Counts an attempt that took `total_us`.
    pub fn count(&mut self, delivered: bool, total_us: u64) {
        if !delivered {
            self.failed += 1;
            return;
        }
        self.delivered += 1;
        self.latency_us += total_us;
        self.buckets[BOUNDS_MS.partition_point(|bound| bound * 1_000 < total_us)] += 1;
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.latency_us += other.latency_us;
        for (sum, more) in self.buckets.iter_mut().zip(other.buckets) {
            *sum += more;
        }
    }

    /// The time within which `percent` of the delivered attempts were answered, ms; `None` when there was
    /// none. Within a bucket times are taken to be spread evenly.
    pub fn percentile_ms(&self, percent: u64) -> Option<u64> {
        let all: u64 = self.buckets.iter().sum();
        let wanted = (all * percent).div_ceil(100).max(1);
        let mut below = 0;
        for (bucket, &count) in self.buckets.iter().enumerate() {
            if below + count >= wanted {
                let from = bucket.checked_sub(1).map_or(0, |before| BOUNDS_MS[before]);
                let to = BOUNDS_MS.get(bucket).copied().unwrap_or(limits::DELIVERY_DEADLINE_MS);
                return Some(from + (to - from) * (wanted - below) / count);
            }
            below += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(times_ms: &[u64]) -> Tally {
        let mut tally = Tally::default();
        times_ms.iter().for_each(|ms| tally.count(true, ms * 1_000));
        tally
    }

    #[test]
    fn each_time_has_its_bucket() {
        for (total_us, bucket) in
            [(0, 0), (5_000, 0), (5_001, 1), (10_000, 1), (999_000, 7), (10_000_001, 11)]
        {
            let mut tally = Tally::default();
            tally.count(true, total_us);
            assert_eq!(tally.buckets.iter().position(|count| *count == 1), Some(bucket));
            assert_eq!((tally.delivered, tally.failed, tally.latency_us), (1, 0, total_us));
        }
        let mut tally = Tally::default();
        tally.count(false, 7);
        assert_eq!(tally, Tally { failed: 1, ..Tally::default() });
    }

    #[test]
    fn percentiles_are_exact_to_the_width_of_a_bucket_and_survive_adding_up() {
        assert_eq!(Tally::default().percentile_ms(50), None);
        for (times, p50, p95) in [
            (&[3][..], 5, 5),
            (&[60, 60, 60, 60], 75, 100),
            (&[1, 1, 1, 1, 1, 1, 1, 1, 1, 400], 2, 500),
            (&[12_000], 15_000, 15_000),
        ] {
            let tally = tally(times);
            assert_eq!(tally.percentile_ms(50), Some(p50), "{times:?}");
            assert_eq!(tally.percentile_ms(95), Some(p95), "{times:?}");
        }
        let (mut sum, other) = (tally(&[1, 2]), tally(&[300]));
        sum.add(&other);
        assert_eq!(sum, tally(&[1, 2, 300]));
    }

    #[test]
    fn minutes_are_whole() {
        for (ms, minute) in [(0, 0), (59_999, 0), (60_000, 1), (1_795_248_000_000, 29_920_800)] {
            assert_eq!(minute_of(Timestamp(ms)), minute);
        }
    }
}
