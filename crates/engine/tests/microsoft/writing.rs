//! Errands: what reaches Graph, what the mirror holds then, and that the next pull is silent.

use serde_json::{Value, json};
use tidings_providers::draft::{EventDraft, Notify, Scope};
use tidings_providers::errand::{Errand, Refusal, Reply, WriteKey};
use tidings_providers::item::Item;
use tidings_simulators::graph::{ADA, refused};
use tidings_simulators::server::Fault;

use crate::graph_world::{World, event, series};

fn draft(value: &Value) -> EventDraft {
    EventDraft::from_json(value).unwrap()
}

impl World {
    async fn create(&self, key: &str, value: Value) -> Result<Item, Refusal> {
        let errand = Errand::Create {
            account_no: self.account_no,
            collection_no: self.calendar(&self.work).await.collection_no,
            key: WriteKey::derived(&[key]),
            draft: draft(&value),
            notify: Notify::None,
            actor: None,
        };
        self.item(errand).await
    }

    async fn update(
        &self,
        key: &str,
        if_match: Option<&str>,
        scope: Scope,
        value: Value,
    ) -> Result<Item, Refusal> {
        let errand = Errand::Update {
            account_no: self.account_no,
            collection_no: self.calendar(&self.work).await.collection_no,
            item_key: key.into(),
            if_match: if_match.map(Into::into),
            scope,
            draft: draft(&value),
            notify: Notify::None,
            actor: None,
        };
        self.item(errand).await
    }

    async fn delete(
        &self,
        key: &str,
        if_match: Option<&str>,
        scope: Scope,
    ) -> Result<Reply, Refusal> {
        let errand = Errand::Delete {
            account_no: self.account_no,
            collection_no: self.calendar(&self.work).await.collection_no,
            item_key: key.into(),
            if_match: if_match.map(Into::into),
            scope,
            notify: Notify::None,
            actor: None,
        };
        self.errands().perform(errand).await
    }

    async fn item(&self, errand: Errand) -> Result<Item, Refusal> {
        match self.errands().perform(errand).await? {
            Reply::Item(item) => Ok(item),
            other => panic!("{other:?}"),
        }
    }

    /// What the calendar holds at Graph: type, title and start, in the order of their starts.
    fn truth(&self) -> Vec<String> {
        let calendar = self.graph.truth(ADA).remove(0);
        let mut truth: Vec<(String, String)> = calendar
            .events
            .values()
            .map(|event| {
                let start = event["start"].as_str().unwrap()[..10].to_owned();
                let line = format!(
                    "{} {} {start}",
                    event["type"].as_str().unwrap(),
                    event["title"].as_str().unwrap()
                );
                (start, line)
            })
            .collect();
        truth.sort();
        truth.into_iter().map(|(_, line)| line).collect()
    }
}

fn lunch() -> Value {
    json!({ "title": "Lunch", "start": "2026-12-02T09:00:00", "end": "2026-12-02T10:00:00",
        "timeZone": "Europe/Berlin", "properties": { "a": "1" } })
}

fn weekly() -> Value {
    json!({ "title": "Weekly", "start": "2026-12-02T09:00:00", "end": "2026-12-02T10:00:00",
        "timeZone": "Europe/Berlin", "recurrence": "FREQ=WEEKLY;COUNT=8" })
}

#[tokio::test]
async fn our_own_write_is_told_once_and_its_echo_not_at_all() {
    let mut world = World::watched().await;
    world.graph.switches(|switches| switches.bumps_after_write = 3);
    let made = world.create("k", lunch()).await.unwrap();
    assert_eq!(made.event.start.as_deref(), Some("2026-12-02T08:00:00.000Z"));
    assert_eq!(made.event.time_zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(made.event.properties["a"], "1");
    assert_eq!(world.told().await, ["event.created Lunch (api)"]);
    world.expect(&[]).await;
    let changed =
        world.update(&made.key, None, Scope::All, json!({ "title": "Dinner" })).await.unwrap();
    assert_eq!(changed.event.properties["a"], "1");
    assert_eq!(world.told().await, ["event.updated Dinner (api)"]);
    world.expect(&[]).await;
    world.graph.edit_event(ADA, &made.key, json!({ "subject": "Supper" }));
    world.expect(&["event.updated Supper"]).await;
    assert_eq!(world.events(&world.work).await[0]["properties"]["a"], "1", "carried on");
    world.delete(&made.key, None, Scope::All).await.unwrap();
    assert_eq!(world.told().await, ["event.deleted Supper (api)"]);
    world.expect(&[]).await;
    assert!(world.truth().is_empty());
}

/// The answer to a creation is lost: the same key again finds what was made.
#[tokio::test]
async fn a_creation_whose_answer_was_lost_is_not_repeated() {
    for repeat_answers in [false, true] {
        let mut world = World::watched().await;
        world.graph.switches(|switches| switches.repeat_answers = repeat_answers);
        world.graph.faults().times(1, "POST", "/events", Fault::Lost);
        let lost = world.create("k", lunch()).await.unwrap_err();
        assert!(matches!(lost, Refusal::Unavailable { .. }), "{lost:?}");
        world.create("k", lunch()).await.unwrap();
        assert_eq!(world.truth().len(), 1);
        assert_eq!(world.told().await, ["event.created Lunch (api)"]);
        world.expect(&[]).await;
    }
}

#[tokio::test]
async fn a_stale_version_is_a_conflict_also_where_graph_does_not_look() {
    for ignore_if_match in [false, true] {
        let mut world = World::watched().await;
        world.graph.switches(|switches| switches.ignore_if_match = ignore_if_match);
        let made = world.create("k", lunch()).await.unwrap();
        world.graph.edit_event(ADA, &made.key, json!({ "subject": "Theirs" }));
        let title = json!({ "title": "Ours" });
        let etag = Some(made.etag.as_str());
        let refusal = world.update(&made.key, etag, Scope::All, title.clone()).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Conflict(_)), "{refusal:?}");
        let refusal = world.delete(&made.key, etag, Scope::All).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Conflict(_)), "{refusal:?}");
        assert_eq!(world.truth(), ["singleInstance Theirs 2026-12-02"]);
        world.told().await;
        world.expect(&["event.updated Theirs"]).await;
    }
}

