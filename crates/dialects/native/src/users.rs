//! `/users`: end users of an app, and the tokens minted for them.

use axum::Json as Out;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::id::UserId;
use tidings_core::limits::PORTAL_S_DEFAULT;
use tidings_service::{ConnectToken, NewUser, PortalInput, User, UserChanges};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::{Answer, Made, PageAnswer, PageQuery, nullable, page};
use crate::body::{Json, OptionalJson};
use crate::caller::By;
use crate::keys::{self, CreatedKeyAnswer};
use crate::path::PathId;
use crate::query::Query;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(upsert_user, list_users))
        .routes(routes!(get_user, update_user, delete_user))
        .routes(routes!(mint_connect_token))
        .routes(routes!(make_portal_link))
}

/// An end user to create or find.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"external_id": "user-81", "name": "Ada"}))]
pub(crate) struct UserInput {
    /// The id that the app itself uses.
    #[schema(min_length = 1, max_length = 256)]
    external_id: String,
    /// What people call it. Of no effect on an end user that exists.
    #[schema(min_length = 1, max_length = 256)]
    name: Option<String>,
    /// What else is to be kept with it: an object of at most 16 KiB. Of no effect on an end user that exists.
    #[schema(value_type = Option<Object>)]
    details: Option<Value>,
}

/// What to change; absent stays, `null` clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Ada Lovelace"}))]
pub(crate) struct UserPatch {
    /// The id that the app itself uses.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256)]
    external_id: Option<Option<String>>,
    /// What people call it.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256)]
    name: Option<Option<String>>,
    /// What else is to be kept with it: an object of at most 16 KiB, which takes the place of the whole one
    /// before.
    #[schema(value_type = Option<Object>)]
    details: Option<Value>,
}

/// An end user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "usr_01k4qzv6s8t2m9r3n5b0", "external_id": "user-81",
    "name": "Ada", "details": {}, "created_at": "2026-03-12T09:01:12.000Z",
    "updated_at": "2026-03-12T09:01:12.000Z"}))]
pub(crate) struct UserAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: UserId,
    /// The id that the app itself uses.
    external_id: Option<String>,
    /// What people call it.
    name: Option<String>,
    /// What else is kept with it.
    #[schema(value_type = Object)]
    details: Value,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<User> for UserAnswer {
    fn from(user: User) -> Self {
        let User { id, external_id, name, details, created_at, updated_at } = user;
        Self { id, external_id, name, details, created_at, updated_at }
    }
}

/// A Connect token to mint.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"name": "phone", "expires_at": "2027-03-12T09:01:12.000Z"}))]
pub(crate) struct ConnectTokenInput {
    /// What people call it; `connect` when absent.
    name: Option<String>,
    /// When it stops working by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A link into the portal to make.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"ttl_s": 3600}))]
pub(crate) struct PortalLinkInput {
    /// How long it works, seconds; an hour when absent.
    #[schema(minimum = 60, maximum = 86_400)]
    ttl_s: Option<u32>,
}

/// A link into the portal, shown this once.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"url": "https://tidings.example.com/portal/tdu_…",
    "expires_at": "2026-03-12T10:01:12.000Z"}))]
pub(crate) struct PortalLinkAnswer {
    /// Where to send the end user. A path alone when the server's `public_url` is not configured.
    url: String,
    /// When it stops working, and whatever was opened with it.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Creates an end user, or finds the one with this external id (200). Needs the scope `accounts`.
#[utoipa::path(post, path = "/users", tag = "users", request_body = UserInput, responses(
    (status = 201, description = "created", body = UserAnswer),
    (status = 200, description = "it existed", body = UserAnswer)))]
