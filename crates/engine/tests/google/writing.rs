//! Errands that write: idempotent, never over what nobody has seen, and told once.

use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::id::Ids;
use tidings_providers::draft::{EventDraft, Notify, Scope};
use tidings_providers::errand::{Errand, Refusal, Reply, WriteKey};
use tidings_providers::item::Item;
use tidings_simulators::google::PERSON;
use tidings_simulators::server::{Answer, Fault, Gate};
use tokio::sync::{mpsc, oneshot, watch};

use crate::google_world::{World, event, series};

fn draft(document: &Value) -> EventDraft {
    EventDraft::from_json(document).unwrap()
}

fn party() -> EventDraft {
    draft(&json!({
        "title": "Party",
        "start": "2026-12-02T09:00:00Z",
        "end": "2026-12-02T10:00:00Z",
    }))
}

fn key(number: u64) -> WriteKey {
    WriteKey::fresh(&Ids::seeded(number), Timestamp(1_795_000_000_000))
}

async fn create(world: &World, key: WriteKey) -> Result<Item, Refusal> {
    let collection_no = world.calendar(PERSON).await.collection_no;
    let errand = Errand::Create {
        account_no: world.account_no,
        collection_no,
        key,
        draft: party(),
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
    if_match: Option<&str>,
    scope: Scope,
    change: Value,
) -> Result<Item, Refusal> {
    let errand = Errand::Update {
        account_no: world.account_no,
        collection_no: world.calendar(PERSON).await.collection_no,
        item_key: item_key.into(),
        if_match: if_match.map(Into::into),
        scope,
        draft: draft(&change),
        notify: Notify::None,
        actor: None,
    };
    match world.errands().perform(errand).await? {
        Reply::Item(item) => Ok(item),
        other => panic!("{other:?}"),
    }
}

async fn delete(
    world: &World,
    item_key: &str,
    if_match: Option<&str>,
    scope: Scope,
) -> Result<(), Refusal> {
    let errand = Errand::Delete {
        account_no: world.account_no,
        collection_no: world.calendar(PERSON).await.collection_no,
        item_key: item_key.into(),
        if_match: if_match.map(Into::into),
        scope,
        notify: Notify::None,
        actor: None,
    };
    assert!(matches!(world.errands().perform(errand).await?, Reply::Done));
    Ok(())
}

#[tokio::test]
async fn a_write_is_told_once_as_ours_and_its_echo_not_at_all() {
    let mut world = World::watched().await;
    let made = create(&world, key(1)).await.unwrap();
    assert_eq!(world.told().await, ["event.created Party (api)"]);
    world.expect(&[]).await;
    let changed =
        update(&world, &made.key, Some(&made.etag), Scope::This, json!({ "title": "Fest" }));
    let changed = changed.await.unwrap();
    assert_eq!(world.told().await, ["event.updated Fest (api)"]);
    world.expect(&[]).await;
    delete(&world, &made.key, Some(&changed.etag), Scope::This).await.unwrap();
    assert_eq!(world.told().await, ["event.deleted Fest (api)"]);
    world.expect(&[]).await;
    assert!(world.google.truth()[PERSON].is_empty());
}

#[tokio::test]
async fn a_create_is_done_once_whatever_happens_to_its_answers() {
    let mut world = World::watched().await;
    world.google.faults().times(2, "POST", "/events", Fault::Lost);
    let lost = create(&world, key(1)).await;
    assert!(matches!(lost, Ok(_) | Err(Refusal::Unavailable { .. })), "{lost:?}");
    world.google.faults().clear();
    let made = create(&world, key(1)).await.unwrap();
    let again = create(&world, key(1)).await.unwrap();
    assert_eq!(made.key, again.key);
    assert_eq!(world.google.truth()[PERSON].len(), 1);
    assert_eq!(world.told().await, ["event.created Party (api)"]);
    world.expect(&[]).await;
    delete(&world, &made.key, None, Scope::This).await.unwrap();
    let spent = create(&world, key(1)).await;
    assert!(matches!(spent, Err(Refusal::Conflict(_))), "Google forgets no id: {spent:?}");
}

#[tokio::test]
async fn a_conflict_is_reported_and_nothing_is_overwritten() {
    let mut world = World::watched().await;
    let made = create(&world, key(1)).await.unwrap();
    world.google.edit_event(PERSON, &made.key, &json!({ "summary": "by Ada" }));
    let stale = Some(made.etag.as_str());
    let refused = update(&world, &made.key, stale, Scope::This, json!({ "title": "by us" })).await;
    assert!(matches!(refused, Err(Refusal::Conflict(_))), "{refused:?}");
    let refused = delete(&world, &made.key, stale, Scope::This).await;
    assert!(matches!(refused, Err(Refusal::Conflict(_))), "{refused:?}");
    assert_eq!(world.google.truth()[PERSON][&made.key]["summary"], "by Ada");
    assert!(world.calendar(PERSON).await.is_dirty(), "the mirror is behind: it is read at once");
    world.told().await;
    world.expect(&["event.updated by Ada"]).await;
    let merged = update(&world, &made.key, None, Scope::This, json!({ "location": "here" }));
    assert_eq!(merged.await.unwrap().event.title, "by Ada");
}

/// A listing that is older than our write does not undo it.
#[tokio::test]
async fn a_stale_listing_after_a_write_is_ignored() {
    let mut world = World::watched().await;
    let made = world.google.create_event(PERSON, &event("old"));
    let id = made["id"].as_str().unwrap();
    world.expect(&["event.created old"]).await;
    update(&world, id, None, Scope::This, json!({ "title": "new" })).await.unwrap();
    assert_eq!(world.told().await, ["event.updated new (api)"]);
    let stale = json!({ "kind": "calendar#events", "items": [made], "nextSyncToken": "later" });
    world.google.faults().next("GET", "/events", Fault::Instead(Answer::json(200, &stale)));
    world.pushed(PERSON).await;
    world.pass().await;
    assert_eq!(world.told().await, [""; 0]);
    assert_eq!(world.events(PERSON).await[0]["title"], "new");
}

#[tokio::test]
async fn an_occurrence_the_rest_and_the_whole_of_a_series_are_written() {
    let mut world = World::watched().await;
    let made = world.google.create_event(PERSON, &series("S"));
    let id = made["id"].as_str().unwrap();
    world.expect(&["event.created S"]).await;
    let second = format!("{id}#20261209T090000Z");
    let exception = update(&world, &second, None, Scope::This, json!({ "title": "one" })).await;
    let exception = exception.unwrap();
    assert_eq!(exception.series.as_deref(), Some(id));
    assert_eq!(world.told().await, ["event.created one (api)"]);
    world.expect(&[]).await;

    update(&world, &second, None, Scope::All, json!({ "location": "all" })).await.unwrap();
    assert_eq!(world.told().await, ["event.updated S (api)"]);
    world.expect(&[]).await;

    let fifth = format!("{id}#20261230T090000Z");
    let rest = update(&world, &fifth, None, Scope::Following, json!({ "title": "rest" })).await;
    assert_eq!(rest.unwrap().event.title, "rest");
    let mut told = world.told().await;
    told.sort();
    assert_eq!(told, ["event.created rest (api)", "event.updated S (api)"]);
    world.expect(&[]).await;

    let third = format!("{id}#20261216T090000Z");
    delete(&world, &third, None, Scope::This).await.unwrap();
    assert_eq!(world.told().await, ["event.created  (api)"], "a cancelled exception has no title");
    world.expect(&[]).await;
    delete(&world, &third, None, Scope::All).await.unwrap();
    let mut told = world.told().await;
    told.sort();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|line| line.starts_with("event.deleted") && line.ends_with("(api)")));
    world.expect(&[]).await;
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let world = World::watched().await;
    let refused = update(&world, "nothing", None, Scope::This, json!({ "title": "x" })).await;
    assert!(matches!(refused, Err(Refusal::NotFound(_))), "{refused:?}");
    let made = create(&world, key(1)).await.unwrap();
    world.google.delete_event(PERSON, &made.key);
    let refused = update(&world, &made.key, None, Scope::This, json!({ "title": "x" })).await;
    assert!(matches!(refused, Err(Refusal::NotFound(_))), "{refused:?}");
    delete(&world, &made.key, None, Scope::This).await.expect("deleted twice is deleted");
}

