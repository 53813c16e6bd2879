//! A store is opened by one process at a time, and holds what it was given.

use tidings_core::delivery::Members;
use tidings_store::{CursorWrite, Idempotency, Settle, Store};

use crate::support::{NOW, World, put};

const ONCE: Idempotency = Idempotency { key_hash: [1; 32], request_hash: [2; 32] };

pub(crate) async fn reopening_keeps_everything(world: &World) {
    let app = world.app("a").await;
    let (account, hook) = (world.account(&app).await, world.hook(&app, Some(0)).await);
    let changes = vec![world.change_of(&account, "event.created"), world.change("thing.happened")];
    world.store.publish(app.app_no, changes, Some(ONCE), NOW).await.unwrap();
    let cursors = vec![CursorWrite::Lagging {
        hook_no: hook.hook_no,
        cursor_no: 0,
        settled_seq: 1,
        delivered: vec![0b10],
        sent: 0,
    }];
    let matched = vec![(app.app_no, 2)];
    world.settle(Settle { cursors, matched, ..Settle::default() }).await;
    world.park(&hook, vec![put(Members::single(1), 2, Some(NOW))]).await;

    let before = contents(&world.store, app.app_no, hook.hook_no).await;
    world.store.close().await;
    let closed = world.store.publish(app.app_no, Vec::new(), None, NOW).await;
    assert!(closed.is_err_and(|error| error.is_unavailable()));

    let store = world.backend.open().unwrap();
    assert_eq!(contents(&store, app.app_no, hook.hook_no).await, before);
    let repeat = || vec![world.change("thing.happened")];
    assert!(store.publish(app.app_no, repeat(), Some(ONCE), NOW).await.unwrap().replayed);
    let next = store.publish(app.app_no, repeat(), None, NOW).await.unwrap();
    assert_eq!(next.appended.changes[0].seq, 3);
}

/// Everything of the app in [`reopening_keeps_everything`], in words.
async fn contents(store: &Store, app_no: i64, hook_no: i64) -> String {
    let mut said = format!("{:?}", store.app(app_no).await.unwrap().unwrap());
    said += &format!("{:?}", store.dispatch_apps().await.unwrap());
    said += &format!("{:?}", store.changes(app_no, 0, 100).await.unwrap());
    said += &format!("{:?}", store.accounts(app_no, Default::default(), 0, 9).await.unwrap());
    said += &format!("{:?}", store.hook_by_no(hook_no).await.unwrap().unwrap());
    let secrets = store.hook_secrets(hook_no, NOW).await.unwrap();
    said += &format!("{:?}", secrets.iter().map(|secret| &secret.sealed).collect::<Vec<_>>());
    said += &format!("{:?}", store.cursors(hook_no).await.unwrap());
    said += &format!("{:?}", store.next_parked(hook_no, 9).await.unwrap());
    said += &format!("{:?}", store.audit_rows(Some(app_no), None, 100).await.unwrap());
    said
}

pub(crate) async fn a_second_process_is_refused(world: &World) {
    let app = world.app("a").await;
    let error = world.backend.open().unwrap_err();
    let said = error.to_string();
    assert!(said.contains("another tidings process has this store open"), "{said}");
    world.publish(&app, 1).await;
    world.store.close().await;
    let store = world.backend.open().unwrap();
    assert_eq!(store.changes(app.app_no, 0, 9).await.unwrap().len(), 1);
}
