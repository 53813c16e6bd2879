//! `/hooks/{hook_id}/replays`: sending changes of the past again.

use axum::Json as Out;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, HookId, ReplayId};
use tidings_service::{LedgerState, NewReplay, Replay, ReplayFrom};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::{Answer, Made, PageAnswer};
use crate::body::Json;
use crate::caller::By;
use crate::ledger::LedgerStateName;
use crate::path::{PathId, PathIds};

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(create_replay, list_replays))
        .routes(routes!(get_replay, cancel_replay))
}

/// A point in the journal: `{"seq": n}`, or `{"time": "…"}`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Point {
    /// The change with this `seq`.
    Seq(u64),
    /// The change recorded at this time.
    Time(Timestamp),
}

impl From<Point> for ReplayFrom {
    fn from(point: Point) -> Self {
        match point {
            Point::Seq(seq) => Self::Seq(seq),
            Point::Time(at) => Self::Time(at),
        }
    }
}

/// A replay to begin.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"from": {"time": "2026-03-11T00:00:00Z"}, "until": {"seq": 42}, "rate": 50}))]
struct ReplayInput {
    /// The first change: `{"seq": n}`, or `{"time": "…"}`.
    #[schema(value_type = Object)]
    from: Point,
    /// The last change, in the same way; the journal's present end when absent.
    #[schema(value_type = Option<Object>)]
    until: Option<Point>,
    /// Only changes of these types; `a.*` and `*` cover several. All when absent.
    #[serde(default)]
    #[schema(max_items = 50)]
    types: Vec<String>,
    /// Only changes of this account.
    #[schema(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Only changes of which the hook's ledger says this when the replay comes to them: `exhausted`, say.
    /// All when absent; `filtered` is not allowed.
    #[serde(default)]
    states: Vec<LedgerStateName>,
    /// The hook that receives them; this one when absent. It need not have existed then, nor select them.
    #[schema(value_type = Option<String>)]
    into: Option<HookId>,
    /// Requests that it begins in a second, at most 10000; as many as the hook may when absent.
    #[schema(minimum = 1, maximum = 10000)]
    rate: Option<u32>,
    /// Only count what it would take.
    #[serde(default)]
    dry_run: bool,
}

impl From<ReplayInput> for NewReplay {
    fn from(input: ReplayInput) -> Self {
        Self {
            from: input.from.into(),
            until: input.until.map(ReplayFrom::from),
            types: input.types,
            account: input.account,
            states: input.states.into_iter().map(LedgerState::from).collect(),
            into: input.into,
            rate: input.rate,
        }
    }
}

/// What a replay would take.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"dry_run": true, "total": 1200}))]
struct ReplayCountAnswer {
    /// True: nothing has begun.
    dry_run: bool,
    /// Changes that it would take.
    total: u64,
}

/// A replay.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "rpl_01k4qzv6s8t2m9r3n5b0", "hook": "hook_01k4qzv6s8t2m9r3n5b0",
    "source": null, "types": [], "account": null, "states": [], "rate": 50, "settled_seq": 30, "until_seq": 42,
    "sent": 9, "total": 12, "finished": false, "cancelled_at": null,
    "created_at": "2026-03-12T09:01:12.000Z"}))]
