use http::Request as HttpRequest;
use serde_json::json;

use super::*;

fn headers(authorization: &[&str]) -> HeaderMap {
    let mut request = HttpRequest::builder();
    for value in authorization {
        request = request.header(AUTHORIZATION, *value);
    }
    request.body(()).unwrap().headers().clone()
}

fn query(text: &str) -> Query {
    Query::parse(&text.parse().unwrap()).unwrap()
}

#[test]
fn the_key_is_raw_in_the_header_or_in_the_query_and_never_two() {
    for (authorization, uri, expected) in [
        (&["k1"][..], "/", Some("k1")),
        (&[" k1 "], "/", Some("k1")),
        (&[], "/?api_key=k1", Some("k1")),
        (&["k1"], "/?api_key=k1", Some("k1")),
        // As the guide prints it.
        (&["k1"], "/?api_key=k1%5C%22", Some("k1")),
        (&["k1"], "/?api_key=", Some("k1")),
        (&[""], "/?api_key=k1", Some("k1")),
        (&["k1"], "/?api_key=k2", None),
        (&["k1", "k1"], "/", None),
        (&[], "/?apikey=k1", None),
        (&[], "/", None),
    ] {
        let key = key(&headers(authorization), &query(uri));
        assert_eq!(key.ok().as_deref(), expected, "{authorization:?} {uri}");
    }
}

#[test]
fn lists_in_a_query_are_repeated_or_have_commas() {
    let query = query("/?a=1,2&a=3&a[]=4&b=&c=%2C");
    assert_eq!(query.list("a"), ["1", "2", "3", "4"]);
    assert_eq!(query.list("b"), [""; 0]);
    assert_eq!(query.list("c"), [""; 0]);
    assert_eq!(query.text("b"), None);
}

#[test]
fn wrong_types_are_named_where_they_are() {
    let body = json!({ "a": { "b": 1 }, "c": [{}, { "d": true }], "e": null, "f": "", "g": ["x"] });
    let fields = Fields::of("", &body).unwrap();
    let message = |refused: Result<(), Refusal>| format!("{:?}", refused.unwrap_err());
    let inner = fields.object("a").unwrap().unwrap();
    assert!(message(inner.text("b", 9).map(|_| ())).contains("a.b must be a string"));
    assert!(message(inner.flag("b").map(|_| ())).contains("a.b must be true or false"));
    let list = fields.objects("c", 2).unwrap().unwrap();
    assert!(message(list[1].text("d", 9).map(|_| ())).contains("c[1].d must be a string"));
    assert!(message(fields.objects("c", 1).map(|_| ())).contains("c has at most 1 entries"));
    assert!(message(fields.objects("a", 1).map(|_| ())).contains("a must be an array"));
    assert!(message(fields.object("c").map(|_| ())).contains("c must be an object"));
    assert!(message(fields.required("e", 9).map(|_| ())).contains("e is required"));
    assert!(message(fields.required("f", 9).map(|_| ())).contains("f is required"));
    assert!(message(fields.texts("g", 0).map(|_| ())).contains("g must be an array"));
    assert_eq!(fields.texts("g", 1).unwrap().unwrap(), ["x"]);
    assert!(fields.object("e").unwrap().is_none());
}
