//! `/changes`: publish, and pull by cursor.

use axum::Json as Out;
use axum::extract::State;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_core::change::Origin;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, ChangeId};
use tidings_service::{Change, ChangePage, Error, Field, NewPublication, Published, Receipt};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answers::{Answer, Made, PageAnswer};
use crate::body::{Json, Object};
use crate::caller::{By, single};
use crate::path::PathId;
use crate::problem::Problem;
use crate::query::Query;
use crate::{Api, cursor};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// How many of the published changes have warnings.
const VALIDATION_WARNINGS: HeaderName = HeaderName::from_static("validation-warnings");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(publish_change, pull_changes))
        .routes(routes!(publish_batch))
        .routes(routes!(get_change))
}

/// A change to publish.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "invoice.paid", "data": {"invoice": "in_1", "amount": 12.50},
    "order_key": "in_1"}))]
pub(crate) struct ChangeInput {
    /// Dotted words: `invoice.paid`.
    #[serde(rename = "type")]
    kind: String,
    /// Any JSON document; kept and forwarded byte for byte.
    #[schema(value_type = serde_json::Value)]
    data: Box<RawValue>,
    /// Its id when it comes from elsewhere; unique in the app.
    #[schema(value_type = Option<String>)]
    id: Option<ChangeId>,
    /// The account it is about.
    #[schema(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Changes with equal keys can be delivered in order.
    order_key: Option<String>,
    /// When it happened; now when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
}

impl From<ChangeInput> for NewPublication {
    fn from(input: ChangeInput) -> Self {
        let ChangeInput { kind, data, id, account, order_key, occurred_at } = input;
        let data = String::from(Box::<str>::from(data)).into();
        Self { kind, data, id, account, order_key, occurred_at }
    }
}

/// Changes to publish together: all or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"changes": [{"type": "invoice.paid", "data": {"invoice": "in_1"}},
    {"type": "invoice.sent", "data": {"invoice": "in_2"}}]}))]
pub(crate) struct BatchInput {
    /// 1 to 1000 changes; they get consecutive numbers.
    #[schema(value_type = Vec<ChangeInput>)]
    changes: Vec<Object<ChangeInput>>,
}

/// What became of a published change: it is durable, and on its way.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "chg_01k4qzv6s8t2m9r3n5b0", "seq": 42, "type": "invoice.paid",
    "recorded_at": "2026-03-12T09:01:12.000Z"}))]
pub(crate) struct ReceiptAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: ChangeId,
    /// Its number in the app's journal.
    seq: u64,
    #[serde(rename = "type")]
    kind: String,
    /// When it became durable.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Timestamp,
    /// What the catalogue of event types has against it, when the app asks to be warned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<WarningAnswer>,
}

/// What the catalogue of event types has against an accepted change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"pointer": "/data/amount", "code": "schema", "detail": "value is not a number"}))]
pub(crate) struct WarningAnswer {
    /// JSON pointer into the request.
    pointer: String,
    /// `schema` or `unknown_type`.
    code: &'static str,
    /// Plain words.
    detail: String,
}

impl From<Field> for WarningAnswer {
    fn from(Field { pointer, code, why }: Field) -> Self {
        Self { pointer, code, detail: why }
    }
}

impl From<Receipt> for ReceiptAnswer {
    fn from(receipt: Receipt) -> Self {
        let Receipt { id, seq, kind, recorded_at, warnings } = receipt;
        let warnings = warnings.into_iter().map(WarningAnswer::from).collect();
        Self { id, seq, kind, recorded_at, warnings }
    }
}

/// One receipt for each change of a batch, in order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"data": [{"id": "chg_01k4qzv6s8t2m9r3n5b0", "seq": 42,
    "type": "invoice.paid", "recorded_at": "2026-03-12T09:01:12.000Z"}]}))]
pub(crate) struct BatchAnswer {
    data: Vec<ReceiptAnswer>,
}

/// A journal entry. `id`, `type`, `timestamp`, `seq` and `data` are as in the webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "chg_01k4qzv6s8t2m9r3n5b0", "type": "invoice.paid",
    "timestamp": "2026-03-12T09:01:12.000Z", "seq": 42, "data": {"invoice": "in_1", "amount": 12.50},
    "account": null, "provider": null, "item": null, "order_key": "in_1",
    "recorded_at": "2026-03-12T09:01:12.004Z", "origin": "api"}))]
pub(crate) struct ChangeAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: ChangeId,
    #[serde(rename = "type")]
    kind: String,
    /// When it happened at its origin.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// Its number in the app's journal: 1, 2, 3 … without gaps.
    pub(crate) seq: u64,
    /// The content, byte for byte; `null` once it was erased.
    #[schema(value_type = serde_json::Value)]
    data: Option<Box<RawValue>>,
    /// The account it is about.
    #[schema(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Provider of the account.
    provider: Option<String>,
    /// The item's id at its provider.
    item: Option<String>,
    /// Changes with equal keys can be delivered in order.
    order_key: Option<String>,
    /// When it became durable.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Timestamp,
    /// `provider`, `api` or `import`.
    #[schema(value_type = String)]
    origin: Origin,
}

