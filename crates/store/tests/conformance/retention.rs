//! What is old goes, and nothing goes in silence.

use tidings_core::change::types;
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::id::ReplayId;
use tidings_core::limits;
use tidings_core::retention::{AppRetention, Retention};
use tidings_store::{
    App, AppUpdate, AttemptRecord, CursorWrite, DeliveryStatus, Gap, Hook, LedgerState, NewHook,
    Settle, Trimmed,
};

use crate::support::{NOW, World, did, formats, new_replay, put, selection, seqs};

const DAY_MS: i64 = 24 * 3600 * 1000;

fn days_ago(days: i64) -> Timestamp {
    NOW.plus_ms(-days * DAY_MS)
}

fn attempt(hook: &Hook, seq: u64, started_at: Timestamp) -> AttemptRecord {
    AttemptRecord {
        hook_no: hook.hook_no,
        cursor_no: 0,
        members: Members::single(seq),
        n: 1,
        delivered: true,
        started_at,
        dns_us: None,
        connect_us: None,
        tls_us: None,
        first_byte_us: None,
        total_us: 1,
        url: "https://receiver.example/hook".into(),
        address: None,
        status: Some(200),
        error: None,
        request_headers: None,
        response_headers: None,
        response_body: None,
    }
}

impl World {
    async fn publish_at(&self, app: &App, count: usize, at: Timestamp) {
        for part in 0..count.div_ceil(limits::PUBLISH_BATCH_MAX) {
            let left = count - part * limits::PUBLISH_BATCH_MAX;
            let changes = 0..left.min(limits::PUBLISH_BATCH_MAX);
            let changes = changes.map(|_| self.change("thing.happened")).collect();
            self.store.publish(app.app_no, changes, None, at).await.unwrap();
        }
    }

    async fn matched(&self, app: &App, seq: u64) {
        self.settle(Settle { matched: vec![(app.app_no, seq)], ..Settle::default() }).await;
    }

    async fn goal(&self, app: &App, keep: Retention) -> Option<u64> {
        self.store.trim_goal(app.app_no, keep, NOW).await.unwrap()
    }

    async fn trim(&self, app: &App, goal: u64) -> Trimmed {
        self.store.trim(app.app_no, goal, &formats()).await.unwrap()
    }

    async fn pass_over(&self, hook: &Hook, goal: u64) -> Option<Gap> {
        let told = self.change(types::HOOK_GAP);
        let passed = self.store.pass_over(hook.hook_no, goal, &formats(), NOW, |_| told).await;
        passed.unwrap()
    }

    /// How many of the trimmed changes are in each of some states, and how many there are in all.
    async fn trimmed(&self, hook: &Hook, states: [LedgerState; 4]) -> ([u64; 4], u64) {
        let trimmed = self.store.ledger_bounds(hook.hook_no).await.unwrap().trimmed;
        (states.map(|state| trimmed.of(state)), trimmed.total())
    }

    fn weight(&self) -> (i64, i64) {
        self.backend.pair(
            "SELECT a.journal_bytes, (SELECT coalesce(sum(length(body)), 0) FROM change_body) FROM app a",
        )
    }
}

const STATES: [LedgerState; 4] =
    [LedgerState::Delivered, LedgerState::Filtered, LedgerState::Skipped, LedgerState::Exhausted];

pub(crate) async fn old_changes_go_in_bounded_commits_and_seq_stays_gapless(world: &World) {
    let app = world.app("a").await;
    let [all, none] = [
        world.hook(&app, None).await,
        world.create_hook(NewHook { selection: selection("other"), ..world.new_hook(&app) }).await,
    ];
    world.publish_at(&app, 1_200, days_ago(40)).await;
    world.publish_at(&app, 3, days_ago(1)).await;
    let keep = Retention::default();
    assert_eq!(world.goal(&app, keep).await, None, "nobody was matched with them");
    world.matched(&app, 700).await;
    assert_eq!(world.goal(&app, keep).await, Some(700));
    world.matched(&app, 1_203).await;
    assert_eq!(world.goal(&app, keep).await, Some(1_200));
    let later = world.hook(&app, None).await;

    let floor = || world.backend.pair("SELECT floor_seq, count(*) FROM app, change GROUP BY 1");
    for (trimmed, floor_seq) in [
        (Trimmed::More, 500),
        (Trimmed::More, 1_000),
        (Trimmed::Done, 1_200),
        (Trimmed::Done, 1_200),
    ] {
        assert_eq!(world.trim(&app, 1_200).await, trimmed);
        assert_eq!(floor(), (floor_seq, 1_203 - floor_seq));
        let (kept, bodies) = world.weight();
        assert_eq!(kept, bodies, "the journal's weight");
    }
    assert_eq!(world.goal(&app, keep).await, None, "the rest is young");
    let kept = world.store.changes(app.app_no, 1_200, 10).await.unwrap();
    assert_eq!(seqs(&kept), [1_201, 1_202, 1_203]);
    let gone = world.store.changes(app.app_no, 1_199, 10).await;
    assert_eq!(gone.err().and_then(|error| error.gone_oldest()), Some(1_201));
    world.publish_at(&app, 1, NOW).await;
    assert_eq!(world.store.changes(app.app_no, 1_203, 10).await.unwrap()[0].seq, 1_204);
    for (hook, expected) in
        [(all, [1_200, 0, 0, 0]), (none, [0, 1_200, 0, 0]), (later, [0, 1_200, 0, 0])]
    {
        assert_eq!(world.trimmed(&hook, STATES).await, (expected, 1_200));
    }
}

