//! Streams: a tree whose members are trashed, then deleted.

use http::StatusCode;
use serde_json::{Value, json};

use super::world::{NOW, World, refused, without_meta};

async fn home() -> World {
    let world = World::new().await;
    for (id, parent) in [("health", None), ("blood", Some("health")), ("steps", Some("health"))] {
        world.stream(id, parent).await;
    }
    world
}

#[tokio::test]
async fn a_stream_is_created_and_shown_in_the_tree() {
    let world = home().await;
    let (_, info) = world.get("/access-info", &world.ana).await;
    let body = json!({
        "id": "white-cells", "name": "White cells", "parentId": "blood", "clientData": { "a": 1 },
    });
    let (status, created) = world.post("/streams", &world.ana, body).await;
    let printed = json!({ "stream": {
        "id": "white-cells",
        "name": "White cells",
        "parentId": "blood",
        "clientData": { "a": 1 },
        "children": [],
        "created": NOW,
        "createdBy": info["id"],
        "modified": NOW,
        "modifiedBy": info["id"],
    }});
    assert_eq!((status, without_meta(created)), (StatusCode::CREATED, printed.clone()));
    let (_, tree) = world.get("/streams", &world.ana).await;
    assert_eq!(tree["streams"][0]["children"][0]["children"][0], printed["stream"]);
    let (_, below) = world.get("/streams?parentId=health", &world.ana).await;
    assert_eq!(
        (&below["streams"][0]["id"], &below["streams"][1]["id"]),
        (&json!("blood"), &json!("steps"))
    );
    let (_, made) = world.post("/streams", &world.ana, json!({ "name": "no id" })).await;
    assert_eq!(made["stream"]["id"].as_str().unwrap().len(), 25);
}

#[tokio::test]
async fn a_wrong_stream_is_refused() {
    let world = home().await;
    for (body, status, id) in [
        (json!({}), 400, "invalid-parameters-format"),
        (json!({ "name": 1 }), 400, "invalid-parameters-format"),
        (json!({ "name": " " }), 400, "invalid-parameters-format"),
        (json!({ "name": "x", "odd": 1 }), 400, "invalid-parameters-format"),
        (json!({ "name": "x", "id": "null" }), 400, "invalid-item-id"),
        (json!({ "name": "x", "id": "health" }), 409, "item-already-exists"),
        (json!({ "name": "health" }), 409, "item-already-exists"),
        (json!({ "name": "x", "parentId": "nowhere" }), 400, "unknown-referenced-resource"),
    ] {
        refused(&world.post("/streams", &world.ana, body).await, status, id);
    }
    let (_, body) = world.post("/streams", &world.ana, json!({ "name": "health" })).await;
    assert_eq!(body["error"]["data"], json!({ "name": "health" }));
    let unknown = world.get("/streams?parentId=nowhere", &world.ana).await;
    refused(&unknown, 400, "unknown-referenced-resource");
}

#[tokio::test]
async fn a_stream_is_renamed_and_moved_but_not_below_itself() {
    let world = home().await;
    world.clock.advance_ms(1_000);
    let (status, body) =
        world.put("/streams/blood", &world.ana, json!({ "name": "Slothing" })).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(
        (&body["stream"]["name"], &body["stream"]["modified"]),
        (&json!("Slothing"), &json!(NOW + 1.0))
    );
    assert_eq!(body["stream"].get("children"), None, "the updated stream is without its children");
    for (id, update, status, error) in [
        ("health", json!({ "parentId": "blood" }), 400, "invalid-operation"),
        ("health", json!({ "parentId": "health" }), 400, "invalid-operation"),
        ("blood", json!({ "name": "steps" }), 409, "item-already-exists"),
        ("blood", json!({ "parentId": "nowhere" }), 400, "unknown-referenced-resource"),
        ("blood", json!({ "created": 1 }), 403, "forbidden"),
        ("nowhere", json!({ "name": "x" }), 404, "unknown-resource"),
    ] {
        refused(&world.put(&format!("/streams/{id}"), &world.ana, update).await, status, error);
    }
    let (status, body) = world.put("/streams/blood", &world.ana, json!({ "parentId": null })).await;
    assert_eq!((status, &body["stream"]["parentId"]), (StatusCode::OK, &Value::Null));
}

