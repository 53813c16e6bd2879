use tidings_core::hook::HookStatus;
use tidings_core::seal::Place;
use tidings_service::{
    EnableFrom, Error, HookChanges, HookFrom, NewHook, PageInput, RotateSecret, Serving,
};

use crate::setup::{Setup, new_hook, pointers, publication};

fn serving(serving: Serving) -> NewHook {
    NewHook { serving, ..new_hook() }
}

#[tokio::test]
async fn a_hook_has_defaults_and_its_secret_is_sealed() {
    let setup = Setup::new().await;
    let created = setup.hook(&setup.owner).await;
    let hook = &created.hook;
    assert_eq!((hook.format.as_str(), hook.status), ("native@1", HookStatus::Active));
    assert_eq!((hook.retry.len(), hook.concurrency, hook.timeout_ms), (14, 16, 15_000));
    let rows = setup.store.hooks(1, None, 0, 1).await.unwrap();
    let secrets = setup.store.hook_secrets(rows[0].hook_no, setup.clock.now()).await.unwrap();
    let place =
        Place { table: "hook_secret", column: "sealed", app: setup.app, row: secrets[0].id };
    let opened = setup.keyring.open(place, &secrets[0].sealed).unwrap();
    assert_eq!(&opened[..], created.secret.reveal().as_bytes());
    assert_eq!(setup.audit(&setup.owner).await[0].0, "hook.create");
}

#[tokio::test]
async fn bad_fields_of_hooks_are_named() {
    let setup = Setup::new().await;
    let long = "a".repeat(1_025);
    let cases: Vec<(NewHook, &str)> = vec![
        (NewHook { url: None, ..new_hook() }, "/url"),
        (NewHook { url: Some("http://example.com/".into()), ..new_hook() }, "/url"),
        (NewHook { url: Some("https://127.0.0.1/".into()), ..new_hook() }, "/url"),
        (NewHook { url: Some("https://169.254.169.254/".into()), ..new_hook() }, "/url"),
        (NewHook { description: Some("a\0b".into()), ..new_hook() }, "/description"),
        (NewHook { description: Some(long), ..new_hook() }, "/description"),
        (NewHook { format: Some("nothing@9".into()), ..new_hook() }, "/format"),
        (NewHook { format: Some(String::new()), ..new_hook() }, "/format"),
        (NewHook { triggers: vec![], ..new_hook() }, "/triggers"),
        (NewHook { triggers: vec!["a".into(); 101], ..new_hook() }, "/triggers"),
        (NewHook { triggers: vec!["a b".into()], ..new_hook() }, "/triggers/0"),
        (serving(Serving { retry: Some(vec![]), ..Serving::default() }), "/retry"),
        (serving(Serving { retry: Some(vec![5]), ..Serving::default() }), "/retry"),
        (serving(Serving { retry: Some(vec![0; 51]), ..Serving::default() }), "/retry"),
        (serving(Serving { concurrency: Some(0), ..Serving::default() }), "/concurrency"),
        (serving(Serving { concurrency: Some(257), ..Serving::default() }), "/concurrency"),
        (serving(Serving { timeout_ms: Some(999), ..Serving::default() }), "/timeout_ms"),
        (serving(Serving { timeout_ms: Some(15_001), ..Serving::default() }), "/timeout_ms"),
        (NewHook { secret: Some("short".into()), ..new_hook() }, "/secret"),
        (NewHook { secret: Some("whsec_".into()), ..new_hook() }, "/secret"),
        (NewHook { expires_at: Some(setup.clock.now()), ..new_hook() }, "/expires_at"),
        (NewHook { from: HookFrom::Seq(0), ..new_hook() }, "/from/seq"),
    ];
    for (input, expect) in cases {
        let refused = setup.service.create_hook(&setup.owner, input.clone()).await;
        assert_eq!(pointers(refused), [expect], "{input:?}");
    }
    let page = setup.service.hooks(&setup.owner, &PageInput::default()).await.unwrap();
    assert!(page.items.is_empty());
}

#[tokio::test]
async fn a_hook_without_a_url_needs_the_apps() {
    let setup = Setup::new().await;
    let changes = tidings_service::AppChanges {
        webhook_url: Some(Some("https://example.com/all".into())),
        ..Default::default()
    };
    setup.service.update_app(&setup.owner, setup.app, changes).await.unwrap();
    let caller = setup.admin_of(setup.app).await;
    let input = NewHook { url: None, ..new_hook() };
    let created = setup.service.create_hook(&caller, input).await.unwrap();
    assert_eq!(created.hook.url, None);
    assert!(setup.service.test_hook(&caller, created.hook.id).await.is_ok());
}

