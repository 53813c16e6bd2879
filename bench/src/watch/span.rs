//! What was spent and asked between two moments.

use std::time::Instant;

use super::google::{Counts, Google};
use crate::process::{Meter, Spent};

/// A moment: what was spent and asked until then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) at: Instant,
    spent: Spent,
    /// CPU time of the simulator, microseconds.
    simulator: u64,
    asked: Counts,
}

/// A span between two moments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) seconds: f64,
    /// CPU time of server and store, microseconds.
    pub(super) cpu_us: f64,
    pub(super) requests: f64,
    pub(super) foreign_cores: f64,
}

impl Moment {
    /// Reads everything of the server with this process id, of PostgreSQL if that is its `database`, and of
    /// the simulator.
    pub(super) fn now(server: u32, database: bool, google: &mut Google) -> Result<Self, String> {
        let meter = Meter { server: Some(server), database, receiver: None };
        let simulator = Meter { server: Some(google.id()), ..Meter::default() };
        Ok(Self {
            at: Instant::now(),
            spent: meter.read()?,
            simulator: simulator.read()?.server,
            asked: google.counts()?,
        })
    }

    /// What lies between this moment and `end`.
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^53")]
    pub(super) fn until(self, end: Self) -> Span {
        let seconds = end.at.duration_since(self.at).as_secs_f64();
        let spent = end.spent.since(self.spent);
        let simulator = end.simulator.saturating_sub(self.simulator);
        Span {
            seconds,
            cpu_us: (spent.server + spent.database) as f64,
            requests: (end.asked.received - self.asked.received) as f64,
            foreign_cores: spent.foreign().saturating_sub(simulator) as f64 / 1e6 / seconds,
        }
    }
}

impl Span {
    pub(super) fn requests_per_second(&self) -> f64 {
        self.requests / self.seconds
    }

    pub(super) fn cpu_percent(&self) -> f64 {
        self.cpu_us / 1e4 / self.seconds
    }
}
