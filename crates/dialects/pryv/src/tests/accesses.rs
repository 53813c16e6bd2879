//! Accesses: who may make which, and what becomes of them.

use http::StatusCode;
use serde_json::{Value, json};

use super::world::{ANA, NOW, World, refused, without_meta};

async fn home() -> World {
    let world = World::new().await;
    world.stream("health", None).await;
    world.stream("work", None).await;
    world
}

#[tokio::test]
async fn a_shared_access_is_created_as_documented() {
    let world = home().await;
    let (_, info) = world.get("/access-info", &world.ana).await;
    let permissions = json!([{ "streamId": "work", "level": "read" }]);
    let body = json!({ "name": "For colleagues", "permissions": permissions });
    let (status, body) = world.post("/accesses", &world.ana, body).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    let (id, token) = (&body["access"]["id"], body["access"]["token"].as_str().unwrap());
    let printed = json!({ "access": {
        "id": id,
        "token": token,
        "apiEndpoint": format!("http://{token}@tidings.example:8080/pryv/{ANA}/"),
        "type": "shared",
        "name": "For colleagues",
        "permissions": permissions,
        "created": NOW,
        "createdBy": info["id"],
        "modified": NOW,
        "modifiedBy": info["id"],
    }});
    assert_eq!(without_meta(body.clone()), printed);
    let (_, own) = world.get("/access-info", token).await;
    assert_eq!((&own["id"], &own["name"]), (id, &json!("For colleagues")));
    assert_eq!(own["permissions"], permissions);
    let told = world.journal().await.pop().unwrap();
    assert_eq!((told.0.as_str(), &told.1["streams"]), ("access.created", &json!(["work"])));
    assert!(!told.1.to_string().contains(token), "the journal holds no token");
}

#[tokio::test]
async fn an_access_makes_none_that_reaches_further_than_itself() {
    let world = home().await;
    let (_, app) = world.access(&world.ana, "app", "app", &[("health", "contribute")]).await;
    let (_, shared) = world.access(&app, "shared", "tom", &[("health", "read")]).await;
    for (by, usage, stream, level, status) in [
        (&app, "shared", "health", "contribute", 201),
        (&app, "shared", "health", "create-only", 201),
        (&app, "shared", "health", "manage", 403),
        (&app, "shared", "work", "read", 403),
        (&app, "shared", "*", "read", 403),
        (&app, "app", "health", "read", 403),
        (&app, "personal", "health", "read", 403),
        (&shared, "shared", "health", "read", 403),
        (&world.ana, "app", "*", "manage", 201),
        (&world.ana, "shared", "work", "manage", 201),
        (&world.ana, "personal", "work", "read", 403),
        (&world.ana, "shared", "nowhere", "read", 400),
    ] {
        let permissions = json!([{ "streamId": stream, "level": level }]);
        let name = format!("{usage} {stream} {level}");
        let body = json!({ "name": name, "type": usage, "permissions": permissions });
        let (answered, body) = world.post("/accesses", by, body).await;
        assert_eq!(answered.as_u16(), status, "{usage} {stream} {level} {body}");
    }
}

#[tokio::test]
async fn a_wrong_access_is_refused() {
    let world = home().await;
    world.access(&world.ana, "shared", "tom", &[("health", "read")]).await;
    let read = json!([{ "streamId": "health", "level": "read" }]);
    let body = json!({ "name": "box", "permissions": read, "token": "mailbox" });
    assert_eq!(world.post("/accesses", &world.ana, body).await.0, StatusCode::CREATED);
    for (body, status, id) in [
        (json!({ "permissions": read }), 400, "invalid-parameters-format"),
        (json!({ "name": "x" }), 400, "invalid-parameters-format"),
        (
            json!({ "name": "x", "permissions": [{ "streamId": "a" }] }),
            400,
            "invalid-parameters-format",
        ),
        (json!({ "name": "x", "permissions": read, "odd": 1 }), 400, "invalid-parameters-format"),
        (
            json!({ "name": "x", "permissions": read, "type": "root" }),
            400,
            "invalid-parameters-format",
        ),
        (
            json!({ "name": "x", "permissions": read, "expireAfter": -1 }),
            400,
            "invalid-parameters-format",
        ),
        (json!({ "name": "x", "permissions": read, "token": "null" }), 400, "invalid-item-id"),
        (
            json!({ "name": "x", "permissions": read, "token": "mailbox" }),
            409,
            "item-already-exists",
        ),
        (json!({ "name": "tom", "permissions": read }), 409, "item-already-exists"),
    ] {
        refused(&world.post("/accesses", &world.ana, body).await, status, id);
    }
}

