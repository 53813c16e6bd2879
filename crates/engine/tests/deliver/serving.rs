//! Order, coalescing, rates and test events, over a real store and a real receiver.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as Atomic};

use tidings_core::delivery::{Members, delivery_id};
use tidings_core::hook::{
    Coalesce, HookStatus, KeySource, OnExhausted, Ordering, Rate, Service, Span,
};
use tidings_store::{DeliveryStatus, Hook, HookUpdate};
use tidings_testkit::receiver::{Answer, Received};

use crate::world::{PATIENCE, World, audit, numbers, served};

fn body(request: &Received) -> &str {
    std::str::from_utf8(&request.body).unwrap()
}

/// The receiver refuses this number until the switch is thrown.
fn refuse(world: &World, number: &'static str) -> Arc<AtomicBool> {
    let healthy = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&healthy);
    world.receiver.answer_with(move |request| {
        let refused = body(request) == number && !switch.load(Atomic::SeqCst);
        Answer::status(if refused { 500 } else { 200 })
    });
    healthy
}

async fn parked(world: &World, hook: &Hook) -> Vec<u64> {
    let status = Some(DeliveryStatus::Parked);
    let rows = world.store.deliveries(hook.hook_no, status, u64::MAX, 100).await.unwrap();
    rows.iter().map(|row| row.members.first_seq).rev().collect()
}

