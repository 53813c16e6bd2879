//! `/keys`: API keys.

use axum::Json as Out;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tidings_core::clock::Timestamp;
use tidings_core::id::{GrantId, UserId};
use tidings_service::{CreatedKey, GrantKind, Key, NewKey, PageInput, Scope};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::{Answer, Made, PageAnswer, page};
use crate::body::Json;
use crate::caller::By;
use crate::path::PathId;
use crate::query::Query;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(create_key, list_keys)).routes(routes!(get_key, revoke_key))
}

/// What a key opens.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyKindName {
    /// One app, within its scopes.
    #[default]
    App,
    /// The whole installation.
    Owner,
    /// The Mobiscroll Connect surface, for one end user; made under `/users`.
    Connect,
    /// An authorization code that waits to be traded; made by the Connect surface.
    Code,
    /// A refresh token; made by the Connect surface.
    Refresh,
    /// A session of an end user; made by the Sync surface.
    Session,
    /// An access; made by the Pryv surface.
    Access,
    /// A link into the portal, for one end user; made under `/users`.
    Portal,
}

impl From<KeyKindName> for GrantKind {
    fn from(name: KeyKindName) -> Self {
        match name {
            KeyKindName::App => Self::App,
            KeyKindName::Owner => Self::Owner,
            KeyKindName::Connect => Self::Connect,
            KeyKindName::Code => Self::Code,
            KeyKindName::Refresh => Self::Refresh,
            KeyKindName::Session => Self::Session,
            KeyKindName::Access => Self::Access,
            KeyKindName::Portal => Self::Portal,
        }
    }
}

impl From<GrantKind> for KeyKindName {
    fn from(kind: GrantKind) -> Self {
        match kind {
            GrantKind::App => Self::App,
            GrantKind::Owner => Self::Owner,
            GrantKind::Connect => Self::Connect,
            GrantKind::Code => Self::Code,
            GrantKind::Refresh => Self::Refresh,
            GrantKind::Session => Self::Session,
            GrantKind::Access => Self::Access,
            GrantKind::Portal => Self::Portal,
            // What operators act by is never stored, and so never shown here.
            GrantKind::Operator => Self::Owner,
        }
    }
}

/// What a key may do in its app.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ScopeName {
    /// Everything.
    Admin,
    /// Publish changes.
    Publish,
    /// Read everything but secrets.
    Read,
    /// Write hooks; resend and replay.
    Hooks,
    /// Write end users and accounts.
    Accounts,
    /// Read and write calendars and their events.
    Calendars,
    /// Read and write the application's own records.
    Records,
}

impl From<ScopeName> for Scope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::Admin => Self::Admin,
            ScopeName::Publish => Self::Publish,
            ScopeName::Read => Self::Read,
            ScopeName::Hooks => Self::Hooks,
            ScopeName::Accounts => Self::Accounts,
            ScopeName::Calendars => Self::Calendars,
            ScopeName::Records => Self::Records,
        }
    }
}

/// A key to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "billing", "scopes": ["publish", "read"]}))]
pub(crate) struct KeyInput {
    /// `app` or `owner`.
    #[serde(default)]
    kind: KeyKindName,
    /// What people call it.
    name: String,
    /// What it may do; at least one for a key of an app, none for an owner key.
    #[serde(default)]
    scopes: Vec<ScopeName>,
    /// When it stops working by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A key, without its token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "key_01k4qzv6s8t2m9r3n5b0", "kind": "app", "user": null, "name": "billing",
    "scopes": ["publish", "read"], "hint": "k3Xz", "created_at": "2026-03-12T09:01:12.000Z",
    "expires_at": null, "last_used_at": null, "revoked_at": null}))]
pub(crate) struct KeyAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: GrantId,
    /// What it opens.
    kind: KeyKindName,
    /// Its end user.
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
    /// What people call it.
    name: String,
    /// What it may do in its app.
    #[schema(value_type = Vec<String>)]
    scopes: Vec<&'static str>,
    /// The last four digits of its token.
    hint: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it stops working by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
}

impl From<Key> for KeyAnswer {
    fn from(key: Key) -> Self {
        Self {
            id: key.id,
            kind: key.kind.into(),
            user: key.user,
            name: key.name,
            scopes: key.scopes.into_iter().map(Scope::as_str).collect(),
            hint: key.hint,
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}

/// A new key with its token, which is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"token": "tdk_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s",
    "key": {"id": "key_01k4qzv6s8t2m9r3n5b0", "kind": "app", "user": null, "name": "billing",
        "scopes": ["publish", "read"], "hint": "7R8s", "created_at": "2026-03-12T09:01:12.000Z",
        "expires_at": null, "last_used_at": null, "revoked_at": null}}))]
pub(crate) struct CreatedKeyAnswer {
    /// The secret that goes into `authorization: Bearer …`. It is not shown again.
    token: String,
    /// The key.
    key: KeyAnswer,
}

/// Puts a new key on the wire.
pub(crate) fn created(created: CreatedKey) -> Made<CreatedKeyAnswer> {
    let location = format!("/api/v1/keys/{}", created.key.id);
    let token = created.token.reveal().to_owned();
    Made::created(location, CreatedKeyAnswer { token, key: created.key.into() })
}

/// Which keys are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct KeyQuery {
    /// `owner` lists the keys of the installation, else all keys of the app.
    #[param(inline)]
    kind: KeyKindName,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

/// Creates a key; its token is in the answer and nowhere else. Needs the scope `admin`.
#[utoipa::path(post, path = "/keys", tag = "keys", request_body = KeyInput,
    responses((status = 201, description = "created", body = CreatedKeyAnswer)))]
async fn create_key(
    State(api): State<Api>,
    By(caller): By,
    Json(input): Json<KeyInput>,
) -> Answer<Made<CreatedKeyAnswer>> {
    let new = NewKey {
        kind: input.kind.into(),
        name: input.name,
        scopes: input.scopes.into_iter().map(Scope::from).collect(),
        expires_at: input.expires_at,
    };
    Ok(created(api.service.create_key(&caller, new).await?))
}

/// Keys, oldest first. Needs the scope `admin`.
#[utoipa::path(get, path = "/keys", tag = "keys", params(KeyQuery),
    responses((status = 200, description = "a page", body = PageAnswer<KeyAnswer>)))]
async fn list_keys(
    State(api): State<Api>,
    By(caller): By,
    Query(query): Query<KeyQuery>,
) -> Answer<Out<PageAnswer<KeyAnswer>>> {
    let input = PageInput { cursor: query.cursor, limit: query.limit };
    Ok(page(api.service.keys(&caller, query.kind.into(), &input).await?))
}

/// One key. Needs the scope `admin`.
#[utoipa::path(get, path = "/keys/{key_id}", tag = "keys", params(("key_id" = String, Path)),
    responses((status = 200, description = "the key", body = KeyAnswer)))]
async fn get_key(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<GrantId>,
) -> Answer<Out<KeyAnswer>> {
    Ok(Out(api.service.key(&caller, id).await?.into()))
}

/// Revokes a key: the next request with it is refused. Needs the scope `admin`.
#[utoipa::path(delete, path = "/keys/{key_id}", tag = "keys", params(("key_id" = String, Path)),
    responses((status = 204, description = "revoked")))]
async fn revoke_key(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<GrantId>,
) -> Answer<StatusCode> {
    api.service.revoke_key(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
