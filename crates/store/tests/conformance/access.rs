//! What hooks get in with, and what apps sign with.

use tidings_core::clock::Timestamp;
use tidings_core::hook::HookStatus;
use tidings_core::limits;
use tidings_store::{HookUpdate, NewHook, NewSigningKey};

use crate::support::{NOW, World, did};

pub(crate) async fn an_access_is_replaced_and_taken_away(world: &World) {
    let app = world.app("a").await;
    let hook = world.hook(&app, None).await;
    let held = async |hook_no| {
        let access = world.store.hook_access(hook_no).await.unwrap();
        access.map(|access| String::from_utf8(access.sealed).unwrap())
    };
    let change = async |access: Option<&[u8]>| {
        let access = Some(access.map(|sealed| world.secret(sealed)));
        let update = HookUpdate { access, ..HookUpdate::default() };
        world.store.update_hook(hook.hook_no, update, did("hook.update"), NOW).await.unwrap();
    };
    assert_eq!(held(hook.hook_no).await, None);
    change(Some(b"one")).await;
    change(Some(b"two")).await;
    assert_eq!(held(hook.hook_no).await.as_deref(), Some("two"));
    let nothing = HookUpdate { description: Some("x".into()), ..HookUpdate::default() };
    world.store.update_hook(hook.hook_no, nothing, did("hook.update"), NOW).await.unwrap();
    assert_eq!(held(hook.hook_no).await.as_deref(), Some("two"));
    change(None).await;
    assert_eq!(held(hook.hook_no).await, None);

    let new = NewHook { access: Some(world.secret(b"new")), ..world.new_hook(&app) };
    let made = world.create_hook(new).await;
    assert_eq!(held(made.hook_no).await.as_deref(), Some("new"));
    world.store.delete_hook(&made, did("hook.delete"), NOW).await.unwrap();
    assert_eq!(held(made.hook_no).await, None);
}

pub(crate) async fn a_hook_may_begin_disabled(world: &World) {
    let app = world.app("a").await;
    let new = NewHook { disabled: Some("not yet".into()), ..world.new_hook(&app) };
    let made = world.create_hook(new).await;
    assert_eq!(
        (made.status, made.status_reason.as_deref()),
        (HookStatus::Disabled, Some("not yet"))
    );
}

pub(crate) async fn signing_keys_overlap_and_expire(world: &World) {
    let (app, other) = (world.app("a").await, world.app("b").await);
    let key = |n: u8| NewSigningKey { id: world.ids.next(NOW), public: [n; 32], sealed: vec![n] };
    let first = async |n| {
        world.store.add_first_signing_key(app.app_no, key(n), NOW).await.unwrap();
    };
    let rotate = async |n, overlap_ms| {
        let (until, entry) = (NOW.plus_ms(overlap_ms), did("app.rotate_webhook_key"));
        world.store.rotate_signing_key(app.app_no, key(n), until, entry, NOW).await
    };
    let signing = async |app_no, ms| {
        let keys = world.store.signing_keys(app_no, NOW.plus_ms(ms)).await.unwrap();
        let ends = |at: Timestamp| at.0 - NOW.0;
        keys.into_iter().map(|key| (key.public[0], key.expires_at.map(ends))).collect::<Vec<_>>()
    };
    assert_eq!(signing(app.app_no, 0).await, []);
    first(1).await;
    first(2).await;
    assert_eq!(signing(app.app_no, 0).await, [(1, None)]);
    rotate(3, 1_000).await.unwrap();
    rotate(4, 5_000).await.unwrap();
    first(5).await;
    assert_eq!(signing(app.app_no, 999).await, [(4, None), (3, Some(5_000)), (1, Some(1_000))]);
    assert_eq!(signing(app.app_no, 1_000).await, [(4, None), (3, Some(5_000))]);
    assert_eq!(signing(other.app_no, 0).await, []);

    for n in 3..limits::APP_SIGNING_KEYS_MAX {
        rotate(10 + n as u8, 9_000).await.unwrap();
    }
    let before = signing(app.app_no, 0).await;
    assert_eq!(before.len(), limits::APP_SIGNING_KEYS_MAX);
    assert!(rotate(99, 9_000).await.is_err_and(|error| error.is_conflict()));
    assert_eq!(signing(app.app_no, 0).await, before);

    let hook = NewHook { access: Some(world.secret(b"gone")), ..world.new_hook(&app) };
    let hook = world.create_hook(hook).await;
    world.store.delete_app(app.app_no, NOW, did("app.delete")).await.unwrap();
    while world.store.erase_app_step(app.app_no, NOW).await.unwrap() {}
    assert_eq!(signing(app.app_no, 0).await, []);
    assert!(world.store.hook_access(hook.hook_no).await.unwrap().is_none());
}
