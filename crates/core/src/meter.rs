//! Meters: numbers about the running process. Atomics, so that counting in a hot path costs next to
//! nothing; whoever exposes them reads them when asked. They begin at zero with the process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often something happened. Only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// It happened `more` times.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How often it has happened.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the buckets of [`Durations`], µs, inclusive. What is longer has a bucket of its own.
pub const DURATION_BOUNDS_US: [u64; 16] = [
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
];

/// How long something took, each time: a histogram.
#[derive(Debug, Default)]
pub struct Durations {
    buckets: [AtomicU64; DURATION_BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// What [`Durations`] held at some moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Upper bound in seconds (the last is infinite) and how many lay in that bucket alone.
    pub buckets: Vec<(f64, u64)>,
    /// All together, seconds.
    pub sum: f64,
    /// How many there were.
    pub count: u64,
}

impl Durations {
    /// It took so long this time.
    pub fn record(&self, took: Duration) {
        self.record_us(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// It took so many microseconds this time.
    pub fn record_us(&self, took_us: u64) {
        let bucket = DURATION_BOUNDS_US.partition_point(|bound| *bound < took_us);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(took_us, Ordering::Relaxed);
    }

    /// How often it happened.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// All of it.
    pub fn read(&self) -> Distribution {
        let bounds = DURATION_BOUNDS_US.iter().map(|us| seconds(*us)).chain([f64::INFINITY]);
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        Distribution { buckets, sum: seconds(self.sum_us.load(Ordering::Relaxed)), count }
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_lies_in_the_bucket_that_it_does_not_exceed() {
        for (took_us, bound) in [
            (0, 0.001),
            (1_000, 0.001),
            (1_001, 0.0025),
            (300_000_000, 300.0),
            (300_000_001, f64::INFINITY),
        ] {
            let durations = Durations::default();
            durations.record_us(took_us);
            let read = durations.read();
            let hit: Vec<_> = read.buckets.iter().filter(|(_, count)| *count > 0).collect();
            assert_eq!(hit, [&(bound, 1)], "{took_us}");
            assert_eq!((read.count, durations.count()), (1, 1));
            assert!((read.sum - took_us as f64 / 1e6).abs() < 1e-9);
        }
    }

    #[test]
    fn nothing_is_lost_when_many_count_at_once() {
        let (count, durations) = (Count::default(), Durations::default());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        count.add(2);
                        durations.record(Duration::from_millis(1));
                    }
                });
            }
        });
        assert_eq!((count.get(), durations.count()), (8_000, 4_000));
        assert!((durations.read().sum - 4.0).abs() < 1e-9);
    }
}
