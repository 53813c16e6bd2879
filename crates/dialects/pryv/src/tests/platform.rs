//! Registration, login, the service information, and the forms of authorization.

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tidings_service::Registration;
use zeroize::Zeroizing;

use super::world::{ANA, PASSWORD, World, refused, without_meta};
use crate::Options;

#[tokio::test]
async fn the_service_describes_itself_everywhere() {
    let world = World::new().await;
    for path in ["/service/info", "/ana-test/service/info", "/anybody/service/info"] {
        let (status, info) = world.call(Method::GET, path, "", Value::Null).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(info["api"], "http://tidings.example:8080/pryv/{username}/");
        assert_eq!(info["register"], "http://tidings.example:8080/pryv/");
        for name in ["access", "name", "home", "support", "terms", "eventTypes", "version"] {
            assert!(info[name].is_string(), "{name} {info}");
        }
    }
}

#[tokio::test]
async fn a_platform_with_a_domain_has_a_host_for_each_person() {
    let options = Options {
        domain: Some("pryv.example".into()),
        name: Some("Pryv Lab".into()),
        ..Options::default()
    };
    let world = World::empty(options, Registration::Open).await;
    for (host, api) in [
        ("ana.pryv.example:8080", "http://{username}.pryv.example:8080/"),
        ("pryv.example", "http://{username}.pryv.example/"),
        ("other.example", "http://other.example/pryv/{username}/"),
        ("notpryv.example", "http://notpryv.example/pryv/{username}/"),
    ] {
        let request = Request::get("/pryv/service/info").header("host", host);
        let (_, info) = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((&info["api"], &info["name"]), (&json!(api), &json!("Pryv Lab")));
    }
}

#[tokio::test]
async fn a_person_registers_once() {
    let world = World::new().await;
    let (status, body) = world.register("tom-test").await;
    assert_eq!((status, &body["username"]), (StatusCode::CREATED, &json!("tom-test")));
    let endpoint = body["apiEndpoint"].as_str().unwrap();
    let token = endpoint.strip_prefix("http://").and_then(|rest| rest.split_once('@')).unwrap();
    assert_eq!(token.1, "tidings.example:8080/pryv/tom-test/");
    let (_, info) = world.call(Method::GET, "/tom-test/access-info", token.0, Value::Null).await;
    assert_eq!(
        (&info["type"], &info["user"]["username"]),
        (&json!("personal"), &json!("tom-test"))
    );
    let (status, body) = world.register("tom-test").await;
    let error = json!({
        "id": "item-already-exists",
        "message": "An user with username \"tom-test\" already exists",
        "data": { "username": "tom-test" },
    });
    assert_eq!((status.as_u16(), &body["error"]), (409, &error));
    for name in ["x", "UPPER CASE", "-dash-", "users", "service"] {
        refused(&world.register(name).await, 400, "invalid-parameters-format");
    }
    let lacking = world.call(Method::POST, "/users", "", json!({})).await;
    refused(&lacking, 400, "invalid-parameters-format");
    assert_eq!(lacking.1["error"]["data"].as_array().unwrap().len(), 4);
    for (name, reserved) in [("tom-test", true), ("nobody-yet", false), ("users", true)] {
        let path = format!("/{name}/check_username");
        let (_, body) = world.call(Method::GET, &path, "", Value::Null).await;
        assert_eq!(body["reserved"], reserved, "{name}");
    }
    let server = world.call(Method::POST, "/tom-test/server", "", json!({})).await;
    assert_eq!(server.1["server"], "tidings.example:8080");
    let server = world.call(Method::POST, "/nobody-yet/server", "", json!({})).await;
    refused(&server, 404, "unknown-resource");
}

#[tokio::test]
async fn registration_may_need_an_invitation() {
    let invited = Registration::Invited(vec![Zeroizing::new("enjoy".into())]);
    let world = World::empty(Options::default(), invited).await;
    refused(&world.register("tom-test").await, 400, "invitationToken-invalid");
    let person = json!({
        "appId": "my-app-id", "username": "tom-test", "password": PASSWORD,
        "email": "tom@example.com", "invitationToken": "enjoy",
    });
    let (status, body) = world.call(Method::POST, "/users", "", person).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
}

