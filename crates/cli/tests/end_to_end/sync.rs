//! The vendor's clients of Sync against us, with a receiver and a connector of their own.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_testkit::receiver::{Answer, Received, TestReceiver};

use crate::tidings::{PATIENCE, Tidings};
use crate::vendor::{python, root, run};

/// Runs a client's program with the server's address and key.
fn told_by(tidings: &Tidings, program: &mut Command) -> String {
    run(
        program
            .env("SYNC_BASE_URL", tidings.url(""))
            .env("SYNC_API_KEY", &tidings.server.key)
            .current_dir(root().join("tests/vendor")),
        "",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vendors_python_client_goes_through_its_whole_story() {
    let tidings = Tidings::start().await;
    let says = told_by(&tidings, Command::new(python()).arg("sync_py.py"));
    assert_eq!(says.matches(": ok").count(), 6, "{says}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vendors_node_client_goes_through_its_whole_story() {
    let tidings = Tidings::start().await;
    let says = told_by(&tidings, Command::new("node").arg("sync_js.cjs"));
    assert_eq!(says.matches(": ok").count(), 4, "{says}");
}

const POLL: Duration = Duration::from_millis(20);
const SITE: &str = "56cf5728784806f72b8b4568";

/// A call of Sync with the API key that must succeed; its payload.
async fn call(tidings: &Tidings, method: &str, path: &str, body: Value) -> Value {
    let body = (!body.is_null()).then_some(&body);
    let path = format!("/v1{path}");
    let (status, mut answer) = tidings.send(method, &path, &tidings.server.key, &[], body).await;
    assert_eq!(status, 200, "{method} {path}: {answer}");
    answer["response"].take()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// What arrived at a path of the receiver.
fn at(receiver: &TestReceiver, path: &str) -> Vec<Received> {
    receiver.received().into_iter().filter(|request| request.path == path).collect()
}

/// Waits until so many arrived there.
async fn arrived(receiver: &TestReceiver, path: &str, count: usize) -> Vec<Received> {
    let begun = Instant::now();
    loop {
        let found = at(receiver, path);
        if found.len() >= count {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{} of {count} at {path}", found.len());
        tokio::time::sleep(POLL).await;
    }
}

/// The webhook of a URL, when it is as `wanted`.
async fn webhook(tidings: &Tidings, url: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let all = call(tidings, "GET", "/webhooks", Value::Null).await;
        let found = all.as_array().unwrap().iter().find(|webhook| webhook["url"] == url);
        if let Some(found) = found.filter(|webhook| wanted(webhook)) {
            return found.clone();
        }
        assert!(begun.elapsed() < PATIENCE, "{all}");
        tokio::time::sleep(POLL).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_delivered_as_sync_documents_them() {
    let tidings = Tidings::start().await;
    let receiver = TestReceiver::start().await;
    let mut users = Vec::new();
    for name in ["A", "B"] {
        let user = json!({"id_external": name, "name": name});
        users.push(text(&call(&tidings, "POST", "/users", user).await["id_user"]).to_owned());
    }
    for (path, more) in [
        ("/all", json!({"headers": {"X-custom-header": "SATTESTER"}})),
        ("/one", json!({"id_user": users[0]})),
        ("/late", json!({"delay": 2})),
    ] {
        let mut webhook = json!({"url": receiver.url(path), "events": ["credential_create"]});
        webhook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call(&tidings, "POST", "/webhooks", webhook).await;
    }
    // The other user first: what is not for a webhook would have come before what is.
    for user in users.iter().rev() {
        let pull = json!({"id_user": user, "id_site": SITE, "credentials": {"username": "x"}});
        call(&tidings, "POST", "/credentials", pull).await;
    }

    let all = arrived(&receiver, "/all", 2).await;
    assert!(all.iter().all(|request| request.header("x-custom-header") == Some("SATTESTER")));
    let one = arrived(&receiver, "/one", 1).await;
    let late = arrived(&receiver, "/late", 2).await;
    assert_eq!(late[0].header("x-custom-header"), None);
    let told = |request: &Received| {
        serde_json::from_slice::<Value>(&request.body).unwrap()["id_user"].clone()
    };
    assert_eq!(told(&one[0]), users[0], "id_user confines what is sent");
    assert_eq!(at(&receiver, "/one").len(), 1);

    let changes = tidings.get("/changes").await;
    let recorded = changes["data"].as_array().unwrap().iter();
    let recorded = recorded.filter(|change| change["type"] == "credential.created");
    let recorded: Vec<i64> = recorded
        .map(|change| Timestamp::parse(text(&change["recorded_at"])).unwrap().unix_seconds())
        .collect();
    let mut sent: Vec<i64> = late
        .iter()
        .map(|request| request.header("webhook-timestamp").unwrap().parse().unwrap())
        .collect();
    sent.sort_unstable();
    for (sent, recorded) in sent.iter().zip(&recorded) {
        assert!(*sent >= recorded + 2, "sent at {sent}, recorded at {recorded}");
    }
    assert_eq!(recorded.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_fails_too_often_is_disabled_and_a_post_delivers_what_it_missed() {
    let tidings = Tidings::start().await;
    let receiver = TestReceiver::start().await;
    receiver.answer_always(Answer::status(500));
    let url = receiver.url("/failing");
    let wanted = json!({"url": url, "events": ["credential_create"]});
    call(&tidings, "POST", "/webhooks", wanted.clone()).await;
    let hooks = tidings.get("/hooks").await;
    let hook = format!("/hooks/{}", text(&hooks["data"][0]["id"]));
    assert_eq!(tidings.get(&hook).await["disable"]["failures"], 1_001, "the documented number");
    let sooner = json!({"disable": {"failing_ms": null, "failures": 1}});
    tidings.call("PATCH", &hook, sooner).await;
    let user = call(&tidings, "POST", "/users", json!({"name": "A"})).await;
    let user = text(&user["id_user"]);
    let pull = json!({"id_user": user, "id_site": SITE, "credentials": {"username": "x"}});
    let made = call(&tidings, "POST", "/credentials", pull).await;
    let shown = webhook(&tidings, &url, |webhook| webhook["is_disabled"] == 1).await;
    assert!(shown["ct_failed"].as_u64().unwrap() > 0, "{shown}");

    let missed = arrived(&receiver, "/failing", 1).await.len();
    receiver.answer_always(Answer::status(200));
    call(&tidings, "POST", "/webhooks", wanted).await;
    let again = arrived(&receiver, "/failing", missed + 1).await;
    let body: Value = serde_json::from_slice(&again[missed].body).unwrap();
    assert_eq!(body["id_credential"], made["id_credential"]);
    let is_well = |webhook: &Value| webhook["is_disabled"] == 0 && webhook["ct_failed"] == 0;
    webhook(&tidings, &url, is_well).await;

    // Deleting a user deletes its data.
    let credential = format!("/credentials/{}", text(&made["id_credential"]));
    call(&tidings, "GET", &credential, Value::Null).await;
    call(&tidings, "DELETE", &format!("/users/{user}"), Value::Null).await;
    let key = &tidings.server.key;
    let gone = tidings.send("GET", &format!("/v1{credential}"), key, &[], None).await;
    assert_eq!(gone.0, 404);
    for path in ["/users", "/credentials", "/transactions"] {
        assert_eq!(call(&tidings, "GET", path, Value::Null).await, json!([]), "{path}");
    }
    assert_eq!(tidings.get("/record-accounts").await["data"], json!([]));
}
