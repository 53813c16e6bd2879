//! Records: written at once, loaded in bulk, read page by page.

use tidings_core::change::Subject;
use tidings_core::clock::Timestamp;
use tidings_core::id::AccountId;
use tidings_core::limits;
use tidings_store::{
    App, Deleted, Error, Expect, NewRecordAccount, OpenRefresh, Record, RecordAccount,
    RecordChange, RecordOrder, RecordPut, RecordQuery, RecordWrite, Staged,
};

use crate::support::{NOW, World, did, seqs};

const LATER: Timestamp = Timestamp(NOW.0 + 1_000);

fn record(key: &str, text: &str) -> RecordPut {
    RecordPut {
        collection: "things".into(),
        key: key.into(),
        starts_at: None,
        body: format!("{{\"text\":\"{text}\"}}").into(),
    }
}

fn set(key: &str, text: &str) -> RecordWrite {
    RecordWrite::Put(record(key, text), Expect::Any)
}

fn delete(key: &str) -> RecordWrite {
    RecordWrite::Delete {
        collection: "things".into(),
        key: key.into(),
        expect: Expect::Any,
        body: None,
    }
}

fn text(record: &Record) -> String {
    String::from_utf8(record.body.to_vec()).unwrap()
}

impl World {
    fn new_record_account(&self, app: &App, external_id: Option<&str>) -> NewRecordAccount {
        NewRecordAccount {
            id: AccountId(self.ids.next(NOW)),
            app_no: app.app_no,
            user_no: None,
            external_id: external_id.map(str::to_owned),
            name: "records".into(),
            details: serde_json::json!({"a": 1}),
        }
    }

    async fn record_account(&self, app: &App) -> RecordAccount {
        let new = self.new_record_account(app, None);
        let put = self.store.put_record_account(new, |_| Vec::new(), did("account.put"), NOW);
        put.await.unwrap().0
    }

    fn told(&self, kind: &str) -> RecordChange {
        RecordChange { change: self.change(kind), collection: Some("things".into()) }
    }

    async fn write_at(
        &self,
        account: &RecordAccount,
        writes: Vec<RecordWrite>,
        now: Timestamp,
    ) -> Result<Vec<Record>, Error> {
        let ids = self.ids.clone();
        self.store.write_records(account.account_no, writes, Vec::new(), ids, now).await
    }

    async fn write(&self, account: &RecordAccount, writes: Vec<RecordWrite>) -> Vec<Record> {
        self.write_at(account, writes, NOW).await.unwrap()
    }

    async fn begin(&self, account: &RecordAccount) -> OpenRefresh {
        self.store.begin_refresh(account.account_no, did("refresh"), NOW).await.unwrap()
    }

    async fn stage(
        &self,
        open: OpenRefresh,
        puts: Vec<RecordPut>,
    ) -> Result<Vec<(u64, Staged)>, Error> {
        self.store.stage_records(open, puts, self.ids.clone(), LATER).await
    }

    async fn flip(&self, open: OpenRefresh, changes: Vec<RecordChange>) -> Result<u64, Error> {
        let tell = |flip: &tidings_store::Flip| (flip.totals["things"], changes);
        self.store.finish_refresh(open, tell, did("refresh"), LATER).await
    }

    async fn query(&self, account: &RecordAccount, query: RecordQuery) -> Vec<Record> {
        self.store.records(account.account_no, "things".into(), query).await.unwrap()
    }

    /// Ordinal, key and text of every record, tombstones too.
    async fn all(&self, account: &RecordAccount) -> Vec<(u64, String, String)> {
        let found = self.query(account, all_records()).await;
        found.iter().map(|record| (record.ordinal, record.key.clone(), text(record))).collect()
    }

    /// Rows of all records, whoever sees them.
    fn record_rows(&self) -> i64 {
        self.backend.pair("SELECT count(*), 0 FROM record").0
    }
}

