//! Everything that is not a success.

use axum::body::Body;
use axum::response::Response;
use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_service::ConnectToken;

use super::world::{HOME, OTHERS, WORK, World, json as body_of};

const ENDPOINTS: [&str; 2] = ["/subscribe-webhook", "/unsubscribe-webhook"];

/// Status 400 with this code, and a message that contains `words`.
async fn check_refused(world: &World, path: &str, body: Value, code: &str, words: &str) {
    let (status, answer) = world.post(path, &world.token, &body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {answer}");
    assert_eq!(answer["code"], code, "{body}: {answer}");
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains(words), "{body}: {message}");
    assert_eq!(answer["error"], message, "{body}");
}

#[tokio::test]
async fn missing_fields_and_wrong_types_are_named() {
    let world = World::new().await;
    for (body, code, words) in [
        (json!({}), "missing", "provider is required"),
        (json!({"provider": null, "calendarId": WORK}), "missing", "provider is required"),
        (json!({"provider": "caldav"}), "missing", "calendarId is required"),
        (json!({"provider": "caldav", "calendarId": ""}), "missing", "calendarId is required"),
        (json!({"provider": 1, "calendarId": WORK}), "wrong_type", "provider must be a string"),
        (json!({"provider": "caldav", "calendarId": [1]}), "wrong_type", "calendarId must be"),
        (json!({"provider": "fax", "calendarId": WORK}), "unsupported_provider", "\"fax\""),
        (json!({"provider": "CalDAV", "calendarId": WORK}), "unsupported_provider", "\"CalDAV\""),
    ] {
        check_refused(&world, ENDPOINTS[0], body, code, words).await;
    }
    for (body, code, words) in [
        (json!({"channelId": "c"}), "missing", "provider is required"),
        (json!({"provider": "caldav"}), "missing", "channelId is required"),
        (json!({"provider": "fax", "channelId": "c"}), "unsupported_provider", "\"fax\""),
        (
            json!({"provider": "caldav", "channelId": "c", "resourceId": 1}),
            "wrong_type",
            "resourceId must be a string",
        ),
    ] {
        check_refused(&world, ENDPOINTS[1], body, code, words).await;
    }
    assert_eq!(world.hooks().await, []);
}

#[tokio::test]
async fn optional_fields_are_checked_too() {
    let world = World::new().await;
    for (field, value, code, words) in [
        ("channelId", json!(5), "wrong_type", "channelId must be a string"),
        ("channelId", json!("a\nb"), "invalid", "channelId must not contain control"),
        ("channelId", json!("x".repeat(300)), "invalid", "channelId must be at most"),
        ("expiration", json!("soon"), "wrong_type", "expiration must be a number"),
        ("expiration", json!(1), "invalid", "expiration must lie in the future"),
    ] {
        let mut body = json!({"provider": "caldav", "calendarId": WORK});
        body[field] = value;
        check_refused(&world, ENDPOINTS[0], body, code, words).await;
    }
    assert_eq!(world.hooks().await, []);
}

#[tokio::test]
async fn only_the_users_own_calendars_and_free_channels_are_accepted() {
    let world = World::new().await;
    let on = |provider, calendar, channel| json!({"provider": provider, "calendarId": calendar, "channelId": channel});
    let taken = on("caldav", WORK, "taken");
    assert_eq!(world.post(ENDPOINTS[0], &world.token, &taken).await.0, StatusCode::OK);
    for (body, code, words) in [
        (on("google", "primary", "c"), "not_found", "calendar not found"),
        (on("microsoft", WORK, "c"), "not_found", "calendar not found"),
        (on("apple", WORK, "c"), "not_found", "calendar not found"),
        (on("caldav", "/u/nope/", "c"), "not_found", "calendar not found"),
        (on("caldav", OTHERS, "c"), "not_found", "calendar not found"),
        (on("caldav", HOME, "taken"), "conflict", "channel id is in use"),
    ] {
        check_refused(&world, ENDPOINTS[0], body, code, words).await;
    }
    assert_eq!(world.hooks().await.len(), 1);
}

#[tokio::test]
async fn every_documented_provider_can_be_unsubscribed() {
    let world = World::new().await;
    for provider in ["google", "microsoft", "apple", "caldav"] {
        let request = json!({"provider": provider, "channelId": "c"});
        let (status, answer) = world.post(ENDPOINTS[1], &world.token, &request).await;
        assert_eq!((status, &answer["success"]), (StatusCode::OK, &json!(true)), "{provider}");
    }
}

