//! The journal: gapless, in order, durable before it is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidings_core::change::NewChange;
use tidings_core::limits;
use tidings_store::{Committed, Idempotency, Settle, Store};
use tokio::sync::broadcast::error::TryRecvError;
use tokio::task::JoinSet;

use crate::support::{NOW, World, seqs};

/// Publishers at work at once, and what each publishes.
const PUBLISHERS: usize = 32;
const REQUESTS: usize = 20;

pub(crate) async fn seq_is_gapless_and_visible_in_order(world: &World) {
    let apps = [world.app("a").await, world.app("b").await];
    let expected = (PUBLISHERS / apps.len() * REQUESTS) as u64;
    let followers =
        apps.each_ref().map(|app| tokio::spawn(follow(world.store.clone(), app.app_no, expected)));
    let mut publishers = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let (store, app_no) = (world.store.clone(), apps[publisher % apps.len()].app_no);
        let changes: Vec<_> = (0..REQUESTS).map(|_| world.change("thing.happened")).collect();
        publishers.spawn(async move {
            for change in changes {
                store.publish(app_no, vec![change], None, NOW).await.unwrap();
            }
        });
    }
    while let Some(done) = publishers.join_next().await {
        done.unwrap();
    }
    for follower in followers {
        let seen = follower.await.unwrap();
        assert_eq!(seen, (1..=expected).collect::<Vec<_>>(), "a follower skipped a change");
    }
    for app in apps {
        assert_eq!(world.store.app(app.app_no).await.unwrap().unwrap().seq, expected);
    }
}

pub(crate) async fn numbers_follow_commits_on_several_apps_whoever_appends(world: &World) {
    let apps = [world.app("a").await, world.app("b").await, world.app("c").await];
    let mut committed = world.store.committed();
    let mut publishers = JoinSet::new();
    for publisher in 0..24_u8 {
        let (store, app_no) = (world.store.clone(), apps[usize::from(publisher) % 3].app_no);
        let requests: Vec<Vec<_>> = (1..=10)
            .map(|count| (0..count % 3 + 1).map(|_| world.change("thing.happened")).collect())
            .collect();
        publishers.spawn(publish_each(store, app_no, publisher, requests));
    }
    publishers.join_all().await;
    let mut announced: BTreeMap<i64, Vec<_>> = BTreeMap::new();
    while let Ok(Committed::Appended(appended)) = committed.try_recv() {
        let ids = appended.changes.iter().map(|change| (change.seq, change.new.id));
        announced.entry(appended.app_no).or_default().extend(ids);
    }
    for app in &apps {
        let journal = world.journal(app).await;
        let ids: Vec<_> = journal.iter().map(|change| (change.seq, change.new.id)).collect();
        assert_eq!(seqs(&journal), (1..=8 * 20).collect::<Vec<_>>());
        assert_eq!(announced[&app.app_no], ids, "announced in another order than numbered");
    }
}

/// Publishes one request after another, every other with a key: plain ones are merged, those with a key
/// are jobs of their own. Each gets the receipt of its own changes.
async fn publish_each(store: Store, app_no: i64, publisher: u8, requests: Vec<Vec<NewChange>>) {
    let mut last = 0;
    for (request, changes) in (0_u8..).zip(requests) {
        let ids: Vec<_> = changes.iter().map(|change| change.id).collect();
        let mut key_hash = [publisher; 32];
        key_hash[0] = request;
        let once = Idempotency { key_hash, request_hash: [0; 32] };
        let once = (request % 2 == 0).then_some(once);
        let published = store.publish(app_no, changes, once, NOW).await.unwrap();
        let receipt = &published.appended.changes;
        assert_eq!(receipt.iter().map(|change| change.new.id).collect::<Vec<_>>(), ids);
        let seqs = seqs(receipt);
        assert!(seqs[0] > last && seqs.windows(2).all(|pair| pair[1] == pair[0] + 1));
        last = *seqs.last().unwrap();
    }
}

/// Reads an app's journal by cursor while it grows, until it has seen change `end`.
async fn follow(store: Store, app_no: i64, end: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.last().is_none_or(|last| *last < end) {
        let after = seen.last().copied().unwrap_or(0);
        seen.extend(seqs(&store.changes(app_no, after, 7).await.unwrap()));
    }
    seen
}

