//! The folded parts of the form: what most webhooks leave as it is.

use maud::{Markup, html};
use tidings_core::limits;

use super::Shown;
use crate::layout::{Control, checkbox, select};

/// Three ways to say yes.
const YES_NO: [(&str, &str); 3] = [("", "As the format has it"), ("yes", "Yes"), ("no", "No")];

/// Whose changes.
pub(super) fn scope(form: &Shown<'_>) -> Markup {
    let typed = form.typed;
    let given = [&typed.user, &typed.account, &typed.calendar, &typed.except_calendars];
    let given = given.map(String::as_str);
    let is_new = form.hook.is_none();
    html! {
        details open[form.is_open(&given, &["/user", "/account", "/calendar", "/except_calendars"])] {
            summary { "Scope" }
            @if is_new {
                @if !form.side.is_portal() {
                    (form.text("End user", "user", &typed.user, "Only changes of this end user: an id, usr_….", "/user"))
                }
                (form.text("Account", "account", &typed.account, "Only changes of this account: acc_….", "/account"))
                (form.text("Calendar", "calendar", &typed.calendar, "Only changes of this calendar: its id.", "/calendar"))
            } @else {
                p.quiet { "End user, account and calendar stay as they were given when the webhook was created." }
            }
            (form.area("Calendars left out", "except_calendars", &typed.except_calendars, "Ids, one a line.",
                "/except_calendars"))
            (select("Providers", "providers", &typed.providers, &[
                ("", "Those that the format documents"),
                ("all", "All, also those that the format's documentation does not name"),
            ], "", None))
            (checkbox("Echoes too", "echoes", "yes", typed.echoes,
                "Also changes that were written through this API, as they come back from the calendar."))
        }
    }
}