#[tokio::test]
async fn without_a_webhook_url_nothing_can_be_subscribed() {
    let mut world = World::new().await;
    world.set_webhook_url(None).await;
    let request = json!({"provider": "caldav", "calendarId": WORK});
    let (status, answer) = world.post(ENDPOINTS[0], &world.token, &request).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["message"].as_str().unwrap().contains("webhook url not configured"), "{answer}");
}

#[tokio::test]
async fn a_caller_without_a_valid_connect_token_is_a_stranger() {
    let world = World::new().await;
    let expiring = ConnectToken {
        expires_at: Some(Timestamp::parse("2026-03-12T10:00:00.000Z").unwrap()),
        ..ConnectToken::default()
    };
    let mint = |input| world.service.mint_connect_token(&world.owner, world.user.id, input);
    let expired = mint(expiring).await.unwrap().token.reveal().to_owned();
    let revoked = mint(ConnectToken::default()).await.unwrap();
    world.service.revoke_key(&world.owner, revoked.key.id).await.unwrap();
    world.clock.advance_ms(2 * 3600 * 1000);
    let forged = format!("{}0", &world.token[..world.token.len() - 1]);
    for token in ["", "x", "é", &forged, &expired, revoked.token.reveal(), &world.owner_key] {
        for path in ENDPOINTS {
            // The body is wrong too, which a stranger is not told.
            let authorization = format!("Bearer {token}").into_bytes();
            let request = Request::post(path).header(AUTHORIZATION, authorization);
            let response = world.send(request.body(Body::from("{")).unwrap()).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path} {token}");
            if token != world.owner_key {
                check_unauthorized(response).await;
            }
        }
    }
    let request = json!({"provider": "caldav", "calendarId": WORK, "channelId": "c"});
    for path in ENDPOINTS {
        let (status, answer) = world.post(path, &world.owner_key, &request).await;
        assert_eq!((status, &answer["error"]), (StatusCode::UNAUTHORIZED, &json!("Unauthorized")));
        let bare = Request::post(path).body(Body::from(request.to_string())).unwrap();
        check_unauthorized(world.send(bare).await).await;
    }
}

async fn check_unauthorized(response: Response) {
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(response.headers().contains_key(WWW_AUTHENTICATE));
    let answer = body_of(response).await;
    assert_eq!(answer["error"], "Unauthorized");
    assert!(answer["message"].as_str().unwrap().contains("access token"), "{answer}");
}

#[tokio::test]
async fn hostile_bodies_get_a_clear_4xx() {
    let world = World::new().await;
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(100), "]".repeat(100));
    let large = format!("{{\"x\":\"{}\"}}", "a".repeat(300_000));
    for (body, content_type, status) in [
        (&b""[..], "application/json", 400),
        (b" ", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b"\"text\"", "application/json", 400),
        (b"{\"provider\":\"caldav\",}", "application/json", 400),
        (b"{\"provider\":\"cal\xff\"}", "application/json", 400),
        (b"{\"provider\":\"\\ud800\"}", "application/json", 400),
        (b"{\"x\":1e400}", "application/json", 400),
        (b"provider=caldav", "application/json", 400),
        (deep.as_bytes(), "application/json", 400),
        ("[".repeat(100_000).as_bytes(), "application/json", 400),
        (large.as_bytes(), "application/json", 413),
        (b"{}", "text/plain", 415),
        (b"provider=caldav", "application/x-www-form-urlencoded", 415),
        (b"{}", "application/json; charset=utf-16", 415),
    ] {
        for path in ENDPOINTS {
            let request = Request::post(path)
                .header(AUTHORIZATION, format!("Bearer {}", world.token))
                .header(CONTENT_TYPE, content_type)
                .body(Body::from(body.to_vec()));
            let response = world.send(request.unwrap()).await;
            let start = String::from_utf8_lossy(&body[..body.len().min(30)]).into_owned();
            assert_eq!(response.status(), status, "{path} {content_type} {start}");
            let answer = body_of(response).await;
            assert!(!answer["message"].as_str().unwrap().is_empty(), "{start}");
            assert_eq!(answer["error"], answer["message"], "{start}");
        }
    }
}

#[tokio::test]
async fn other_methods_are_refused_in_the_dialects_words() {
    let world = World::new().await;
    for path in ["/subscribe-webhook", "/connect/api/unsubscribe-webhook"] {
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            let request = Request::builder().method(&method).uri(path).body(Body::empty()).unwrap();
            let response = world.send(request).await;
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(response.headers()[ALLOW], "POST", "{method} {path}");
            assert_eq!(body_of(response).await["code"], "method_not_allowed", "{method} {path}");
        }
    }
}
