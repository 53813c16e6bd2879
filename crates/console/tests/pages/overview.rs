//! How an app fares, as its first page shows it.

use tidings_core::tally::{Tally, minute_of};
use tidings_service::{NewHook, PageInput, Role};
use tidings_store::HookMinute;

use crate::world::World;

#[tokio::test]
async fn a_new_app_shows_the_first_steps_to_whoever_can_take_them() {
    let (world, mut owner) = World::owned().await;
    let base = format!("/console/apps/{}", world.app);
    let page = owner.get(&base).await;
    for part in [
        "First steps".to_owned(),
        format!("href=\"{base}/webhooks/new\""),
        format!("href=\"{base}/accounts/connect\""),
        format!("href=\"{base}/inboxes\""),
        format!("tidings-app: {}", world.app),
    ] {
        assert!(page.body.contains(&part), "{part}: {page:?}");
    }
    let mut viewer = world.operator(&owner, "viewer@example.com", Role::Viewer).await;
    let page = viewer.get(&base).await;
    assert_eq!(page.status, 200);
    assert!(
        !page.body.contains("First steps") && !page.body.contains("Create Webhook"),
        "{page:?}"
    );
}

#[tokio::test]
async fn charts_show_what_was_counted_in_the_span() {
    let (world, mut owner) = World::owned().await;
    let base = format!("/console/apps/{}", world.app);
    let mut tally = Tally::default();
    (0..12).for_each(|_| tally.count(true, 40_000));
    (0..3).for_each(|_| tally.count(false, 1));
    let minute = minute_of(world.clock.now());
    for back in [3, 120] {
        let counted = HookMinute { app_no: 1, hook_no: 1, minute: minute - back, tally };
        world.store.add_minutes(vec![counted]).await.unwrap();
    }
    let hour = owner.get(&base).await;
    for part in [
        "12 delivered and 3 failed in the last hour.",
        "<title>07:57: 12 delivered</title>",
        "<title>07:57: 3 failed</title>",
        "<td>2026-11-21 07:57</td>",
        "role=\"img\"",
    ] {
        assert!(hour.body.contains(part), "{part}: {hour:?}");
    }
    let day = owner.get(&format!("{base}?span=day")).await;
    assert!(day.body.contains("24 delivered and 6 failed in the last day."), "{day:?}");
    let strange = owner.get(&format!("{base}?span=%3Cb%3E")).await;
    assert_eq!(strange.status, 200);
    assert!(strange.body.contains("in the last hour") && !strange.body.contains("<b>"));
}

#[tokio::test]
async fn what_is_in_trouble_is_named_and_linked() {
    let (world, mut owner) = World::owned().await;
    let caller = world.owner(&owner).await;
    let new = NewHook {
        url: Some("https://receiver.example.com/x".into()),
        triggers: vec!["*".into()],
        ..NewHook::default()
    };
    let hook = world.service.create_hook(&caller, new).await.unwrap().hook.id;
    let disabled = tidings_store::Settle {
        disabled: vec![(1, "receiver answered 410, it wants no more".into())],
        ..Default::default()
    };
    world.store.settle(std::sync::Arc::new(disabled), world.clock.now()).await.unwrap();
    let page = owner.get(&format!("/console/apps/{}", world.app)).await;
    for part in [
        "Needs attention".to_owned(),
        "is disabled: receiver answered 410".to_owned(),
        format!("href=\"/console/apps/{}/webhooks/{hook}\"", world.app),
    ] {
        assert!(page.body.contains(&part), "{part}: {page:?}");
    }
    let hooks = world.service.hooks(&caller, &PageInput::default()).await.unwrap();
    assert_eq!(hooks.items.len(), 1);
}
