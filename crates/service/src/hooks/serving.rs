//! Checking how a hook is to be served: retries, limits, order, coalescing and when it is disabled.

use tidings_core::format::{Format, Preset};
use tidings_core::hook::{
    self, Coalesce, DisableRule, Grouping, KeySource, OnExhausted, Ordering, Rate,
};
use tidings_core::limits;
use tidings_core::retry::Schedule;

use crate::validate::Checks;

/// How a hook is to be served. What is absent has its default, or stays.
#[derive(Clone, Debug, Default)]
pub struct Serving {
    /// Seconds to wait before each attempt; the first is 0.
    pub retry: Option<Vec<u32>>,
    /// Deliveries in flight at once, 1 to [`limits::HOOK_CONCURRENCY_MAX`].
    pub concurrency: Option<u32>,
    /// Total budget of an attempt, 1 s to [`limits::DELIVERY_DEADLINE_MS`].
    pub timeout_ms: Option<u64>,
    /// Attempts in a span, at most; `Some(None)`: as many as may be.
    pub rate: Option<Option<Rate>>,
    /// Which deliveries wait for one another.
    pub ordering: Option<OrderingKind>,
    /// Where the key comes from: `account`, `item`, `order_key` or a JSON pointer.
    pub order_key: Option<String>,
    /// What an ordered hook does when a delivery is given up.
    pub on_exhausted: Option<OnExhausted>,
    /// How changes share a request; `Some(None)`: not at all.
    pub coalesce: Option<Option<Coalescing>>,
    /// When failures disable the hook.
    pub disable: Option<DisableRule>,
    /// Whether a receiver that is down costs a probe now and then rather than its schedule.
    pub breaker: Option<bool>,
    /// Whether waits are lengthened by chance.
    pub jitter: Option<bool>,
    /// Whether a retry takes later changes in; needs `ordering` hook and changes that share requests.
    pub merges: Option<bool>,
}

/// Which deliveries of a hook wait for one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderingKind {
    /// None.
    None,
    /// All of them.
    Hook,
    /// Those with an equal key.
    Key,
}

/// How changes are to share a request; see [`Coalesce`]. What is absent has its default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Coalescing {
    /// Which changes may share a request; all, when the format takes them.
    pub group: Option<Grouping>,
    /// A group is not sent before this long after its first change, ms.
    pub delay_ms: Option<u64>,
    /// A group is sent when nothing has joined it for this long, ms.
    pub window_ms: Option<u64>,
    /// A group is sent at the latest this long after its first change, ms.
    pub max_wait_ms: Option<u64>,
    /// At least this long between the beginnings of two requests, ms.
    pub min_interval_ms: Option<u64>,
    /// Changes in one request; [`limits::BATCH_CHANGES_MAX`], or 1 when the format takes one only.
    pub batch_max: Option<u32>,
    /// Bytes of the changes' data in one request.
    pub batch_bytes_max: Option<u64>,
}

/// How hooks of a format begin.
pub(super) fn preset(preset: &Preset) -> hook::Service {
    let plain = hook::Service::default();
    let retry = preset.retry.and_then(|waits| Schedule::try_from(waits.to_vec()).ok());
    hook::Service {
        retry: retry.unwrap_or(plain.retry),
        ordering: if preset.one_by_one { Ordering::Hook } else { plain.ordering },
        on_exhausted: match preset.stops_when_exhausted {
            true => OnExhausted::Stop,
            false => plain.on_exhausted,
        },
        coalesce: preset.coalesce,
        disable: preset.disable.unwrap_or(plain.disable),
        breaker: preset.breaker,
        jitter: preset.jitter,
        merges: preset.merges,
        ..hook::Service::default()
    }
}

/// How a hook is served, from what it is and what is asked. `format` is the hook's, when it is known.
pub(super) fn serving(
    checks: &mut Checks,
    mut service: hook::Service,
    format: Option<&Format>,
    asked: Serving,
) -> hook::Service {
    match asked.retry.map(Schedule::try_from) {
        Some(Ok(retry)) => service.retry = retry,
        Some(Err(error)) => checks.refuse("/retry", "schedule", error.to_string()),
        None => {}
    }
    if let Some(concurrency) = asked.concurrency {
        service.concurrency = concurrency;
        let bounds = (1, limits::HOOK_CONCURRENCY_MAX.into());
        range(checks, "/concurrency", concurrency.into(), bounds);
    }
    if let Some(timeout_ms) = asked.timeout_ms {
        service.timeout_ms = timeout_ms;
        let bounds = (limits::DELIVERY_DEADLINE_MIN_MS, limits::DELIVERY_DEADLINE_MS);
        range(checks, "/timeout_ms", timeout_ms, bounds);
    }
    if let Some(rate) = asked.rate {
        service.rate = rate;
        let count = rate.map_or(1, |rate| rate.count.into());
        range(checks, "/rate/count", count, (1, limits::RATE_COUNT_MAX.into()));
    }
    service.ordering =
        ordering(checks, service.ordering, asked.ordering, asked.order_key.as_deref());
    service.on_exhausted = asked.on_exhausted.unwrap_or(service.on_exhausted);
    if let Some(coalesce) = asked.coalesce {
        service.coalesce = coalesce.map(|asked| coalescing(checks, format, &asked));
    }
    if let Some(rule) = asked.disable {
        service.disable = rule;
        disabling(checks, rule);
    }
    service.breaker = asked.breaker.unwrap_or(service.breaker);
    service.jitter = asked.jitter.unwrap_or(service.jitter);
    merging(checks, &mut service, asked.merges);
    service
}

