//! `/hooks/{hook_id}/replays`: sending changes of the past again.

use axum::Json as Out;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tidings_core::clock::Timestamp;
use tidings_core::id::{HookId, ReplayId};
use tidings_service::{NewReplay, Replay, ReplayFrom};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::{Answer, Made, PageAnswer};
use crate::body::Json;
use crate::caller::By;
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
#[schema(example = json!({"from": {"time": "2026-03-11T00:00:00Z"}, "until": {"seq": 42}}))]
struct ReplayInput {
    /// The first change: `{"seq": n}`, or `{"time": "…"}`.
    #[schema(value_type = Object)]
    from: Point,
    /// The last change, in the same way; the journal's present end when absent.
    #[schema(value_type = Option<Object>)]
    until: Option<Point>,
}

/// A replay.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "rpl_01k4qzv6s8t2m9r3n5b0", "hook": "hook_01k4qzv6s8t2m9r3n5b0",
    "settled_seq": 30, "until_seq": 42, "finished": false, "created_at": "2026-03-12T09:01:12.000Z"}))]
struct ReplayAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: ReplayId,
    /// The hook.
    #[schema(value_type = String)]
    hook: HookId,
    /// Changes up to this `seq` are settled.
    settled_seq: u64,
    /// The last `seq`.
    until_seq: u64,
    /// Whether it has come to its end.
    finished: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Replay> for ReplayAnswer {
    fn from(replay: Replay) -> Self {
        let Replay { id, hook, settled_seq, until_seq, finished, created_at } = replay;
        Self { id, hook, settled_seq, until_seq, finished, created_at }
    }
}

/// Begins a replay: the hook receives again what it selects, under the same delivery ids. Needs the scope
/// `hooks`.
#[utoipa::path(post, path = "/hooks/{hook_id}/replays", tag = "replays",
    params(("hook_id" = String, Path)), request_body = ReplayInput,
    responses((status = 201, description = "begun", body = ReplayAnswer)))]
async fn create_replay(
    State(api): State<Api>,
    By(caller): By,
    PathId(hook): PathId<HookId>,
    Json(input): Json<ReplayInput>,
) -> Answer<Made<ReplayAnswer>> {
    let new = NewReplay { from: input.from.into(), until: input.until.map(ReplayFrom::from) };
    let replay = api.service.create_replay(&caller, hook, new).await?;
    let location = format!("/api/v1/hooks/{hook}/replays/{}", replay.id);
    Ok(Made::created(location, replay.into()))
}

/// The replays of a hook, oldest first, all on one page.
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

/// One replay of a hook.
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
