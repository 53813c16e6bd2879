//! `/deliveries`: what became of changes at hooks, attempt by attempt.

use axum::Json as Out;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AttemptId, ChangeId, DeliveryId, HookId};
use tidings_service::{
    Advice, Attempt, Delivery, DeliveryQuery, DeliveryStatus, PageInput, advice,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::{Answer, PageAnswer, page};
use crate::caller::By;
use crate::path::PathId;
use crate::query::Query;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_deliveries))
        .routes(routes!(get_delivery))
        .routes(routes!(list_attempts))
        .routes(routes!(resend_delivery))
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum DeliveryStatusName {
    /// Answered with a 2xx.
    Delivered,
    /// Waits for its retry.
    Parked,
    /// Given up; can be resent.
    Exhausted,
    /// Its outcome is being settled.
    Pending,
}

impl From<DeliveryStatus> for DeliveryStatusName {
    fn from(status: DeliveryStatus) -> Self {
        match status {
            DeliveryStatus::Delivered => Self::Delivered,
            DeliveryStatus::Parked => Self::Parked,
            DeliveryStatus::Exhausted => Self::Exhausted,
            DeliveryStatus::Pending => Self::Pending,
        }
    }
}

impl From<DeliveryStatusName> for DeliveryStatus {
    fn from(name: DeliveryStatusName) -> Self {
        match name {
            DeliveryStatusName::Delivered => Self::Delivered,
            DeliveryStatusName::Parked => Self::Parked,
            DeliveryStatusName::Exhausted => Self::Exhausted,
            DeliveryStatusName::Pending => Self::Pending,
        }
    }
}

/// A delivery: one request owed to one hook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "dlv_000000g00000002n0002", "hook": "hook_01k4qzv6s8t2m9r3n5b0",
    "status": "parked", "first_seq": 42, "last_seq": 42, "changes": 1, "attempts": 2,
    "next_attempt_at": "2026-03-12T09:01:47.000Z", "reason": "receiver answered 503"}))]
pub(crate) struct DeliveryAnswer {
    /// Its id, which is also the `webhook-id` of its requests.
    #[schema(value_type = String)]
    id: DeliveryId,
    /// The hook.
    #[schema(value_type = String)]
    hook: HookId,
    /// What became of it.
    status: DeliveryStatusName,
    /// `seq` of its first change.
    first_seq: u64,
    /// `seq` of its last change.
    last_seq: u64,
    /// How many changes it stands for.
    changes: u32,
    /// Attempts made.
    attempts: u32,
    /// When it is tried again.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    /// Why it waits or was given up, in plain words.
    reason: Option<String>,
}

impl From<Delivery> for DeliveryAnswer {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            hook: delivery.hook,
            status: delivery.status.into(),
            first_seq: delivery.first_seq,
            last_seq: delivery.last_seq,
            changes: delivery.changes,
            attempts: delivery.attempts,
            next_attempt_at: delivery.next_attempt_at,
            reason: delivery.reason,
        }
    }
}

/// Microseconds of each phase of an attempt; absent when it did not come to that.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Timings {
    /// Name look-up.
    dns: Option<u64>,
    /// Connecting.
    connect: Option<u64>,
    /// TLS handshake.
    tls: Option<u64>,
    /// Until the first byte of the answer.
    first_byte: Option<u64>,
    /// In all.
    total: u64,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttemptError {
    /// Its class, for programs.
    class: String,
    /// Plain words.
    detail: String,
}

/// What most likely went wrong, and what to do about it, in plain words.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdviceAnswer {
    /// What most likely happened.
    cause: String,
    /// What to do about it.
    fix: String,
}

impl From<Advice> for AdviceAnswer {
    fn from(advice: Advice) -> Self {
        Self { cause: advice.cause, fix: advice.fix }
    }
}

/// One HTTP try of a delivery.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "att_01k4qzv6s8t2m9r3n5b0", "n": 1, "delivered": false,
    "started_at": "2026-03-12T09:01:12.000Z",
    "timings_us": {"dns": 900, "connect": 12000, "tls": 21000, "first_byte": 80000, "total": 80400},
    "url": "https://example.com/webhooks", "address": "203.0.113.7:443", "status": 503,
    "error": {"class": "status", "detail": "receiver answered 503"},
    "advice": {"cause": "the proxy or CDN before the receiver did not get an answer from it in time",
        "fix": "check that the receiver runs"},
    "request_headers": [["webhook-id", "dlv_000000g00000002n0002"]],
    "response_headers": [["retry-after", "30"]], "response_body": "try later"}))]
