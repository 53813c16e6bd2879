//! One attempt: how long its phases took, what was sent and what was answered.

use maud::{Markup, html};
use tidings_core::clock::Timestamp;
use tidings_service::Attempt;

use super::{text_of, what_to_do};
use crate::layout::{Tone, badge, code_block, definition, duration_ms, time};
use crate::refusal::sentence;

/// Width of the bar, in the units of its drawing.
const BAR: u64 = 600;

/// An attempt, opened or folded. `number` counts on when a delivery is resent, where `attempt.n` begins anew.
pub(super) fn shown(attempt: &Attempt, number: usize, open: bool, now: Timestamp) -> Markup {
    html! {
        details.card.attempt id=(attempt.id) open[open] {
            summary {
                "Attempt " (number) " "
                (verdict(attempt)) " "
                (time(attempt.started_at, now)) " "
                span.quiet { (took(attempt.total_us)) }
            }
            @if let Some((class, detail)) = &attempt.error {
                p { (sentence(detail)) " " span.quiet { "(" (class) ")" } }
                // Of the newest it stands above all attempts.
                @if !open { (what_to_do(attempt)) }
            }
            (definition(&[
                ("URL", html! { code { (attempt.url) } }),
                ("Address", html! { (attempt.address.as_deref().unwrap_or("none was dialled")) }),
            ]))
            (bar(attempt))
            h3 { "Sent headers" }
            (headers(&attempt.request_headers, "Nothing was sent."))
            h3 { "Answer" }
            @if let Some(status) = attempt.status { p { "Status " strong { (status) } } }
            (headers(&attempt.response_headers, "There was no answer."))
            @if let Some(body) = &attempt.response_body { (code_block(&text_of(body), "the answer's body")) }
        }
    }
}

fn verdict(attempt: &Attempt) -> Markup {
    match (attempt.delivered, attempt.status, &attempt.error) {
        (true, Some(status), _) => badge(Tone::Good, &status.to_string()),
        (_, Some(status), _) => badge(Tone::Bad, &status.to_string()),
        (_, None, Some((class, _))) => badge(Tone::Bad, class),
        (_, None, None) => badge(Tone::Plain, "no answer"),
    }
}

fn headers(pairs: &[(String, String)], none: &str) -> Markup {
    html! {
        @if pairs.is_empty() { p.quiet { (none) } } @else {
            dl.definition.headers {
                @for (name, value) in pairs { div { dt { code { (name) } } dd { code { (value) } } } }
            }
        }
    }
}

/// A phase: its name, its class in the stylesheet, how long it took, microseconds.
type Phase = (&'static str, &'static str, u64);

fn phases(attempt: &Attempt) -> Vec<Phase> {
    let known = [
        ("name look-up", "dns", attempt.dns_us),
        ("connecting", "connect", attempt.connect_us),
        ("TLS", "tls", attempt.tls_us),
        ("waiting for the answer", "wait", attempt.first_byte_us),
    ];
    let mut phases: Vec<Phase> =
        known.into_iter().filter_map(|(name, class, us)| Some((name, class, us?))).collect();
    let told: u64 = phases.iter().map(|(_, _, us)| us).sum();
    // What is left is reading the answer, or the wait for one that never came.
    let left = attempt.total_us.saturating_sub(told);
    let name = if attempt.first_byte_us.is_some() { "reading the answer" } else { "no answer" };
    if left > 0 {
        phases.push((name, "rest", left));
    }
    phases
}

/// The phases as a bar, and in words below it.
fn bar(attempt: &Attempt) -> Markup {
    let phases = phases(attempt);
    let total: u64 = phases.iter().map(|(_, _, us)| us).sum();
    if total == 0 {
        return html! {};
    }
    let words: Vec<_> =
        phases.iter().map(|(name, _, us)| format!("{name} {}", took(*us))).collect();
    let words = words.join(", ");
    let mut at = 0;
    let bars: Vec<_> = phases
        .iter()
        .map(|(_, class, us)| {
            let width = us.saturating_mul(BAR) / total;
            let left = at;
            at += width;
            (*class, left, width.max(1))
        })
        .collect();
    html! {
        svg.phases viewBox=(format!("0 0 {BAR} 12")) preserveAspectRatio="none" role="img" aria-label=(words) {
            @for (class, left, width) in &bars {
                rect class=(class) x=(left) y="0" width=(width) height="12" {}
            }
        }
        p.phase-key {
            @for (name, class, us) in &phases {
                span { span class=(format!("key {class}")) aria-hidden="true" {} (name) " " (took(*us)) }
            }
        }
    }
}

fn took(us: u64) -> String {
    duration_ms(us as f64 / 1_000.0)
}
