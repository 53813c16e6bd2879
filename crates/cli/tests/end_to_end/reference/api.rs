//! docs/api.md: every operation of the native API.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value};

use super::is_current;
use crate::tidings::Tidings;

const OPENING: &str = "\
# API reference

Every operation of the native API, made from the OpenAPI 3.1 document that the server has at `/openapi.json`. What they have in common
(keys and scopes, errors, pages, idempotency) is in [the contract](contracts/native.md). An owner key names its app in the header
`tidings-app`; it may be left out while there is only one. Every refusal is a problem document (RFC 9457).
";

/// What a schema is, in a word or two.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(several) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let kinds: Vec<_> = several.iter().map(kind).collect();
        return kinds.join(" or ");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
        return values.join(", ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("array of {}", kind(&schema["items"])),
        Value::String(name) => name.clone(),
        Value::Array(names) => {
            let is_array = names.iter().any(|name| name == "array");
            let names = names.iter().filter_map(Value::as_str);
            let names = names.map(|name| match name {
                "array" if is_array => format!("array of {}", kind(&schema["items"])),
                name => name.to_owned(),
            });
            names.collect::<Vec<_>>().join(" or ")
        }
        _ => "any".to_owned(),
    }
}

/// A description as one cell of a table.
fn cell(text: &Value) -> String {
    let text = text.as_str().unwrap_or_default();
    text.replace('|', "\\|").replace('<', "&lt;").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn parameters(operation: &Value, page: &mut String) -> std::fmt::Result {
    let all = operation["parameters"].as_array().into_iter().flatten();
    let own: Vec<_> = all.filter(|parameter| parameter["$ref"].is_null()).collect();
    if own.is_empty() {
        return Ok(());
    }
    writeln!(page, "\n| parameter | in | |\n|---|---|---|")?;
    for parameter in own {
        let (name, place) = (parameter["name"].as_str(), parameter["in"].as_str());
        let needed = if parameter["required"] == true { "" } else { ", optional" };
        let says = cell(&parameter["description"]);
        writeln!(
            page,
            "| `{}` | {}{needed} | {says} |",
            name.unwrap_or_default(),
            place.unwrap_or_default()
        )?;
    }
    Ok(())
}

/// The first media type of a body or answer.
fn content(of: &Value) -> Option<(&String, &Value)> {
    of["content"].as_object()?.iter().next()
}

fn operation(method: &str, path: &str, operation: &Value, page: &mut String) -> std::fmt::Result {
    let method = method.to_uppercase();
    writeln!(
        page,
        "\n### {method} {path}\n\n{}",
        operation["summary"].as_str().unwrap_or_default()
    )?;
    if let Some(more) = operation["description"].as_str() {
        writeln!(page, "\n{more}")?;
    }
    parameters(operation, page)?;
    if let Some((media_type, body)) = content(&operation["requestBody"]) {
        let needed =
            if operation["requestBody"]["required"] == true { "" } else { " It may be left out." };
        writeln!(page, "\nBody (`{media_type}`): {}.{needed}", kind(&body["schema"]))?;
        if media_type == "application/json" && !body["example"].is_null() {
            writeln!(page, "\n```json\n{:#}\n```", body["example"])?;
        }
    }
    for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
        if status == "default" {
            continue;
        }
        let says = answer["description"].as_str().unwrap_or_default();
        match content(answer) {
            Some((_, body)) => writeln!(page, "\n{status}: {says}, {}", kind(&body["schema"]))?,
            None => writeln!(page, "\n{status}: {says}")?,
        }
    }
    Ok(())
}

fn object(name: &str, schema: &Value, page: &mut String) -> std::fmt::Result {
    writeln!(page, "\n### {name}")?;
    if let Some(says) = schema["description"].as_str() {
        writeln!(page, "\n{}", says.replace('<', "&lt;"))?;
    }
    let Some(properties) = schema["properties"].as_object() else {
        return writeln!(page, "\n{}", kind(schema));
    };
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
    writeln!(page, "\n| field | type | |\n|---|---|---|")?;
    for (field, schema) in properties {
        let needed = if required.iter().any(|name| *name == field) { "" } else { ", optional" };
        writeln!(
            page,
            "| `{field}` | {}{needed} | {} |",
            kind(schema),
            cell(&schema["description"])
        )?;
    }
    Ok(())
}

fn print(document: &Value) -> Result<String, std::fmt::Error> {
    let nothing = Map::new();
    let mut by_tag = BTreeMap::<&str, Vec<(&str, &str, &Value)>>::new();
    for (path, methods) in document["paths"].as_object().unwrap_or(&nothing) {
        for (method, operation) in methods.as_object().unwrap_or(&nothing) {
            let tag = operation["tags"][0].as_str().unwrap_or("others");
            by_tag.entry(tag).or_default().push((path, method, operation));
        }
    }
    let mut page = OPENING.to_owned();
    for (tag, operations) in by_tag {
        writeln!(
            page,
            "\n## {}{}",
            tag.get(..1).unwrap_or_default().to_uppercase(),
            tag.get(1..).unwrap_or_default()
        )?;
        for (path, method, its) in operations {
            operation(method, path, its, &mut page)?;
        }
    }
    writeln!(page, "\n## Objects")?;
    for (name, schema) in document["components"]["schemas"].as_object().unwrap_or(&nothing) {
        object(name, schema, &mut page)?;
    }
    Ok(page)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_page_is_current() {
    let tidings = Tidings::start().await;
    let (status, document) =
        tidings.send("GET", "/openapi.json", &tidings.server.key, &[], None).await;
    assert_eq!(status, 200);
    let page = print(&document).unwrap();
    assert!(page.matches("\n### ").count() >= 100, "{page}");
    is_current("docs/api.md", &page);
}
