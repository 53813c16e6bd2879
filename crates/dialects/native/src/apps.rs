//! `/apps`: the tenants.

use axum::Json as Out;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tidings_core::clock::Timestamp;
use tidings_core::id::AppId;
use tidings_service::{App, AppChanges, NewApp};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::{Answer, Made, PageAnswer, PageQuery, nullable, page};
use crate::body::Json;
use crate::caller::By;
use crate::path::PathId;
use crate::query::Query;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(create_app, list_apps))
        .routes(routes!(get_app, update_app, delete_app))
}

/// An app to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Acme", "external_id": "tenant-7"}))]
pub(crate) struct AppInput {
    /// What people call it.
    name: String,
    /// Its id elsewhere; unique in the installation.
    external_id: Option<String>,
    /// Where hooks without a URL of their own deliver.
    webhook_url: Option<String>,
}

/// What to change; absent stays, `null` clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"webhook_url": "https://example.com/webhooks"}))]
pub(crate) struct AppPatch {
    /// A new name.
    name: Option<String>,
    /// A new id elsewhere.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    external_id: Option<Option<String>>,
    /// A new address for hooks without a URL.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    webhook_url: Option<Option<String>>,
}

/// An app.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "app_01k4qzv6s8t2m9r3n5b0", "name": "Acme", "external_id": "tenant-7",
    "webhook_url": null, "seq": 42, "oldest_seq": 1,
    "created_at": "2026-03-12T09:01:12.000Z", "updated_at": "2026-03-12T09:01:12.000Z"}))]
pub(crate) struct AppAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: AppId,
    /// What people call it.
    name: String,
    /// Its id elsewhere.
    external_id: Option<String>,
    /// Where hooks without a URL of their own deliver.
    webhook_url: Option<String>,
    /// `seq` of the newest change; 0 before the first.
    seq: u64,
    /// The first `seq` that the journal still holds or will hold.
    oldest_seq: u64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<App> for AppAnswer {
    fn from(app: App) -> Self {
        let App { id, name, external_id, webhook_url, seq, oldest_seq, created_at, updated_at } =
            app;
        Self { id, name, external_id, webhook_url, seq, oldest_seq, created_at, updated_at }
    }
}

/// Creates an app. Owner keys only.
#[utoipa::path(post, path = "/apps", tag = "apps", request_body = AppInput,
    responses((status = 201, description = "created", body = AppAnswer)))]
async fn create_app(
    State(api): State<Api>,
    By(caller): By,
    Json(input): Json<AppInput>,
) -> Answer<Made<AppAnswer>> {
    let AppInput { name, external_id, webhook_url } = input;
    let app = api.service.create_app(&caller, NewApp { name, external_id, webhook_url }).await?;
    Ok(Made::created(format!("/api/v1/apps/{}", app.id), app.into()))
}

/// Apps that the key can see, oldest first.
#[utoipa::path(get, path = "/apps", tag = "apps", params(PageQuery),
    responses((status = 200, description = "a page", body = PageAnswer<AppAnswer>)))]
async fn list_apps(
    State(api): State<Api>,
    By(caller): By,
    Query(query): Query<PageQuery>,
) -> Answer<Out<PageAnswer<AppAnswer>>> {
    Ok(page(api.service.apps(&caller, &query.into()).await?))
}

/// One app.
#[utoipa::path(get, path = "/apps/{app_id}", tag = "apps", params(("app_id" = String, Path)),
    responses((status = 200, description = "the app", body = AppAnswer)))]
async fn get_app(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AppId>,
) -> Answer<Out<AppAnswer>> {
    Ok(Out(api.service.app(&caller, id).await?.into()))
}

/// Changes an app. Needs the scope `admin`.
#[utoipa::path(patch, path = "/apps/{app_id}", tag = "apps", params(("app_id" = String, Path)),
    request_body = AppPatch, responses((status = 200, description = "the app", body = AppAnswer)))]
async fn update_app(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AppId>,
    Json(patch): Json<AppPatch>,
) -> Answer<Out<AppAnswer>> {
    let AppPatch { name, external_id, webhook_url } = patch;
    let changes = AppChanges { name, external_id, webhook_url };
    Ok(Out(api.service.update_app(&caller, id, changes).await?.into()))
}

/// Deletes an app and erases its content. Owner keys only.
#[utoipa::path(delete, path = "/apps/{app_id}", tag = "apps", params(("app_id" = String, Path)),
    responses((status = 204, description = "deleted")))]
async fn delete_app(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AppId>,
) -> Answer<StatusCode> {
    api.service.delete_app(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
