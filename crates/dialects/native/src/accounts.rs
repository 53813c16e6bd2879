//! `/accounts`: connected accounts.

use axum::Json as Out;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, UserId};
use tidings_service::{
    Account, AccountChanges, AccountQuery, AccountStatus, NewAccount, PageInput, Password,
};
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
    OpenApiRouter::new()
        .routes(routes!(connect_account, list_accounts))
        .routes(routes!(get_account, update_account, delete_account))
        .routes(routes!(sync_account))
}

/// An account to connect.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"provider": "caldav", "server_url": "https://dav.example.com/",
    "username": "ada", "password": "app-password", "user": "usr_01k4qzv6s8t2m9r3n5b0"}))]
pub(crate) struct AccountInput {
    /// `caldav`, or `apple` for iCloud; others are connected by `POST /connections`.
    provider: String,
    /// Address of its server; needed for `caldav`, known for `apple`.
    server_url: Option<String>,
    /// User name at its server.
    username: String,
    /// Password there; for `apple` an app-specific one. Kept encrypted, never shown.
    password: String,
    /// Its end user.
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
    /// Its id elsewhere.
    external_id: Option<String>,
    /// What people call it; the user name when absent.
    name: Option<String>,
}

/// What to change; absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"password": "new-app-password"}))]
pub(crate) struct AccountPatch {
    /// A new name.
    name: Option<String>,
    /// A new user name at its server; comes with a password.
    username: Option<String>,
    /// A new password: the account becomes active again and is synced at once.
    password: Option<String>,
}

/// An end user, by both ids.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountUser {
    /// Its id.
    #[schema(value_type = String)]
    pub(crate) id: UserId,
    /// The id that the app itself uses.
    pub(crate) external_id: Option<String>,
}

/// Whether an account is watched.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AccountStatusName {
    /// It is.
    Active,
    /// Its owner must act first.
    Inactive,
    /// It is gone; its content is erased.
    Deleted,
}

impl From<AccountStatus> for AccountStatusName {
    fn from(status: AccountStatus) -> Self {
        match status {
            AccountStatus::Active => Self::Active,
            AccountStatus::Inactive => Self::Inactive,
            AccountStatus::Deleted => Self::Deleted,
        }
    }
}

impl From<AccountStatusName> for AccountStatus {
    fn from(name: AccountStatusName) -> Self {
        match name {
            AccountStatusName::Active => Self::Active,
            AccountStatusName::Inactive => Self::Inactive,
            AccountStatusName::Deleted => Self::Deleted,
        }
    }
}

/// A connected account, without its credential.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "acc_01k4qzv6s8t2m9r3n5b0", "provider": "caldav",
    "user": {"id": "usr_01k4qzv6s8t2m9r3n5b0", "external_id": "user-81"}, "external_id": null,
    "name": "ada", "server_url": "https://dav.example.com/", "username": "ada", "status": "active",
    "status_reason": null, "baseline_done": true, "next_sync_at": "2026-03-12T09:02:12.000Z",
    "last_sync_at": "2026-03-12T09:01:12.000Z", "last_change_at": null, "failures": 0,
    "last_error": null, "watch_error": null, "created_at": "2026-03-12T09:00:12.000Z",
    "updated_at": "2026-03-12T09:00:12.000Z"}))]
pub(crate) struct AccountAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: AccountId,
    /// `google`, `microsoft`, `zoom`, `caldav`, `apple`, or `record` for a record account.
    provider: String,
    /// Its end user.
    user: Option<AccountUser>,
    /// Its id elsewhere.
    external_id: Option<String>,
    /// What people call it.
    name: String,
    /// Address of its server, as given.
    server_url: Option<String>,
    /// User name at its server.
    username: Option<String>,
    /// Whether it is watched.
    status: AccountStatusName,
    /// Why not, in plain words.
    status_reason: Option<String>,
    /// Whether the first, silent sync is done; changes are reported from then on.
    baseline_done: bool,
    /// When the next sync is due.
    #[schema(value_type = String, format = DateTime)]
    next_sync_at: Timestamp,
    /// When the last sync ended well.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_sync_at: Option<Timestamp>,
    /// When a sync last found a change.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_change_at: Option<Timestamp>,
    /// Syncs that failed since the last one that ended well.
    failures: u32,
    /// What is wrong, in plain words.
    last_error: Option<String>,
    /// Why its list of calendars is only polled, in plain words, where its provider could push about it.
    /// How each calendar is watched is told with the calendar.
    watch_error: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Account> for AccountAnswer {
    fn from(account: Account) -> Self {
        let external_id = account.user_external_id;
        Self {
            id: account.id,
            provider: account.provider,
            user: account.user_id.map(|id| AccountUser { id, external_id }),
            external_id: account.external_id,
            name: account.name,
            server_url: account.server_url,
            username: account.username,
            status: account.status.into(),
            status_reason: account.status_reason,
            baseline_done: account.baseline_done,
            next_sync_at: account.next_sync_at,
            last_sync_at: account.last_sync_at,
            last_change_at: account.last_change_at,
            failures: account.failures,
            last_error: account.last_error,
            watch_error: account.watch_error,
            created_at: account.created_at,
            updated_at: account.updated_at,
        }
    }
}

