//! Counts for charts, how an app stands, and searching its journal.

use tidings_core::delivery::Members;
use tidings_core::hook::HookStatus;
use tidings_core::limits;
use tidings_core::tally::{Tally, minute_of};
use tidings_store::{AccountStatus, CursorWrite, HookMinute, Settle, Sought};

use crate::support::{NOW, World, put};

/// So many attempts delivered in `ms` and so many failed.
fn tally(delivered: u64, ms: u64, failed: u64) -> Tally {
    let mut tally = Tally::default();
    (0..delivered).for_each(|_| tally.count(true, ms * 1_000));
    (0..failed).for_each(|_| tally.count(false, 1));
    tally
}

fn sum(tallies: &[Tally]) -> Tally {
    let mut sum = Tally::default();
    tallies.iter().for_each(|tally| sum.add(tally));
    sum
}

pub(crate) async fn minutes_add_up_by_hook_and_by_app(world: &World) {
    let minute = minute_of(NOW);
    let (a, b, c) = (tally(3, 7, 1), tally(2, 400, 0), tally(0, 0, 5));
    let of = |app_no, hook_no, minute, tally| HookMinute { app_no, hook_no, minute, tally };
    let first = vec![of(1, 10, minute, a), of(1, 11, minute, b), of(2, 20, minute, c)];
    world.store.add_minutes(first).await.unwrap();
    world.store.add_minutes(vec![of(1, 10, minute, b), of(1, 10, minute + 1, c)]).await.unwrap();
    world.store.add_minutes(Vec::new()).await.unwrap();

    let tallies = async |app_no, hook_no, from, step| {
        world.store.tallies(app_no, hook_no, from, step).await.unwrap()
    };
    assert_eq!(tallies(1, Some(10), minute, 1).await, [(minute, sum(&[a, b])), (minute + 1, c)]);
    assert_eq!(tallies(1, Some(11), minute, 1).await, [(minute, b)]);
    assert_eq!(tallies(1, None, minute, 1).await, [(minute, sum(&[a, b, b])), (minute + 1, c)]);
    assert_eq!(tallies(1, None, minute + 1, 1).await, [(minute + 1, c)]);
    assert_eq!(tallies(1, None, minute, 60).await, [(minute / 60, sum(&[a, b, b, c]))]);
    assert_eq!(tallies(2, None, minute, 1).await, [(minute, c)]);
    assert_eq!(tallies(2, Some(10), minute, 1).await, []);
}

pub(crate) async fn old_minutes_are_forgotten_in_bounded_commits(world: &World) {
    let rows = tidings_core::limits::STATS_COMMIT_ROWS as i64;
    let minute = minute_of(NOW);
    let counted = (0..rows).map(|back| HookMinute {
        app_no: 1,
        hook_no: 1,
        minute: minute - back,
        tally: tally(1, 1, 0),
    });
    world.store.add_minutes(counted.collect()).await.unwrap();
    let mut forgotten = 0;
    loop {
        let more = world.store.forget_minutes(minute).await.unwrap();
        assert!(more <= rows.unsigned_abs());
        forgotten += more;
        if more == 0 {
            break;
        }
    }
    assert_eq!(
        forgotten,
        2 * rows.unsigned_abs() - 2,
        "the app has a row beside each of its hook's"
    );
    let left = world.store.tallies(1, None, 0, 1).await.unwrap();
    assert_eq!(left, [(minute, tally(1, 1, 0))]);
}

