//! What filters take and refuse.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Filter, Reading};
use crate::change::{Change, NewChange, Origin, Subject};
use crate::clock::Timestamp;
use crate::id::{Bits96, ChangeId};
use crate::limits;

fn change(body: &str) -> Change {
    let new = NewChange {
        id: ChangeId(Bits96::new(1)),
        kind: "invoice.paid".into(),
        subject: Subject { item: Some("i/1".into()), ..Subject::default() },
        order_key: None,
        occurred_at: Timestamp::parse("2026-03-12T09:01:12Z").unwrap(),
        origin: Origin::Api,
        actor: None,
        traceparent: None,
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    Change { seq: 42, recorded_at: Timestamp(0), new }
}

fn holds(filter: &Value, body: &str) -> bool {
    let filter = Filter::parse(&filter.to_string()).unwrap();
    filter.holds(&Reading::new(&change(body)))
}

#[test]
fn words_hold_or_not() {
    let body = r#"{"status":"paid","amount":100.50,"big":9007199254740993,"tags":["a",{"n":null}],
        "a/b~c":true,"text":"1","status2":"\u0070aid","tags2":{"0":1}}"#;
    for (rule, expect) in [
        (json!({"path": "/data/status", "eq": "paid"}), true),
        (json!({"path": "/data/status2", "eq": "paid"}), true),
        (json!({"path": "/data/status", "eq": "PAID"}), false),
        (json!({"path": "/data/status", "in": ["open", "paid"]}), true),
        (json!({"path": "/data/status", "in": ["open", 1, null]}), false),
        (json!({"path": "/data/tags", "any_in": ["b", "a"]}), true),
        (json!({"path": "/data/tags", "any_in": ["b", null]}), false),
        (json!({"path": "/data/status", "any_in": ["paid"]}), false),
        (json!({"path": "/data/none", "any_in": ["a"]}), false),
        (json!({"path": "/data/status", "prefix": "pa"}), true),
        (json!({"path": "/data/status", "prefix": ""}), true),
        (json!({"path": "/data/status", "prefix": "paid!"}), false),
        (json!({"path": "/data/amount", "prefix": "1"}), false),
        (json!({"path": "/data/amount", "eq": 100.5}), true),
        (json!({"path": "/data/amount", "gte": 100, "lt": 101}), true),
        (json!({"path": "/data/amount", "gt": 100.5}), false),
        (json!({"path": "/data/amount", "lte": 100.5}), true),
        (json!({"path": "/data/big", "eq": 9_007_199_254_740_992_i64}), false),
        (json!({"path": "/data/big", "eq": 9_007_199_254_740_993_i64}), true),
        (json!({"path": "/data/big", "gt": 9_007_199_254_740_992_i64}), true),
        (json!({"path": "/data/text", "eq": 1}), false),
        (json!({"path": "/data/text", "gte": 0}), false),
        (json!({"path": "/data/a~1b~0c", "eq": true}), true),
        (json!({"path": "/data/tags/0", "eq": "a"}), true),
        (json!({"path": "/data/tags2/0", "eq": 1}), true),
        (json!({"path": "/data/tags/1/n", "eq": null}), true),
        (json!({"path": "/data/tags/1/n", "exists": true}), true),
        (json!({"path": "/data/tags/2", "exists": true}), false),
        (json!({"path": "/data/tags/2", "exists": false}), true),
        (json!({"path": "/data/tags", "exists": true}), true),
        (json!({"path": "/data/tags", "eq": "a"}), false),
        (json!({"path": "/data", "exists": true}), true),
        (json!({"path": "/data/none", "eq": null}), false),
        (json!({"path": "/data/none/deeper", "lt": 5}), false),
        (json!({"not": {"path": "/data/none", "eq": 1}}), true),
        (json!({"path": "/type", "prefix": "invoice."}), true),
        (json!({"path": "/seq", "gte": 42, "lte": 42.0}), true),
        (json!({"path": "/timestamp", "prefix": "2026-03-12T"}), true),
        (json!({"path": "/id", "eq": "chg_00000000000000000001"}), true),
        (json!({"path": "/origin", "eq": "api"}), true),
        (json!({"path": "/item", "eq": "i/1"}), true),
        (json!({"path": "/provider", "exists": false}), true),
        (json!({"and": [{"path": "/seq", "eq": 42}, {"path": "/seq", "eq": 43}]}), false),
        (json!({"or": [{"path": "/seq", "eq": 42}, {"path": "/seq", "eq": 43}]}), true),
        (
            json!({"and": [{"path": "/data/status", "eq": "paid"}, {"path": "/data/amount", "gte": 100},
            {"not": {"path": "/type", "prefix": "test."}}]}),
            true,
        ),
    ] {
        assert_eq!(holds(&rule, body), expect, "{rule}");
    }
}

