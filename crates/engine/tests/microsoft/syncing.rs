//! Passes: what they tell, and what they never do.

use serde_json::json;
use tidings_core::id::{Bits96, SubscriptionId};
use tidings_engine::sync::Passed;
use tidings_providers::error::ProviderError;
use tidings_simulators::graph::{ADA, Resync, refused, throttled};
use tidings_simulators::server::Fault;
use tidings_store::NewSubscription;

use crate::graph_world::{World, event, event_at, series};

const DAY: i64 = 24 * 3_600_000;

#[tokio::test]
async fn the_first_sync_is_a_silent_baseline_over_pages() {
    let mut world = World::new().await;
    world.graph.switches(|switches| switches.max_page = 7);
    for number in 0..30 {
        world.graph.create_event(ADA, &world.work, event(&format!("E{number}")));
    }
    world.graph.create_event(ADA, &world.work, series("Weekly"));
    world.expect(&["account.connected"]).await;
    assert_eq!(world.events(&world.work).await.len(), 31);
}

#[tokio::test]
async fn every_request_asks_for_immutable_ids() {
    let mut world = World::watched().await;
    world.graph.create_event(ADA, &world.work, series("Weekly"));
    world.expect(&["event.created Weekly"]).await;
    for asked in world.graph.log().matching("GET", "/v1.0/") {
        let prefer = asked.call.header("prefer").unwrap_or_default().to_owned();
        assert!(prefer.contains("IdType=\"ImmutableId\""), "{}", asked.call.path);
    }
}

/// Events outside of the window come as removed, whatever happened to them.
#[tokio::test]
async fn a_tombstone_of_an_event_outside_the_window_means_nothing() {
    let mut world = World::watched().await;
    let far = world.graph.create_event(ADA, &world.work, event_at("Far", "2031-01-01"));
    world.graph.create_event(ADA, &world.work, event("Near"));
    world.expect(&["event.created Near"]).await;
    world.graph.edit_event(ADA, &far, json!({ "subject": "Further" }));
    world.graph.delete_event(ADA, &far);
    world.expect(&[]).await;
}

/// It comes as removed, but is still in the calendar.
#[tokio::test]
async fn an_event_that_leaves_the_window_is_updated_and_not_deleted() {
    let mut world = World::watched().await;
    let id = world.graph.create_event(ADA, &world.work, event("Trip"));
    world.expect(&["event.created Trip"]).await;
    let far = event_at("Trip", "2031-01-01");
    world.graph.edit_event(ADA, &id, json!({ "start": far["start"], "end": far["end"] }));
    world.expect(&["event.updated Trip"]).await;
    world.graph.delete_event(ADA, &id);
    world.expect(&["event.deleted Trip"]).await;
}

#[tokio::test]
async fn an_event_that_moves_to_another_calendar_leaves_the_first() {
    let mut world = World::new().await;
    let home = world.graph.add_calendar(ADA, "Home");
    let id = world.graph.create_event(ADA, &world.work, event("Nomad"));
    world.expect(&["account.connected"]).await;
    world.graph.move_event(ADA, &id, &home);
    world.expect(&["event.created Nomad", "event.deleted Nomad"]).await;
    assert_eq!(world.events(&home).await.len(), 1);
    assert_eq!(world.events(&world.work).await.len(), 0);
}

#[tokio::test]
async fn a_series_is_compared_whole_whatever_its_delta_shows() {
    let mut world = World::watched().await;
    world.graph.switches(|switches| switches.hide_cancelled = true);
    let weekly = world.graph.create_event(ADA, &world.work, series("Weekly"));
    world.expect(&["event.created Weekly"]).await;
    let day = |day: &str| world.graph.occurrence(&weekly, day);
    let (second, third) = (day("2026-12-09"), day("2026-12-16"));
    world.graph.edit_event(ADA, &second, json!({ "subject": "Special" }));
    world.expect(&["event.created Special"]).await;
    world.graph.delete_event(ADA, &third);
    world.expect(&["event.created Weekly"]).await;
    let events = world.events(&world.work).await;
    let cancelled: Vec<_> = events.iter().filter(|event| event["status"] == "cancelled").collect();
    assert_eq!(cancelled.len(), 1);
    assert_eq!(cancelled[0]["recurrenceId"], "2026-12-16T09:00:00.000Z");
    world.graph.delete_event(ADA, &second);
    world.expect(&["event.created Weekly", "event.deleted Special"]).await;
    world.graph.delete_event(ADA, &weekly);
    world.expect(&["event.deleted Weekly", "event.deleted Weekly", "event.deleted Weekly"]).await;
}

#[tokio::test]
async fn a_series_that_becomes_a_single_event_loses_its_exceptions() {
    let mut world = World::watched().await;
    let weekly = world.graph.create_event(ADA, &world.work, series("Weekly"));
    let second = world.graph.occurrence(&weekly, "2026-12-09");
    world.graph.edit_event(ADA, &second, json!({ "subject": "Special" }));
    world.expect(&["event.created Special", "event.created Weekly"]).await;
    world.graph.edit_event(ADA, &weekly, json!({ "recurrence": null }));
    world.expect(&["event.deleted Special", "event.updated Weekly"]).await;
}

