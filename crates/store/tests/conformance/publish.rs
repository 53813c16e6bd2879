//! Publishing at most once.

use std::sync::Arc;

use tidings_core::limits;
use tidings_store::Idempotency;
use tokio::task::JoinSet;

use crate::support::{NOW, World, seqs};

const ONCE: Idempotency = Idempotency { key_hash: [1; 32], request_hash: [2; 32] };

pub(crate) async fn publish_is_idempotent_under_parallel_repetition(world: &World) {
    let app = world.app("a").await;
    world.publish(&app, 2).await;
    let mut jobs = JoinSet::new();
    for _ in 0..100 {
        // Each repetition brings ids of its own, as a client that lets us make them does.
        let changes = (0..3).map(|_| world.change("thing.happened")).collect();
        let (store, app_no) = (world.store.clone(), app.app_no);
        jobs.spawn(async move { store.publish(app_no, changes, Some(ONCE), NOW).await.unwrap() });
    }
    let answers = jobs.join_all().await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    let journal = world.journal(&app).await;
    assert_eq!(seqs(&journal), [1, 2, 3, 4, 5]);
    for answer in answers {
        let same = |(a, b): (&Arc<_>, &_)| same_change(a, b);
        assert_eq!(answer.appended.changes.len(), 3);
        assert!(answer.appended.changes.iter().zip(&journal[2..]).all(same));
    }
}

fn same_change(a: &tidings_core::change::Change, b: &tidings_core::change::Change) -> bool {
    (a.seq, a.new.id, &a.new.body) == (b.seq, b.new.id, &b.new.body)
}

pub(crate) async fn a_key_belongs_to_one_request_of_one_app(world: &World) {
    let (app, other) = (world.app("a").await, world.app("b").await);
    let publish = |app_no, once| {
        world.store.publish(app_no, vec![world.change("thing.happened")], Some(once), NOW)
    };
    assert!(!publish(app.app_no, ONCE).await.unwrap().replayed);
    let reused = publish(app.app_no, Idempotency { request_hash: [3; 32], ..ONCE }).await;
    assert!(reused.is_err_and(|error| error.is_key_reused()));
    assert!(publish(app.app_no, ONCE).await.unwrap().replayed);
    let elsewhere = publish(other.app_no, ONCE).await.unwrap();
    assert!(!elsewhere.replayed, "keys of different apps met");
    assert_eq!(elsewhere.appended.app_no, other.app_no);
    assert_eq!(seqs(&world.journal(&app).await), [1]);
}

pub(crate) async fn a_key_is_forgotten_after_its_time(world: &World) {
    let app = world.app("a").await;
    let publish = |request_hash, at| {
        let (change, once) = (world.change("thing.happened"), Idempotency { request_hash, ..ONCE });
        world.store.publish(app.app_no, vec![change], Some(once), at)
    };
    publish([2; 32], NOW).await.unwrap();
    let last_moment = NOW.plus_ms(limits::IDEMPOTENCY_TTL_MS);
    assert!(publish([2; 32], last_moment).await.unwrap().replayed);
    assert_eq!(world.store.forget_idempotency(last_moment).await.unwrap(), 0);

    let late = last_moment.plus_ms(1);
    assert!(!publish([3; 32], late).await.unwrap().replayed, "an old key was still in force");
    assert!(publish([3; 32], late).await.unwrap().replayed);
    assert_eq!(world.store.forget_idempotency(late).await.unwrap(), 0, "a renewed key is young");
    let later = late.plus_ms(limits::IDEMPOTENCY_TTL_MS + 1);
    assert_eq!(world.store.forget_idempotency(later).await.unwrap(), 1);
    assert_eq!(seqs(&world.journal(&app).await), [1, 2]);
}
