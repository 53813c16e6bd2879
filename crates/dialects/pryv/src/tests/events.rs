//! Events: writing them, finding them, and what hooks and receivers are told.

use http::StatusCode;
use serde_json::{Value, json};

use super::world::{NOW, World, refused, without_meta};

async fn home() -> World {
    let world = World::new().await;
    for (id, parent) in [("health", None), ("blood", Some("health")), ("work", None)] {
        world.stream(id, parent).await;
    }
    world
}

#[tokio::test]
async fn an_event_has_what_it_was_given() {
    let world = home().await;
    let given = json!({
        "id": "ck8pqobvr000voopvtlw9ct83",
        "streamIds": ["blood", "work"],
        "time": 1_586_253_000.5,
        "duration": 60,
        "type": "pressure/bp",
        "content": { "systolic": 120, "list": [1, null] },
        "tags": ["old"],
        "description": "after lunch",
        "clientData": { "app:color": "red" },
    });
    let (status, body) = world.post("/events", &world.ana, given.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    let (_, info) = world.get("/access-info", &world.ana).await;
    let mut shown = given.clone();
    for (name, value) in [
        ("streamId", json!("blood")),
        ("duration", json!(60.0)),
        ("created", json!(NOW)),
        ("createdBy", info["id"].clone()),
        ("modified", json!(NOW)),
        ("modifiedBy", info["id"].clone()),
    ] {
        shown[name] = value;
    }
    assert_eq!(body["event"], shown);
    let (_, one) = world.get("/events/ck8pqobvr000voopvtlw9ct83", &world.ana).await;
    assert_eq!(without_meta(one), json!({ "event": shown }));
    let (status, body) = world.post("/events", &world.ana, given).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    assert_eq!(body["error"]["data"], json!({ "id": "ck8pqobvr000voopvtlw9ct83" }));
}

#[tokio::test]
async fn a_wrong_event_is_refused() {
    let world = home().await;
    world.delete("/streams/work", &world.ana).await;
    for (event, id) in [
        (json!({ "type": "note/txt" }), "invalid-parameters-format"),
        (json!({ "streamIds": [], "type": "note/txt" }), "invalid-parameters-format"),
        (json!({ "streamIds": ["health"] }), "invalid-parameters-format"),
        (json!({ "streamIds": ["health"], "type": "note" }), "invalid-parameters-format"),
        (json!({ "streamIds": "health", "type": "note/txt" }), "invalid-parameters-format"),
        (
            json!({ "streamId": "health", "type": "a/b", "time": "now" }),
            "invalid-parameters-format",
        ),
        (
            json!({ "streamId": "health", "type": "a/b", "duration": -1 }),
            "invalid-parameters-format",
        ),
        (json!({ "streamId": "health", "type": "a/b", "id": "x" }), "invalid-parameters-format"),
        (json!({ "streamId": "health", "type": "a/b", "odd": 1 }), "invalid-parameters-format"),
        (json!({ "streamIds": ["nowhere"], "type": "note/txt" }), "unknown-referenced-resource"),
        (json!({ "streamIds": ["work"], "type": "note/txt" }), "invalid-operation"),
    ] {
        refused(&world.post("/events", &world.ana, event.clone()).await, 400, id);
    }
    let event = json!({ "streamIds": ["nowhere", "there"], "type": "note/txt" });
    let (_, body) = world.post("/events", &world.ana, event).await;
    let error = json!({
        "id": "unknown-referenced-resource",
        "message": "Unknown referenced stream \"nowhere\", \"there\"",
        "data": { "streamIds": ["nowhere", "there"] },
    });
    assert_eq!(body["error"], error);
}

#[tokio::test]
async fn an_event_is_changed_trashed_and_deleted() {
    let world = home().await;
    let id = world.event(&world.ana, &["blood"], "count/steps").await;
    let path = format!("/events/{id}");
    world.clock.advance_ms(1_000);
    let update =
        json!({ "streamIds": ["work"], "content": 2, "clientData": { "a": 1 }, "time": 5 });
    let (status, body) = world.put(&path, &world.ana, update).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let event = &body["event"];
    assert_eq!((&event["streamIds"], &event["streamId"]), (&json!(["work"]), &json!("work")));
    assert_eq!((&event["content"], &event["time"]), (&json!(2), &json!(5.0)));
    assert_eq!((&event["created"], &event["modified"]), (&json!(NOW), &json!(NOW + 1.0)));
    let update = json!({ "clientData": { "a": null, "b": 2 }, "duration": null });
    let (_, body) = world.put(&path, &world.ana, update).await;
    assert_eq!(body["event"]["clientData"], json!({ "b": 2 }));
    assert_eq!(body["event"]["duration"], Value::Null);
    assert_eq!(world.found(&world.ana, "?running=true").await, std::slice::from_ref(&id));
    refused(&world.put(&path, &world.ana, json!({ "created": 1 })).await, 403, "forbidden");
    refused(&world.put("/events/c1", &world.ana, json!({})).await, 404, "unknown-resource");

    let (_, trashed) = world.delete(&path, &world.ana).await;
    assert_eq!(trashed["event"]["trashed"], true);
    assert_eq!(world.found(&world.ana, "").await, [""; 0]);
    assert_eq!(world.found(&world.ana, "?state=trashed").await, std::slice::from_ref(&id));
    let (_, restored) = world.put(&path, &world.ana, json!({ "trashed": false })).await;
    assert_eq!(restored["event"].get("trashed"), None);
    world.delete(&path, &world.ana).await;
    let (_, deleted) = world.delete(&path, &world.ana).await;
    assert_eq!(deleted["eventDeletion"], json!({ "id": id, "deleted": NOW + 1.0 }));
    refused(&world.get(&path, &world.ana).await, 404, "unknown-resource");
    refused(&world.delete(&path, &world.ana).await, 404, "unknown-resource");
    let told = world.changes().await;
    let entries: Vec<_> = told.iter().filter(|kind| kind.starts_with("entry.")).collect();
    let (made, changed, gone) = ("entry.created", "entry.updated", "entry.deleted");
    assert_eq!(entries, [made, changed, changed, changed, changed, changed, gone]);
}

#[tokio::test]
async fn events_are_found_by_each_parameter() {
    let world = home().await;
    let mut ids = Vec::new();
    for (time, stream, kind) in [
        (100, "health", "note/txt"),
        (200, "blood", "mass/kg"),
        (300, "work", "mass/lb"),
        (400, "work", "note/txt"),
    ] {
        let body = json!({ "streamId": stream, "type": kind, "time": time });
        let (_, body) = world.post("/events", &world.ana, body).await;
        ids.push(body["event"]["id"].as_str().unwrap().to_owned());
        world.clock.advance_ms(1_000);
    }
    for (query, found) in [
        ("", &[3, 2, 1, 0][..]),
        ("?sortAscending=true", &[0, 1, 2, 3]),
        ("?limit=2", &[3, 2]),
        ("?limit=2&skip=1", &[2, 1]),
        ("?limit=0", &[]),
        ("?skip=9", &[]),
        ("?fromTime=200", &[3, 2, 1]),
        ("?fromTime=200&toTime=300&sortAscending=true", &[1, 2]),
        ("?toTime=250", &[1, 0]),
        ("?streams=health", &[1, 0]),
        ("?streams=blood&streams=work", &[3, 2, 1]),
        ("?streams[]=blood&streams[]=work", &[3, 2, 1]),
        ("?streams=%7B%22any%22%3A%5B%22health%22%5D%2C%22not%22%3A%5B%22blood%22%5D%7D", &[0]),
        ("?types=mass/kg", &[1]),
        ("?types=mass/*", &[2, 1]),
        ("?modifiedSince=1586254002", &[3, 2]),
        ("?modifiedSince=1586254002&limit=1&sortAscending=true", &[2]),
    ] {
        let expected: Vec<_> = found.iter().map(|place| ids[*place as usize].clone()).collect();
        assert_eq!(world.found(&world.ana, query).await, expected, "{query}");
    }
    let unknown = world.get("/events?streams=nowhere", &world.ana).await;
    refused(&unknown, 400, "unknown-referenced-resource");
    refused(&world.get("/events?limit=x", &world.ana).await, 400, "invalid-parameters-format");
}

#[tokio::test]
async fn without_a_time_frame_20_events_are_given() {
    let world = home().await;
    let one = json!({ "method": "events.create", "params": { "streamId": "work", "type": "a/b" } });
    let (_, body) = world.post("", &world.ana, Value::Array(vec![one; 25])).await;
    assert_eq!(body["results"].as_array().unwrap().len(), 25);
    for (query, count) in
        [("", 20), ("?fromTime=1", 25), ("?limit=23", 23), ("?modifiedSince=1", 20)]
    {
        assert_eq!(world.found(&world.ana, query).await.len(), count, "{query}");
    }
}

#[tokio::test]
async fn an_access_sees_and_writes_what_its_permissions_say() {
    let world = home().await;
    let permissions = [("health", "contribute"), ("blood", "read"), ("work", "create-only")];
    let (_, app) = world.access(&world.ana, "app", "app", &permissions).await;
    let health = world.event(&world.ana, &["health"], "a/b").await;
    let blood = world.event(&world.ana, &["blood"], "a/b").await;
    let work = world.event(&world.ana, &["work"], "a/b").await;
    let both = world.event(&world.ana, &["blood", "work"], "a/b").await;
    assert_eq!(
        world.found(&app, "?sortAscending=true&fromTime=1").await.len(),
        3,
        "all but the one that is in work only"
    );
    for (stream, status) in [("health", 201), ("blood", 403), ("work", 201)] {
        let event = json!({ "streamIds": [stream], "type": "a/b" });
        assert_eq!(world.post("/events", &app, event).await.0.as_u16(), status, "{stream}");
    }
    for (id, read, change) in
        [(&health, 200, 200), (&blood, 200, 403), (&work, 403, 403), (&both, 200, 403)]
    {
        let path = format!("/events/{id}");
        assert_eq!(world.get(&path, &app).await.0.as_u16(), read, "{id}");
        let update = world.put(&path, &app, json!({ "content": 2 })).await;
        assert_eq!(update.0.as_u16(), change, "{id}");
    }
    refused(&world.get("/events?streams=work", &app).await, 403, "forbidden");
    let path = format!("/events/{health}");
    refused(&world.put(&path, &app, json!({ "streamIds": ["blood"] })).await, 403, "forbidden");
}

#[tokio::test]
async fn the_way_back_of_a_receiver_misses_nothing() {
    let world = home().await;
    let (_, doctor) = world.access(&world.ana, "shared", "doctor", &[("health", "read")]).await;
    let (_, first) = world.get("/events?modifiedSince=0", &doctor).await;
    let since = first["meta"]["serverTime"].as_f64().unwrap();
    // In the very moment of that answer:
    let kept = world.event(&world.ana, &["blood"], "a/b").await;
    let gone = world.event(&world.ana, &["health"], "a/b").await;
    let hidden = world.event(&world.ana, &["work"], "a/b").await;
    for id in [&gone, &gone, &hidden, &hidden] {
        world.delete(&format!("/events/{id}"), &world.ana).await;
    }
    let query = format!("/events?modifiedSince={since}&includeDeletions=true");
    let (_, body) = world.get(&query, &doctor).await;
    assert_eq!(body["events"][0]["id"], json!(kept));
    assert_eq!(body["eventDeletions"], json!([{ "id": gone, "deleted": NOW }]));
    let (_, body) = world.get(&query, &world.ana).await;
    assert_eq!(body["eventDeletions"].as_array().unwrap().len(), 2);
    let (_, body) = world.get("/events?includeDeletions=true", &doctor).await;
    assert_eq!(body.get("eventDeletions"), None, "deletions need modifiedSince");
}

#[tokio::test]
async fn changes_name_the_streams_above() {
    let world = home().await;
    world.event(&world.ana, &["blood"], "count/steps").await;
    let (kind, body) = world.journal().await.pop().unwrap();
    assert_eq!(kind, "entry.created");
    assert_eq!(body["streams"], json!(["blood", "health"]));
    assert_eq!(body["event"]["type"], "count/steps");
    assert_eq!(body["account"]["provider"], "record");
    assert_eq!(body["account"]["external_id"], "pryv");
}
