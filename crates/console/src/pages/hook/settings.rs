//! All that a webhook is set to, the rare things folded.

use maud::{Markup, html};
use tidings_core::clock::Timestamp;
use tidings_core::hook::{Coalesce, Consent, Ordering, Providers};
use tidings_service::Hook;

use crate::layout::{code_block, definition, duration_ms, time, time_or};
use crate::pages::hook_form::{access_in_words, span, word};
use crate::pages::side::Side;

/// The settings as people read them.
pub(super) fn settings(side: &Side, hook: &Hook, now: Timestamp) -> Markup {
    html! {
        (definition(&[
            ("Id", html! { code { (hook.id) } }),
            ("Format", html! { code { (hook.format) } }),
            ("Triggers", html! { @for trigger in &hook.triggers { code { (trigger) } " " } }),
            ("Signed with", html! {
                (hook.signing.schemes().iter().map(word).collect::<Vec<_>>().join(" and "))
                @if side.may_change() {
                    " (" a href=(side.path(format_args!("/webhooks/{}/secret", hook.id))) { "secret" } ")"
                }
            }),
            ("Credentials", html! { (access_in_words(&hook.access)) }),
            ("Created", time(hook.created_at, now)),
            ("Changed", time(hook.updated_at, now)),
            ("Ends", time_or(hook.expires_at, now, "never by itself")),
        ]))
        details {
            summary { "Scope and content" }
            (scope(hook))
        }
        details {
            summary { "Retries, limits, order and coalescing" }
            (serving(hook))
        }
    }
}

fn scope(hook: &Hook) -> Markup {
    let providers = match hook.providers {
        Providers::Documented => "those that the format documents",
        Providers::All => "all",
    };
    html! {
        (definition(&[
            ("End user", or_any(hook.user)),
            ("Account", or_any(hook.account)),
            ("Calendar", or_any(hook.calendar)),
            ("Calendars left out", html! {
                @if hook.except_calendars.is_empty() { "none" }
                @for calendar in &hook.except_calendars { code { (calendar) } " " }
            }),
            ("Providers", html! { (providers) }),
            ("Echoes of own writes", html! { (yes_no(hook.echoes)) }),
            ("Your id", html! { (hook.external_id.as_deref().unwrap_or("none")) }),
            ("Made by the key", html! {
                @match hook.owner { Some(owner) => code { (owner) }, None => "an owner or operator" }
            }),
            ("Receiver asked first", html! {
                (hook.consent.map_or("no", |consent| match consent {
                    Consent::Asked => "asked, no answer yet",
                    Consent::Given => "it agreed",
                    Consent::Refused => "it did not agree",
                }))
            }),
        ]))
        @if let Some(filter) = &hook.filter { h3 { "Filter" } (code_block(filter, "the filter")) }
        @if !hook.named.is_empty() {
            h3 { "Named filters" }
            @for named in &hook.named { p { (named.name) } (code_block(&named.filter, "the named filter")) }
        }
        @if let Some(transform) = &hook.transform {
            h3 { "Transform" }
            (code_block(transform, "the transform"))
        }
    }
}

fn serving(hook: &Hook) -> Markup {
    let waits = hook.retry.iter().map(|wait| duration_ms(f64::from(*wait) * 1_000.0));
    let waits: Vec<_> = waits.collect();
    let order = match &hook.ordering {
        Ordering::None => "none: a failed delivery holds up nothing".to_owned(),
        Ordering::Hook => "all deliveries go out one by one".to_owned(),
        Ordering::Key(source) => format!("by key: {}", source.as_str()),
    };
    let rate = match hook.rate {
        Some(rate) => format!("{} a {}", rate.count, span(rate.per)),
        None => "no limit".into(),
    };
    definition(&[
        ("Waits before attempts", html! { (waits.join(", ")) }),
        ("Concurrency", html! { (hook.concurrency) }),
        ("Time for an attempt", html! { (duration_ms(hook.timeout_ms as f64)) }),
        ("Rate", html! { (rate) }),
        ("Order", html! { (order) }),
        ("When a delivery is given up", html! { (word(&hook.on_exhausted)) }),
        ("Coalescing", html! { (hook.coalesce.as_ref().map_or("none".into(), coalescing)) }),
        ("Disabled by itself", html! { (disabling(hook)) }),
        ("A receiver that is down is spared", html! { (yes_no(hook.breaker)) }),
        ("Waits lengthened by chance", html! { (yes_no(hook.jitter)) }),
        ("Retries take later changes in", html! { (yes_no(hook.merges)) }),
    ])
}

fn coalescing(rule: &Coalesce) -> String {
    let ms = |value: u64| duration_ms(value as f64);
    format!(
        "group {}, delay {}, window {}, longest wait {}, interval {}, at most {} changes or {} bytes a request",
        word(&rule.group),
        ms(rule.delay_ms),
        ms(rule.window_ms),
        ms(rule.max_wait_ms),
        ms(rule.min_interval_ms),
        rule.batch_max,
        rule.batch_bytes_max,
    )
}

fn disabling(hook: &Hook) -> String {
    let failing =
        hook.disable.failing_ms.map(|ms| format!("after failing for {}", duration_ms(ms as f64)));
    let failures = hook.disable.failures.map(|most| format!("after {most} failures in a row"));
    let rules: Vec<_> = failing.into_iter().chain(failures).collect();
    if rules.is_empty() {
        "only by a 410".into()
    } else {
        format!("{}, or by a 410", rules.join(" or "))
    }
}

fn or_any(id: Option<impl std::fmt::Display>) -> Markup {
    html! { @match id { Some(id) => code { (id) }, None => "any" } }
}

fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}
