//! `/v1/webhooks`.

use axum::body::Body;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use tidings_core::id::{Bits96, HookId};
use tidings_service::Hook;

use super::world::{NOW, World, enveloped, text};

const URL: &str = "http://127.0.0.1:9/webhook";

fn documented() -> Value {
    json!({"url": URL, "events": ["credential_create", "credential_update", "refresh"]})
}

async fn hook(world: &World, id: &Value) -> Hook {
    let id = HookId(Bits96::from_hex24(id.as_str().unwrap()).unwrap());
    world.service.hook(&world.owner, id).await.unwrap()
}

#[tokio::test]
async fn the_documented_requests_get_the_documented_answers() {
    let world = World::new().await;
    let made = world.ask("POST", "/webhooks", documented()).await;
    let expected = json!({
        "id_webhook": made["id_webhook"], "id_user": null,
        "events": ["credential_create", "credential_update", "refresh"],
        "url": URL, "delay": 0, "dt_created": NOW, "dt_modified": null,
    });
    assert_eq!(made, expected);
    assert_eq!(made["id_webhook"].as_str().unwrap().len(), 24);

    let listed = world.ask("GET", "/webhooks", json!({})).await;
    let expected = json!([{
        "id_webhook": made["id_webhook"], "id_user": null, "is_disabled": 0,
        "events": ["credential_create", "credential_update", "refresh"],
        "url": URL, "delay": 0, "ct_failed": 0,
        "dt_created": "2020-01-10T00:25:24+00:00", "dt_modified": null,
    }]);
    assert_eq!(listed, expected);

    let path = format!("/webhooks/{}", text(&made["id_webhook"]));
    assert_eq!(world.ask("DELETE", &path, Value::Null).await, json!(true));
    assert_eq!(world.ask("GET", "/webhooks", Value::Null).await, json!([]));
    assert_eq!(world.call(&world.as_key(), "DELETE", &path, Value::Null).await.0, 404);
}

#[tokio::test]
async fn the_answer_to_a_post_lacks_what_only_the_list_has() {
    let world = World::new().await;
    let made = world.ask("POST", "/webhooks", documented()).await;
    for name in ["is_disabled", "ct_failed"] {
        assert_eq!(made.get(name), None, "{name}");
    }
}

#[tokio::test]
async fn a_post_for_the_same_url_changes_the_webhook_that_is_there() {
    let world = World::new().await;
    let first = world.ask("POST", "/webhooks", documented()).await;
    world.clock.advance_ms(1_201_604_000);
    let again = json!({"url": URL, "events": ["documents_completed"], "delay": 30});
    let second = world.ask("POST", "/webhooks", again).await;
    let expected = json!({
        "id_webhook": first["id_webhook"], "id_user": null, "events": ["documents_completed"],
        "url": URL, "delay": 30, "dt_created": NOW, "dt_modified": NOW + 1_201_604,
    });
    assert_eq!(second, expected);
    let coalesce = hook(&world, &first["id_webhook"]).await.coalesce.unwrap();
    assert_eq!((coalesce.delay_ms, coalesce.batch_max), (30_000, 1));
    let listed = world.ask("GET", "/webhooks", json!({})).await;
    assert_eq!(listed[0]["dt_modified"], "2020-01-23T22:12:08+00:00");
    // What the request does not say is as in a new one.
    let third = world.ask("POST", "/webhooks", documented()).await;
    assert_eq!((&third["id_webhook"], &third["delay"]), (&first["id_webhook"], &json!(0)));
    assert_eq!(hook(&world, &first["id_webhook"]).await.coalesce, None);
}

#[tokio::test]
async fn webhooks_of_several_users_share_a_url() {
    let world = World::new().await;
    let (one, other) = (world.user("A").await, world.user("B").await);
    let mut ids = Vec::new();
    for user in [json!(null), json!(one), json!(other), json!(one)] {
        let mut request = documented();
        request["id_user"] = user.clone();
        let made = world.ask("POST", "/webhooks", request).await;
        assert_eq!(made["id_user"], user);
        ids.push(text(&made["id_webhook"]));
    }
    assert_eq!(ids[1], ids[3]);
    assert_eq!(world.hooks().await, 3);
}

#[tokio::test]
async fn a_key_that_acts_as_a_user_makes_webhooks_of_that_user() {
    let world = World::new().await;
    let (one, other) = (world.user("A").await, world.user("B").await);
    let as_one = format!("{},id_user={one}", world.as_key());
    let made = world.ask_as(&as_one, "POST", "/webhooks", documented()).await;
    assert_eq!(made["id_user"], json!(one));
    for named in [json!(other), json!(null)] {
        let mut request = documented();
        request["id_user"] = named.clone();
        let made = world.ask_as(&as_one, "POST", "/webhooks", request).await;
        assert_eq!(made["id_user"], named, "what the request says wins");
    }
    assert_eq!(world.hooks().await, 3);
}

