//! Users and their sessions.

use serde_json::{Value, json};

use super::world::{NOW, World, text};

#[tokio::test]
async fn the_documented_story_of_a_user_is_answered_as_documented() {
    let world = World::new().await;
    assert_eq!(world.ask("GET", "/users", Value::Null).await, json!([]));
    let request = json!({"id_external": "MIST030794", "name": "Rey Misterio"});
    let made = world.ask("POST", "/users", request).await;
    let expected = json!({
        "id_user": made["id_user"], "id_external": "MIST030794", "name": "Rey Misterio",
        "dt_create": NOW, "dt_modify": null,
    });
    assert_eq!(made, expected);
    world.clock.advance_ms(9_000);
    let path = format!("/users/{}", text(&made["id_user"]));
    let changed = world.ask("PUT", &path, json!({"name": "El Santo Jr."})).await;
    let expected = json!({
        "id_user": made["id_user"], "id_external": "MIST030794", "name": "El Santo Jr.",
        "dt_create": NOW, "dt_modify": NOW + 9,
    });
    assert_eq!(changed, expected);
    world.user("BLDM140389").await;
    let all = world.ask("GET", "/users", json!({})).await;
    assert_eq!(all.as_array().unwrap().len(), 2);
    let one = world.ask("GET", "/users", json!({"id_external": "MIST030794"})).await;
    assert_eq!(one, json!([changed]));
    assert_eq!(world.ask("GET", "/users", json!({"id_external": "KEMONITO09"})).await, json!([]));
    let window = json!({"skip": 1, "limit": 1, "fields": "id_external"});
    assert_eq!(world.ask("GET", "/users", window).await, json!([{"id_external": "BLDM140389"}]));
    assert_eq!(world.ask("DELETE", &path, json!({})).await, json!(true));
    assert_eq!(world.call(&world.as_key(), "DELETE", &path, json!({})).await.0, 404);
    let (status, answer) = world.call(&world.as_key(), "POST", "/users", json!({})).await;
    assert_eq!((status, &answer["errors"][0]["field"]), (400, &json!("name")));
}

#[tokio::test]
async fn users_are_passed_over_up_to_a_bound() {
    let world = World::new().await;
    for (skip, status) in [(100_000, 200), (100_001, 400), (u64::MAX, 400)] {
        let (found, answer) =
            world.call(&world.as_key(), "GET", "/users", json!({"skip": skip})).await;
        assert_eq!(found, status, "{skip} {answer}");
    }
}

#[tokio::test]
async fn a_user_needs_no_external_id() {
    let world = World::new().await;
    let made = world.ask("POST", "/users", json!({"name": "El Santo"})).await;
    assert_eq!(made["id_external"], Value::Null);
    let other = world.ask("POST", "/users", json!({"name": "El Santo"})).await;
    assert_ne!(made["id_user"], other["id_user"]);
}

#[tokio::test]
async fn a_session_is_64_digits_and_ends_after_5_minutes_without_use() {
    let world = World::new().await;
    let user = world.user("MIST030794").await;
    let made = world.ask("POST", "/sessions", json!({"id_user": user})).await;
    let token = text(&made["token"]);
    assert_eq!(made, json!({"token": token}));
    assert!(token.len() == 64 && token.bytes().all(|b| b.is_ascii_hexdigit()), "{token}");
    let verify = format!("/sessions/{token}/verify");
    // The vendor's clients send no authorization here.
    for _ in 0..4 {
        world.clock.advance_ms(4 * 60_000);
        assert_eq!(world.ask_as("", "GET", &verify, json!({})).await, json!(true));
    }
    world.clock.advance_ms(5 * 60_000 + 1);
    assert_eq!(world.call("", "GET", &verify, json!({})).await.0, 401);
    let session = format!("TOKEN token={token}");
    assert_eq!(world.call(&session, "GET", "/credentials", json!({})).await.0, 401);
}

#[tokio::test]
async fn a_session_that_is_deleted_is_over() {
    let world = World::new().await;
    let user = world.user("MIST030794").await;
    let session = world.session(&user).await;
    let path = format!("/sessions/{}", session.rsplit('=').next().unwrap());
    assert_eq!(world.ask_as(&session, "GET", "/credentials", json!({})).await, json!([]));
    assert_eq!(world.ask_as("", "DELETE", &path, json!({})).await, json!(true));
    assert_eq!(world.call(&session, "GET", "/credentials", json!({})).await.0, 401);
    assert_eq!(world.call("", "DELETE", &path, json!({})).await.0, 401);
}

#[tokio::test]
async fn an_api_key_is_no_session() {
    let world = World::new().await;
    let path = format!("/sessions/{}", world.key);
    assert_eq!(world.call("", "GET", &format!("{path}/verify"), json!({})).await.0, 401);
    assert_eq!(world.call("", "DELETE", &path, json!({})).await.0, 401);
    assert_eq!(world.ask("GET", "/users", json!({})).await, json!([]));
}

#[tokio::test]
async fn sessions_are_for_users_that_there_are() {
    let world = World::new().await;
    for (request, status) in [
        (json!({}), 400),
        (json!({"id_user": "000000000000000000000000"}), 404),
        (json!({"id_user": "nonsense"}), 404),
    ] {
        let answer = world.call(&world.as_key(), "POST", "/sessions", request.clone()).await;
        assert_eq!(answer.0, status, "{request}");
    }
}