fn all_records() -> RecordQuery {
    RecordQuery { deleted: Deleted::With, limit: limits::RECORD_PAGE_MAX, ..RecordQuery::default() }
}

fn row(ordinal: u64, key: &str, text: &str) -> (u64, String, String) {
    (ordinal, key.into(), format!("{{\"text\":\"{text}\"}}"))
}

pub(crate) async fn a_record_account_is_one_per_external_id(world: &World) {
    let (app, other) = (world.app("a").await, world.app("b").await);
    let put = |app: &App, name: &str| {
        let new = NewRecordAccount {
            name: name.into(),
            ..world.new_record_account(app, Some("credential"))
        };
        let change = world.change("credential.created");
        let tell = |account: &RecordAccount| {
            assert_eq!(account.created_at == account.updated_at, account.name == "first");
            vec![RecordChange { change, collection: None }]
        };
        world.store.put_record_account(new, tell, did("account.put"), NOW)
    };
    let (first, created) = put(&app, "first").await.unwrap();
    assert!(created);
    let (again, created) = put(&app, "second").await.unwrap();
    assert!(!created);
    assert_eq!((again.id, again.name.as_str()), (first.id, "second"));
    let (elsewhere, created) = put(&other, "first").await.unwrap();
    assert!(created && elsewhere.id != first.id, "another app's account was found");
    let journal = world.journal(&app).await;
    assert_eq!(seqs(&journal), [1, 2]);
    assert_eq!(journal[1].new.subject.account_no, Some(first.account_no));

    let named = |app: &App| world.store.record_account_named(app.app_no, "credential".into());
    assert_eq!(named(&app).await.unwrap().unwrap().id, first.id);
    let due = world.store.due_accounts(Timestamp(i64::MAX >> 20), 10).await.unwrap();
    assert!(due.is_empty(), "a record account is nothing to poll");
}

pub(crate) async fn a_write_is_seen_at_once_with_what_it_announces(world: &World) {
    let app = world.app("a").await;
    let account = world.record_account(&app).await;
    let write = |writes, changes| {
        world.store.write_records(account.account_no, writes, changes, world.ids.clone(), LATER)
    };
    let told = vec![world.told("entry.created")];
    let made = write(vec![set("a", "1"), set("b", "1")], told.clone()).await.unwrap();
    assert_eq!([made[0].ordinal, made[1].ordinal], [1, 2]);
    let journal = world.journal(&app).await;
    assert_eq!(journal.len(), 1);
    let subject = &journal[0].new.subject;
    assert_eq!(subject.account_no, Some(account.account_no));
    assert!(subject.collection_no.is_some(), "{subject:?}");

    // The announcement's id is taken: nothing of the write is kept.
    let again = write(vec![set("a", "2"), set("c", "1")], told).await;
    assert!(again.is_err_and(|error| error.is_conflict()));
    assert_eq!(world.all(&account).await, [row(1, "a", "1"), row(2, "b", "1")]);

    let same = write(vec![set("a", "1")], Vec::new()).await.unwrap();
    assert_eq!(same, made[..1], "equal content is no change");
    let other = write(vec![set("a", "2")], Vec::new()).await.unwrap();
    assert_eq!((other[0].version, other[0].ordinal), (2, 1));
}

pub(crate) async fn a_record_is_written_only_as_expected(world: &World) {
    let app = world.app("a").await;
    let account = world.record_account(&app).await;
    let put = |text, expect| {
        world.write_at(&account, vec![RecordWrite::Put(record("a", text), expect)], LATER)
    };
    let stale = |result: Result<Vec<Record>, Error>| result.unwrap_err().stale();
    assert_eq!(stale(put("1", Expect::Version(1)).await), Some(None));
    put("1", Expect::Absent).await.unwrap();
    assert!(put("2", Expect::Absent).await.is_err_and(|error| error.is_conflict()));
    put("2", Expect::Version(1)).await.unwrap();
    assert_eq!(stale(put("3", Expect::Version(1)).await), Some(Some(2)));
    assert_eq!(world.all(&account).await, [row(1, "a", "2")]);

    let gone = world.write(&account, vec![delete("a")]).await;
    assert_eq!((gone[0].version, gone[0].deleted_at), (3, Some(NOW)));
    assert_eq!(text(&gone[0]), "{}");
    let again = world.write_at(&account, vec![delete("a")], LATER).await.unwrap();
    assert_eq!(again, gone, "a tombstone stays as it is");
    let missing = world.write_at(&account, vec![delete("zzz")], NOW).await;
    assert_eq!(missing.unwrap_err().not_found_what(), Some("record"));
    let back = put("2", Expect::Absent).await.unwrap();
    assert_eq!((back[0].version, back[0].ordinal, back[0].deleted_at), (4, 1, None));
}