#[tokio::test]
async fn a_stream_is_trashed_then_deleted_with_all_below_it() {
    let world = home().await;
    world.stream("white-cells", Some("blood")).await;
    let (_, trashed) = world.delete("/streams/blood", &world.ana).await;
    assert_eq!(trashed["stream"]["trashed"], true);
    let (_, tree) = world.get("/streams", &world.ana).await;
    assert_eq!(tree["streams"][0]["children"].as_array().unwrap().len(), 1);
    let (_, tree) = world.get("/streams?state=all", &world.ana).await;
    assert_eq!(tree["streams"][0]["children"][0]["trashed"], true);
    let (_, deleted) = world.delete("/streams/blood", &world.ana).await;
    let deletion = json!({ "id": "blood", "deleted": NOW });
    assert_eq!(without_meta(deleted), json!({ "streamDeletion": deletion }));
    refused(&world.delete("/streams/white-cells", &world.ana).await, 404, "unknown-resource");
    let (_, body) = world.get("/streams?includeDeletionsSince=1", &world.ana).await;
    let gone: Vec<_> =
        body["streamDeletions"].as_array().unwrap().iter().map(|d| &d["id"]).collect();
    assert!(gone.len() == 2 && gone.contains(&&json!("blood")), "{body}");
    let told = world.changes().await;
    assert_eq!(told.iter().filter(|kind| *kind == "stream.deleted").count(), 2);
    // The id is free again.
    world.stream("blood", Some("health")).await;
}

#[tokio::test]
async fn events_of_a_deleted_stream_go_to_its_parent_or_with_it() {
    for merge in [true, false] {
        let world = home().await;
        let only = world.event(&world.ana, &["blood"], "a/b").await;
        let both = world.event(&world.ana, &["blood", "steps"], "a/b").await;
        let other = world.event(&world.ana, &["steps"], "a/b").await;
        world.delete("/streams/blood", &world.ana).await;
        let (status, body) = world.delete("/streams/blood", &world.ana).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(body["error"]["id"], "invalid-parameters-format", "{body}");
        let path = format!("/streams/blood?mergeEventsWithParent={merge}");
        let (status, body) = world.delete(&path, &world.ana).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let streams_of = async |id: &String| {
            let (_, body) = world.get(&format!("/events/{id}"), &world.ana).await;
            body["event"]["streamIds"].clone()
        };
        let (of_only, of_both) = match merge {
            true => (json!(["health"]), json!(["steps", "health"])),
            false => (Value::Null, json!(["steps"])),
        };
        assert_eq!(streams_of(&only).await, of_only);
        assert_eq!(streams_of(&both).await, of_both);
        assert_eq!(streams_of(&other).await, json!(["steps"]));
    }
}

#[tokio::test]
async fn events_of_a_root_stream_cannot_be_merged() {
    let world = home().await;
    world.event(&world.ana, &["blood"], "a/b").await;
    world.delete("/streams/health", &world.ana).await;
    let answered = world.delete("/streams/health?mergeEventsWithParent=true", &world.ana).await;
    refused(&answered, 400, "invalid-operation");
    let (status, _) = world.delete("/streams/health?mergeEventsWithParent=false", &world.ana).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(world.found(&world.ana, "?state=all").await, [""; 0]);
}

#[tokio::test]
async fn an_access_sees_its_streams_and_manages_those_it_may() {
    let world = home().await;
    world.stream("work", None).await;
    let permissions = [("blood", "read"), ("steps", "manage")];
    let (_, app) = world.access(&world.ana, "app", "app", &permissions).await;
    let (_, body) = world.get("/streams", &app).await;
    let ids: Vec<_> = body["streams"].as_array().unwrap().iter().map(|s| &s["id"]).collect();
    assert_eq!(ids, ["blood", "steps"]);
    for (body, status) in [
        (json!({ "name": "a", "parentId": "steps" }), 201),
        (json!({ "name": "b", "parentId": "blood" }), 403),
        (json!({ "name": "c" }), 403),
    ] {
        assert_eq!(world.post("/streams", &app, body).await.0.as_u16(), status);
    }
    refused(&world.put("/streams/blood", &app, json!({ "name": "x" })).await, 403, "forbidden");
    refused(&world.delete("/streams/work", &app).await, 403, "forbidden");
    assert_eq!(world.delete("/streams/steps", &app).await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_goes_with_a_deleted_stream_must_be_managed_too() {
    let world = home().await;
    world.stream("white-cells", Some("blood")).await;
    world.event(&world.ana, &["blood"], "a/b").await;
    let permissions = [("blood", "manage"), ("white-cells", "read")];
    let (_, app) = world.access(&world.ana, "app", "app", &permissions).await;
    assert_eq!(world.delete("/streams/blood", &app).await.0, StatusCode::OK, "into the trash");
    let path = "/streams/blood?mergeEventsWithParent=";
    refused(&world.delete(&format!("{path}false"), &app).await, 403, "forbidden");
    let (_, whole) = world.access(&world.ana, "app", "whole", &[("blood", "manage")]).await;
    let merged = world.delete(&format!("{path}true"), &whole).await;
    refused(&merged, 403, "forbidden");
    let (status, body) = world.delete(&format!("{path}false"), &whole).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}
