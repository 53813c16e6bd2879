//! How a hook is served, on the wire: what is sent, what is changed and what is shown have one shape.

use serde::{Deserialize, Serialize};
use tidings_core::hook::{Coalesce, DisableRule, Grouping, OnExhausted, Ordering, Rate, Span};
use tidings_service::{Coalescing, OrderingKind};
use utoipa::ToSchema;

/// At most `count` attempts in each span, evenly spread: first tries, retries and probes alike.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"count": 100, "per": "second"}))]
pub(crate) struct RateBody {
    /// Attempts in a span.
    #[schema(minimum = 1, maximum = 100_000)]
    count: u32,
    /// `second`, `minute` or `hour`.
    #[schema(value_type = String)]
    per: Span,
}

impl From<RateBody> for Rate {
    fn from(body: RateBody) -> Self {
        Self { count: body.count, per: body.per }
    }
}

impl From<Rate> for RateBody {
    fn from(rate: Rate) -> Self {
        Self { count: rate.count, per: rate.per }
    }
}

/// Which deliveries wait for one another.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OrderingBody {
    /// None: a failed delivery holds up nothing.
    None,
    /// All: one by one, in order of `seq`.
    Hook,
    /// Those with an equal `order_key`; a key blocks only itself.
    Key,
}

impl From<OrderingBody> for OrderingKind {
    fn from(body: OrderingBody) -> Self {
        match body {
            OrderingBody::None => Self::None,
            OrderingBody::Hook => Self::Hook,
            OrderingBody::Key => Self::Key,
        }
    }
}

impl From<&Ordering> for OrderingBody {
    fn from(ordering: &Ordering) -> Self {
        match ordering {
            Ordering::None => Self::None,
            Ordering::Hook => Self::Hook,
            Ordering::Key(_) => Self::Key,
        }
    }
}

/// What an ordered hook does when a delivery is given up.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnExhaustedBody {
    /// The next change of its key goes out.
    Continue,
    /// The hook is disabled, so that no later change overtakes the lost one.
    Stop,
}

impl From<OnExhaustedBody> for OnExhausted {
    fn from(body: OnExhaustedBody) -> Self {
        match body {
            OnExhaustedBody::Continue => Self::Continue,
            OnExhaustedBody::Stop => Self::Stop,
        }
    }
}

impl From<OnExhausted> for OnExhaustedBody {
    fn from(what: OnExhausted) -> Self {
        match what {
            OnExhausted::Continue => Self::Continue,
            OnExhausted::Stop => Self::Stop,
        }
    }
}

/// How changes share a request. A delivery then stands for a range of changes of one group, which a retry
/// keeps. Times count from when changes were recorded.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"group": "account", "window_ms": 2000, "max_wait_ms": 30000,
    "batch_max": 50}))]
pub(crate) struct CoalesceBody {
    /// Which changes may share a request: `all` (the default), `account`, `collection`, `type`,
    /// `account_type` or `item`.
    #[schema(value_type = Option<String>)]
    group: Option<Grouping>,
    /// A group is not sent before this long after its first change, ms.
    #[schema(maximum = 86_400_000)]
    delay_ms: Option<u64>,
    /// A group is sent when nothing has joined it for this long, ms.
    #[schema(maximum = 86_400_000)]
    window_ms: Option<u64>,
    /// A group is sent at the latest this long after its first change, ms; 0: `window_ms`.
    #[schema(maximum = 86_400_000)]
    max_wait_ms: Option<u64>,
    /// At least this long between the beginnings of two requests of the hook, ms.
    #[schema(maximum = 86_400_000)]
    min_interval_ms: Option<u64>,
    /// Changes in one request, at most.
    #[schema(minimum = 1, maximum = 100)]
    batch_max: Option<u32>,
    /// Bytes of the changes' data in one request, at most; one change always goes.
    #[schema(minimum = 1, maximum = 1_048_576)]
    batch_bytes_max: Option<u64>,
}

impl From<CoalesceBody> for Coalescing {
    fn from(body: CoalesceBody) -> Self {
        Self {
            group: body.group,
            delay_ms: body.delay_ms,
            window_ms: body.window_ms,
            max_wait_ms: body.max_wait_ms,
            min_interval_ms: body.min_interval_ms,
            batch_max: body.batch_max,
            batch_bytes_max: body.batch_bytes_max,
        }
    }
}

impl From<Coalesce> for CoalesceBody {
    fn from(rule: Coalesce) -> Self {
        Self {
            group: Some(rule.group),
            delay_ms: Some(rule.delay_ms),
            window_ms: Some(rule.window_ms),
            max_wait_ms: Some(rule.max_wait_ms),
            min_interval_ms: Some(rule.min_interval_ms),
            batch_max: Some(rule.batch_max),
            batch_bytes_max: Some(rule.batch_bytes_max),
        }
    }
}

/// When failures disable the hook; what is absent or `null` never does. A receiver that answers 410 always
/// does.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"failing_ms": 432000000, "failures": null}))]
pub(crate) struct DisableBody {
    /// After nothing but failures for this long, ms.
    #[schema(minimum = 60_000, maximum = 2_592_000_000_u64)]
    failing_ms: Option<i64>,
    /// After this many failed attempts in a row.
    #[schema(minimum = 1, maximum = 1_000_000)]
    failures: Option<u64>,
}

impl From<DisableBody> for DisableRule {
    fn from(body: DisableBody) -> Self {
        Self { failing_ms: body.failing_ms, failures: body.failures }
    }
}

impl From<DisableRule> for DisableBody {
    fn from(rule: DisableRule) -> Self {
        Self { failing_ms: rule.failing_ms, failures: rule.failures }
    }
}
