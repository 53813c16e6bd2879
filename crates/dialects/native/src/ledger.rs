//! `/hooks/{hook_id}/ledger`: what became of every change at a hook.

use axum::Json as Out;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AttemptId, ChangeId, DeliveryId, HookId};
use tidings_service::{
    Error, LedgerAttempt, LedgerCounts, LedgerExport, LedgerLine, LedgerQuery, LedgerState,
    LedgerSummary, PageInput,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::{Answer, PageAnswer, page};
use crate::caller::By;
use crate::path::PathId;
use crate::query::Query;

const NDJSON: &str = "application/x-ndjson";

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_ledger))
        .routes(routes!(count_ledger))
        .routes(routes!(export_ledger))
}

/// What became of a change at a hook.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LedgerStateName {
    /// Answered with a 2xx.
    Delivered,
    /// The hook has not come to it yet.
    Pending,
    /// Waits for its retry.
    Parked,
    /// The hook did not select it when it was recorded.
    Filtered,
    /// Given up; can be resent or replayed.
    Exhausted,
    /// Jumped: when the hook went on without its backlog, or because it was no longer kept.
    Skipped,
    /// Not sent because the hook is disabled; enabling it goes on from there.
    Disabled,
}

impl From<LedgerState> for LedgerStateName {
    fn from(state: LedgerState) -> Self {
        match state {
            LedgerState::Delivered => Self::Delivered,
            LedgerState::Pending => Self::Pending,
            LedgerState::Parked => Self::Parked,
            LedgerState::Filtered => Self::Filtered,
            LedgerState::Exhausted => Self::Exhausted,
            LedgerState::Skipped => Self::Skipped,
            LedgerState::Disabled => Self::Disabled,
        }
    }
}

impl From<LedgerStateName> for LedgerState {
    fn from(name: LedgerStateName) -> Self {
        match name {
            LedgerStateName::Delivered => Self::Delivered,
            LedgerStateName::Pending => Self::Pending,
            LedgerStateName::Parked => Self::Parked,
            LedgerStateName::Filtered => Self::Filtered,
            LedgerStateName::Exhausted => Self::Exhausted,
            LedgerStateName::Skipped => Self::Skipped,
            LedgerStateName::Disabled => Self::Disabled,
        }
    }
}

/// The attempt that delivered a change.
#[derive(Debug, Serialize, ToSchema)]
struct LedgerAttemptAnswer {
    /// Its id.
    #[schema(value_type = String)]
    id: AttemptId,
    /// 1, 2, 3 … of its delivery.
    n: u32,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<LedgerAttempt> for LedgerAttemptAnswer {
    fn from(attempt: LedgerAttempt) -> Self {
        Self { id: attempt.id, n: attempt.n, at: attempt.started_at }
    }
}

/// What became of one change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"seq": 42, "change": "chg_01k4qzv6s8t2m9r3n5b0", "type": "invoice.paid",
    "recorded_at": "2026-03-12T09:01:12.000Z", "state": "parked",
    "delivery": "dlv_000000g00000002n0002", "attempt": null,
    "next_attempt_at": "2026-03-12T09:01:47.000Z", "reason": "receiver answered 503"}))]
struct LedgerLineAnswer {
    /// Its number in the journal.
    seq: u64,
    /// Its id.
    #[schema(value_type = String)]
    change: ChangeId,
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Timestamp,
    /// What became of it.
    state: LedgerStateName,
    /// The delivery that it is part of, when something is kept of one.
    #[schema(value_type = Option<String>)]
    delivery: Option<DeliveryId>,
    /// The attempt that delivered it; `null` once attempts of that age are no longer kept.
    attempt: Option<LedgerAttemptAnswer>,
    /// When it is tried again.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    /// Why it is in this state, in plain words.
    reason: Option<String>,
}

impl From<LedgerLine> for LedgerLineAnswer {
    fn from(line: LedgerLine) -> Self {
        Self {
            seq: line.seq,
            change: line.change,
            kind: line.kind,
            recorded_at: line.recorded_at,
            state: line.state.into(),
            delivery: line.delivery,
            attempt: line.attempt.map(LedgerAttemptAnswer::from),
            next_attempt_at: line.next_attempt_at,
            reason: line.reason,
        }
    }
}

/// Changes by what became of them.
#[derive(Debug, Serialize, ToSchema)]
struct LedgerCountsAnswer {
    delivered: u64,
    pending: u64,
    parked: u64,
    filtered: u64,
    exhausted: u64,
    skipped: u64,
    disabled: u64,
}

impl From<LedgerCounts> for LedgerCountsAnswer {
    fn from(counts: LedgerCounts) -> Self {
        Self {
            delivered: counts.of(LedgerState::Delivered),
            pending: counts.of(LedgerState::Pending),
            parked: counts.of(LedgerState::Parked),
            filtered: counts.of(LedgerState::Filtered),
            exhausted: counts.of(LedgerState::Exhausted),
            skipped: counts.of(LedgerState::Skipped),
            disabled: counts.of(LedgerState::Disabled),
        }
    }
}

/// How many changes of a range are in each state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"from": 1, "to": 42, "total": 42, "counts": {"delivered": 30, "pending": 2,
    "parked": 1, "filtered": 8, "exhausted": 1, "skipped": 0, "disabled": 0}}))]
