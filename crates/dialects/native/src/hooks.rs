//! `/hooks`: who receives which changes.

use axum::Json as Out;
use axum::extract::State;
use http::StatusCode;
use tidings_core::id::HookId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::{Answer, Made, PageAnswer, PageQuery, page};
use crate::body::Json;
use crate::caller::By;
use crate::path::PathId;
use crate::query::Query;

mod access;
mod actions;
mod selecting;
mod serving;
mod wire;

use wire::{CreatedHookAnswer, HookAnswer, HookInput, HookPatch};

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(create_hook, list_hooks))
        .routes(routes!(get_hook, update_hook, delete_hook))
        .merge(actions::routes())
        .merge(selecting::routes())
}

/// Creates a hook; its secret is in the answer and nowhere else. Needs the scope `hooks`.
#[utoipa::path(post, path = "/hooks", tag = "hooks", request_body = HookInput,
    responses((status = 201, description = "created", body = CreatedHookAnswer)))]
async fn create_hook(
    State(api): State<Api>,
    By(caller): By,
    Json(input): Json<HookInput>,
) -> Answer<Made<CreatedHookAnswer>> {
    let created = api.service.create_hook(&caller, input.into()).await?;
    let location = format!("/api/v1/hooks/{}", created.hook.id);
    Ok(Made::created(location, created.into()))
}

/// Hooks, oldest first.
#[utoipa::path(get, path = "/hooks", tag = "hooks", params(PageQuery),
    responses((status = 200, description = "a page", body = PageAnswer<HookAnswer>)))]
async fn list_hooks(
    State(api): State<Api>,
    By(caller): By,
    Query(query): Query<PageQuery>,
) -> Answer<Out<PageAnswer<HookAnswer>>> {
    Ok(page(api.service.hooks(&caller, &query.into()).await?))
}

/// One hook.
#[utoipa::path(get, path = "/hooks/{hook_id}", tag = "hooks", params(("hook_id" = String, Path)),
    responses((status = 200, description = "the hook", body = HookAnswer)))]
async fn get_hook(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<HookId>,
) -> Answer<Out<HookAnswer>> {
    Ok(Out(api.service.hook(&caller, id).await?.into()))
}

/// Changes a hook. Needs the scope `hooks`.
#[utoipa::path(patch, path = "/hooks/{hook_id}", tag = "hooks", params(("hook_id" = String, Path)),
    request_body = HookPatch, responses((status = 200, description = "the hook", body = HookAnswer)))]
async fn update_hook(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<HookId>,
    Json(patch): Json<HookPatch>,
) -> Answer<Out<HookAnswer>> {
    Ok(Out(api.service.update_hook(&caller, id, patch.into()).await?.into()))
}

/// Deletes a hook. Deliveries in flight may still arrive. Needs the scope `hooks`.
#[utoipa::path(delete, path = "/hooks/{hook_id}", tag = "hooks", params(("hook_id" = String, Path)),
    responses((status = 204, description = "deleted")))]
async fn delete_hook(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<HookId>,
) -> Answer<StatusCode> {
    api.service.delete_hook(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
