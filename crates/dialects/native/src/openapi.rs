//! The OpenAPI 3.1 document: collected from the handlers, completed here with what they share.

use axum::extract::State;
use axum::response::IntoResponse;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use crate::{Api, problem};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Tidings native API",
        description = "Watch calendars and publish changes; receive every change as a signed webhook.",
    ),
    components(schemas(problem::Document)),
    security(("key" = [])),
)]
struct Outline;

/// What the document holds before any route is added.
pub(crate) fn outline() -> OpenApi {
    <Outline as utoipa::OpenApi>::openapi()
}

/// The OpenAPI 3.1 document of this API.
#[utoipa::path(get, path = "/openapi.json", tag = "openapi", security(()),
    responses((status = 200, description = "this document", body = Value, example = json!({"openapi": "3.1.0"}))))]
pub(crate) async fn document(State(api): State<Api>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], api.openapi)
}

/// Prints the document with what all operations share: errors, examples, the app header, the webhook.
pub(crate) fn print(collected: &OpenApi) -> Bytes {
    let mut document = serde_json::to_value(collected).expect("the document has only plain fields");
    let components = &mut document["components"];
    components["securitySchemes"] = json!({"key": {"type": "http", "scheme": "bearer",
        "description": "an API key, tdk_…"}});
    components["parameters"] = json!({"app": {"name": "tidings-app", "in": "header", "required": false,
        "description": "the app that an owner key acts in; not needed when there is only one",
        "schema": {"type": "string"}}});
    let schemas = components["schemas"].clone();
    components["responses"] = json!({"Problem": {"description": "refused; the body says why", "content":
        {problem::MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"},
            "example": schemas["Problem"]["example"]}}}});
    let paths = document["paths"].as_object_mut().expect("a document has paths");
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        complete(operation, &schemas);
    }
    document["webhooks"] = webhooks();
    serde_json::to_vec(&document).expect("a JSON value can be printed").into()
}

fn complete(operation: &mut Value, schemas: &Value) {
    let is_open = operation["security"] == json!([{}]);
    if !is_open {
        operation["responses"]["default"] = json!({"$ref": "#/components/responses/Problem"});
        let app = json!({"$ref": "#/components/parameters/app"});
        match operation["parameters"].as_array_mut() {
            Some(parameters) => parameters.push(app),
            None => operation["parameters"] = json!([app]),
        }
    }
    let Some(operation) = operation.as_object_mut() else { return };
    let bodies =
        operation.iter_mut().filter(|(name, _)| *name == "requestBody").map(|(_, body)| body);
    add_examples(bodies, schemas);
    let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
    add_examples(responses.into_iter().flat_map(Map::values_mut), schemas);
}

/// Gives each media type the example of its schema, and pages that of their items.
fn add_examples<'v>(bodies: impl Iterator<Item = &'v mut Value>, schemas: &Value) {
    let media_types = bodies.filter_map(|body| body.get_mut("content")?.as_object_mut());
    for media_type in media_types.flat_map(Map::values_mut) {
        let Some(example) = example(&media_type["schema"], schemas) else { continue };
        if media_type.get("example").is_none() {
            media_type["example"] = example;
        }
    }
}

fn example(schema: &Value, schemas: &Value) -> Option<Value> {
    let named = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next());
    let schema = named.map_or(schema, |name| &schemas[name]);
    if let Some(example) = schema.get("example") {
        return Some(example.clone());
    }
    let of_optional_body = schema["oneOf"].as_array().into_iter().flatten();
    if let Some(example) = of_optional_body.filter_map(|schema| example(schema, schemas)).next() {
        return Some(example);
    }
    let item = schema.pointer("/properties/data/items").and_then(|item| example(item, schemas))?;
    Some(json!({"data": [item], "next_cursor": null, "has_more": false}))
}

/// What a hook of format `native@1` receives.
fn webhooks() -> Value {
    let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(
        |name| json!({"name": name, "in": "header", "required": true, "schema": {"type": "string"}}),
    );
    json!({"change": {"post": {
        "summary": "A change, delivered at least once and signed after Standard Webhooks",
        "parameters": headers,
        "requestBody": {"required": true, "content": {"application/json": {
            "schema": {"type": "object", "required": ["id", "type", "timestamp", "seq", "data"],
                "properties": {"id": {"type": "string"}, "type": {"type": "string"},
                    "timestamp": {"type": "string", "format": "date-time"},
                    "seq": {"type": "integer"}, "data": {}}},
            "example": {"id": "chg_01k4qzv6s8t2m9r3n5b0", "type": "invoice.paid",
                "timestamp": "2026-03-12T09:01:12.000Z", "seq": 42, "data": {"invoice": "in_1"}}}}},
        "responses": {"2XX": {"description": "received; anything else is tried again"}},
    }}})
}
