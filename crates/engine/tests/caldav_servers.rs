//! The sync against real calendar servers: every change in the journal exactly as it happened, and
//! nothing more.
#![expect(clippy::unwrap_used, reason = "this is a test")]

#[path = "support/watched.rs"]
mod watched;
#[path = "caldav_servers/world.rs"]
mod world;
#[path = "caldav_servers/writing.rs"]
mod writing;

use tidings_engine::sync::Passed;
use tidings_providers::error::ProviderError;
use tidings_store::AccountStatus;
use tidings_testkit::caldav::Kind;

use watched::{recurring, single};
use world::World;

#[tokio::test]
async fn radicale_tells_every_change_once() {
    story(Kind::Radicale).await;
}

#[tokio::test]
async fn xandikos_tells_every_change_once() {
    story(Kind::Xandikos).await;
}

#[tokio::test]
async fn radicale_is_written_to() {
    written(Kind::Radicale).await;
}

#[tokio::test]
async fn xandikos_is_written_to() {
    written(Kind::Xandikos).await;
}

async fn written(kind: Kind) {
    let mut world = World::start(kind).await;
    world.make_calendar("work").await;
    world.connect("secret").await;
    world.watched.expect(&["account.connected"]).await;
    writing::single_events(&mut world).await;
    writing::listed_addresses(&mut world).await;
    writing::series(&mut world).await;
}

async fn story(kind: Kind) {
    let mut world = World::start(kind).await;
    connecting_is_silent(&mut world).await;
    single_events(&mut world).await;
    recurring_events(&mut world).await;
    calendars(&mut world).await;
    refused_token(&mut world).await;
    outage(&mut world).await;
    moved_on_while_unwatched(&mut world).await;
}

async fn connecting_is_silent(world: &mut World) {
    world.make_calendar("work").await;
    world.make_calendar("home").await;
    world.put("work/old.ics", &single("old", "Old")).await;
    world.put("work/series.ics", &recurring("series", "Weekly", Some("Weekly, moved"))).await;
    world.connect("secret").await;
    world.watched.expect(&["account.connected"]).await;
    let account = world.watched.account().await;
    assert!(account.baseline_done && account.home_url.is_some() && account.last_error.is_none());
    assert!(world.watched.mirror().await.iter().all(|calendar| calendar.baseline_done));
}

async fn single_events(world: &mut World) {
    world.put("work/one.ics", &single("one", "One")).await;
    world.watched.expect(&["event.created work/one.ics One"]).await;
    world.put("work/one.ics", &single("one", "One, later")).await;
    world.put("home/two.ics", &single("two", "Two")).await;
    world
        .watched
        .expect(&["event.created home/two.ics Two", "event.updated work/one.ics One, later"])
        .await;
    world.put("work/one.ics", &single("one", "One, later")).await;
    world.watched.expect(&[]).await;
    world.delete("work/one.ics").await;
    world.put("work/flash.ics", &single("flash", "Flash")).await;
    world.delete("work/flash.ics").await;
    world.watched.expect(&["event.deleted work/one.ics One, later"]).await;
    world.put("work/old.ics", &single("old", "Old, seen")).await;
    world.watched.expect(&["event.updated work/old.ics Old, seen"]).await;
    world.delete("home/two.ics").await;
    world.put("home/two.ics", &single("two", "Two again")).await;
    world.watched.expect(&["event.updated home/two.ics Two again"]).await;
}

async fn recurring_events(world: &mut World) {
    const MOVED: &str = "work/daily.ics#20261209T090000Z";
    world.put("work/daily.ics", &recurring("daily", "Daily", None)).await;
    world.watched.expect(&["event.created work/daily.ics Daily"]).await;
    world.put("work/daily.ics", &recurring("daily", "Daily", Some("Once elsewhere"))).await;
    world.watched.expect(&[&format!("event.created {MOVED} Once elsewhere")]).await;
    world.put("work/daily.ics", &recurring("daily", "Daily", Some("Once at home"))).await;
    world.watched.expect(&[&format!("event.updated {MOVED} Once at home")]).await;
    world.put("work/daily.ics", &recurring("daily", "Daily, new", Some("Once at home"))).await;
    world.watched.expect(&["event.updated work/daily.ics Daily, new"]).await;
    world.put("work/daily.ics", &recurring("daily", "Daily, new", None)).await;
    world.watched.expect(&[&format!("event.deleted {MOVED} Once at home")]).await;
    world.put("work/daily.ics", &recurring("daily", "Daily, new", Some("Once more"))).await;
    world.watched.expect(&[&format!("event.created {MOVED} Once more")]).await;
    world.delete("work/daily.ics").await;
    world
        .watched
        .expect(&[
            "event.deleted work/daily.ics Daily, new",
            &format!("event.deleted {MOVED} Once more"),
        ])
        .await;
    world.delete("work/series.ics").await;
    world
        .watched
        .expect(&[
            "event.deleted work/series.ics Weekly",
            "event.deleted work/series.ics#20261209T090000Z Weekly, moved",
        ])
        .await;
}

