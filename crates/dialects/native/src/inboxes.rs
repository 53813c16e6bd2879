//! `/inboxes`: a place to send webhooks to before one has a receiver.

use axum::Json as Out;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde::Serialize;
use tidings_core::clock::Timestamp;
use tidings_core::id::InboxId;
use tidings_service::{Inbox, InboxRequest};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::{Answer, Made, PageAnswer};
use crate::caller::By;
use crate::path::PathId;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(create_inbox, list_inboxes))
        .routes(routes!(delete_inbox))
        .routes(routes!(list_inbox_requests))
}

/// A request inbox. It lives in memory, until the server stops.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "inb_01k4qzv6s8t2m9r3n5b0", "path": "/inbox/4Jv0mC2x9QbL7sTzKd1RwE8uYf3hNaGp",
    "requests": 0, "created_at": "2026-03-12T09:01:12.000Z"}))]
struct InboxAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: InboxId,
    /// Its path on this server. Whoever knows it can send to it.
    path: String,
    /// How many requests it holds.
    requests: usize,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Inbox> for InboxAnswer {
    fn from(inbox: Inbox) -> Self {
        Self {
            id: inbox.id,
            path: format!("/inbox/{}", inbox.token),
            requests: inbox.requests,
            created_at: inbox.created_at,
        }
    }
}

/// A request that an inbox received.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"received_at": "2026-03-12T09:01:12.000Z", "method": "POST",
    "target": "/inbox/4Jv0mC2x9QbL7sTzKd1RwE8uYf3hNaGp",
    "headers": [["content-type", "application/json"], ["webhook-id", "dlv_000000g00000002n0002"]],
    "body": "{}", "body_base64": null}))]
struct InboxRequestAnswer {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// Its method.
    method: String,
    /// Path and query.
    target: String,
    /// Header names and values, in order.
    #[schema(value_type = Vec<Vec<String>>)]
    headers: Vec<(String, String)>,
    /// Its body, when that is text.
    body: Option<String>,
    /// Its body, when that is not text.
    body_base64: Option<String>,
}

impl From<InboxRequest> for InboxRequestAnswer {
    fn from(request: InboxRequest) -> Self {
        let InboxRequest { received_at, method, target, headers, body } = request;
        let (body, body_base64) = match String::from_utf8(body.to_vec()) {
            Ok(text) => (Some(text), None),
            Err(_) => (None, Some(STANDARD.encode(&body))),
        };
        Self { received_at, method, target, headers, body, body_base64 }
    }
}

/// Creates an inbox. Needs the scope `hooks`.
#[utoipa::path(post, path = "/inboxes", tag = "inboxes",
    responses((status = 201, description = "created", body = InboxAnswer)))]
async fn create_inbox(State(api): State<Api>, By(caller): By) -> Answer<Made<InboxAnswer>> {
    let inbox = api.service.create_inbox(&caller).await?;
    Ok(Made::created(format!("/api/v1/inboxes/{}/requests", inbox.id), inbox.into()))
}

/// The inboxes, oldest first, all on one page.
#[utoipa::path(get, path = "/inboxes", tag = "inboxes",
    responses((status = 200, description = "the inboxes", body = PageAnswer<InboxAnswer>)))]
async fn list_inboxes(
    State(api): State<Api>,
    By(caller): By,
) -> Answer<Out<PageAnswer<InboxAnswer>>> {
    let data = api.service.inboxes(&caller)?.into_iter().map(InboxAnswer::from).collect();
    Ok(Out(PageAnswer { data, next_cursor: None, has_more: false }))
}

/// Deletes an inbox and what it holds. Needs the scope `hooks`.
#[utoipa::path(delete, path = "/inboxes/{inbox_id}", tag = "inboxes",
    params(("inbox_id" = String, Path)), responses((status = 204, description = "deleted")))]
async fn delete_inbox(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<InboxId>,
) -> Answer<StatusCode> {
    api.service.delete_inbox(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What an inbox received, oldest first, all on one page.
#[utoipa::path(get, path = "/inboxes/{inbox_id}/requests", tag = "inboxes",
    params(("inbox_id" = String, Path)),
    responses((status = 200, description = "the requests", body = PageAnswer<InboxRequestAnswer>)))]
async fn list_inbox_requests(
    State(api): State<Api>,
    By(caller): By,
    PathId(id): PathId<InboxId>,
) -> Answer<Out<PageAnswer<InboxRequestAnswer>>> {
    let requests = api.service.inbox_requests(&caller, id)?;
    let data = requests.into_iter().map(InboxRequestAnswer::from).collect();
    Ok(Out(PageAnswer { data, next_cursor: None, has_more: false }))
}
