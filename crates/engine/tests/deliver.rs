//! The delivery engine over a real store and a real receiver.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "deliver/counting.rs"]
mod counting;
#[path = "deliver/entering.rs"]
mod entering;
#[path = "deliver/policies.rs"]
mod policies;
#[path = "deliver/replaying.rs"]
mod replaying;
#[path = "deliver/selecting.rs"]
mod selecting;
#[path = "deliver/serving.rs"]
mod serving;
#[path = "deliver/telling.rs"]
mod telling;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeSet;

use tidings_core::delivery::Members;
use tidings_core::hook::HookStatus;
use tidings_core::id::ReplayId;
use tidings_store::{DeliveryStatus, HookUpdate, NewReplay};
use tidings_testkit::receiver::Answer;
use world::{PATIENCE, World, audit, numbers};

fn all(until: u64) -> BTreeSet<u64> {
    (1..=until).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_matching_change_is_delivered_once_and_signed() {
    let world = World::new().await;
    let engine = world.start();
    let hook = world.hook(&["a.*"], &[0]).await;
    world.publish("a.b", 300).await;
    world.publish("c.d", 50).await;
    let received = world.receiver.wait_for(300, PATIENCE).await;
    assert_eq!(numbers(&received).into_iter().collect::<BTreeSet<_>>(), all(300));
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        assert!(received[0].header(name).is_some(), "{name}");
    }
    engine.stop().await;
    assert_eq!(world.receiver.count(), 300, "nothing twice, nothing unasked");
    assert_eq!(world.store.settled_seq(world.app_no, hook.hook_no).await.unwrap(), 350);
    assert!(
        world.store.cursors(hook.hook_no).await.unwrap().is_empty(),
        "a current hook has no row"
    );
    let hook = world.store.hook_by_no(hook.hook_no).await.unwrap().unwrap();
    assert_eq!((hook.runs, hook.failures), (300, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_delivery_is_parked_retried_under_its_id_and_then_given_up() {
    let world = World::new().await;
    let engine = world.start();
    let hook = world.hook(&["*"], &[0, 0, 0]).await;
    let watcher = world.hook(&["delivery.exhausted"], &[0]).await;
    world.receiver.answer_with(|request| {
        let failing = std::str::from_utf8(&request.body).is_ok_and(|body| body == "1");
        Answer::status(if failing { 500 } else { 200 })
    });
    world.publish("a.b", 3).await;
    world
        .until("the delivery is given up", async || {
            let rows = world.store.deliveries_at(hook.hook_no, 1).await.unwrap();
            rows.first().is_some_and(|row| row.status == DeliveryStatus::Exhausted)
        })
        .await;
    world
        .until("the operational change arrives", async || {
            !world.store.deliveries(watcher.hook_no, None, u64::MAX, 10).await.unwrap().is_empty()
        })
        .await;
    let attempts = world.store.attempts(hook.hook_no, &Members::single(1)).await.unwrap();
    assert_eq!(attempts.iter().map(|a| a.record.n).collect::<Vec<_>>(), [1, 2, 3]);
    let ids: BTreeSet<_> = world
        .receiver
        .received()
        .iter()
        .filter(|request| &request.body[..] == b"1")
        .map(|request| request.header("webhook-id").unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 1, "retries keep their webhook-id");

    world.receiver.answer_with(|_| Answer::status(200));
    let members = Members::single(1);
    world
        .store
        .resend(world.app_no, hook.hook_no, members, None, audit("resend"), world.clock.now())
        .await
        .unwrap();
    world
        .until("the resent delivery arrives", async || {
            let rows = world.store.deliveries_at(hook.hook_no, 1).await.unwrap();
            rows.first().is_some_and(|row| row.status == DeliveryStatus::Delivered)
        })
        .await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_receiver_parks_little_and_gets_its_backlog_when_it_returns() {
    let world = World::new().await;
    let engine = world.start();
    let hook = world.hook(&["*"], &[0, 1, 1, 1, 1, 1]).await;
    world.receiver.down().await;
    world.publish("a.b", 2_000).await;
    world
        .until("the breaker has opened", async || {
            !world.store.deliveries(hook.hook_no, None, u64::MAX, 10).await.unwrap().is_empty()
        })
        .await;
    engine.stop().await;
    let parked = world.store.next_parked(hook.hook_no, 1_000).await.unwrap().len();
    assert!(parked <= 8, "{parked} rows for a backlog of 2,000");

    let engine = world.start();
    world.receiver.up().await;
    let received = world.receiver.wait_for(2_000, PATIENCE).await;
    engine.stop().await;
    assert_eq!(numbers(&received).into_iter().collect::<BTreeSet<_>>(), all(2_000));
    assert_eq!(world.receiver.count(), 2_000, "nothing twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crashes_lose_nothing_and_repeat_no_more_than_what_was_in_flight() {
    let world = World::new().await;
    world.hook(&["*"], &[0, 0, 0]).await;
    for _ in 0..5 {
        let engine = world.start();
        world.publish("a.b", 200).await;
        let seen = world.receiver.count();
        world.receiver.wait_for(seen + 50, PATIENCE).await;
        engine.crash().await;
    }
    let engine = world.start();
    world
        .until("everything arrived", async || {
            numbers(&world.receiver.received()).into_iter().collect::<BTreeSet<_>>() == all(1_000)
        })
        .await;
    engine.stop().await;
    let repeated = world.receiver.count() - 1_000;
    assert!(repeated <= 5 * 8, "{repeated} repeated by 5 crashes with 8 in flight each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_answers_410_is_not_called_again() {
    let world = World::new().await;
    let engine = world.start();
    let hook = world.hook(&["*"], &[0, 0]).await;
    world.receiver.answer_always(Answer::status(410));
    world.publish("a.b", 1).await;
    world
        .until("the hook is disabled", async || {
            let hook = world.store.hook_by_no(hook.hook_no).await.unwrap().unwrap();
            hook.status == HookStatus::Disabled
        })
        .await;
    world.publish("a.b", 5).await;
    engine.stop().await;
    assert_eq!(world.receiver.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_hook_keeps_its_backlog_without_rows_and_can_jump_it() {
    for (skip, expected) in [(None, 51), (Some("asked for".to_owned()), 1)] {
        let world = World::new().await;
        let engine = world.start();
        let hook = world.hook(&["*"], &[0]).await;
        let pause =
            HookUpdate { status: Some((HookStatus::Paused, None)), ..HookUpdate::default() };
        world
            .store
            .update_hook(hook.hook_no, pause, audit("pause"), world.clock.now())
            .await
            .unwrap();
        world.publish("a.b", 50).await;
        let enable = HookUpdate {
            status: Some((HookStatus::Active, None)),
            skip_backlog: skip,
            ..HookUpdate::default()
        };
        world
            .store
            .update_hook(hook.hook_no, enable, audit("enable"), world.clock.now())
            .await
            .unwrap();
        world.publish("a.b", 1).await;
        let received = world.receiver.wait_for(expected, PATIENCE).await;
        engine.stop().await;
        assert_eq!(world.receiver.count(), expected);
        assert!(numbers(&received).contains(&51));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_and_a_hook_that_begins_in_the_past_read_the_journal() {
    let world = World::new().await;
    world.publish("a.b", 700).await;
    let engine = world.start();
    let hook = world.hook_after(&["*"], &[0], Some(500)).await;
    let received = world.receiver.wait_for(200, PATIENCE).await;
    assert_eq!(numbers(&received).into_iter().min(), Some(501));
    let id = ReplayId(world.ids.next(world.clock.now()));
    let (after, until) = (600, 650);
    let new = NewReplay { id, after, until, picks: None, rate: None, total: None };
    let (entry, now) = (audit("replay"), world.clock.now());
    world.store.create_replay(hook.hook_no, new, entry, now).await.unwrap();
    world
        .until("the replay is through", async || {
            let replay = world.store.replay(hook.hook_no, id).await.unwrap();
            Some(replay.settled_seq) == replay.until_seq
        })
        .await;
    engine.stop().await;
    let received = world.receiver.received();
    assert_eq!(received.len(), 250);
    let id_of = |at: usize| received[at].header("webhook-id").unwrap().to_owned();
    let first: BTreeSet<_> = (0..200).map(id_of).collect();
    assert!((200..250).map(id_of).all(|id| first.contains(&id)), "a replay keeps the ids");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_whose_expiration_has_passed_is_disabled_not_called() {
    let world = World::new().await;
    let engine = world.start();
    let expired = world.hook_until(&["*"], &[0], None, Some(world.clock.now())).await;
    world.hook(&["*"], &[0]).await;
    world.publish("a.b", 3).await;
    world
        .until("it is disabled", async || {
            let hook = world.store.hook_by_no(expired.hook_no).await.unwrap().unwrap();
            hook.status == HookStatus::Disabled && hook.runs == 0
        })
        .await;
    world.receiver.wait_for(3, PATIENCE).await;
    engine.stop().await;
    assert_eq!(world.receiver.count(), 3, "only the other hook was called");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_fails_only_its_own_attempt() {
    let world = World::new().await;
    let engine = world.start();
    let hook = world.hook(&["*"], &[0]).await;
    world.publish("a.b", 20).await;
    world.publish("bug", 3).await;
    world.publish("a.b", 20).await;
    world.receiver.wait_for(40, PATIENCE).await;
    world
        .until("the failed ones are given up", async || {
            let status = Some(DeliveryStatus::Exhausted);
            world.store.deliveries(hook.hook_no, status, u64::MAX, 10).await.unwrap().len() == 3
        })
        .await;
    engine.stop().await;
    let attempts = world.store.attempts(hook.hook_no, &Members::single(21)).await.unwrap();
    assert_eq!(attempts[0].record.error.as_ref().unwrap().0, "internal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_of_our_own_do_not_hold_up_a_healthy_receiver() {
    let world = World::new().await;
    let engine = world.start();
    let hook = world.hook(&["*"], &[0]).await;
    world.publish("bug", 40).await;
    world.publish("a.b", 5).await;
    let received = world.receiver.wait_for(5, PATIENCE).await;
    assert_eq!(numbers(&received).into_iter().collect::<BTreeSet<_>>(), (41..=45).collect());
    world
        .until("the failed ones are given up", async || {
            let status = Some(DeliveryStatus::Exhausted);
            world.store.deliveries(hook.hook_no, status, u64::MAX, 100).await.unwrap().len() == 40
        })
        .await;
    engine.stop().await;
}