#[tokio::test]
async fn a_chosen_token_works_until_it_expires() {
    let world = home().await;
    let permissions = json!([
        { "streamId": "health", "level": "create-only" },
        { "feature": "selfRevoke", "setting": "forbidden" },
    ]);
    let body = json!({
        "name": "publicly available token", "token": "mailbox", "permissions": permissions, "expireAfter": 60,
    });
    let (_, body) = world.post("/accesses", &world.ana, body).await;
    assert_eq!(body["access"]["token"], "mailbox");
    assert_eq!(body["access"]["expires"], NOW + 60.0);
    let path = format!("/accesses/{}", body["access"]["id"].as_str().unwrap());
    refused(&world.delete(&path, "mailbox").await, 403, "forbidden");
    world.event("mailbox", &["health"], "note/txt").await;
    assert_eq!(world.found("mailbox", "").await, [""; 0], "create-only does not read");
    world.clock.advance_ms(61_000);
    refused(&world.get("/access-info", "mailbox").await, 401, "invalid-access-token");
    let listed = async |query: &str| {
        let (_, body) = world.get(&format!("/accesses{query}"), &world.ana).await;
        body["accesses"]
            .as_array()
            .unwrap()
            .iter()
            .any(|access| access["name"] == "publicly available token")
    };
    assert!(!listed("").await && listed("?includeExpired=true").await);
}