pub(crate) async fn what_hooks_owe_and_what_is_in_trouble_is_known(world: &World) {
    let app = world.app("a").await;
    world.publish(&app, 9).await;
    let none = world.store.owed(app.app_no).await.unwrap();
    assert_eq!((none.hooks, none.behind, none.unmatched), ([0; 3], 0, 9));
    assert!(none.oldest_owed_at.is_none() && none.most.is_empty());
    assert!(world.store.hooks_in_trouble(app.app_no).await.unwrap().is_empty());

    let (slow, broken) = (world.hook(&app, None).await, world.hook(&app, None).await);
    let lagging = CursorWrite::Lagging {
        hook_no: slow.hook_no,
        cursor_no: 0,
        settled_seq: 4,
        delivered: Vec::new(),
        sent: 0,
    };
    let settle = Settle {
        cursors: vec![lagging],
        matched: vec![(app.app_no, 9)],
        disabled: vec![(broken.hook_no, "receiver answered 410".into())],
        ..Settle::default()
    };
    world.settle(settle).await;
    let single = Members::single;
    world.park(&slow, vec![put(single(2), 1, Some(NOW)), put(single(3), 9, None)]).await;

    let owed = world.store.owed(app.app_no).await.unwrap();
    assert_eq!((owed.hooks, owed.behind, owed.unmatched), ([1, 0, 1], 5, 0));
    assert_eq!((owed.parked, owed.exhausted), (1, 1));
    assert_eq!(owed.oldest_owed_at, Some(NOW));
    let most: Vec<_> = owed.most.iter().map(|hook| (hook.id, hook.behind, hook.parked)).collect();
    assert_eq!(most, [(slow.id, 5, 1)]);

    let trouble = world.store.hooks_in_trouble(app.app_no).await.unwrap();
    let broken_one = trouble.iter().find(|hook| hook.id == broken.id).unwrap();
    assert_eq!(broken_one.status, HookStatus::Disabled);
    assert_eq!(broken_one.status_reason.as_deref(), Some("receiver answered 410"));
    let slow_one = trouble.iter().find(|hook| hook.id == slow.id).unwrap();
    let (hook_no, members, ..) = slow_one.given_up.as_ref().unwrap();
    assert_eq!((*hook_no, members, trouble.len()), (slow.hook_no, &single(3), 2));
    let other = world.app("b").await;
    assert!(world.store.hooks_in_trouble(other.app_no).await.unwrap().is_empty());
    assert_eq!(world.store.owed(other.app_no).await.unwrap().parked, 0);
}

pub(crate) async fn how_far_accounts_are_synced_is_known(world: &World) {
    let app = world.app("a").await;
    let none = world.store.syncing(app.app_no).await.unwrap();
    assert_eq!((none.active, none.inactive, none.record), (0, 0, 0));
    let account = world.account(&app).await;
    let found = world.store.syncing(app.app_no).await.unwrap();
    assert_eq!((found.active, found.slowest.len(), found.trouble.len()), (1, 1, 0));
    let slowest = &found.slowest[0];
    assert_eq!((slowest.id, slowest.status), (account.id, AccountStatus::Active));
    assert_eq!((slowest.last_sync_at, slowest.created_at), (None, NOW));
}

pub(crate) async fn a_search_goes_back_from_the_newest_and_says_how_far_it_looked(world: &World) {
    let app = world.app("a").await;
    world.publish(&app, 6).await;
    let search = async |before, sought: Sought, limit| {
        let found = world.store.search_changes(app.app_no, before, sought, limit).await.unwrap();
        let seqs: Vec<_> = found.changes.iter().map(|change| change.seq).collect();
        (seqs, found.looked_at, found.down_to.map(|(seq, _)| seq), found.more)
    };
    let all = Sought::default;
    assert_eq!(search(u64::MAX, all(), 4).await, (vec![6, 5, 4, 3], 4, Some(3), true));
    assert_eq!(search(3, all(), 4).await, (vec![2, 1], 2, Some(1), false));
    assert_eq!(search(1, all(), 4).await, (vec![], 0, None, false));
    let change = world.store.change_by_seq(app.app_no, 4).await.unwrap();
    let kind = |kind: &str| Sought { kind: Some(kind.into()), ..all() };
    let (found, looked_at, ..) = search(u64::MAX, kind(&change.new.kind), 9).await;
    assert!(found.contains(&4) && looked_at == 6);
    assert_eq!(search(u64::MAX, kind("nothing.*"), 9).await, (vec![], 6, Some(1), false));
    let body = String::from_utf8(change.new.body.to_vec()).unwrap();
    let text = Sought { text: Some(body.to_uppercase()), ..all() };
    assert!(search(u64::MAX, text, 9).await.0.contains(&4));
    let account = Sought { account_no: Some(1), ..all() };
    assert_eq!(search(u64::MAX, account, 9).await.0, Vec::<u64>::new());
    // Further than is read in one go.
    world.publish(&app, limits::JOURNAL_PAGE).await;
    let all = limits::JOURNAL_PAGE + 6;
    assert_eq!(search(u64::MAX, kind("nothing.*"), 9).await, (vec![], all, Some(1), false));
    let (found, looked_at, down_to, more) = search(u64::MAX, kind("*"), all - 1).await;
    assert_eq!((found.len(), looked_at, down_to, more), (all - 1, all - 1, Some(2), true));
}
