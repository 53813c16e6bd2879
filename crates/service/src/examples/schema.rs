//! An example that follows from a JSON Schema: what it says itself, else something small of the right type.
//! It is not promised to fit: patterns, bounds and combinations are not looked at.

use serde_json::{Map, Value, json};
use tidings_core::limits::EXAMPLE_DEPTH_MAX;

/// A value that the schema asks for.
pub(super) fn example(schema: &Value) -> Value {
    of(schema, schema, EXAMPLE_DEPTH_MAX)
}

fn of(schema: &Value, whole: &Value, depth: usize) -> Value {
    let first = |name: &str| schema.get(name)?.as_array()?.first().cloned();
    let said = || schema.get("const").or_else(|| schema.get("example")).cloned();
    let chosen = (first("examples").or_else(said))
        .or_else(|| schema.get("default").cloned())
        .or_else(|| first("enum"));
    if let Some(chosen) = chosen {
        return chosen;
    }
    if depth == 0 {
        return Value::Null;
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let found = reference.strip_prefix('#').and_then(|pointer| whole.pointer(pointer));
        return found.map_or(Value::Null, |found| of(found, whole, depth - 1));
    }
    for name in ["allOf", "anyOf", "oneOf"] {
        if let Some(part) = first(name) {
            return of(&part, whole, depth - 1);
        }
    }
    match kind(schema) {
        "object" => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let made = properties.into_iter().flatten();
            let made = made.map(|(name, part)| (name.clone(), of(part, whole, depth - 1)));
            Value::Object(made.collect::<Map<_, _>>())
        }
        "array" => {
            let items = schema.get("items").map(|part| of(part, whole, depth - 1));
            Value::Array(items.into_iter().collect())
        }
        "string" => Value::from(text(schema)),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
        "boolean" => Value::Bool(true),
        _ => Value::Null,
    }
}

fn kind(schema: &Value) -> &str {
    let given = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first(),
        other => other,
    };
    let implied = if schema.get("properties").is_some() { "object" } else { "null" };
    given.and_then(Value::as_str).unwrap_or(implied)
}

fn text(schema: &Value) -> &'static str {
    match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => "2026-03-12T09:01:12Z",
        Some("date") => "2026-03-12",
        Some("email") => "ada@example.com",
        Some("uri" | "uri-reference") => "https://example.com/",
        Some("uuid") => "0190163d-8694-739b-aea5-966c26f8ad91",
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_schema_says_itself_goes_before_what_follows_from_its_types() {
        for (schema, wanted) in [
            (json!({"examples": [{"a": 1}], "type": "object"}), json!({"a": 1})),
            (json!({"const": 7}), json!(7)),
            (json!({"enum": ["paid", "open"]}), json!("paid")),
            (json!({"type": ["string", "null"]}), json!("text")),
            (json!({"type": "string", "format": "email"}), json!("ada@example.com")),
            (json!({"type": "number", "minimum": 5}), json!(5)),
            (
                json!({"properties": {"id": {"type": "string", "default": "in_1"},
                    "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}}, "ok": {"type": "boolean"}},
                    "$defs": {"line": {"type": "object", "properties": {"n": {"type": "integer"}}}}}),
                json!({"id": "in_1", "lines": [{"n": 1}], "ok": true}),
            ),
            (json!({"oneOf": [{"type": "integer"}, {"type": "string"}]}), json!(1)),
            (json!({"$ref": "https://elsewhere.example/schema"}), Value::Null),
            (json!(true), Value::Null),
            (json!({}), Value::Null),
        ] {
            assert_eq!(example(&schema), wanted, "{schema}");
        }
        let circle = json!({"type": "array", "items": {"$ref": "#"}});
        assert!(example(&circle).is_array());
    }
}
