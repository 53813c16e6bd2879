//! The bare loop: what an HTTP client costs that signs and sends, and does nothing else. The limit that
//! no sender with the same client can pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use sha2::Sha256;
use tokio::task::JoinSet;

use crate::moment::now_us;
use crate::process::{Meter, Spent};
use crate::receiver::Receiver;

/// Connections that are kept and used at the same time.
pub(crate) const CONNECTIONS: usize = 256;
/// Bytes of a body.
pub(crate) const BODY_BYTES: usize = 500;
const WARM_UP: Duration = Duration::from_secs(1);

/// What the loop reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bare {
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    pub(crate) spent: Spent,
}

/// Sends to `receiver` for `time`, from the present runtime.
///
/// # Errors
/// CPU time cannot be read, or nothing was received.
pub(crate) async fn run(receiver: &Receiver, time: Duration) -> Result<Bare, String> {
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(CONNECTIONS)
        .build_http::<Full<Bytes>>();
    let (over, url) = (Arc::new(AtomicBool::new(false)), receiver.url(0, "/bare"));
    let mut senders = JoinSet::new();
    for _ in 0..CONNECTIONS {
        senders.spawn(send(client.clone(), url.clone(), Arc::clone(&over)));
    }
    tokio::time::sleep(WARM_UP).await;
    let meter = Meter { receiver: receiver.thread.clone(), ..Meter::default() };
    let (begun_us, before, count) = (now_us(), meter.read()?, receiver.tally.received());
    tokio::time::sleep(time).await;
    let (spent, requests) = (meter.read()?.since(before), receiver.tally.received() - count);
    let seconds = Duration::from_micros(now_us() - begun_us).as_secs_f64();
    over.store(true, Ordering::Relaxed);
    while let Some(ended) = senders.join_next().await {
        ended.map_err(|error| error.to_string())??;
    }
    if requests == 0 {
        return Err("the bare loop reached nobody".to_owned());
    }
    Ok(Bare { requests, seconds, spent })
}

async fn send(
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    over: Arc<AtomicBool>,
) -> Result<(), String> {
    let key = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("HMAC takes keys of any length");
    let body = Bytes::from(format!("{{\"pad\":\"{}\"}}", "x".repeat(BODY_BYTES - 10)));
    let (id, timestamp) = ("dlv_01k4qzv6s8t2m9r3n5b0", "1773306072");
    while !over.load(Ordering::Relaxed) {
        let mut mac = key.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", &body[..]] {
            mac.update(part);
        }
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        let request = Request::post(&url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(Full::new(body.clone()))
            .map_err(|error| error.to_string())?;
        let answer = client.request(request).await.map_err(|error| error.to_string())?;
        answer.into_body().collect().await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^53")]
impl Bare {
    /// Requests per second.
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// CPU time of the sender for each request, microseconds.
    pub(crate) fn sender_us(&self) -> f64 {
        (self.spent.own - self.spent.receiver) as f64 / self.requests as f64
    }

    /// CPU time of the receiver for each request, microseconds.
    pub(crate) fn receiver_us(&self) -> f64 {
        self.spent.receiver as f64 / self.requests as f64
    }

    /// Cores that others kept busy meanwhile.
    pub(crate) fn foreign_cores(&self) -> f64 {
        self.spent.foreign() as f64 / 1e6 / self.seconds
    }
}