#[tokio::test]
async fn a_person_logs_in_from_a_trusted_app() {
    let world = World::new().await;
    let login = async |path: &str, origin: Option<&str>, body: Value| {
        let mut request = Request::post(format!("/pryv/{path}/auth/login"))
            .header("host", "tidings.example")
            .header(CONTENT_TYPE, "application/json");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        world.send(request.body(Body::from(body.to_string())).unwrap()).await
    };
    let good = json!({ "username": ANA, "password": PASSWORD, "appId": "my-app-id" });
    let with = |name: &str, value: &str| {
        let mut body = good.clone();
        body[name] = json!(value);
        body
    };
    let origin = Some("https://sw.example.com");
    let (status, body) = login(ANA, origin, good.clone()).await;
    let token = body["token"].as_str().unwrap();
    let printed = json!({
        "apiEndpoint": format!("http://{token}@tidings.example/pryv/{ANA}/"),
        "token": token,
        "preferredLanguage": "fr",
    });
    assert_eq!((status, without_meta(body.clone())), (StatusCode::OK, printed));
    for (path, origin, body, status, id) in [
        (ANA, origin, with("password", "wrong"), 401, "invalid-credentials"),
        (ANA, origin, with("username", "tom-test"), 401, "invalid-credentials"),
        (ANA, None, good.clone(), 401, "invalid-credentials"),
        ("nobody", origin, good.clone(), 404, "unknown-resource"),
        (ANA, origin, json!({ "username": ANA }), 400, "invalid-parameters-format"),
        (ANA, origin, with("odd", "x"), 400, "invalid-parameters-format"),
    ] {
        refused(&login(path, origin, body).await, status, id);
    }
    let referred = Request::post(format!("/pryv/{ANA}/auth/login"))
        .header(CONTENT_TYPE, "application/json")
        .header("referer", "https://sw.example.com/login.html");
    let (status, _) = world.send(referred.body(Body::from(good.to_string())).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_personal_access_ends_after_14_days() {
    let world = World::new().await;
    world.clock.advance_ms(14 * 86_400_000 - 1);
    assert_eq!(world.get("/access-info", &world.ana).await.0, StatusCode::OK);
    world.clock.advance_ms(2_000);
    refused(&world.get("/access-info", &world.ana).await, 401, "invalid-access-token");
}

#[tokio::test]
async fn the_token_comes_in_every_documented_form() {
    use base64::Engine;
    let world = World::new().await;
    let token = &world.ana;
    let basic = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let (_, info) = world.get("/access-info", token).await;
    let id = info["id"].as_str().unwrap();
    for (query, authorization) in [
        (String::new(), Some(token.clone())),
        (String::new(), Some(format!("{token} my-caller-id"))),
        (String::new(), Some(format!("Bearer {token}"))),
        (String::new(), Some(format!("Basic {}", basic(token.clone())))),
        (String::new(), Some(format!("Basic {}", basic(format!("{token}:"))))),
        (format!("?auth={token}"), None),
    ] {
        let mut request = Request::get(format!("/pryv/{ANA}/access-info{query}"));
        if let Some(authorization) = &authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let response = world.respond(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK, "{query} {authorization:?}");
        assert_eq!(response.headers()["pryv-access-id"], id);
    }
}

#[tokio::test]
async fn a_form_stands_for_other_methods() {
    let world = World::new().await;
    world.stream("health", None).await;
    let form = format!("_method=PUT&_auth={}&_json=%7B%22name%22%3A%22Renamed%22%7D", world.ana);
    let request = Request::post(format!("/pryv/{ANA}/streams/health"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form));
    let (status, body) = world.send(request.unwrap()).await;
    assert_eq!((status, &body["stream"]["name"]), (StatusCode::OK, &json!("Renamed")));
}

#[tokio::test]
async fn strangers_are_told_what_is_missing() {
    let world = World::new().await;
    world.register("tom-test").await;
    let tom = world.login("tom-test").await;
    let (status, body) = world.get("/events", "").await;
    let error = json!({
        "id": "invalid-access-token",
        "message": "The access token is missing: expected an \"Authorization\" header or an \"auth\" \
                    query string parameter.",
    });
    assert_eq!((status.as_u16(), &body["error"]), (401, &error));
    let (status, body) = world.get("/events", "nonsense").await;
    let error =
        json!({ "id": "invalid-access-token", "message": "Cannot find access from token." });
    assert_eq!((status.as_u16(), &body["error"]), (401, &error));
    refused(&world.get("/events", &tom).await, 401, "invalid-access-token");
    let (status, body) = world.call(Method::GET, "/nobody/events", &tom, Value::Null).await;
    let error = json!({ "id": "unknown-resource", "message": "Unknown user \"nobody\"" });
    assert_eq!((status.as_u16(), &body["error"]), (404, &error));
}

#[tokio::test]
async fn a_key_of_the_installation_is_no_access() {
    let world = World::new().await;
    refused(&world.get("/events", world.owner_key()).await, 401, "invalid-access-token");
}
