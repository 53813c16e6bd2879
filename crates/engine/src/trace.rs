//! Spans for whoever collects traces: an attempt, and a pass over an account. Where nobody does they cost
//! a look at a flag.

use tidings_store::Account;
use tracing::Span;
use tracing::field::Empty;

use crate::deliver::Outcome;
use crate::dispatch::Send;
use crate::sync::Passed;

/// The target of all spans that are traced; log lines have others.
pub const TARGET: &str = "tidings_trace";

/// An attempt: part of the trace in which its first change was published, when the publisher named one.
pub(crate) fn attempt(send: &Send) -> Span {
    let parent = send.changes.first().and_then(|change| change.new.traceparent.as_deref());
    tracing::info_span!(
        target: TARGET,
        "deliver",
        otel.kind = "client",
        traceparent = parent,
        hook.id = %send.target.hook.id,
        attempt = send.n,
        http.request.method = "POST",
        http.response.status_code = Empty,
        "error.type" = Empty,
    )
}

/// What an attempt came to.
pub(crate) fn attempted(span: &Span, outcome: &Outcome) {
    if let Some(status) = outcome.record.status {
        span.record("http.response.status_code", status);
    }
    if let Some((class, _)) = &outcome.record.error {
        span.record("error.type", class.as_str());
    }
}

/// A pass over an account.
pub(crate) fn pass(account: &Account) -> Span {
    tracing::info_span!(
        target: TARGET,
        "sync",
        otel.kind = "internal",
        account.id = %account.id,
        provider = account.provider.as_str(),
        outcome = Empty,
        "error.type" = Empty,
    )
}

/// How a pass went; `None` when what it found could not be stored.
pub(crate) fn passed(span: &Span, passed: Option<&Passed>) {
    let (outcome, failed) = match passed {
        Some(Passed::Synced) => ("synced", false),
        Some(Passed::Failed(_)) => ("failed", true),
        Some(Passed::Deactivated) => ("deactivated", true),
        Some(Passed::Gone) => ("gone", false),
        None => ("store_failed", true),
    };
    span.record("outcome", outcome);
    if failed {
        span.record("error.type", outcome);
    }
}
