//! What an operator watches.

use tidings_core::delivery::Members;
use tidings_core::hook::HookStatus;
use tidings_store::{CursorWrite, Settle};

use crate::support::{NOW, World, put};

pub(crate) async fn gauges_say_how_the_installation_stands(world: &World) {
    let empty = world.store.gauges().await.unwrap();
    assert_eq!((empty.apps, empty.waiting, empty.unmatched_since), (0, 0, None));
    assert!(empty.hooks.is_empty() && empty.store_bytes > 0);

    let app = world.app("a").await;
    world.account(&app).await;
    let hook = world.hook(&app, None).await;
    world.publish(&app, 3).await;
    let gauges = world.store.gauges().await.unwrap();
    assert_eq!(gauges.unmatched_since, Some(NOW), "nothing is matched yet");
    assert_eq!(world.store.unmatched_since().await.unwrap(), Some(NOW));
    assert_eq!(gauges.hooks, [(HookStatus::Active.as_str().to_owned(), 1)]);
    assert_eq!(gauges.accounts, [("caldav".to_owned(), "active".to_owned(), 1)]);

    let cursor = CursorWrite::Lagging {
        hook_no: hook.hook_no,
        cursor_no: 0,
        settled_seq: 1,
        delivered: Vec::new(),
        sent: 0,
    };
    let matched = vec![(app.app_no, 3)];
    world.settle(Settle { cursors: vec![cursor], matched, ..Settle::default() }).await;
    let single = Members::single;
    world.park(&hook, vec![put(single(1), 1, Some(NOW)), put(single(2), 9, None)]).await;
    let gauges = world.store.gauges().await.unwrap();
    assert_eq!((gauges.unmatched_since, gauges.owed_since), (None, Some(NOW)));
    assert_eq!((gauges.hooks_behind, gauges.waiting, gauges.exhausted), (1, 1, 1));

    let current = CursorWrite::Current { hook_no: hook.hook_no, settled_seq: 3 };
    world.settle(Settle { cursors: vec![current], ..Settle::default() }).await;
    let gauges = world.store.gauges().await.unwrap();
    assert_eq!((gauges.hooks_behind, gauges.owed_since), (0, None));
}
