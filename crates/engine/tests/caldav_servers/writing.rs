//! Writing to real servers: idempotent, never over what nobody has seen, and told once.

use std::sync::Arc;

use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::id::Ids;
use tidings_engine::errand::Errands;
use tidings_providers::draft::{EventDraft, Notify, Scope};
use tidings_providers::errand::{Errand, Refusal, Reply, WriteKey};
use tidings_providers::item::Item;

use crate::watched::{recurring, single};
use crate::world::World;

fn key(number: u64) -> WriteKey {
    WriteKey::fresh(&Ids::seeded(number), Timestamp(1_795_000_000_000))
}

fn draft(document: &Value) -> EventDraft {
    EventDraft::from_json(document).unwrap()
}

async fn perform(world: &World, errand: Errand) -> Result<Option<Item>, Refusal> {
    match Errands::new(Arc::new(world.watched.providers())).perform(errand).await? {
        Reply::Item(item) => Ok(Some(item)),
        Reply::Done => Ok(None),
        Reply::Connected { .. } | Reply::Called(_) => panic!("no such thing was asked for"),
    }
}

async fn collection_no(world: &World) -> i64 {
    let calendars = world.watched.mirror().await;
    calendars.into_iter().find(|c| c.external_id.ends_with("/work")).unwrap().collection_no
}

async fn create(world: &World, key: WriteKey, title: &str) -> Result<Item, Refusal> {
    let errand = Errand::Create {
        account_no: world.watched.account_no,
        collection_no: collection_no(world).await,
        key,
        draft: draft(&json!({
            "title": title,
            "start": "2026-12-02T09:00:00Z",
            "end": "2026-12-02T10:00:00Z",
        })),
        notify: Notify::None,
        actor: None,
    };
    perform(world, errand).await.map(Option::unwrap)
}

async fn update(
    world: &World,
    item_key: &str,
    if_match: Option<&str>,
    scope: Scope,
    change: Value,
) -> Result<Item, Refusal> {
    let errand = Errand::Update {
        account_no: world.watched.account_no,
        collection_no: collection_no(world).await,
        item_key: item_key.into(),
        if_match: if_match.map(Into::into),
        scope,
        draft: draft(&change),
        notify: Notify::None,
        actor: None,
    };
    perform(world, errand).await.map(Option::unwrap)
}

async fn delete(
    world: &World,
    item_key: &str,
    if_match: Option<&str>,
    scope: Scope,
) -> Result<(), Refusal> {
    let errand = Errand::Delete {
        account_no: world.watched.account_no,
        collection_no: collection_no(world).await,
        item_key: item_key.into(),
        if_match: if_match.map(Into::into),
        scope,
        notify: Notify::None,
        actor: None,
    };
    perform(world, errand).await.map(drop)
}

/// What was told now, and nothing more by the next look.
async fn told(world: &mut World, expected: &[&str]) {
    let mut told = world.watched.told().await;
    told.sort();
    let kinds: Vec<String> = told
        .iter()
        .map(|line| {
            let (kind, rest) = line.split_once(' ').unwrap();
            let (_, title) = rest.split_once(' ').unwrap();
            format!("{kind} {title}")
        })
        .collect();
    assert_eq!(kinds, expected);
    world.watched.expect(&[]).await;
}

pub(crate) async fn single_events(world: &mut World) {
    let made = create(world, key(1), "Party").await.unwrap();
    told(world, &["event.created Party"]).await;
    let again = create(world, key(1), "Party").await.unwrap();
    assert_eq!((&again.key, &again.version), (&made.key, &made.version));
    told(world, &[]).await;
    let changed =
        update(world, &made.key, Some(&made.etag), Scope::This, json!({ "title": "Fest" })).await;
    let changed = changed.unwrap();
    told(world, &["event.updated Fest"]).await;
    let stale =
        update(world, &made.key, Some(&made.etag), Scope::This, json!({ "title": "No" })).await;
    assert!(matches!(stale, Err(Refusal::Conflict(_))), "{stale:?}");
    let stale = delete(world, &made.key, Some(&made.etag), Scope::This).await;
    assert!(matches!(stale, Err(Refusal::Conflict(_))), "{stale:?}");
    told(world, &[]).await;
    delete(world, &made.key, Some(&changed.etag), Scope::This).await.unwrap();
    told(world, &["event.deleted Fest"]).await;
}

/// A file that is not named after its UID is written where it is listed.
pub(crate) async fn listed_addresses(world: &mut World) {
    world.put("work/other-name.ics", &single("uid-of-its-own", "Odd")).await;
    world.watched.expect(&["event.created work/other-name.ics Odd"]).await;
    let calendar = world.watched.mirror().await;
    let calendar = calendar.iter().find(|c| c.external_id.ends_with("/work")).unwrap();
    let odd = format!("{}/other-name.ics", calendar.external_id);
    update(world, &odd, None, Scope::This, json!({ "title": "Even" })).await.unwrap();
    told(world, &["event.updated Even"]).await;
    delete(world, &odd, None, Scope::This).await.unwrap();
    told(world, &["event.deleted Even"]).await;
}

pub(crate) async fn series(world: &mut World) {
    world.put("work/wr.ics", &recurring("wr", "S", None)).await;
    world.watched.expect(&["event.created work/wr.ics S"]).await;
    let calendar = world.watched.mirror().await;
    let calendar = calendar.iter().find(|c| c.external_id.ends_with("/work")).unwrap();
    let master = format!("{}/wr.ics", calendar.external_id);
    let at = |day: &str| format!("{master}#{day}T090000Z");
    let one = update(world, &at("20261209"), None, Scope::This, json!({ "title": "one" })).await;
    assert_eq!(one.unwrap().key, at("20261209"));
    told(world, &["event.created one"]).await;
    let rest =
        update(world, &at("20261230"), None, Scope::Following, json!({ "title": "rest" })).await;
    assert_eq!(rest.unwrap().event.title, "rest");
    told(world, &["event.created rest", "event.updated S"]).await;
    update(world, &at("20261209"), None, Scope::All, json!({ "location": "here" })).await.unwrap();
    told(world, &["event.updated S"]).await;
    delete(world, &at("20261209"), None, Scope::This).await.unwrap();
    told(world, &["event.deleted one", "event.updated S"]).await;
    delete(world, &at("20261216"), None, Scope::Following).await.unwrap();
    told(world, &["event.updated S"]).await;
    delete(world, &at("20261202"), None, Scope::All).await.unwrap();
    told(world, &["event.deleted S"]).await;
}
