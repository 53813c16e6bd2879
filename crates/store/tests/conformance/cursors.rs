//! How far hooks are settled, and their deliveries in trouble.

use tidings_core::delivery::Members;
use tidings_core::hook::HookStatus;
use tidings_core::id::ReplayId;
use tidings_store::{
    Committed, CursorRow, CursorWrite, DeliveryStatus, Hook, HookUpdate, NewReplay, ParkedWrite,
    Settle,
};

use crate::support::{NOW, World, did, new_replay, put};

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
        sent: settled_seq,
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

pub(crate) async fn what_was_parked_after_now_is_due_at_once(world: &World) {
    let app = world.app("a").await;
    world.publish(&app, 3).await;
    let hook = world.hook(&app, None).await;
    let later = Some(NOW.plus_ms(60_000));
    world
        .park(&hook, vec![put(Members::single(1), 2, later), put(Members::single(2), 9, None)])
        .await;
    let due = async || {
        let rows = world.store.next_parked(hook.hook_no, 10).await.unwrap();
        rows.iter().map(|row| (row.members.first_seq, row.attempts, row.due_at)).collect::<Vec<_>>()
    };
    world.store.unpark_the_future(NOW).await.unwrap();
    assert_eq!(due().await, [(1, 2, later)], "parked now, not later");
    let before = NOW.plus_ms(-3_600_000);
    world.store.unpark_the_future(before).await.unwrap();
    assert_eq!(due().await, [(1, 2, Some(before))], "and what was given up stays so");
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
    world.store.resend(app.app_no, hook.hook_no, members, None, audit, NOW).await.unwrap();
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
        // 7 was settled above the cursor.
        let skipped = |which| format!("SELECT {which}(from_seq), {which}(to_seq) FROM skipped");
        assert_eq!(world.backend.pair(&skipped("min")), (5, 6));
        assert_eq!(world.backend.pair(&skipped("max")), (8, 10));
        // The second time there is no backlog, and nothing to note.
        assert_eq!(world.backend.pair("SELECT count(*), 0 FROM skipped"), (2, 0));
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
        let new = NewReplay { rate: Some(7), total: Some(3), ..new_replay(id, after, until) };
        world.store.create_replay(hook.hook_no, new, did("hook.replay"), NOW)
    };
    let place = |row: &CursorRow| (row.cursor_no, row.id, row.settled_seq, row.until_seq);

    let first = begin(ids[0], 2, 5).await.unwrap();
    assert_eq!(place(&first), (1, Some(ids[0]), 2, Some(5)));
    let second = begin(ids[1], 0, 99).await.unwrap();
    assert_eq!(place(&second), (2, Some(ids[1]), 0, Some(6)), "a replay ends where it began");
    assert_eq!(world.store.cursors(hook.hook_no).await.unwrap(), [first, second.clone()]);
    assert_eq!(world.store.settled_seq(app.app_no, hook.hook_no).await.unwrap(), 6);

    world.move_cursor(lagging(&hook, 1, 3, 0)).await;
    let moved = world.store.replay(hook.hook_no, ids[0]).await.unwrap();
    assert_eq!((moved.sent, moved.rate, moved.total), (3, Some(7), Some(3)));
    assert!(!moved.is_over());
    world.park(&hook, vec![put(Members::single(3), 1, Some(NOW))]).await;
    let cancel = |id| world.store.cancel_replay(hook.hook_no, id, did("hook.replay.cancel"), NOW);
    let cancelled = cancel(ids[0]).await.unwrap();
    assert_eq!(place(&cancelled), (1, Some(ids[0]), 3, Some(5)));
    assert_eq!((cancelled.cancelled_at, cancelled.is_over()), (Some(NOW), true));
    assert_eq!(world.store.replay(hook.hook_no, ids[1]).await.unwrap(), second);
    let parked = world.store.next_parked(hook.hook_no, 10).await.unwrap();
    assert_eq!(parked.len(), 1, "what was parked goes on");

    let unknown = ReplayId(world.ids.next(NOW));
    assert!(cancel(unknown).await.is_err_and(|error| error.is_not_found()));
    let other = world.hook(&app, None).await;
    let foreign = world.store.replay(other.hook_no, ids[1]).await;
    assert!(foreign.is_err_and(|error| error.is_not_found()));
}