#[tokio::test]
async fn accesses_are_listed_for_whoever_manages_them() {
    let world = home().await;
    let (app_id, app) = world.access(&world.ana, "app", "app", &[("health", "contribute")]).await;
    let (tom_id, tom) = world.access(&app, "shared", "tom", &[("health", "read")]).await;
    let (eve_id, _) = world.access(&world.ana, "shared", "eve", &[("work", "read")]).await;
    let names = async |token: &str| {
        let (_, body) = world.get("/accesses", token).await;
        let list = body["accesses"].as_array().unwrap().iter();
        list.map(|access| access["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&app).await, ["tom"]);
    assert_eq!(names(&tom).await, [""; 0]);
    let all = names(&world.ana).await;
    assert!(
        ["app", "eve", "my-app-id", "tom"].iter().all(|name| all.contains(&(*name).to_owned()))
    );
    for (token, id, status) in [
        (&app, &tom_id, 200),
        (&app, &app_id, 200),
        (&app, &eve_id, 404),
        (&tom, &app_id, 404),
        (&world.ana, &tom_id, 200),
        (&world.ana, &"nonsense".to_owned(), 404),
    ] {
        assert_eq!(world.get(&format!("/accesses/{id}"), token).await.0.as_u16(), status, "{id}");
    }
}

#[tokio::test]
async fn accesses_are_deleted_by_their_maker_the_person_or_themselves() {
    let world = home().await;
    let (app_id, app) = world.access(&world.ana, "app", "app", &[("health", "contribute")]).await;
    let (tom_id, tom) = world.access(&app, "shared", "tom", &[("health", "read")]).await;
    let (eve_id, eve) = world.access(&world.ana, "shared", "eve", &[("work", "read")]).await;
    refused(&world.delete(&format!("/accesses/{eve_id}"), &app).await, 403, "forbidden");
    refused(&world.delete(&format!("/accesses/{app_id}"), &tom).await, 403, "forbidden");
    let (status, body) = world.delete(&format!("/accesses/{tom_id}"), &app).await;
    assert_eq!(status, StatusCode::OK);
    let deletion = json!({ "id": tom_id, "deleted": NOW });
    assert_eq!(without_meta(body), json!({ "accessDeletion": deletion }));
    refused(&world.get("/access-info", &tom).await, 401, "invalid-access-token");
    refused(&world.delete(&format!("/accesses/{tom_id}"), &app).await, 404, "unknown-resource");
    assert_eq!(world.delete(&format!("/accesses/{eve_id}"), &eve).await.0, StatusCode::OK);
    let (_, body) = world.get("/accesses?includeDeletions=true", &app).await;
    assert_eq!(body["accessDeletions"][0]["id"], json!(tom_id));
    assert_eq!(body["accessDeletions"][0]["deleted"], NOW);
    assert_eq!(world.changes().await.iter().filter(|kind| *kind == "access.deleted").count(), 2);
}

#[tokio::test]
async fn an_access_is_updated_within_its_chain() {
    let world = home().await;
    let (app_id, app) = world.access(&world.ana, "app", "app", &[("health", "contribute")]).await;
    let (tom_id, tom) = world.access(&app, "shared", "tom", &[("health", "read")]).await;
    let path = format!("/accesses/{tom_id}");
    let (status, body) = world.put(&path, &app, json!({ "name": "Renamed shared" })).await;
    assert_eq!(
        (status, &body["access"]["name"]),
        (StatusCode::OK, &json!("Renamed shared")),
        "{body}"
    );
    let level = |level: &str| json!({ "permissions": [{ "streamId": "health", "level": level }] });
    assert_eq!(world.put(&path, &app, level("contribute")).await.0, StatusCode::OK);
    world.event(&tom, &["health"], "a/b").await;
    refused(&world.put(&path, &app, level("manage")).await, 403, "forbidden");
    refused(&world.put(&path, &tom, level("read")).await, 403, "forbidden");
    refused(
        &world.put(&path, &app, json!({ "type": "app" })).await,
        400,
        "invalid-parameters-format",
    );
    let (status, body) = world.put(&format!("/accesses/{app_id}"), &world.ana, level("read")).await;
    assert_eq!(
        (status.as_u16(), &body["error"]["data"]),
        (400, &json!({ "offendingChildren": [tom_id] }))
    );
    refused(&world.put("/accesses/nonsense", &app, json!({})).await, 404, "unknown-resource");
}

#[tokio::test]
async fn who_logs_out_still_shares() {
    let world = home().await;
    let (_, tom) = world.access(&world.ana, "shared", "tom", &[("health", "read")]).await;
    let (status, _) = world.post("/auth/logout", &world.ana, Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    refused(&world.get("/access-info", &world.ana).await, 401, "invalid-access-token");
    assert_eq!(world.get("/access-info", &tom).await.0, StatusCode::OK);
    refused(&world.post("/auth/logout", &tom, Value::Null).await, 403, "forbidden");
}

#[tokio::test]
async fn an_app_cannot_make_an_access_outlive_itself() {
    let world = home().await;
    let read = json!([{ "streamId": "health", "level": "read" }]);
    let made = async |by: &str, body: Value| {
        let (status, body) = world.post("/accesses", by, body).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let text = |name: &str| body["access"][name].as_str().unwrap().to_owned();
        (text("id"), text("token"))
    };
    let body = json!({ "name": "app", "type": "app", "permissions": read, "expireAfter": 60 });
    let (app_id, app) = made(&world.ana, body).await;
    let shared = json!({ "name": "tom", "permissions": read });
    refused(&world.post("/accesses", &app, shared).await, 400, "invalid-operation");
    let body = json!({ "name": "tom", "permissions": read, "expireAfter": 30 });
    let (tom_id, _) = made(&app, body).await;
    let tom = format!("/accesses/{tom_id}");
    for (by, update, status, id) in [
        (&app, json!({ "expireAfter": 61 }), 400, "invalid-operation"),
        (&app, json!({ "expires": null }), 400, "invalid-operation"),
        (&app, json!({ "expireAfter": null }), 400, "invalid-operation"),
        (&world.ana, json!({ "expireAfter": 61 }), 400, "invalid-operation"),
        (&app, json!({ "expires": NOW + 40.0 }), 400, "invalid-parameters-format"),
    ] {
        refused(&world.put(&tom, by, update).await, status, id);
    }
    let (_, body) = world.put(&tom, &app, json!({ "expireAfter": 60 })).await;
    assert_eq!(body["access"]["expires"], NOW + 60.0, "{body}");
    let answered =
        world.put(&format!("/accesses/{app_id}"), &world.ana, json!({ "expireAfter": 5 })).await;
    assert_eq!(answered.1["error"]["data"], json!({ "offendingChildren": [tom_id] }));
}

#[tokio::test]
async fn a_changed_access_has_a_name_of_its_own_and_is_told_about() {
    let world = home().await;
    let (id, _) = world.access(&world.ana, "shared", "tom", &[("health", "read")]).await;
    world.access(&world.ana, "shared", "eve", &[("health", "read")]).await;
    let path = format!("/accesses/{id}");
    refused(
        &world.put(&path, &world.ana, json!({ "name": "eve" })).await,
        409,
        "item-already-exists",
    );
    let long = json!({ "name": "x".repeat(10_000) });
    refused(&world.put(&path, &world.ana, long).await, 400, "invalid-parameters-format");
    let permissions = json!([{ "streamId": "work", "level": "read" }]);
    let update = json!({ "name": "tom", "permissions": permissions });
    let (status, body) = world.put(&path, &world.ana, update).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (kind, told) = world.journal().await.pop().unwrap();
    assert_eq!((kind.as_str(), &told["streams"]), ("access.updated", &json!(["health", "work"])));
    assert_eq!(told["access"]["permissions"], permissions);
}

#[tokio::test]
async fn an_access_that_deletes_itself_is_among_the_deletions() {
    let world = home().await;
    let (app_id, app) = world.access(&world.ana, "app", "app", &[("health", "read")]).await;
    let (tom_id, _) = world.access(&app, "shared", "tom", &[("health", "read")]).await;
    let (status, body) = world.delete(&format!("/accesses/{app_id}"), &app).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (_, body) = world.get("/accesses?includeDeletions=true", &world.ana).await;
    let deleted: Vec<_> =
        body["accessDeletions"].as_array().unwrap().iter().map(|access| &access["id"]).collect();
    assert_eq!(deleted, [&json!(app_id), &json!(tom_id)]);
}

#[tokio::test]
async fn permissions_keep_their_order_and_name_a_stream_once() {
    let world = home().await;
    let (work, health) = (
        json!({ "streamId": "work", "level": "read" }),
        json!({ "streamId": "health", "level": "read" }),
    );
    let body = json!({ "name": "a", "permissions": [work, health], "expireAfter": 0 });
    let (status, body) = world.post("/accesses", &world.ana, body).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    assert_eq!(body["access"]["permissions"], json!([work, health]));
    assert_eq!(body["access"]["expires"], NOW + 1.0, "zero is soon");
    let twice = json!({ "name": "b", "permissions": [work, work] });
    refused(&world.post("/accesses", &world.ana, twice).await, 400, "invalid-parameters-format");
}

#[tokio::test]
async fn ended_logins_are_not_listed() {
    let world = home().await;
    let other = world.login(ANA).await;
    world.post("/auth/logout", &other, Value::Null).await;
    let (_, body) = world.get("/accesses?includeExpired=true", &world.ana).await;
    assert_eq!(body["accesses"].as_array().unwrap().len(), 2, "registered and logged in: {body}");
    let kinds = [tidings_service::GrantKind::Access];
    let kept = world.service.tokens(&world.operator().await, &kinds).await.unwrap();
    assert_eq!(kept.len(), 2);
}
