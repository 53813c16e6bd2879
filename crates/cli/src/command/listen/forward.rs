//! One signed request to the local receiver.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use tidings_core::clock::Clock;
use tidings_core::limits;
use tidings_core::sign::Secret;
use tokio::time::timeout;
use url::Url;

use super::Change;
use crate::client::{Http, http, innermost};
use crate::error::Result;

/// Sends changes to a receiver as the format native@1 would.
pub(super) struct Forwarder {
    http: Http,
    target: Url,
    secret: Secret,
    clock: Clock,
}

/// What came of it.
pub(super) struct Outcome {
    /// Whether the receiver answered with a 2xx.
    pub(super) taken: bool,
    /// The status of its answer.
    pub(super) status: Option<u16>,
    /// The same in plain words.
    pub(super) words: String,
    /// How long it took, ms.
    pub(super) took_ms: u128,
}

impl Forwarder {
    /// # Errors
    /// The file of certificates cannot be used.
    pub(super) fn new(
        target: Url,
        secret: Secret,
        clock: Clock,
        ca_file: Option<&Path>,
    ) -> Result<Self> {
        Ok(Self { http: http(ca_file)?, target, secret, clock })
    }

    pub(super) fn target(&self) -> &Url {
        &self.target
    }

    /// One attempt.
    pub(super) async fn forward(&self, change: &Change<'_>) -> Outcome {
        let began = Instant::now();
        let budget = Duration::from_millis(limits::FORWARD_DEADLINE_MS);
        let answered = timeout(budget, self.attempt(change)).await;
        let (status, words) = match answered {
            Ok(Ok(status)) => (Some(status), status.to_string()),
            Ok(Err(why)) => (None, why),
            Err(_) => (None, format!("no answer within {} s", budget.as_secs())),
        };
        let taken = status.is_some_and(|status| (200..300).contains(&status));
        Outcome { taken, status, words, took_ms: began.elapsed().as_millis() }
    }

    async fn attempt(&self, change: &Change<'_>) -> std::result::Result<u16, String> {
        let Change { id, kind, timestamp, seq, data } = change;
        let body = format!(
            r#"{{"id":"{id}","type":"{kind}","timestamp":"{timestamp}","seq":{seq},"data":{data}}}"#
        );
        let seconds = self.clock.now().unix_seconds();
        let signature = self.secret.sign(id, seconds, body.as_bytes());
        let request = Request::post(self.target.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("tidings-listen/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        let response = self.http.request(request).await.map_err(|error| innermost(&error))?;
        let status = response.status().as_u16();
        finish(response).await;
        Ok(status)
    }
}

/// Reads the answer to its end, within reason, so that the connection can be used again.
async fn finish(response: Response<Incoming>) {
    let body = Limited::new(response.into_body(), limits::FORWARD_ANSWER_BYTES_MAX);
    // The status was what mattered.
    drop(body.collect().await);
}
