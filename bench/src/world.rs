//! What a measurement starts with: a fresh server, a receiver, hooks from one to the other; and the
//! measurement itself.

use std::time::Duration;

use serde_json::json;

use crate::api::Api;
use crate::figure::{Figure, Run};
use crate::latency::Latencies;
use crate::load::{Load, Outcome, Request, Until};
use crate::pace::Hold;
use crate::process::{Meter, Spent};
use crate::receiver::Receiver;
use crate::server::Server;
use crate::template;

/// Bytes of the body of a publish request.
pub(crate) const BODY_BYTES: usize = 500;
/// The type that is published when the row does not need several.
pub(crate) const TYPE: &str = "bench.change";
/// Where changes are published.
pub(crate) const CHANGES: &str = "/api/v1/changes";
/// What is settled after the last receipt is work too.
const SETTLE: Duration = Duration::from_millis(200);

/// A fresh installation beside a receiver.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) receiver: Receiver,
    pub(crate) api: Api,
    database: bool,
}

/// How the publishers behave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Publishers {
    pub(crate) connections: usize,
    /// Changes per second; `None` is a closed loop.
    pub(crate) rate: Option<f64>,
    /// Changes whose deliveries may be on their way before publishers wait; only in a closed loop.
    pub(crate) ahead: Option<u64>,
}

/// What a load came to.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) outcome: Outcome,
    pub(crate) delivered: u64,
    /// From the first publish to the last receipt, or the last answer when nothing is delivered.
    pub(crate) seconds: f64,
    pub(crate) spent: Spent,
    /// Publish to receipt.
    pub(crate) latencies: Latencies,
    /// What went wrong, in words; empty when nothing did.
    pub(crate) trouble: String,
}

impl World {
    /// A server and a receiver with `ports` ports.
    pub(crate) async fn start(database_url: Option<&str>, ports: usize) -> Result<Self, String> {
        let receiver = Receiver::local(ports)?;
        let server = Server::start(database_url).await?;
        let api = server.api();
        Ok(Self { server, receiver, api, database: database_url.is_some() })
    }

    /// Makes a hook; `concurrency` 0 is the default of the server.
    pub(crate) async fn hook(
        &self,
        url: &str,
        trigger: &str,
        concurrency: u32,
    ) -> Result<(), String> {
        let mut body = json!({"url": url, "triggers": [trigger]});
        if concurrency > 0 {
            body["concurrency"] = concurrency.into();
        }
        self.api.post("/api/v1/hooks", &body).await.map(drop)
    }

    /// A POST of this server's owner.
    pub(crate) fn post(&self, path: &str, app: Option<&str>, body: &str) -> Request {
        let host = self.server.address.to_string();
        let mut headers = vec![
            format!("authorization: Bearer {}", self.server.key),
            "content-type: application/json".to_owned(),
        ];
        headers.extend(app.map(|app| format!("tidings-app: {app}")));
        Request::post(&host, path, &headers, body)
    }

    /// A change of [`BODY_BYTES`] bytes.
    pub(crate) fn change(&self, kind: &str, app: Option<&str>) -> Request {
        self.post(CHANGES, app, &template::change(kind, BODY_BYTES))
    }

    /// Sends without measuring; everything must be accepted.
    pub(crate) async fn send(
        &self,
        requests: Vec<Request>,
        connections: usize,
        count: u64,
    ) -> Result<(), String> {
        let address = self.server.address;
        let until = Until::Count(count);
        let load = Load { address, requests, connections, rate: None, until, hold: None };
        let outcome = joined(load).await?;
        match outcome.trouble() {
            trouble if trouble.is_empty() => Ok(()),
            trouble => Err(trouble),
        }
    }

    /// Publishes `requests` in turn for `time`, each of which causes `fan_out` deliveries, and waits
    /// until all of them arrived.
    pub(crate) async fn measure(
        &self,
        requests: Vec<Request>,
        publishers: Publishers,
        fan_out: u64,
        time: Duration,
    ) -> Result<Measured, String> {
        let tally = &self.receiver.tally;
        tally.reset();
        let ahead = publishers.ahead.filter(|_| fan_out > 0);
        let load = Load {
            address: self.server.address,
            requests,
            connections: publishers.connections,
            rate: publishers.rate,
            until: Until::Time(time),
            hold: ahead.map(|ahead| Hold { tally: tally.clone(), fan_out, ahead }),
        };
        let meter = self.meter()?;
        let before = meter.read()?;
        let outcome = joined(load).await?;
        let expected = outcome.accepted() * fan_out;
        self.receiver.drain(expected).await;
        tokio::time::sleep(SETTLE).await;
        let spent = meter.read()?.since(before);
        let delivered = tally.received();
        let ended_us = if fan_out > 0 { tally.last_us() } else { outcome.ended_us };
        let mut trouble = outcome.trouble();
        if delivered != expected {
            trouble += &format!(" {delivered} of {expected} deliveries arrived");
        }
        if outcome.accepted() == 0 {
            return Err(format!("nothing was accepted: {trouble}\n{}", self.server.log_tail()));
        }
        let seconds =
            Duration::from_micros(ended_us.saturating_sub(outcome.begun_us)).as_secs_f64();
        let latencies = tally.latencies();
        Ok(Measured { outcome, delivered, seconds, spent, latencies, trouble })
    }

    fn meter(&self) -> Result<Meter, String> {
        let (server, receiver) = (Some(self.server.id()?), self.receiver.thread.clone());
        Ok(Meter { server, database: self.database, receiver })
    }
}

/// Sends on a thread of its own and waits for it.
pub(crate) async fn joined(load: Load) -> Result<Outcome, String> {
    let sent = tokio::task::spawn_blocking(|| load.start().join()).await;
    sent.ok().and_then(Result::ok).ok_or_else(|| "the generator broke down".to_owned())
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^53")]
impl Measured {
    /// Deliveries per second, end to end.
    pub(crate) fn delivered_per_second(&self) -> f64 {
        self.delivered as f64 / self.seconds
    }

    /// Accepted changes per second.
    pub(crate) fn accepted_per_second(&self) -> f64 {
        self.outcome.accepted() as f64 / self.outcome.seconds()
    }

    /// CPU time of server and store for each delivery, microseconds.
    pub(crate) fn us_per_delivery(&self) -> f64 {
        (self.spent.server + self.spent.database) as f64 / self.delivered.max(1) as f64
    }

    /// The same for each accepted change.
    pub(crate) fn us_per_change(&self) -> f64 {
        (self.spent.server + self.spent.database) as f64 / self.outcome.accepted().max(1) as f64
    }

    /// CPU time of generator and receiver for each accepted change, microseconds.
    pub(crate) fn own_us_per_change(&self) -> f64 {
        self.spent.own as f64 / self.outcome.accepted().max(1) as f64
    }

    /// Cores that others kept busy meanwhile.
    pub(crate) fn foreign_cores(&self) -> f64 {
        self.spent.foreign() as f64 / 1e6 / self.seconds
    }

    /// The run of a row that consists of this measurement.
    pub(crate) fn run(&self, figures: Vec<Figure>) -> Run {
        Run { figures, foreign_cores: self.foreign_cores(), trouble: self.trouble.clone() }
    }
}
