//! One attempt: render, sign, send through the guarded way out, and say what happened.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use http::Method;
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use tidings_core::change::{Change, is_operational};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::delivery::delivery_id;
use tidings_core::egress::FailureClass;
use tidings_core::fault;
use tidings_core::format::{Formats, RenderError};
use tidings_core::retry;
use tidings_store::{AttemptRecord, Store};
use tidings_transform::Sandbox;

use crate::access::AUTH;
use crate::dispatch::Send;
use crate::egress::{Attempted, Budget, Egress, Request};
use crate::patience::Patience;
use crate::render::{SignedRequest, signed_request};
use crate::transform::{TRANSFORM, transformed};

/// Error class of a delivery whose content is gone: trying again cannot help.
pub(crate) const ERASED: &str = "erased";

/// What an attempt came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The attempt as it is recorded.
    pub(crate) record: AttemptRecord,
    /// The app whose turn it was.
    pub(crate) app_no: i64,
    /// The attempt got as far as the way out: only then does it say anything about the receiver.
    pub(crate) tried: bool,
    /// No connection could be made.
    pub(crate) hard: bool,
    /// The receiver answered 410: it wants no more.
    pub(crate) gone: bool,
    /// The change is about our own operation: failing to tell of it is not told of.
    pub(crate) operational: bool,
    /// Milliseconds that the receiver asked us to wait.
    pub(crate) retry_after_ms: Option<i64>,
}

/// What attempts need.
#[derive(Clone, Debug)]
pub(crate) struct Deliverer {
    pub(crate) store: Store,
    pub(crate) egress: Arc<Egress>,
    pub(crate) clock: Clock,
    pub(crate) formats: Formats,
    pub(crate) sandbox: Sandbox,
    pub(crate) patience: Patience,
}

impl Deliverer {
    /// Makes the attempt. Whatever goes wrong is an outcome, never an error: even a bug of ours fails only
    /// this attempt.
    pub(crate) async fn attempt(&self, send: &Send) -> Outcome {
        if fault::planted("send-twice") {
            drop(self.attempt_or_panic(send).await);
        }
        let attempt = AssertUnwindSafe(self.attempt_or_panic(send)).catch_unwind();
        attempt.await.unwrap_or_else(|_| {
            let mut outcome = blank(send, self.clock.now());
            let why = "tidings failed to make this attempt; this is a bug, please report it";
            outcome.record.error = Some(("internal".into(), why.into()));
            outcome
        })
    }

    async fn attempt_or_panic(&self, send: &Send) -> Outcome {
        fault::point("deliver.begun");
        let now = self.clock.now();
        let changes = match send.changes.is_empty() {
            true => Box::pin(self.read(send)).await,
            false => send.changes.clone(),
        };
        let mut outcome = blank(send, now);
        if changes.is_empty() || changes.iter().any(|change| change.new.body.is_empty()) {
            let why = "the content was erased or is no longer kept; nothing can be sent";
            outcome.record.error = Some((ERASED.into(), why.into()));
            return outcome;
        }
        outcome.operational = changes.iter().any(|change| is_operational(&change.new.kind));
        let target = &send.target;
        let mut request = match self.request(send, &changes, now).await {
            Ok(request) => request,
            Err((class, why)) => {
                outcome.record.error = Some((class.into(), why));
                return outcome;
            }
        };
        let entered = match &target.entry {
            None => Ok(()),
            Some(Ok(entry)) => {
                Box::pin(entry.authorize(&self.egress, &self.clock, &mut request.headers)).await
            }
            Some(Err(why)) => Err(why.clone()),
        };
        outcome.record.request_headers = Some(headers_as_json(&request.headers));
        if let Err(why) = entered {
            outcome.record.error = Some((AUTH.into(), why));
            return outcome;
        }
        fault::point("deliver.signed");
        if fault::planted("wrong-signature") && send.members.first_seq.is_multiple_of(50) {
            request.body = [&request.body[..], b" "].concat().into();
        }
        let attempted = self.send(send, request).await;
        fault::point("deliver.answered");
        let failed = attempted.result.as_ref().err().map(|failure| failure.class);
        outcome.tried = failed != Some(FailureClass::Proxy);
        describe(&mut outcome, attempted, now);
        outcome
    }

    /// Renders, transforms and signs; otherwise says the class of the error and what it is.
    async fn request(
        &self,
        send: &Send,
        changes: &[Arc<Change>],
        now: Timestamp,
    ) -> Result<SignedRequest, (&'static str, String)> {
        let (target, members) = (&send.target, &send.members);
        let unrendered = |error: RenderError| ("render", error.to_string());
        let rendered = target.hook.render(&self.formats, members, changes, now);
        let rendered = rendered.map_err(unrendered)?;
        let (rendered, added) = match &target.script {
            None => (rendered, Vec::new()),
            Some(script) => Box::pin(transformed(&self.sandbox, script, rendered, changes))
                .await
                .map_err(|why| (TRANSFORM, why))?,
        };
        let id = delivery_id(target.hook.id, target.hook.hook_no, members).to_string();
        signed_request(target, id, rendered, added, now).map_err(unrendered)
    }

