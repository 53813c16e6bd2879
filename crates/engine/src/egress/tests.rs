mod connections;
mod names;
mod proxies;
mod receivers;
mod secure;

use std::time::Duration;

use serde_json::Value;
use tidings_core::egress::FailureClass;
use tidings_testkit::receiver::TestReceiver;

use super::*;

const CASES: &str = include_str!("../../../core/tests/data/bad-inputs.json");

fn cases(category: &str) -> Vec<Value> {
    let corpus: Value = serde_json::from_str(CASES).unwrap();
    let all = corpus["cases"].as_array().unwrap().iter();
    let cases: Vec<Value> = all.filter(|case| case["category"] == category).cloned().collect();
    assert!(!cases.is_empty(), "no case of {category}");
    cases
}

/// May reach the receivers of these tests and nothing else.
fn client() -> Egress {
    Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public())
}

fn budget(total_ms: u64) -> Budget {
    Budget { total: Duration::from_millis(total_ms), ..Budget::delivery() }
}

/// Enough for whatever is supposed to happen.
fn ample() -> Budget {
    budget(10_000)
}

async fn post(egress: &Egress, url: &str, budget: Budget) -> Attempted {
    post_body(egress, url, budget, Bytes::from_static(b"{}")).await
}

async fn post_body(egress: &Egress, url: &str, budget: Budget, body: Bytes) -> Attempted {
    let url = egress.policy().vet_url(url).unwrap();
    let headers = HeaderMap::new();
    egress.send(Request { method: Method::POST, url: &url, headers, body, budget }).await
}

fn class_of(attempted: &Attempted) -> Option<FailureClass> {
    attempted.result.as_ref().err().map(|failure| failure.class)
}

/// Waits until the idle connection to `receiver` is no longer usable.
async fn until_closed(egress: &Egress, receiver: &TestReceiver) {
    let origin = format!("http://{}", receiver.address());
    let closed = async {
        while let Some(connection) = egress.pool.take(&origin) {
            egress.pool.put(&origin, connection);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), closed).await.unwrap();
}
