//! The OpenAPI document: complete, and a source of tests.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use crate::world::{Tenant, World, request};

/// An operation of the document.
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// With the names of its ids in braces.
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) parameters: Vec<(String, String)>,
    /// The example of its request body.
    pub(crate) body: Option<Value>,
    /// The schema of its request body.
    pub(crate) schema: Value,
    success: Vec<Value>,
}

impl Operation {
    /// Names of the query parameters.
    pub(crate) fn query(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(|(_, place)| place == "query").map(|(name, _)| name.as_str())
    }
}

/// Every operation that needs a key.
pub(crate) async fn operations(world: &World) -> Vec<Operation> {
    let document = document(world).await;
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            // Open to everybody.
            if operation["security"] != json!([{}]) {
                found.push(read(&document, path, method, operation));
            }
        }
    }
    found
}

async fn document(world: &World) -> Value {
    let answer = world.send(request(Method::GET, "", "/openapi.json", None)).await;
    assert_eq!(answer.status, 200);
    answer.json()
}

fn read(document: &Value, path: &str, method: &str, operation: &Value) -> Operation {
    let body = &operation["requestBody"]["content"]["application/json"];
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let responses = operation["responses"].as_object().unwrap();
    let success = responses.iter().filter(|(status, _)| status.starts_with('2'));
    Operation {
        method: method.to_uppercase().parse().unwrap(),
        path: path.to_owned(),
        id: text(&operation["operationId"]),
        parameters: parameters.iter().map(|p| (text(&p["name"]), text(&p["in"]))).collect(),
        body: body.get("example").cloned(),
        schema: resolve(document, &body["schema"]),
        success: success.map(|(_, response)| response.clone()).collect(),
    }
}

/// The schema that a reference, or the non-null side of an optional body, names.
fn resolve(document: &Value, schema: &Value) -> Value {
    let one_of = schema["oneOf"].as_array();
    let schema =
        one_of.and_then(|any| any.iter().find(|s| s.get("$ref").is_some())).unwrap_or(schema);
    let name = schema["$ref"].as_str().map(|name| name.trim_start_matches('#'));
    name.and_then(|name| document.pointer(name)).cloned().unwrap_or_default()
}

/// One line an operation: a change here is a change of the contract.
fn summary(document: &Value) -> String {
    let mut lines = String::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses: Vec<_> =
                operation["responses"].as_object().unwrap().keys().cloned().collect();
            let read = read(document, path, method, operation);
            let query: Vec<_> = read.query().collect();
            let fields = read.schema["properties"].as_object();
            let fields: Vec<_> =
                fields.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            lines += &format!(
                "{} {path} ({}) ?{} {{{}}} -> {}\n",
                method.to_uppercase(),
                read.id,
                query.join("&"),
                fields.join(", "),
                statuses.join(" ")
            );
        }
    }
    lines
}

#[tokio::test]
async fn every_mounted_route_is_documented_and_every_documented_one_is_mounted() {
    let world = World::new().await;
    let documented: BTreeSet<String> =
        document(&world).await["paths"].as_object().unwrap().keys().cloned().collect();
    // axum lists its routes in its debug form only.
    let debug = format!("{:?}", world.router);
    let mounted: BTreeSet<String> = debug
        .split('"')
        // The fallback is listed as "/".
        .filter(|text| text.starts_with('/') && *text != "/" && !text.contains("__private"))
        .map(str::to_owned)
        .collect();
    assert!(documented.len() > 25, "{documented:?}");
    assert_eq!(mounted, documented);
    for operation in operations(&world).await {
        let target = operation.path.replace(['{', '}'], "");
        let answer = world.send(request(operation.method.clone(), "", &target, None)).await;
        assert_eq!(answer.status, 401, "{} {target}: {answer:?}", operation.method);
        let stranger = world.send(request(Method::TRACE, "", &target, None)).await;
        let allow = stranger.headers["allow"].to_str().unwrap();
        assert_eq!(stranger.status, 405);
        assert!(allow.contains(operation.method.as_str()), "{target}: {allow}");
    }
}

#[tokio::test]
async fn the_document_is_openapi_3_1_with_examples() {
    let world = World::new().await;
    let document = document(&world).await;
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["webhooks"]["change"]["post"]["requestBody"].is_object());
    let mut ids = BTreeSet::new();
    for operation in operations(&world).await {
        let id = &operation.id;
        assert!(ids.insert(id.clone()), "{id} is there twice");
        assert_eq!(operation.body.is_some(), operation.schema.is_object(), "{id}: request example");
        assert!(!operation.success.is_empty(), "{id}");
        for response in operation.success {
            let contents = response["content"].as_object().cloned().unwrap_or_default();
            for (media_type, content) in contents {
                assert!(content.get("example").is_some(), "{id}: {media_type} without example");
            }
        }
    }
    insta::assert_snapshot!("operations", summary(&document));
}

#[tokio::test]
async fn request_examples_are_accepted_where_they_name_no_ids() {
    let world = World::new().await;
    let Tenant { key, .. } = world.tenant("examples").await;
    let mut tried = 0;
    for operation in operations(&world).await {
        let Some(body) = operation.body else { continue };
        if operation.path.contains('{') || ["create_app", "create_person"].contains(&&*operation.id)
        {
            continue;
        }
        let mut body = body;
        if let Some(fields) = body.as_object_mut() {
            fields.remove("user");
        }
        let answer = world.send(request(operation.method, &key, &operation.path, Some(body))).await;
        assert!(answer.status.is_success(), "{}: {answer:?}", operation.id);
        tried += 1;
    }
    let which =
        "keys, users, accounts, connections, records, hooks, changes, batch, event types, previews";
    assert_eq!(tried, 10, "{which}");
}
