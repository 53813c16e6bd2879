//! The way to the collector: batches, each sent once and again a few times when it is busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tidings_core::egress::{EgressPolicy, VettedUrl};
use tidings_core::limits::{TRACE_BATCH_MAX, TRACE_TRIES_MAX};
use tidings_engine::egress::{Budget, Egress, Request, Resolver, Tls};
use tokio::sync::{mpsc, oneshot};

use super::layer::Ended;
use super::settings::Settings;
use crate::config::Config;
use crate::error::{Error, Result};

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Exporter {
    egress: Egress,
    url: VettedUrl,
    headers: HeaderMap,
    budget: Budget,
    delay: Duration,
    resource: Value,
    dropped: Arc<AtomicU64>,
}

impl Exporter {
    /// # Errors
    /// The collector's address cannot be used.
    pub(super) fn new(
        settings: Settings,
        config: &Config,
        dropped: Arc<AtomicU64>,
    ) -> Result<Self> {
        // The operator names the collector, wherever it is: no policy for receivers applies.
        let policy = EgressPolicy::anywhere();
        let url = policy.vet_url(settings.endpoint.as_str());
        let url = url.map_err(|why| Error::Usage(format!("OTEL_EXPORTER_OTLP_ENDPOINT: {why}")))?;
        let tls = match config.extra_ca.as_deref() {
            None => Tls::public(),
            Some(pem) => Tls::with_extra(pem).map_err(Error::failed("egress.extra_ca_file"))?,
        };
        let mut headers = settings.headers;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let attribute =
            |(key, value): &(String, String)| json!({"key": key, "value": {"stringValue": value}});
        let attributes: Vec<_> = settings.resource.iter().map(attribute).collect();
        Ok(Self {
            egress: Egress::new(policy, Resolver::System, tls),
            url,
            headers,
            budget: Budget { total: settings.timeout, ..Budget::delivery() },
            delay: settings.delay,
            resource: json!({"attributes": attributes}),
            dropped,
        })
    }

    /// Hands over what has ended, when there is enough of it or after a while, until it is stopped; then
    /// what is left.
    pub(super) async fn run(
        self,
        mut waiting: mpsc::Receiver<Ended>,
        mut stop: oneshot::Receiver<()>,
    ) {
        let mut batch = Vec::with_capacity(TRACE_BATCH_MAX);
        let mut tick = tokio::time::interval(self.delay.max(Duration::from_millis(1)));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let room = TRACE_BATCH_MAX - batch.len();
            let due = tokio::select! {
                biased;
                _ = &mut stop => break,
                count = waiting.recv_many(&mut batch, room) => match count {
                    0 => break,
                    _ => batch.len() >= TRACE_BATCH_MAX,
                },
                _ = tick.tick() => true,
            };
            if due && !batch.is_empty() {
                self.hand_over(std::mem::take(&mut batch), TRACE_TRIES_MAX).await;
            }
        }
        waiting.close();
        while waiting.recv_many(&mut batch, TRACE_BATCH_MAX).await > 0 {}
        if !batch.is_empty() {
            self.hand_over(batch, 1).await;
        }
    }

    async fn hand_over(&self, batch: Vec<Ended>, tries: u32) {
        let count = batch.len() as u64;
        let spans: Vec<_> = batch.into_iter().map(Ended::into_json).collect();
        let scope = json!({"name": "tidings", "version": env!("CARGO_PKG_VERSION")});
        let document = json!({"resourceSpans": [{
            "resource": self.resource,
            "scopeSpans": [{"scope": scope, "spans": spans}],
        }]});
        let body = Bytes::from(document.to_string());
        let mut why = String::new();
        for attempt in 1..=tries {
            match self.send(body.clone()).await {
                Ok(200..=299) => {
                    self.tell_of_dropped(0, "no room for more");
                    return;
                }
                // Busy: to be tried again, says the specification of OTLP.
                Ok(status @ (429 | 502..=504)) => why = format!("it answered {status}"),
                Ok(status) => {
                    why = format!("it answered {status}");
                    break;
                }
                Err(error) => why = error,
            }
            if attempt < tries {
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.tell_of_dropped(count, &why);
    }

    async fn send(&self, body: Bytes) -> std::result::Result<u16, String> {
        let (method, headers, budget) = (Method::POST, self.headers.clone(), self.budget);
        let request = Request { method, url: &self.url, headers, body, budget };
        let sent = self.egress.send(request).await.result;
        sent.map(|answer| answer.status).map_err(|failure| failure.to_string())
    }

    fn tell_of_dropped(&self, more: u64, why: &str) {
        let spans = more + self.dropped.swap(0, Ordering::Relaxed);
        if spans > 0 {
            tracing::warn!(spans, why, "traces could not be handed to the collector");
        }
    }
}
