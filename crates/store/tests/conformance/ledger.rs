//! What became of each change, as the ledger says it.

use tidings_core::change::{NewChange, Origin, Subject};
use tidings_core::delivery::Members;
use tidings_core::hook::{HookStatus, Selection};
use tidings_core::id::{ChangeId, ReplayId};
use tidings_store::{
    App, CursorWrite, Hook, HookUpdate, LedgerState, NewHook, ParkedWrite, Picks, Settle,
};

use crate::deliveries::attempt;
use crate::support::{NOW, World, did, formats, new_replay, put, selection};

impl World {
    /// The state of each change of the journal at a hook.
    pub(crate) async fn states(&self, hook: &Hook) -> Vec<LedgerState> {
        let page = self.store.ledger(hook.hook_no, 0, u64::MAX, 10_000, &formats()).await.unwrap();
        let seqs: Vec<_> = page.entries.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (1..=page.reached).collect::<Vec<_>>());
        page.entries.iter().map(|entry| entry.state).collect()
    }

    async fn match_and_lag(&self, app: &App, hook: &Hook, settled_seq: u64, delivered: u8) {
        let lagging = CursorWrite::Lagging {
            hook_no: hook.hook_no,
            cursor_no: 0,
            settled_seq,
            delivered: vec![delivered],
            sent: 0,
        };
        let seq = self.store.dispatch_app(app.app_no).await.unwrap().unwrap().seq;
        let (cursors, matched) = (vec![lagging], vec![(app.app_no, seq)]);
        self.settle(Settle { cursors, matched, ..Settle::default() }).await;
    }

    async fn set_status(&self, hook: &Hook, status: HookStatus, skip: Option<&str>) {
        let skip_backlog = skip.map(str::to_owned);
        let update =
            HookUpdate { status: Some((status, None)), skip_backlog, ..HookUpdate::default() };
        self.store.update_hook(hook.hook_no, update, did("hook.update"), NOW).await.unwrap();
    }
}

pub(crate) async fn the_ledger_knows_every_state(world: &World) {
    use LedgerState::{Delivered, Disabled, Exhausted, Filtered, Parked, Pending, Skipped};
    let app = world.app("a").await;
    let hook = NewHook { selection: selection("thing.*"), ..world.new_hook(&app) };
    let hook = world.create_hook(NewHook { after_seq: Some(0), ..hook }).await;
    world.publish(&app, 3).await;
    world.store.publish(app.app_no, vec![world.change("other")], None, NOW).await.unwrap();
    world.publish(&app, 4).await;
    // 1 delivered, 2 parked, 3 given up, 4 not selected, 5 delivered, 6 unsettled, 7 settled above, 8.
    let single = Members::single;
    let attempts = vec![attempt(&hook, single(1), 1, true), attempt(&hook, single(2), 1, false)];
    world.settle(Settle { attempts, ..Settle::default() }).await;
    let due = Some(NOW.plus_ms(5));
    world.park(&hook, vec![put(single(2), 1, due), put(single(3), 9, None)]).await;
    world.match_and_lag(&app, &hook, 5, 0b10).await;
    let states = async || world.states(&hook).await;
    let first = [Delivered, Parked, Exhausted, Filtered, Delivered];
    assert_eq!(states().await, [&first[..], &[Pending, Delivered, Pending]].concat());

    let page = world.store.ledger(hook.hook_no, 0, 3, 10, &formats()).await.unwrap();
    let [one, two, three] = &page.entries[..] else { panic!("three entries") };
    let attempt = one.attempt.unwrap();
    assert_eq!((attempt.n, attempt.started_at), (1, NOW.plus_ms(1)));
    assert_eq!((&one.members, one.next_attempt_at), (&Some(single(1)), None));
    assert_eq!((two.next_attempt_at, two.attempt), (due, None));
    assert_eq!(two.reason.as_deref(), Some("receiver answered 500"));
    assert_eq!((&three.members, three.next_attempt_at), (&Some(single(3)), None));

    world.set_status(&hook, HookStatus::Disabled, None).await;
    assert_eq!(states().await, [&first[..], &[Disabled, Delivered, Disabled]].concat());
    world.set_status(&hook, HookStatus::Active, Some("jumped")).await;
    assert_eq!(states().await, [&first[..], &[Skipped, Delivered, Skipped]].concat());
    let page = world.store.ledger(hook.hook_no, 5, 6, 10, &formats()).await.unwrap();
    assert_eq!(page.entries[0].reason.as_deref(), Some("jumped"));
}