pub(crate) async fn a_hook_that_lags_is_passed_over_visibly(world: &World) {
    let app = world.app("a").await;
    world.publish_at(&app, 8, days_ago(40)).await;
    let hook = world.hook(&app, Some(0)).await;
    let versions = "UPDATE hook_version SET from_seq = 1 RETURNING 1, 1";
    world.backend.pair(versions);
    world.matched(&app, 8).await;
    // 1 was given up, 2 waits for its retry, 3 is next, 4 and 7 were delivered.
    let cursor = CursorWrite::Lagging {
        hook_no: hook.hook_no,
        cursor_no: 0,
        settled_seq: 2,
        delivered: vec![0b1_0010],
        sent: 0,
    };
    world.settle(Settle { cursors: vec![cursor], ..Settle::default() }).await;
    let due = Some(NOW.plus_ms(1));
    world
        .park(&hook, vec![put(Members::single(1), 9, None), put(Members::single(2), 1, due)])
        .await;
    let replay = ReplayId(world.ids.next(NOW));
    let new = new_replay(replay, 0, 8);
    world.store.create_replay(hook.hook_no, new, did("hook.replay"), NOW).await.unwrap();

    assert_eq!(world.trim(&app, 6).await, Trimmed::Held);
    assert_eq!(seqs(&world.journal(&app).await), (1..=8).collect::<Vec<_>>(), "nothing went");
    assert_eq!(world.store.hook_behind(app.app_no, 6).await.unwrap(), Some(hook.hook_no));
    let gap = world.pass_over(&hook, 6).await.unwrap();
    assert_eq!((gap.from_seq, gap.to_seq, gap.changes), (1, 6, Some(3)));
    assert_eq!((gap.exhausted, &gap.replays[..], gap.hook), (1, &[replay][..], hook.id));
    assert_eq!(world.journal(&app).await.pop().unwrap().new.kind, types::HOOK_GAP);
    assert_eq!(world.store.hook_behind(app.app_no, 6).await.unwrap(), None);
    assert_eq!(world.pass_over(&hook, 6).await, None, "it is told once");
    assert_eq!(world.store.changes(app.app_no, 8, 10).await.unwrap().len(), 1);
    let cursors = world.store.cursors(hook.hook_no).await.unwrap();
    let places: Vec<_> =
        cursors.iter().map(|row| (row.settled_seq, row.delivered.clone())).collect();
    assert_eq!(places, [(6, vec![0b1]), (6, vec![])], "7 stays delivered");

    let ledger = world.store.ledger(hook.hook_no, 0, 8, 10, &formats()).await.unwrap();
    let states: Vec<_> = ledger.entries.iter().map(|entry| entry.state.as_str()).collect();
    let (skipped, exhausted) = ("skipped", "exhausted");
    let expected =
        [exhausted, exhausted, skipped, "delivered", skipped, skipped, "delivered", "pending"];
    assert_eq!(states, expected);
    assert_eq!(ledger.entries[4].reason.as_deref(), Some("gap"));

    assert_eq!(world.trim(&app, 6).await, Trimmed::Done);
    assert_eq!(world.trimmed(&hook, STATES).await, ([1, 0, 3, 2], 6));
    let listed =
        world.store.deliveries(hook.hook_no, Some(DeliveryStatus::Exhausted), u64::MAX, 10);
    assert!(listed.await.unwrap().is_empty(), "what was given up goes with its change");
    assert_eq!(world.backend.pair("SELECT count(*), 0 FROM skipped"), (0, 0));
    let rest = world.store.ledger(hook.hook_no, 6, 8, 10, &formats()).await.unwrap();
    assert_eq!(rest.entries.len(), 2);
}

