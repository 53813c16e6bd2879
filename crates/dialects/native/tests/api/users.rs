//! End users, described and deleted; and the settings of an app.

use http::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World, request};

impl World {
    async fn patch(&self, path: &str, body: Value) -> Answer {
        let target = format!("/api/v1{path}");
        self.send(request(Method::PATCH, &self.app.key, &target, Some(body))).await
    }
}

#[tokio::test]
async fn a_user_is_described_changed_and_deleted_with_its_tokens() {
    let world = World::new().await;
    let key = &world.app.key;
    let input = json!({"external_id": "user-81", "name": "Ada", "details": {"plan": "pro"}});
    let made = world.post(key, "/users", input).await;
    assert_eq!(made.status, 201, "{made:?}");
    let user = made.json();
    assert_eq!((&user["name"], &user["details"]), (&json!("Ada"), &json!({"plan": "pro"})));
    let found = world.post(key, "/users", json!({"external_id": "user-81", "name": "Eve"})).await;
    assert_eq!((found.status.as_u16(), found.json()), (200, user.clone()));
    let path = format!("/users/{}", user["id"].as_str().unwrap());
    let token = world.post(key, &format!("{path}/connect-tokens"), json!({})).await.json();
    assert_eq!(token["key"]["user"], user["id"]);

    let changed = world.patch(&path, json!({"name": null, "details": {"plan": "free"}})).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let changed = changed.json();
    assert_eq!(
        (&changed["external_id"], &changed["name"], &changed["details"]),
        (&json!("user-81"), &Value::Null, &json!({"plan": "free"}))
    );
    for bad in [json!({"details": []}), json!({"name": ""}), json!({"external_id": "a\u{1}"})] {
        assert_eq!(world.patch(&path, bad.clone()).await.status, 422, "{bad}");
    }
    let gone = world.send(request(Method::DELETE, key, &format!("/api/v1{path}"), None)).await;
    assert_eq!(gone.status, 204);
    assert_eq!(world.get(key, &path).await.status, 404);
    assert_eq!(world.get(key, "/users").await.json()["data"], json!([]));
    let token = format!("/keys/{}", token["key"]["id"].as_str().unwrap());
    assert!(world.get(key, &token).await.json()["revoked_at"].is_string());
}

#[tokio::test]
async fn an_apps_settings_are_read_and_written_whole() {
    let world = World::new().await;
    let path = format!("/apps/{}", world.app.app);
    let read = async || world.get(&world.app.key, &path).await.json()["settings"].clone();
    assert_eq!(read().await, json!({"redirect_uris": [], "subscribe_all": true}));
    let uris = json!(["https://example.com/callback?app=1", "http://localhost:3000/cb"]);
    let settings = json!({"redirect_uris": uris, "subscribe_all": false});
    let changed = world.patch(&path, json!({"settings": settings})).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["settings"]), (200, &settings));
    assert_eq!(read().await, settings);
    world.patch(&path, json!({"name": "other"})).await;
    assert_eq!(read().await, settings, "another change took them away");
    for bad in
        ["javascript:alert(1)", "/callback", "https://example.com/#top", "ftp://example.com/", ""]
    {
        let refused = world.patch(&path, json!({"settings": {"redirect_uris": [bad]}})).await;
        assert_eq!(refused.status, 422, "{bad}");
        assert_eq!(refused.json()["errors"][0]["pointer"], "/settings/redirect_uris/0");
    }
    let unknown = world.patch(&path, json!({"settings": {"color": "red"}})).await;
    assert!(unknown.status.is_client_error(), "{unknown:?}");
    let many = vec!["https://example.com/"; 33];
    assert_eq!(world.patch(&path, json!({"settings": {"redirect_uris": many}})).await.status, 422);
    world.patch(&path, json!({"settings": {}})).await;
    assert_eq!(read().await, json!({"redirect_uris": [], "subscribe_all": true}));
}

#[tokio::test]
async fn an_owner_registers_a_person_though_registration_is_closed() {
    let world = World::new().await;
    let ada = json!({"username": "ada-lovelace", "password": "difference-engine"});
    let refused = world.post(&world.app.key, "/people", ada.clone()).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    let made = world.post(&world.owner, "/people", ada.clone()).await;
    assert_eq!((made.status.as_u16(), &made.json()["username"]), (201, &json!("ada-lovelace")));
    assert!(!String::from_utf8_lossy(&made.body).contains("engine"));
    let again = world.post(&world.owner, "/people", ada).await;
    assert_eq!(again.status, 409, "{again:?}");
    let short = json!({"username": "grace", "password": "12345"});
    let short = world.post(&world.owner, "/people", short).await;
    assert_eq!(
        (short.status.as_u16(), &short.json()["errors"][0]["pointer"]),
        (422, &json!("/password"))
    );
}

#[tokio::test]
async fn a_link_into_the_portal_is_made_for_an_end_user() {
    let world = World::new().await;
    let key = &world.app.key;
    let user = world.post(key, "/users", json!({"external_id": "user-81"})).await.json();
    let path = format!("/users/{}/portal-links", user["id"].as_str().unwrap());
    for body in [json!({}), json!({"ttl_s": 60})] {
        let made = world.post(key, &path, body).await;
        assert_eq!(made.status, 201, "{made:?}");
        let link = made.json();
        let token = link["url"].as_str().unwrap().split_once("/portal/").unwrap().1.to_owned();
        assert!(token.starts_with("tdu_") && link["expires_at"].is_string(), "{link}");
        // It opens the portal and nothing of this API.
        assert_eq!(world.get(&token, "/hooks").await.status, 401);
    }
    for bad in [json!({"ttl_s": 59}), json!({"ttl_s": 86_401})] {
        let refused = world.post(key, &path, bad).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["errors"][0]["pointer"]),
            (422, &json!("/ttl_s"))
        );
    }
    let lines = world.get(key, "/audit").await.json();
    assert_eq!(lines["data"][0]["address"], Value::Null, "no address is known here");
}
