//! The documented errors, and those of what is not there.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tidings_service::Scope;

use super::world::{WORK, World, read};

fn fault(msg: &str, param: &str, location: &str) -> Value {
    json!({ "msg": msg, "param": param, "location": location })
}

#[tokio::test]
async fn without_a_good_key_the_documented_401_is_the_answer() {
    let world = World::new().await;
    let unauthorized = json!({ "error": "Unauthorized. Invalid API key." });
    for path in ["/pyas/google/oauth", "/pyas/microsoft/events", "/pyas/zoom/meetings"] {
        for key in [None, Some(""), Some("bad"), Some("tdk_0123456789")] {
            let answer = world.ask("GET", path, key, None).await;
            assert_eq!(answer, (StatusCode::UNAUTHORIZED, unauthorized.clone()), "{path} {key:?}");
        }
    }
    let bearer = Request::get("/pyas/google/calendars")
        .header("authorization", format!("Bearer {}", world.key))
        .body(Body::empty());
    let response = world.raw(bearer.unwrap()).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "the key goes into x-api-key");
}

#[tokio::test]
async fn missing_parameters_are_listed_in_the_documented_words_and_order() {
    let world = World::new().await;
    let account = || fault("an account id is required.", "accountId", "query");
    let calendar = || fault("a calendar id is required.", "calendarId", "query");
    let of_one = || {
        ["calendar id is required", "calendar id must be a string"]
            .map(|msg| fault(msg, "calendarId", "query"))
    };
    let email = |msg| fault(msg, "email", "query");
    let bad_email = json!({ "value": "bademail", "msg": "a valid email is required.",
                            "param": "email", "location": "query" });
    let id = world.google.id;
    for (path, errors) in [
        ("/google/events".into(), vec![account(), calendar()]),
        ("/microsoft/events".into(), vec![account(), calendar()]),
        (format!("/google/events?accountId={id}"), vec![calendar()]),
        ("/google/events?calendarId=c".into(), vec![account()]),
        (format!("/google/events/e?accountId={id}"), of_one().to_vec()),
        ("/google/calendars".into(), vec![account()]),
        ("/microsoft/calendars/c".into(), vec![account()]),
        ("/zoom/meetings".into(), vec![account()]),
        ("/google/oauth".into(), vec![email("Invalid value"), email("a valid email is required.")]),
        ("/microsoft/oauth?email=bademail".into(), vec![bad_email]),
    ] {
        let answer = world.get(&format!("/pyas{path}")).await;
        assert_eq!(answer, (StatusCode::BAD_REQUEST, json!({ "errors": errors })), "{path}");
    }
}

#[tokio::test]
async fn members_of_an_entry_are_printed_in_the_order_of_the_validator() {
    let world = World::new().await;
    let request = Request::get("/pyas/google/oauth?email=bademail")
        .header("x-api-key", &world.key)
        .body(Body::empty());
    let body = world.raw(request.unwrap()).await.into_body();
    let bytes = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    let expected = r#"{"errors":[{"value":"bademail","msg":"a valid email is required.","param":"email","location":"query"}]}"#;
    assert_eq!(bytes, expected.as_bytes());
}

