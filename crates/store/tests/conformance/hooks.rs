//! What a hook selects from when on, and with what it is signed.

use tidings_core::limits;
use tidings_store::HookUpdate;

use crate::support::{NOW, World, did, selection};

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
