//! Pace: how soon a hook's next request may begin, by its rate and by its least interval.
//!
//! The rate is a generic cell rate algorithm: requests are spread evenly, so that no span, wherever it
//! begins, has more than one request above what the rate says.

use tidings_core::clock::Timestamp;
use tidings_core::hook::{Rate, Service, Span};

/// A request may begin this much before its even place, ns: timers have whole milliseconds.
const SLACK_NS: i64 = 5_000_000;

/// When the requests of a hook may begin.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// The even place of the next request, ns since the epoch.
    next_ns: i64,
    /// When the last request began.
    last: Option<Timestamp>,
}

impl Pace {
    /// Until when the next request must wait; `None` when it may begin now.
    pub(crate) fn wait(&self, service: &Service, now: Timestamp) -> Option<Timestamp> {
        let by_rate = service.rate.and_then(|rate| self.wait_for(rate, now));
        let by_interval = service.coalesce.zip(self.last).map(|(coalesce, last)| {
            Timestamp(last.0.min(now.0)).plus_ms(coalesce.min_interval_ms.cast_signed())
        });
        by_rate.into_iter().chain(by_interval).max().filter(|at| *at > now)
    }

    /// When the last request began.
    pub(crate) fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// When a rate lets the next request begin.
    pub(crate) fn wait_for(&self, rate: Rate, now: Timestamp) -> Option<Timestamp> {
        // A clock that was set back must not stop the hook for that long.
        let at_ns = self.next_ns.min(now.0 * 1_000_000 + SLACK_NS + interval_ns(rate)) - SLACK_NS;
        let at =
            Timestamp(at_ns.div_euclid(1_000_000) + i64::from(at_ns.rem_euclid(1_000_000) > 0));
        Some(at).filter(|at| *at > now)
    }

    /// A request that counts against a rate begins.
    pub(crate) fn began_at(&mut self, rate: Rate, now: Timestamp) {
        let now_ns = now.0 * 1_000_000;
        self.next_ns = self.next_ns.clamp(now_ns, now_ns + SLACK_NS) + interval_ns(rate);
    }

    /// A request begins.
    pub(crate) fn began(&mut self, service: &Service, now: Timestamp) {
        self.last = Some(now);
        if let Some(rate) = service.rate {
            self.began_at(rate, now);
        }
    }
}

/// A replay's own pace, within that of its hook.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throttle {
    rate: Rate,
    pace: Pace,
}

impl Throttle {
    /// As fast as `rate` says.
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, pace: Pace::default() }
    }

    /// Until when the replay waits; `None` when it may go on now.
    pub(crate) fn wait(&self, now: Timestamp) -> Option<Timestamp> {
        self.pace.wait_for(self.rate, now).filter(|at| *at > now)
    }

    /// It sends something.
    pub(crate) fn began(&mut self, now: Timestamp) {
        self.pace.began_at(self.rate, now);
    }
}

fn interval_ns(rate: Rate) -> i64 {
    let span_ns = match rate.per {
        Span::Second => 1_000_000_000,
        Span::Minute => 60_000_000_000,
        Span::Hour => 3_600_000_000_000,
    };
    span_ns / i64::from(rate.count.max(1))
}

#[cfg(test)]
mod tests {
    use tidings_core::hook::Coalesce;

    use super::*;

    fn service(count: u32, per: Span) -> Service {
        Service { rate: Some(Rate { count, per }), ..Service::default() }
    }

    /// When requests begin that are always asked for, within `span_ms` from a time far from 0.
    fn beginnings(service: &Service, span_ms: i64) -> Vec<i64> {
        let mut pace = Pace::default();
        let start = Timestamp(1_700_000_000_123);
        let mut now = start;
        let mut began = Vec::new();
        while now.0 - start.0 < span_ms {
            match pace.wait(service, now) {
                Some(at) => now = at,
                None => {
                    pace.began(service, now);
                    began.push(now.0 - start.0);
                }
            }
        }
        began
    }

    #[test]
    fn no_span_has_more_than_one_request_above_its_rate_and_the_rate_is_reached() {
        for (count, per, span_ms) in [
            (1, Span::Second, 1_000),
            (100, Span::Second, 1_000),
            (3_000, Span::Second, 1_000),
            (90, Span::Minute, 60_000),
            (10, Span::Hour, 3_600_000),
        ] {
            let began = beginnings(&service(count, per), 4 * span_ms);
            let slack = 1 + i64::from(count) * 5 / span_ms + 1;
            for &first in &began {
                let within = began.iter().filter(|&&at| (first..first + span_ms).contains(&at));
                assert!(within.count() as i64 <= i64::from(count) + slack, "{count} {per:?}");
            }
            let all = began.len() as i64;
            assert!((4 * i64::from(count)..=4 * i64::from(count) + slack).contains(&all), "{all}");
        }
    }

    #[test]
    fn requests_keep_their_least_interval() {
        let coalesce = Some(Coalesce { min_interval_ms: 700, ..Coalesce::default() });
        let throttled = Service { coalesce, ..Service::default() };
        assert_eq!(beginnings(&throttled, 2_000), [0, 700, 1_400]);
        assert_eq!(Pace::default().wait(&Service::default(), Timestamp(5)), None);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nobody_for_long() {
        let service = service(1, Span::Second);
        let mut pace = Pace::default();
        pace.began(&service, Timestamp(10_000_000));
        assert!(pace.wait(&service, Timestamp(1_000)).unwrap() <= Timestamp(2_000));
    }
}