#[tokio::test]
async fn what_is_not_there_is_the_documented_404() {
    let world = World::new().await;
    let no_account =
        json!({ "success": false, "error": "Invalid account id. Account Not Found", "code": 404 });
    let nothing = json!({ "success": false, "error": "Not Found", "code": 404 });
    let (google, graph) = (world.google.id, world.microsoft.id);
    let strange = world.fresh();
    for path in [
        format!("/google/calendars?accountId={strange}"),
        "/google/calendars?accountId=3a39a739-4269-4565-b6ed-97757b5ebffc-po08qu".into(),
        format!("/google/calendars?accountId={graph}"),
        format!("/microsoft/events?accountId={google}&calendarId={WORK}"),
        format!("/zoom/meetings?accountId={google}"),
    ] {
        let answer = world.get(&format!("/pyas{path}")).await;
        assert_eq!(answer, (StatusCode::NOT_FOUND, no_account.clone()), "{path}");
    }
    for path in [
        format!("/google/events?accountId={google}&calendarId=nobody"),
        format!("/google/events/nobody?accountId={google}&calendarId={WORK}"),
        format!("/google/calendars/nobody?accountId={google}"),
        format!("/zoom/calendars?accountId={google}"),
        format!("/zoom/events?accountId={google}&calendarId=c"),
        format!("/google/meetings?accountId={google}"),
        "/icloud/calendars?accountId=1".into(),
        "/nothing".into(),
        "/google/nothing/at/all".into(),
    ] {
        let answer = world.get(&format!("/pyas{path}")).await;
        assert_eq!(answer, (StatusCode::NOT_FOUND, nothing.clone()), "{path}");
    }
    let (status, answer) = world.ask("DELETE", "/pyas/google/oauth", None, None).await;
    let expected = json!({ "success": false, "error": "Method Not Allowed", "code": 405 });
    assert_eq!((status, answer), (StatusCode::METHOD_NOT_ALLOWED, expected));
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say() {
    let world = World::new().await;
    let reader = world.key("reader", &[Scope::Read]).await;
    let path = format!("/pyas/google/calendars?accountId={}", world.google.id);
    assert_eq!(world.ask("GET", &path, Some(&reader), None).await.0, StatusCode::OK);
    let (status, answer) = world.ask("GET", "/pyas/zoom/oauth", Some(&reader), None).await;
    let expected = json!({ "success": false, "error": "the key needs the scope accounts",
                           "code": 403 });
    assert_eq!((status, answer), (StatusCode::FORBIDDEN, expected));
}

#[tokio::test]
async fn bodies_are_json_objects_of_bounded_size() {
    let world = World::new().await;
    let long =
        format!("{{\"x\":\"{}\"}}", "y".repeat(tidings_core::limits::REQUEST_BODY_BYTES_MAX));
    for (content_type, body, status) in [
        ("text/plain", "{}".to_owned(), 415),
        ("application/json", "[1]".into(), 400),
        ("application/json", "{".into(), 400),
        ("application/json; charset=utf-8", "{}".into(), 400),
        ("application/json", long, 413),
    ] {
        let request = Request::post("/pyas/google/connect")
            .header("x-api-key", &world.key)
            .header("content-type", content_type)
            .body(Body::from(body));
        let response = world.raw(request.unwrap()).await;
        assert_eq!(response.status().as_u16(), status, "{content_type}");
        assert!(read(response).await.is_object());
    }
}

#[tokio::test]
async fn a_write_without_its_parts_names_them_all() {
    let world = World::new().await;
    let missing = |param: &str, msg: &str| fault(msg, param, "body");
    let account = || missing("accountId", "an account id is required.");
    let calendar = || missing("calendarId", "a calendar id is required.");
    for (path, body, errors) in [
        (
            "/google/events",
            json!({}),
            vec![account(), calendar(), missing("eventData", "event data is required.")],
        ),
        (
            "/microsoft/events",
            json!({ "accountId": "a", "calendarId": "c", "eventData": { "description": "d" } }),
            vec![
                missing("eventData.title", "a title is required."),
                missing("eventData.startDate", "a start date is required."),
                missing("eventData.endDate", "an end date is required."),
            ],
        ),
        (
            "/google/connect",
            json!({}),
            vec![missing("code", "a code is required."), missing("name", "a name is required.")],
        ),
        (
            "/zoom/meetings",
            json!({ "meetingData": { "title": "t" } }),
            vec![
                account(),
                missing("meetingData.startDate", "a start date is required."),
                missing("meetingData.endDate", "an end date is required."),
            ],
        ),
    ] {
        let answer = world.send("POST", &format!("/pyas{path}"), body).await;
        assert_eq!(answer, (StatusCode::BAD_REQUEST, json!({ "errors": errors })), "{path}");
    }
}
