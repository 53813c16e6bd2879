use http::HeaderValue;

use super::*;

fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.clone(), HeaderValue::from_bytes(value.as_bytes()).unwrap()))
        .collect()
}

fn fields(body: &str) -> Fields {
    Fields::parse(&Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

#[test]
fn the_bearer_is_read_leniently() {
    for (value, token) in [
        ("Bearer tdc_1", Some("tdc_1")),
        ("bearer  tdc_1 ", Some("tdc_1")),
        ("BEARER tdc_1", Some("tdc_1")),
        ("Bearer", None),
        ("Basic dGRjXzE=", None),
        ("tdc_1", None),
        ("", None),
        ("Bearer é", None),
    ] {
        let headers = headers(&[(AUTHORIZATION, value)]);
        assert_eq!(bearer(&headers).ok(), token, "{value:?}");
    }
    assert!(bearer(&HeaderMap::new()).is_err());
    let twice = headers_twice(&AUTHORIZATION, "Bearer a", "Bearer b");
    assert!(bearer(&twice).is_err());
}

fn headers_twice(name: &HeaderName, first: &str, second: &str) -> HeaderMap {
    let mut headers = headers(&[(name.clone(), first)]);
    headers.append(name, HeaderValue::from_str(second).unwrap());
    headers
}

#[test]
fn bodies_are_json_in_utf_8_and_not_compressed() {
    for (content_type, encoding, good) in [
        (Some("application/json"), None, true),
        (Some("Application/JSON; charset=\"UTF-8\""), Some("identity"), true),
        (Some("application/json; x=y"), None, true),
        (None, None, false),
        (Some(""), None, false),
        (Some("text/json"), None, false),
        (Some("xapplication/json"), None, false),
        (Some("application/vnd.api+json"), None, false),
        (Some("application/x-www-form-urlencoded"), None, false),
        (Some("application/json; charset=utf-16"), None, false),
        (Some("application/json"), Some("gzip"), false),
        (Some("application/json"), Some("identity, gzip"), false),
        (Some("application/json"), Some("é"), false),
    ] {
        let given: Vec<_> = content_type
            .map(|value| (CONTENT_TYPE, value))
            .into_iter()
            .chain(encoding.map(|value| (CONTENT_ENCODING, value)))
            .collect();
        assert_eq!(check_headers(&headers(&given)).is_ok(), good, "{given:?}");
    }
    assert!(
        check_headers(&headers_twice(&CONTENT_TYPE, "application/json", "text/plain")).is_err()
    );
}

#[test]
fn fields_are_there_and_of_the_right_type_or_refused_by_name() {
    let body = fields(
        r#"{"provider":"caldav","calendarId":"/u/work/","channelId":"","resourceId":null,"x":{},"n":5}"#,
    );
    assert_eq!(body.provider().unwrap(), "caldav");
    assert_eq!(body.text("calendarId").unwrap(), "/u/work/");
    assert_eq!(body.optional_text("channelId").unwrap(), None);
    assert_eq!(body.optional_text("resourceId").unwrap(), None);
    for name in ["channelId", "resourceId", "absent", "x", "n"] {
        let refusal = body.text(name).unwrap_err();
        assert!(format!("{refusal:?}").contains(name), "{refusal:?}");
    }
    for name in ["x", "n"] {
        assert!(body.optional_text(name).is_err(), "{name}");
    }
    for provider in ["", "Google", "zoom", "caldav "] {
        let body = fields(&serde_json::json!({ "provider": provider }).to_string());
        assert!(body.provider().is_err(), "{provider:?}");
    }
}

#[test]
fn an_expiration_is_in_milliseconds() {
    for (value, millis) in [
        ("1773914400000", Some(Some(1_773_914_400_000))),
        ("1773914400000.75", Some(Some(1_773_914_400_000))),
        ("1.7739144e12", Some(Some(1_773_914_400_000))),
        ("null", Some(None)),
        ("-1", None),
        ("253402300800000", None),
        ("1e300", None),
        ("\"1773914400000\"", None),
        ("\"2026-03-19T10:00:00Z\"", None),
        ("true", None),
        ("[]", None),
    ] {
        let body = fields(&format!("{{\"expiration\":{value}}}"));
        let read = body.optional_millis("expiration").ok();
        assert_eq!(read, millis.map(|at| at.map(Timestamp)), "{value}");
    }
}
