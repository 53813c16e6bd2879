//! Other people's libraries verify our signatures, before, during and after a rotation.

use std::collections::BTreeMap;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidings_core::sign::Secret;
use tidings_testkit::receiver::{Received, TestReceiver};

use crate::tidings::{PATIENCE, Tidings};
use crate::vendor::{python, root, run};

#[tokio::test(flavor = "multi_thread")]
async fn other_libraries_verify_before_during_and_after_a_rotation() {
    let tidings = Tidings::start().await;
    let receiver = TestReceiver::start().await;
    let (hook, first) = tidings.hook(&receiver, &["order.*"]).await;

    let before = delivered(&tidings, &receiver, 1).await;
    let second = rotated(&tidings, &hook, 3_600_000).await;
    let during = delivered(&tidings, &receiver, 2).await;
    let third = rotated(&tidings, &hook, 0).await;
    let after = delivered(&tidings, &receiver, 3).await;

    let mut vectors = Vec::new();
    for (request, genuine) in [
        (&before, [true, false, false]),
        (&during, [true, true, false]),
        (&after, [false, false, true]),
    ] {
        for (secret, expect) in [&first, &second, &third].into_iter().zip(genuine) {
            vectors.push(vector(secret, request, expect));
        }
    }
    let mut tampered = vector(&first, &before, false);
    tampered["body_b64"] = STANDARD.encode("{}").into();
    vectors.push(tampered);

    let lines: String = vectors.iter().map(|vector| format!("{vector}\n")).collect();
    let folder = root().join("tests/vendor");
    let python_says =
        run(Command::new(python()).arg(folder.join("standardwebhooks_verify.py")), &lines);
    let javascript_says =
        run(Command::new("node").arg(folder.join("standardwebhooks_verify.mjs")), &lines);
    for says in [python_says, javascript_says] {
        assert_eq!(says.trim(), "10 lines, 0 unexpected");
    }
}

/// Publishes and returns the webhook that comes of it.
async fn delivered(tidings: &Tidings, receiver: &TestReceiver, number: usize) -> Received {
    tidings.publish("order.placed", json!({"number": number, "note": "ünïcode ✓"})).await;
    receiver.wait_for(number, PATIENCE).await.remove(number - 1)
}

async fn rotated(tidings: &Tidings, hook: &str, overlap_ms: u64) -> Secret {
    let path = format!("/hooks/{hook}/secrets/rotate");
    let answer = tidings.call("POST", &path, json!({"overlap_ms": overlap_ms})).await;
    answer["secret"].as_str().unwrap().parse().unwrap()
}

fn vector(secret: &Secret, request: &Received, expect: bool) -> Value {
    let headers: BTreeMap<_, _> =
        request.headers.iter().filter(|(name, _)| name.starts_with("webhook-")).cloned().collect();
    let body = STANDARD.encode(&request.body);
    json!({"secret": secret.reveal(), "headers": headers, "body_b64": body, "expect": expect})
}
