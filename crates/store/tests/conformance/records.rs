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

pub(crate) const LATER: Timestamp = Timestamp(NOW.0 + 1_000);

pub(crate) fn record(key: &str, text: &str) -> RecordPut {
    RecordPut {
        collection: "things".into(),
        key: key.into(),
        starts_at: None,
        body: format!("{{\"text\":\"{text}\"}}").into(),
    }
}

pub(crate) fn set(key: &str, text: &str) -> RecordWrite {
    RecordWrite::Put(record(key, text), Expect::Any)
}

pub(crate) fn delete(key: &str) -> RecordWrite {
    RecordWrite::Delete {
        collection: "things".into(),
        key: key.into(),
        expect: Expect::Any,
        body: None,
    }
}

pub(crate) fn text(record: &Record) -> String {
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

    pub(crate) async fn record_account(&self, app: &App) -> RecordAccount {
        let new = self.new_record_account(app, None);
        let put = self.store.put_record_account(new, |_| Vec::new(), did("account.put"), NOW);
        put.await.unwrap().0
    }

    pub(crate) fn told(&self, kind: &str) -> RecordChange {
        RecordChange { change: self.change(kind), collection: Some("things".into()) }
    }

    pub(crate) async fn write_at(
        &self,
        account: &RecordAccount,
        writes: Vec<RecordWrite>,
        now: Timestamp,
    ) -> Result<Vec<Record>, Error> {
        let ids = self.ids.clone();
        self.store.write_records(account.account_no, writes, Vec::new(), ids, now).await
    }

    pub(crate) async fn write(
        &self,
        account: &RecordAccount,
        writes: Vec<RecordWrite>,
    ) -> Vec<Record> {
        self.write_at(account, writes, NOW).await.unwrap()
    }

    pub(crate) async fn begin(&self, account: &RecordAccount) -> OpenRefresh {
        self.store.begin_refresh(account.account_no, did("refresh"), NOW).await.unwrap()
    }

    pub(crate) async fn stage(
        &self,
        open: OpenRefresh,
        puts: Vec<RecordPut>,
    ) -> Result<Vec<(u64, Staged)>, Error> {
        self.store.stage_records(open, puts, self.ids.clone(), LATER).await
    }

    pub(crate) async fn flip(
        &self,
        open: OpenRefresh,
        changes: Vec<RecordChange>,
    ) -> Result<u64, Error> {
        let tell = |flip: &tidings_store::Flip| (flip.totals["things"], changes);
        self.store.finish_refresh(open, tell, did("refresh"), LATER).await
    }

    pub(crate) async fn query(&self, account: &RecordAccount, query: RecordQuery) -> Vec<Record> {
        self.store.records(account.account_no, "things".into(), query).await.unwrap()
    }

    /// Ordinal, key and text of every record, tombstones too.
    pub(crate) async fn all(&self, account: &RecordAccount) -> Vec<(u64, String, String)> {
        let found = self.query(account, all_records()).await;
        found.iter().map(|record| (record.ordinal, record.key.clone(), text(record))).collect()
    }

    /// Rows of all records, whoever sees them.
    pub(crate) fn record_rows(&self) -> i64 {
        self.backend.pair("SELECT count(*), 0 FROM record").0
    }
}

pub(crate) fn all_records() -> RecordQuery {
    RecordQuery { deleted: Deleted::With, limit: limits::RECORD_PAGE_MAX, ..RecordQuery::default() }
}

pub(crate) fn row(ordinal: u64, key: &str, text: &str) -> (u64, String, String) {
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
