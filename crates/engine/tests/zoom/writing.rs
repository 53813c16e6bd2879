//! Errands that write: told once as ours, and never over what nobody has seen.

use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::id::Ids;
use tidings_providers::draft::{EventDraft, Notify, Scope};
use tidings_providers::errand::{Errand, Refusal, Reply, WriteKey};
use tidings_providers::item::Item;
use tidings_simulators::server::{Answer, Fault};
use tidings_store::AccountStatus;

use crate::world::{HOST, World, daily, single};

fn draft(document: &Value) -> EventDraft {
    EventDraft::from_json(document).unwrap()
}

async fn create(world: &World, document: &Value) -> Result<Item, Refusal> {
    let errand = Errand::Create {
        account_no: world.account_no,
        collection_no: world.calendar().await.collection_no,
        key: WriteKey::fresh(&Ids::seeded(1), Timestamp(1_795_000_000_000)),
        draft: draft(document),
        notify: Notify::None,
        actor: Some("someone".into()),
    };
    match world.errands().perform(errand).await? {
        Reply::Item(item) => Ok(item),
        other => panic!("{other:?}"),
    }
}

async fn update(
    world: &World,
    item_key: &str,
    scope: Scope,
    change: &Value,
) -> Result<Item, Refusal> {
    let errand = Errand::Update {
        account_no: world.account_no,
        collection_no: world.calendar().await.collection_no,
        item_key: item_key.into(),
        if_match: None,
        scope,
        draft: draft(change),
        notify: Notify::None,
        actor: Some("someone".into()),
    };
    match world.errands().perform(errand).await? {
        Reply::Item(item) => Ok(item),
        other => panic!("{other:?}"),
    }
}

async fn delete(world: &World, item_key: &str, scope: Scope) -> Result<(), Refusal> {
    let errand = Errand::Delete {
        account_no: world.account_no,
        collection_no: world.calendar().await.collection_no,
        item_key: item_key.into(),
        if_match: None,
        scope,
        notify: Notify::None,
        actor: Some("someone".into()),
    };
    world.errands().perform(errand).await.map(|_| ())
}

fn plan() -> Value {
    json!({ "title": "Plan", "start": "2026-12-20T09:00:00Z", "end": "2026-12-20T10:00:00Z",
            "attendees": [{ "email": "b@example.com" }] })
}

#[tokio::test]
async fn our_own_writes_are_told_once_as_ours() {
    let mut world = World::watched().await;
    let made = create(&world, &plan()).await.unwrap();
    assert_eq!(made.event.title, "Plan");
    assert_eq!(made.event.attendees[1].email, "b@example.com");
    assert_eq!(world.told().await, ["event.created Plan (api)"]);
    world.expect(&[]).await;
    let changed = update(&world, &made.key, Scope::This, &json!({ "title": "Better" })).await;
    assert_eq!(changed.unwrap().event.title, "Better");
    assert_eq!(world.told().await, ["event.updated Better (api)"]);
    world.expect(&[]).await;
    delete(&world, &made.key, Scope::This).await.unwrap();
    assert_eq!(world.told().await, ["event.deleted Better (api)"]);
    world.expect(&[]).await;
    assert!(world.zoom.truth(HOST).is_empty());
}

#[tokio::test]
async fn a_change_back_to_what_it_was_is_told_too() {
    let mut world = World::watched().await;
    let made = create(&world, &plan()).await.unwrap();
    update(&world, &made.key, Scope::This, &json!({ "title": "Better" })).await.unwrap();
    world.told().await;
    world.zoom.edit(made.key.parse().unwrap(), &json!({ "topic": "Plan" }));
    assert!(matches!(world.pushed().await, tidings_engine::sync::Passed::Synced));
    assert_eq!(world.told().await, ["event.updated Plan"]);
}

#[tokio::test]
async fn what_was_changed_at_zoom_meanwhile_is_a_conflict() {
    let mut world = World::watched().await;
    let id = world.zoom.create(HOST, &single("Plan", 20));
    world.expect(&["event.created Plan"]).await;
    let key = id.to_string();
    world.zoom.edit(id, &json!({ "topic": "Theirs" }));
    let refused = update(&world, &key, Scope::This, &json!({ "title": "Ours" })).await;
    assert!(matches!(refused, Err(Refusal::Conflict(_))), "{refused:?}");
    let refused = delete(&world, &key, Scope::This).await;
    assert!(matches!(refused, Err(Refusal::Conflict(_))), "{refused:?}");
    assert_eq!(world.zoom.meeting(id).unwrap()["topic"], "Theirs");
    // The conflict woke the calendar.
    world.pass().await;
    assert_eq!(world.told().await, ["event.updated Theirs"]);
    update(&world, &key, Scope::This, &json!({ "title": "Ours" })).await.unwrap();
    assert_eq!(world.zoom.meeting(id).unwrap()["topic"], "Ours");
}

