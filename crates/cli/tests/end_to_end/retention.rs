//! What is old goes, and a hook that loses something of it is told of.

use std::time::Instant;

use serde_json::{Value, json};
use tidings_testkit::postgres::PostgresDatabase;
use tidings_testkit::receiver::TestReceiver;

use crate::tidings::{PATIENCE, Tidings};

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_hook_is_passed_over_old_changes_and_its_owner_is_told() {
    let database = PostgresDatabase::create();
    let environment = [("TIDINGS_DATABASE_URL", database.url.as_str())];
    let mut tidings = Tidings::start_with(&environment).await;
    let (receiver, operator) = (TestReceiver::start().await, TestReceiver::start().await);
    let (hook, _) = tidings.hook(&receiver, &["order.*"]).await;
    tidings.hook(&operator, &["hook.gap"]).await;
    tidings.call("POST", &format!("/hooks/{hook}/pause"), Value::Null).await;
    for number in 1..=3 {
        tidings.publish("order.placed", json!({"number": number})).await;
    }
    wait_until(&database, "SELECT count(*) FROM cursor WHERE settled_seq = 0", "1").await;
    wait_until(&database, "SELECT min(matched_seq) FROM matched", "3").await;

    let first = tidings.get("/changes?limit=1").await["next_cursor"].as_str().unwrap().to_owned();

    tidings.server.kill9().await;
    database
        .query("UPDATE change SET recorded_at = recorded_at - 31::bigint * 86400000 RETURNING 1");
    tidings.server.restart().await;
    operator.wait_for(1, PATIENCE).await;
    let told: Value = serde_json::from_slice(&operator.received()[0].body).unwrap();
    let gap = &told["data"];
    assert_eq!((&told["type"], &gap["hook"]["id"]), (&json!("hook.gap"), &json!(hook)), "{told}");
    let numbers = (&gap["from_seq"], &gap["to_seq"], &gap["changes"]);
    assert_eq!(numbers, (&json!(1), &json!(3), &json!(3)), "{told}");

    wait_until(&database, "SELECT floor_seq FROM app", "3").await;
    let app = &tidings.get("/apps").await["data"][0];
    assert_eq!(app["oldest_seq"], 4, "{app}");
    let ledger = tidings.get(&format!("/hooks/{hook}/ledger/summary")).await;
    assert_eq!(
        (&ledger["total"], &ledger["counts"]["skipped"]),
        (&json!(4), &json!(3)),
        "{ledger}"
    );
    let path = format!("/api/v1/changes?after={first}");
    let (status, gone) = tidings.send("GET", &path, &tidings.server.key, &[], None).await;
    assert_eq!((status, &gone["oldest_seq"]), (410, &json!(4)), "{gone}");
    assert_eq!(receiver.count(), 0, "a paused hook got something");
}

async fn wait_until(database: &PostgresDatabase, query: &str, expected: &str) {
    let begun = Instant::now();
    while database.query(query) != expected {
        assert!(begun.elapsed() < PATIENCE, "{query}: {}", database.query(query));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_published_when_the_disk_has_less_than_its_reserve() {
    let environment = [("TIDINGS_DISK_RESERVE", "9000000000000000000")];
    let tidings = Tidings::start_with(&environment).await;
    let body = json!({"type": "order.placed", "data": {}});
    let begun = Instant::now();
    loop {
        let key = &tidings.server.key;
        let (status, answer) = tidings.send("POST", "/api/v1/changes", key, &[], Some(&body)).await;
        if status == 507 {
            assert_eq!(answer["code"], "full", "{answer}");
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{status} {answer}");
    }
}
