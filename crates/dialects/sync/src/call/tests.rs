use http::Request;

use super::*;

async fn read(request: Request<&'static str>) -> Result<Call, Refusal> {
    let (parts, body) = request.into_parts();
    Call::read(&parts, Body::from(body)).await
}

fn post(path: &str, method: &str, body: &'static str) -> Request<&'static str> {
    Request::post(path)
        .header(CONTENT_TYPE, "application/json")
        .header("X-Http-Method-Override", method)
        .body(body)
        .unwrap()
}

#[tokio::test]
async fn the_method_in_the_header_is_the_true_one_and_its_parameters_are_in_the_body() {
    for (method, verb) in [
        ("GET", Verb::Get),
        ("POST", Verb::Post),
        ("PUT", Verb::Put),
        ("DELETE", Verb::Delete),
        ("delete", Verb::Delete),
    ] {
        let call = read(post("/v1/accounts", method, r#"{"id_credential":"x"}"#)).await.unwrap();
        assert_eq!((call.method, call.path), (verb, vec!["accounts".to_owned()]), "{method}");
        assert_eq!(call.params.text("id_credential").unwrap(), "x");
    }
    for method in ["PATCH", "", "é"] {
        let refused = read(post("/v1/accounts", method, "")).await.unwrap_err();
        assert_eq!(refused.status, 400, "{method}");
    }
    // Only a POST is overridden.
    let get = Request::get("/v1/users/?skip=3&name=a%20b").header(METHOD_OVERRIDE, "DELETE");
    let call = read(get.body("").unwrap()).await.unwrap();
    assert_eq!((call.method, call.path.as_slice()), (Verb::Get, &["users".to_owned()][..]));
    assert_eq!(call.params.number("skip").unwrap(), Some(3));
    assert_eq!(call.params.text("name").unwrap(), "a b");
}

#[tokio::test]
async fn segments_of_a_path_are_percent_encoded() {
    let call = read(Request::get("/v1/attachments/a%2Fb%20%C3%A9+c/%65xtra").body("").unwrap());
    assert_eq!(call.await.unwrap().path, ["attachments", "a/b \u{e9}+c", "extra"]);
    for path in ["/v1/users/%", "/v1/users/%4", "/v1/users/%+4", "/v1/users/%zz", "/v1/users/%ff"] {
        let refused = read(Request::get(path).body("").unwrap()).await.unwrap_err();
        assert_eq!(refused.status, 400, "{path}");
    }
}

#[tokio::test]
async fn an_empty_body_is_no_parameters_whatever_its_content_type() {
    for body in ["", " \n", "null", "{}"] {
        let call = read(post("/v1/webhooks/1", "DELETE", body)).await.unwrap();
        assert!(call.params.0.is_empty(), "{body:?}");
    }
    let bare = Request::post("/v1/webhooks").body("").unwrap();
    assert!(read(bare).await.unwrap().params.0.is_empty());
}

#[tokio::test]
async fn the_body_wins_over_the_query() {
    let call = read(post("/v1/accounts?limit=1&skip=2", "GET", r#"{"limit":5}"#)).await.unwrap();
    assert_eq!(call.params.number("limit").unwrap(), Some(5));
    assert_eq!(call.params.number("skip").unwrap(), Some(2));
}

#[tokio::test]
async fn other_bodies_are_a_400() {
    for (body, content_type) in [
        ("{", "application/json"),
        ("[]", "application/json"),
        ("\"x\"", "application/json"),
        ("{\"a\":1e400}", "application/json"),
        ("{\"a\":\"\\ud800\"}", "application/json"),
        ("{}", "text/plain"),
        ("url=x", "application/x-www-form-urlencoded"),
        ("{}", "application/json; charset=utf-16"),
    ] {
        let request = Request::post("/v1/webhooks").header(CONTENT_TYPE, content_type);
        let refused = read(request.body(body).unwrap()).await.unwrap_err();
        assert_eq!(refused.status, 400, "{body} {content_type}");
        assert!(!refused.faults.is_empty(), "{body} {content_type}");
    }
    for good in ["Application/JSON; charset=\"UTF-8\"", "application/json;x=y"] {
        let request = Request::post("/v1/webhooks").header(CONTENT_TYPE, good).body("{\"a\":1}");
        assert!(read(request.unwrap()).await.is_ok(), "{good}");
    }
}

#[tokio::test]
async fn secrets_are_taken_from_header_body_and_query() {
    let secret = |call: Call| match call.presented {
        Presented::Secret { text, id_user } => (text.to_string(), id_user),
        Presented::Nothing => (String::new(), None),
    };
    let header = Request::get("/v1/webhooks?api_key=other")
        .header(AUTHORIZATION, "API_KEY api_key=K,id_user=U")
        .body("")
        .unwrap();
    assert_eq!(secret(read(header).await.unwrap()), ("K".into(), Some("U".into())));
    for (path, body, expected) in [
        ("/v1/webhooks?api_key=K", "", "K"),
        ("/v1/webhooks?token=T", "", "T"),
        ("/v1/webhooks?api_key=K&token=T", "", "T"),
        ("/v1/webhooks", r#"{"api_key":"K"}"#, "K"),
        ("/v1/webhooks", r#"{"token":"T"}"#, "T"),
        ("/v1/webhooks", "", ""),
    ] {
        let call = read(post(path, "GET", body)).await.unwrap();
        assert_eq!(secret(call).0, expected, "{path} {body}");
    }
    let twice = Request::get("/v1/webhooks")
        .header(AUTHORIZATION, "Bearer a")
        .header(AUTHORIZATION, "Bearer b");
    assert_eq!(read(twice.body("").unwrap()).await.unwrap_err().status, 400);
}
