//! `/metrics` says what happened, under the names that are documented, to whom may know.

use std::collections::BTreeSet;
use std::net::TcpListener;

use serde_json::json;
use tidings_testkit::receiver::TestReceiver;

use crate::installation::{Installation, PATIENCE, repository, send, until};

/// The names on a page of metrics, with their units.
fn exposed(page: &str) -> BTreeSet<String> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// The names in the table of `docs/operating.md`, as the page declares them.
fn documented() -> BTreeSet<String> {
    let text = std::fs::read_to_string(repository("docs/operating.md")).unwrap();
    let (_, section) = text.split_once("\n## Metrics\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.map(|row| row.split(['`', '{']).next().unwrap());
    names.map(|name| name.trim_end_matches("_total").to_owned()).collect()
}

/// The value of a line that begins so.
fn value(page: &str, line: &str) -> Option<f64> {
    page.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_the_documented_ones_and_count_what_happens() {
    let tidings = Installation::start(&[("TIDINGS_METRICS__OPEN", "true")]).await;
    let receiver = TestReceiver::start().await;
    let hook = json!({"url": receiver.url("/"), "triggers": ["*"]});
    tidings.call("POST", "/hooks", &hook).await;
    let broken = json!({"url": "http://127.0.0.1:9/", "triggers": ["*"]});
    tidings.call("POST", "/hooks", &broken).await;
    for number in 1..=3 {
        tidings.publish(number).await.unwrap();
    }
    receiver.wait_for(3, PATIENCE).await;
    let page = until("three deliveries on the page", async || {
        let page = tidings.get("/metrics", None).await.body;
        let delivered = value(&page, "tidings_deliveries_total{outcome=\"delivered\"} ");
        let behind = value(&page, "tidings_hooks{state=\"active\"} ");
        (delivered == Some(3.0) && behind == Some(2.0)).then_some(page)
    })
    .await;
    assert_eq!(exposed(&page), documented());
    for (line, least) in [
        ("tidings_attempts_total{class=\"delivered\"} ", 3.0),
        ("tidings_attempts_total{class=\"connect_refused\"} ", 1.0),
        ("tidings_attempt_seconds_count ", 4.0),
        ("tidings_accept_seconds_count ", 3.0),
        ("tidings_commit_seconds_count ", 3.0),
        ("tidings_writer_queue_limit ", 1.0),
        ("tidings_store_bytes ", 4096.0),
        ("tidings_store_up ", 1.0),
        ("tidings_apps ", 1.0),
        ("tidings_disk_free_bytes ", 1.0),
        ("process_resident_memory_bytes ", 4096.0),
        ("process_open_fds ", 3.0),
        ("process_start_time_seconds ", 1e9),
    ] {
        let found = value(&page, line);
        assert!(found.is_some_and(|found| found >= least), "{line}{found:?}\n{page}");
    }
    assert!(page.ends_with("# EOF\n"), "{page}");
    assert!(!page.contains("127.0.0.1"), "no address of a receiver is a label");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_owners_unless_they_are_open_or_elsewhere() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let tidings = Installation::start(&[("TIDINGS_METRICS__LISTEN", &free)]).await;
    let key = tidings.call("POST", "/keys", &json!({"name": "app", "scopes": ["admin"]})).await;
    let key = key["token"].as_str().or(key["secret"].as_str()).map(str::to_owned);
    let key = key.expect("a key is answered with its token");
    for bearer in [None, Some("nobody"), Some(key.as_str())] {
        let refused = tidings.get("/metrics", bearer).await;
        assert_eq!(refused.status, 401, "{bearer:?}");
        assert!(!refused.body.contains("# TYPE"), "{refused:?}");
    }
    let shown = tidings.get("/metrics", Some(&tidings.server.key)).await;
    assert_eq!(shown.status, 200);
    assert!(shown.headers.contains("application/openmetrics-text"), "{}", shown.headers);
    let apart = send(&free, "GET", "/metrics", None, "").await;
    assert_eq!((apart.status, exposed(&apart.body)), (200, exposed(&shown.body)));
    assert_eq!(send(&free, "GET", "/api/v1/apps", None, "").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn readyz_says_how_far_the_engine_lags() {
    let tidings = Installation::start(&[]).await;
    let ready = tidings.get("/readyz", None).await;
    assert_eq!(ready.status, 200);
    let lag =
        ready.body.strip_prefix("ready\nqueue lag: ").and_then(|lag| lag.strip_suffix(" s\n"));
    assert!(lag.is_some_and(|lag| lag.parse::<f64>().is_ok()), "{ready:?}");
}
