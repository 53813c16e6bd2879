//! Whose turn it is: the next request's number and the moment at which it should be sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::load::Until;
use crate::moment::now_us;
use crate::receiver::Tally;

const HOLD_LOOK: Duration = Duration::from_millis(1);

/// Lets a closed loop run only so far ahead of the deliveries that it causes.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) tally: Arc<Tally>,
    /// Deliveries of one request.
    pub(crate) fan_out: u64,
    /// Requests whose deliveries may be on their way.
    pub(crate) ahead: u64,
}

impl Hold {
    fn is_ahead(&self, sent: u64) -> bool {
        sent * self.fan_out >= self.tally.received() + self.ahead * self.fan_out
    }
}

/// The order in which requests are due, shared by all connections.
#[derive(Debug)]
pub(crate) struct Pace {
    begun_us: u64,
    rate: Option<f64>,
    /// Of an open loop: requests that are due and that nobody took yet.
    due: Arc<Semaphore>,
    until: Until,
    hold: Option<Hold>,
}

impl Pace {
    /// Begins now. An open loop has a thread that sleeps from one moment to the next: the timers of
    /// the runtime are too coarse for it (1 ms).
    pub(crate) fn start(
        rate: Option<f64>,
        until: Until,
        connections: usize,
        hold: Option<Hold>,
    ) -> Self {
        let pace = Self { begun_us: now_us(), rate, due: Arc::new(Semaphore::new(0)), until, hold };
        if let Some(rate) = rate {
            let (begun_us, count) = (pace.begun_us, pace.count());
            let due = Arc::clone(&pace.due);
            thread::spawn(move || {
                tick(begun_us, rate, count, &due);
                // Each connection learns that it is over.
                due.add_permits(connections);
            });
        }
        pace
    }

    pub(crate) fn begun_us(&self) -> u64 {
        self.begun_us
    }

    /// Waits for the next turn; `None` when it is over.
    pub(crate) async fn turn(&self, numbers: &AtomicU64) -> Option<(u64, u64)> {
        if let Some(rate) = self.rate {
            self.due.acquire().await.expect("it is never closed").forget();
            let n = numbers.fetch_add(1, Ordering::Relaxed);
            return (n < self.count()).then(|| (n, due_us(self.begun_us, rate, n)));
        }
        while let Some(hold) = &self.hold
            && hold.is_ahead(numbers.load(Ordering::Relaxed))
            && !self.is_over()
        {
            tokio::time::sleep(HOLD_LOOK).await;
        }
        let n = numbers.fetch_add(1, Ordering::Relaxed);
        (n < self.count() && !self.is_over()).then(|| (n, now_us()))
    }

    fn is_over(&self) -> bool {
        let elapsed = Duration::from_micros(now_us().saturating_sub(self.begun_us));
        matches!(self.until, Until::Time(time) if elapsed >= time)
    }

    /// Most requests of the whole run.
    fn count(&self) -> u64 {
        match (self.until, self.rate) {
            (Until::Count(count), _) => count,
            (Until::Time(time), Some(rate)) => whole(time.as_secs_f64() * rate),
            (Until::Time(_), None) => u64::MAX,
        }
    }
}

/// Adds a permit for each request at its moment.
fn tick(begun_us: u64, rate: f64, count: u64, due: &Semaphore) {
    let mut n = 0;
    while n < count {
        let wait = due_us(begun_us, rate, n).saturating_sub(now_us());
        if wait > 0 {
            thread::sleep(Duration::from_micros(wait));
        }
        let now = now_us();
        let before = n;
        while n < count && due_us(begun_us, rate, n) <= now {
            n += 1;
        }
        due.add_permits(usize::try_from(n - before).unwrap_or_default());
    }
}

/// When request `n` should be sent.
#[expect(clippy::cast_precision_loss, reason = "2^53 requests are more than anybody sends")]
fn due_us(begun_us: u64, rate: f64, n: u64) -> u64 {
    begun_us + whole(n as f64 * 1e6 / rate)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_do_not_depend_on_what_happened_before() {
        assert_eq!(due_us(1_000, 5_000.0, 0), 1_000);
        assert_eq!(due_us(1_000, 5_000.0, 10), 3_000);
        assert_eq!(due_us(0, 3.0, 3), 1_000_000);
    }

    #[tokio::test]
    async fn an_open_loop_hands_out_its_count_and_ends() {
        let (rate, until) = (10_000.0, Until::Time(Duration::from_millis(20)));
        let (pace, numbers) = (Pace::start(Some(rate), until, 1, None), AtomicU64::new(0));
        let mut turns = Vec::new();
        while let Some((n, due)) = pace.turn(&numbers).await {
            assert!(due <= now_us());
            turns.push((n, due - pace.begun_us()));
        }
        let expect: Vec<_> = (0..200).map(|n| (n, n * 100)).collect();
        assert_eq!(turns, expect);
    }

    #[tokio::test]
    async fn a_closed_loop_counts_too() {
        let (pace, numbers) = (Pace::start(None, Until::Count(3), 1, None), AtomicU64::new(0));
        let mut count = 0;
        while pace.turn(&numbers).await.is_some() {
            count += 1;
        }
        assert_eq!(count, 3);
    }
}