pub(crate) async fn a_range_stays_until_its_last_change_goes(world: &World) {
    let app = world.app("a").await;
    world.publish_at(&app, 6, days_ago(40)).await;
    let hook = world.hook(&app, None).await;
    world.backend.pair("UPDATE hook_version SET from_seq = 1 RETURNING 1, 1");
    world.matched(&app, 6).await;
    let group = Members { first_seq: 2, last_seq: 4, count: 3, group: "all".into() };
    world.park(&hook, vec![put(group, 1, Some(NOW))]).await;
    assert_eq!(world.trim(&app, 3).await, Trimmed::Held);
    let gap = world.pass_over(&hook, 3).await.unwrap();
    assert_eq!((gap.from_seq, gap.to_seq, gap.changes, gap.exhausted), (2, 3, Some(0), 1));
    assert_eq!(world.trim(&app, 3).await, Trimmed::Done);
    assert_eq!(world.backend.pair("SELECT count(*), 0 FROM parked"), (1, 0));
    assert_eq!(world.trim(&app, 4).await, Trimmed::Done);
    assert_eq!(world.backend.pair("SELECT count(*), 0 FROM parked"), (0, 0));
    assert_eq!(world.trimmed(&hook, STATES).await.1, 4);
}

pub(crate) async fn a_journal_that_is_too_large_is_trimmed_before_its_time(world: &World) {
    let app = world.app("a").await;
    world.publish_at(&app, 100, days_ago(3)).await;
    world.publish_at(&app, 100, NOW).await;
    world.matched(&app, 200).await;
    let (bodies, _) = world.weight();
    let one = bodies.unsigned_abs() / 200 + limits::CHANGE_BYTES;
    let sized = |changes| Retention { journal_bytes: Some(changes * one), ..Retention::default() };
    for (changes, expected) in [(201, None), (200, None), (190, Some(29)), (50, Some(100))] {
        assert_eq!(world.goal(&app, sized(changes)).await, expected, "{changes}");
    }
}

pub(crate) async fn attempts_go_by_their_own_age(world: &World) {
    let apps = [world.app("usual").await, world.app("long").await];
    let long = AppRetention { attempt_days: Some(100), ..AppRetention::default() };
    let update = AppUpdate { retention: Some(long), ..AppUpdate::default() };
    let app = world.store.update_app(apps[1].app_no, update, NOW, did("app.update")).await.unwrap();
    assert_eq!(app.retention, long);
    assert_eq!(world.store.app_retention(app.app_no).await.unwrap(), long);
    let hooks = [world.hook(&apps[0], None).await, world.hook(&apps[1], None).await];
    for (seq, age) in [(1, 200), (2, 50), (3, 15), (4, 13), (5, 0)] {
        let attempts = hooks.iter().map(|hook| attempt(hook, seq, days_ago(age))).collect();
        world.settle(Settle { attempts, ..Settle::default() }).await;
    }
    let mut after = 0;
    while let Some(next) =
        world.store.forget_attempts(after, Retention::default(), NOW).await.unwrap()
    {
        assert!(next > after, "no end");
        after = next;
    }
    for (hook, expected) in [(&hooks[0], &[5, 4][..]), (&hooks[1], &[5, 4, 3, 2])] {
        let left = world.store.deliveries(hook.hook_no, None, u64::MAX, 10).await.unwrap();
        let left: Vec<_> = left.iter().map(|row| row.members.first_seq).collect();
        assert_eq!(left, expected);
    }
}

pub(crate) async fn the_journal_of_a_deleted_app_goes_too(world: &World) {
    let app = world.app("a").await;
    world.publish_at(&app, 3, days_ago(40)).await;
    let kept = |rows: Vec<tidings_store::KeptApp>| rows.len();
    assert_eq!(kept(world.store.kept_apps(0, 10).await.unwrap()), 1);
    world.store.delete_app(app.app_no, NOW, did("app.delete")).await.unwrap();
    assert_eq!(world.goal(&app, Retention::default()).await, Some(3));
    assert_eq!(world.trim(&app, 3).await, Trimmed::Done);
    assert_eq!(kept(world.store.kept_apps(0, 10).await.unwrap()), 0);
}
