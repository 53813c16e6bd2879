//! Bulk jobs: staged unseen, shown at once.

use tidings_core::limits;
use tidings_store::{RecordOrder, RecordPut, RecordQuery, Staged};

use crate::records::{LATER, all_records, delete, record, row, set};
use crate::support::{NOW, World, did};

pub(crate) async fn a_bulk_job_is_seen_all_at_once(world: &World) {
    let app = world.app("a").await;
    let account = world.record_account(&app).await;
    world.write(&account, vec![set("a", "1"), set("b", "1"), delete("b")]).await;
    let before = world.all(&account).await;

    let open = world.begin(&account).await;
    let puts = ["a 1", "b 2", "c 1", "c 2", "c 2"].map(|put| record(&put[..1], &put[2..]));
    let staged = world.stage(open, puts.to_vec()).await.unwrap();
    let expected = [
        (1, Staged::Same),
        (2, Staged::Created),
        (3, Staged::Created),
        (3, Staged::Updated),
        (3, Staged::Same),
    ];
    assert_eq!(staged, expected);
    assert_eq!(world.all(&account).await, before, "what is staged is not seen");
    assert_eq!(world.store.record_counts(account.account_no).await.unwrap()["things"], 2);
    assert!(world.journal(&app).await.is_empty());

    let total = world.flip(open, vec![world.told("records.refreshed")]).await.unwrap();
    assert_eq!(total, 3);
    let after = [row(1, "a", "1"), row(2, "b", "2"), row(3, "c", "2")];
    assert_eq!(world.all(&account).await, after);
    assert_eq!(world.journal(&app).await.len(), 1);

    assert_eq!(world.store.unswept_accounts().await.unwrap(), [account.account_no]);
    assert_eq!(world.record_rows(), 4);
    world.store.sweep_records(account.account_no).await.unwrap();
    assert_eq!(world.record_rows(), 3);
    assert!(world.store.unswept_accounts().await.unwrap().is_empty());
    assert_eq!(world.all(&account).await, after);
    let again = world.flip(open, Vec::new()).await;
    assert!(again.is_err_and(|error| error.is_conflict()), "a job ends once");
}

pub(crate) async fn what_a_job_wrote_is_modified_when_it_is_shown(world: &World) {
    let app = world.app("a").await;
    let account = world.record_account(&app).await;
    let at = |ms| NOW.plus_ms(ms);
    let keys = async |since: i64, order| {
        let mut keys = String::new();
        // One at a time, as a reader with pages.
        for skip in 0.. {
            let modified_since = Some(at(since));
            let query = RecordQuery { order, modified_since, limit: 1, skip, ..all_records() };
            let [record] = &world.query(&account, query).await[..] else { break };
            assert!(record.modified_at >= at(since), "{record:?}");
            keys.push_str(&record.key);
        }
        keys
    };
    let modified = async |since| keys(since, RecordOrder::Modified).await;
    world.write_at(&account, vec![set("a", "1"), set("b", "1")], at(0)).await.unwrap();
    let open = world.begin(&account).await;
    let ids = || world.ids.clone();
    let puts = vec![record("b", "2"), record("c", "1"), record("d", "1")];
    world.store.stage_records(open, puts, ids(), at(10)).await.unwrap();
    world.write_at(&account, vec![set("d", "mine"), set("e", "1")], at(20)).await.unwrap();
    assert_eq!(modified(5).await, "de", "what is staged is not seen");
    let flip =
        |open, ms| world.store.finish_refresh(open, |_| ((), Vec::new()), did("refresh"), at(ms));
    flip(open, 30).await.unwrap();
    // A reader that asked at 25 misses nothing that was staged before.
    assert_eq!(modified(25).await, "bc");
    assert_eq!(modified(0).await, "adebc", "in the order in which they were shown");
    let again = world.begin(&account).await;
    world.store.stage_records(again, vec![record("a", "2")], ids(), at(35)).await.unwrap();
    let gone = vec!["c".to_owned()];
    world.store.stage_deletions(again, "things".into(), gone, ids(), at(36)).await.unwrap();
    // The clock went back meanwhile: what is shown later is not modified earlier.
    flip(again, 27).await.unwrap();
    for swept in [false, true] {
        assert_eq!(modified(30).await, "bac", "swept: {swept}");
        assert_eq!(modified(0).await, "debac", "swept: {swept}");
        world.store.sweep_records(account.account_no).await.unwrap();
    }
    world.write_at(&account, vec![set("b", "3")], at(40)).await.unwrap();
    assert_eq!(modified(30).await, "acb");
    assert_eq!(modified(31).await, "acb", "the later job is shown later, whatever the clock said");
    assert_eq!(modified(32).await, "b", "written one by one, it has a time of its own");
    let query = RecordQuery { modified_since: Some(at(30)), ..all_records() };
    let by_ordinal = world.query(&account, query).await;
    assert_eq!(by_ordinal.iter().map(|one| one.ordinal).collect::<Vec<_>>(), [1, 2, 3]);
}