async fn upsert_user(
    State(api): State<Api>,
    By(caller): By,
    Json(input): Json<UserInput>,
) -> Answer<Made<UserAnswer>> {
    let UserInput { external_id, name, details } = input;
    let details = details.unwrap_or_else(|| json!({}));
    let new = NewUser { external_id: Some(external_id), name, details };
    let (user, created) = api.service.create_user(&caller, new, |_| Vec::new()).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Made { status, location: format!("/api/v1/users/{}", user.id), body: user.into() })
}

/// End users, oldest first.
#[utoipa::path(get, path = "/users", tag = "users", params(PageQuery),
    responses((status = 200, description = "a page", body = PageAnswer<UserAnswer>)))]
async fn list_users(
    State(api): State<Api>,
    By(caller): By,
    Query(query): Query<PageQuery>,
) -> Answer<Out<PageAnswer<UserAnswer>>> {
    Ok(page(api.service.users(&caller, &query.into()).await?))
}

/// One end user.
#[utoipa::path(get, path = "/users/{user_id}", tag = "users", params(("user_id" = String, Path)),
    responses((status = 200, description = "the end user", body = UserAnswer)))]
async fn get_user(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<UserId>,
) -> Answer<Out<UserAnswer>> {
    Ok(Out(api.service.user(&caller, id).await?.into()))
}

/// Changes an end user. Needs the scope `accounts`.
#[utoipa::path(patch, path = "/users/{user_id}", tag = "users", params(("user_id" = String, Path)),
    request_body = UserPatch, responses((status = 200, description = "the end user", body = UserAnswer)))]
async fn update_user(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<UserId>,
    Json(patch): Json<UserPatch>,
) -> Answer<Out<UserAnswer>> {
    let UserPatch { external_id, name, details } = patch;
    let changes = UserChanges { external_id, name, details, expected: None };
    Ok(Out(api.service.update_user(&caller, id, changes, |_| Vec::new()).await?.into()))
}

/// Deletes an end user with its accounts, tokens and hooks. Needs the scope `accounts`.
#[utoipa::path(delete, path = "/users/{user_id}", tag = "users", params(("user_id" = String, Path)),
    responses((status = 204, description = "deleted")))]
async fn delete_user(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<UserId>,
) -> Answer<StatusCode> {
    api.service.delete_user(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Mints a bearer of the Mobiscroll Connect surface for one end user; revoke it as a key. Needs the
/// scope `accounts`.
#[utoipa::path(post, path = "/users/{user_id}/connect-tokens", tag = "users",
    params(("user_id" = String, Path)), request_body = Option<ConnectTokenInput>,
    responses((status = 201, description = "created", body = CreatedKeyAnswer)))]
async fn mint_connect_token(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<UserId>,
    OptionalJson(input): OptionalJson<ConnectTokenInput>,
) -> Answer<Made<CreatedKeyAnswer>> {
    let ConnectTokenInput { name, expires_at } = input;
    let token = ConnectToken { name, expires_at };
    Ok(keys::created(api.service.mint_connect_token(&caller, id, token).await?))
}

/// Makes a short-lived link into the portal, where the end user sees, creates, changes, tests and replays their
/// own hooks and nothing else. Needs the scopes `accounts` and `hooks`.
#[utoipa::path(post, path = "/users/{user_id}/portal-links", tag = "users",
    params(("user_id" = String, Path)), request_body = Option<PortalLinkInput>,
    responses((status = 201, description = "created", body = PortalLinkAnswer)))]
async fn make_portal_link(
    State(api): State<Api>,
    By(caller): By,
    PathId(user): PathId<UserId>,
    OptionalJson(input): OptionalJson<PortalLinkInput>,
) -> Answer<(StatusCode, Out<PortalLinkAnswer>)> {
    let ttl_s = input.ttl_s.unwrap_or(PORTAL_S_DEFAULT);
    let link = api.service.portal_link(&caller, PortalInput { user, ttl_s }).await?;
    let url = api.service.public_link(&format!("/portal/{}", link.token));
    Ok((StatusCode::CREATED, Out(PortalLinkAnswer { url, expires_at: link.expires_at })))
}
