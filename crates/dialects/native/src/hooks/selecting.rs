//! Filters and transforms on the wire, and trying them out.

use std::collections::BTreeMap;

use axum::Json as Out;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_service::{NamedFilter, Preview, PreviewInput};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::Answer;
use crate::body::Json;
use crate::caller::By;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(preview_transform))
}

/// A document as its text.
pub(super) fn text(document: Box<RawValue>) -> String {
    Box::<str>::from(document).into()
}

/// A document that was stored as text.
pub(super) fn document(text: String) -> Option<Box<RawValue>> {
    RawValue::from_string(text).ok()
}

/// A filter with a name, which the hook's format may tell with the changes that it takes.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "paid", "filter": {"path": "/data/status", "eq": "paid"}}))]
pub(super) struct NamedBody {
    /// Its name, unique in the hook.
    #[schema(max_length = 256)]
    name: String,
    /// What it takes, written as a hook's `filter`.
    #[schema(value_type = Object)]
    filter: Box<RawValue>,
}

impl NamedBody {
    /// A named filter as it is shown.
    pub(super) fn of(named: NamedFilter) -> Option<Self> {
        Some(Self { name: named.name, filter: document(named.filter)? })
    }
}

impl From<NamedBody> for NamedFilter {
    fn from(body: NamedBody) -> Self {
        Self { name: body.name, filter: text(body.filter) }
    }
}

/// A filter and a transform to try out on a sample change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "invoice.paid", "data": {"number": 7},
    "filter": {"path": "/data/number", "gte": 5},
    "transform": "headers[\"x-number\"] = body.data.number; body = #{ text: `Invoice ${body.data.number} was paid` };"}))]
struct PreviewDocument {
    /// The sample's type.
    #[serde(rename = "type")]
    kind: String,
    /// The sample's content.
    #[schema(value_type = serde_json::Value)]
    data: Box<RawValue>,
    /// The format that renders it; `native@1` when absent.
    format: Option<String>,
    /// A filter, as for a hook.
    #[schema(value_type = Option<Object>)]
    filter: Option<Box<RawValue>>,
    /// A transform, as for a hook.
    #[schema(max_length = 16384)]
    transform: Option<String>,
}

/// What a hook would make of the sample.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"selected": true, "content_type": "application/json",
    "headers": {"x-number": "7"}, "body": "{\"text\":\"Invoice 7 was paid\"}", "error": null}))]
struct PreviewAnswer {
    /// Whether the filter takes it.
    selected: bool,
    /// The content type that would be sent.
    content_type: Option<String>,
    /// Headers of the format and of the transform; those that every delivery has are not shown.
    headers: BTreeMap<String, String>,
    /// The body that would be signed and sent.
    body: Option<String>,
    /// Why the transform failed.
    error: Option<PreviewError>,
}

/// Why a transform failed, and where.
#[derive(Debug, Serialize, ToSchema)]
struct PreviewError {
    /// What is wrong.
    message: String,
    /// Line in the transform, from 1.
    line: Option<usize>,
    /// Column in that line, from 1.
    column: Option<usize>,
}

impl From<Preview> for PreviewAnswer {
    fn from(preview: Preview) -> Self {
        let mut answer = Self {
            selected: preview.selected,
            content_type: None,
            headers: BTreeMap::new(),
            body: None,
            error: None,
        };
        match preview.made {
            Ok(made) => {
                answer.content_type = made.content_type;
                answer.headers = made.headers.into_iter().collect();
                answer.body = Some(String::from_utf8_lossy(&made.body).into_owned());
            }
            Err(error) => {
                let (message, line, column) = (error.why, error.line, error.column);
                answer.error = Some(PreviewError { message, line, column });
            }
        }
        answer
    }
}

/// Tries a filter and a transform on a sample change. Nothing is stored or sent. Needs the scope `hooks`.
#[utoipa::path(post, path = "/transform/preview", tag = "hooks", request_body = PreviewDocument,
    responses((status = 200, description = "what would be sent", body = PreviewAnswer)))]
async fn preview_transform(
    State(api): State<Api>,
    By(caller): By,
    Json(input): Json<PreviewDocument>,
) -> Answer<Out<PreviewAnswer>> {
    let input = PreviewInput {
        format: input.format,
        filter: input.filter.map(text),
        transform: input.transform,
        kind: input.kind,
        data: text(input.data),
    };
    Ok(Out(api.service.preview_transform(&caller, input).await?.into()))
}
