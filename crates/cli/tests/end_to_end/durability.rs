//! What a 2xx is worth.

use serde_json::json;

use tidings_testkit::postgres::PostgresDatabase;

use crate::tidings::Tidings;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_survives_a_kill() {
    accepted_survives_kills(Tidings::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_on_postgresql_survives_a_kill() {
    let database = PostgresDatabase::create();
    let environment = [("TIDINGS_DATABASE_URL", database.url.as_str())];
    accepted_survives_kills(Tidings::start_with(&environment).await).await;
    assert_eq!(database.query("SELECT max(seq) FROM change"), "5");
}

async fn accepted_survives_kills(mut tidings: Tidings) {
    let publish = async |tidings: &Tidings, number: u64| {
        let body = json!({"type": "order.placed", "data": {"number": number}});
        let key = format!("order-{number}");
        let headers = [("idempotency-key", key.as_str())];
        let (status, answer) = tidings
            .send("POST", "/api/v1/changes", &tidings.server.key, &headers, Some(&body))
            .await;
        assert_eq!(status, 202, "{answer}");
        answer
    };
    let mut accepted = Vec::new();
    for number in 1..=5 {
        accepted.push(publish(&tidings, number).await);
        tidings.server.kill9().await;
        tidings.server.restart().await;
    }
    let kept = tidings.get("/changes").await;
    for (number, accepted) in (1..).zip(&accepted) {
        let change = &kept["data"][number as usize - 1];
        assert_eq!((&change["id"], &change["seq"]), (&accepted["id"], &json!(number)), "{kept}");
        assert_eq!(change["data"]["number"], number, "{kept}");
        // The key was as durable as the change: repeating it publishes nothing.
        assert_eq!(publish(&tidings, number).await, *accepted);
    }
    assert_eq!(tidings.get("/changes").await["data"].as_array().unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_although_its_store_takes_no_writes() {
    let database = PostgresDatabase::create();
    let environment = [("TIDINGS_DATABASE_URL", database.url.as_str())];
    let mut tidings = Tidings::start_with(&environment).await;
    let hook = json!({"url": "http://127.0.0.1:9/", "triggers": ["service.started"]});
    tidings.call("POST", "/hooks", hook).await;
    tidings.server.kill9().await;
    database.query(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE 'the disk is full'; END $$",
    );
    database.query("CREATE TRIGGER full_disk BEFORE INSERT ON change EXECUTE FUNCTION refuse()");
    tidings.server.restart().await;
    assert_eq!(tidings.get("/hooks").await["data"].as_array().unwrap().len(), 1);
    assert_eq!(database.query("SELECT count(*) FROM change"), "0");
    database.query("DROP TRIGGER full_disk ON change");
    tidings.server.restart().await;
    assert_eq!(database.query("SELECT type FROM change"), "service.started");
}