struct LedgerSummaryAnswer {
    /// The first change.
    from: u64,
    /// The last change; below `from` when there is none.
    to: u64,
    /// Changes from the first to the last: what the counts add up to.
    total: u64,
    /// The changes by state.
    counts: LedgerCountsAnswer,
}

impl From<LedgerSummary> for LedgerSummaryAnswer {
    fn from(summary: LedgerSummary) -> Self {
        let LedgerSummary { from, to, counts } = summary;
        Self { from, to, total: counts.total(), counts: counts.into() }
    }
}

/// Which part of a ledger is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct LedgerPageQuery {
    /// `seq` of the first change; the first that is kept when absent.
    from: Option<u64>,
    /// `seq` of the last change; the journal's present end when absent.
    to: Option<u64>,
    /// Only changes in this state. A page may then be short, or empty, and still lead on.
    #[param(inline)]
    state: Option<LedgerStateName>,
    /// `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
    /// Most items on the page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

/// A range of changes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct LedgerCountQuery {
    /// `seq` of the first change; 1 when absent, whether that is still kept or not.
    from: Option<u64>,
    /// `seq` of the last change; the journal's present end when absent.
    to: Option<u64>,
}

/// A range of changes to export.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct LedgerExportQuery {
    /// `seq` of the first change; the first that is kept when absent.
    from: Option<u64>,
    /// `seq` of the last change; the journal's present end when absent.
    to: Option<u64>,
    /// Only changes in this state; the counts at the end are of all.
    #[param(inline)]
    state: Option<LedgerStateName>,
}

/// What became of every change at a hook, in order of `seq`: judged by what the hook selected when the
/// change was recorded. Needs the scope `read` or `hooks`.
#[utoipa::path(get, path = "/hooks/{hook_id}/ledger", tag = "ledger",
    params(("hook_id" = String, Path), LedgerPageQuery),
    responses((status = 200, description = "a page", body = PageAnswer<LedgerLineAnswer>)))]
async fn list_ledger(
    State(api): State<Api>,
    By(caller): By,
    PathId(hook): PathId<HookId>,
    Query(query): Query<LedgerPageQuery>,
) -> Answer<Out<PageAnswer<LedgerLineAnswer>>> {
    let LedgerPageQuery { from, to, state, cursor, limit } = query;
    let wanted = LedgerQuery { from, to, state: state.map(LedgerState::from) };
    Ok(page(api.service.ledger(&caller, hook, wanted, &PageInput { cursor, limit }).await?))
}

/// Counts the changes of a range by what became of them. The counts always add up to the changes of the
/// range, also to those that are no longer kept. Needs the scope `read` or `hooks`.
#[utoipa::path(get, path = "/hooks/{hook_id}/ledger/summary", tag = "ledger",
    params(("hook_id" = String, Path), LedgerCountQuery),
    responses((status = 200, description = "the counts", body = LedgerSummaryAnswer)))]
async fn count_ledger(
    State(api): State<Api>,
    By(caller): By,
    PathId(hook): PathId<HookId>,
    Query(query): Query<LedgerCountQuery>,
) -> Answer<Out<LedgerSummaryAnswer>> {
    let wanted = LedgerQuery { from: query.from, to: query.to, state: None };
    Ok(Out(api.service.ledger_summary(&caller, hook, wanted).await?.into()))
}

/// The ledger as newline-delimited JSON: a line for each change, as in the pages, and a last line with `from`,
/// `to`, `total` and `counts`. An export without that last line is not complete. Needs the scope `read` or
/// `hooks`.
#[utoipa::path(get, path = "/hooks/{hook_id}/ledger/export", tag = "ledger",
    params(("hook_id" = String, Path), LedgerExportQuery),
    responses((status = 200, description = "the lines", content_type = "application/x-ndjson", body = String,
        example = "{\"seq\":1,\"state\":\"delivered\"}\n{\"from\":1,\"to\":1,\"total\":1,\"counts\":{\"delivered\":1}}\n")))]
async fn export_ledger(
    State(api): State<Api>,
    By(caller): By,
    PathId(hook): PathId<HookId>,
    Query(query): Query<LedgerExportQuery>,
) -> Answer<Response> {
    let LedgerExportQuery { from, to, state } = query;
    let wanted = LedgerQuery { from, to, state: state.map(LedgerState::from) };
    let export = api.service.export_ledger(&caller, hook, wanted).await?;
    Ok(([(CONTENT_TYPE, NDJSON)], Body::from_stream(lines(export))).into_response())
}

/// The lines of an export, a page at a time; an error cuts it off.
fn lines(export: LedgerExport) -> impl Stream<Item = Result<Bytes, Error>> {
    stream::unfold(Some(export), |export| async {
        let mut export = export?;
        match export.next().await {
            Ok(Some(page)) => {
                let lines = page.into_iter().map(LedgerLineAnswer::from);
                Some((Ok(lines.flat_map(|line| as_line(&line)).collect()), Some(export)))
            }
            Ok(None) => {
                let counts = LedgerSummaryAnswer::from(export.summary());
                Some((Ok(as_line(&counts).into()), None))
            }
            Err(error) => Some((Err(error), None)),
        }
    })
}

fn as_line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("an answer has only plain fields");
    line.push(b'\n');
    line
}
