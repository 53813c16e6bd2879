//! Passes: what happens at Zoom is told once, and what only seems to happen is not told.

use serde_json::json;
use tidings_engine::sync::Passed;
use tidings_simulators::server::{Answer, Fault};
use tidings_simulators::zoom::Departure;
use tidings_store::AccountStatus;

use crate::world::{HOST, World, daily, on, single};

const DAY_MS: i64 = 24 * 3_600_000;

#[tokio::test]
async fn what_is_there_already_is_no_news_and_what_comes_after_is() {
    let mut world = World::new().await;
    let plan = world.zoom.create(HOST, &single("Plan", 20));
    world.expect(&["account.connected"]).await;
    assert_eq!(world.mirrored_keys().await, [plan.to_string()]);
    world.zoom.edit(plan, &json!({ "topic": "Better plan" }));
    let lunch = world.zoom.create(HOST, &single("Lunch", 21));
    world.expect(&["event.updated Better plan", "event.created Lunch"]).await;
    world.zoom.delete(lunch);
    world.expect(&["event.deleted Lunch"]).await;
    world.zoom.recover(lunch);
    world.expect(&["event.created Lunch"]).await;
}

#[tokio::test]
async fn a_push_brings_the_change_without_waiting_for_a_poll() {
    let mut world = World::watched().await;
    world.zoom.create(HOST, &single("Now", 20));
    assert_eq!(world.pushed().await, Passed::Synced);
    assert_eq!(world.told().await, ["event.created Now"]);
    assert_eq!(world.pushed().await, Passed::Synced);
    assert_eq!(world.told().await, [""; 0], "the same push again changes nothing");
}

#[tokio::test]
async fn a_series_is_one_event_and_what_differs_is_told_alone() {
    let mut world = World::watched().await;
    let id = world.zoom.create(HOST, &daily("Daily"));
    world.expect(&["event.created Daily"]).await;
    world.zoom.edit_occurrence(id, &on(3), &json!({ "start_time": "2026-12-03T11:00:00Z" }));
    world.expect(&["event.created Daily 20261203T090000Z"]).await;
    world.zoom.edit_occurrence(id, &on(3), &json!({ "duration": 45 }));
    world.zoom.delete_occurrence(id, &on(4));
    world
        .expect(&["event.created Daily 20261204T090000Z", "event.updated Daily 20261203T090000Z"])
        .await;
    // A new length for all makes all occurrences anew.
    world.zoom.edit(id, &json!({ "duration": 20 }));
    world
        .expect(&[
            "event.deleted Daily 20261203T090000Z",
            "event.deleted Daily 20261204T090000Z",
            "event.updated Daily",
        ])
        .await;
    world.zoom.delete(id);
    world.expect(&["event.deleted Daily"]).await;
}

#[tokio::test]
async fn what_has_passed_is_not_deleted() {
    let mut world = World::watched().await;
    let once = world.zoom.create(HOST, &single("Once", 2));
    let series = world.zoom.create(HOST, &daily("Daily"));
    world.zoom.edit_occurrence(series, &on(3), &json!({ "duration": 45 }));
    world
        .expect(&[
            "event.created Daily",
            "event.created Daily 20261203T090000Z",
            "event.created Once",
        ])
        .await;
    world.zoom.begin(once);
    world.clock.advance_ms(2 * DAY_MS);
    world.expect(&[]).await;
    world.clock.advance_ms(30 * DAY_MS);
    world.expect(&[]).await;
    assert_eq!(world.mirrored_keys().await.len(), 3);
    // In time Zoom forgets them.
    world.zoom.delete(once);
    world.zoom.delete(series);
    world.zoom.log().clear();
    world.expect(&[]).await;
    assert_eq!(world.mirrored_keys().await.len(), 3);
    let asked = world.zoom.log().matching("GET", "/meetings/");
    assert_eq!(asked.len(), 0, "nor is Zoom asked about them for ever");
}

#[tokio::test]
async fn what_the_listing_leaves_out_is_asked_for_before_it_is_called_deleted() {
    let mut world = World::watched().await;
    let id = world.zoom.create(HOST, &single("Soon", 20));
    world.expect(&["event.created Soon"]).await;
    // Beyond the 6 months that Zoom lists.
    world.zoom.edit(id, &json!({ "start_time": "2027-11-20T09:00:00Z" }));
    world.expect(&["event.updated Soon"]).await;
    let empty = Answer::json(200, &json!({ "meetings": [], "next_page_token": "" }));
    let other = world.zoom.create(HOST, &single("Shifted", 21));
    world.expect(&["event.created Shifted"]).await;
    world.zoom.faults().next("GET", "type=upcoming", Fault::Instead(empty));
    world.expect(&[]).await;
    world.zoom.delete(other);
    world.zoom.delete(id);
    world.expect(&["event.deleted Shifted", "event.deleted Soon"]).await;
}

#[tokio::test]
async fn pages_are_followed_and_noise_is_left_out() {
    let mut world = World::watched().await;
    world.zoom.switches(|switches| switches.page_max = 2);
    for day in 10..15 {
        world.zoom.create(HOST, &single("One", day));
    }
    world.zoom.create(HOST, &json!({ "type": 4, "start_time": "2026-12-10T09:00:00Z" }));
    world.zoom.create(HOST, &json!({ "type": 3, "topic": "Any time" }));
    let mut expected = vec!["event.created One"; 5];
    expected.push("event.created Any time");
    world.expect(&expected).await;
}

#[tokio::test]
async fn a_meeting_that_goes_while_it_is_read_is_gone_and_trouble_is_not() {
    let mut world = World::watched().await;
    let id = world.zoom.create(HOST, &single("Plan", 20));
    world.expect(&["event.created Plan"]).await;
    let part = format!("/meetings/{id}");
    let busy = Answer::json(500, &json!({ "code": 500, "message": "?" }));
    world.zoom.faults().next("GET", &part, Fault::Instead(busy));
    assert!(!matches!(world.poll().await, Passed::Synced));
    assert_eq!(world.told().await, [""; 0]);
    let html = Answer::html(200, "<html>");
    world.zoom.faults().next("GET", &part, Fault::Instead(html));
    world.clock.advance_ms(DAY_MS);
    assert!(!matches!(world.poll().await, Passed::Synced), "a list or meeting, not a page");
    assert_eq!(world.told().await, [""; 0]);
    let gone = Answer::json(404, &json!({ "code": 3001, "message": "Meeting does not exist." }));
    world.zoom.faults().next("GET", &part, Fault::Instead(gone));
    world.clock.advance_ms(DAY_MS);
    assert_eq!(world.poll().await, Passed::Synced);
    assert_eq!(world.told().await, ["event.deleted Plan"]);
}

#[tokio::test]
async fn tokens_are_refreshed_with_single_use_ones_and_the_end_is_told() {
    let mut world = World::watched().await;
    for _ in 0..3 {
        world.clock.advance_ms(DAY_MS);
        world.expect(&[]).await;
    }
    assert!(world.zoom.oauth().counts().refreshes >= 3);
    assert_eq!(world.zoom.oauth().refresh_tokens(HOST), 1, "each used one has ended");
    world.zoom.oauth().expire_access();
    world.expect(&[]).await;
    world.zoom.depart(HOST, Departure::Deactivated);
    world.pushed().await;
    assert_eq!(world.told().await, ["account.inactive"]);
    assert_eq!(world.account().await.status, AccountStatus::Inactive);
}
