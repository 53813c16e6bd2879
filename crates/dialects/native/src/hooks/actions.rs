//! What can be done with a hook: start and stop it, change its secret, try it out.

use axum::Json as Out;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tidings_core::clock::Timestamp;
use tidings_core::id::HookId;
use tidings_service::{EnableFrom, RotateSecret};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::HookAnswer;
use crate::Api;
use crate::answers::{Answer, Made};
use crate::body::OptionalJson;
use crate::caller::By;
use crate::changes::ReceiptAnswer;
use crate::path::PathId;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(enable_hook))
        .routes(routes!(pause_hook))
        .routes(routes!(disable_hook))
        .routes(routes!(rotate_hook_secret))
        .routes(routes!(test_hook))
        .routes(routes!(verify_hook))
}

/// Where an enabled hook goes on.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum EnableFromName {
    /// Where it stood: everything that waits is delivered.
    Backlog,
    /// At the end of the journal: what waits is skipped, visibly.
    Now,
}

/// How to enable a hook.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"from": "backlog"}))]
struct EnableInput {
    /// Where it goes on; when absent as its format has it, which is the backlog for most.
    from: Option<EnableFromName>,
}

/// How to rotate a secret.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"overlap_ms": 3_600_000}))]
struct RotateInput {
    /// The new secret, `whsec_…`; made when absent.
    secret: Option<String>,
    /// How long the earlier secrets go on signing, ms: 0 to 7 days, by default a day.
    #[schema(minimum = 0, maximum = 604_800_000)]
    overlap_ms: Option<i64>,
}

/// A new secret, which is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "overlap_until": "2026-03-13T09:01:12.000Z"}))]
struct RotatedAnswer {
    /// What the hook signs with, beside the earlier ones until the overlap ends.
    secret: String,
    /// Until when the earlier secrets go on signing.
    #[schema(value_type = String, format = DateTime)]
    overlap_until: Timestamp,
}

/// Starts a paused or disabled hook again. Needs the scope `hooks`.
#[utoipa::path(post, path = "/hooks/{hook_id}/enable", tag = "hooks",
    params(("hook_id" = String, Path)), request_body = Option<EnableInput>,
    responses((status = 200, description = "the hook", body = HookAnswer)))]
async fn enable_hook(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<HookId>,
    OptionalJson(input): OptionalJson<EnableInput>,
) -> Answer<Out<HookAnswer>> {
    let from = match input.from {
        None => EnableFrom::Usual,
        Some(EnableFromName::Backlog) => EnableFrom::Backlog,
        Some(EnableFromName::Now) => EnableFrom::Now,
    };
    Ok(Out(api.service.enable_hook(&caller, id, from).await?.into()))
}

/// Stops a hook for a while; what it misses waits for it. Needs the scope `hooks`.
#[utoipa::path(post, path = "/hooks/{hook_id}/pause", tag = "hooks",
    params(("hook_id" = String, Path)),
    responses((status = 200, description = "the hook", body = HookAnswer)))]
async fn pause_hook(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<HookId>,
) -> Answer<Out<HookAnswer>> {
    Ok(Out(api.service.pause_hook(&caller, id).await?.into()))
}

/// Stops a hook until it is enabled; what it misses waits for it. Needs the scope `hooks`.
#[utoipa::path(post, path = "/hooks/{hook_id}/disable", tag = "hooks",
    params(("hook_id" = String, Path)),
    responses((status = 200, description = "the hook", body = HookAnswer)))]
async fn disable_hook(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<HookId>,
) -> Answer<Out<HookAnswer>> {
    Ok(Out(api.service.disable_hook(&caller, id).await?.into()))
}

/// Gives a hook a new secret; the earlier ones sign beside it until the overlap ends. Needs the scope
/// `hooks`.
#[utoipa::path(post, path = "/hooks/{hook_id}/secrets/rotate", tag = "hooks",
    params(("hook_id" = String, Path)), request_body = Option<RotateInput>,
    responses((status = 200, description = "the new secret", body = RotatedAnswer)))]
async fn rotate_hook_secret(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<HookId>,
    OptionalJson(input): OptionalJson<RotateInput>,
) -> Answer<Out<RotatedAnswer>> {
    let RotateInput { secret, overlap_ms } = input;
    let input = RotateSecret { secret, overlap_ms };
    let rotated = api.service.rotate_hook_secret(&caller, id, input).await?;
    let secret = rotated.secret.reveal();
    Ok(Out(RotatedAnswer { secret, overlap_until: rotated.overlap_until }))
}

/// Publishes a test event that only this hook receives. Needs the scope `hooks`.
#[utoipa::path(post, path = "/hooks/{hook_id}/test", tag = "hooks",
    params(("hook_id" = String, Path)),
    responses((status = 202, description = "on its way", body = ReceiptAnswer)))]
async fn test_hook(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<HookId>,
) -> Answer<Made<ReceiptAnswer>> {
    let receipt = api.service.test_hook(&caller, id).await?;
    let location = format!("/api/v1/changes/{}", receipt.id);
    Ok(Made { status: StatusCode::ACCEPTED, location, body: receipt.into() })
}

/// Asks the receiver once more whether it wants to be sent to; the answer shows in `consent`. Needs the scope
/// `hooks`.
#[utoipa::path(post, path = "/hooks/{hook_id}/verify", tag = "hooks",
    params(("hook_id" = String, Path)),
    responses((status = 200, description = "the hook", body = HookAnswer)))]
async fn verify_hook(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<HookId>,
) -> Answer<Out<HookAnswer>> {
    Ok(Out(api.service.verify_hook(&caller, id).await?.into()))
}
