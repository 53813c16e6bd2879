//! Passes: what they tell, and what they never do.

use serde_json::json;
use tidings_engine::sync::Passed;
use tidings_providers::error::ProviderError;
use tidings_simulators::google::{PERSON, Role, refusal};
use tidings_simulators::server::{Answer, Fault, Gate};

use crate::google_world::{World, event, series};

#[tokio::test]
async fn the_first_sync_is_a_silent_baseline() {
    let mut world = World::new(None).await;
    let work = world.google.create_calendar(PERSON, "Work");
    for number in 0..30 {
        world.google.create_event(&work, &event(&format!("E{number}")));
    }
    world.expect(&["account.connected"]).await;
    assert_eq!(world.events(&work).await.len(), 30);
}

#[tokio::test]
async fn changes_are_told_once_and_are_told_apart_by_the_mirror() {
    let mut world = World::watched().await;
    let a = world.google.create_event(PERSON, &event("A"));
    let b = world.google.create_event(PERSON, &event("B"));
    world.expect(&["event.created A", "event.created B"]).await;
    let id = a["id"].as_str().unwrap();
    world.google.edit_event(PERSON, id, &json!({ "summary": "A2" }));
    world.google.edit_event(PERSON, id, &json!({ "summary": "A3" }));
    world.google.delete_event(PERSON, b["id"].as_str().unwrap());
    let flash = world.google.create_event(PERSON, &event("gone before it was seen"));
    world.google.delete_event(PERSON, flash["id"].as_str().unwrap());
    world.expect(&["event.updated A3", "event.deleted B"]).await;
}

#[tokio::test]
async fn a_series_its_exceptions_and_its_end() {
    let mut world = World::watched().await;
    let made = world.google.create_event(PERSON, &series("S"));
    let id = made["id"].as_str().unwrap();
    world.expect(&["event.created S"]).await;
    let second = format!("{id}_20261209T090000Z");
    world.google.edit_event(PERSON, &second, &json!({ "summary": "S moved" }));
    world.expect(&["event.created S moved"]).await;
    world.google.delete_event(PERSON, id);
    world.expect(&["event.deleted S", "event.deleted S moved"]).await;
    assert_eq!(world.events(PERSON).await.len(), 0);
}