pub(crate) async fn a_ledger_judges_by_the_version_in_force(world: &World) {
    use LedgerState::{Delivered, Filtered};
    let app = world.app("a").await;
    world.publish(&app, 1).await;
    let hook = world.hook(&app, None).await;
    world.publish(&app, 1).await;
    let update = HookUpdate { selection: Some(selection("other.*")), ..HookUpdate::default() };
    world.store.update_hook(hook.hook_no, update, did("hook.update"), NOW).await.unwrap();
    world.publish(&app, 1).await;
    let matched = vec![(app.app_no, 3)];
    world.settle(Settle { matched, ..Settle::default() }).await;
    assert_eq!(world.states(&hook).await, [Filtered, Delivered, Filtered]);
}

pub(crate) async fn an_echo_is_filtered_unless_it_is_asked_for(world: &World) {
    use LedgerState::{Delivered, Filtered};
    let app = world.app("a").await;
    let quiet = world.hook(&app, None).await;
    let selection = Selection { echoes: true, ..selection("*") };
    let all = NewHook { selection, ..world.new_hook(&app) };
    let all = world.create_hook(all).await;
    let subject = || Subject {
        provider: Some("google".into()),
        collection_no: Some(1),
        ..Subject::default()
    };
    let echo = NewChange { subject: subject(), ..world.change("event.updated") };
    let seen = NewChange { origin: Origin::Provider, ..echo.clone() };
    let seen = NewChange { id: ChangeId(world.ids.next(NOW)), ..seen };
    world.store.publish(app.app_no, vec![echo, seen], None, NOW).await.unwrap();
    let matched = vec![(app.app_no, 2)];
    world.settle(Settle { matched, ..Settle::default() }).await;
    assert_eq!(world.states(&quiet).await, [Filtered, Delivered]);
    assert_eq!(world.states(&all).await, [Delivered, Delivered]);
}

pub(crate) async fn the_members_of_a_range_count_once_each(world: &World) {
    use LedgerState::{Delivered, Filtered, Parked};
    let app = world.app("a").await;
    let hook = NewHook { selection: selection("thing.*"), ..world.new_hook(&app) };
    let hook = world.create_hook(hook).await;
    world.publish(&app, 2).await;
    world.store.publish(app.app_no, vec![world.change("other")], None, NOW).await.unwrap();
    world.publish(&app, 2).await;
    let range = |first_seq, last_seq, count| Members {
        group: "type thing.happened".into(),
        first_seq,
        last_seq,
        count,
    };
    let attempts = vec![attempt(&hook, range(1, 2, 2), 1, true)];
    let matched = vec![(app.app_no, 5)];
    world.settle(Settle { attempts, matched, ..Settle::default() }).await;
    world.park(&hook, vec![put(range(2, 4, 2), 1, Some(NOW))]).await;
    // 3 lies in the range, but was not selected; 5 is settled by the cursor alone.
    let expected = [Delivered, Parked, Filtered, Parked, Delivered];
    assert_eq!(world.states(&hook).await, expected);
    // A page that begins within a range knows of it.
    let page = world.store.ledger(hook.hook_no, 3, 4, 10, &formats()).await.unwrap();
    assert_eq!(page.entries[0].members, Some(range(2, 4, 2)));
}

pub(crate) async fn what_is_trimmed_is_gone_and_counts_as_filtered_unless_it_was_summed(
    world: &World,
) {
    let app = world.app("a").await;
    let hook = world.hook(&app, None).await;
    world.publish(&app, 3).await;
    let bounds = world.store.ledger_bounds(hook.hook_no).await.unwrap();
    assert_eq!((bounds.floor_seq, bounds.seq, bounds.trimmed.total()), (0, 3, 0));
    // As retention leaves it.
    world.backend.pair("UPDATE app SET floor_seq = 2 RETURNING 1, 1");
    world.backend.pair(&format!(
        "INSERT INTO ledger_sum (hook_no, outcome, until_seq, count)
         VALUES ({}, 'delivered', 2, 1) RETURNING 1, 1",
        hook.hook_no
    ));
    let bounds = world.store.ledger_bounds(hook.hook_no).await.unwrap();
    let of = |state| bounds.trimmed.of(state);
    assert_eq!((of(LedgerState::Delivered), of(LedgerState::Filtered)), (1, 1));
    let gone = world.store.ledger(hook.hook_no, 1, 3, 10, &formats()).await;
    assert_eq!(gone.err().and_then(|error| error.gone_oldest()), Some(3));
    let kept = world.store.ledger(hook.hook_no, 2, 3, 10, &formats()).await.unwrap();
    assert_eq!(kept.entries.len(), 1);
    world.store.delete_hook(&hook, did("hook.delete"), NOW).await.unwrap();
    let deleted = world.store.ledger_bounds(hook.hook_no).await;
    assert!(deleted.is_err_and(|error| error.is_not_found()));
}