pub(crate) struct AttemptAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: AttemptId,
    /// 1, 2, 3 … of its delivery.
    n: u32,
    /// Whether it was answered with a 2xx.
    delivered: bool,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// How long its phases took, microseconds.
    timings_us: Timings,
    /// Where it was sent.
    url: String,
    /// The address that was dialled.
    address: Option<String>,
    /// The status of the answer.
    status: Option<u16>,
    /// What went wrong.
    error: Option<AttemptError>,
    /// The likely cause of that, and how to fix it.
    advice: Option<AdviceAnswer>,
    /// Names and values of the headers that were sent.
    #[schema(value_type = Vec<Vec<String>>)]
    request_headers: Vec<(String, String)>,
    /// Names and values of the headers of the answer.
    #[schema(value_type = Vec<Vec<String>>)]
    response_headers: Vec<(String, String)>,
    /// The beginning of the answer's body, as text.
    response_body: Option<String>,
}

impl From<Attempt> for AttemptAnswer {
    fn from(attempt: Attempt) -> Self {
        Self {
            advice: advice(&attempt).map(AdviceAnswer::from),
            id: attempt.id,
            n: attempt.n,
            delivered: attempt.delivered,
            started_at: attempt.started_at,
            timings_us: Timings {
                dns: attempt.dns_us,
                connect: attempt.connect_us,
                tls: attempt.tls_us,
                first_byte: attempt.first_byte_us,
                total: attempt.total_us,
            },
            url: attempt.url,
            address: attempt.address,
            status: attempt.status,
            error: attempt.error.map(|(class, detail)| AttemptError { class, detail }),
            request_headers: attempt.request_headers,
            response_headers: attempt.response_headers,
            response_body: attempt
                .response_body
                .map(|body| String::from_utf8_lossy(&body).into_owned()),
        }
    }
}

/// Which deliveries are wanted: a hook or a change must be named.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct DeliveriesQuery {
    /// Only those of this hook.
    #[param(value_type = Option<String>)]
    hook: Option<HookId>,
    /// Only those that stand for this change alone or first.
    #[param(value_type = Option<String>)]
    change: Option<ChangeId>,
    /// Only those of this status.
    #[param(inline)]
    status: Option<DeliveryStatusName>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

/// Deliveries that were attempted or wait, of a hook (newest change first) or of a change.
#[utoipa::path(get, path = "/deliveries", tag = "deliveries", params(DeliveriesQuery),
    responses((status = 200, description = "a page", body = PageAnswer<DeliveryAnswer>)))]
async fn list_deliveries(
    State(api): State<Api>,
    By(caller): By,
    Query(query): Query<DeliveriesQuery>,
) -> Answer<Out<PageAnswer<DeliveryAnswer>>> {
    let DeliveriesQuery { hook, change, status, cursor, limit } = query;
    let wanted = DeliveryQuery { hook, change, status: status.map(DeliveryStatus::from) };
    Ok(page(api.service.deliveries(&caller, wanted, &PageInput { cursor, limit }).await?))
}

/// One delivery.
#[utoipa::path(get, path = "/deliveries/{delivery_id}", tag = "deliveries",
    params(("delivery_id" = String, Path)),
    responses((status = 200, description = "the delivery", body = DeliveryAnswer)))]
async fn get_delivery(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<DeliveryId>,
) -> Answer<Out<DeliveryAnswer>> {
    Ok(Out(api.service.delivery(&caller, id).await?.into()))
}

/// The attempts of a delivery, oldest first, all on one page.
#[utoipa::path(get, path = "/deliveries/{delivery_id}/attempts", tag = "deliveries",
    params(("delivery_id" = String, Path)),
    responses((status = 200, description = "the attempts", body = PageAnswer<AttemptAnswer>)))]
async fn list_attempts(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<DeliveryId>,
) -> Answer<Out<PageAnswer<AttemptAnswer>>> {
    let attempts = api.service.attempts(&caller, id).await?;
    let data = attempts.into_iter().map(AttemptAnswer::from).collect();
    Ok(Out(PageAnswer { data, next_cursor: None, has_more: false }))
}

/// Sends a delivery again at once, under the same id. Refused with 409 when the hook is not active, or
/// another delivery that begins with the same change waits. Needs the scope `hooks`.
#[utoipa::path(post, path = "/deliveries/{delivery_id}/resend", tag = "deliveries",
    params(("delivery_id" = String, Path)),
    responses((status = 202, description = "due now", body = DeliveryAnswer)))]
async fn resend_delivery(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<DeliveryId>,
) -> Answer<(StatusCode, Out<DeliveryAnswer>)> {
    let delivery = api.service.resend_delivery(&caller, id).await?;
    Ok((StatusCode::ACCEPTED, Out(delivery.into())))
}