#[tokio::test]
async fn two_posts_at_once_make_one_webhook() {
    let world = World::new().await;
    let routes = crate::routes(world.service.clone());
    let post = || {
        let request = Request::post("/v1/webhooks")
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, world.as_key())
            .body(Body::from(documented().to_string()))
            .unwrap();
        tower::ServiceExt::oneshot(routes.clone(), request)
    };
    let answers = tokio::join!(post(), post(), post());
    let mut ids = Vec::new();
    for answer in [answers.0, answers.1, answers.2] {
        ids.push(enveloped(answer.unwrap()).await.1["response"]["id_webhook"].clone());
    }
    assert_eq!((&ids[0], &ids[1]), (&ids[1], &ids[2]));
    assert_eq!(world.hooks().await, 1);
}

#[tokio::test]
async fn a_disabled_webhook_shows_it_and_a_post_enables_it() {
    let world = World::new().await;
    let made = world.ask("POST", "/webhooks", documented()).await;
    let id = hook(&world, &made["id_webhook"]).await.id;
    world.service.disable_hook(&world.owner, id).await.unwrap();
    let listed = world.ask("GET", "/webhooks", json!({})).await;
    assert_eq!(listed[0]["is_disabled"], 1);
    world.ask("POST", "/webhooks", documented()).await;
    let listed = world.ask("GET", "/webhooks", json!({})).await;
    assert_eq!(listed[0]["is_disabled"], 0);
}

#[tokio::test]
async fn webhooks_are_served_as_sync_serves_them() {
    let world = World::new().await;
    let mut request = documented();
    request["headers"] = json!({"X-custom-header": "SATTESTER"});
    request["id_environment"] = json!("574894bf7848066d138b4570");
    let made = world.ask("POST", "/webhooks", request).await;
    let hook = hook(&world, &made["id_webhook"]).await;
    assert_eq!(hook.format, "sync@1");
    assert_eq!(hook.disable.failures, Some(1_001));
    assert_eq!(hook.access.headers, ["x-custom-header"]);
}

#[tokio::test]
async fn a_put_changes_what_it_names() {
    let world = World::new().await;
    let made = world.ask("POST", "/webhooks", documented()).await;
    let path = format!("/webhooks/{}", text(&made["id_webhook"]));
    let changed = world.ask("PUT", &path, json!({"events": ["refresh"]})).await;
    assert_eq!((&changed["events"], &changed["url"]), (&json!(["refresh"]), &json!(URL)));
    let changed = world.ask("PUT", &path, json!({"url": "http://127.0.0.1:9/other"})).await;
    assert_eq!(
        (&changed["events"], &changed["url"]),
        (&json!(["refresh"]), &json!("http://127.0.0.1:9/other"))
    );
}

#[tokio::test]
async fn missing_and_wrong_parameters_are_a_400_that_names_them() {
    let world = World::new().await;
    for (request, field) in [
        (json!({}), "url"),
        (json!({"events": ["refresh"]}), "url"),
        (json!({"url": URL}), "events"),
        (json!({"url": URL, "events": []}), "events"),
        (json!({"url": URL, "events": ["nonsense"]}), "events"),
        (json!({"url": URL, "events": {"a": 1}}), "events"),
        (json!({"url": "nonsense", "events": ["refresh"]}), "url"),
        (json!({"url": "ftp://127.0.0.1/", "events": ["refresh"]}), "url"),
        (json!({"url": ["x"], "events": ["refresh"]}), "url"),
        (json!({"url": URL, "events": ["refresh"], "delay": -1}), "delay"),
        (json!({"url": URL, "events": ["refresh"], "delay": 86_401}), "delay"),
        (json!({"url": URL, "events": ["refresh"], "headers": {"a": 1}}), "headers"),
        (json!({"url": URL, "events": ["refresh"], "headers": "a: b"}), "headers"),
    ] {
        let (status, answer) =
            world.call(&world.as_key(), "POST", "/webhooks", request.clone()).await;
        assert_eq!((status, &answer["response"]), (400, &Value::Null), "{request}");
        assert_eq!(answer["errors"][0]["field"], field, "{request}: {answer}");
    }
    for user in ["nonsense", "000000000000000000000000"] {
        let mut request = documented();
        request["id_user"] = user.into();
        assert_eq!(
            world.call(&world.as_key(), "POST", "/webhooks", request).await.0,
            404,
            "{user}"
        );
    }
    assert_eq!(world.hooks().await, 0);
}
