//! Traces go to the collector that the standard variables name, and nowhere else.

use serde_json::{Value, json};
use tidings_testkit::receiver::TestReceiver;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::installation::{Installation, PATIENCE, until};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// All spans that a collector was given.
fn spans(collector: &TestReceiver) -> Vec<Value> {
    let mut spans = Vec::new();
    for request in collector.received() {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/traces"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("x-tenant"), Some("one two"));
        let document: Value = serde_json::from_slice(&request.body).unwrap();
        let resource = &document["resourceSpans"][0];
        let name = json!({"key": "service.name", "value": {"stringValue": "notices"}});
        assert!(resource["resource"]["attributes"].as_array().unwrap().contains(&name));
        let scope = &resource["scopeSpans"][0];
        assert_eq!(scope["scope"]["name"], "tidings");
        spans.extend(scope["spans"].as_array().unwrap().iter().cloned());
    }
    spans
}

fn attribute<'s>(span: &'s Value, key: &str) -> Option<&'s Value> {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|attribute| attribute["key"] == key)?;
    found["value"].as_object().unwrap().values().next()
}

/// Publishes as part of a trace.
async fn publish(tidings: &Installation) {
    let (address, key) = (tidings.address(), &tidings.server.key);
    let body = json!({"type": "order.placed", "data": {"title": "content-word-7"}}).to_string();
    let request = format!(
        "POST /api/v1/changes HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ntraceparent: 00-{TRACE}-{SPAN}-01\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_and_its_delivery_are_spans_of_the_publishers_trace() {
    let (collector, receiver) = (TestReceiver::start().await, TestReceiver::start().await);
    let mut tidings = Installation::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url("/")),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=one%20two"),
        ("OTEL_SERVICE_NAME", "notices"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ])
    .await;
    let hook = json!({"url": receiver.url("/"), "triggers": ["*"]});
    tidings.call("POST", "/hooks", &hook).await;
    publish(&tidings).await;
    receiver.wait_for(1, PATIENCE).await;
    let (request, delivery) = until("both spans", async || {
        let ours: Vec<_> =
            spans(&collector).into_iter().filter(|span| span["traceId"] == TRACE).collect();
        let of_kind = |kind: i64| ours.iter().find(|span| span["kind"] == kind).cloned();
        Some((of_kind(2)?, of_kind(3)?))
    })
    .await;
    assert_eq!(request["name"], "POST /api/v1/changes");
    assert_eq!((&request["parentSpanId"], &delivery["parentSpanId"]), (&json!(SPAN), &json!(SPAN)));
    assert_ne!(request["spanId"], delivery["spanId"]);
    assert_eq!(attribute(&request, "http.response.status_code"), Some(&json!("202")));
    assert_eq!((&delivery["name"], &delivery["status"]), (&json!("deliver"), &json!({})));
    assert_eq!(attribute(&delivery, "http.response.status_code"), Some(&json!("200")));
    for span in [&request, &delivery] {
        let time = |key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
        assert!(time("startTimeUnixNano") < time("endTimeUnixNano"), "{span}");
    }
    assert!(tidings.server.sigterm().await.success());
    let all = collector.received();
    let texts = all.iter().map(|request| String::from_utf8_lossy(&request.body).into_owned());
    let text = texts.collect::<String>();
    for hidden in ["content-word-7", &tidings.server.key, &receiver.url("/")] {
        assert!(!text.contains(hidden), "{hidden} is in a trace");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_nothing_is_traced_and_a_broken_one_holds_nobody_up() {
    for variables in [vec![], vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")]] {
        let receiver = TestReceiver::start().await;
        let mut tidings = Installation::start(&variables).await;
        let hook = json!({"url": receiver.url("/"), "triggers": ["*"]});
        tidings.call("POST", "/hooks", &hook).await;
        publish(&tidings).await;
        receiver.wait_for(1, PATIENCE).await;
        assert_eq!(receiver.received()[0].header("traceparent"), None);
        assert!(tidings.server.sigterm().await.success());
    }
}
