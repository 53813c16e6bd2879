use serde_json::json;

use super::*;

fn params(value: Value) -> Params {
    let Value::Object(fields) = value else { panic!("not an object") };
    Params(fields)
}

fn object(value: &Value) -> Object {
    serde_json::from_str(&value.to_string()).unwrap()
}

#[test]
fn filters_hold_together_and_within_one_any_value_does() {
    let transaction = object(&json!({
        "id_transaction": "t1", "id_account": "a1", "is_disable": 1, "attachments": [{}],
        "keywords": ["iva", "3.3"], "dt_refresh": 100, "dt_transaction": 50,
    }));
    for (filter, holds) in [
        (json!({}), true),
        (json!({"id_account": "a1"}), true),
        (json!({"id_account": "a0,a1"}), true),
        (json!({"id_account": ["a0"]}), false),
        (json!({"id_transaction": "t1", "id_account": "a0"}), false),
        (json!({"is_disable": 1}), true),
        (json!({"is_disable": "0"}), false),
        (json!({"has_attachment": 1}), true),
        (json!({"has_attachment": 0}), false),
        (json!({"dt_refresh_from": 100, "dt_refresh_to": 100}), true),
        (json!({"dt_refresh_from": 101}), false),
        (json!({"dt_transaction_to": 49}), false),
        (json!({"dt_transaction_from": "50"}), true),
        (json!({"keywords": "iva,x"}), true),
        (json!({"keywords": "x"}), false),
        (json!({"skip_keywords": "iva"}), false),
        (json!({"skip_keywords": "x"}), true),
    ] {
        let filters = Filters::read(Kind::Transaction, &params(filter.clone())).unwrap();
        assert_eq!(filters.hold(&transaction), holds, "{filter}");
        assert_eq!(filters.is_empty(), filter == json!({}), "{filter}");
    }
    let bare = object(&json!({}));
    for filter in
        [json!({"dt_transaction_from": 0}), json!({"is_disable": 1}), json!({"keywords": "x"})]
    {
        let filters = Filters::read(Kind::Transaction, &params(filter.clone())).unwrap();
        assert!(!filters.hold(&bare), "{filter}");
    }
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (filter, name) in [
        (json!({"order": "-dt_transaction"}), "order"),
        (json!({"limit": 5001}), "limit"),
        (json!({"limit": "many"}), "limit"),
        (json!({"skip": -1}), "skip"),
        (json!({"fields": {}}), "fields"),
    ] {
        let refused = Window::read(&params(filter.clone())).unwrap_err();
        assert_eq!(refused.faults[0].field.as_deref(), Some(name), "{filter}");
    }
    let window = Window::read(&params(json!({}))).unwrap();
    assert_eq!((window.skip, window.limit), (0, 5000));
}

#[test]
fn a_window_cuts_the_list_and_the_fields() {
    let window = Window::read(&params(json!({"skip": 1, "limit": "2", "fields": "b"}))).unwrap();
    let items = (0..5).map(|n| json!({"a": n, "b": n}));
    assert_eq!(window.cut(items), [json!({"b": 1}), json!({"b": 2})]);
}