pub(crate) async fn a_replay_takes_what_it_was_asked_for(world: &World) {
    let app = world.app("a").await;
    let account = world.account(&app).await;
    let seq = world.store.dispatch_app(app.app_no).await.unwrap().unwrap().seq;
    assert_eq!(seq, 0, "connecting writes no change here");
    let source = world.hook(&app, None).await;
    let changes = vec![
        world.change_of(&account, "event.created"),
        world.change("thing.happened"),
        world.change("thing.else"),
        world.change("hook.disabled"),
        world.change("event.created"),
    ];
    world.store.publish(app.app_no, changes, None, NOW).await.unwrap();
    let matched = vec![(app.app_no, 5)];
    world.settle(Settle { matched, ..Settle::default() }).await;
    world.park(&source, vec![put(Members::single(3), 9, None)]).await;
    let target = world.hook(&app, None).await;

    let picks = Picks { source: source.hook_no, ..Picks::default() };
    let types = |types: &[&str]| types.iter().map(|&kind| kind.to_owned()).collect();
    for (picks, expected) in [
        (picks.clone(), &[1, 2, 3, 5][..]),
        (Picks { types: types(&["thing.*"]), ..picks.clone() }, &[2, 3]),
        (Picks { types: types(&["thing.else", "event.*"]), ..picks.clone() }, &[1, 3, 5]),
        (Picks { account_no: Some(account.account_no), ..picks.clone() }, &[1]),
        (Picks { states: vec![LedgerState::Exhausted], ..picks.clone() }, &[3]),
        (Picks { states: vec![LedgerState::Delivered], ..picks.clone() }, &[1, 2, 5]),
        (Picks { states: vec![LedgerState::Pending], ..picks.clone() }, &[]),
        // Before it existed, the target selected nothing.
        (Picks { source: target.hook_no, ..Picks::default() }, &[]),
        (Picks { source: 99_999, ..Picks::default() }, &[]),
    ] {
        for bodies in [true, false] {
            let range = (0, 5);
            let formats = formats();
            let pick = world.store.pick(target.hook_no, &picks, range, bodies, &formats);
            let picked = pick.await.unwrap();
            let seqs: Vec<_> = picked.changes.iter().map(|change| change.seq).collect();
            assert_eq!((&seqs[..], picked.reached), (expected, 5), "{picks:?}");
            assert!(picked.changes.iter().all(|change| change.new.body.is_empty() != bodies));
        }
    }
    let id = ReplayId(world.ids.next(NOW));
    let states = vec![LedgerState::Exhausted];
    let picks = Some(Picks { types: types(&["a.*"]), states, ..picks });
    let new = tidings_store::NewReplay { picks: picks.clone(), ..new_replay(id, 0, 5) };
    let made = world.store.create_replay(target.hook_no, new, did("replay.create"), NOW).await;
    assert_eq!(made.unwrap().picks, picks);
    assert_eq!(world.store.replay(target.hook_no, id).await.unwrap().picks, picks);
}

pub(crate) async fn what_a_replay_delivers_is_no_longer_given_up(world: &World) {
    let app = world.app("a").await;
    let hook = world.hook(&app, None).await;
    world.publish(&app, 2).await;
    let matched = vec![(app.app_no, 2)];
    world.settle(Settle { matched, ..Settle::default() }).await;
    let single = Members::single;
    world.park(&hook, vec![put(single(1), 9, None), put(single(2), 9, None)]).await;
    let replayed =
        tidings_store::AttemptRecord { cursor_no: 1, ..attempt(&hook, single(1), 1, true) };
    world.settle(Settle { attempts: vec![replayed], ..Settle::default() }).await;
    let expected = [LedgerState::Delivered, LedgerState::Exhausted];
    assert_eq!(world.states(&hook).await, expected);
    // What a retry delivers has no row any more; what is given up anew has one.
    let members = single(2);
    world.park(&hook, vec![ParkedWrite::Remove { cursor_no: 0, members }]).await;
    assert_eq!(world.states(&hook).await, [LedgerState::Delivered; 2]);
}
