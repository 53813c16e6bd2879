//! Webhooks: the vendor's own expectations (ids in `docs/dialects.md`), and the documentation's.

use http::StatusCode;
use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_service::Registration;

use super::world::{ANA, NOW, World, refused, without_meta};
use crate::{Options, Pace, seconds};

const URL: &str = "https://notifications.service.com/pryv/my-pryv-username";

/// Ana's world with two apps and a shared access, and a webhook of each.
struct Hooks {
    world: World,
    app: (String, String),
    other: (String, String),
    shared: (String, String),
    of_app: String,
    of_other: String,
    of_shared: String,
}

impl Hooks {
    async fn new() -> Self {
        let world = World::new().await;
        world.stream("health", None).await;
        let app = world.access(&world.ana, "app", "first-app", &[("health", "contribute")]).await;
        let other = world.access(&world.ana, "app", "other-app", &[("health", "read")]).await;
        let shared = world.access(&app.1, "shared", "tom", &[("health", "read")]).await;
        let of_app = world.webhook(&app.1, URL).await;
        let of_other = world.webhook(&other.1, URL).await;
        let of_shared = world.webhook(&shared.1, URL).await;
        Self { world, app, other, shared, of_app, of_other, of_shared }
    }

    async fn listed(&self, token: &str) -> Vec<String> {
        let (status, body) = self.world.get("/webhooks", token).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let list = body["webhooks"].as_array().unwrap().iter();
        list.map(|hook| hook["id"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_created_webhook_has_every_documented_field() {
    let hooks = Hooks::new().await;
    let path = format!("/webhooks/{}", hooks.of_app);
    let (status, body) = hooks.world.get(&path, &hooks.app.1).await;
    assert_eq!(status, StatusCode::OK);
    let printed = json!({ "webhook": {
        "id": hooks.of_app,
        "accessId": hooks.app.0,
        "url": URL,
        "minIntervalMs": 5000,
        "maxRetries": 5,
        "currentRetries": 0,
        "state": "active",
        "runCount": 0,
        "failCount": 0,
        "lastRun": { "status": 0, "timestamp": 0 },
        "runs": [],
        "created": NOW,
        "createdBy": hooks.app.0,
        "modified": NOW,
        "modifiedBy": hooks.app.0,
    }});
    assert_eq!(without_meta(body), printed);
}

#[tokio::test]
async fn an_app_lists_its_own_webhooks_a_person_all() {
    let hooks = Hooks::new().await;
    assert_eq!(hooks.listed(&hooks.app.1).await, std::slice::from_ref(&hooks.of_app));
    assert_eq!(hooks.listed(&hooks.shared.1).await, std::slice::from_ref(&hooks.of_shared));
    let all = [hooks.of_app.clone(), hooks.of_other.clone(), hooks.of_shared.clone()];
    assert_eq!(hooks.listed(&hooks.world.ana).await, all);
}

#[tokio::test]
async fn one_webhook_is_for_its_access_and_for_the_person() {
    let hooks = Hooks::new().await;
    let Hooks { world, app, other, shared, of_app, of_shared, .. } = &hooks;
    let path = format!("/webhooks/{of_app}");
    for (token, path, status) in [
        (&app.1, &path, 200),
        (&world.ana, &path, 200),
        (&other.1, &path, 403),
        (&shared.1, &path, 403),
        (&shared.1, &format!("/webhooks/{of_shared}"), 200),
        (&app.1, &"/webhooks/c0000000000000000000000zz".to_owned(), 404),
        (&app.1, &"/webhooks/nonsense".to_owned(), 404),
    ] {
        let (answered, body) = world.get(path, token).await;
        assert_eq!(answered, status, "{path} {body}");
    }
    let (_, body) = world.get(&path, &other.1).await;
    let error = json!({
        "id": "forbidden",
        "message": "The webhook was not created by this access.",
    });
    assert_eq!(body["error"], error);
    let (_, body) = world.get("/webhooks/nonsense", &app.1).await;
    let error = json!({ "id": "unknown-resource", "message": "Unknown webhook \"nonsense\"" });
    assert_eq!(body["error"], error);
}

#[tokio::test]
async fn apps_and_shared_accesses_create_webhooks_persons_do_not() {
    let hooks = Hooks::new().await;
    let Hooks { world, app, shared, .. } = &hooks;
    for (token, url) in
        [(&app.1, "yololo"), (&shared.1, "doesntmatter"), (&app.1, "https://a.b/?x=1&y=é")]
    {
        let (status, body) = world.post("/webhooks", token, json!({ "url": url })).await;
        assert_eq!((status, &body["webhook"]["url"]), (StatusCode::CREATED, &json!(url)), "{body}");
    }
    let (status, body) = world.post("/webhooks", &world.ana, json!({ "url": URL })).await;
    let error = json!({
        "id": "forbidden",
        "message": "You cannot access webhooks.create resource using the given access",
    });
    assert_eq!((status.as_u16(), &body["error"]), (403, &error));
}

#[tokio::test]
async fn the_url_of_a_webhook_is_unique_in_its_access() {
    let hooks = Hooks::new().await;
    let (status, body) = hooks.world.post("/webhooks", &hooks.app.1, json!({ "url": URL })).await;
    let error = json!({
        "id": "item-already-exists",
        "message": format!("A webhook with url \"{URL}\" already exists"),
        "data": { "url": URL },
    });
    assert_eq!((status.as_u16(), &body["error"]), (409, &error));
    let path = format!("/webhooks/{}", hooks.of_app);
    assert_eq!(hooks.world.delete(&path, &hooks.app.1).await.0, StatusCode::OK);
    hooks.world.webhook(&hooks.app.1, URL).await;
}

#[tokio::test]
async fn of_webhooks_with_the_same_url_created_at_once_one_stays() {
    let hooks = Hooks::new().await;
    let Hooks { world, app, .. } = &hooks;
    let create = || world.post("/webhooks", &app.1, json!({ "url": "https://twice.example/" }));
    let answers: [_; 4] = tokio::join!(create(), create(), create(), create()).into();
    let mut statuses = answers.map(|(status, _)| status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
    assert_eq!(hooks.listed(&app.1).await.len(), 2);
}

#[tokio::test]
async fn the_platform_sets_the_pace_of_new_webhooks() {
    let pace = Pace { min_interval_ms: 300, max_retries: 2, runs_size: 3 };
    let options = Options { pace, ..Options::default() };
    let mut world = World::empty(options, Registration::Open).await;
    world.register(ANA).await;
    world.ana = world.login(ANA).await;
    world.stream("health", None).await;
    let app = world.access(&world.ana, "app", "first-app", &[("health", "read")]).await;
    let (status, body) = world.post("/webhooks", &app.1, json!({ "url": URL })).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    assert_eq!(body["webhook"]["minIntervalMs"], 300);
    assert_eq!(body["webhook"]["maxRetries"], 2);
    let owner = world.operator().await;
    let all = world.service.hooks_owned_by(&owner, None).await.unwrap();
    assert_eq!((&all[0].retry[..], all[0].disable.failures), (&[0, 1, 1][..], Some(3)));
    assert!(all[0].merges, "what is not the platform's stays as the format has it");
}

#[tokio::test]
async fn a_url_that_is_no_text_is_refused() {
    let hooks = Hooks::new().await;
    for body in [
        json!({ "url": 123 }),
        json!({ "url": null }),
        json!({}),
        json!({ "url": URL, "unknown": 1 }),
        json!({ "url": "" }),
        json!({ "url": "x".repeat(3_000) }),
        json!({ "webhook": { "url": URL } }),
    ] {
        let answered = hooks.world.post("/webhooks", &hooks.app.1, body).await;
        refused(&answered, 400, "invalid-parameters-format");
        assert!(answered.1["error"]["data"].is_array(), "{}", answered.1);
    }
}

#[tokio::test]
async fn a_webhook_is_stopped_and_started() {
    let hooks = Hooks::new().await;
    let Hooks { world, app, other, shared, of_app, of_shared, .. } = &hooks;
    let path = format!("/webhooks/{of_app}");
    world.clock.advance_ms(5_000);
    for (token, path, state) in [
        (&app.1, &path, "inactive"),
        (&app.1, &path, "inactive"),
        (&app.1, &path, "active"),
        (&world.ana, &path, "inactive"),
        (&world.ana, &path, "active"),
        (&shared.1, &format!("/webhooks/{of_shared}"), "inactive"),
    ] {
        let (status, body) = world.put(path, token, json!({ "state": state })).await;
        assert_eq!((status, &body["webhook"]["state"]), (StatusCode::OK, &json!(state)), "{body}");
        assert_eq!(body["webhook"]["currentRetries"], 0);
        assert_eq!(body["webhook"]["modified"], NOW + 5.0);
    }
    for (token, path, status, id) in [
        (&other.1, path.as_str(), 403, "forbidden"),
        (&app.1, "/webhooks/c0000000000000000000000zz", 404, "unknown-resource"),
    ] {
        refused(&world.put(path, token, json!({ "state": "active" })).await, status, id);
    }
    let wrong = world.put(&path, &app.1, json!({ "state": "asleep" })).await;
    refused(&wrong, 400, "invalid-parameters-format");
}

#[tokio::test]
async fn only_state_and_scopes_of_a_webhook_change() {
    let hooks = Hooks::new().await;
    let path = format!("/webhooks/{}", hooks.of_app);
    for (field, value) in [
        ("lastRun", json!({ "status": 200, "timestamp": 1 })),
        ("url", json!("https://elsewhere.example/")),
        ("runs", json!([])),
        ("currentRetries", json!(0)),
        ("minIntervalMs", json!(1)),
        ("accessId", json!("c")),
    ] {
        let (status, body) = hooks.world.put(&path, &hooks.app.1, json!({ field: value })).await;
        let message = format!(
            "Forbidden update was attempted on the following protected field(s): [{field}]."
        );
        let error = json!({ "id": "forbidden", "message": message });
        assert_eq!((status.as_u16(), &body["error"]), (403, &error));
    }
    let answered = hooks.world.put(&path, &hooks.app.1, json!({ "colour": "red" })).await;
    refused(&answered, 400, "invalid-parameters-format");
}

#[tokio::test]
async fn a_webhook_is_deleted_once() {
    let hooks = Hooks::new().await;
    let Hooks { world, app, other, shared, of_app, of_other, of_shared } = &hooks;
    let path = |id: &String| format!("/webhooks/{id}");
    refused(&world.delete(&path(of_app), &other.1).await, 403, "forbidden");
    for (token, id) in [(&app.1, of_app), (&world.ana, of_other), (&shared.1, of_shared)] {
        let (status, body) = world.delete(&path(id), token).await;
        assert_eq!(status, StatusCode::OK);
        let deletion = json!({ "id": id, "deleted": NOW });
        assert_eq!(without_meta(body), json!({ "webhookDeletion": deletion }));
        refused(&world.delete(&path(id), token).await, 404, "unknown-resource");
    }
    let unknown = world.delete("/webhooks/nonsense", &app.1).await;
    refused(&unknown, 404, "unknown-resource");
}

#[tokio::test]
async fn a_test_is_for_whoever_may_change_the_webhook() {
    let hooks = Hooks::new().await;
    let Hooks { world, app, other, of_app, .. } = &hooks;
    let test = |id: &str| format!("/webhooks/{id}/test");
    refused(&world.post(&test(of_app), &other.1, Value::Null).await, 403, "forbidden");
    let unknown = world.post(&test("nonsense"), &app.1, Value::Null).await;
    refused(&unknown, 404, "unknown-resource");
}

#[tokio::test]
async fn webhooks_are_managed_by_batch_too() {
    let hooks = Hooks::new().await;
    let Hooks { world, app, of_app, .. } = &hooks;
    let calls = json!([
        { "method": "webhooks.create", "params": { "url": "https://b.example/" } },
        { "method": "webhooks.create", "params": { "url": URL } },
        { "method": "webhooks.update", "params": { "id": of_app, "update": { "state": "inactive" } } },
        { "method": "webhooks.getOne", "params": { "id": of_app } },
        { "method": "webhooks.delete", "params": { "id": of_app } },
        { "method": "webhooks.get", "params": {} },
        { "method": "webhooks.update", "params": { "update": {} } },
    ]);
    let (status, body) = world.post("", &app.1, calls).await;
    assert_eq!(status, StatusCode::OK);
    let results = &body["results"];
    assert_eq!(results[0]["webhook"]["url"], "https://b.example/");
    assert_eq!(results[1]["error"]["id"], "item-already-exists");
    assert_eq!(results[2]["webhook"]["state"], "inactive");
    assert_eq!(results[3]["webhook"]["state"], "inactive");
    assert_eq!(results[4]["webhookDeletion"]["id"], json!(of_app));
    assert_eq!(results[5]["webhooks"].as_array().unwrap().len(), 1);
    assert_eq!(results[6]["error"]["id"], "invalid-parameters-format");
}

#[tokio::test]
async fn the_webhooks_of_a_deleted_access_and_of_its_descendants_are_deleted() {
    let hooks = Hooks::new().await;
    let path = format!("/accesses/{}", hooks.app.0);
    let (status, body) = hooks.world.delete(&path, &hooks.world.ana).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["relatedDeletions"], json!([{ "id": hooks.shared.0, "deleted": NOW }]));
    assert_eq!(hooks.listed(&hooks.world.ana).await, std::slice::from_ref(&hooks.of_other));
    refused(&hooks.world.get("/webhooks", &hooks.app.1).await, 401, "invalid-access-token");
    refused(&hooks.world.get("/webhooks", &hooks.shared.1).await, 401, "invalid-access-token");
}

#[tokio::test]
async fn a_webhook_is_served_as_the_documentation_says() {
    let hooks = Hooks::new().await;
    let owner = hooks.world.operator().await;
    let all = hooks.world.service.hooks_owned_by(&owner, None).await.unwrap();
    let hook = &all[0];
    assert_eq!(hook.retry, [0, 5, 10, 15, 20, 25]);
    assert_eq!(hook.disable.failures, Some(6));
    assert_eq!(hook.coalesce.map(|c| c.min_interval_ms), Some(5_000));
    assert!(hook.merges && !hook.breaker && !hook.jitter);
    assert_eq!(hook.triggers, crate::format::TRIGGERS);
    assert_eq!(hook.created_at, Timestamp(seconds::to_ms(NOW)));
}
