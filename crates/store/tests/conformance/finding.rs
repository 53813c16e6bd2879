//! Finding hooks by what they are like, their last runs, and telling apps of a start.

use tidings_core::delivery::Members;
use tidings_core::hook::HookStatus;
use tidings_core::id::HookId;
use tidings_store::{AttemptRecord, DeliveryStatus, HookLike, HookUpdate, NewHook, Settle};

use crate::deliveries::attempt;
use crate::support::{NOW, World, did, put, selection};

pub(crate) async fn hooks_are_found_by_what_they_are_like(world: &World) {
    let (app, other) = (world.app("a").await, world.app("b").await);
    let first = world.hook(&app, None).await;
    let new = NewHook {
        id: HookId(world.ids.next(NOW)),
        url: Some("https://receiver.example/2".into()),
        external_id: Some("x".into()),
        ..world.new_hook(&app)
    };
    let second = world.create_hook(new).await;
    world.hook(&other, None).await;
    let any = HookLike::default;
    for (like, expected) in [
        (any(), vec![first.hook_no, second.hook_no]),
        (HookLike { url: first.url.clone(), ..any() }, vec![first.hook_no]),
        (HookLike { external_id: Some("x".into()), ..any() }, vec![second.hook_no]),
        (HookLike { url: first.url.clone(), external_id: Some("x".into()), ..any() }, vec![]),
        (HookLike { owner_grant_no: Some(1), ..any() }, vec![]),
        (HookLike { user_no: Some(1), ..any() }, vec![]),
    ] {
        let found = world.store.hooks_like(app.app_no, like.clone(), 9).await.unwrap();
        let found: Vec<_> = found.iter().map(|hook| hook.hook_no).collect();
        assert_eq!(found, expected, "{like:?}");
    }
    assert_eq!(world.store.hooks_like(app.app_no, any(), 1).await.unwrap().len(), 1);
    assert!(world.store.grant_ids(vec![99]).await.unwrap().is_empty());
}

pub(crate) async fn runs_are_the_last_attempts_without_test_events(world: &World) {
    let app = world.app("a").await;
    let hook = world.hook(&app, None).await;
    world.publish(&app, 2).await;
    let test = vec![world.change("hook.test")];
    world.store.publish(app.app_no, test, None, NOW).await.unwrap();
    let single = Members::single;
    let group = Members { group: "all".into(), first_seq: 2, last_seq: 3, count: 1 };
    let unanswered = AttemptRecord { status: None, ..attempt(&hook, group.clone(), 2, false) };
    let attempts = vec![
        attempt(&hook, single(1), 1, true),
        unanswered,
        attempt(&hook, single(3), 1, true),
        attempt(&hook, group, 3, false),
    ];
    world.settle(Settle { attempts, ..Settle::default() }).await;
    let runs = async |limit| world.store.hook_runs(hook.hook_no, app.app_no, limit).await.unwrap();
    let at = |ms| NOW.plus_ms(ms);
    let all = [(Some(500), at(3)), (None, at(2)), (Some(200), at(1))];
    assert_eq!(runs(9).await, all);
    assert_eq!(runs(2).await, all[..2]);
}

pub(crate) async fn a_start_is_appended_to_each_app_that_is_there(world: &World) {
    let (app, other) = (world.app("a").await, world.app("b").await);
    let hook = world.hook(&app, None).await;
    let stopped = world.hook(&other, None).await;
    let update = |selection, status| HookUpdate { selection, status, ..HookUpdate::default() };
    let paused = update(None, Some((HookStatus::Paused, None)));
    world.store.update_hook(stopped.hook_no, paused, did("hook.pause"), NOW).await.unwrap();
    world.publish(&app, 1).await;
    let newer = update(Some(selection("newer")), None);
    world.store.update_hook(hook.hook_no, newer, did("hook.update"), NOW).await.unwrap();
    let active = world.store.active_hooks(0, 9).await.unwrap();
    let active: Vec<_> =
        active.iter().map(|it| (it.hook_no, it.app_no, &it.selection.triggers[0][..])).collect();
    assert_eq!(active, [(hook.hook_no, app.app_no, "newer")]);
    assert!(world.store.active_hooks(hook.hook_no, 9).await.unwrap().is_empty());

    let start = || world.change("service.started");
    let changes = vec![(app.app_no, start()), (99, start()), (other.app_no, start())];
    world.store.append_to_apps(changes, NOW).await.unwrap();
    let kinds = async |app| {
        let journal = world.journal(app).await;
        journal.into_iter().map(|change| change.new.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&app).await, ["thing.happened", "service.started"]);
    assert_eq!(kinds(&other).await, ["service.started"]);
}

pub(crate) async fn what_waits_for_its_retry_is_given_up_when_it_is_to_be_forgotten(world: &World) {
    let app = world.app("a").await;
    world.publish(&app, 3).await;
    let parked = Some(DeliveryStatus::Parked);
    for (forgets, waiting) in [(false, 1), (true, 0)] {
        let hook = world.hook(&app, Some(0)).await;
        world.park(&hook, vec![put(Members::single(1), 1, Some(NOW))]).await;
        let update = HookUpdate {
            status: Some((HookStatus::Active, None)),
            skip_backlog: Some("enabled from now on".into()),
            give_up_parked: forgets,
            ..HookUpdate::default()
        };
        world.store.update_hook(hook.hook_no, update, did("hook.enable"), NOW).await.unwrap();
        let rows = world.store.deliveries(hook.hook_no, parked, u64::MAX, 9).await.unwrap();
        assert_eq!(rows.len(), waiting);
    }
}
