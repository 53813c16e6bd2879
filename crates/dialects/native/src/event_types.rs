//! `/event-types`: an app's catalogue of what it publishes.

use axum::Json as Out;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_core::clock::Timestamp;
use tidings_service::{EventType, EventTypeInput};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::answers::{Answer, Made, PageAnswer, PageQuery, page};
use crate::body::Json;
use crate::caller::By;
use crate::path::PathId;
use crate::query::Query;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(create_event_type, list_event_types)).routes(routes!(
        replace_event_type,
        get_event_type,
        delete_event_type
    ))
}

/// A type to add to the catalogue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "invoice.paid", "description": "an invoice was paid",
    "schema": {"type": "object", "required": ["invoice"]}, "example": {"invoice": "in_1"}}))]
pub(crate) struct NewEventTypeBody {
    /// Its name, the `type` of its changes.
    name: String,
    /// What it means, in plain words.
    #[serde(default)]
    description: String,
    /// JSON Schema of the data: 2020-12, 2019-09 or draft 7. References lead into the schema itself, and not in
    /// a circle; `format` is not judged.
    #[schema(value_type = Option<serde_json::Value>)]
    schema: Option<Box<RawValue>>,
    /// An example of the data; the schema must accept it.
    #[schema(value_type = Option<serde_json::Value>)]
    example: Option<Box<RawValue>>,
    /// Whether it should not be used any more.
    #[serde(default)]
    deprecated: bool,
}

/// What to write of a type: what is absent is cleared.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"description": "an invoice was paid", "schema": {"type": "object",
    "required": ["invoice"]}, "example": {"invoice": "in_1"}}))]
pub(crate) struct EventTypeBody {
    /// What it means, in plain words.
    #[serde(default)]
    description: String,
    /// JSON Schema of the data: 2020-12, 2019-09 or draft 7. References lead into the schema itself, and not in
    /// a circle; `format` is not judged.
    #[schema(value_type = Option<serde_json::Value>)]
    schema: Option<Box<RawValue>>,
    /// An example of the data; the schema must accept it.
    #[schema(value_type = Option<serde_json::Value>)]
    example: Option<Box<RawValue>>,
    /// Whether it should not be used any more.
    #[serde(default)]
    deprecated: bool,
}

fn text(raw: Option<Box<RawValue>>) -> Option<String> {
    raw.map(|raw| raw.get().to_owned())
}

/// A type in the catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"name": "invoice.paid", "description": "an invoice was paid",
    "schema": {"type": "object", "required": ["invoice"]}, "example": {"invoice": "in_1"},
    "deprecated": false, "created_at": "2026-03-12T09:01:12.000Z",
    "updated_at": "2026-03-12T09:01:12.000Z"}))]
pub(crate) struct EventTypeAnswer {
    /// Its name, the `type` of its changes.
    name: String,
    /// What it means, in plain words.
    description: String,
    /// JSON Schema of the data.
    #[schema(value_type = Option<serde_json::Value>)]
    schema: Option<Box<RawValue>>,
    /// An example of the data.
    #[schema(value_type = Option<serde_json::Value>)]
    example: Option<Box<RawValue>>,
    /// Whether it should not be used any more.
    deprecated: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<EventType> for EventTypeAnswer {
    fn from(found: EventType) -> Self {
        let raw = |text: Option<String>| text.and_then(|text| RawValue::from_string(text).ok());
        Self {
            name: found.name,
            description: found.description,
            schema: raw(found.schema),
            example: raw(found.example),
            deprecated: found.deprecated,
            created_at: found.created_at,
            updated_at: found.updated_at,
        }
    }
}

/// The types of the catalogue, oldest first.
#[utoipa::path(get, path = "/event-types", tag = "event types", params(PageQuery),
    responses((status = 200, description = "a page", body = PageAnswer<EventTypeAnswer>)))]
async fn list_event_types(
    State(api): State<Api>,
    By(caller): By,
    Query(query): Query<PageQuery>,
) -> Answer<Out<PageAnswer<EventTypeAnswer>>> {
    Ok(page(api.service.event_types(&caller, &query.into()).await?))
}

/// Adds a type to the catalogue. Needs the scope `admin`.
#[utoipa::path(post, path = "/event-types", tag = "event types", request_body = NewEventTypeBody,
    responses((status = 201, description = "created", body = EventTypeAnswer)))]
async fn create_event_type(
    State(api): State<Api>,
    By(caller): By,
    Json(body): Json<NewEventTypeBody>,
) -> Answer<Made<EventTypeAnswer>> {
    let NewEventTypeBody { name, description, schema, example, deprecated } = body;
    let input =
        EventTypeInput { description, schema: text(schema), example: text(example), deprecated };
    let made = api.service.create_event_type(&caller, name, input).await?;
    Ok(Made::created(format!("/api/v1/event-types/{}", made.name), made.into()))
}

/// Writes a type of the catalogue anew. Needs the scope `admin`.
#[utoipa::path(put, path = "/event-types/{event_type_id}", tag = "event types",
    params(("event_type_id" = String, Path, description = "its name")), request_body = EventTypeBody,
    responses((status = 200, description = "the type", body = EventTypeAnswer)))]
async fn replace_event_type(
    State(api): State<Api>,
    By(caller): By,
    PathId(name): PathId<String>,
    Json(body): Json<EventTypeBody>,
) -> Answer<Out<EventTypeAnswer>> {
    let EventTypeBody { description, schema, example, deprecated } = body;
    let input =
        EventTypeInput { description, schema: text(schema), example: text(example), deprecated };
    Ok(Out(api.service.replace_event_type(&caller, name, input).await?.into()))
}

/// One type of the catalogue.
#[utoipa::path(get, path = "/event-types/{event_type_id}", tag = "event types",
    params(("event_type_id" = String, Path, description = "its name")),
    responses((status = 200, description = "the type", body = EventTypeAnswer)))]
async fn get_event_type(
    State(api): State<Api>,
    By(caller): By,
    PathId(name): PathId<String>,
) -> Answer<Out<EventTypeAnswer>> {
    Ok(Out(api.service.event_type(&caller, name).await?.into()))
}

/// Removes a type from the catalogue; its changes stay. Needs the scope `admin`.
#[utoipa::path(delete, path = "/event-types/{event_type_id}", tag = "event types",
    params(("event_type_id" = String, Path, description = "its name")),
    responses((status = 204, description = "removed")))]
async fn delete_event_type(
    State(api): State<Api>,
    By(caller): By,
    PathId(name): PathId<String>,
) -> Answer<StatusCode> {
    api.service.delete_event_type(&caller, name).await?;
    Ok(StatusCode::NO_CONTENT)
}