#[tokio::test]
async fn a_410_leads_to_a_diff_against_the_mirror_never_to_delete_all() {
    let mut world = World::watched().await;
    let mut ids = Vec::new();
    for name in ["A", "B", "C"] {
        let made = world.google.create_event(PERSON, &event(name));
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    world.expect(&["event.created A", "event.created B", "event.created C"]).await;
    world.google.edit_event(PERSON, &ids[0], &json!({ "summary": "A2" }));
    world.google.delete_event(PERSON, &ids[1]);
    world.google.expire_sync_tokens(PERSON);
    world.google.expire_list_tokens(PERSON);
    world.expect(&["event.updated A2", "event.deleted B"]).await;
    world.google.expire_sync_tokens(PERSON);
    world.expect(&[]).await;
}

/// It is there, whatever it says: only what is not listed is gone.
#[tokio::test]
async fn what_a_whole_listing_shows_unreadably_is_not_deleted() {
    let mut world = World::watched().await;
    let made = world.google.create_event(PERSON, &event("A"));
    world.expect(&["event.created A"]).await;
    let garbled = json!({ "id": made["id"], "etag": "\"9\"", "status": "confirmed", "start": 7 });
    let listing = json!({ "kind": "calendar#events", "items": [garbled], "nextSyncToken": "x" });
    world.google.expire_sync_tokens(PERSON);
    world.google.faults().after(1, "GET", "/events", Fault::Instead(Answer::json(200, &listing)));
    world.pushed(PERSON).await;
    world.pass().await;
    assert_eq!(world.told().await, [""; 0]);
    let calendar = world.calendar(PERSON).await;
    assert!(calendar.error.is_some_and(|error| error.contains("left out")));
    assert_eq!(world.events(PERSON).await[0]["title"], "A");
}

/// The token of a page is refused too: the whole is begun again, nothing is lost or invented.
#[tokio::test]
async fn a_410_in_the_middle_of_the_pages_tells_nothing_wrong() {
    let mut world = World::watched().await;
    world.google.switches(|switches| switches.page_max = 2);
    for number in 0..7 {
        world.google.create_event(PERSON, &event(&format!("E{number}")));
    }
    let gone = refusal(410, "fullSyncRequired", "Sync token is no longer valid.");
    world.google.faults().next("GET", "pageToken", Fault::Instead(gone));
    let expected: Vec<String> = (0..7).map(|number| format!("event.created E{number}")).collect();
    world.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn an_event_that_is_on_two_pages_counts_in_its_later_version() {
    let mut world = World::watched().await;
    world.google.switches(|switches| {
        switches.page_max = 2;
        switches.stale_duplicates = true;
    });
    let mut expected = Vec::new();
    for number in 0..6 {
        let made = world.google.create_event(PERSON, &event("old"));
        world.clock.advance_ms(1_000);
        let summary = format!("new {number}");
        let id = made["id"].as_str().unwrap();
        world.google.edit_event(PERSON, id, &json!({ "summary": summary }));
        expected.push(format!("event.created new {number}"));
    }
    world.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

/// A notification that arrives while a pull is running must not be merged into that pull.
#[tokio::test]
async fn a_push_during_a_pull_is_followed_by_another_pull() {
    let mut world = World::watched().await;
    world.google.create_event(PERSON, &event("before"));
    world.pushed(PERSON).await;
    let gate = Gate::default();
    world.google.faults().next("GET", "/events", Fault::HeldAfter(gate.clone()));
    let (syncer, account) = (world.syncer(), world.account().await);
    let pass = tokio::spawn(async move { syncer.pass(account).await });
    gate.reached().await;
    world.google.create_event(PERSON, &event("meanwhile"));
    world.pushed(PERSON).await;
    gate.open();
    assert_eq!(pass.await.unwrap().unwrap(), Passed::Synced);
    assert_eq!(world.told().await, ["event.created before"]);
    assert!(world.calendar(PERSON).await.is_dirty(), "the second push is not forgotten");
    assert!(world.account().await.next_sync_at <= world.clock.now(), "and due at once");
    assert_eq!(world.pass().await, Passed::Synced);
    assert_eq!(world.told().await, ["event.created meanwhile"]);
    assert!(!world.calendar(PERSON).await.is_dirty());
}

#[tokio::test]
async fn a_push_costs_one_request_about_its_calendar() {
    let mut world = World::new(None).await;
    let work = world.google.create_calendar(PERSON, "Work");
    world.expect(&["account.connected"]).await;
    world.google.create_event(&work, &event("A"));
    let polled = world.account().await.poll_at;
    world.pushed(&work).await;
    world.google.log().clear();
    assert_eq!(world.pass().await, Passed::Synced);
    assert_eq!(world.told().await, ["event.created A"]);
    assert_eq!(world.google.requests().len(), 1, "only the dirty calendar is read");
    let account = world.account().await;
    assert_eq!(account.poll_at, polled, "a push does not put the poll off");
    assert_eq!(Some(account.next_sync_at), polled);
}

#[tokio::test]
async fn a_lost_push_costs_minutes_and_never_a_change() {
    let mut world = World::watched().await;
    world.google.create_event(PERSON, &event("unheard of"));
    let before = world.clock.now();
    world.expect(&["event.created unheard of"]).await;
    assert!(world.clock.now().0 - before.0 < 40 * 60_000);
}

#[tokio::test]
async fn calendars_come_and_go_and_hiding_is_no_deletion() {
    let mut world = World::watched().await;
    let work = world.google.create_calendar(PERSON, "Work");
    let other = world.google.create_calendar(PERSON, "Other");
    world.expect(&["calendar.created Work", "calendar.created Other"]).await;
    world.google.hide(&work, PERSON, true);
    world.expect(&[]).await;
    world.google.delete_calendar(&other);
    world.expect(&["calendar.deleted Other"]).await;
    assert_eq!(world.mirror().await.len(), 2);
}

/// The list's delta does not tell what the owner renamed: the weekly whole list does.
#[tokio::test]
async fn a_rename_by_the_owner_is_found_within_a_week() {
    let mut world = World::watched().await;
    world.google.add_person("bob@example.com");
    let shared = world.google.create_calendar("bob@example.com", "Shared");
    world.google.share(&shared, PERSON, Role::Reader);
    world.expect(&["calendar.created Shared"]).await;
    world.google.rename_calendar(&shared, "Renamed");
    world.clock.advance_ms(7 * 24 * 3_600_000);
    world.expect(&["calendar.updated Renamed"]).await;
}

/// `events.list` answers 404 for a calendar that the account may no longer see.
#[tokio::test]
async fn a_lost_calendar_is_confirmed_by_the_list_before_it_is_told() {
    let mut world = World::watched().await;
    let work = world.google.create_calendar(PERSON, "Work");
    world.expect(&["calendar.created Work"]).await;
    let missing = refusal(404, "notFound", "Not Found");
    world.pushed(&work).await;
    world.google.faults().next("GET", "/events", Fault::Instead(missing));
    assert!(matches!(world.pass().await, Passed::Failed(ProviderError::Gone { .. })));
    assert_eq!(world.told().await, [""; 0], "the list still has it");
    world.google.delete_calendar(&work);
    world.pushed(&work).await;
    world.google.log().clear();
    assert_eq!(world.pass().await, Passed::Synced);
    assert_eq!(world.told().await, ["calendar.deleted Work"]);
    assert_eq!(world.asked("GET", "calendarList"), 1);
}

#[tokio::test]
async fn a_quota_an_outage_or_a_broken_answer_deactivates_nobody_and_deletes_nothing() {
    let mut world = World::watched().await;
    world.google.create_event(PERSON, &event("A"));
    world.expect(&["event.created A"]).await;
    for fault in [
        Fault::Instead(refusal(403, "rateLimitExceeded", "Rate Limit Exceeded")),
        Fault::Instead(refusal(403, "quotaExceeded", "Quota")),
        Fault::Instead(refusal(429, "rateLimitExceeded", "Too many")),
        Fault::Instead(refusal(503, "backendError", "Backend Error")),
        Fault::Instead(refusal(403, "insufficientPermissions", "Scope")),
        Fault::Cut,
        Fault::Lost,
    ] {
        world.google.faults().always(1.0, "GET", "/calendar/v3/", fault.clone());
        let passed = world.poll().await;
        assert!(matches!(passed, Passed::Failed(_)), "{fault:?}: {passed:?}");
        assert_eq!(world.told().await, [""; 0]);
        world.google.faults().clear();
    }
    world.expect(&[]).await;
}

#[tokio::test]
async fn a_failed_pass_backs_off_and_tries_again() {
    let world = World::watched().await;
    let down = refusal(503, "backendError", "Backend Error");
    world.google.faults().always(1.0, "GET", "/calendar/v3/", Fault::Instead(down));
    let mut waits = Vec::new();
    for _ in 0..3 {
        assert!(matches!(world.poll().await, Passed::Failed(_)));
        waits.push(world.account().await.next_sync_at.0 - world.clock.now().0);
        world.clock.advance_ms(*waits.last().unwrap());
    }
    assert!(waits.is_sorted() && waits[2] >= 4 * waits[0] * 9 / 10, "{waits:?}");
    assert_eq!(world.account().await.failures, 3);
}

/// Several accounts may see one calendar: each has its own cursor and its own mirror.
#[tokio::test]
async fn two_accounts_that_share_a_calendar_do_not_share_its_cursor() {
    let mut world = World::watched().await;
    world.google.add_person("bob@example.com");
    let shared = world.google.create_calendar("bob@example.com", "Shared");
    world.google.share(&shared, PERSON, Role::Writer);
    world.expect(&["calendar.created Shared"]).await;
    let bob = world.connect(world.app.app_no, world.app.id, "bob@example.com").await;
    let account = world.store.account(bob).await.unwrap().unwrap();
    assert_eq!(world.syncer().pass(account).await.unwrap(), Passed::Synced);
    assert_eq!(world.told().await, ["account.connected"]);
    world.google.create_event(&shared, &event("A"));
    for account_no in [world.account_no, bob] {
        world.store.wake_account(account_no, None, world.clock.now()).await.unwrap();
        let account = world.store.account(account_no).await.unwrap().unwrap();
        assert_eq!(world.syncer().pass(account).await.unwrap(), Passed::Synced);
        assert_eq!(world.told().await, ["event.created A"], "account {account_no}");
    }
}
