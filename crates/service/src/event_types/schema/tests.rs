use super::*;

fn refusal(schema: &Value) -> String {
    Schema::compile(&schema.to_string()).map(|_| ()).unwrap_err().at
}

#[test]
fn a_schema_says_where_data_is_wrong_without_repeating_it() {
    let schema = serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["amount"],
        "properties": {
            "amount": {"type": "number", "minimum": 0},
            "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
            "code": {"pattern": "^[a-z]+$"},
        },
        "$defs": {"line": {"type": "object", "required": ["n"]}},
    });
    let schema = Schema::compile(&schema.to_string()).unwrap();
    for (data, expected) in [
        (r#"{"amount": 12.5, "lines": [{"n": 1}], "code": "abc"}"#, &[][..]),
        (r#"{"amount": "hush"}"#, &["/amount"]),
        (r#"{"amount": -1, "lines": [{"n": 1}, {}]}"#, &["/amount", "/lines/1"]),
        (r#"{"amount": 1, "code": "hush!"}"#, &["/code"]),
        (r#"[]"#, &[""]),
        (r#"{}"#, &[""]),
    ] {
        let faults = schema.faults(data.as_bytes());
        let places: Vec<_> = faults.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(places, expected, "{data}");
        assert!(!format!("{faults:?}").contains("hush"), "{faults:?}");
    }
}

#[test]
fn hostile_schemas_are_refused() {
    let doubling = |levels: usize| {
        let mut defs = serde_json::Map::new();
        for level in 0..levels {
            let next = serde_json::json!({"$ref": format!("#/$defs/l{}", level + 1)});
            defs.insert(format!("l{level}"), serde_json::json!({"allOf": [next, next]}));
        }
        defs.insert(format!("l{levels}"), Value::Bool(true));
        serde_json::json!({"$ref": "#/$defs/l0", "$defs": defs})
    };
    let mut deep = Value::Bool(true);
    for _ in 0..40 {
        deep = serde_json::json!({"items": {"not": deep}});
    }
    let large: Vec<u32> = (0..2_500).collect();
    for (name, schema) in [
        ("another server", serde_json::json!({"$ref": "http://169.254.169.254/schema"})),
        ("a file", serde_json::json!({"$ref": "file:///etc/passwd"})),
        ("a file beside", serde_json::json!({"properties": {"a": {"$ref": "other.json#/a"}}})),
        ("nowhere", serde_json::json!({"$ref": "#/$defs/none"})),
        ("an anchor", serde_json::json!({"$ref": "#a", "$anchor": "a"})),
        ("itself", serde_json::json!({"$ref": "#"})),
        ("a circle", serde_json::json!({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}})),
        ("a dynamic circle", serde_json::json!({"items": {"$dynamicRef": "#"}})),
        ("another base", serde_json::json!({"items": {"$id": "http://a/b", "$ref": "#/c"}})),
        ("doubling", doubling(30)),
        ("depth", deep),
        ("a large enum", serde_json::json!({"enum": large})),
        ("another language", serde_json::json!({"$schema": "http://a/b"})),
        ("a huge pattern", serde_json::json!({"pattern": "((a{99}){99}){99}"})),
        ("a long pattern", serde_json::json!({"pattern": "a".repeat(600)})),
        ("a long name", serde_json::json!({"patternProperties": {"a".repeat(600): true}})),
        ("a broken pattern", serde_json::json!({"pattern": "(("})),
        ("an unknown type", serde_json::json!({"type": "strange"})),
        ("no schema", serde_json::json!([1])),
    ] {
        let refused = std::panic::catch_unwind(|| refusal(&schema));
        assert!(refused.is_ok(), "{name} was accepted");
    }
    assert!(Schema::compile(&" ".repeat(limits::SCHEMA_BYTES_MAX + 1)).is_err());
    assert!(Schema::compile("{").is_err());
    assert_eq!(refusal(&serde_json::json!({"items": {"$ref": "file:///a"}})), "/items/$ref");
    Schema::compile(&doubling(5).to_string()).unwrap();
}

#[test]
fn a_catastrophic_pattern_is_asked_in_linear_time_and_much_work_is_not_begun() {
    let schema = Schema::compile(r#"{"pattern": "^(a+)+$"}"#).unwrap();
    let data = format!("\"{}!\"", "a".repeat(200_000));
    assert_eq!(schema.faults(data.as_bytes()).len(), 1);
    let parts: Vec<_> = (0..400).map(|n| serde_json::json!({"not": {"const": n}})).collect();
    let schema = Schema::compile(&serde_json::json!({"allOf": parts}).to_string()).unwrap();
    assert_eq!(schema.faults(b"\"x\""), []);
    assert_eq!(schema.faults(data.as_bytes()).len(), 1);
}
