//! `v1a`: the vendor's SDK of Mobiscroll Connect fetches our keys and verifies, across a rotation.

use std::collections::BTreeMap;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::id::Ids;
use tidings_core::sign::{SigningKey, public_signature_header};
use tidings_testkit::receiver::{Received, TestReceiver};

use crate::tidings::{PATIENCE, Tidings};
use crate::vendor::{python, root, run};

#[tokio::test(flavor = "multi_thread")]
async fn the_vendors_sdk_verifies_v1a_before_during_and_after_a_rotation() {
    let tidings = Tidings::start().await;
    let base = tidings.url("/connect/api");
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
    judge(&base, &[vector(&before, None), vector(&also, None)]);

    let both = tidings.call("POST", &format!("{keys}/rotate"), json!({})).await;
    let statuses: Vec<_> =
        both["keys"].as_array().unwrap().iter().map(|key| key["status"].clone()).collect();
    assert_eq!(statuses, ["active", "previous"]);
    assert_eq!(both["keys"][1]["key"], first["keys"][0]["key"]);
    assert!(both["keys"][1]["retires_at"].is_string(), "{both}");
    let (during, _) = until_signatures(&tidings, &receiver, 2).await;
    judge(&base, &[vector(&before, None), vector(&during, None)]);

    let last = tidings.call("POST", &format!("{keys}/rotate"), json!({"overlap_ms": 0})).await;
    assert_eq!(last["keys"].as_array().unwrap().len(), 1, "{last}");
    let (after, _) = until_signatures(&tidings, &receiver, 1).await;
    let mut tampered = vector(&after, Some("no_matching_signature"));
    tampered["body_b64"] = STANDARD.encode("{}").into();
    let mut stripped = vector(&after, Some("missing_headers"));
    stripped["headers"].as_object_mut().unwrap().remove("webhook-signature");
    let old = [vector(&before, Some("no_matching_signature"))];
    judge(&base, &old);
    judge(&base, &[vector(&after, None), tampered, stripped]);
}

/// What the vendor's vectors (SDKs 1.6) and ours have: a body that two keys signed, and a key that did not.
struct Signed {
    active: (String, String),
    previous: (String, String),
    unrelated: String,
}

const ID: &str = "msg_2a161f33-a287-419f-85f9-fc95dbecccdd";
const AT: i64 = 1_790_000_000;
const BODY: &str = concat!(
    r#"{"eventType":"event.updated","userId":"user_42","provider":"google","calendarId":"primary","#,
    r#""events":[{"id":"evt_1","title":"Café meeting ☕ — Zoë","#,
    r#""lastModified":"2026-09-21T10:00:00.000Z"}]}"#,
);

impl Signed {
    fn by_the_vendor() -> Self {
        let pair = |key: &str, signature: &str| (format!("whpk_{key}"), format!("v1a,{signature}"));
        Self {
            active: pair(
                "0r0+Z02Sv1SRb1QjsKUnil6t2oqtAyhn5HHfKgbTXFs=",
                "ClNzh8jskfPsDqArmUq6vxG6/PAQmLXf7sMsXnReG1DAI3lMxKcQEyEqqWe/weLoTo8g72qIJ+H0nA1WhNWEDA==",
            ),
            previous: pair(
                "4bVYVyWUPGQLCcnQQoGU4qTyIeucOFTnkZXlNFAlv6g=",
                "MYPOv3exr1vMvu95bLYcu1k3hDAQeC66XmOy91Y34m2q/mBd3j1dhT+ubQYkMZF7FxvItnlwU9yXKqd2A1SWDQ==",
            ),
            unrelated: "whpk_ayphRQPtMA3vgSzLAuQ80QvyDQbO3ha9Xgc6xCwBWXI=".into(),
        }
    }

    fn by_us() -> Self {
        let ids = Ids::seeded(4);
        let at = Timestamp(AT * 1_000);
        let pair = |key: SigningKey| {
            let signature = public_signature_header([&key].into_iter(), ID, at, BODY.as_bytes());
            (key.public().to_string(), signature)
        };
        Self {
            active: pair(SigningKey::generate(&ids)),
            previous: pair(SigningKey::generate(&ids)),
            unrelated: SigningKey::generate(&ids).public().to_string(),
        }
    }

    /// Every documented case: what differs from the good one, and the verdict.
    fn vectors(&self) -> Vec<Value> {
        let (key, signature) = (&self.active.0, &self.active.1);
        let both = format!("{signature} {}", self.previous.1);
        let v1 = "v1,BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
        let after_v1 = format!("{v1} {signature}");
        let of = |expect: Value, change: &dyn Fn(&mut Value)| {
            let mut vector = json!({"keys": [key], "now": AT, "body_b64": STANDARD.encode(BODY),
                "headers": {"webhook-id": ID, "webhook-timestamp": AT.to_string(),
                    "webhook-signature": signature}, "expect": expect});
            change(&mut vector);
            vector
        };
        let (good, no) = (|| Value::Null, || json!("no_matching_signature"));
        let mut vectors = vec![of(good(), &|_| ())];
        for (name, text, expect) in [
            ("webhook-signature", &*both, good()),
            ("webhook-signature", &*after_v1, good()),
            ("webhook-signature", v1, no()),
            ("webhook-signature", "v1a,@@not-base64@@", no()),
            ("webhook-signature", "v1a,AAAAAAAAAAAAAA==", no()),
            ("webhook-id", "msg_other", no()),
            ("webhook-timestamp", "1790000001", no()),
            ("webhook-timestamp", "abc", json!("invalid_timestamp")),
        ] {
            vectors.push(of(expect, &|vector| vector["headers"][name] = text.into()));
        }
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            vectors.push(of(json!("missing_headers"), &|vector| {
                vector["headers"].as_object_mut().unwrap().remove(name);
            }));
        }
        for (keys, sent, expect) in [
            (json!([self.unrelated, key]), signature, good()),
            (json!(["whpk_not-a-key", key]), signature, good()),
            (json!([self.previous.0]), &both, good()),
            (json!([self.previous.0]), signature, no()),
            (json!([self.unrelated]), &both, no()),
            (json!([]), signature, json!("no_public_keys")),
        ] {
            vectors.push(of(expect, &|vector| {
                vector["keys"] = keys.clone();
                vector["headers"]["webhook-signature"] = sent.as_str().into();
            }));
        }
        let stale = || json!("timestamp_out_of_tolerance");
        for (late, expect) in [(300, good()), (-300, good()), (301, stale()), (-301, stale())] {
            vectors.push(of(expect, &|vector| vector["now"] = (AT + late).into()));
        }
        let tampered = STANDARD.encode(BODY.replace("Café", "Cafe"));
        vectors.push(of(no(), &|vector| vector["body_b64"] = tampered.as_str().into()));
        vectors
    }
}

#[test]
fn the_vendors_sdk_judges_our_signatures_as_it_does_its_own_vectors() {
    for signed in [Signed::by_the_vendor(), Signed::by_us()] {
        let vectors = signed.vectors();
        assert_eq!(vectors.len(), 23, "every documented case");
        judge("http://127.0.0.1:9/api", &vectors);
    }
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
fn judge(base_url: &str, vectors: &[Value]) {
    let lines: String = vectors.iter().map(|vector| format!("{vector}\n")).collect();
    let said = run(
        Command::new(python())
            .arg(root().join("tests/vendor/connect_webhook_keys.py"))
            .env("CONNECT_BASE_URL", base_url),
        &lines,
    );
    assert_eq!(said.trim(), format!("{} lines, 0 unexpected", vectors.len()));
}