async fn status(world: &World, hook: &Hook) -> (HookStatus, Option<String>) {
    let hook = world.store.hook_by_no(hook.hook_no).await.unwrap().unwrap();
    (hook.status, hook.status_reason)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordered_key_blocks_only_itself_also_after_a_crash() {
    let world = World::new().await;
    let healthy = refuse(&world, "1");
    let ordering = Ordering::Key(KeySource::OrderKey);
    let service = Service { ordering, ..served(&[0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]) };
    let hook = world.hook_served(&["*"], service).await;
    let engine = world.start();
    world.publish_keyed(&["a", "b", "a", "b", "a"]).await;
    world
        .until("all of the other key arrived, and what waits is parked", async || {
            let arrived: BTreeSet<_> = numbers(&world.receiver.received()).into_iter().collect();
            arrived == [1, 2, 4].into() && parked(&world, &hook).await == [1, 3, 5]
        })
        .await;
    let waiting = world.store.deliveries_at(hook.hook_no, 3).await.unwrap();
    let reason = waiting[0].reason.as_deref();
    assert_eq!(reason, Some("waits behind an earlier change of its key"));
    engine.crash().await;

    let engine = world.start();
    world.publish_keyed(&["a", "b"]).await;
    world
        .until("what came later waits, too", async || parked(&world, &hook).await == [1, 3, 5, 6])
        .await;
    healthy.store(true, Atomic::SeqCst);
    world.until("nothing waits", async || parked(&world, &hook).await.is_empty()).await;
    engine.stop().await;
    let mut of_a = numbers(&world.receiver.received());
    of_a.retain(|number| ![2, 4, 7].contains(number));
    of_a.dedup();
    assert_eq!(of_a, [1, 3, 5, 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wholly_ordered_hook_sends_one_by_one_and_parks_only_its_head() {
    let world = World::new().await;
    let healthy = refuse(&world, "3");
    let service = Service { ordering: Ordering::Hook, ..served(&[0, 1, 1, 1, 1, 1, 1]) };
    let hook = world.hook_served(&["*"], service).await;
    let engine = world.start();
    world.publish("a.b", 200).await;
    world.until("the third is parked", async || parked(&world, &hook).await == [3]).await;
    healthy.store(true, Atomic::SeqCst);
    world
        .until("the last one arrived", async || {
            numbers(&world.receiver.received()).last() == Some(&200)
        })
        .await;
    engine.stop().await;
    let mut arrived = numbers(&world.receiver.received());
    arrived.dedup();
    assert_eq!(arrived, (1..=200).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exhausted_head_lets_its_key_go_on_or_stops_the_hook() {
    for (on_exhausted, expected) in
        [(OnExhausted::Continue, vec![1, 2]), (OnExhausted::Stop, vec![1])]
    {
        let world = World::new().await;
        refuse(&world, "1");
        let ordering = Ordering::Key(KeySource::OrderKey);
        let service = Service { ordering, on_exhausted, ..served(&[0]) };
        let hook = world.hook_served(&["*"], service).await;
        let engine = world.start();
        world.publish_keyed(&["a", "a"]).await;
        world
            .until("the hook went on or stopped", async || match on_exhausted {
                OnExhausted::Continue => world.receiver.count() == 2,
                OnExhausted::Stop => status(&world, &hook).await.0 == HookStatus::Disabled,
            })
            .await;
        engine.stop().await;
        assert_eq!(numbers(&world.receiver.received()), expected);
        if on_exhausted == OnExhausted::Stop {
            let id = delivery_id(hook.id, hook.hook_no, &Members::single(1));
            let reason = status(&world, &hook).await.1.unwrap();
            assert!(reason.contains(&id.to_string()), "{reason}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coalesced_delivery_keeps_its_members_and_id_when_it_is_retried() {
    let world = World::new().await;
    let healthy = refuse(&world, "1,2,3");
    let coalesce = Some(Coalesce { window_ms: 200, ..Coalesce::default() });
    let service = Service { coalesce, ..served(&[0, 1, 1, 1, 1, 1, 1, 1]) };
    let hook = world.hook_served(&["a.*"], service).await;
    let engine = world.start();
    world.publish("a.b", 3).await;
    world.until("the first is parked", async || parked(&world, &hook).await == [1]).await;
    world.publish("c.d", 1).await;
    world.publish("a.b", 2).await;
    healthy.store(true, Atomic::SeqCst);
    world
        .until("all of it is delivered", async || {
            let rows = world.store.deliveries(hook.hook_no, None, u64::MAX, 10).await.unwrap();
            rows.len() == 2 && rows.iter().all(|row| row.status == DeliveryStatus::Delivered)
        })
        .await;
    engine.stop().await;
    let bodies: BTreeSet<_> =
        world.receiver.received().iter().map(|request| body(request).to_owned()).collect();
    assert_eq!(bodies, ["1,2,3".to_owned(), "5,6".to_owned()].into());
    let members = Members { group: "all".into(), first_seq: 1, last_seq: 3, count: 3 };
    let id = delivery_id(hook.id, hook.hook_no, &members).to_string();
    let first = world.receiver.received();
    let of_first = first.iter().filter(|request| body(request) == "1,2,3");
    assert!(of_first.clone().count() >= 2, "it was retried");
    assert!(of_first.into_iter().all(|request| request.header("webhook-id") == Some(&id)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_coalesced_into_full_requests() {
    let world = World::new().await;
    let coalesce = Some(Coalesce { batch_max: 50, ..Coalesce::default() });
    let hook = world.hook_served(&["*"], Service { coalesce, ..served(&[0]) }).await;
    world.publish("a.b", 2_000).await;
    let engine = world.start();
    world
        .until("the whole backlog arrived", async || {
            let all: usize =
                world.receiver.received().iter().map(|it| body(it).split(',').count()).sum();
            all == 2_000
        })
        .await;
    engine.stop().await;
    assert!(world.receiver.count() <= 60, "{} requests", world.receiver.count());
    assert_eq!(world.store.settled_seq(world.app_no, hook.hook_no).await.unwrap(), 2_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_with_a_rate_gets_everything_in_the_end() {
    let world = World::new().await;
    let rate = Some(Rate { count: 50, per: Span::Second });
    world.hook_served(&["*"], Service { rate, ..served(&[0]) }).await;
    let engine = world.start();
    world.publish("a.b", 30).await;
    let received = world.receiver.wait_for(30, PATIENCE).await;
    engine.stop().await;
    let arrived: BTreeSet<_> = numbers(&received).into_iter().collect();
    assert_eq!((arrived, world.receiver.count()), ((1..=30).collect(), 30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successful_test_event_enables_a_disabled_hook() {
    let world = World::new().await;
    let hook = world.hook(&["a.*"], &[0]).await;
    let engine = world.start();
    let disable = HookUpdate {
        status: Some((HookStatus::Disabled, Some("for the test".into()))),
        ..HookUpdate::default()
    };
    let (store, now) = (&world.store, world.clock.now());
    store.update_hook(hook.hook_no, disable, audit("disable"), now).await.unwrap();
    world.publish("a.b", 2).await;

    world.receiver.answer_always(Answer::status(500));
    world.publish_test(&hook).await;
    world
        .until("the test has failed, for good", async || {
            let rows = store.deliveries_at(hook.hook_no, 3).await.unwrap();
            rows.first().is_some_and(|row| row.status == DeliveryStatus::Exhausted)
        })
        .await;
    assert_eq!(status(&world, &hook).await.0, HookStatus::Disabled);

    world.receiver.answer_always(Answer::status(200));
    world.publish_test(&hook).await;
    let received = world.receiver.wait_for(4, PATIENCE).await;
    assert_eq!(status(&world, &hook).await, (HookStatus::Active, None));
    engine.stop().await;
    let arrived: BTreeSet<_> = numbers(&received).into_iter().collect();
    assert_eq!((arrived, world.receiver.count()), ((1..=4).collect(), 4));
}