pub(crate) async fn many_are_staged_with_keys_that_come_twice(world: &World) {
    let app = world.app("a").await;
    let account = world.record_account(&app).await;
    world.write(&account, vec![set("k0", "old"), set("k1", "old"), delete("k1")]).await;
    let open = world.begin(&account).await;
    let number = limits::RECORD_COMMIT_ROWS / 2;
    let elsewhere = |put: RecordPut| RecordPut { collection: "others".into(), ..put };
    let puts = (0..limits::RECORD_COMMIT_ROWS).map(|n| {
        let put = record(&format!("k{}", n % number), &format!("{}", n / number));
        if n % 2 == 0 { put } else { elsewhere(put) }
    });
    let staged = world.stage(open, puts.collect()).await.unwrap();
    let first: Vec<_> = staged[..4].to_vec();
    let (created, updated) = (Staged::Created, Staged::Updated);
    assert_eq!(first, [(1, updated), (1, created), (3, created), (2, created)]);
    assert!(staged[number..].iter().all(|(_, what)| *what == updated), "{staged:?}");
    assert_eq!(world.flip(open, Vec::new()).await.unwrap(), number as u64 / 2 + 1);
    let seen = world.all(&account).await;
    assert_eq!(seen[0], row(1, "k0", "1"), "the last of two stays");
    assert_eq!(seen[1], (2, "k1".to_owned(), "{}".to_owned()));
    assert_eq!(seen[2], row(3, "k2", "1"));
    assert_eq!(seen.len(), number / 2 + 1);
}

pub(crate) async fn a_complete_job_deletes_what_nobody_listed_or_wrote(world: &World) {
    let app = world.app("a").await;
    let account = world.record_account(&app).await;
    world.write(&account, ["a", "b", "c", "d"].map(|key| set(key, "1")).to_vec()).await;
    let open = world.begin(&account).await;
    world.stage(open, vec![record("a", "1"), record("b", "2")]).await.unwrap();
    let unstaged = async || {
        let found = world.store.unstaged_records(open, "things".into(), 0, 10).await.unwrap();
        found.into_iter().map(|(_, key)| key).collect::<Vec<_>>()
    };
    assert_eq!(unstaged().await, ["a", "c", "d"], "the job itself knows that it saw a");
    // Written while the job is open: it is as if the job had listed it.
    world.write(&account, vec![set("c", "2"), set("e", "1")]).await;
    assert_eq!(unstaged().await, ["a", "d"]);
    let keys = ["c", "d", "e"].map(str::to_owned).to_vec();
    let ids = world.ids.clone();
    let deleted = world.store.stage_deletions(open, "things".into(), keys, ids, LATER).await;
    assert_eq!(deleted.unwrap(), 1);
    assert_eq!(world.all(&account).await[3], row(4, "d", "1"), "not yet");
    assert_eq!(world.flip(open, Vec::new()).await.unwrap(), 5);
    let gone = (4, "d".to_owned(), "{}".to_owned());
    let expected = [row(1, "a", "1"), row(2, "b", "2"), row(3, "c", "2"), gone, row(5, "e", "1")];
    assert_eq!(world.all(&account).await, expected);
    world.store.sweep_records(account.account_no).await.unwrap();
    assert_eq!(world.record_rows(), 5);
    assert_eq!(world.all(&account).await, expected);
}

pub(crate) async fn a_write_during_a_job_is_not_lost(world: &World) {
    let app = world.app("a").await;
    let account = world.record_account(&app).await;
    world.write(&account, vec![set("a", "1")]).await;
    let open = world.begin(&account).await;
    world.stage(open, vec![record("new", "staged"), record("a", "staged")]).await.unwrap();
    let made = world.write(&account, vec![set("a", "mine"), set("new", "mine")]).await;
    assert_eq!([made[0].ordinal, made[1].ordinal], [1, 2], "the ordinal that was staged");
    let expected = [row(1, "a", "mine"), row(2, "new", "mine")];
    assert_eq!(world.all(&account).await, expected);
    world.flip(open, Vec::new()).await.unwrap();
    assert_eq!(world.all(&account).await, expected, "the job hid a later write");
}

pub(crate) async fn an_abandoned_job_is_never_seen_and_a_new_one_works(world: &World) {
    let app = world.app("a").await;
    let account = world.record_account(&app).await;
    world.write(&account, vec![set("a", "1")]).await;
    let lost = world.begin(&account).await;
    let many: Vec<_> = (0..limits::RECORD_COMMIT_ROWS + 7).map(|n| format!("k{n}")).collect();
    for step in many.chunks(100) {
        let puts = step.iter().map(|key| record(key, "lost")).collect();
        world.stage(lost, puts).await.unwrap();
    }
    world.stage(lost, vec![record("a", "lost")]).await.unwrap();

    // The process was killed: another opens the store.
    world.store.close().await;
    let world = &world.reopened();
    let staged = world.store.staged_accounts().await.unwrap();
    assert_eq!(staged, [lost]);
    assert_eq!(world.all(&account).await, [row(1, "a", "1")]);

    let open = world.begin(&account).await;
    assert_eq!(world.record_rows(), 1, "what the lost job staged is still there");
    let late = world.stage(lost, vec![record("z", "lost")]).await;
    assert!(late.is_err_and(|error| error.is_conflict()));
    assert!(world.flip(lost, Vec::new()).await.is_err_and(|error| error.is_conflict()));
    let staged = world.stage(open, vec![record("b", "1")]).await.unwrap();
    assert_eq!(staged, [(2, Staged::Created)], "ordinals have no hole");
    world.flip(open, Vec::new()).await.unwrap();
    assert_eq!(world.all(&account).await, [row(1, "a", "1"), row(2, "b", "1")]);

    let given_up = world.begin(&account).await;
    world.stage(given_up, vec![record("c", "1"), record("a", "2")]).await.unwrap();
    world.store.abandon_refresh(given_up).await.unwrap();
    assert_eq!(world.store.staged_accounts().await.unwrap().len(), 1, "rows are left");
    while world.store.drop_staged_step(account.account_no, None).await.unwrap() {}
    assert!(world.store.staged_accounts().await.unwrap().is_empty());
    assert_eq!(world.record_rows(), 2);
    let made = world.write(&account, vec![set("c", "1")]).await;
    assert_eq!(made[0].ordinal, 3);
}