struct ReplayAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: ReplayId,
    /// The hook that receives it.
    #[schema(value_type = String)]
    hook: HookId,
    /// The hook whose past it is, when that is another one that still exists.
    #[schema(value_type = Option<String>)]
    source: Option<HookId>,
    /// The types it takes; empty: all.
    types: Vec<String>,
    /// The account whose changes it takes; `null`: all.
    #[schema(value_type = Option<String>)]
    account: Option<AccountId>,
    /// The states it takes; empty: all.
    states: Vec<LedgerStateName>,
    /// Requests that it begins in a second, at most.
    rate: Option<u32>,
    /// Changes up to this `seq` are settled.
    settled_seq: u64,
    /// The last `seq`.
    until_seq: u64,
    /// Changes that were sent: delivered, or waiting for their retry.
    sent: u64,
    /// Changes that it takes in all, counted when it began; `null` when there were too many to count.
    total: Option<u64>,
    /// Whether it has come to its end, or was ended.
    finished: bool,
    /// When it was ended before its time.
    #[schema(value_type = Option<String>, format = DateTime)]
    cancelled_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Replay> for ReplayAnswer {
    fn from(replay: Replay) -> Self {
        Self {
            id: replay.id,
            hook: replay.hook,
            source: replay.source,
            types: replay.types,
            account: replay.account,
            states: replay.states.into_iter().map(LedgerStateName::from).collect(),
            rate: replay.rate,
            settled_seq: replay.settled_seq,
            until_seq: replay.until_seq,
            sent: replay.sent,
            total: replay.total,
            finished: replay.finished,
            cancelled_at: replay.cancelled_at,
            created_at: replay.created_at,
        }
    }
}

/// Begins a replay: what the hook selected is sent again, under the same delivery ids. A replay that takes
/// only some changes, or goes into another hook, sends them one by one, also to a hook that coalesces. With
/// `dry_run` it is only counted. Needs the scope `hooks`.
#[utoipa::path(post, path = "/hooks/{hook_id}/replays", tag = "replays",
    params(("hook_id" = String, Path)), request_body = ReplayInput,
    responses((status = 201, description = "begun; it belongs to the hook that receives it", body = ReplayAnswer),
        (status = 200, description = "counted, with `dry_run`", body = ReplayCountAnswer)))]
async fn create_replay(
    State(api): State<Api>,
    By(caller): By,
    PathId(hook): PathId<HookId>,
    Json(input): Json<ReplayInput>,
) -> Answer<Response> {
    let dry_run = input.dry_run;
    if dry_run {
        let total = api.service.count_replay(&caller, hook, input.into()).await?;
        return Ok(Out(ReplayCountAnswer { dry_run, total }).into_response());
    }
    let replay = api.service.create_replay(&caller, hook, input.into()).await?;
    let location = format!("/api/v1/hooks/{}/replays/{}", replay.hook, replay.id);
    Ok(Made::created(location, ReplayAnswer::from(replay)).into_response())
}

/// The replays into a hook, oldest first, all on one page: those that run, and the last ones that ended.
#[utoipa::path(get, path = "/hooks/{hook_id}/replays", tag = "replays",
    params(("hook_id" = String, Path)),
    responses((status = 200, description = "the replays", body = PageAnswer<ReplayAnswer>)))]
async fn list_replays(
    State(api): State<Api>,
    By(caller): By,
    PathId(hook): PathId<HookId>,
) -> Answer<Out<PageAnswer<ReplayAnswer>>> {
    let replays = api.service.replays(&caller, hook).await?;
    let data = replays.into_iter().map(ReplayAnswer::from).collect();
    Ok(Out(PageAnswer { data, next_cursor: None, has_more: false }))
}

/// One replay into a hook.
#[utoipa::path(get, path = "/hooks/{hook_id}/replays/{replay_id}", tag = "replays",
    params(("hook_id" = String, Path), ("replay_id" = String, Path)),
    responses((status = 200, description = "the replay", body = ReplayAnswer)))]
async fn get_replay(
    State(api): State<Api>,
    By(caller): By,
    PathIds(hook, id): PathIds<HookId, ReplayId>,
) -> Answer<Out<ReplayAnswer>> {
    Ok(Out(api.service.replay(&caller, hook, id).await?.into()))
}

/// Ends a replay before its time. Needs the scope `hooks`.
#[utoipa::path(delete, path = "/hooks/{hook_id}/replays/{replay_id}", tag = "replays",
    params(("hook_id" = String, Path), ("replay_id" = String, Path)),
    responses((status = 200, description = "the replay", body = ReplayAnswer)))]
async fn cancel_replay(
    State(api): State<Api>,
    By(caller): By,
    PathIds(hook, id): PathIds<HookId, ReplayId>,
) -> Answer<Out<ReplayAnswer>> {
    Ok(Out(api.service.cancel_replay(&caller, hook, id).await?.into()))
}