async fn calendars(world: &mut World) {
    world.make_calendar("trip").await;
    world.put("trip/there.ics", &single("there", "Already there")).await;
    world.watched.expect(&["calendar.created trip trip"]).await;
    world.put("trip/train.ics", &single("train", "Train")).await;
    world.watched.expect(&["event.created trip/train.ics Train"]).await;
    world.rename_calendar("trip", "Journey & more").await;
    world.watched.expect(&["calendar.updated trip Journey & more"]).await;
    world.delete("trip/").await;
    world.put("home/after.ics", &single("after", "After")).await;
    world
        .watched
        .expect(&["calendar.deleted trip Journey & more", "event.created home/after.ics After"])
        .await;
    assert_eq!(world.watched.mirror().await.len(), 2);
}

async fn refused_token(world: &mut World) {
    for (round, token) in ["http://radicale.org/ns/sync/bogus", "bogus"].into_iter().enumerate() {
        world.corrupt_token("work", token).await;
        world.watched.expect(&[]).await;
        let work =
            world.watched.mirror().await.into_iter().find(|c| c.external_id.ends_with("work"));
        assert_ne!(work.unwrap().sync_token.as_deref(), Some(token), "a new token is stored");

        let (name, title) = (format!("work/new-{round}.ics"), format!("New {round}"));
        world.put(&name, &single(&format!("new-{round}"), &title)).await;
        world.put("work/old.ics", &single("old", &format!("Old {round}"))).await;
        world.corrupt_token("work", token).await;
        let (created, updated) = (
            format!("event.created {name} {title}"),
            format!("event.updated work/old.ics Old {round}"),
        );
        world.watched.expect(&[&created, &updated]).await;
        world.delete(&name).await;
        world.corrupt_token("work", token).await;
        world.watched.expect(&[&format!("event.deleted {name} {title}")]).await;
    }
}

async fn outage(world: &mut World) {
    world.put("home/before.ics", &single("before", "Before the outage")).await;
    world.server.stop();
    for failures in 1..=2 {
        let passed = world.watched.pass().await;
        assert!(matches!(passed, Passed::Failed(ProviderError::Retry { .. })), "{passed:?}");
        let account = world.watched.account().await;
        assert_eq!((account.failures, account.status), (failures, AccountStatus::Active));
        assert!(account.last_error.unwrap().contains("did not answer"));
    }
    world.server.start().await;
    world.put("home/back.ics", &single("back", "Back")).await;
    world.delete("home/after.ics").await;
    world
        .watched
        .expect(&[
            "event.created home/back.ics Back",
            "event.created home/before.ics Before the outage",
            "event.deleted home/after.ics After",
        ])
        .await;
    let account = world.watched.account().await;
    assert_eq!((account.failures, account.last_error), (0, None));
}

/// More than one multiget and more than one commit.
async fn moved_on_while_unwatched(world: &mut World) {
    let mut expected = Vec::new();
    for number in 0..60 {
        let name = format!("many-{number:02}");
        world.put(&format!("home/{name}.ics"), &single(&name, &name)).await;
        expected.push(format!("event.created home/{name}.ics {name}"));
    }
    world.watched.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>()).await;
    world.delete("home/").await;
    world.watched.expect(&["calendar.deleted home home"]).await;
}

#[tokio::test]
async fn a_refused_password_turns_the_account_inactive() {
    let mut world = World::start(Kind::Radicale).await;
    world.connect("wrong").await;
    assert_eq!(world.watched.pass().await, Passed::Deactivated);
    assert_eq!(world.watched.told().await, ["account.inactive"]);
    let account = world.watched.account().await;
    assert_eq!(account.status, AccountStatus::Inactive);
    assert!(account.status_reason.unwrap().contains("user name or password"));
}
