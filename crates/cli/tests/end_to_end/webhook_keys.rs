//! `v1a`: the vendor's SDK of Mobiscroll Connect fetches our keys and verifies, across a rotation.

use std::collections::BTreeMap;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidings_testkit::receiver::{Received, TestReceiver};

use crate::tidings::{PATIENCE, Tidings};
use crate::vendor::{python, root, run};

#[tokio::test(flavor = "multi_thread")]
async fn the_vendors_sdk_verifies_v1a_before_during_and_after_a_rotation() {
    let tidings = Tidings::start().await;
    let receiver = TestReceiver::start().await;
    let apps = tidings.get("/apps").await;
    let keys = format!("/apps/{}/webhook-keys", apps["data"][0]["id"].as_str().unwrap());
    assert_eq!(tidings.get(&keys).await, json!({"keys": []}));

    for signing in [json!(["v1", "v1a"]), json!(["v1a"])] {
        let hook = json!({"url": receiver.url("/"), "signing": signing});
        let made = tidings.call("POST", "/hooks", hook).await;
        assert_eq!(made["hook"]["signing"], signing);
    }
    let first = tidings.get(&keys).await;
    assert_eq!(first["keys"].as_array().unwrap().len(), 1, "{first}");
    let (before, also) = delivered(&tidings, &receiver, 1).await;
    judge(&tidings, &[vector(&before, None), vector(&also, None)]);

    let both = tidings.call("POST", &format!("{keys}/rotate"), json!({})).await;
    let statuses: Vec<_> =
        both["keys"].as_array().unwrap().iter().map(|key| key["status"].clone()).collect();
    assert_eq!(statuses, ["active", "previous"]);
    assert_eq!(both["keys"][1]["key"], first["keys"][0]["key"]);
    assert!(both["keys"][1]["retires_at"].is_string(), "{both}");
    let (during, _) = until_signatures(&tidings, &receiver, 2).await;
    judge(&tidings, &[vector(&before, None), vector(&during, None)]);

    let last = tidings.call("POST", &format!("{keys}/rotate"), json!({"overlap_ms": 0})).await;
    assert_eq!(last["keys"].as_array().unwrap().len(), 1, "{last}");
    let (after, _) = until_signatures(&tidings, &receiver, 1).await;
    let mut tampered = vector(&after, Some("no_matching_signature"));
    tampered["body_b64"] = STANDARD.encode("{}").into();
    let mut stripped = vector(&after, Some("missing_headers"));
    stripped["headers"].as_object_mut().unwrap().remove("webhook-signature");
    let old = [vector(&before, Some("no_matching_signature"))];
    judge(&tidings, &old);
    judge(&tidings, &[vector(&after, None), tampered, stripped]);
}

/// Publishes; returns what the hook with both schemes and the hook with `v1a` alone received of it.
async fn delivered(
    tidings: &Tidings,
    receiver: &TestReceiver,
    number: usize,
) -> (Received, Received) {
    let before = receiver.count();
    tidings.publish("order.placed", json!({"number": number, "note": "ünïcode ✓"})).await;
    let mut received = receiver.wait_for(before + 2, PATIENCE).await.split_off(before);
    let both = received.iter().position(|request| schemes(request).contains(&"v1".to_owned()));
    let both = received.remove(both.unwrap());
    let only = received.remove(0);
    assert!(schemes(&only).iter().all(|scheme| scheme == "v1a"), "{only:?}");
    (both, only)
}

/// The same, until the engine has heard of a rotation.
async fn until_signatures(
    tidings: &Tidings,
    receiver: &TestReceiver,
    keys: usize,
) -> (Received, Received) {
    for number in 0..100 {
        let (both, only) = delivered(tidings, receiver, number).await;
        if schemes(&only).len() == keys && schemes(&both).len() == keys + 1 {
            return (both, only);
        }
    }
    panic!("deliveries are not signed with {keys} keys");
}

fn schemes(request: &Received) -> Vec<String> {
    let signatures = request.header("webhook-signature").unwrap_or_default().split(' ');
    signatures.map(|signature| signature.split(',').next().unwrap().to_owned()).collect()
}

fn vector(request: &Received, expect: Option<&str>) -> Value {
    let headers: BTreeMap<_, _> =
        request.headers.iter().filter(|(name, _)| name.starts_with("webhook-")).cloned().collect();
    json!({"headers": headers, "body_b64": STANDARD.encode(&request.body), "expect": expect})
}

/// A process of its own each time, for the SDK keeps the keys.
fn judge(tidings: &Tidings, vectors: &[Value]) {
    let lines: String = vectors.iter().map(|vector| format!("{vector}\n")).collect();
    let said = run(
        Command::new(python())
            .arg(root().join("tests/vendor/connect_webhook_keys.py"))
            .env("CONNECT_BASE_URL", tidings.url("/connect/api")),
        &lines,
    );
    assert_eq!(said.trim(), format!("{} lines, 0 unexpected", vectors.len()));
}
