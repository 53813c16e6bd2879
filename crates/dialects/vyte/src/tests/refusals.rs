//! Every documented error, on every kind of path.

use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use tidings_core::limits;
use tidings_service::Scope;

use super::world::World;

/// A call of each kind.
const CALLS: [(&str, &str); 14] = [
    ("GET", "/v2/hooks"),
    ("POST", "/hooks"),
    ("GET", "/v2/events"),
    ("POST", "/v2/events"),
    ("PUT", "/v2/events/5f0d7eb02003d0971e2a961a"),
    ("POST", "/v2/events/5f0d7eb02003d0971e2a961a/confirm"),
    ("POST", "/v2/events/5f0d7eb02003d0971e2a961a/cancel"),
    ("POST", "/v2/events/5f0d7eb02003d0971e2a961a/invitees"),
    ("GET", "/v2/users"),
    ("POST", "/v2/users"),
    ("GET", "/v2/users/5f2d28fb1e0662e70071d46b/vyteme"),
    ("GET", "/v2/users/5f2d28fb1e0662e70071d46b/calendars"),
    ("GET", "/v2/vytemes/john-doe-acme"),
    ("GET", "/organizations/60af5269459aad001d0cb565/join"),
];

#[tokio::test]
async fn without_a_key_that_works_everything_is_401() {
    let world = World::new().await;
    for (method, path) in CALLS {
        for headers in [vec![], vec![(AUTHORIZATION.as_str(), "2lnpjjrurrl49xja5oo0qujtl60embr7")]]
        {
            let answer = world.send(method, path, &headers, "nonsense".into()).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            let expected = json!({ "status": 401, "error": "Unauthorized", "code": "unauthenticated",
                "message":
                    "give your organization's API key, as it is, in the header Authorization" });
            assert_eq!(answer.body, expected, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_key_that_may_not_is_403() {
    let world = World::new().await;
    let owner = world.owner().await;
    let hook = json!({ "action": "event.created", "target_url": "https://a.example.com/" });
    let event = json!({ "title": "t", "created_by": { "email": "a@example.com" } });
    let user = json!({ "organization": world.organization, "user": {} });
    let page = json!({ "nickname": "jean", "belongs_to": world.jean().await });
    for (scopes, method, path, body) in [
        (&[Scope::Publish][..], "GET", "/v2/hooks", Value::Null),
        (&[Scope::Publish], "GET", "/v2/events", Value::Null),
        (&[Scope::Publish], "GET", "/v2/users", Value::Null),
        (&[Scope::Read], "POST", "/v2/hooks", hook),
        (&[Scope::Read], "POST", "/v2/events", event),
        (&[Scope::Read, Scope::Hooks], "POST", "/v2/users", user),
        // Not that there is no such user: the key may not know.
        (&[Scope::Records], "POST", "/v2/vytemes", page),
    ] {
        let key = world.key_with(&owner, scopes).await;
        let headers = [(AUTHORIZATION.as_str(), key.as_str())];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = world.send(method, path, &headers, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}: {}", answer.body);
        assert_eq!(answer.body["code"], "forbidden");
    }
}

#[tokio::test]
async fn what_is_not_there_is_404_in_our_own_words() {
    let world = World::new().await;
    for path in [
        "/v2/hooks/60af526954e6605aae0dad5a",
        "/v2/hooks/1234",
        "/hooks/60af526954e6605aae0dad5a",
        "/hooks/1/2",
        "/v2/events/5f0d7eb02003d0971e2a961a",
        "/v2/events/nonsense",
        "/v2/users/5f2d28fb1e0662e70071d46b",
        "/v2/users/1234",
        "/v2/vytemes/john-doe-acme",
        "/v2/teams",
        "/v2/slots/days",
        "/v2/events/1/2/3/4",
        "/organizations/1234",
        "/organizations/1234/join",
    ] {
        let answer = world.call("GET", path, Value::Null).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {}", answer.body);
        assert_eq!(answer.body["status"], 404, "{path}");
        assert_eq!(answer.body["error"], "Not Found", "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_405_with_those_that_work() {
    let world = World::new().await;
    for (method, path, allow) in [
        ("DELETE", "/v2/hooks", "GET, PUT, POST"),
        ("PATCH", "/hooks", "GET, PUT, POST"),
        ("POST", "/hooks/60af526954e6605aae0dad5a", "GET, PUT, DELETE"),
        // There is no DELETE endpoint for events, as documented.
        ("DELETE", "/v2/events/5f0d7eb02003d0971e2a961a", "GET, PUT"),
        ("GET", "/v2/events/5f0d7eb02003d0971e2a961a/confirm", "POST"),
        ("GET", "/v2/events/5f0d7eb02003d0971e2a961a/cancel", "POST"),
        ("PUT", "/v2/users/5f2d28fb1e0662e70071d46b/calendars", "GET"),
        ("DELETE", "/v2/users", "GET, POST"),
    ] {
        let answer = world.call(method, path, Value::Null).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert_eq!(answer.allow.as_deref(), Some(allow), "{method} {path}");
        assert_eq!(answer.body["code"], "method_not_allowed");
    }
}

#[tokio::test]
async fn bodies_that_are_no_good_are_400_or_413() {
    let world = World::new().await;
    let key = [(AUTHORIZATION.as_str(), world.key.as_str())];
    let packed = [key[0], ("content-encoding", "gzip")];
    let long = format!("\"{}\"", "a".repeat(limits::REQUEST_BODY_BYTES_MAX));
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    for path in ["/v2/hooks", "/hooks", "/v2/events", "/v2/users", "/v2/vytemes"] {
        for (headers, body, status) in [
            (&key[..], "{", StatusCode::BAD_REQUEST),
            (&key, "[]", StatusCode::BAD_REQUEST),
            (&key, "null", StatusCode::BAD_REQUEST),
            (&key, "", StatusCode::BAD_REQUEST),
            (&key, r#"{"title":"\ud800"}"#, StatusCode::BAD_REQUEST),
            (&key, &deep, StatusCode::BAD_REQUEST),
            (&packed, "{}", StatusCode::BAD_REQUEST),
            (&key, &long, StatusCode::PAYLOAD_TOO_LARGE),
        ] {
            let answer = world.send("POST", path, headers, body.to_owned()).await;
            let shown: String = body.chars().take(40).collect();
            assert_eq!(answer.status, status, "{path} {shown}: {}", answer.body);
            assert_eq!(answer.body["status"], status.as_u16(), "{path} {shown}");
        }
    }
}

#[tokio::test]
async fn no_error_repeats_the_key() {
    let world = World::new().await;
    let path = format!("/v2/hooks?api_key={}x", world.key);
    let answer = world.send("POST", &path, &[], "{".into()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(!answer.body.to_string().contains(&world.key));
}
