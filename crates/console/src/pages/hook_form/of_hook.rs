//! The form as it stands for a hook that exists.

use tidings_core::access::{AccessSummary, AuthKind};
use tidings_core::hook::{Ordering, Providers, Span};
use tidings_core::sign::Scheme;
use tidings_service::Hook;

use super::{Offer, Typed};

impl Typed {
    /// What the form says of a hook. Secrets are not in it.
    pub(in crate::pages) fn of(hook: &Hook, offer: &Offer) -> Self {
        let (boxed, other): (Vec<_>, Vec<_>) =
            hook.triggers.iter().partition(|trigger| offer.has_box(&hook.format, trigger));
        let mut typed = Self {
            url: hook.url.clone().unwrap_or_default(),
            description: hook.description.clone(),
            format: hook.format.clone(),
            triggers: boxed.iter().map(|trigger| format!("{} {trigger}", hook.format)).collect(),
            more_triggers: lines(&other),
            providers: if hook.providers == Providers::All { "all" } else { "" }.into(),
            except_calendars: lines(&hook.except_calendars),
            echoes: hook.echoes,
            filter: hook.filter.clone().unwrap_or_default(),
            named: lines(
                hook.named.iter().map(|named| format!("{}: {}", named.name, named.filter)),
            ),
            transform: hook.transform.clone().unwrap_or_default(),
            verify: if hook.consent.is_some() { "options" } else { "" }.into(),
            signing: match (hook.signing.has(Scheme::V1), hook.signing.has(Scheme::V1a)) {
                (true, true) => "both",
                (false, true) => "v1a",
                (_, false) => "",
            }
            .into(),
            ..Self::default()
        };
        typed.serve(hook);
        typed.share(hook);
        typed
    }

    fn serve(&mut self, hook: &Hook) {
        self.retry = hook.retry.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        self.concurrency = hook.concurrency.to_string();
        self.timeout_ms = hook.timeout_ms.to_string();
        self.rate_count = hook.rate.map(|rate| rate.count.to_string()).unwrap_or_default();
        self.rate_per = hook.rate.map_or("second", |rate| span(rate.per)).into();
        (self.ordering, self.order_key) = match &hook.ordering {
            Ordering::None => ("none".into(), String::new()),
            Ordering::Hook => ("hook".into(), String::new()),
            Ordering::Key(source) => ("key".into(), source.as_str().to_owned()),
        };
        self.on_exhausted = word(&hook.on_exhausted);
        self.disable = "given".into();
        self.failing_ms = text(hook.disable.failing_ms);
        self.failures = text(hook.disable.failures);
        self.breaker = yes_no(hook.breaker);
        self.jitter = yes_no(hook.jitter);
        self.merges = yes_no(hook.merges);
    }

    fn share(&mut self, hook: &Hook) {
        let Some(rule) = &hook.coalesce else {
            self.coalesce = "none".into();
            return;
        };
        self.coalesce = "given".into();
        self.group = word(&rule.group);
        self.delay_ms = rule.delay_ms.to_string();
        self.window_ms = rule.window_ms.to_string();
        self.max_wait_ms = rule.max_wait_ms.to_string();
        self.min_interval_ms = rule.min_interval_ms.to_string();
        self.batch_max = rule.batch_max.to_string();
        self.batch_bytes_max = rule.batch_bytes_max.to_string();
    }
}

/// What is set of a hook's access, without the secrets.
pub(in crate::pages) fn access_in_words(access: &AccessSummary) -> String {
    let auth = access.auth.map(|kind| match kind {
        AuthKind::Basic => "basic credentials",
        AuthKind::Bearer => "a bearer token",
        AuthKind::Oauth2 => "OAuth 2.0 client credentials",
    });
    let headers = access.headers.iter().map(|name| format!("the header {name}"));
    let certificate = access.client_certificate.then_some("a client certificate");
    let all: Vec<_> =
        headers.chain(auth.map(str::to_owned)).chain(certificate.map(str::to_owned)).collect();
    if all.is_empty() { "nothing".into() } else { all.join(", ") }
}

/// The name of a span, as the form has it.
pub(in crate::pages) fn span(span: Span) -> &'static str {
    match span {
        Span::Second => "second",
        Span::Minute => "minute",
        Span::Hour => "hour",
    }
}

/// An enum by the name that it has in JSON.
pub(in crate::pages) fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.into()
}

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn lines<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join("\n")
}
