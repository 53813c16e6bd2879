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

fn holding(jobs: &Value) -> Holding {
    let at = Timestamp(0);
    let account = tidings_service::RecordAccount {
        id: tidings_core::id::AccountId(tidings_core::id::Bits96::new(1)),
        external_id: None,
        user: None,
        user_external_id: None,
        name: "x".into(),
        details: json!({"jobs": jobs}),
        created_at: at,
        updated_at: at,
        refreshed_at: None,
    };
    account.into()
}

#[test]
fn times_are_left_to_the_store_where_it_knows_them() {
    let holding = holding(&json!([{"id_job": "j", "id_job_uuid": "u", "at": 5_000_000}]));
    let (few, many) = (limits::SYNC_SCAN_MAX, limits::SYNC_SCAN_MAX + 1);
    let none = Narrow::default();
    let since = |ms| Narrow { since: Some(Timestamp(ms)), ..none };
    let starts = |from, before| Narrow { starts: Some((from, before)), ..none };
    for (kind, filter, held, expected) in [
        (Kind::Transaction, json!({"id_account": "a"}), many, none),
        (Kind::Transaction, json!({"dt_refresh_from": 7}), few, since(7_000)),
        (Kind::Transaction, json!({"dt_refresh_to": 7}), many, none),
        (Kind::Transaction, json!({"dt_refresh_from": u64::MAX}), few, since(i64::MAX)),
        // The body may say when, and all of them can be looked at.
        (Kind::Transaction, json!({"dt_transaction_from": 7}), few, none),
        (Kind::Transaction, json!({"dt_transaction_from": 7}), many, starts(7_000, i64::MAX)),
        (Kind::Transaction, json!({"dt_transaction_to": 7}), many, starts(i64::MIN, 8_000)),
        (
            Kind::Transaction,
            json!({"dt_transaction_to": u64::MAX}),
            many,
            starts(i64::MIN, i64::MAX),
        ),
        (Kind::Attachment, json!({"dt_transaction_from": 7}), many, none),
        (Kind::Document, json!({"dt_refresh_from": 7}), few, since(7_000)),
        (
            Kind::Document,
            json!({"id_job": "j"}),
            few,
            since(5_000_000 - limits::SYNC_CLOCK_SLACK_MS),
        ),
        (Kind::Document, json!({"id_job": "j", "dt_refresh_from": 6_000}), few, since(6_000_000)),
        (Kind::Document, json!({"id_job": "j,other"}), few, none),
    ] {
        let filters = Filters::read(kind, &params(filter.clone())).unwrap();
        assert_eq!(filters.narrow(kind, &holding, held), expected, "{kind:?} {filter} {held}");
    }
}
