//! Subscriptions at the simulated Graph: made, renewed in place, made again, swept.
#![expect(clippy::unwrap_used, reason = "this is a test")]

#[path = "../providers/door.rs"]
mod door;
mod world;

use tidings_engine::sync::Passed;
use tidings_simulators::graph::{ADA, Lifecycle};
use tidings_simulators::server::Fault;
use tidings_store::SubscriptionStatus;

use world::World;

const HOUR: i64 = 3_600_000;

#[tokio::test]
async fn every_calendar_is_subscribed_to_while_graph_asks_for_its_token_back() {
    let world = World::watched().await;
    assert_eq!(world.subscriptions().step().await.unwrap(), 2);
    assert_eq!(world.subscriptions().step().await.unwrap(), 0);
    assert_eq!(world.graph.subscriptions().len(), 2);
    for live in world.live().await {
        assert_eq!(live.status, SubscriptionStatus::Active);
        assert!(world.graph.subscriptions().contains(live.external_id.as_ref().unwrap()));
    }
    world.graph.create_event(ADA, &world.graph.default_calendar(ADA), world::event("A"));
    world.graph.pushes().settled().await;
    assert!(world.live().await.iter().any(|live| live.delivered_at.is_some()), "it pushes");
}

#[tokio::test]
async fn a_subscription_is_renewed_in_place_and_its_calendar_is_read_again() {
    let world = World::watched().await;
    world.subscriptions().step().await.unwrap();
    world.settle().await;
    let before = world.graph.subscriptions();
    world.clock.advance_ms(6 * 24 * HOUR);
    world.subscriptions().step().await.unwrap();
    assert_eq!(world.graph.subscriptions(), before, "the same ones");
    for live in world.live().await {
        assert!(live.expires_at.unwrap().0 > world.clock.now().0 + 6 * 24 * HOUR);
    }
    assert!(world.mirror().await.iter().all(tidings_store::Collection::is_dirty));
}

#[tokio::test]
async fn a_lifetime_that_is_refused_is_shortened() {
    let world = World::watched().await;
    world.graph.switches(|switches| switches.max_minutes = 4_230);
    world.subscriptions().step().await.unwrap();
    assert_eq!(world.graph.subscriptions().len(), 2);
    world.clock.advance_ms(60 * HOUR);
    world.subscriptions().step().await.unwrap();
    world.clock.advance_ms(60 * HOUR);
    assert_eq!(world.graph.subscriptions().len(), 2, "renewed, too");
}

/// As after a password reset: Graph removed it; the renewal finds out at the latest.
#[tokio::test]
async fn a_removed_subscription_is_made_again() {
    let world = World::watched().await;
    world.subscriptions().step().await.unwrap();
    for id in world.graph.subscriptions() {
        world.graph.lifecycle(&id, Lifecycle::Removed);
    }
    for live in world.live().await {
        let (no, now) = (live.subscription_no, world.clock.now());
        world.store.hasten_subscription(no, now).await.unwrap();
    }
    world.subscriptions().step().await.unwrap();
    world.subscriptions().step().await.unwrap();
    assert_eq!(world.graph.subscriptions().len(), 2);
    assert_eq!(world.live().await.len(), 2);
}

/// Graph made it, but its answer was lost: it is in the way of the next try, and ended for it.
#[tokio::test]
async fn a_lost_answer_leaves_no_orphan() {
    let world = World::watched().await;
    world.graph.faults().next("POST", "/subscriptions", Fault::Lost);
    world.subscriptions().step().await.unwrap();
    assert_eq!((world.graph.subscriptions().len(), world.live().await.len()), (2, 1));
    world.clock.advance_ms(10 * 60_000);
    world.subscriptions().step().await.unwrap();
    world.agree().await;
}

/// As after a database was restored: Graph pushes for rows that are not there any more.
#[tokio::test]
async fn orphans_are_swept() {
    let world = World::watched().await;
    world.subscriptions().step().await.unwrap();
    let forgotten = world.live().await.remove(0);
    let (no, now) = (forgotten.subscription_no, world.clock.now());
    world.store.end_subscription(no, None, None, now).await.unwrap();
    assert_eq!((world.graph.subscriptions().len(), world.live().await.len()), (2, 1));
    world.clock.advance_ms(6 * 24 * HOUR);
    world.subscriptions().step().await.unwrap();
    world.agree().await;
}

#[tokio::test]
async fn an_address_that_graph_cannot_reach_is_the_reason_why_it_is_only_polled() {
    let world = World::unreachable().await;
    world.subscriptions().step().await.unwrap();
    assert_eq!(world.graph.subscriptions().len(), 0);
    for calendar in world.mirror().await {
        let why = calendar.watch_error.unwrap();
        assert!(why.contains("could not reach us"), "{why}");
    }
    assert_eq!(world.pass().await, Passed::Synced, "and it is polled");
}
