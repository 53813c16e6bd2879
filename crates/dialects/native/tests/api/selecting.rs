//! Filters and transforms of hooks: given, changed, taken away, refused, tried out.

use http::Method;
use serde_json::{Value, json};

use crate::world::{World, request};

#[tokio::test]
async fn filter_and_transform_are_kept_as_given_and_taken_away_by_null() {
    let world = World::new().await;
    let key = &world.app.key;
    let filter = json!({"path": "/data/amount", "gte": 100.50});
    let body = json!({"url": "https://example.com/h", "filter": filter, "transform": "body = 1;"});
    let hook = world.post(key, "/hooks", body).await.json()["hook"].clone();
    assert_eq!((&hook["filter"], &hook["transform"]), (&filter, &json!("body = 1;")));
    let path = format!("/api/v1/hooks/{}", hook["id"].as_str().unwrap());
    let other = json!({"not": {"path": "/type", "prefix": "test."}});
    for (patch, filter, transform) in [
        (json!({"description": "x"}), &filter, json!("body = 1;")),
        (json!({"filter": other}), &other, json!("body = 1;")),
        (json!({"transform": null}), &other, Value::Null),
        (json!({"filter": null, "transform": "body = 2;"}), &Value::Null, json!("body = 2;")),
    ] {
        let answer = world.send(request(Method::PATCH, key, &path, Some(patch.clone()))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        for hook in [answer.json(), world.get(key, &path.replace("/api/v1", "")).await.json()] {
            assert_eq!((&hook["filter"], &hook["transform"]), (filter, &transform), "{patch}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_is_named_where_it_stands() {
    let world = World::new().await;
    let key = &world.app.key;
    let hook = json!({"url": "https://example.com/h"});
    let hook = world.post(key, "/hooks", hook).await.json()["hook"]["id"].clone();
    let path = format!("/api/v1/hooks/{}", hook.as_str().unwrap());
    let many = vec![json!({"path": "/data", "eq": 1}); 200];
    for (field, value, pointer) in [
        ("filter", json!(1), "/filter"),
        ("filter", json!([]), "/filter"),
        ("filter", json!({}), "/filter"),
        ("filter", json!({"path": "/data/a"}), "/filter"),
        ("filter", json!({"path": "/data/a", "like": 1}), "/filter/like"),
        ("filter", json!({"path": "data", "eq": 1}), "/filter/path"),
        ("filter", json!({"and": [{"path": "/data", "in": [{}]}]}), "/filter/and/0/in/0"),
        ("filter", json!({"or": many}), "/filter/or/99/eq"),
        ("filter", json!({"path": "/data", "eq": "x".repeat(9_000)}), "/filter"),
        ("transform", json!(1), "/transform"),
        ("transform", json!({"a": 1}), "/transform"),
        ("transform", json!("body = ;"), "/transform"),
        ("transform", json!("body = nothing;"), "/transform"),
        ("transform", json!("eval(\"1\")"), "/transform"),
        ("transform", json!("loop {}"), "/transform"),
        ("transform", json!("x".repeat(16_385)), "/transform"),
        ("transform", json!("\u{0}"), "/transform"),
    ] {
        let create = json!({"url": "https://example.com/h", field: value});
        let created = world.post(key, "/hooks", create).await;
        let patch = request(Method::PATCH, key, &path, Some(json!({field: value})));
        for answer in [created, world.send(patch).await] {
            answer.assert_problem();
            assert!(answer.status == 422 || answer.status == 400, "{value}: {answer:?}");
            let said = answer.json()["errors"][0]["pointer"].clone();
            assert_eq!(said, pointer, "{value:.80}: {answer:?}");
        }
    }
    let answer = world
        .post(
            key,
            "/hooks",
            json!({"url": "https://example.com/h", "transform": "let a = 1;\nbody = b;"}),
        )
        .await;
    assert!(answer.json().to_string().contains("line 2, column 8"), "{answer:?}");
}

#[tokio::test]
async fn a_preview_shows_what_would_be_sent() {
    let world = World::new().await;
    let key = &world.app.key;
    let before = world.seq().await;
    let preview = async |body: Value| world.post(key, "/transform/preview", body).await;
    let sample = json!({"type": "invoice.paid", "data": {"number": 7},
        "filter": {"path": "/data/number", "gt": 7},
        "transform": "headers[\"x-n\"] = body.data.number; body = #{ text: `No. ${body.data.number}` };"});
    let answer = preview(sample).await.json();
    assert_eq!(answer["selected"], false);
    assert_eq!(answer["body"], r#"{"text":"No. 7"}"#);
    assert_eq!(answer["headers"], json!({"x-n": "7"}));
    assert_eq!(
        (&answer["content_type"], &answer["error"]),
        (&json!("application/json"), &Value::Null)
    );

    let answer = preview(json!({"type": "a.b", "data": {"n": 1}})).await.json();
    assert_eq!(answer["selected"], true);
    assert!(answer["body"].as_str().unwrap().ends_with(r#""data":{"n":1}}"#), "{answer}");

    let failing = json!({"type": "a.b", "data": 1, "transform": "\n  throw \"no\";"});
    let error = preview(failing).await.json()["error"].clone();
    assert_eq!(error, json!({"message": "throws: no", "line": 2, "column": 3}));

    for bad in [
        json!({"type": "a b", "data": 1}),
        json!({"type": "a.b", "data": 1, "format": "none@1"}),
        json!({"type": "a.b", "data": 1, "filter": {}}),
        json!({"type": "a.b", "data": 1, "transform": "("}),
        json!({"type": "a.b"}),
    ] {
        let answer = preview(bad.clone()).await;
        answer.assert_problem();
        assert!(answer.status.is_client_error(), "{bad}: {answer:?}");
    }
    assert_eq!(world.seq().await, before, "a preview leaves no trace");
}
