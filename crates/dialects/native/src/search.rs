//! `/changes/search`: the journal from its newest change back.

use axum::Json as Out;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tidings_core::clock::Timestamp;
use tidings_core::id::AccountId;
use tidings_service::ChangeSearch;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answers::Answer;
use crate::caller::By;
use crate::changes::ChangeAnswer;
use crate::query::Query;
use crate::{Api, cursor};

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(search_changes))
}

/// What to search for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// A type or a pattern: `invoice.paid`, `event.*`, `hook.*`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The account they are about.
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Text in the data as it is written there, whatever the case of its ASCII letters.
    text: Option<String>,
    /// `next_cursor` of the answer before; absent for the newest changes.
    cursor: Option<String>,
    /// Most changes to find.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

/// What was found, newest first, and how far was looked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"data": [{"id": "chg_01k4qzv6s8t2m9r3n5b0", "type": "invoice.paid",
    "timestamp": "2026-03-12T09:01:12.000Z", "seq": 42, "data": {"invoice": "in_1"}, "account": null,
    "provider": null, "item": null, "order_key": null, "recorded_at": "2026-03-12T09:01:12.004Z",
    "origin": "api"}], "next_cursor": null, "has_more": false, "looked_at": 42, "down_to_seq": 1,
    "down_to": "2026-03-12T08:00:00.000Z"}))]
struct SearchAnswer {
    /// The changes, newest first. None does not mean that there is none: see `has_more`.
    data: Vec<ChangeAnswer>,
    /// Leads on to older changes; absent when everything that is kept was looked at.
    next_cursor: Option<String>,
    /// Whether there is more to look at.
    has_more: bool,
    /// Changes that were looked at.
    looked_at: usize,
    /// `seq` of the oldest of them.
    down_to_seq: Option<u64>,
    /// When that was recorded.
    #[schema(value_type = Option<String>, format = DateTime)]
    down_to: Option<Timestamp>,
}

/// Searches the journal from its newest change back. One search looks at up to 10,000 changes; the answer says
/// how far it came, and its cursor leads on. Needs the scope `read`.
#[utoipa::path(get, path = "/changes/search", tag = "changes", params(SearchQuery),
    responses((status = 200, description = "what was found", body = SearchAnswer)))]
async fn search_changes(
    State(api): State<Api>,
    By(caller): By,
    Query(query): Query<SearchQuery>,
) -> Answer<Out<SearchAnswer>> {
    let app = caller.app_id();
    let SearchQuery { kind, account, text, cursor: before, limit } = query;
    let before = before.as_deref().map(|cursor| cursor::open(app, cursor)).transpose()?;
    let search = ChangeSearch { kind, account, text, before, limit };
    let found = api.service.search_changes(&caller, search).await?;
    Ok(Out(SearchAnswer {
        data: found.changes.into_iter().map(ChangeAnswer::from).collect(),
        next_cursor: found.next_before.map(|before| cursor::close(app, before)),
        has_more: found.next_before.is_some(),
        looked_at: found.looked_at,
        down_to_seq: found.down_to.map(|(seq, _)| seq),
        down_to: found.down_to.map(|(_, at)| at),
    }))
}
