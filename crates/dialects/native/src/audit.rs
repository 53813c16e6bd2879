//! `/audit`: who did what.

use axum::Json as Out;
use axum::extract::State;
use serde::Serialize;
use tidings_core::clock::Timestamp;
use tidings_service::AuditLine;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::{Answer, PageAnswer, PageQuery, page};
use crate::caller::By;
use crate::query::Query;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_audit))
}

/// A line of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"at": "2026-03-12T09:01:12.000Z", "actor": "key_01k4qzv6s8t2m9r3n5b0",
    "action": "hook.create", "object": "hook_01k4qzv6s8t2m9r3n5b0", "denied": false, "address": null, "detail": {}}))]
pub(crate) struct AuditAnswer {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who: a key's or an operator's id, or `system`.
    actor: String,
    /// What: `hook.create`, …
    action: String,
    /// To what: an id.
    object: String,
    /// Whether it was refused.
    denied: bool,
    /// Whence the request came, when that is known.
    address: Option<String>,
    /// More, without secrets.
    detail: serde_json::Value,
}

impl From<AuditLine> for AuditAnswer {
    fn from(line: AuditLine) -> Self {
        let AuditLine { at, actor, action, object, denied, address, detail } = line;
        Self { at, actor, action, object, denied, address, detail }
    }
}

/// The audit log, newest first. Needs the scope `admin`.
#[utoipa::path(get, path = "/audit", tag = "audit", params(PageQuery),
    responses((status = 200, description = "a page", body = PageAnswer<AuditAnswer>)))]
async fn list_audit(
    State(api): State<Api>,
    By(caller): By,
    Query(query): Query<PageQuery>,
) -> Answer<Out<PageAnswer<AuditAnswer>>> {
    Ok(page(api.service.audit(&caller, &query.into()).await?))
}