#[tokio::test]
async fn errands_come_over_the_channel_and_what_is_under_way_ends_before_the_loop() {
    let world = World::watched().await;
    let (desk, orders) = mpsc::channel(4);
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(world.errands().run(orders, stopped));
    let gate = Gate::default();
    world.google.faults().next("POST", "/events", Fault::HeldAfter(gate.clone()));
    let (answer, heard) = oneshot::channel();
    let errand = Errand::Create {
        account_no: world.account_no,
        collection_no: world.calendar(PERSON).await.collection_no,
        key: key(1),
        draft: party(),
        notify: Notify::None,
        actor: None,
    };
    desk.send((errand, answer)).await.unwrap();
    gate.reached().await;
    stop.send(true).unwrap();
    gate.open();
    assert!(matches!(heard.await.unwrap(), Ok(Reply::Item(_))));
    running.await.unwrap();
    assert_eq!(world.events(PERSON).await.len(), 1);
}

#[tokio::test]
async fn an_inactive_account_is_not_asked_for_anything() {
    let mut world = World::watched().await;
    world.google.oauth().withdraw(PERSON);
    let refused = create(&world, key(1)).await;
    assert!(matches!(refused, Err(Refusal::Inactive(_))), "{refused:?}");
    assert_eq!(world.told().await, ["account.inactive"], "a write proves it, too");
    world.google.log().clear();
    let refused = create(&world, key(1)).await;
    assert!(matches!(refused, Err(Refusal::Inactive(_))), "{refused:?}");
    assert_eq!(world.google.requests().len(), 0);
}