    /// Reads the changes of a parked delivery; none unless all of them are there.
    async fn read(&self, send: &Send) -> Vec<Arc<Change>> {
        let (hook, members) = (&send.target.hook, &send.members);
        self.patience.read(|| self.store.members(hook, members, &self.formats)).await
    }

    async fn send(&self, send: &Send, request: SignedRequest) -> Attempted {
        let url = match &send.target.vetted {
            Ok(url) => url,
            Err(refusal) => return self.egress.refuse(refusal),
        };
        let mut budget = Budget {
            total: Duration::from_millis(send.target.hook.service.timeout_ms),
            ..Budget::delivery()
        };
        if fault::planted("read-everything") {
            (budget.read_bytes, budget.store_bytes) = (usize::MAX / 2, 512 << 20);
        }
        let SignedRequest { headers, body } = request;
        let request = Request { method: Method::POST, url, headers, body, budget };
        match &send.target.entry {
            Some(Ok(entry)) => Box::pin(entry.send(&self.egress, &self.clock, request)).await,
            _ => self.egress.send(request).await,
        }
    }
}

pub(crate) fn blank(send: &Send, now: Timestamp) -> Outcome {
    Outcome {
        record: AttemptRecord {
            hook_no: send.hook_no,
            cursor_no: send.cursor_no,
            members: send.members.clone(),
            n: send.n,
            delivered: false,
            started_at: now,
            dns_us: None,
            connect_us: None,
            tls_us: None,
            first_byte_us: None,
            total_us: 0,
            url: send.target.url.clone(),
            address: None,
            status: None,
            error: None,
            request_headers: None,
            response_headers: None,
            response_body: None,
        },
        app_no: send.app_no,
        tried: false,
        hard: false,
        gone: false,
        operational: false,
        retry_after_ms: None,
    }
}

fn describe(outcome: &mut Outcome, attempted: Attempted, now: Timestamp) {
    let record = &mut outcome.record;
    record.address = attempted.address.map(|address| address.to_string());
    record.dns_us = attempted.timings.dns_us;
    record.connect_us = attempted.timings.connect_us;
    record.tls_us = attempted.timings.tls_us;
    record.first_byte_us = attempted.timings.first_byte_us;
    record.total_us = attempted.timings.total_us.unwrap_or(0);
    match attempted.result {
        Ok(response) => {
            record.status = Some(response.status);
            record.delivered = (200..300).contains(&response.status);
            outcome.gone = response.status == 410;
            if !record.delivered {
                record.error = Some(("status".into(), plain_status(response.status)));
                outcome.retry_after_ms = response
                    .header(RETRY_AFTER.as_str())
                    .and_then(|value| retry::parse_retry_after(value, now));
            }
            let pairs: Vec<_> = response
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value)))
                .collect();
            record.response_headers = serde_json::to_string(&pairs).ok();
            record.response_body = (!response.body.is_empty()).then(|| response.body.to_vec());
        }
        Err(failure) => {
            outcome.hard = matches!(
                failure.class,
                FailureClass::Dns
                    | FailureClass::ConnectRefused
                    | FailureClass::ConnectTimeout
                    | FailureClass::Unreachable
                    | FailureClass::Tls
            );
            record.error = Some((failure.class.code().into(), failure.detail));
        }
    }
}

/// Says what an answer other than 2xx means and what its receiver can do.
fn plain_status(status: u16) -> String {
    match status {
        300..=399 => format!(
            "receiver answered {status}, a redirect; redirects are not followed: set the hook's url to the final address"
        ),
        401 | 403 => format!("receiver answered {status}; let webhooks through without a login"),
        404 => "receiver answered 404; check the path of the hook's url".into(),
        410 => "receiver answered 410, it wants no more; the hook is disabled".into(),
        429 => "receiver answered 429, too many requests; lower the hook's concurrency".into(),
        500..=599 => format!("receiver answered {status}; look at its log for this webhook-id"),
        _ => format!("receiver answered {status}; answer any 2xx to accept a webhook"),
    }
}

/// The headers for the record, without the values that let us in at the receiver.
fn headers_as_json(headers: &HeaderMap) -> String {
    fn shown(value: &HeaderValue) -> Cow<'_, str> {
        if value.is_sensitive() { "***".into() } else { String::from_utf8_lossy(value.as_bytes()) }
    }
    let pairs: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), shown(value))).collect();
    serde_json::to_string(&pairs).unwrap_or_default()
}
