//! `/v1/webhooks/subscriptions`.

use serde_json::{Value, json};
use tidings_service::HookMatch;

use super::world::{World, text};

const URL: &str = "http://127.0.0.1:9/v3";

#[tokio::test]
async fn a_subscription_is_made_read_changed_and_deleted() {
    let world = World::new().await;
    let events = world.ask("GET", "/catalogues/webhook3_events", json!({})).await;
    assert_eq!(events, world.ask("GET", "/webhooks/catalogues/events", json!({})).await);
    let names: Vec<_> =
        events.as_array().unwrap().iter().map(|event| text(&event["name"])).collect();
    let expected = [
        "credentials.created",
        "credentials.updated",
        "credentials.refreshed",
        "documents.completed",
        "documents.success",
        "documents.fail",
    ];
    assert_eq!(names, expected);
    let id = &events[0]["id_webhook_event"];
    let request = json!({
        "id_environment": "574894bf7848066d138b4571", "description": "mine",
        "events": [id, "documents.fail"], "group_events": 1, "url": URL,
    });
    let made = world.ask("POST", "/webhooks/subscriptions", request).await;
    for (name, expected) in [
        ("id_environment", json!("574894bf7848066d138b4571")),
        ("description", json!("mine")),
        ("events", json!([id, events[5]["id_webhook_event"]])),
        ("group_events", json!(1)),
        ("url", json!(URL)),
        ("is_disabled", json!(0)),
        ("ct_failed", json!(0)),
        ("dt_created", json!("2020-01-10T00:25:24+00:00")),
        ("dt_modified", json!(null)),
    ] {
        assert_eq!(made[name], expected, "{name}");
    }
    let like = HookMatch { format: Some("sync@3".into()), ..HookMatch::default() };
    let hook = world.service.hooks_like(&world.owner, like).await.unwrap().remove(0);
    assert_eq!(hook.triggers, ["credentials.created", "documents.fail"]);
    let path = format!("/webhooks/subscriptions/{}", text(&made["id_webhook_subscription"]));
    assert_eq!(world.ask("GET", &path, json!({})).await, made);
    assert_eq!(world.ask("GET", "/webhooks/subscriptions", json!({})).await, json!([made]));
    assert_eq!(world.ask("GET", "/webhooks", json!({})).await, json!([]), "it is none of V1");
    let changed = world.ask("PUT", &path, json!({"group_events": 0, "description": "x"})).await;
    assert_eq!((&changed["group_events"], &changed["description"]), (&json!(0), &json!("x")));
    assert_eq!(world.ask("DELETE", &path, Value::Null).await, json!(true));
    assert_eq!(world.ask("GET", "/webhooks/subscriptions", json!({})).await, json!([]));
}

#[tokio::test]
async fn wrong_subscriptions_are_a_400() {
    let world = World::new().await;
    for (request, field) in [
        (json!({"events": ["documents.fail"]}), "url"),
        (json!({"url": URL}), "events"),
        (json!({"url": URL, "events": ["payments.chargeback_created"]}), "events"),
        (json!({"url": URL, "events": ["documents.fail"], "group_events": 2}), "group_events"),
    ] {
        let path = "/webhooks/subscriptions";
        let (status, answer) = world.call(&world.as_key(), "POST", path, request.clone()).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (400, &json!(field)), "{request}");
    }
}

#[tokio::test]
async fn every_documented_catalogue_is_served() {
    let world = World::new().await;
    for (name, words) in [
        ("subscription_status", vec!["active", "disabled"]),
        ("request_status", vec!["succeeded", "failed"]),
        ("event_log_status", vec!["pending", "delivered", "failed"]),
    ] {
        let path = format!("/webhooks/catalogues/{name}");
        let entries = world.ask("GET", &path, json!({})).await;
        let entries = entries.as_array().unwrap();
        let names: Vec<_> = entries.iter().map(|entry| text(&entry["name"])).collect();
        assert_eq!(names, words, "{name}");
        assert!(entries.iter().all(|entry| text(&entry["id"]).len() == 24), "{entries:?}");
        assert_eq!(world.call(&world.as_key(), "POST", &path, json!({})).await.0, 404);
    }
    let path = "/webhooks/catalogues/nothing";
    assert_eq!(world.call(&world.as_key(), "GET", path, json!({})).await.0, 404);
}
