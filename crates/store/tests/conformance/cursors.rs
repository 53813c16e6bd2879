//! How far hooks are settled, and their deliveries in trouble.

use tidings_core::delivery::Members;
use tidings_core::hook::HookStatus;
use tidings_core::id::ReplayId;
use tidings_store::{
    Committed, CursorRow, CursorWrite, DeliveryStatus, Hook, HookUpdate, ParkedWrite, Settle,
};

use crate::support::{NOW, World, did, put};

impl World {
    async fn move_cursor(&self, write: CursorWrite) {
        self.settle(Settle { cursors: vec![write], ..Settle::default() }).await;
    }

    async fn match_until(&self, app_no: i64, seq: u64) {
        self.settle(Settle { matched: vec![(app_no, seq)], ..Settle::default() }).await;
    }

    /// Position and bits of each cursor of a hook that has a row.
    async fn positions(&self, hook: &Hook) -> Vec<(i64, u64, Vec<u8>)> {
        let rows = self.store.cursors(hook.hook_no).await.unwrap();
        rows.into_iter().map(|row| (row.cursor_no, row.settled_seq, row.delivered)).collect()
    }
}

fn lagging(hook: &Hook, cursor_no: i64, settled_seq: u64, delivered: u8) -> CursorWrite {
    CursorWrite::Lagging {
        hook_no: hook.hook_no,
        cursor_no,
        settled_seq,
        delivered: vec![delivered],
    }
}

fn current(hook: &Hook, settled_seq: u64) -> CursorWrite {
    CursorWrite::Current { hook_no: hook.hook_no, settled_seq }
}

pub(crate) async fn settle_moves_cursors_only_forward(world: &World) {
    let app = world.app("a").await;
    world.publish(&app, 10).await;
    let hook = world.hook(&app, Some(0)).await;
    for (write, expected) in [
        (lagging(&hook, 0, 5, 0b10), (0, 5, vec![0b10])),
        (lagging(&hook, 0, 3, 0b11), (0, 5, vec![0b10])),
        (lagging(&hook, 0, 5, 0b110), (0, 5, vec![0b110])),
        (current(&hook, 4), (0, 5, vec![0b110])),
        (lagging(&hook, 0, 6, 0b11), (0, 6, vec![0b11])),
    ] {
        let said = format!("{write:?}");
        world.move_cursor(write).await;
        assert_eq!(world.positions(&hook).await, [expected], "{said}");
    }
    for (seq, expected) in [(8, 8), (6, 8), (10, 10)] {
        world.match_until(app.app_no, seq).await;
        let matched = world.store.dispatch_app(app.app_no).await.unwrap().unwrap().matched_seq;
        assert_eq!(matched, expected);
    }
    world.store.delete_hook(&hook, did("hook.delete"), NOW).await.unwrap();
    world.move_cursor(lagging(&hook, 0, 7, 0)).await;
    assert_eq!(world.positions(&hook).await, [], "a deleted hook got a cursor");
}

pub(crate) async fn a_current_hook_has_no_cursor_row(world: &World) {
    let app = world.app("a").await;
    world.publish(&app, 10).await;
    world.match_until(app.app_no, 10).await;
    let settled = |hook_no| world.store.settled_seq(app.app_no, hook_no);
    let fresh = world.hook(&app, None).await;
    assert_eq!(world.positions(&fresh).await, []);
    assert_eq!(settled(fresh.hook_no).await.unwrap(), 10);
    let behind = world.hook(&app, Some(2)).await;
    assert_eq!(world.positions(&behind).await, [(0, 2, vec![])]);
    assert_eq!(settled(behind.hook_no).await.unwrap(), 2);
    world.move_cursor(current(&behind, 10)).await;
    assert_eq!(world.positions(&behind).await, []);
    assert_eq!(settled(behind.hook_no).await.unwrap(), 10);
}

pub(crate) async fn parked_deliveries_come_by_due_time(world: &World) {
    let app = world.app("a").await;
    world.publish(&app, 9).await;
    let (hook, other) = (world.hook(&app, None).await, world.hook(&app, None).await);
    let group = Members { group: "day 1".into(), first_seq: 4, last_seq: 8, count: 3 };
    let at = |ms| Some(NOW.plus_ms(ms));
    world
        .park(
            &hook,
            vec![
                put(Members::single(1), 1, at(30)),
                put(Members::single(2), 2, at(10)),
                put(Members::single(3), 9, None),
                put(group.clone(), 1, at(20)),
                put(Members::single(4), 1, at(20)),
            ],
        )
        .await;
    world.park(&other, vec![put(Members::single(1), 1, at(5))]).await;

    let next = world.store.next_parked(hook.hook_no, 10).await.unwrap();
    let due: Vec<_> = next.iter().map(|row| (row.members.first_seq, row.due_at)).collect();
    assert_eq!(due, [(2, at(10)), (4, at(20)), (4, at(20)), (1, at(30))]);
    assert_eq!((next[0].attempts, &*next[0].reason), (2, "receiver answered 500"));
    assert_eq!(world.store.next_parked(hook.hook_no, 1).await.unwrap(), next[..1]);

    // Parked anew, it waits for its new time; delivered, it is gone, and only it.
    let gone = ParkedWrite::Remove { cursor_no: 0, members: group };
    world.park(&hook, vec![put(Members::single(2), 3, at(40)), gone]).await;
    let next = world.store.next_parked(hook.hook_no, 10).await.unwrap();
    let left: Vec<_> = next.iter().map(|row| (&row.members, row.attempts)).collect();
    let single = Members::single;
    assert_eq!(left, [(&single(4), 1), (&single(1), 1), (&single(2), 3)]);
}