pub(crate) async fn pages_by_ordinal_are_exact(world: &World) {
    let app = world.app("a").await;
    let account = world.record_account(&app).await;
    for _ in 0..3 {
        let at = world.record_rows();
        let writes = (at..at + 100).map(|n| set(&format!("k{n}"), "x")).collect();
        world.write(&account, writes).await;
    }
    world.write(&account, vec![delete("k100"), delete("k299")]).await;
    let counts = world.store.record_counts(account.account_no).await.unwrap();
    assert_eq!(counts["things"], 300, "tombstones keep their place");
    let mut read = Vec::new();
    for skip in (0..300).step_by(70) {
        let query = RecordQuery { skip, limit: 70, ..RecordQuery::default() };
        let page = world.query(&account, query).await;
        assert!(page.iter().all(|record| (skip + 1..=skip + 70).contains(&record.ordinal)));
        read.extend(page.into_iter().map(|record| record.ordinal));
    }
    let expected: Vec<u64> = (1..300).filter(|ordinal| *ordinal != 101).collect();
    assert_eq!(read, expected);
    let only = RecordQuery { deleted: Deleted::Only, limit: 1_000, ..RecordQuery::default() };
    let gone: Vec<_> = world.query(&account, only).await.iter().map(|one| one.ordinal).collect();
    assert_eq!(gone, [101, 300]);
}

pub(crate) async fn records_are_read_by_start_and_by_last_change(world: &World) {
    let app = world.app("a").await;
    let account = world.record_account(&app).await;
    for (place, (key, starts_at)) in
        [("a", Some(30)), ("b", Some(10)), ("c", None), ("d", Some(20))].into_iter().enumerate()
    {
        let put = RecordPut { starts_at, ..record(key, "x") };
        let at = NOW.plus_ms(place as i64);
        let write = RecordWrite::Put(put, Expect::Any);
        world.write_at(&account, vec![write], at).await.unwrap();
    }
    world.write_at(&account, vec![set("c", "y")], NOW.plus_ms(9)).await.unwrap();
    let keys = async |query| {
        let found = world.query(&account, query).await;
        found.into_iter().map(|record| record.key).collect::<Vec<_>>().concat()
    };
    let by = |order| RecordQuery { order, ..RecordQuery::default() };
    for (query, expected) in [
        (by(RecordOrder::NewestFirst), "adb"),
        (by(RecordOrder::OldestFirst), "bda"),
        (RecordQuery { skip: 1, limit: 1, ..by(RecordOrder::NewestFirst) }, "d"),
        (RecordQuery { from: Some(10), to: Some(30), ..by(RecordOrder::NewestFirst) }, "db"),
        (RecordQuery { from: Some(20), ..by(RecordOrder::Ordinal) }, "ad"),
        (by(RecordOrder::Modified), "abdc"),
        (RecordQuery { modified_since: Some(NOW.plus_ms(3)), ..by(RecordOrder::Modified) }, "dc"),
    ] {
        assert_eq!(keys(query).await, expected, "{query:?}");
    }
}

