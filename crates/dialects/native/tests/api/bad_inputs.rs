//! The hostile and edge-case inputs that concern an HTTP API, told in this API's words.
//!
//! The file calls changes messages and hooks endpoints; its `event_type`, `payload` and `event_types`
//! are our `type`, `data` and `triggers`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use serde_json::{Value, json};

use crate::world::{Answer, World};

const FILE: &str = "../../core/tests/data/bad-inputs.json";

/// Not offered by this router: the operator's routes belong to the binary.
const NOT_OURS: &[&str] = &["method-route-006"];

/// Lists that take `limit` and `after`.
const LISTS: &[&str] = &["endpoints", "messages", "accounts", "users", "audit"];

#[tokio::test]
async fn every_bad_input_is_refused_and_every_good_one_accepted() {
    let world = World::new().await;
    let placeholders = placeholders(&world).await;
    let mut counts = BTreeMap::new();
    let mut published = world.seq().await;
    for case in cases() {
        let (id, category) = (text(&case, "id"), text(&case, "category"));
        if NOT_OURS.contains(&id) || case["input"].get("scenario").is_some() {
            continue;
        }
        for request in requests(&case, &placeholders) {
            let Some(request) = request else {
                // The HTTP parser refuses it: a header or a target that cannot be written down.
                assert_ne!(text(&case, "expect"), "accept", "{id}");
                continue;
            };
            let creates =
                request.method() == Method::POST && request.uri().path().ends_with("/changes");
            let sent = request.body().clone();
            let answer = world.send(request).await;
            check(&case, &answer);
            if category == "json-tricky-valid" {
                assert_kept(&world, &sent, &answer).await;
            }
            published += u64::from(creates && answer.status.is_success());
        }
        *counts.entry(category.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(world.seq().await, published, "a refused request changed the journal");
    let ran: Vec<_> = counts.iter().map(|(category, count)| (category.as_str(), *count)).collect();
    assert_eq!(
        ran,
        [
            ("auth", 22),
            ("content-type", 23),
            ("field-validation", 49),
            ("idempotency", 1),
            ("json-malformed", 59),
            ("json-tricky-valid", 13),
            ("method-route", 26),
            ("query", 16),
        ]
    );
}

fn cases() -> Vec<Value> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let ours = |case: &&Value| {
        [
            "auth",
            "content-type",
            "field-validation",
            "idempotency",
            "json-malformed",
            "json-tricky-valid",
            "method-route",
            "query",
        ]
        .contains(&text(case, "category"))
    };
    file["cases"].as_array().unwrap().iter().filter(ours).cloned().collect()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

#[track_caller]
fn check(case: &Value, answer: &Answer) {
    let id = text(case, "id");
    let also = case["also_ok"].as_array().cloned().unwrap_or_default();
    let fine = std::iter::once(&case["expect"]).chain(&also).any(|expect| {
        match expect.as_str().unwrap().strip_prefix("reject_") {
            Some(status) => answer.status.as_str() == status,
            None => expect == "accept" && answer.status.is_success(),
        }
    });
    assert!(fine, "{id} ({}): expected {}, got {answer:?}", case["why"], case["expect"]);
    assert!(!answer.status.is_server_error(), "{id}");
    if answer.status.is_client_error() {
        answer.assert_problem();
    }
    if answer.status == 401 {
        assert!(answer.headers.contains_key("www-authenticate"), "{id}");
    }
    if answer.status == 405 {
        assert!(answer.headers.contains_key("allow"), "{id}");
    }
}

/// The content comes back byte for byte.
async fn assert_kept(world: &World, sent: &[u8], answer: &Answer) {
    let location = answer.headers["location"].to_str().unwrap();
    let change = world.get(&world.app.key, location.trim_start_matches("/api/v1")).await;
    let (sent, kept) = (String::from_utf8_lossy(sent), String::from_utf8_lossy(&change.body));
    let data = sent.split_once(r#""data":"#).unwrap().1.strip_suffix('}').unwrap();
    assert!(kept.contains(&format!(r#""data":{data},"account""#)), "{data} became {kept}");
}

/// The requests of a case; `None` for one that the HTTP parser would not let through.
fn requests(case: &Value, placeholders: &BTreeMap<&str, String>) -> Vec<Option<Request<Vec<u8>>>> {
    let input = &case["input"];
    let method = |default| input["method"].as_str().unwrap_or(default).to_owned();
    let build = |method: &str, target: &str, authorised: bool| {
        let target = fill(&rename_path(target), placeholders);
        let uri: Uri = target.parse().ok()?;
        let mut request = Request::builder().method(method).uri(uri).body(body(input)).ok()?;
        let headers = request.headers_mut();
        if authorised {
            let key = format!("Bearer {}", placeholders["VALID_KEY"]);
            headers.insert("authorization", key.parse().unwrap());
        }
        for pair in input["headers"].as_array().into_iter().flatten() {
            let name: HeaderName = pair[0].as_str().unwrap().parse().ok()?;
            let value = fill(pair[1].as_str().unwrap(), placeholders);
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
        }
        Some(request)
    };
    let query = input["query_gen"].as_object().map_or_else(
        || text(input, "query").to_owned(),
        |generator| generated(&Value::Object(generator.clone())),
    );
    let category = text(case, "category");
    match (category, text(case, "surface")) {
        ("auth", "api.publish") => {
            let mut request = build("POST", "/v1/messages", false);
            if let Some(request) = &mut request {
                request.headers_mut().insert("content-type", "application/json".parse().unwrap());
                *request.body_mut() = br#"{"type":"a.b","data":{}}"#.to_vec();
            }
            vec![request]
        }
        ("auth", "api.admin") => vec![build("GET", "/v1/keys", false)],
        ("auth", _) => vec![build("GET", &format!("/v1/endpoints?{query}"), false)],
        ("query", _) => {
            LISTS.iter().map(|list| build("GET", &format!("/v1/{list}?{query}"), true)).collect()
        }
        (_, "api.endpoint_create") => vec![build(&method("POST"), "/v1/endpoints", true)],
        (_, "api.raw") => vec![build(&method("GET"), text(input, "path"), true)],
        _ => vec![build(&method("POST"), "/v1/messages", true)],
    }
}

fn rename_path(path: &str) -> String {
    path.replace("/v1", "/api/v1").replace("messages", "changes").replace("endpoints", "hooks")
}

fn body(input: &Value) -> Vec<u8> {
    if let Some(encoded) = input["body_b64"].as_str() {
        return STANDARD.decode(encoded).unwrap();
    }
    let plain = if let Some(text) = input["body"].as_str() {
        text.to_owned()
    } else if input["body_gen"].get("gzip_of").is_some() {
        "\u{1f}".repeat(1_000_000)
    } else if !input["body_gen"].is_null() {
        generated(&input["body_gen"])
    } else if !input["json_gen"].is_null() {
        let long = generated(&input["json_gen"]);
        json!({"url": "https://example.com/h", text(&input["json_gen"], "path"): long}).to_string()
    } else if !input["json"].is_null() {
        input["json"].to_string()
    } else {
        String::new()
    };
    plain
        .replace(r#""event_types""#, r#""triggers""#)
        .replace(r#""event_type""#, r#""type""#)
        .replace(r#""payload""#, r#""data""#)
        .into()
}

/// `prefix + unit*count + mid + close*count + suffix + suffix2`
fn generated(parts: &Value) -> String {
    let count = parts["count"].as_u64().unwrap() as usize;
    [
        text(parts, "prefix").to_owned(),
        text(parts, "unit").repeat(count),
        text(parts, "mid").to_owned(),
        text(parts, "close").repeat(count),
        text(parts, "suffix").to_owned(),
        text(parts, "suffix2").to_owned(),
    ]
    .concat()
}

fn fill(text: &str, placeholders: &BTreeMap<&str, String>) -> String {
    placeholders
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

/// What `${NAME}` stands for.
async fn placeholders(world: &World) -> BTreeMap<&'static str, String> {
    let (app, valid) = (&world.app.app, world.app.key.clone());
    let expired = world.key_until(app, &["admin"], json!("2026-11-21T09:00:00Z")).await;
    let hook = json!({"url": "https://example.com/h"});
    let hook = world.post(&valid, "/hooks", hook).await.json();
    let cursor = world.get(&valid, "/keys?limit=1").await.json();
    let mut changed = valid.clone();
    let last = if changed.pop() == Some('0') { '1' } else { '0' };
    changed.push(last);
    let placeholders = BTreeMap::from([
        ("VALID_KEY_TRUNCATED_BY_1", valid[..valid.len() - 1].to_owned()),
        ("VALID_KEY_LAST_CHAR_CHANGED", changed),
        ("VALID_KEY", valid),
        ("EXPIRED_KEY", expired),
        ("PUBLISH_ONLY_KEY", world.key(app, &["publish"]).await),
        ("READ_ONLY_KEY", world.key(app, &["read"]).await),
        ("ENDPOINT_SIGNING_SECRET", hook["secret"].as_str().unwrap().to_owned()),
        ("SESSION_COOKIE_VALUE", "c2Vzc2lvbg".to_owned()),
        ("CURSOR_OF_OTHER_ROUTE", cursor["next_cursor"].as_str().unwrap().to_owned()),
    ]);
    world.clock.advance_ms(2 * 3600 * 1000);
    placeholders
}