/// Which content, in which shape.
pub(super) fn content(form: &Shown<'_>) -> Markup {
    let typed = form.typed;
    let given = [&typed.filter, &typed.named, &typed.transform].map(String::as_str);
    html! {
        details open[form.is_open(&given, &["/filter", "/named", "/transform"])] {
            summary { "Filter and transform" }
            (form.area("Filter", "filter", &typed.filter,
                r#"JSON; only changes whose content is like this, for example {"path": "/data/status", "eq": "paid"}."#,
                "/filter"))
            (form.area("Named filters", "named", &typed.named,
                r#"One a line: a name, a colon and a filter. For formats that tell the names."#, "/named"))
            (form.area("Transform", "transform", &typed.transform,
                "A script (Rhai) that reshapes body and headers before they are signed.", "/transform"))
        }
    }
}

/// Retries and limits.
pub(super) fn limits(form: &Shown<'_>) -> Markup {
    let typed = form.typed;
    let given = [
        &typed.retry,
        &typed.concurrency,
        &typed.timeout_ms,
        &typed.rate_count,
        &typed.disable,
        &typed.breaker,
        &typed.jitter,
    ];
    let given = given.map(String::as_str);
    let pointers = ["/retry", "/concurrency", "/timeout_ms", "/rate", "/disable"];
    let concurrency = format!("Requests at the same time, 1 to {}.", limits::HOOK_CONCURRENCY_MAX);
    html! {
        details open[form.is_open(&given, &pointers)] {
            summary { "Retries and limits" }
            (form.text("Retry schedule", "retry", &typed.retry,
                "Seconds to wait before each attempt, the first 0: for example 0 5 300 1800. Empty: the format's.",
                "/retry"))
            (form.text("Concurrency", "concurrency", &typed.concurrency, &concurrency, "/concurrency"))
            (form.text("Time for an attempt", "timeout_ms", &typed.timeout_ms, "Milliseconds, 1000 to 15000.",
                "/timeout_ms"))
            (form.text("Rate", "rate_count", &typed.rate_count, "Requests in a span, at most. Empty: no limit.",
                "/rate"))
            (select("Span of the rate", "rate_per", &typed.rate_per,
                &[("second", "A second"), ("minute", "A minute"), ("hour", "An hour")], "", None))
            (select("Disable by itself", "disable", &typed.disable, &[
                ("", "As the format has it"),
                ("given", "As given below"),
            ], "A receiver that answers 410 always disables its webhook.", None))
            (form.text("After failing for", "failing_ms", &typed.failing_ms,
                "Milliseconds with nothing but failures. Empty: never for this reason.", "/disable/failing_ms"))
            (form.text("After failures", "failures", &typed.failures,
                "Failed attempts in a row. Empty: never for this reason.", "/disable/failures"))
            (select("Spare a receiver that is down", "breaker", &typed.breaker, &YES_NO,
                "It then gets a probe now and then, rather than every retry.", None))
            (select("Lengthen waits by chance", "jitter", &typed.jitter, &YES_NO, "", None))
        }
    }
}

/// What waits for what.
pub(super) fn order(form: &Shown<'_>) -> Markup {
    let typed = form.typed;
    let given =
        [&typed.ordering, &typed.order_key, &typed.on_exhausted, &typed.merges].map(String::as_str);
    html! {
        details open[form.is_open(&given, &["/order_key", "/merges"])] {
            summary { "Order" }
            (select("Order", "ordering", &typed.ordering, &[
                ("", "As the format has it"),
                ("none", "None: a failed delivery holds up nothing"),
                ("key", "By key: deliveries with an equal key go out one by one"),
                ("hook", "All deliveries go out one by one"),
            ], "", None))
            (form.text("Order key", "order_key", &typed.order_key,
                "With order by key: account, item, order_key, or a JSON pointer into the data such as /customer/id.",
                "/order_key"))
            (select("When a delivery is given up", "on_exhausted", &typed.on_exhausted, &[
                ("", "As the format has it"),
                ("continue", "Go on with the next"),
                ("stop", "Disable the webhook, so that nothing overtakes it"),
            ], "", None))
            (select("Retries take later changes in", "merges", &typed.merges, &YES_NO,
                "Needs order of all deliveries, and changes that share requests.", None))
            @if let Some(error) = form.wrong.of("/merges") { p.error { "Retries that take later changes in: " (error) "." } }
        }
    }
}

/// How changes share a request.
pub(super) fn sharing(form: &Shown<'_>) -> Markup {
    let typed = form.typed;
    html! {
        details open[form.is_open(&[&typed.coalesce], &["/coalesce"])] {
            summary { "Several changes in one request" }
            (select("Coalescing", "coalesce", &typed.coalesce, &[
                ("", "As the format has it"),
                ("none", "None: a request for each change"),
                ("given", "As given below"),
            ], "Changes of a group share a request; times count from when they were recorded.", None))
            (select("Group", "group", &typed.group, &[
                ("", "The format's usual"),
                ("all", "All changes"),
                ("account", "Of one account"),
                ("collection", "Of one calendar"),
                ("type", "Of one type"),
                ("account_type", "Of one account and type"),
                ("item", "About one item"),
            ], "", None))
            @for (label, name, value, hint) in [
                ("Delay", "delay_ms", &typed.delay_ms, "Milliseconds after the first change before which nothing is sent."),
                ("Window", "window_ms", &typed.window_ms, "Milliseconds of quiet after which a group is sent."),
                ("Longest wait", "max_wait_ms", &typed.max_wait_ms, "Milliseconds after the first change; 0: the window."),
                ("Interval", "min_interval_ms", &typed.min_interval_ms, "Milliseconds between two requests, at least."),
                ("Changes in a request", "batch_max", &typed.batch_max, "At most."),
                ("Bytes in a request", "batch_bytes_max", &typed.batch_bytes_max, "Of data, at most; one change always goes."),
            ] {
                (form.text(label, name, value, hint, &format!("/coalesce/{name}")))
            }
        }
    }
}

/// Signing, and how requests are let in.
pub(super) fn reach(form: &Shown<'_>) -> Markup {
    let typed = form.typed;
    let given = [&typed.signing, &typed.verify, &typed.headers, &typed.auth].map(String::as_str);
    let set = form.hook.map(|hook| &hook.access).filter(|access| !access.is_empty());
    html! {
        details open[form.is_open(&given, &["/signing", "/access"])] {
            summary { "Signing and credentials" }
            (select("Signatures", "signing", &typed.signing, &[
                ("", "v1: HMAC with the webhook's secret"),
                ("v1a", "v1a: Ed25519 with the app's key"),
                ("both", "Both"),
            ], "", None))
            (select("Ask the receiver first", "verify", &typed.verify, &[
                ("", "No"),
                ("options", "Yes, by OPTIONS as CloudEvents has it"),
            ], "The webhook is disabled until its receiver agrees.", None))
            @if let Some(set) = set {
                p { "Set: " (super::access_in_words(set)) ". Values are never shown; what is empty below stays." }
            }
            (form.area("Extra headers", "headers", &typed.headers, "One a line, name: value. All of them are replaced.",
                "/access/headers"))
            @if set.is_some_and(|set| !set.headers.is_empty()) {
                (checkbox("No extra headers any more", "clear_headers", "yes", typed.clear_headers, ""))
            }
            (credentials(form))
            (form.area("Client certificate", "certificate", &typed.certificate,
                "PEM: the certificate, then those that lead to its authority.", "/access/client_certificate"))
            (form.area("Its private key", "private_key", "", "PEM, not encrypted; never shown again.", "/access/key"))
            @if set.is_some_and(|set| set.client_certificate) {
                (checkbox("No client certificate any more", "clear_certificate", "yes", typed.clear_certificate, ""))
            }
        }
    }
}

fn credentials(form: &Shown<'_>) -> Markup {
    let typed = form.typed;
    html! {
        (select("Credentials", "auth", &typed.auth, &[
            ("", if form.hook.is_some() { "As they are" } else { "None" }),
            ("none", "None"),
            ("basic", "Basic: user name and password"),
            ("bearer", "Bearer: a token that stays"),
            ("oauth2", "OAuth 2.0: client credentials"),
        ], "What goes into the header authorization.", form.wrong.of("/access/auth")))
        fieldset {
            legend { "Basic" }
            (form.text("User name", "username", &typed.username, "", "/access/username"))
            (optional_password("Password", "password"))
        }
        fieldset { legend { "Bearer" } (optional_password("Token", "token")) }
        fieldset {
            legend { "OAuth 2.0" }
            (form.text("Token URL", "token_url", &typed.token_url, "", "/access/token_url"))
            (form.text("Client id", "client_id", &typed.client_id, "", "/access/client_id"))
            (optional_password("Client secret", "client_secret"))
            (form.text("Scope", "scope", &typed.scope, "", "/access/scope"))
            (form.text("Audience", "audience", &typed.audience, "", "/access/audience"))
        }
    }
}

/// What only a new webhook takes.
pub(super) fn rest(form: &Shown<'_>) -> Markup {
    let typed = form.typed;
    let given = [&typed.external_id, &typed.expires_at, &typed.from_seq].map(String::as_str);
    html! {
        @if form.hook.is_none() {
            details open[form.is_open(&given, &["/external_id", "/secret", "/expires_at", "/from"])] {
                summary { "More" }
                (form.text("Begin at change", "from_seq", &typed.from_seq,
                    "The number (seq) of the first change that it receives. Empty: what comes from now on.", "/from"))
                (form.text("Ends at", "expires_at", &typed.expires_at, "A time to come, such as 2026-12-31T23:00:00Z.",
                    "/expires_at"))
                (form.text("Your id", "external_id", &typed.external_id, "Its id in your own system or dialect.",
                    "/external_id"))
                (optional_password("Signing secret", "secret"))
                @if let Some(error) = form.wrong.of("/secret") { p.error { "The secret: " (error) "." } }
                p.hint { "A secret is made when none is given." }
            }
        }
    }
}

/// A secret that need not be given, and is not shown again.
fn optional_password(label: &str, name: &str) -> Markup {
    Control { label, name, kind: "password", autocomplete: "new-password", ..Control::default() }
        .shown()
}
