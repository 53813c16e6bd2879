//! `/stats` and `/hooks/{hook_id}/stats`: how an app and its hooks have fared.

use axum::Json as Out;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, DeliveryId, HookId};
use tidings_service::{About, AccountSync, AppOverview, HookBacklog, Point, Span, Stats, Trouble};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::Answer;
use crate::caller::By;
use crate::path::PathId;
use crate::query::Query;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(get_stats)).routes(routes!(get_hook_stats))
}

/// How far back: `hour` has a point a minute, `day` one a quarter of an hour, `week` one an hour.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum SpanName {
    #[default]
    Hour,
    Day,
    Week,
}

impl From<SpanName> for Span {
    fn from(name: SpanName) -> Self {
        match name {
            SpanName::Hour => Self::Hour,
            SpanName::Day => Self::Day,
            SpanName::Week => Self::Week,
        }
    }
}

impl From<Span> for SpanName {
    fn from(span: Span) -> Self {
        match span {
            Span::Hour => Self::Hour,
            Span::Day => Self::Day,
            Span::Week => Self::Week,
        }
    }
}

/// Which stats.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct StatsQuery {
    /// How far back.
    #[param(inline, default = "hour")]
    span: SpanName,
}

/// Attempts of a part of the span.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"at": "2026-03-12T09:01:00.000Z", "delivered": 120, "failed": 2, "p50_ms": 41,
    "p95_ms": 180}))]
struct PointAnswer {
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Attempts answered with a 2xx.
    delivered: u64,
    /// Attempts that failed.
    failed: u64,
    /// Half of the delivered ones were answered within so many ms; `null` when there was none.
    p50_ms: Option<u64>,
    /// 95 of 100 delivered ones were answered within so many ms.
    p95_ms: Option<u64>,
}

impl From<Point> for PointAnswer {
    fn from(Point { at, delivered, failed, p50_ms, p95_ms }: Point) -> Self {
        Self { at, delivered, failed, p50_ms, p95_ms }
    }
}

/// The attempts of a span. The last ten seconds may be missing, and a crash loses that much: the ledger is
/// exact.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"span": "hour", "total": {"at": "2026-03-12T08:02:00.000Z", "delivered": 120,
    "failed": 2, "p50_ms": 41, "p95_ms": 180}, "points": [{"at": "2026-03-12T09:01:00.000Z",
    "delivered": 120, "failed": 2, "p50_ms": 41, "p95_ms": 180}]}))]
struct StatsAnswer {
    /// How far back.
    span: SpanName,
    /// All of it; `at` is when the span begins.
    total: PointAnswer,
    /// One for each part of the span, ascending.
    points: Vec<PointAnswer>,
}

impl From<Stats> for StatsAnswer {
    fn from(Stats { span, points, total }: Stats) -> Self {
        let points = points.into_iter().map(PointAnswer::from).collect();
        Self { span: span.into(), total: total.into(), points }
    }
}

/// What a hook has before it.
#[derive(Debug, Serialize, ToSchema)]
struct BacklogAnswer {
    /// The hook.
    #[schema(value_type = String)]
    hook: HookId,
    /// Changes that it has yet to go through; not each is one that it selects.
    changes: u64,
    /// Its deliveries that wait for their retry.
    parked: u64,
}

impl From<HookBacklog> for BacklogAnswer {
    fn from(hook: HookBacklog) -> Self {
        Self { hook: hook.id, changes: hook.behind, parked: hook.parked }
    }
}

/// How long ago an account was last synced.
#[derive(Debug, Serialize, ToSchema)]
struct SyncAnswer {
    /// The account.
    #[schema(value_type = String)]
    account: AccountId,
    /// Its provider.
    provider: String,
    /// Milliseconds since its last good sync, or since it was connected.
    lag_ms: i64,
}

impl From<AccountSync> for SyncAnswer {
    fn from(AccountSync { id, provider, lag_ms, .. }: AccountSync) -> Self {
        Self { account: id, provider, lag_ms }
    }
}

