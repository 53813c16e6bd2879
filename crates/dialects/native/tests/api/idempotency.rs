//! `idempotency-key`: the scenarios of the bad inputs' category of that name.

use http::{Method, Request};
use serde_json::{Value, json};
use tidings_core::limits;

use crate::world::{Answer, World, request};

fn keyed(world: &World, key: &str, body: Value) -> Request<Vec<u8>> {
    let mut request = request(Method::POST, &world.app.key, "/api/v1/changes", Some(body));
    request.headers_mut().insert("idempotency-key", key.parse().unwrap());
    request
}

async fn publish(world: &World, key: &str, body: Value) -> Answer {
    world.send(keyed(world, key, body)).await
}

#[tokio::test]
async fn the_same_request_publishes_once_and_another_is_refused() {
    let world = World::new().await;
    let body = json!({"type": "a.b", "data": {"n": 1}});
    let first = publish(&world, "k-1", body.clone()).await;
    let second = publish(&world, "k-1", body.clone()).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (202, 202));
    assert_eq!(first.body, second.body);
    assert!(!first.headers.contains_key("idempotency-replayed"));
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert_eq!(first.headers["location"], second.headers["location"]);

    let other = publish(&world, "k-1", json!({"type": "a.b", "data": {"n": 2}})).await;
    assert_eq!(other.status, 422, "{other:?}");
    other.assert_problem();
    assert_eq!(world.seq().await, 1);
}

#[tokio::test]
async fn requests_at_the_same_time_publish_once() {
    let world = World::new().await;
    let body = json!({"type": "a.b", "data": {"n": 1}});
    let (one, two) =
        tokio::join!(publish(&world, "k-1", body.clone()), publish(&world, "k-1", body.clone()));
    assert_eq!((one.status.as_u16(), &one.body), (202, &two.body));
    assert_eq!(world.seq().await, 1);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let world = World::new().await;
    let refused = publish(&world, "k-1", json!({"type": "a b", "data": 1})).await;
    assert_eq!(refused.status, 422);
    let accepted = publish(&world, "k-1", json!({"type": "a.b", "data": 1})).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
}

#[tokio::test]
async fn a_key_is_forgotten_after_its_time() {
    let world = World::new().await;
    let first = publish(&world, "k-1", json!({"type": "a.b", "data": 1})).await;
    world.clock.advance_ms(limits::IDEMPOTENCY_TTL_MS + 1);
    let second = publish(&world, "k-1", json!({"type": "a.b", "data": 2})).await;
    assert_eq!(second.status, 202, "{second:?}");
    assert_ne!(first.json()["id"], second.json()["id"]);
}

#[tokio::test]
async fn a_batch_is_published_once_and_refused_whole() {
    let world = World::new().await;
    let batch = json!({"changes": [{"type": "a.b", "data": 1}, {"type": "a.c", "data": [2]}]});
    let mut first = request(Method::POST, &world.app.key, "/api/v1/changes/batch", Some(batch));
    first.headers_mut().insert("idempotency-key", "k-2".parse().unwrap());
    let second = first.clone();
    let (first, second) = (world.send(first).await, world.send(second).await);
    assert_eq!((first.status.as_u16(), &first.body), (202, &second.body), "{first:?}");
    assert_eq!(second.headers["idempotency-replayed"], "true");
    let seqs: Vec<_> =
        first.json()["data"].as_array().unwrap().iter().map(|c| c["seq"].clone()).collect();
    assert_eq!(seqs, [1, 2]);

    for (batch, pointer) in [
        (json!({"changes": []}), "/changes"),
        (
            json!({"changes": [{"type": "a.b", "data": 1}, {"type": "*", "data": 1}]}),
            "/changes/1/type",
        ),
        (json!({"changes": [{"type": "a.b"}]}), "/changes/0/data"),
    ] {
        let refused = world.post(&world.app.key, "/changes/batch", batch).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
    }
    assert_eq!(world.seq().await, 2);
}
