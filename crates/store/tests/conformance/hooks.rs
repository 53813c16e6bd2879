//! What a hook selects from when on, and with what it is signed.

use tidings_core::hook::Service;
use tidings_core::id::{HookId, UserId};
use tidings_core::limits;
use tidings_store::{Hook, HookUpdate, NewHook};

use crate::support::{NOW, World, did, end_user, selection};

pub(crate) async fn hook_versions_apply_from_their_seq(world: &World) {
    let app = world.app("a").await;
    world.publish(&app, 3).await;
    let hook = world.hook(&app, None).await;
    let early = world.hook(&app, Some(1)).await;
    let select = async |trigger| {
        let update = HookUpdate { selection: Some(selection(trigger)), ..HookUpdate::default() };
        world.store.update_hook(hook.hook_no, update, did("hook.update"), NOW).await.unwrap()
    };
    world.publish(&app, 2).await;
    select("never.in.force").await;
    select("second.*").await;
    world.publish(&app, 2).await;
    select("third.*").await;

    let hook = world.store.hook_by_no(hook.hook_no).await.unwrap().unwrap();
    let at = |seq| hook.selection_at(seq).map(|selection| &*selection.triggers[0]);
    for (seq, expected) in [
        (3, None),
        (4, Some("*")),
        (5, Some("*")),
        (6, Some("second.*")),
        (7, Some("second.*")),
        (8, Some("third.*")),
        (9, Some("third.*")),
    ] {
        assert_eq!(at(seq), expected, "at {seq}");
    }
    assert_eq!(hook.versions.len(), 3);
    assert_eq!(early.versions, [(2, selection("*"))]);
}

pub(crate) async fn what_leaves_a_hook_leaves_it_from_the_next_change_on(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let account = world.account_of_user(&app, "ada").await;
    let there = world.calendars(&account, &["work"]).await.remove(0).collection_no;
    let hook = world.hook(&app, None).await;
    let leave = |collections: &[i64], most| {
        store.leave_hook(&hook, collections.to_vec(), most, did("hook.update"), NOW)
    };
    let left = async || {
        let hook = store.hook_by_no(hook.hook_no).await.unwrap().unwrap();
        assert_eq!(hook.versions.len(), 1, "it needs no version for each");
        hook.selection().left.clone()
    };
    world.publish(&app, 3).await;
    assert!(leave(&[99], 2).await.unwrap());
    world.publish(&app, 2).await;
    assert!(leave(&[there, 99], 2).await.unwrap());
    assert!(!leave(&[there], 2).await.unwrap(), "it has left already");
    let [from, later] = [99, there].map(|no| (no, if no == 99 { 4 } else { 6 }));
    assert_eq!(left().await, [later, from]);
    assert!(leave(&[98], 0).await.unwrap_err().is_conflict(), "one of them is still there");
    assert!(!leave(&[99], 2).await.unwrap(), "nothing was forgotten");
    assert!(leave(&[97], 2).await.unwrap());
    assert_eq!(left().await, [later], "what is gone is forgotten");
}

pub(crate) async fn secrets_overlap_and_expire(world: &World) {
    let app = world.app("a").await;
    let hook = world.hook(&app, None).await;
    let rotate = |sealed: &[u8], overlap_ms| {
        let (secret, until) = (world.secret(sealed), NOW.plus_ms(overlap_ms));
        world.store.rotate_hook_secret(&hook, secret, until, did("hook.secret.rotate"), NOW)
    };
    let signing = async |ms| {
        let secrets = world.store.hook_secrets(hook.hook_no, NOW.plus_ms(ms)).await.unwrap();
        secrets
            .into_iter()
            .map(|secret| {
                let sealed = String::from_utf8(secret.sealed).unwrap();
                (sealed, secret.expires_at.map(|at| at.0 - NOW.0))
            })
            .collect::<Vec<_>>()
    };
    let named = |name: &str, ends| (name.to_owned(), ends);

    assert_eq!(signing(0).await, [named("first", None)]);
    rotate(b"second", 1_000).await.unwrap();
    // A longer overlap does not give the first one more time.
    rotate(b"third", 5_000).await.unwrap();
    let (second, third) = (named("second", Some(5_000)), named("third", None));
    let all = [third.clone(), second.clone(), named("first", Some(1_000))];
    assert_eq!(signing(999).await, all);
    assert_eq!(signing(1_000).await, [third.clone(), second]);
    assert_eq!(signing(5_000).await, [third]);

    for n in 3..limits::HOOK_SECRETS_MAX {
        rotate(format!("more {n}").as_bytes(), 9_000).await.unwrap();
    }
    let before = signing(0).await;
    assert_eq!(before.len(), limits::HOOK_SECRETS_MAX);
    let refused = rotate(b"one too many", 10).await;
    assert!(refused.is_err_and(|error| error.is_conflict()));
    assert_eq!(signing(0).await, before, "a refused rotation shortened an overlap");
}

pub(crate) async fn hooks_are_found_by_app_and_user(world: &World) {
    let (store, app, other) = (&world.store, world.app("a").await, world.app("b").await);
    let user = UserId(world.ids.next(NOW));
    let user = store
        .create_user(end_user(app.app_no, user, "ada"), Vec::new(), did("user.upsert"), NOW)
        .await;
    let user_no = user.unwrap().0.user_no;
    let plain = world.hook(&app, None).await;
    let new = NewHook {
        id: HookId(world.ids.next(NOW)),
        app_no: app.app_no,
        owner_grant_no: None,
        user_no: Some(user_no),
        external_id: Some("7".into()),
        description: String::new(),
        url: None,
        service: Service::default(),
        selection: selection("*"),
        expires_at: Some(NOW),
        after_seq: None,
        access: None,
        disabled: None,
    };
    let secret = world.secret(b"first");
    let of_user = store.create_hook(new, secret, Vec::new(), did("hook.create"), NOW).await;
    let (of_user, foreign) = (of_user.unwrap().hook_no, world.hook(&other, None).await.hook_no);

    let nos = |hooks: Vec<Hook>| hooks.iter().map(|hook| hook.hook_no).collect::<Vec<_>>();
    let found = store.all_hooks().await.unwrap();
    assert!(found.iter().all(|hook| hook.versions.len() == 1));
    assert_eq!(nos(found), [plain.hook_no, of_user, foreign]);
    let found = store.hooks_of_user(app.app_no, user_no).await.unwrap();
    assert_eq!((found[0].expires_at, found[0].external_id.as_deref()), (Some(NOW), Some("7")));
    assert_eq!(nos(found), [of_user]);
    assert_eq!(nos(store.hooks(app.app_no, None, plain.hook_no, 9).await.unwrap()), [of_user]);
    assert_eq!(nos(store.hooks(app.app_no, None, 0, 1).await.unwrap()), [plain.hook_no]);

    store.delete_hook(&plain, did("hook.delete"), NOW).await.unwrap();
    assert_eq!(nos(store.all_hooks().await.unwrap()), [of_user, foreign]);
}
