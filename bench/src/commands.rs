//! The commands `publish`, `receive` and `bare`: what anybody can run against anything.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use url::Url;

use crate::bare;
use crate::load::{Load, Request, Until};
use crate::receiver::Receiver;
use crate::template;

/// Publishes and says how it went.
#[derive(Args, Debug)]
pub(crate) struct Publish {
    /// Where to POST, such as http://127.0.0.1:8480/api/v1/changes (http only)
    #[arg(long)]
    url: Url,
    /// A header of each request, `name: value`; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The body, with {n} for the request's number and {now_us} for the time it should be sent; the
    /// receiver looks for "now_us":{now_us} [default: a change of 500 bytes for Tidings]
    #[arg(long, value_name = "TEMPLATE", conflicts_with = "body_file")]
    body: Option<String>,
    /// The same from a file
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,
    /// Requests per second (open loop; latencies count from the moment a request should have been
    /// sent) [default: a closed loop, as fast as answers come]
    #[arg(long, value_parser = positive)]
    rate: Option<f64>,
    /// Kept connections, each with one request at a time
    #[arg(long, default_value_t = 32, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    connections: usize,
    /// How long to publish
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    seconds: f64,
    /// Also receive, on this address; what is published must arrive here
    #[arg(long, value_name = "ADDRESS:PORT")]
    receive: Option<SocketAddr>,
    /// Deliveries that each accepted request causes
    #[arg(long, default_value_t = 1)]
    fan_out: u64,
}

/// Receives alone, on the addresses given, until it is interrupted.
///
/// The path says what happens: /hang never answers, /delay/50 answers after 50 ms, /status/503 with that
/// status, everything else with 200. A line for each second in which something arrived.
#[derive(Args, Debug)]
pub(crate) struct Receive {
    /// Where to listen
    #[arg(default_value = "127.0.0.1:9000", value_name = "ADDRESS:PORT")]
    addresses: Vec<SocketAddr>,
}

/// The bare loop: an HTTP client that signs and sends 500 bytes over 256 kept connections.
#[derive(Args, Debug)]
pub(crate) struct Bare {
    /// How long
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    seconds: f64,
}

impl Publish {
    /// Runs the load on a thread of its own and waits for its deliveries.
    ///
    /// # Errors
    /// What was given makes no load, or nothing was accepted.
    pub(crate) async fn run(&self) -> Result<(), String> {
        let receiver = self.receive.map(|address| Receiver::start(&[address])).transpose()?;
        let load = self.load()?;
        let sent = tokio::task::spawn_blocking(|| load.start().join()).await;
        let outcome = sent.ok().and_then(Result::ok).ok_or("the generator broke down")?;
        let (accepted, seconds) = (outcome.accepted(), outcome.seconds());
        println!(
            "published  {accepted} accepted in {seconds:.2} s, {:.0}/s",
            rate(accepted, seconds)
        );
        println!("           {}", outcome.latencies);
        if !outcome.trouble().is_empty() {
            println!("           besides: {}", outcome.trouble());
        }
        if let Some(receiver) = receiver {
            let expected = accepted * self.fan_out;
            receiver.drain(expected).await;
            let (tally, received) = (&receiver.tally, receiver.tally.received());
            let us = tally.last_us().saturating_sub(outcome.begun_us);
            let seconds = Duration::from_micros(us).as_secs_f64();
            let per_second = rate(received, seconds);
            println!("received   {received} of {expected} in {seconds:.2} s, {per_second:.0}/s");
            println!("           publish -> receipt {}", tally.latencies());
        }
        if accepted == 0 { Err("nothing was accepted".to_owned()) } else { Ok(()) }
    }

    fn load(&self) -> Result<Load, String> {
        if self.url.scheme() != "http" {
            return Err("--url: only http is spoken".to_owned());
        }
        let body = match &self.body_file {
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| format!("--body-file {}: {error}", file.display()))?,
            None => self.body.clone().unwrap_or_else(|| template::change("bench.change", 500)),
        };
        let host = &self.url[url::Position::BeforeHost..url::Position::AfterPort];
        let path = &self.url[url::Position::BeforePath..url::Position::AfterQuery];
        let mut headers = self.headers.clone();
        if !headers.iter().any(|header| header.to_ascii_lowercase().starts_with("content-type:")) {
            headers.push("content-type: application/json".to_owned());
        }
        Ok(Load {
            address: address(&self.url)?,
            requests: vec![Request::post(host, path, &headers, &body)],
            connections: self.connections,
            rate: self.rate,
            until: Until::Time(Duration::from_secs_f64(self.seconds)),
            hold: None,
        })
    }
}

/// A number above 0 that is not beyond all use.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number > 0.0 && *number <= 1e9);
    number.ok_or_else(|| "give a number above 0".to_owned())
}

fn address(url: &Url) -> Result<SocketAddr, String> {
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default());
    let host = host.trim_matches(['[', ']']);
    let mut found = (host, port.unwrap_or(80))
        .to_socket_addrs()
        .map_err(|error| format!("--url: {host} is not known: {error}"))?;
    found.next().ok_or_else(|| format!("--url: {host} has no address"))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^53")]
fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

impl Receive {
    /// Receives until the process ends.
    ///
    /// # Errors
    /// It cannot listen.
    pub(crate) async fn run(&self) -> Result<(), String> {
        let receiver = Receiver::start(&self.addresses)?;
        let addresses: Vec<_> = receiver.addresses.iter().map(ToString::to_string).collect();
        println!("receiving on {}", addresses.join(", "));
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let (count, latencies) = (receiver.tally.received(), receiver.tally.latencies());
            receiver.tally.reset();
            match (count, latencies.count()) {
                (0, _) => {}
                (_, 0) => println!("{count}/s"),
                _ => println!("{count}/s, {latencies}"),
            }
        }
    }
}

impl Bare {
    /// Runs the loop against a receiver of its own.
    ///
    /// # Errors
    /// As [`bare::run`].
    pub(crate) async fn run(&self) -> Result<(), String> {
        let receiver = Receiver::local(1)?;
        let bare = bare::run(&receiver, Duration::from_secs_f64(self.seconds)).await?;
        println!(
            "{:.0} requests/s; CPU of the sender {:.1} us, of the receiver {:.1} us; others {:.2} cores",
            bare.per_second(),
            bare.sender_us(),
            bare.receiver_us(),
            bare.foreign_cores(),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_above_nothing() {
        assert_eq!(positive("0.5"), Ok(0.5));
        for bad in ["0", "-1", "nan", "inf", "1e300", "", "x"] {
            assert!(positive(bad).is_err(), "{bad}");
        }
    }
}
