//! Connected accounts, calendars and the small endpoints.

use http::StatusCode;
use serde_json::json;

use super::world::{HOME, WORK, World};

#[tokio::test]
async fn health_is_ok_on_every_mount() {
    let world = World::new().await;
    for mount in ["", "/api", "/connect/api"] {
        let answer = world.get(&format!("{mount}/health"), "").await;
        assert_eq!(answer, (StatusCode::OK, json!({"status": "ok"})), "{mount}");
    }
}

#[tokio::test]
async fn calendars_are_a_bare_array_of_the_users_own() {
    let world = World::new().await;
    for path in ["/calendars", "/api/calendars", "/connect/api/calendars"] {
        let (status, answer) = world.get(path, &world.token).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let expected = |id: &str| {
            json!({"provider": "caldav", "id": id, "title": id, "timeZone": "UTC", "color": "",
                "description": "", "original": {}})
        };
        assert_eq!(answer, json!([expected(WORK), expected(HOME)]), "{path}");
    }
}

#[tokio::test]
async fn a_free_busy_token_sees_no_list_of_calendars() {
    let world = World::new().await;
    let token = world.token_for("free-busy").await;
    let (status, answer) = world.get("/calendars", &token).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let words = "Calendar list access is forbidden for free-busy scope";
    assert_eq!((&answer["error"], &answer["message"]), (&json!(words), &json!(words)));
}

#[tokio::test]
async fn without_a_token_everything_is_a_401() {
    let world = World::new().await;
    let event = json!({"provider": "caldav", "calendarId": WORK, "eventId": "e"});
    for (method, path) in [
        ("GET", "/calendars"),
        ("GET", "/events"),
        ("POST", "/event"),
        ("PUT", "/event"),
        ("DELETE", "/event"),
        ("GET", "/oauth/connection-status"),
        ("GET", "/connection-status"),
        ("POST", "/oauth/disconnect?provider=google"),
        ("POST", "/disconnect?provider=google"),
        ("POST", "/subscribe-webhook"),
        ("POST", "/unsubscribe-webhook"),
    ] {
        for token in ["", "no-such-token", &world.secret] {
            let body = (method != "GET").then_some(&event);
            let (status, answer) = world.call(method, path, token, body).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}: {answer}");
            assert_eq!(answer["error"], "Unauthorized", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_connection_status_lists_every_provider() {
    let world = World::new().await;
    for path in ["/oauth/connection-status", "/connection-status"] {
        let (status, answer) = world.get(path, &world.token).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let connections = &answer["connections"];
        assert_eq!(connections["google"], json!([]));
        assert_eq!((&connections["microsoft"], &connections["apple"]), (&json!([]), &json!([])));
        let account = &connections["caldav"][0];
        let expected = json!({"id": "u", "display": "u", "grantedScopes": [],
            "calendarPermissionGranted": null, "syncState": "active",
            "syncStateUpdatedAt": "2026-03-12T09:00:00.000Z"});
        assert_eq!(*account, expected, "{path}");
        assert_eq!((&answer["limitReached"], &answer["limit"]), (&json!(false), &json!(100_000)));
    }
}

#[tokio::test]
async fn disconnecting_ends_the_users_account_and_nobody_elses() {
    let world = World::new().await;
    let count = async |token: &str| {
        let (_, answer) = world.get("/oauth/connection-status", token).await;
        answer["connections"]["caldav"].as_array().unwrap().len()
    };
    for (query, message, left) in [
        ("provider=google", "There was no such account; nothing is connected", 1),
        ("provider=caldav&account=stranger", "There was no such account; nothing is connected", 1),
        ("provider=caldav&account=u", "Successfully disconnected", 0),
        ("provider=caldav", "There was no such account; nothing is connected", 0),
    ] {
        let path = format!("/oauth/disconnect?{query}");
        let answer = world.call("POST", &path, &world.token, Some(&json!({}))).await;
        let expected = json!({"success": true, "message": message});
        assert_eq!(answer, (StatusCode::OK, expected), "{query}");
        assert_eq!((count(&world.token).await, count(&world.other_token).await), (left, 1));
    }
    let (status, answer) = world.call("POST", "/disconnect", &world.token, None).await;
    assert_eq!(
        (status, &answer["message"]),
        (StatusCode::BAD_REQUEST, &json!("provider is required"))
    );
}

#[tokio::test]
async fn unknown_paths_and_methods_are_answered_in_the_dialects_words() {
    let world = World::new().await;
    let (status, answer) = world.get("/connect/api/nothing", &world.token).await;
    assert_eq!((status, &answer["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    let (status, answer) = world.call("PATCH", "/event", &world.token, None).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer["code"], "method_not_allowed");
}