pub(crate) async fn exhausted_is_visible_and_resend_makes_it_due(world: &World) {
    let app = world.app("a").await;
    world.publish(&app, 3).await;
    let hook = world.hook(&app, None).await;
    world.park(&hook, vec![put(Members::single(2), 9, None)]).await;
    let listed = |status| world.store.deliveries(hook.hook_no, Some(status), u64::MAX, 10);

    assert_eq!(world.store.next_parked(hook.hook_no, 10).await.unwrap(), []);
    let exhausted = listed(DeliveryStatus::Exhausted).await.unwrap();
    assert_eq!(exhausted.len(), 1);
    assert_eq!(exhausted[0].members, Members::single(2));
    assert_eq!(exhausted[0].reason.as_deref(), Some("receiver answered 500"));
    assert_eq!(exhausted[0].next_attempt_at, None);

    let mut committed = world.store.committed();
    let (members, audit) = (Members::single(2), did("delivery.resend"));
    world.store.resend(app.app_no, hook.hook_no, members, audit, NOW).await.unwrap();
    assert!(matches!(committed.recv().await, Ok(Committed::Hook(no)) if no == hook.hook_no));
    let due = world.store.next_parked(hook.hook_no, 10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].attempts, due[0].due_at), (0, Some(NOW)), "not a fresh schedule");
    assert!(listed(DeliveryStatus::Exhausted).await.unwrap().is_empty());
    assert_eq!(listed(DeliveryStatus::Parked).await.unwrap()[0].next_attempt_at, Some(NOW));
}

pub(crate) async fn skip_backlog_notes_what_was_jumped(world: &World) {
    let app = world.app("a").await;
    world.publish(&app, 10).await;
    let hook = world.hook(&app, Some(0)).await;
    world.move_cursor(lagging(&hook, 0, 4, 0b100)).await;
    let skip = || HookUpdate {
        status: Some((HookStatus::Active, None)),
        skip_backlog: Some("its owner asked for it".into()),
        ..HookUpdate::default()
    };
    for _ in 0..2 {
        let update = world.store.update_hook(hook.hook_no, skip(), did("hook.enable"), NOW);
        assert_eq!(update.await.unwrap().status, HookStatus::Active);
        assert_eq!(world.positions(&hook).await, [(0, 10, vec![])]);
        assert_eq!(world.backend.pair("SELECT from_seq, to_seq FROM skipped"), (5, 10));
        // The second time there is no backlog, and nothing to note.
        assert_eq!(world.backend.pair("SELECT count(*), 0 FROM skipped"), (1, 0));
    }
    // An outcome of what was jumped arrives late.
    world.move_cursor(lagging(&hook, 0, 6, 0)).await;
    assert_eq!(world.positions(&hook).await, [(0, 10, vec![])]);
}

pub(crate) async fn replay_begins_and_is_cancelled(world: &World) {
    let app = world.app("a").await;
    world.publish(&app, 6).await;
    world.match_until(app.app_no, 6).await;
    let hook = world.hook(&app, None).await;
    let ids = [ReplayId(world.ids.next(NOW)), ReplayId(world.ids.next(NOW))];
    let begin = |id, after, until| {
        world.store.create_replay(hook.hook_no, id, after, until, did("hook.replay"), NOW)
    };
    let place = |row: &CursorRow| (row.cursor_no, row.id, row.settled_seq, row.until_seq);

    let first = begin(ids[0], 2, 5).await.unwrap();
    assert_eq!(place(&first), (1, Some(ids[0]), 2, Some(5)));
    let second = begin(ids[1], 0, 99).await.unwrap();
    assert_eq!(place(&second), (2, Some(ids[1]), 0, Some(6)), "a replay ends where it began");
    assert_eq!(world.store.cursors(hook.hook_no).await.unwrap(), [first, second.clone()]);
    assert_eq!(world.store.settled_seq(app.app_no, hook.hook_no).await.unwrap(), 6);

    world.move_cursor(lagging(&hook, 1, 3, 0)).await;
    world.park(&hook, vec![put(Members::single(3), 1, Some(NOW))]).await;
    let cancel = |id| world.store.cancel_replay(hook.hook_no, id, did("hook.replay.cancel"), NOW);
    assert_eq!(place(&cancel(ids[0]).await.unwrap()), (1, Some(ids[0]), 3, Some(3)));
    assert_eq!(world.store.replay(hook.hook_no, ids[1]).await.unwrap(), second);
    let parked = world.store.next_parked(hook.hook_no, 10).await.unwrap();
    assert_eq!(parked.len(), 1, "what was parked goes on");

    let unknown = ReplayId(world.ids.next(NOW));
    assert!(cancel(unknown).await.is_err_and(|error| error.is_not_found()));
    let other = world.hook(&app, None).await;
    let foreign = world.store.replay(other.hook_no, ids[1]).await;
    assert!(foreign.is_err_and(|error| error.is_not_found()));
}