/// What was there, what came and what went meanwhile.
#[tokio::test]
async fn a_refused_link_leads_to_a_comparison_and_tells_only_what_changed() {
    for resync in [Resync::Location, Resync::Required, Resync::NotFound, Resync::Invalid] {
        let mut world = World::watched().await;
        world.graph.switches(|switches| (switches.resync, switches.max_page) = (resync, 2));
        let mut ids = Vec::new();
        for title in ["A", "B", "C"] {
            ids.push(world.graph.create_event(ADA, &world.work, event(title)));
        }
        world.expect(&["event.created A", "event.created B", "event.created C"]).await;
        world.graph.forget_deltas();
        world.graph.delete_event(ADA, &ids[1]);
        world.graph.edit_event(ADA, &ids[2], json!({ "subject": "C2" }));
        world.graph.create_event(ADA, &world.work, event("D"));
        world.expect(&["event.created D", "event.deleted B", "event.updated C2"]).await;
        world.graph.forget_deltas();
        world.expect(&[]).await;
    }
}

#[tokio::test]
async fn the_window_is_rolled_and_what_falls_out_of_it_is_not_deleted() {
    let mut world = World::watched().await;
    world.graph.create_event(ADA, &world.work, event("Soon"));
    world.graph.create_event(ADA, &world.work, event_at("Later", "2028-03-20"));
    world.expect(&["event.created Soon"]).await;
    let before = world.calendar(&world.work).await.window.unwrap();
    world.clock.advance_ms(45 * DAY);
    world.expect(&[]).await;
    let after = world.calendar(&world.work).await.window.unwrap();
    assert!(after.0 > before.0 && after.1 > before.1);
    world.clock.advance_ms(50 * DAY);
    world.expect(&["event.created Later"]).await;
    assert_eq!(world.events(&world.work).await.len(), 2, "the first is not forgotten");
}

/// Exchange moves the version several times after one save.
#[tokio::test]
async fn a_version_that_moves_without_a_word_tells_nothing() {
    let mut world = World::watched().await;
    let id = world.graph.create_event(ADA, &world.work, event("Same"));
    world.expect(&["event.created Same"]).await;
    world.graph.edit_event(ADA, &id, json!({ "subject": "Same" }));
    world.expect(&[]).await;
}

#[tokio::test]
async fn a_push_whose_change_is_not_visible_yet_is_looked_for_again_soon() {
    let mut world = World::watched().await;
    let calendar = world.calendar(&world.work).await;
    let subscription = NewSubscription {
        id: SubscriptionId(Bits96::new(1)),
        account_no: world.account_no,
        collection_no: Some(calendar.collection_no),
        external_id: None,
        token_hash: [0; 32],
        next_try_at: world.clock.now(),
    };
    let now = world.clock.now();
    let subscription = world.store.create_subscription(subscription, now).await.unwrap();
    world.graph.hold_replication();
    world.graph.create_event(ADA, &world.work, event("Late"));
    world.store.push(subscription, now).await.unwrap();
    assert_eq!(world.pass().await, Passed::Synced);
    assert_eq!(world.told().await, [""; 0]);
    let soon = world.account().await.next_sync_at.0 - world.clock.now().0;
    assert!((1..=5_000).contains(&soon), "{soon}");
    assert!(world.calendar(&world.work).await.is_dirty());
    world.graph.release_replication();
    world.clock.advance_ms(soon);
    assert_eq!(world.pass().await, Passed::Synced);
    assert_eq!(world.told().await, ["event.created Late"]);
    assert!(!world.calendar(&world.work).await.is_dirty());
}

#[tokio::test]
async fn trouble_proves_no_deletion_and_is_waited_out() {
    let mut world = World::watched().await;
    let id = world.graph.create_event(ADA, &world.work, event("A"));
    world.expect(&["event.created A"]).await;
    world.graph.delete_event(ADA, &id);
    world.graph.faults().times(
        1,
        "GET",
        "/events/",
        Fault::Instead(throttled(429, "MailboxConcurrency", 7)),
    );
    let Passed::Failed(ProviderError::Retry { after_ms, .. }) = world.poll().await else {
        panic!("it is throttled")
    };
    assert_eq!(after_ms, Some(7_000));
    assert_eq!(world.told().await, [""; 0]);
    world.expect(&["event.deleted A"]).await;
    let lost = refused(404, "ErrorItemNotFound", "no");
    world.graph.faults().times(1, "GET", "calendarView", Fault::Instead(lost));
    assert!(matches!(world.poll().await, Passed::Failed(_)));
    assert_eq!(world.told().await, [""; 0], "the calendar is still listed");
}

/// The token must not go to another server.
#[tokio::test]
async fn a_link_to_another_server_is_not_followed() {
    let world = World::watched().await;
    let body = json!({ "value": [], "@odata.nextLink": "http://127.0.0.2:1/v1.0/me/x" });
    let answer = tidings_simulators::server::Answer::json(200, &body);
    world.graph.faults().times(1, "GET", "calendarView", Fault::Instead(answer));
    let Passed::Failed(error) = world.poll().await else { panic!("it is refused") };
    assert!(error.to_string().contains("another server"), "{error}");
}