pub(crate) async fn what_follows_an_order_is_read_apart(world: &World) {
    let app = world.app("a").await;
    let hook = world.hook(&app, None).await;
    let quiet = world.hook(&app, None).await;
    let keyed = |seq, attempts, due_at, waits| {
        let (members, reason) = (Members::single(seq), "for the test".into());
        let key_hash = Some(-7);
        ParkedWrite::Put { cursor_no: 0, members, attempts, due_at, reason, key_hash, waits }
    };
    assert_eq!(world.store.hooks_with_parked().await.unwrap(), [0; 0]);
    let writes = vec![
        put(Members::single(1), 1, Some(NOW)),
        keyed(2, 1, Some(NOW), false),
        keyed(3, 0, Some(NOW), true),
        keyed(4, 3, None, false),
    ];
    world.park(&hook, writes).await;
    world.park(&quiet, vec![put(Members::single(9), 1, None)]).await;
    assert_eq!(world.store.hooks_with_parked().await.unwrap(), [hook.hook_no]);
    let seqs = |rows: Vec<tidings_store::ParkedRow>| -> Vec<_> {
        rows.iter().map(|row| (row.members.first_seq, row.key_hash, row.waits)).collect()
    };
    let free = world.store.next_parked(hook.hook_no, 10).await.unwrap();
    assert_eq!(seqs(free), [(1, None, false)]);
    let blocked = world.store.blocked(hook.hook_no).await.unwrap();
    assert_eq!(seqs(blocked), [(2, Some(-7), false), (3, Some(-7), true)]);

    // What was given up or delivered takes its place in the order of the key it has now; what waits keeps
    // the place it has.
    for (seq, key) in [(4, Some(5)), (6, Some(5)), (2, Some(5)), (3, None)] {
        let (members, audit) = (Members::single(seq), did("resend"));
        world.store.resend(app.app_no, hook.hook_no, members, key, audit, NOW).await.unwrap();
    }
    let mut blocked = seqs(world.store.blocked(hook.hook_no).await.unwrap());
    blocked.sort_unstable();
    let keys: Vec<_> = blocked.iter().map(|(seq, key, _)| (*seq, *key)).collect();
    assert_eq!(keys, [(2, Some(-7)), (3, Some(-7)), (4, Some(5)), (6, Some(5))]);
    assert!(blocked.iter().all(|(_, _, waits)| !waits), "asked for, it waits for nothing else");
}

pub(crate) async fn a_settle_enables_and_remembers_what_was_told(world: &World) {
    let app = world.app("a").await;
    let hooks = [world.hook(&app, None).await, world.hook(&app, None).await];
    let paused = (HookStatus::Paused, None);
    let pause = HookUpdate { status: Some(paused), ..HookUpdate::default() };
    world.store.update_hook(hooks[1].hook_no, pause, did("pause"), NOW).await.unwrap();
    let failed = |hook: &Hook, in_a_row| tidings_store::HookCount {
        hook_no: hook.hook_no,
        runs: 2,
        failures: 2,
        failures_in_a_row: in_a_row,
        succeeded: false,
    };
    let disabled = vec![(hooks[0].hook_no, "for the test".to_owned())];
    let counts = vec![failed(&hooks[0], 2)];
    let failing_told = vec![(hooks[0].hook_no, true)];
    world.settle(Settle { disabled, counts, failing_told, ..Settle::default() }).await;
    // Failures of our own count as attempts, and leave alone since when the receiver fails.
    world.settle(Settle { counts: vec![failed(&hooks[0], 0)], ..Settle::default() }).await;
    let hook = world.store.hook_by_no(hooks[0].hook_no).await.unwrap().unwrap();
    assert_eq!(
        (hook.status, hook.failures, hook.consecutive_failures),
        (HookStatus::Disabled, 4, 2)
    );
    assert_eq!((hook.failing_told, hook.failing_since), (true, Some(NOW)));

    let enabled = hooks.iter().map(|hook| hook.hook_no).collect();
    let failing_told = vec![(hooks[0].hook_no, false)];
    world.settle(Settle { enabled, failing_told, ..Settle::default() }).await;
    let hook = world.store.hook_by_no(hooks[0].hook_no).await.unwrap().unwrap();
    assert_eq!(
        (hook.status, hook.status_reason, hook.failing_told),
        (HookStatus::Active, None, false)
    );
    assert_eq!((hook.consecutive_failures, hook.failing_since), (0, None));
    let paused = world.store.hook_by_no(hooks[1].hook_no).await.unwrap().unwrap();
    assert_eq!(paused.status, HookStatus::Paused, "only a disabled hook is enabled");
}