/// Exchange moved the version, but not a word.
#[tokio::test]
async fn a_version_that_only_moved_is_no_conflict() {
    let world = World::watched().await;
    world.graph.switches(|switches| switches.bumps_after_write = 2);
    let made = world.create("k", lunch()).await.unwrap();
    world.graph.edit_event(ADA, &made.key, json!({ "subject": "Lunch" }));
    let title = json!({ "title": "Ours" });
    world.update(&made.key, Some(&made.etag), Scope::All, title).await.unwrap();
    assert_eq!(world.truth(), ["singleInstance Ours 2026-12-02"]);
}

#[tokio::test]
async fn deleting_what_is_gone_is_done_and_what_is_not_ours_is_refused() {
    let mut world = World::watched().await;
    let made = world.create("k", lunch()).await.unwrap();
    world.told().await;
    world.graph.delete_event(ADA, &made.key);
    world.delete(&made.key, Some(&made.etag), Scope::All).await.unwrap();
    assert_eq!(world.told().await, ["event.deleted Lunch (api)"]);
    world.expect(&[]).await;
    let denied = refused(403, "ErrorAccessDenied", "no");
    world.graph.faults().times(1, "POST", "/events", Fault::Instead(denied));
    let refusal = world.create("k2", lunch()).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Forbidden(_)), "{refusal:?}");
    let busy = refused(409, "ConcurrentItemSave", "no");
    world.graph.faults().times(1, "POST", "/events", Fault::Instead(busy));
    let refusal = world.create("k2", lunch()).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Unavailable { .. }), "{refusal:?}");
}

#[tokio::test]
async fn one_occurrence_is_changed_and_deleted_alone() {
    let mut world = World::watched().await;
    let made = world.create("k", weekly()).await.unwrap();
    world.told().await;
    let second = format!("{}#20261209T080000Z", made.key);
    let title = json!({ "title": "Special" });
    let special = world.update(&second, None, Scope::This, title).await.unwrap();
    assert_eq!(special.series.as_deref(), Some(made.key.as_str()));
    assert_eq!(special.recurrence_id.as_deref(), Some("20261209T080000Z"));
    assert_eq!(world.told().await, ["event.created Special (api)"]);
    world.expect(&[]).await;
    let third = format!("{}#20261216T080000Z", made.key);
    world.delete(&third, None, Scope::This).await.unwrap();
    assert_eq!(world.told().await, ["event.created Weekly (api)"], "as cancelled");
    world.expect(&[]).await;
    world.delete(&special.key, None, Scope::This).await.unwrap();
    let mut told = world.told().await;
    told.sort();
    assert_eq!(told, ["event.created Weekly (api)", "event.deleted Special (api)"]);
    world.expect(&[]).await;
}

#[tokio::test]
async fn an_occurrence_and_all_after_it_go_on_as_another_series() {
    let mut world = World::watched().await;
    let made = world.create("k", weekly()).await.unwrap();
    world.told().await;
    let third = format!("{}#20261216T080000Z", made.key);
    let title = json!({ "title": "New" });
    let rest = world.update(&third, None, Scope::Following, title).await.unwrap();
    assert_ne!(rest.key, made.key);
    assert_eq!(rest.event.recurrence.as_deref(), Some("FREQ=WEEKLY;BYDAY=WE;COUNT=6"));
    assert_eq!(rest.event.start.as_deref(), Some("2026-12-16T08:00:00.000Z"));
    assert_eq!(world.truth(), ["seriesMaster Weekly 2026-12-02", "seriesMaster New 2026-12-16"]);
    let mut told = world.told().await;
    told.sort();
    assert_eq!(told, ["event.created New (api)", "event.updated Weekly (api)"]);
    world.expect(&[]).await;
    let last = format!("{}#20261223T080000Z", rest.key);
    world.delete(&last, None, Scope::Following).await.unwrap();
    assert_eq!(world.told().await, ["event.updated New (api)"]);
    world.expect(&[]).await;
    let first = format!("{}#20261216T080000Z", rest.key);
    world.delete(&first, None, Scope::Following).await.unwrap();
    assert_eq!(world.told().await, ["event.deleted New (api)"]);
    world.expect(&[]).await;
}

/// What was said about an occurrence moves its whole series by as much.
#[tokio::test]
async fn the_whole_series_is_changed_through_one_occurrence() {
    let mut world = World::watched().await;
    let id = world.graph.create_event(ADA, &world.work, series("Weekly"));
    world.graph.create_event(ADA, &world.work, event("Other"));
    world.expect(&["event.created Other", "event.created Weekly"]).await;
    let second = format!("{id}#20261209T090000Z");
    let later = json!({ "start": "2026-12-09T11:00:00Z", "end": "2026-12-09T12:00:00Z" });
    let moved = world.update(&second, None, Scope::All, later).await.unwrap();
    assert_eq!(moved.key, id);
    assert_eq!(moved.event.start.as_deref(), Some("2026-12-02T11:00:00.000Z"));
    assert_eq!(world.told().await, ["event.updated Weekly (api)"]);
    world.expect(&[]).await;
}