#[tokio::test]
async fn deleting_what_is_gone_is_done() {
    let mut world = World::watched().await;
    let id = world.zoom.create(HOST, &single("Plan", 20));
    world.expect(&["event.created Plan"]).await;
    world.zoom.delete(id);
    delete(&world, &id.to_string(), Scope::This).await.unwrap();
    assert_eq!(world.told().await, ["event.deleted Plan (api)"]);
    world.expect(&[]).await;
}

#[tokio::test]
async fn one_occurrence_is_moved_and_cancelled_and_the_series_stays() {
    let mut world = World::watched().await;
    let id = world.zoom.create(HOST, &daily("Daily"));
    world.expect(&["event.created Daily"]).await;
    let (second, third) = (format!("{id}#20261203T090000Z"), format!("{id}#20261204T090000Z"));
    let later = json!({ "start": "2026-12-03T11:00:00Z", "end": "2026-12-03T11:30:00Z" });
    let moved = update(&world, &second, Scope::This, &later).await.unwrap();
    assert_eq!(moved.key, second);
    assert_eq!(world.told().await, ["event.created Daily 20261203T090000Z (api)"]);
    let longer = json!({ "end": "2026-12-03T12:00:00Z" });
    update(&world, &second, Scope::This, &longer).await.unwrap();
    assert_eq!(world.told().await, ["event.updated Daily 20261203T090000Z (api)"]);
    delete(&world, &third, Scope::This).await.unwrap();
    assert_eq!(world.told().await, ["event.created Daily 20261204T090000Z (api)"]);
    world.expect(&[]).await;
    let refused = update(&world, &third, Scope::Following, &longer).await;
    assert!(matches!(refused, Err(Refusal::Invalid(_))), "{refused:?}");
    delete(&world, &second, Scope::All).await.unwrap();
    let told = world.told().await;
    assert_eq!(told.len(), 3, "{told:?}");
    world.expect(&[]).await;
}

#[tokio::test]
async fn what_zoom_cannot_say_is_refused_and_its_limits_are_handed_on() {
    let world = World::watched().await;
    let place = json!({ "title": "Plan", "location": "Room 1",
                        "start": "2026-12-20T09:00:00Z", "end": "2026-12-20T10:00:00Z" });
    let refused = create(&world, &place).await;
    assert!(matches!(refused, Err(Refusal::Invalid(_))), "{refused:?}");
    assert_eq!(world.zoom.log().matching("POST", "/meetings").len(), 0);
    let slow = Answer::json(429, &json!({ "code": 429, "message": "slow" }));
    world.zoom.faults().next("POST", "/meetings", Fault::Instead(slow.with("retry-after", "2")));
    let refused = create(&world, &plan()).await;
    let expected = matches!(refused, Err(Refusal::Unavailable { after_ms: Some(2_000), .. }));
    assert!(expected, "{refused:?}");
}

#[tokio::test]
async fn trouble_after_a_create_does_not_lose_what_was_made() {
    let mut world = World::watched().await;
    let busy = Answer::empty(500);
    world.zoom.faults().next("GET", "show_previous_occurrences", Fault::Instead(busy));
    let made = create(&world, &plan()).await.unwrap();
    assert_eq!(made.event.title, "Plan");
    assert_eq!(world.told().await, ["event.created Plan (api)"]);
    // Whom it invites was not in the answer.
    world.expect(&["event.updated Plan"]).await;
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_found_and_one_that_never_arrived_is_not() {
    let mut world = World::watched().await;
    // What is there and what somebody makes meanwhile is not taken for it.
    world.zoom.create(HOST, &single("Plan", 20));
    world.expect(&["event.created Plan"]).await;
    world.zoom.create(HOST, &single("Lunch", 20));
    world.zoom.faults().next("POST", "/meetings", Fault::Cut);
    let refused = create(&world, &plan()).await;
    assert!(matches!(refused, Err(Refusal::Unavailable { .. })), "{refused:?}");
    assert_eq!(world.zoom.truth(HOST).len(), 2);
    world.zoom.faults().next("POST", "/meetings", Fault::Lost);
    let made = create(&world, &plan()).await.unwrap();
    assert_eq!(made.event.end.as_deref(), Some("2026-12-20T10:00:00.000Z"));
    assert_eq!(world.zoom.truth(HOST).len(), 3);
    assert_eq!(world.told().await, ["event.created Plan (api)"]);
    world.expect(&["event.created Lunch"]).await;
}

#[tokio::test]
async fn revoking_ends_the_tokens_at_zoom() {
    let world = World::watched().await;
    let errand = Errand::Revoke { account_no: world.account_no };
    assert!(matches!(world.errands().perform(errand).await, Ok(Reply::Done)));
    assert_eq!(world.zoom.oauth().refresh_tokens(HOST), 0);
    assert_eq!(world.zoom.oauth().counts().revocations, 1);
    assert_eq!(world.account().await.status, AccountStatus::Active, "deleting it is the caller's");
}
