//! Who is not let in, and what there is not.

use axum::body::Body;
use http::header::AUTHORIZATION;
use http::{Method, Request};
use serde_json::{Value, json};
use tidings_core::id::{Bits96, UserId};
use tidings_service::{GrantKind, NewToken, Scope, TokenText};

use super::world::{World, enveloped};

#[tokio::test]
async fn every_form_of_the_api_key_is_let_in() {
    let world = World::new().await;
    let key = &world.key;
    for authorization in [
        format!("api_key api_key={key}"),
        format!("API_KEY api_key={key}"),
        format!("Api_Key api_key={key}"),
        format!("Bearer {key}"),
        format!("bearer {key}"),
        format!("TOKEN token={key}"),
    ] {
        let answer = world.call(&authorization, "GET", "/webhooks", Value::Null).await;
        assert_eq!(answer.0, 200, "{}", authorization.split(key).next().unwrap());
    }
    for (path, body) in [
        (format!("/v1/webhooks?api_key={key}"), String::new()),
        (format!("/v1/webhooks/?token={key}"), String::new()),
        ("/v1/webhooks".into(), json!({"api_key": key}).to_string()),
    ] {
        let request =
            Request::get(path).header("content-type", "application/json").body(Body::from(body));
        assert_eq!(enveloped(world.send(request.unwrap()).await).await.0, 200);
    }
}

#[tokio::test]
async fn strangers_get_the_documented_401() {
    let world = World::new().await;
    let forged = format!("{}0", &world.key[..world.key.len() - 1]);
    for authorization in [
        "x".to_owned(),
        "api_key".into(),
        "api_key api_key=".into(),
        format!("api_key api_key={forged}"),
        format!("Basic {}", world.key),
        world.key.clone(),
        format!("TOKEN token={}", "0".repeat(64)),
        format!("Bearer {}", "x".repeat(10_000)),
    ] {
        for (method, path) in [
            ("GET", "/webhooks"),
            ("POST", "/webhooks"),
            ("GET", "/users"),
            ("POST", "/sessions"),
            ("GET", "/credentials"),
            ("GET", "/transactions"),
            ("GET", "/catalogues/sites"),
            ("GET", "/webhooks/subscriptions"),
        ] {
            let (status, answer) = world.call(&authorization, method, path, Value::Null).await;
            let shown = (&answer["message"], &answer["errors"], &answer["response"]);
            assert_eq!(status, 401, "{method} {path}");
            assert_eq!(shown, (&json!("Unauthorized"), &Value::Null, &Value::Null));
        }
    }
    let bare = Request::get("/v1/webhooks").body(Body::empty()).unwrap();
    assert_eq!(enveloped(world.send(bare).await).await.0, 401);
}

#[tokio::test]
async fn tokens_of_other_dialects_get_the_documented_401() {
    let world = World::new().await;
    let user = world.user("A").await;
    let user = UserId(Bits96::from_hex24(&user).unwrap());
    for kind in [GrantKind::Access, GrantKind::Connect, GrantKind::Code, GrantKind::Refresh] {
        let new = NewToken {
            kind,
            user: Some(user),
            parent: None,
            name: "t".into(),
            scopes: vec![Scope::Read, Scope::Accounts, Scope::Records],
            details: json!({}),
            expires_at: None,
            text: TokenText::Made,
        };
        let (_, token) = world.service.mint_token(&world.owner, new, Vec::new()).await.unwrap();
        let authorization = format!("TOKEN token={}", token.as_str());
        for (method, path) in [
            ("GET", "/credentials"),
            ("GET", "/transactions"),
            ("GET", "/webhooks"),
            ("GET", "/users"),
        ] {
            let (status, answer) = world.call(&authorization, method, path, Value::Null).await;
            let shown = (&answer["message"], &answer["errors"], &answer["response"]);
            assert_eq!(status, 401, "{kind:?} {method} {path}");
            assert_eq!(shown, (&json!("Unauthorized"), &Value::Null, &Value::Null));
        }
        let verify = format!("/sessions/{}/verify", token.as_str());
        assert_eq!(world.call("", "GET", &verify, json!({})).await.0, 401, "{kind:?}");
    }
}

#[tokio::test]
async fn a_session_manages_neither_webhooks_nor_users() {
    let world = World::new().await;
    let session = world.session(&world.user("MIST030794").await).await;
    for (method, path) in [
        ("GET", "/webhooks"),
        ("POST", "/webhooks"),
        ("GET", "/users"),
        ("POST", "/users"),
        ("POST", "/sessions"),
        ("GET", "/webhooks/subscriptions"),
    ] {
        let answer = world.call(&session, method, path, json!({})).await;
        assert_eq!(answer.0, 403, "{method} {path}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_a_404() {
    let world = World::new().await;
    for (method, path) in [
        ("GET", ""),
        ("GET", "/"),
        ("GET", "/nothing"),
        ("PUT", "/webhooks"),
        ("GET", "/webhooks/5e17c4746cee651e7b03df34"),
        ("POST", "/webhooks/5e17c4746cee651e7b03df34"),
        ("DELETE", "/webhooks/5e17c4746cee651e7b03df34"),
        ("DELETE", "/webhooks/nonsense"),
        ("PUT", "/users"),
        ("DELETE", "/users/nonsense"),
        ("POST", "/accounts"),
        ("GET", "/accounts/x"),
        ("GET", "/transactions/x/y"),
        ("GET", "/credentials/5e17c4746cee651e7b03df34"),
        ("GET", "/jobs/5e17c4746cee651e7b03df34/status"),
        ("GET", "/attachments/5e17c4746cee651e7b03df34"),
        ("GET", "/webhooks/events/5e17c474-6cee-451e-8b03-df34df34df34/documents"),
        ("GET", "/catalogues/nothing"),
    ] {
        let (status, answer) = world.call(&world.as_key(), method, path, Value::Null).await;
        assert_eq!((status, &answer["message"]), (404, &json!("Not Found")), "{method} {path}");
    }
}

#[tokio::test]
async fn other_methods_and_bodies_are_a_400() {
    let world = World::new().await;
    for method in [Method::PATCH, Method::OPTIONS, Method::TRACE] {
        let request = Request::builder()
            .method(&method)
            .uri("/v1/webhooks")
            .header(AUTHORIZATION, world.as_key())
            .body(Body::empty());
        assert_eq!(enveloped(world.send(request.unwrap()).await).await.0, 400, "{method}");
    }
    let large = format!("{{\"x\":\"{}\"}}", "a".repeat(300_000));
    for body in [large.as_str(), "{", "[]", &"[".repeat(100_000)] {
        let request = Request::post("/v1/webhooks")
            .header(AUTHORIZATION, world.as_key())
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()));
        let start = &body[..body.len().min(20)];
        assert_eq!(enveloped(world.send(request.unwrap()).await).await.0, 400, "{start}");
    }
}