#[tokio::test]
async fn a_hook_is_changed_paused_enabled_and_deleted() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let id = setup.hook(owner).await.hook.id;
    let changes = HookChanges {
        url: Some("https://example.com/new".into()),
        triggers: Some(vec!["*".into()]),
        echoes: Some(true),
        serving: Serving { concurrency: Some(2), ..Serving::default() },
        ..HookChanges::default()
    };
    let hook = service.update_hook(owner, id, changes).await.unwrap();
    assert_eq!(hook.url.as_deref(), Some("https://example.com/new"));
    assert_eq!((hook.triggers, hook.concurrency), (vec!["*".to_owned()], 2));
    assert!(hook.echoes);
    let bad = HookChanges { url: Some("ftp://example.com/".into()), ..HookChanges::default() };
    assert_eq!(pointers(service.update_hook(owner, id, bad).await), ["/url"]);

    let paused = service.pause_hook(owner, id).await.unwrap();
    assert_eq!(paused.status, HookStatus::Paused);
    assert!(paused.status_reason.unwrap().starts_with("paused by key_"));
    assert!(service.test_hook(owner, id).await.is_ok(), "a paused hook can be tried out");
    let enabled = service.enable_hook(owner, id, EnableFrom::Now).await.unwrap();
    assert_eq!((enabled.status, enabled.status_reason), (HookStatus::Active, None));
    service.disable_hook(owner, id).await.unwrap();
    assert!(matches!(service.pause_hook(owner, id).await, Err(Error::Conflict(_))));
    service.enable_hook(owner, id, EnableFrom::Backlog).await.unwrap();
    let receipt = service.test_hook(owner, id).await.unwrap();
    assert_eq!(receipt.kind, "hook.test");

    service.delete_hook(owner, id).await.unwrap();
    assert_eq!(service.hook(owner, id).await.err(), Some(Error::NotFound("hook")));
    let actions: Vec<_> = setup.audit(owner).await.into_iter().map(|line| line.0).collect();
    let expect = [
        "hook.delete",
        "hook.test",
        "hook.enable",
        "hook.disable",
        "hook.enable",
        "hook.test",
        "hook.pause",
        "hook.update",
        "hook.create",
    ];
    assert_eq!(actions[..expect.len()], expect);
}

#[tokio::test]
async fn secrets_overlap_during_a_rotation_and_are_bounded() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let id = setup.hook(owner).await.hook.id;
    let signing = || async { setup.store.hook_secrets(1, setup.clock.now()).await.unwrap().len() };
    let rotated = service.rotate_hook_secret(owner, id, RotateSecret::default()).await.unwrap();
    assert_eq!(rotated.overlap_until, setup.clock.now().plus_ms(24 * 3600 * 1000));
    assert_eq!(signing().await, 2);
    setup.clock.advance_ms(24 * 3600 * 1000);
    assert_eq!(signing().await, 1);
    let at_once = RotateSecret { overlap_ms: Some(0), ..RotateSecret::default() };
    service.rotate_hook_secret(owner, id, at_once).await.unwrap();
    assert_eq!(signing().await, 1);
    for _ in 1..10 {
        service.rotate_hook_secret(owner, id, RotateSecret::default()).await.unwrap();
    }
    let refused = service.rotate_hook_secret(owner, id, RotateSecret::default()).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    for (input, expect) in [
        (RotateSecret { secret: Some("x".into()), overlap_ms: None }, "/secret"),
        (RotateSecret { secret: None, overlap_ms: Some(-1) }, "/overlap_ms"),
        (RotateSecret { secret: None, overlap_ms: Some(i64::MAX) }, "/overlap_ms"),
    ] {
        assert_eq!(pointers(service.rotate_hook_secret(owner, id, input).await), [expect]);
    }
}

#[tokio::test]
async fn a_hook_can_begin_in_the_past() {
    let setup = Setup::new().await;
    for _ in 0..3 {
        let input = publication("invoice.paid", "1");
        setup.service.publish(&setup.owner, input, None, None).await.unwrap();
    }
    let input = NewHook { from: HookFrom::Seq(2), ..new_hook() };
    setup.service.create_hook(&setup.owner, input).await.unwrap();
    let hook = setup.store.hooks(1, None, 0, 1).await.unwrap().remove(0);
    assert_eq!(setup.store.settled_seq(1, hook.hook_no).await.unwrap(), 1);
    assert!(hook.selection_at(2).is_some() && hook.selection_at(1).is_none());
}
