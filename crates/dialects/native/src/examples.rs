//! `/examples`: what each type of change looks like, and publishing one as if it had happened.

use axum::Json as Out;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_service::TypeExample;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::{Answer, Made, PageAnswer};
use crate::body::OptionalJson;
use crate::caller::By;
use crate::changes::ReceiptAnswer;
use crate::path::PathId;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_examples)).routes(routes!(publish_example))
}

/// An example of a type of change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"type": "account.deleted", "about": "an account was deleted",
    "data": {"account": {"id": "acc_01k4qzv6s8t2m9r3n5b0", "status": "deleted"}},
    "asked_by": [{"format": "native@1", "trigger": "account.deleted"}]}))]
pub(crate) struct ExampleAnswer {
    #[serde(rename = "type")]
    kind: String,
    /// What happened, in plain words.
    about: String,
    /// The content.
    #[schema(value_type = serde_json::Value)]
    data: Option<Box<RawValue>>,
    /// The documented triggers that ask for it.
    asked_by: Vec<AskedBy>,
}

/// A trigger of a format.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AskedBy {
    /// The format.
    format: String,
    /// The trigger, in its words.
    #[schema(value_type = String)]
    trigger: &'static str,
}

impl From<TypeExample> for ExampleAnswer {
    fn from(example: TypeExample) -> Self {
        let TypeExample { kind, about, data, asked_by } = example;
        let asked = |(format, trigger)| AskedBy { format, trigger };
        let data = RawValue::from_string(data).ok();
        Self { kind, about, data, asked_by: asked_by.into_iter().map(asked).collect() }
    }
}

/// What to publish.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"data": {"invoice": "in_1", "amount": 12.50}}))]
struct ExampleInput {
    /// Content instead of the example's.
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Box<RawValue>>,
}

/// An example of every type of change, that Tidings or a dialect writes or the app's catalogue has; all on one
/// page.
#[utoipa::path(get, path = "/examples", tag = "event types",
    responses((status = 200, description = "the examples", body = PageAnswer<ExampleAnswer>)))]
async fn list_examples(
    State(api): State<Api>,
    By(caller): By,
) -> Answer<Out<PageAnswer<ExampleAnswer>>> {
    let examples = api.service.examples(&caller).await?;
    let data = examples.into_iter().map(ExampleAnswer::from).collect();
    Ok(Out(PageAnswer { data, next_cursor: None, has_more: false }))
}

/// Publishes an example as if it had happened: every hook that asks for its type receives it. Needs the scope
/// `publish`; for types of hooks and deliveries `hooks` too.
#[utoipa::path(post, path = "/examples/{event_type_id}", tag = "event types",
    params(("event_type_id" = String, Path, description = "the type")),
    request_body = Option<ExampleInput>,
    responses((status = 202, description = "durable", body = ReceiptAnswer)))]
async fn publish_example(
    State(api): State<Api>,
    By(caller): By,
    PathId(kind): PathId<String>,
    OptionalJson(input): OptionalJson<ExampleInput>,
) -> Answer<Made<ReceiptAnswer>> {
    let data = input.data.map(|data| String::from(Box::<str>::from(data)).into());
    let receipt = api.service.publish_example(&caller, &kind, data).await?;
    let location = format!("/api/v1/changes/{}", receipt.id);
    Ok(Made { status: StatusCode::ACCEPTED, location, body: receipt.into() })
}