/// What follows may then be all that is left of the rest of the series.
#[tokio::test]
async fn a_split_whose_answer_is_lost_loses_no_half() {
    for (fault, is_done) in [(Fault::Lost, true), (Fault::Cut, false)] {
        let mut world = World::watched().await;
        let made = world.google.create_event(PERSON, &series("S"));
        let id = made["id"].as_str().unwrap();
        world.expect(&["event.created S"]).await;
        let fifth = format!("{id}#20261230T090000Z");
        let split = || update(&world, &fifth, None, Scope::Following, json!({ "title": "rest" }));
        world.google.faults().next("PATCH", "/events", fault.clone());
        let first = split().await;
        assert_eq!(first.is_ok(), is_done, "{fault:?}: {first:?}");
        if !is_done {
            assert!(matches!(first, Err(Refusal::Unavailable { .. })), "{first:?}");
            split().await.expect("the same split again");
        }
        let mut told = world.told().await;
        told.sort();
        assert_eq!(told, ["event.created rest (api)", "event.updated S (api)"], "{fault:?}");
        let there = world.google.truth()[PERSON].clone();
        let mut titles: Vec<_> = there.values().map(|event| event["summary"].clone()).collect();
        titles.sort_by_key(ToString::to_string);
        assert_eq!(titles, ["S", "rest"], "{fault:?}");
        world.expect(&[]).await;
    }
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_any_more_is_not_begun() {
    let world = World::watched().await;
    let (desk, orders) = mpsc::channel(4);
    let (stop, stopped) = watch::channel(false);
    let collection_no = world.calendar(PERSON).await.collection_no;
    let order = |number| Errand::Create {
        account_no: world.account_no,
        collection_no,
        key: key(number),
        draft: party(),
        notify: Notify::None,
        actor: None,
    };
    let (answer, given_up) = oneshot::channel();
    drop(given_up);
    desk.send((order(1), answer)).await.unwrap();
    let (answer, heard) = oneshot::channel();
    desk.send((order(2), answer)).await.unwrap();
    let running = tokio::spawn(world.errands().run(orders, stopped));
    assert!(matches!(heard.await.unwrap(), Ok(Reply::Item(_))));
    stop.send(true).unwrap();
    running.await.unwrap();
    assert_eq!(world.events(PERSON).await.len(), 1);
}
