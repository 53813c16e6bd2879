//! `/record-accounts` and `/accounts/{account_id}/records`: the application's own data.

mod load;

use std::collections::BTreeMap;

use axum::Json as Out;
use axum::extract::{Request, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, UserId};
use tidings_core::limits;
use tidings_service::{
    Deleted, NewRecordAccount, PageInput, Record, RecordAccount, RecordOrder, RecordQuery,
    RefreshCounts, RefreshInput, RefreshOutcome,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::accounts::AccountUser;
use crate::answers::{Answer, Made, PageAnswer, page};
use crate::body::Json;
use crate::caller::By;
use crate::path::PathId;
use crate::problem::Problem;
use crate::query::Query;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(put_record_account, list_record_accounts))
        .routes(routes!(get_record_account, update_record_account))
        .routes(routes!(load_records, list_records))
        .routes(routes!(count_records))
}

/// A record account to create, or to describe anew.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"external_id": "credential-7", "name": "Bank of Ada",
    "user": "usr_01k4qzv6s8t2m9r3n5b0", "details": {"country": "ES"}}))]
pub(crate) struct RecordAccountInput {
    /// The id that the app itself uses for it; unique in the app.
    external_id: Option<String>,
    /// Its end user.
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
    /// What people call it.
    name: String,
    /// A JSON object of at most 16 KiB that is kept with it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    details: Option<Value>,
}

/// What to change; absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Bank of Ada", "details": {"country": "ES"}}))]
pub(crate) struct RecordAccountPatch {
    /// A new name.
    name: Option<String>,
    /// A JSON object in place of what is kept.
    #[schema(value_type = Option<Object>)]
    details: Option<Value>,
}

/// A record account: it holds the application's own data. It is deleted like any account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "acc_01k4qzv6s8t2m9r3n5b0", "external_id": "credential-7",
    "user": {"id": "usr_01k4qzv6s8t2m9r3n5b0", "external_id": "user-81"}, "name": "Bank of Ada",
    "details": {"country": "ES"}, "created_at": "2026-03-12T09:00:12.000Z",
    "updated_at": "2026-03-12T09:00:12.000Z"}))]
pub(crate) struct RecordAccountAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: AccountId,
    /// The id that the app itself uses for it.
    external_id: Option<String>,
    /// Its end user.
    user: Option<AccountUser>,
    /// What people call it.
    name: String,
    /// What is kept with it.
    #[schema(value_type = Object)]
    details: Value,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<RecordAccount> for RecordAccountAnswer {
    fn from(account: RecordAccount) -> Self {
        let external_id = account.user_external_id;
        Self {
            id: account.id,
            external_id: account.external_id,
            user: account.user.map(|id| AccountUser { id, external_id }),
            name: account.name,
            details: account.details,
            created_at: account.created_at,
            updated_at: account.updated_at,
        }
    }
}

/// Which record accounts are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct RecordAccountsQuery {
    /// Only those of this end user.
    #[param(value_type = Option<String>)]
    user: Option<UserId>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

/// Creates a record account, or describes anew the one with this external id (200). Needs the scope
/// `accounts` or `records`.
#[utoipa::path(post, path = "/record-accounts", tag = "records", request_body = RecordAccountInput,
    responses((status = 201, description = "created", body = RecordAccountAnswer),
        (status = 200, description = "it existed", body = RecordAccountAnswer)))]
async fn put_record_account(
    State(api): State<Api>,
    By(caller): By,
    Json(input): Json<RecordAccountInput>,
) -> Answer<Made<RecordAccountAnswer>> {
    let RecordAccountInput { external_id, user, name, details } = input;
    let details = details.unwrap_or_default();
    let new = NewRecordAccount { external_id, user, name, details };
    let (account, created) = api.service.put_record_account(&caller, new, |_| Vec::new()).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let location = format!("/api/v1/record-accounts/{}", account.id);
    Ok(Made { status, location, body: account.into() })
}

/// Record accounts, oldest first.
#[utoipa::path(get, path = "/record-accounts", tag = "records", params(RecordAccountsQuery),
    responses((status = 200, description = "a page", body = PageAnswer<RecordAccountAnswer>)))]
async fn list_record_accounts(
    State(api): State<Api>,
    By(caller): By,
    Query(query): Query<RecordAccountsQuery>,
) -> Answer<Out<PageAnswer<RecordAccountAnswer>>> {
    let RecordAccountsQuery { user, cursor, limit } = query;
    Ok(page(api.service.record_accounts(&caller, user, &PageInput { cursor, limit }).await?))
}

/// One record account.
#[utoipa::path(get, path = "/record-accounts/{account_id}", tag = "records",
    params(("account_id" = String, Path)),
    responses((status = 200, description = "the account", body = RecordAccountAnswer)))]
async fn get_record_account(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AccountId>,
) -> Answer<Out<RecordAccountAnswer>> {
    Ok(Out(api.service.record_account(&caller, id).await?.into()))
}