pub(crate) async fn a_page_ends_with_the_record_that_fills_it(world: &World) {
    let account = world.record_account(&world.app("a").await).await;
    let large = "x".repeat(limits::RECORD_BYTES_MAX - 100);
    let all = limits::RECORD_PAGE_BYTES_MAX / large.len() + 3;
    for n in 1..=all {
        world.write(&account, vec![set(&n.to_string(), &large)]).await;
    }
    for order in [RecordOrder::Ordinal, RecordOrder::Modified] {
        let mut query = RecordQuery { order, limit: 1_000, ..all_records() };
        let page = world.query(&account, query).await;
        assert!(page.len() < all, "{order:?}: {} of {all}", page.len());
        query.skip = query.next_skip(&page).unwrap();
        assert_eq!(query.skip, page.len() as u64);
        let rest = world.query(&account, query).await;
        assert_eq!(page.len() + rest.len(), all, "{order:?}");
    }
}

pub(crate) async fn what_is_changed_meanwhile_leaves_no_gap(world: &World) {
    let account = world.record_account(&world.app("a").await).await;
    for n in 0..4 {
        let (write, now) = (set(&format!("s{n}"), "1"), NOW.plus_ms(n));
        world.write_at(&account, vec![write], now).await.unwrap();
    }
    for part in ["a", "b"] {
        // Shown at the same time by the clock.
        let open = world.begin(&account).await;
        let puts = (0..4).map(|n| record(&format!("{part}{n}"), "1")).collect();
        world.stage(open, puts).await.unwrap();
        world.flip(open, Vec::new()).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let query =
            RecordQuery { order: RecordOrder::Modified, limit: 3, after, ..RecordQuery::default() };
        let page = world.query(&account, query).await;
        let Some(last) = page.last() else { break };
        after = Some((last.modified_at, last.ordinal));
        seen.extend(page.iter().map(|record| record.key.clone()));
        if seen.len() == 3 {
            let later = LATER.plus_ms(9);
            world.write_at(&account, vec![set("s0", "2")], later).await.unwrap();
        }
    }
    let parts = ["s0", "s1", "s2", "s3", "a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3", "s0"];
    assert_eq!(seen, parts);
}

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

pub(crate) async fn records_of_a_deleted_account_are_erased_in_steps(world: &World) {
    let app = world.app("a").await;
    let (gone, kept) = (world.record_account(&app).await, world.record_account(&app).await);
    let open = world.begin(&gone).await;
    let count = 2 * limits::RECORD_COMMIT_ROWS + 1;
    let all: Vec<_> = (0..count).map(|n| record(&format!("k{n}"), "x")).collect();
    for step in all.chunks(limits::RECORD_COMMIT_ROWS) {
        world.stage(open, step.to_vec()).await.unwrap();
    }
    world.flip(open, Vec::new()).await.unwrap();
    world.write(&kept, vec![set("a", "1")]).await;
    let subject = Subject { account_no: Some(gone.account_no), ..Subject::default() };
    let change = tidings_core::change::NewChange { subject, ..world.change("account.deleted") };
    let entry = did("account.delete");
    world.store.delete_account(gone.account_no, change, entry, NOW).await.unwrap();

    let late = world.write_at(&gone, vec![set("z", "1")], NOW).await;
    assert_eq!(late.unwrap_err().not_found_what(), Some("account"));
    let mut steps = 0;
    while world.store.erase_account_step(gone.account_no).await.unwrap() {
        steps += 1;
    }
    assert_eq!(steps, 2, "a step holds the writer too long");
    assert_eq!(world.record_rows(), 1);
    assert_eq!(world.all(&kept).await, [row(1, "a", "1")]);
}

pub(crate) async fn a_deleted_apps_records_are_erased(world: &World) {
    let app = world.app("a").await;
    let account = world.record_account(&app).await;
    world.write(&account, vec![set("a", "1")]).await;
    world.store.delete_app(app.app_no, NOW, did("app.delete")).await.unwrap();
    while world.store.erase_app_step(app.app_no, NOW).await.unwrap() {}
    assert_eq!(world.record_rows(), 0);
}
