//! The format `cloudevents@1`, read by the CloudEvents SDK, to a receiver that was asked first.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidings_testkit::receiver::{Answer, Received, TestReceiver};

use crate::tidings::{PATIENCE, Tidings};
use crate::vendor::{python, root, run};

#[tokio::test(flavor = "multi_thread")]
async fn the_cloudevents_sdk_reads_events_and_batches() {
    let tidings = Tidings::start().await;
    let (single, batched) = (TestReceiver::start().await, TestReceiver::start().await);
    let hook = json!({"url": single.url("/"), "format": "cloudevents@1"});
    tidings.call("POST", "/hooks", hook).await;
    let changes = json!([{"type": "order.placed", "data": {"n": 1}, "order_key": "o-1"},
        {"type": "order.paid", "data": [2, "ü"]}]);
    let from_the_first = json!({"url": batched.url("/"), "format": "cloudevents@1", "from": {"seq": 1},
        "coalesce": {"window_ms": 50}});
    tidings.call("POST", "/changes/batch", json!({"changes": changes})).await;
    tidings.call("POST", "/hooks", from_the_first).await;

    let mut deliveries = single.wait_for(2, PATIENCE).await;
    deliveries.extend(batched.wait_for(1, PATIENCE).await);
    let lines: String = deliveries.iter().map(|request| format!("{}\n", line(request))).collect();
    let script = root().join("tests/vendor/cloudevents_read.py");
    let said = run(Command::new(python()).arg(script), &lines);
    let read: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read.len(), 3, "{said}");
    let mut singles = [&read[0][0], &read[1][0]];
    singles.sort_by_key(|event| event["sequence"].to_string());
    assert_eq!(read[2].as_array().unwrap().len(), 2, "{said}");
    for (place, one) in singles.into_iter().enumerate() {
        assert_eq!(*one, read[2][place]);
    }
    assert_eq!(singles[0]["type"], "order.placed");
    assert_eq!(singles[0]["data"], json!({"n": 1}));
    assert_eq!(singles[0]["partitionkey"], "o-1");
    assert_eq!(singles[1]["data"], json!([2, "ü"]));
    assert!(singles[1]["source"].as_str().unwrap().starts_with("tidings:app_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_asked_before_anything_is_sent_to_it() {
    let tidings = Tidings::start().await;
    let receiver = TestReceiver::start().await;
    receiver.answer_next(Answer::status(405));
    let hook = json!({"url": receiver.url("/h"), "verify": "options", "from": {"seq": 1}});
    tidings.publish("order.placed", json!({"n": 1})).await;
    let made = tidings.call("POST", "/hooks", hook).await;
    assert_eq!(
        (&made["hook"]["status"], &made["hook"]["consent"]),
        (&json!("disabled"), &json!("asked"))
    );
    let path = format!("/hooks/{}", made["hook"]["id"].as_str().unwrap());
    let refused = consent(&tidings, &path, "refused").await;
    assert_eq!(refused["status"], "disabled");
    let reason = refused["status_reason"].as_str().unwrap();
    assert!(reason.contains("405") && reason.contains("/verify"), "{reason}");
    let enable = format!("/api/v1{path}/enable");
    let (status, _) = tidings.send("POST", &enable, &tidings.server.key, &[], None).await;
    assert_eq!(status, 409);

    receiver.answer_with(|request| match request.method.as_str() {
        "OPTIONS" => Answer::status(204)
            .header(
                "WebHook-Allowed-Origin",
                request.header("webhook-request-origin").unwrap_or("?"),
            )
            .header("WebHook-Allowed-Rate", "600"),
        _ => Answer::status(200),
    });
    tidings.call("POST", &format!("{path}/verify"), Value::Null).await;
    let given = consent(&tidings, &path, "given").await;
    assert_eq!((&given["status"], &given["status_reason"]), (&json!("active"), &Value::Null));
    assert_eq!(given["rate"], json!({"count": 600, "per": "minute"}));
    let methods = |received: Vec<Received>| -> Vec<String> {
        received.into_iter().map(|request| request.method).collect()
    };
    assert_eq!(methods(receiver.wait_for(3, PATIENCE).await), ["OPTIONS", "OPTIONS", "POST"]);
}

async fn consent(tidings: &Tidings, path: &str, wanted: &str) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let hook = tidings.get(path).await;
        if hook["consent"] == wanted {
            return hook;
        }
        assert!(begun.elapsed() < PATIENCE, "{hook}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn line(request: &Received) -> Value {
    let content_type = request.header("content-type");
    json!({"content_type": content_type, "body_b64": STANDARD.encode(&request.body)})
}