/// Renames a record account or describes it anew. Needs the scope `accounts` or `records`.
#[utoipa::path(patch, path = "/record-accounts/{account_id}", tag = "records",
    params(("account_id" = String, Path)), request_body = RecordAccountPatch,
    responses((status = 200, description = "the account", body = RecordAccountAnswer)))]
async fn update_record_account(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AccountId>,
    Json(patch): Json<RecordAccountPatch>,
) -> Answer<Out<RecordAccountAnswer>> {
    let RecordAccountPatch { name, details } = patch;
    let account = api.service.update_record_account(&caller, id, name, details, Vec::new()).await?;
    Ok(Out(account.into()))
}

/// How a bulk load is meant.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct LoadQuery {
    /// The lines are all that there is in the collections that they name: what they do not list there is
    /// deleted. A collection that no line names stays as it is, so an empty body deletes nothing.
    #[param(default = false)]
    whole: bool,
}

/// One line of a bulk load.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"collection": "transactions", "key": "t-1",
    "starts_at": "2026-03-12T09:01:12.000Z", "data": {"amount": 12.50}}))]
pub(crate) struct RecordLine {
    /// Name of its collection; made when it is not there.
    collection: String,
    /// Its key there.
    key: String,
    /// When what it tells of begins.
    #[schema(value_type = Option<String>, format = DateTime)]
    starts_at: Option<Timestamp>,
    /// A JSON object, kept byte for byte.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
}

/// What a bulk load did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "018f3c2a9b7c0a1b2c3d4e5f", "account": "acc_01k4qzv6s8t2m9r3n5b0",
    "counts": {"transactions": {"created": 2, "updated": 1, "deleted": 0, "total": 1200}},
    "started_at": "2026-03-12T09:01:12.000Z", "finished_at": "2026-03-12T09:01:14.000Z"}))]
pub(crate) struct LoadAnswer {
    /// The job's id.
    id: String,
    /// The account.
    #[schema(value_type = String)]
    account: AccountId,
    /// By collection.
    counts: BTreeMap<String, CountsAnswer>,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When its records were shown.
    #[schema(value_type = String, format = DateTime)]
    finished_at: Timestamp,
}

/// What a bulk load did to a collection.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CountsAnswer {
    /// Records that are new.
    created: u64,
    /// Records that have other content.
    updated: u64,
    /// Records that are gone.
    deleted: u64,
    /// Places in the collection, those of deleted records included.
    total: u64,
}

impl From<RefreshOutcome> for LoadAnswer {
    fn from(outcome: RefreshOutcome) -> Self {
        let counts = |RefreshCounts { created, updated, deleted, total }| CountsAnswer {
            created,
            updated,
            deleted,
            total,
        };
        Self {
            id: outcome.id,
            account: outcome.account.id,
            counts: outcome.counts.into_iter().map(|(name, of)| (name, counts(of))).collect(),
            started_at: outcome.started_at,
            finished_at: outcome.finished_at,
        }
    }
}

/// Loads records in bulk: newline-delimited JSON of any length, a record a line. They are seen all at once when
/// the last is in, and then the change `records.refreshed` tells; a wrong line, which the answer names, or a
/// connection that breaks off leaves everything as it was. Content equal to what is there is no change. One
/// load of an account runs at a time; a newer one ends it. Needs the scope `records`.
#[utoipa::path(post, path = "/accounts/{account_id}/records", tag = "records",
    params(("account_id" = String, Path), LoadQuery),
    request_body(content = RecordLine, content_type = "application/x-ndjson",
        description = "a record a line, of at most 256 KiB"),
    responses((status = 200, description = "all of it is seen", body = LoadAnswer)))]
async fn load_records(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AccountId>,
    Query(query): Query<LoadQuery>,
    request: Request,
) -> Answer<Out<LoadAnswer>> {
    api.service.check_refresh(&caller, id).await?;
    let (parts, body) = request.into_parts();
    load::check_headers(&parts.headers)?;
    let input = RefreshInput { whole: query.whole };
    let mut refresh = api.service.begin_refresh(&caller, id, input).await?;
    load::stage_all(&api.service, &caller, &mut refresh, body).await?;
    let outcome = api.service.finish_refresh(&caller, refresh, RefreshOutcome::refreshed).await?;
    Ok(Out(outcome.into()))
}

/// An order of records.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OrderName {
    /// By first appearance.
    #[default]
    Ordinal,
    /// By `starts_at`, the latest first; those without are left out.
    NewestFirst,
    /// By `starts_at`, the earliest first; those without are left out.
    OldestFirst,
    /// By `modified_at`, the earliest first.
    Modified,
}

/// Whether deleted records are wanted.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum DeletedName {
    /// No.
    #[default]
    Without,
    /// Yes, too.
    With,
    /// Only they.
    Only,
}