/// Which accounts are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct AccountsQuery {
    /// Only those of this end user.
    #[param(value_type = Option<String>)]
    user: Option<UserId>,
    /// Only those at this provider.
    provider: Option<String>,
    /// Only those of this status.
    #[param(inline)]
    status: Option<AccountStatusName>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

/// Connects an account. Whether server and password are good shows in its status soon afterwards, and
/// in the change `account.connected`. Needs the scope `accounts`.
#[utoipa::path(post, path = "/accounts", tag = "accounts", request_body = AccountInput,
    responses((status = 201, description = "stored; its first sync begins", body = AccountAnswer)))]
async fn connect_account(
    State(api): State<Api>,
    By(caller): By,
    Json(input): Json<AccountInput>,
) -> Answer<Made<AccountAnswer>> {
    let new = NewAccount {
        provider: input.provider,
        user: input.user,
        external_id: input.external_id,
        name: input.name,
        server_url: input.server_url,
        username: input.username,
        password: Password::new(input.password),
    };
    let account = api.service.connect_account(&caller, new).await?;
    Ok(Made::created(format!("/api/v1/accounts/{}", account.id), account.into()))
}

/// Accounts, oldest first.
#[utoipa::path(get, path = "/accounts", tag = "accounts", params(AccountsQuery),
    responses((status = 200, description = "a page", body = PageAnswer<AccountAnswer>)))]
async fn list_accounts(
    State(api): State<Api>,
    By(caller): By,
    Query(query): Query<AccountsQuery>,
) -> Answer<Out<PageAnswer<AccountAnswer>>> {
    let AccountsQuery { user, provider, status, cursor, limit } = query;
    let wanted = AccountQuery { user, provider, status: status.map(AccountStatus::from) };
    Ok(page(api.service.accounts(&caller, wanted, &PageInput { cursor, limit }).await?))
}

/// One account.
#[utoipa::path(get, path = "/accounts/{account_id}", tag = "accounts",
    params(("account_id" = String, Path)),
    responses((status = 200, description = "the account", body = AccountAnswer)))]
async fn get_account(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AccountId>,
) -> Answer<Out<AccountAnswer>> {
    Ok(Out(api.service.account(&caller, id).await?.into()))
}

/// Changes an account's name or credential. Needs the scope `accounts`.
#[utoipa::path(patch, path = "/accounts/{account_id}", tag = "accounts",
    params(("account_id" = String, Path)), request_body = AccountPatch,
    responses((status = 200, description = "the account", body = AccountAnswer)))]
async fn update_account(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AccountId>,
    Json(patch): Json<AccountPatch>,
) -> Answer<Out<AccountAnswer>> {
    let AccountPatch { name, username, password } = patch;
    let changes = AccountChanges { name, username, password: password.map(Password::new) };
    Ok(Out(api.service.update_account(&caller, id, changes).await?.into()))
}

/// Deletes an account and erases its credential and calendars. Its tokens are given back at its provider
/// first, if that answers. Needs the scope `accounts`.
#[utoipa::path(delete, path = "/accounts/{account_id}", tag = "accounts",
    params(("account_id" = String, Path)), responses((status = 204, description = "deleted")))]
async fn delete_account(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AccountId>,
) -> Answer<StatusCode> {
    api.service.delete_account(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks for a sync at once. Needs the scope `accounts`.
#[utoipa::path(post, path = "/accounts/{account_id}/sync", tag = "accounts",
    params(("account_id" = String, Path)),
    responses((status = 202, description = "due now", body = AccountAnswer)))]
async fn sync_account(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AccountId>,
) -> Answer<(StatusCode, Out<AccountAnswer>)> {
    let account = api.service.sync_account(&caller, id).await?;
    Ok((StatusCode::ACCEPTED, Out(account.into())))
}