/// Something that somebody should look at: a hook, a delivery of one, or an account.
#[derive(Debug, Serialize, ToSchema)]
struct TroubleAnswer {
    /// The hook, also of a delivery.
    #[schema(value_type = Option<String>)]
    hook: Option<HookId>,
    /// The delivery that was given up.
    #[schema(value_type = Option<String>)]
    delivery: Option<DeliveryId>,
    /// The account.
    #[schema(value_type = Option<String>)]
    account: Option<AccountId>,
    /// What is wrong, in plain words.
    why: String,
    /// Since when, as far as known.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

impl From<Trouble> for TroubleAnswer {
    fn from(Trouble { about, why, at }: Trouble) -> Self {
        let (hook, delivery, account) = match about {
            About::Hook { id, .. } => (Some(id), None, None),
            About::Delivery { id, hook } => (Some(hook), Some(id), None),
            About::Account { id, .. } => (None, None, Some(id)),
        };
        Self { hook, delivery, account, why, at }
    }
}

/// How many there are of each.
#[derive(Debug, Serialize, ToSchema)]
struct HookCountsAnswer {
    active: u64,
    paused: u64,
    disabled: u64,
}

/// How many there are of each.
#[derive(Debug, Serialize, ToSchema)]
struct AccountCountsAnswer {
    /// Watched.
    active: u64,
    /// Their owners must act first.
    inactive: u64,
    /// The application's own records.
    record: u64,
}

/// How an app stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"span": "hour", "total": {"at": "2026-03-12T08:02:00.000Z", "delivered": 120,
    "failed": 2, "p50_ms": 41, "p95_ms": 180}, "points": [],
    "hooks": {"active": 3, "paused": 0, "disabled": 1}, "accounts": {"active": 8, "inactive": 1, "record": 0},
    "unmatched": 0, "backlog": 12, "parked": 2, "exhausted": 1,
    "oldest_owed_at": "2026-03-12T09:00:12.000Z", "sync_lag_ms": 61000,
    "backlogs": [{"hook": "hook_01k4qzv6s8t2m9r3n5b0", "changes": 12, "parked": 2}],
    "syncs": [{"account": "acc_01k4qzv6s8t2m9r3n5b0", "provider": "caldav", "lag_ms": 61000}],
    "trouble": [{"hook": "hook_01k4qzv6s8t2m9r3n5b0", "delivery": null, "account": null,
        "why": "its last 5 attempts failed", "at": "2026-03-12T08:40:00.000Z"}]}))]
struct AppStatsAnswer {
    /// The attempts of all its hooks.
    #[serde(flatten)]
    stats: StatsAnswer,
    /// Its hooks.
    hooks: HookCountsAnswer,
    /// Its accounts.
    accounts: AccountCountsAnswer,
    /// Changes that are not matched with the hooks yet.
    unmatched: u64,
    /// Changes that active hooks have yet to go through, added up; not each is one that they select.
    backlog: u64,
    /// Deliveries that wait for their retry.
    parked: u64,
    /// Deliveries that were given up and can be resent.
    exhausted: u64,
    /// When the oldest change that an active hook has not settled was recorded.
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest_owed_at: Option<Timestamp>,
    /// Milliseconds since the last good sync of the account where that is longest ago.
    sync_lag_ms: Option<i64>,
    /// The hooks that have most before them, at most ten.
    backlogs: Vec<BacklogAnswer>,
    /// The accounts whose last good sync is longest ago, at most ten.
    syncs: Vec<SyncAnswer>,
    /// What is in trouble, the newest first.
    trouble: Vec<TroubleAnswer>,
}

impl From<AppOverview> for AppStatsAnswer {
    fn from(app: AppOverview) -> Self {
        let [active, paused, disabled] = app.hooks;
        Self {
            stats: app.stats.into(),
            hooks: HookCountsAnswer { active, paused, disabled },
            accounts: AccountCountsAnswer {
                active: app.accounts_active,
                inactive: app.accounts_inactive,
                record: app.accounts_record,
            },
            unmatched: app.unmatched,
            backlog: app.backlog,
            parked: app.parked,
            exhausted: app.exhausted,
            oldest_owed_at: app.oldest_owed_at,
            sync_lag_ms: app.sync_lag_ms,
            backlogs: app.backlogs.into_iter().map(BacklogAnswer::from).collect(),
            syncs: app.syncs.into_iter().map(SyncAnswer::from).collect(),
            trouble: app.trouble.into_iter().map(TroubleAnswer::from).collect(),
        }
    }
}

/// How the app stands: attempts over time, what is owed, what is in trouble. Needs the scope `read`.
#[utoipa::path(get, path = "/stats", tag = "stats", params(StatsQuery),
    responses((status = 200, description = "how it stands", body = AppStatsAnswer)))]
async fn get_stats(
    State(api): State<Api>,
    By(caller): By,
    Query(query): Query<StatsQuery>,
) -> Answer<Out<AppStatsAnswer>> {
    Ok(Out(api.service.app_overview(&caller, query.span.into()).await?.into()))
}

/// The attempts of a hook over time.
#[utoipa::path(get, path = "/hooks/{hook_id}/stats", tag = "stats",
    params(("hook_id" = String, Path), StatsQuery),
    responses((status = 200, description = "its attempts", body = StatsAnswer)))]
async fn get_hook_stats(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<HookId>,
    Query(query): Query<StatsQuery>,
) -> Answer<Out<StatsAnswer>> {
    Ok(Out(api.service.hook_stats(&caller, id, query.span.into()).await?.into()))
}