/// Merging needs deliveries that follow one another and share requests. Whoever asks for it is told; a hook
/// that merges only because its format does stops it when it is served otherwise.
fn merging(checks: &mut Checks, service: &mut hook::Service, asked: Option<bool>) {
    let shares = service.coalesce.is_some_and(|rule| rule.batch_max > 1);
    let possible = shares && service.ordering == Ordering::Hook;
    if asked == Some(true) && !possible {
        checks.refuse("/merges", "ordering", "needs ordering: hook and coalesce");
    }
    service.merges = asked.unwrap_or(service.merges) && possible;
}

fn range(checks: &mut Checks, pointer: &str, value: u64, (least, most): (u64, u64)) {
    if !(least..=most).contains(&value) {
        checks.refuse(pointer, "range", format!("must be {least} to {most}"));
    }
}

fn ordering(
    checks: &mut Checks,
    current: Ordering,
    asked: Option<OrderingKind>,
    key: Option<&str>,
) -> Ordering {
    let source = key.and_then(|text| {
        let source = KeySource::parse(text);
        if source.is_none() {
            let why = "must be account, item, order_key or a JSON pointer such as /customer/id";
            checks.refuse("/order_key", "order_key", why);
        }
        source
    });
    match (asked, current, source) {
        (Some(OrderingKind::Key) | None, Ordering::Key(_), Some(source))
        | (Some(OrderingKind::Key), _, Some(source)) => Ordering::Key(source),
        (Some(OrderingKind::Key) | None, current @ Ordering::Key(_), None) => current,
        (Some(OrderingKind::Key), current, None) => {
            if key.is_none() {
                checks.refuse("/order_key", "required", "must be given when ordering is key");
            }
            current
        }
        (asked, current, source) => {
            if source.is_some() {
                checks.refuse("/order_key", "ordering", "must come with ordering: key");
            }
            match asked {
                Some(OrderingKind::None) => Ordering::None,
                Some(OrderingKind::Hook) => Ordering::Hook,
                Some(OrderingKind::Key) | None => current,
            }
        }
    }
}

fn coalescing(checks: &mut Checks, format: Option<&Format>, asked: &Coalescing) -> Coalesce {
    let batches = format.map_or(&Grouping::EVERY[..], |format| format.batches);
    let default = Coalesce::default();
    let usual = batches.iter().find(|grouping| **grouping == Grouping::All);
    let group = asked.group.or(usual.or(batches.first()).copied()).unwrap_or_default();
    let batches_it = batches.contains(&group);
    let most = if batches_it { limits::BATCH_CHANGES_MAX } else { 1 };
    let rule = Coalesce {
        group,
        delay_ms: asked.delay_ms.unwrap_or(default.delay_ms),
        window_ms: asked.window_ms.unwrap_or(default.window_ms),
        max_wait_ms: asked.max_wait_ms.unwrap_or(default.max_wait_ms),
        min_interval_ms: asked.min_interval_ms.unwrap_or(default.min_interval_ms),
        batch_max: asked.batch_max.unwrap_or(most),
        batch_bytes_max: asked.batch_bytes_max.unwrap_or(default.batch_bytes_max),
    };
    for (pointer, wait_ms) in [
        ("/coalesce/delay_ms", rule.delay_ms),
        ("/coalesce/window_ms", rule.window_ms),
        ("/coalesce/max_wait_ms", rule.max_wait_ms),
        ("/coalesce/min_interval_ms", rule.min_interval_ms),
    ] {
        range(checks, pointer, wait_ms, (0, limits::COALESCE_WAIT_MAX_MS));
    }
    let bounds = (1, limits::BATCH_CHANGES_MAX.into());
    range(checks, "/coalesce/batch_max", rule.batch_max.into(), bounds);
    range(checks, "/coalesce/batch_bytes_max", rule.batch_bytes_max, (1, limits::BATCH_BYTES_MAX));
    if let Some(format) = format.filter(|_| rule.batch_max > 1 && !batches_it) {
        let why = format!("must be 1: {}@{} cannot hold them", format.name, format.version);
        checks.refuse("/coalesce/batch_max", "format", why);
    }
    if rule.window_ms > 0 && rule.batch_max <= 1 {
        let why = "must be 0, for a request holds one change; delay_ms puts it off";
        checks.refuse("/coalesce/window_ms", "batch_max", why);
    }
    if rule.max_wait_ms > 0 && rule.max_wait_ms < rule.window_ms {
        checks.refuse("/coalesce/max_wait_ms", "range", "must be 0 or at least window_ms");
    }
    rule
}

fn disabling(checks: &mut Checks, rule: DisableRule) {
    if let Some(failing_ms) = rule.failing_ms
        && !(limits::HOOK_FAILING_MS_MIN..=limits::HOOK_FAILING_MS_MAX).contains(&failing_ms)
    {
        let (least, most) = (limits::HOOK_FAILING_MS_MIN, limits::HOOK_FAILING_MS_MAX);
        checks.refuse("/disable/failing_ms", "range", format!("must be {least} to {most}"));
    }
    let failures = rule.failures.unwrap_or(1);
    range(checks, "/disable/failures", failures, (1, limits::HOOK_FAILURES_MAX));
}