pub(crate) async fn a_failed_job_rolls_back_alone(world: &World) {
    let app = world.app("a").await;
    let taken = world.change("thing.happened");
    world.store.publish(app.app_no, vec![taken.clone()], None, NOW).await.unwrap();
    let mut jobs = JoinSet::new();
    for n in 0..100 {
        let mut changes = vec![world.change("thing.happened"), world.change("thing.happened")];
        if n % 10 == 3 {
            changes[1] = taken.clone();
        }
        let (store, app_no) = (world.store.clone(), app.app_no);
        jobs.spawn(async move {
            let ids = [changes[0].id, changes[1].id];
            (n % 10 == 3, ids, store.publish(app_no, changes, None, NOW).await)
        });
    }
    let mut standing = vec![taken.id];
    for (bad, ids, done) in jobs.join_all().await {
        match done {
            Ok(_) => {
                assert!(!bad, "the same id was taken twice");
                standing.extend(ids);
            }
            Err(error) => assert!(bad && error.is_conflict(), "{error}"),
        }
    }
    assert_eq!(standing.len(), 181);
    let journal = world.journal(&app).await;
    assert_eq!(seqs(&journal), (1..=181).collect::<Vec<_>>());
    let mut ids: Vec<_> = journal.iter().map(|change| change.new.id).collect();
    ids.sort();
    standing.sort();
    assert_eq!(ids, standing);
}

pub(crate) async fn a_commit_is_announced_in_order_after_it_is_durable(world: &World) {
    let app = world.app("a").await;
    let mut committed = world.store.committed();
    let publishing = {
        let (store, app_no) = (world.store.clone(), app.app_no);
        let requests: Vec<Vec<_>> =
            (0..50).map(|_| (0..3).map(|_| world.change("thing.happened")).collect()).collect();
        async move {
            let mut jobs = JoinSet::new();
            for changes in requests {
                let store = store.clone();
                jobs.spawn(async move { store.publish(app_no, changes, None, NOW).await.unwrap() });
            }
            jobs.join_all().await;
        }
    };
    let publishing = tokio::spawn(publishing);
    let mut announced = Vec::new();
    while announced.len() < 150 {
        let Committed::Appended(appended) = committed.recv().await.unwrap() else {
            panic!("publishing announces what was appended, nothing else");
        };
        let last = appended.changes.last().unwrap().seq;
        let readable = world.store.change_by_seq(app.app_no, last).await;
        assert!(readable.is_ok(), "change {last} was announced before it could be read");
        announced.extend(seqs(&appended.changes));
    }
    publishing.await.unwrap();
    assert_eq!(announced, (1..=150).collect::<Vec<_>>());

    // What fails after it had something to announce, announces nothing.
    let hook = world.hook(&app, None).await;
    assert!(matches!(committed.recv().await, Ok(Committed::Hook(no)) if no == hook.hook_no));
    let taken = world.journal(&app).await.swap_remove(0).new;
    let disabled = vec![(hook.hook_no, "it is gone".into())];
    let changes = vec![(app.app_no, taken)];
    let settle = Settle { disabled, changes, ..Settle::default() };
    let failed = world.store.settle(Arc::new(settle), NOW).await;
    assert!(failed.is_err_and(|error| error.is_conflict()));
    assert_eq!(committed.try_recv().err(), Some(TryRecvError::Empty), "a failure was announced");
}

pub(crate) async fn many_publishers_share_commits(world: &World) {
    let app = world.app("a").await;
    let before = world.store.commits();
    let mut jobs = JoinSet::new();
    // One large request keeps the writer busy while the others arrive.
    let large = (0..limits::PUBLISH_BATCH_MAX).map(|_| world.change("thing.happened")).collect();
    let singles = (0..500).map(|_| vec![world.change("thing.happened")]);
    for changes in std::iter::once(large).chain(singles) {
        let (store, app_no) = (world.store.clone(), app.app_no);
        jobs.spawn(async move { store.publish(app_no, changes, None, NOW).await.unwrap() });
    }
    jobs.join_all().await;
    let commits = world.store.commits() - before;
    assert!((1..=100).contains(&commits), "500 publishes and a large one took {commits} commits");
}

pub(crate) async fn a_time_finds_its_place_in_the_journal(world: &World) {
    let app = world.app("a").await;
    let last_before = |ms| world.store.last_seq_before(app.app_no, NOW.plus_ms(ms));
    assert_eq!(last_before(0).await.unwrap(), 0);
    for ms in [10, 20, 20, 30] {
        let change = vec![world.change("thing.happened")];
        world.store.publish(app.app_no, change, None, NOW.plus_ms(ms)).await.unwrap();
    }
    for (ms, expected) in [(10, 0), (11, 1), (20, 1), (21, 3), (30, 3), (31, 4)] {
        assert_eq!(last_before(ms).await.unwrap(), expected, "before {ms}");
    }
    assert!(world.store.last_seq_before(99, NOW).await.is_err_and(|error| error.is_not_found()));
}

pub(crate) async fn no_character_keeps_a_change_out(world: &World) {
    let app = world.app("a").await;
    let mut change = world.change("thing.happened");
    change.subject.item = Some("begin \0 \u{1f600} '\"\\ end".into());
    world.store.publish(app.app_no, vec![change], None, NOW).await.unwrap();
    let stored = world.journal(&app).await.swap_remove(0).new.subject.item.unwrap();
    assert!(stored.starts_with("begin ") && stored.ends_with(" \u{1f600} '\"\\ end"), "{stored}");
}