#[test]
fn what_is_not_understood_is_refused_where_it_stands() {
    let long = format!(r#"{{"path":"/data","eq":"{}"}}"#, "x".repeat(limits::FILTER_BYTES_MAX));
    let many = vec![r#"{"path":"/data","eq":1}"#; limits::FILTER_PARTS_MAX].join(",");
    let many = format!(r#"{{"or":[{many}]}}"#);
    let rule = r#"{"path":"/data","eq":1}"#;
    let deep = |depth| format!("{}{rule}{}", r#"{"not":"#.repeat(depth), "}".repeat(depth));
    assert!(Filter::parse(&deep(limits::FILTER_DEPTH_MAX - 1)).is_ok());
    let too_deep = deep(limits::FILTER_DEPTH_MAX);
    let place = "/not".repeat(limits::FILTER_DEPTH_MAX);
    let endless = "[".repeat(limits::FILTER_BYTES_MAX);
    for (filter, pointer) in [
        ("", ""),
        ("null", ""),
        ("[]", ""),
        ("{}", ""),
        ("{\"path\":", ""),
        (endless.as_str(), ""),
        (r#"{"eq":1}"#, "/eq"),
        (r#"{"path":"/data"}"#, ""),
        (r#"{"path":"/data","like":1}"#, "/like"),
        (r#"{"path":"/data","EQ":1}"#, "/EQ"),
        (r#"{"path":"/data","eq":1,"eq":2}"#, "/eq"),
        (r#"{"path":"/data","eq":[1]}"#, "/eq"),
        (r#"{"path":"/data","eq":{}}"#, "/eq"),
        (r#"{"path":"/data","in":[]}"#, "/in"),
        (r#"{"path":"/data","in":"x"}"#, "/in"),
        (r#"{"path":"/data","in":[1,[2]]}"#, "/in/1"),
        (r#"{"path":"/data","prefix":1}"#, "/prefix"),
        (r#"{"path":"/data","exists":"yes"}"#, "/exists"),
        (r#"{"path":"/data","gt":"1"}"#, "/gt"),
        (r#"{"path":"/data","gt":1e999}"#, ""),
        (r#"{"path":"/data","and":[]}"#, "/and"),
        (r#"{"path":1,"eq":1}"#, "/path"),
        (r#"{"path":"","eq":1}"#, "/path"),
        (r#"{"path":"data","eq":1}"#, "/path"),
        (r#"{"path":"/datas","eq":1}"#, "/path"),
        (r#"{"path":"/type/x","eq":1}"#, "/path"),
        (r#"{"path":"/data/~2","eq":1}"#, "/path"),
        (r#"{"path":"/data/a~","eq":1}"#, "/path"),
        (r#"{"path":"/~","eq":1}"#, "/path"),
        (r#"{"and":{}}"#, "/and"),
        (r#"{"and":[]}"#, "/and"),
        (r#"{"and":[1]}"#, "/and/0"),
        (r#"{"and":[{"path":"/data","eq":1},{"or":[{"x/y":1}]}]}"#, "/and/1/or/0/x~1y"),
        (r#"{"and":[{"path":"/data","eq":1}],"or":[]}"#, ""),
        (r#"{"not":[]}"#, "/not"),
        (r#"{"not":{"path":"/data","eq":1}} x"#, ""),
        (long.as_str(), ""),
        (too_deep.as_str(), place.as_str()),
    ] {
        let refused = Filter::parse(filter).unwrap_err();
        assert_eq!(refused.pointer, pointer, "{filter}: {refused}");
        assert!(!refused.why.is_empty());
    }
    assert!(Filter::parse(&many).unwrap_err().why.contains("at most"));
}

#[test]
fn it_is_stored_as_the_text_that_was_given() {
    let source = r#"{ "path" : "/data/n", "eq" : 123456789012345678901234567890.10 }"#;
    let filter = Filter::parse(source).unwrap();
    let stored = serde_json::to_string(&filter).unwrap();
    let read: Filter = serde_json::from_str(&stored).unwrap();
    assert_eq!((read.source(), &read), (source, &filter));
    let body = r#"{"n":123456789012345678901234567890.1}"#;
    assert!(read.holds(&Reading::new(&change(body))));
    assert!(serde_json::from_str::<Filter>(r#""{}""#).is_err());
}

#[test]
fn hostile_bodies_are_only_not_selected() {
    let deep = "[".repeat(50_000);
    let filter = json!({"or": [{"path": "/data/0/0/a", "eq": 1}, {"path": "/data/a", "gt": -1}]});
    for body in [
        "",
        " ",
        "{",
        "nope",
        "{\"a\":}",
        r#"{"a":"\ud800"}"#,
        r#"{"a":1e}"#,
        r#"{"a":-}"#,
        deep.as_str(),
    ] {
        assert!(!holds(&filter, body), "{body:.20}");
    }
    assert!(holds(&filter, r#"{"a":"x","a":0}"#), "the last of equal keys counts");
    assert!(holds(&json!({"path": "/data", "exists": false}), ""), "erased content is not there");
}

fn rules() -> impl Strategy<Value = Value> {
    let scalars = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
    ];
    let path = prop_oneof![Just("/data/a"), Just("/data/b/0"), Just("/data"), Just("/data/b")];
    let leaf =
        (path, scalars, -3i64..3, 0..6).prop_map(|(path, scalar, number, word)| match word {
            0 => json!({"path": path, "eq": scalar}),
            1 => json!({"path": path, "in": [scalar, number]}),
            2 => json!({"path": path, "prefix": scalar.as_str().unwrap_or("a")}),
            3 => json!({"path": path, "exists": number > 0}),
            4 => json!({"path": path, "gte": number}),
            _ => json!({"path": path, "lt": number, "exists": true}),
        });
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(|rules| json!({"and": rules})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|rules| json!({"or": rules})),
            inner.prop_map(|rule| json!({"not": rule})),
        ]
    })
}

fn bodies() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
    ];
    (leaf.clone(), leaf, any::<bool>())
        .prop_map(|(a, b, list)| if list { json!({"a": a, "b": [b]}) } else { json!({"b": a}) })
}

/// The same, told as simply as possible over a document that was read whole.
fn naive(rule: &Value, change: &Value) -> bool {
    if let Some(rules) = rule["and"].as_array() {
        return rules.iter().all(|rule| naive(rule, change));
    }
    if let Some(rules) = rule["or"].as_array() {
        return rules.iter().any(|rule| naive(rule, change));
    }
    if !rule["not"].is_null() {
        return !naive(&rule["not"], change);
    }
    let found = change.pointer(rule["path"].as_str().unwrap());
    rule.as_object().unwrap().iter().all(|(word, value)| match (word.as_str(), found) {
        ("path", _) => true,
        ("exists", found) => found.is_some() == value.as_bool().unwrap(),
        (_, None) => false,
        ("eq", Some(found)) => found == value,
        ("in", Some(found)) => value.as_array().unwrap().contains(found),
        ("prefix", Some(found)) => {
            found.as_str().is_some_and(|text| text.starts_with(value.as_str().unwrap()))
        }
        ("gte", Some(found)) => found.as_i64().is_some_and(|n| n >= value.as_i64().unwrap()),
        ("lt", Some(found)) => found.as_i64().is_some_and(|n| n < value.as_i64().unwrap()),
        (word, _) => panic!("{word}"),
    })
}

proptest! {
    #[test]
    fn it_agrees_with_a_naive_reading(rule in rules(), body in bodies()) {
        prop_assert_eq!(holds(&rule, &body.to_string()), naive(&rule, &json!({"data": body})));
    }

    #[test]
    fn any_filter_and_body_are_taken_without_panic(filter in ".{0,80}", body in ".{0,80}") {
        let _refused = Filter::parse(&filter);
        let filter = json!({"path": "/data/a/0", "eq": 1});
        let _held = holds(&filter, &body);
    }
}