/// Which records are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RecordsQuery {
    /// Name of the collection.
    #[param(required = true)]
    collection: Option<String>,
    /// In which order.
    #[serde(default)]
    #[param(inline, default = "ordinal")]
    order: OrderName,
    /// Only those that begin then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only those that begin before.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Only those modified then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    modified_since: Option<Timestamp>,
    /// Whether deleted records are wanted.
    #[serde(default)]
    #[param(inline, default = "without")]
    deleted: DeletedName,
    /// How many come before the page. By ordinal the page is the ordinals above `skip` up to `skip + limit`,
    /// whatever of them is left out: `total` says where to stop.
    #[serde(default)]
    #[param(default = 0)]
    skip: u64,
    /// Most records on the page.
    #[param(minimum = 1, maximum = 5000, default = 50)]
    limit: Option<u32>,
}

/// A record.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"key": "t-1", "ordinal": 1, "version": 1,
    "starts_at": "2026-03-12T09:01:12.000Z", "created_at": "2026-03-12T09:01:12.000Z",
    "modified_at": "2026-03-12T09:01:12.000Z", "deleted_at": null, "data": {"amount": 12.50}}))]
pub(crate) struct RecordAnswer {
    /// Its key in the collection.
    key: String,
    /// Its place by first appearance: 1, 2, 3 …
    ordinal: u64,
    /// Raised by every change of it.
    version: u64,
    /// When what it tells of begins.
    #[schema(value_type = Option<String>, format = DateTime)]
    starts_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    modified_at: Timestamp,
    /// When it was deleted.
    #[schema(value_type = Option<String>, format = DateTime)]
    deleted_at: Option<Timestamp>,
    /// As it was given.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
}

impl From<Record> for RecordAnswer {
    fn from(record: Record) -> Self {
        let text = String::from_utf8(record.body.into()).unwrap_or_default();
        Self {
            key: record.key,
            ordinal: record.ordinal,
            version: record.version,
            starts_at: record.starts_at.map(Timestamp),
            created_at: record.created_at,
            modified_at: record.modified_at,
            deleted_at: record.deleted_at,
            data: RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned()),
        }
    }
}

/// Records of a collection.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"data": [{"key": "t-1", "ordinal": 1, "version": 1, "starts_at": null,
    "created_at": "2026-03-12T09:01:12.000Z", "modified_at": "2026-03-12T09:01:12.000Z",
    "deleted_at": null, "data": {"amount": 12.50}}], "total": 1200, "next_skip": 100}))]
pub(crate) struct RecordsAnswer {
    data: Vec<RecordAnswer>,
    /// The last ordinal of the collection.
    total: u64,
    /// The `skip` of the next page; null on the last one. A page ends early once its records have 8 MiB.
    next_skip: Option<u64>,
}

/// Records of a collection; none when there is no such collection. Needs the scope `read` or `records`.
#[utoipa::path(get, path = "/accounts/{account_id}/records", tag = "records",
    params(("account_id" = String, Path), RecordsQuery),
    responses((status = 200, description = "the records", body = RecordsAnswer)))]
async fn list_records(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AccountId>,
    Query(query): Query<RecordsQuery>,
) -> Answer<Out<RecordsAnswer>> {
    let mut totals = api.service.record_counts(&caller, id).await?;
    let Some(collection) = query.collection else {
        return Err(Problem::bad_request("invalid_query", "name the collection"));
    };
    let wanted = RecordQuery {
        order: match query.order {
            OrderName::Ordinal => RecordOrder::Ordinal,
            OrderName::NewestFirst => RecordOrder::NewestFirst,
            OrderName::OldestFirst => RecordOrder::OldestFirst,
            OrderName::Modified => RecordOrder::Modified,
        },
        from: query.from.map(|at| at.0),
        to: query.to.map(|at| at.0),
        modified_since: query.modified_since,
        deleted: match query.deleted {
            DeletedName::Without => Deleted::Without,
            DeletedName::With => Deleted::With,
            DeletedName::Only => Deleted::Only,
        },
        skip: query.skip,
        after: None,
        limit: query.limit.unwrap_or(limits::PAGE_DEFAULT),
    };
    let found = api.service.records(&caller, id, &collection, &wanted).await?;
    let total = totals.remove(&collection).unwrap_or_default();
    let is_last = |next: u64| wanted.order == RecordOrder::Ordinal && next >= total;
    let next_skip = wanted.next_skip(&found).filter(|next| !is_last(*next));
    let data = found.into_iter().map(RecordAnswer::from).collect();
    Ok(Out(RecordsAnswer { data, total, next_skip }))
}

/// The collections of a record account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"data": {"transactions": 1200}}))]
pub(crate) struct CollectionsAnswer {
    /// The last ordinal of each, by its name.
    data: BTreeMap<String, u64>,
}

/// The collections of a record account. Needs the scope `read` or `records`.
#[utoipa::path(get, path = "/accounts/{account_id}/collections", tag = "records",
    params(("account_id" = String, Path)),
    responses((status = 200, description = "the collections", body = CollectionsAnswer)))]
async fn count_records(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<AccountId>,
) -> Answer<Out<CollectionsAnswer>> {
    Ok(Out(CollectionsAnswer { data: api.service.record_counts(&caller, id).await? }))
}