impl From<Change> for ChangeAnswer {
    fn from(change: Change) -> Self {
        Self {
            id: change.id,
            kind: change.kind,
            timestamp: change.occurred_at,
            seq: change.seq,
            data: change.data.and_then(|data| serde_json::from_slice(&data).ok()),
            account: change.account,
            provider: change.provider,
            item: change.item,
            order_key: change.order_key,
            recorded_at: change.recorded_at,
            origin: change.origin,
        }
    }
}

/// From where to read.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct PullQuery {
    /// `next_cursor` of the page before, or the id of a stream's event; absent for the oldest change.
    after: Option<String>,
    /// Most changes on the page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

/// Publishes a change: 202 means that it is durable. Needs the scope `publish`.
#[utoipa::path(post, path = "/changes", tag = "changes", request_body = ChangeInput,
    params(("idempotency-key" = Option<String>, Header, description = "the same key within 24 h publishes once")),
    responses((status = 202, description = "durable", body = ReceiptAnswer)))]
async fn publish_change(
    State(api): State<Api>,
    By(caller): By,
    headers: HeaderMap,
    Json(input): Json<ChangeInput>,
) -> Answer<(HeaderMap, Made<ReceiptAnswer>)> {
    let (once, trace) = (single(&headers, &IDEMPOTENCY_KEY)?, traceparent(&headers));
    let published = api.service.publish(&caller, input.into(), once, trace).await?;
    let headers = told(&published);
    let receipt = published.receipts.into_iter().next().ok_or(Error::Internal)?;
    let location = format!("/api/v1/changes/{}", receipt.id);
    Ok((headers, Made { status: StatusCode::ACCEPTED, location, body: receipt.into() }))
}

/// Publishes up to 1000 changes together: all or none. Needs the scope `publish`.
#[utoipa::path(post, path = "/changes/batch", tag = "changes", request_body = BatchInput,
    params(("idempotency-key" = Option<String>, Header, description = "the same key within 24 h publishes once")),
    responses((status = 202, description = "durable", body = BatchAnswer)))]
async fn publish_batch(
    State(api): State<Api>,
    By(caller): By,
    headers: HeaderMap,
    Json(input): Json<BatchInput>,
) -> Answer<(StatusCode, HeaderMap, Out<BatchAnswer>)> {
    let (once, trace) = (single(&headers, &IDEMPOTENCY_KEY)?, traceparent(&headers));
    let changes = input.changes.into_iter().map(|Object(change)| change.into()).collect();
    let published = api
        .service
        .publish_batch(&caller, changes, once, trace)
        .await
        .map_err(|error| Problem::from(error).under("/changes"))?;
    let headers = told(&published);
    let mut data: Vec<_> = published.receipts.into_iter().map(ReceiptAnswer::from).collect();
    for warning in data.iter_mut().flat_map(|receipt| &mut receipt.warnings) {
        warning.pointer.insert_str(0, "/changes");
    }
    Ok((StatusCode::ACCEPTED, headers, Out(BatchAnswer { data })))
}

/// Changes in order. `next_cursor` is always there: keep it and ask again later.
#[utoipa::path(get, path = "/changes", tag = "changes", params(PullQuery),
    responses((status = 200, description = "a page", body = PageAnswer<ChangeAnswer>)))]
async fn pull_changes(
    State(api): State<Api>,
    By(caller): By,
    Query(query): Query<PullQuery>,
) -> Answer<Out<PageAnswer<ChangeAnswer>>> {
    let app = caller.app_id();
    let after = query.after.as_deref().map(|after| cursor::open(app, after)).transpose()?;
    let found = api.service.changes(&caller, after.unwrap_or(0), query.limit).await;
    let found = match found {
        // Who names no cursor begins at the oldest change that is kept.
        Err(Error::Gone { oldest_seq }) if after.is_none() => {
            api.service.changes(&caller, oldest_seq.saturating_sub(1), query.limit).await?
        }
        found => found?,
    };
    let ChangePage { changes, next_after, has_more } = found;
    let data = changes.into_iter().map(ChangeAnswer::from).collect();
    Ok(Out(PageAnswer { data, next_cursor: Some(cursor::close(app, next_after)), has_more }))
}

/// One change.
#[utoipa::path(get, path = "/changes/{change_id}", tag = "changes",
    params(("change_id" = String, Path)),
    responses((status = 200, description = "the change", body = ChangeAnswer)))]
async fn get_change(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<ChangeId>,
) -> Answer<Out<ChangeAnswer>> {
    Ok(Out(api.service.change(&caller, id).await?.into()))
}

/// Tells an answer that was given before, and changes that are not as the catalogue says.
fn told(published: &Published) -> HeaderMap {
    let replayed =
        published.replayed.then(|| (IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true")));
    let warned = published.receipts.iter().filter(|receipt| !receipt.warnings.is_empty()).count();
    let warnings = (warned > 0).then(|| (VALIDATION_WARNINGS, HeaderValue::from(warned)));
    replayed.into_iter().chain(warnings).collect()
}

/// The W3C trace context of the request; one that is not well-formed is passed over, as its standard asks.
fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    let hex = text.bytes().all(|byte| byte == b'-' || matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (lengths == [2, 32, 16, 2] && hex).then_some(text)
}
