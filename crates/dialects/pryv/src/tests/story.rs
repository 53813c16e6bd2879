//! The guide's example: a patient counts steps, a doctor's service is told and fetches them.

use http::{Method, StatusCode};
use serde_json::json;

use super::world::{ANA, NOW, World, refused, without_meta};

#[tokio::test]
async fn the_step_counter_story_of_the_guide() {
    let world = World::new().await;
    // An app is let in to the stream Health, which is made on the way.
    let permissions =
        json!([{ "streamId": "health", "defaultName": "Health", "level": "contribute" }]);
    let body = json!({ "name": "my-app-id", "type": "app", "permissions": permissions });
    let (status, app) = world.post("/accesses", &world.ana, body).await;
    assert_eq!(status, StatusCode::CREATED, "{app}");
    let app_id = app["access"]["id"].as_str().unwrap();
    let app = app["access"]["token"].as_str().unwrap();
    let (_, streams) = world.get("/streams", app).await;
    assert_eq!(streams["streams"][0]["name"], "Health");

    // 1. The app creates the webhook, with the user's name and a secret in the URL.
    let url = "https://notifications.service.com/pryv/my-pryv-username/my-secret?param1=value1";
    let (status, created) = world.post("/webhooks", app, json!({ "url": url })).await;
    assert_eq!(status, StatusCode::CREATED, "{created}");
    assert_eq!(created["webhook"]["url"], url);

    // 2. The doctor's service gets a token that only reads.
    let read = json!([{ "streamId": "health", "defaultName": "Health", "level": "read" }]);
    let body = json!({ "name": "doctor-tom", "permissions": read });
    let (status, doctor) = world.post("/accesses", app, body).await;
    assert_eq!((status, &doctor["access"]["type"]), (StatusCode::CREATED, &json!("shared")));
    let doctor = doctor["access"]["token"].as_str().unwrap();
    let (_, first) = world.get("/events?modifiedSince=0&includeDeletions=true", doctor).await;
    assert_eq!((&first["events"], &first["eventDeletions"]), (&json!([]), &json!([])));
    let since = first["meta"]["serverTime"].as_f64().unwrap();

    // 3. The user adds data: the documented parameters as printed.
    world.clock.advance_ms(167);
    let steps = json!({ "streamId": "health", "type": "count/steps", "content": 10000 });
    let (status, event) = world.post("/events", app, steps).await;
    assert_eq!(status, StatusCode::CREATED, "{event}");

    // 4. What happened is in the journal, for the engine to deliver: `delivery.rs` of the format.
    let changes = world.changes().await;
    assert_eq!(changes.last().map(String::as_str), Some("entry.created"));

    // 5. The service fetches what changed since then; field by field as printed.
    let path = format!("/events?streams=health&modifiedSince={since}&includeDeletions=true");
    let (status, fetched) = world.get(&path, doctor).await;
    assert_eq!(status, StatusCode::OK);
    let at = NOW + 0.167;
    let id = event["event"]["id"].as_str().unwrap();
    assert!(id.len() == 25 && id.starts_with('c'), "{id}");
    let printed = json!({
        "events": [{
            "id": id,
            "time": at,
            "streamIds": ["health"],
            "streamId": "health",
            "tags": [],
            "type": "count/steps",
            "content": 10000,
            "created": at,
            "createdBy": app_id,
            "modified": at,
            "modifiedBy": app_id,
        }],
        "eventDeletions": [],
    });
    assert_eq!(without_meta(fetched.clone()), printed);
    let since = fetched["meta"]["serverTime"].as_f64().unwrap();

    // 6. The doctor's token cannot write, and a deletion is told too.
    let steps = json!({ "streamIds": ["health"], "type": "count/steps", "content": 1 });
    refused(&world.post("/events", doctor, steps).await, 403, "forbidden");
    world.clock.advance_ms(1_000);
    let path = format!("/events/{id}");
    let (_, trashed) = world.delete(&path, app).await;
    assert_eq!(trashed["event"]["trashed"], true);
    let (_, deleted) = world.delete(&path, app).await;
    let deletion = json!({ "id": id, "deleted": at + 1.0 });
    assert_eq!(without_meta(deleted), json!({ "eventDeletion": deletion }));
    let path = format!("/events?modifiedSince={since}&includeDeletions=true");
    let (_, fetched) = world.get(&path, doctor).await;
    let printed = json!({ "events": [], "eventDeletions": [deletion] });
    assert_eq!(without_meta(fetched), printed);
}

#[tokio::test]
async fn a_batch_runs_every_call_and_reports_each() {
    let world = World::new().await;
    world.stream("health", None).await;
    // The documented example: the first stream is there already.
    let calls = json!([
        { "method": "streams.create", "params": { "id": "health", "name": "Health" } },
        {
            "method": "streams.create",
            "params": { "id": "heart", "name": "Heart", "parentId": "health" },
        },
        {
            "method": "events.create",
            "params": { "streamIds": ["heart"], "type": "frequency/bpm", "content": 90 },
        },
        { "method": "events.nothing", "params": {} },
        { "method": "auth.logout" },
        { "method": "getAccessInfo", "params": {} },
        { "method": "events.get", "params": { "streams": { "any": ["health"] } } },
    ]);
    let (status, body) = world.call(Method::POST, &format!("/{ANA}/"), &world.ana, calls).await;
    assert_eq!(status, StatusCode::OK);
    let results = body["results"].as_array().unwrap();
    assert_eq!(results.len(), 7);
    let error = json!({
        "id": "item-already-exists",
        "message": "A stream with id \"health\" already exists",
        "data": { "id": "health" },
    });
    assert_eq!(results[0], json!({ "error": error }));
    assert_eq!(results[1]["stream"]["parentId"], "health");
    assert_eq!(results[2]["event"]["content"], 90);
    assert_eq!(results[3]["error"]["id"], "invalid-method");
    assert_eq!(results[3]["error"]["message"], "Invalid method id \"events.nothing\"");
    assert_eq!(results[4]["error"]["id"], "invalid-method");
    assert_eq!(results[5]["user"]["username"], ANA);
    assert_eq!(results[6]["events"][0]["id"], results[2]["event"]["id"]);
    let (status, body) = world.post("", &world.ana, json!([])).await;
    assert_eq!((status, &body["results"]), (StatusCode::OK, &json!([])));
    for wrong in [json!({}), json!("x")] {
        refused(&world.post("", &world.ana, wrong).await, 400, "invalid-request-structure");
    }
    let (_, body) = world.post("", &world.ana, json!([1, { "method": 2 }])).await;
    let ids: Vec<_> = (0..2).map(|n| body["results"][n]["error"]["id"].clone()).collect();
    assert_eq!(ids, ["invalid-request-structure", "invalid-request-structure"]);
}
