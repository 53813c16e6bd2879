//! Codes, access tokens and refresh tokens.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::world::{Browser, REDIRECT_URI, World, json as body_of};

async fn code(world: &World) -> String {
    world.set_redirect_uri(REDIRECT_URI).await;
    let mut browser = Browser::new(world);
    let query = format!("client_id={}&user_id=user-123", world.client_id());
    browser.get(&format!("/oauth/authorize?{query}")).await;
    browser.connects("ada").await
}

fn exchange(code: &str) -> String {
    format!("grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}")
}

fn refresh(tokens: &Value) -> String {
    let token = tokens["refresh_token"].as_str().unwrap();
    format!("grant_type=refresh_token&refresh_token={token}&redirect_uri={REDIRECT_URI}")
}

fn claims(token: &Value) -> Value {
    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn refused(error: &str, description: &str) -> Value {
    json!({"error": error, "error_description": description, "message": description})
}

async fn works(world: &World, tokens: &Value) -> bool {
    let token = tokens["access_token"].as_str().unwrap();
    world.get("/calendars", token).await.0 == StatusCode::OK
}

#[tokio::test]
async fn a_code_is_traded_for_tokens_with_the_documented_claims() {
    let world = World::new().await;
    let tokens = world.trade(&code(&world).await).await;
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(tokens.as_object().unwrap().len(), 4, "{tokens}");
    let (access, refresh) = (claims(&tokens["access_token"]), claims(&tokens["refresh_token"]));
    for claims in [&access, &refresh] {
        assert_eq!(claims["sub"], "user-123");
        assert_eq!(claims["aud"], world.client_id());
        assert_eq!(claims["projectId"], world.client_id());
    }
    assert_eq!(access["exp"].as_i64().unwrap(), world.clock.now().unix_seconds() + 3600);
    assert_eq!((access.get("type"), &refresh["type"]), (None, &json!("refresh")));
    assert_eq!(refresh.get("exp"), None);
    assert!(refresh["jti"].as_str().is_some_and(|jti| jti.len() >= 16));
    assert!(works(&world, &tokens).await);
}

#[tokio::test]
async fn credentials_come_in_the_header_or_the_body_as_form_or_json() {
    let world = World::new().await;
    let (id, secret) = (world.client_id(), world.secret.clone());
    for (path, is_json) in [("/oauth/token", false), ("/token", true), ("/api/oauth/token", true)] {
        let code = code(&world).await;
        let (media_type, body) = if is_json {
            let body = json!({"grant_type": "authorization_code", "code": code,
                "redirect_uri": REDIRECT_URI, "client_id": id, "client_secret": secret});
            ("application/json", body.to_string())
        } else {
            let body = format!("{}&client_id={id}&client_secret={secret}", exchange(&code));
            ("application/x-www-form-urlencoded", body)
        };
        let request = Request::post(path).header(CONTENT_TYPE, media_type).body(Body::from(body));
        let response = world.send(request.unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(body_of(response).await["token_type"], "Bearer", "{path}");
    }
}

#[tokio::test]
async fn wrong_client_credentials_are_a_401() {
    let world = World::new().await;
    let id = world.client_id();
    let other = tidings_service::NewKey {
        name: "reader".into(),
        scopes: vec![tidings_service::Scope::Read],
        ..Default::default()
    };
    let other = world.service.create_key(&world.owner, other).await.unwrap();
    for (id, secret) in [
        ("proj-123", "secret-xyz"),
        (id.as_str(), "secret-xyz"),
        ("app_00000000000000000000", world.secret.as_str()),
        (id.as_str(), other.token.reveal()),
        (id.as_str(), world.token.as_str()),
        (id.as_str(), ""),
        ("", ""),
    ] {
        let body = format!("{}&client_id={id}&client_secret={secret}", exchange("c"));
        let request = Request::post("/oauth/token").body(Body::from(body)).unwrap();
        let response = world.send(request).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{id} {secret}");
        assert!(response.headers().contains_key(WWW_AUTHENTICATE));
        let expected = refused("invalid_client", "Client authentication failed");
        assert_eq!(body_of(response).await, expected, "{id} {secret}");
    }
}

#[tokio::test]
async fn a_code_works_once_and_showing_it_again_ends_what_it_was_traded_for() {
    let world = World::new().await;
    let code = code(&world).await;
    let tokens = world.trade(&code).await;
    assert!(works(&world, &tokens).await);
    let again = world.ask_token("/oauth/token", &exchange(&code)).await;
    let expected = refused("invalid_grant", "Invalid authorization code");
    assert_eq!(again, (StatusCode::BAD_REQUEST, expected));
    assert!(!works(&world, &tokens).await);
    let (status, _) = world.ask_token("/oauth/token", &refresh(&tokens)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_is_wrong_with_a_code_is_said_as_documented() {
    let world = World::new().await;
    let good = code(&world).await;
    let elsewhere = exchange(&good).replace("callback", "other");
    for (form, error, description) in [
        (exchange("user-456"), "invalid_grant", "Invalid authorization code"),
        (elsewhere, "invalid_grant", "Redirect URI mismatch"),
        (format!("{}&client_id=proj-9", exchange(&good)), "invalid_grant", "Client mismatch"),
        (
            "grant_type=authorization_code".into(),
            "invalid_request",
            "Missing required parameter: code",
        ),
        (
            format!("grant_type=authorization_code&code={good}"),
            "invalid_request",
            "Missing required parameter: redirect_uri",
        ),
        ("code=x".into(), "invalid_request", "Missing required parameter: grant_type"),
        (
            "grant_type=refresh_token".into(),
            "invalid_request",
            "Missing required parameter: refresh_token",
        ),
        (
            "grant_type=refresh_token&refresh_token=x".into(),
            "invalid_grant",
            "Invalid refresh token",
        ),
        (
            "grant_type=password".into(),
            "unsupported_grant_type",
            "grant_type must be authorization_code or refresh_token",
        ),
    ] {
        let answer = world.ask_token("/oauth/token", &form).await;
        assert_eq!(answer, (StatusCode::BAD_REQUEST, refused(error, description)), "{form}");
    }
    world.clock.advance_ms(10 * 60 * 1000);
    let expected = refused("invalid_grant", "Authorization code expired");
    let answer = world.ask_token("/oauth/token", &exchange(&good)).await;
    assert_eq!(answer, (StatusCode::BAD_REQUEST, expected));
}

#[tokio::test]
async fn the_code_of_another_app_is_a_client_mismatch() {
    let world = World::new().await;
    let code = code(&world).await;
    let new = tidings_service::NewApp { name: "other".into(), ..Default::default() };
    let other = world.service.create_app(&world.owner, new).await.unwrap();
    let owner = world.service.authenticate(&world.owner_key, Some(other.id)).await.unwrap();
    let key = tidings_service::NewKey {
        name: "server".into(),
        scopes: vec![tidings_service::Scope::Accounts],
        ..Default::default()
    };
    let key = world.service.create_key(&owner, key).await.unwrap();
    let body =
        format!("{}&client_id={}&client_secret={}", exchange(&code), other.id, key.token.reveal());
    let response = world.send(Request::post("/token").body(Body::from(body)).unwrap()).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(body_of(response).await, refused("invalid_grant", "Client mismatch"));
}

#[tokio::test]
async fn a_code_whose_user_is_gone_is_no_longer_valid() {
    let world = World::new().await;
    let code = code(&world).await;
    world.service.delete_user(&world.owner, world.user.id).await.unwrap();
    let (status, answer) = world.ask_token("/oauth/token", &exchange(&code)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    // Deleting a user revokes the codes given for it.
    assert_eq!(answer, refused("invalid_grant", "Invalid authorization code"));
}

#[tokio::test]
async fn refresh_tokens_rotate_and_access_tokens_last_an_hour() {
    let world = World::new().await;
    let first = world.trade(&code(&world).await).await;
    let (status, second) = world.ask_token("/oauth/token", &refresh(&first)).await;
    assert_eq!(status, StatusCode::OK, "{second}");
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_ne!(first["access_token"], second["access_token"]);
    assert!(works(&world, &first).await && works(&world, &second).await);
    world.clock.advance_ms(3_600_000);
    assert!(!works(&world, &second).await, "an access token lasts an hour");
    let (status, _) = world.ask_token("/oauth/token", &refresh(&second)).await;
    assert_eq!(status, StatusCode::OK, "a refresh token does not end by itself");
}

#[tokio::test]
async fn concurrent_refreshes_of_the_newest_token_are_accepted() {
    let world = World::new().await;
    let first = world.trade(&code(&world).await).await;
    let form = refresh(&first);
    let (one, other) = tokio::join!(
        world.ask_token("/oauth/token", &form),
        world.ask_token("/oauth/token", &form)
    );
    assert_eq!((one.0, other.0), (StatusCode::OK, StatusCode::OK));
    for tokens in [&one.1, &other.1] {
        let (status, answer) = world.ask_token("/oauth/token", &refresh(tokens)).await;
        assert_eq!(status, StatusCode::OK, "both answers can be gone on with: {answer}");
    }
}

#[tokio::test]
async fn a_copy_two_rotations_old_revokes_the_authorization() {
    let world = World::new().await;
    let first = world.trade(&code(&world).await).await;
    let (_, second) = world.ask_token("/oauth/token", &refresh(&first)).await;
    let (_, third) = world.ask_token("/oauth/token", &refresh(&second)).await;
    let old = world.ask_token("/oauth/token", &refresh(&first)).await;
    let expected = refused("invalid_grant", "Invalid refresh token");
    assert_eq!(old, (StatusCode::BAD_REQUEST, expected.clone()));
    assert!(!works(&world, &third).await);
    let newest = world.ask_token("/oauth/token", &refresh(&third)).await;
    assert_eq!(newest, (StatusCode::BAD_REQUEST, expected));
}

#[tokio::test]
async fn revoking_either_token_ends_all_of_the_user_and_tells_nothing() {
    let world = World::new().await;
    for name in ["access_token", "refresh_token"] {
        let (one, other) =
            (world.trade(&code(&world).await).await, world.trade(&code(&world).await).await);
        let request = json!({"token": one[name]});
        for _ in 0..2 {
            let answer = world.post("/oauth/revoke", "", &request).await;
            assert_eq!(answer, (StatusCode::OK, json!({"success": true})), "{name}");
        }
        assert!(!works(&world, &one).await && !works(&world, &other).await, "{name}");
    }
    let answer = world.post("/revoke", "", &json!({"token": "never was one"})).await;
    assert_eq!(answer, (StatusCode::OK, json!({"success": true})));
    for wrong in [json!({}), json!({"token": 7})] {
        assert_eq!(world.post("/oauth/revoke", "", &wrong).await.0, StatusCode::BAD_REQUEST);
    }
    // An API key is no token of Connect: nobody ends it here.
    world.post("/oauth/revoke", "", &json!({"token": world.secret})).await;
    world.trade(&code(&world).await).await;
}

#[tokio::test]
async fn a_token_minted_by_itself_can_be_revoked_by_who_holds_it() {
    let world = World::new().await;
    assert_eq!(world.get("/calendars", &world.token).await.0, StatusCode::OK);
    world.post("/oauth/revoke", "", &json!({"token": world.token})).await;
    assert_eq!(world.get("/calendars", &world.token).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(world.get("/calendars", &world.other_token).await.0, StatusCode::OK);
}

#[tokio::test]
async fn refresh_tokens_and_codes_let_no_request_in() {
    let world = World::new().await;
    let code = code(&world).await;
    let tokens = world.trade(&code).await;
    for token in [code.as_str(), tokens["refresh_token"].as_str().unwrap()] {
        assert_eq!(world.get("/calendars", token).await.0, StatusCode::UNAUTHORIZED);
    }
}
