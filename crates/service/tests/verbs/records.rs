//! Records: who may see and write them, what a write announces, and what becomes of a bulk job.

use serde_json::json;
use tidings_core::id::AccountId;
use tidings_core::limits;
use tidings_service::{
    Announcement, Caller, Error, Expect, NewRecordAccount, PageInput, RecordPut, RecordQuery,
    RecordWrite, RefreshInput, RefreshOutcome, Scope,
};

use crate::setup::{Setup, pointers};

fn put(key: &str, text: &str) -> RecordPut {
    RecordPut {
        collection: "things".into(),
        key: key.into(),
        starts_at: None,
        body: format!("{{\"text\":\"{text}\"}}").into(),
    }
}

fn set(key: &str, text: &str) -> RecordWrite {
    RecordWrite::Put(put(key, text), Expect::Any)
}

fn announcement(kind: &str) -> Announcement {
    Announcement {
        kind: kind.into(),
        collection: Some("things".into()),
        item: Some("a".into()),
        order_key: None,
        data: json!({"hello": "world"}),
    }
}

impl Setup {
    async fn record_account(&self, caller: &Caller) -> AccountId {
        let new = NewRecordAccount { name: "records".into(), ..NewRecordAccount::default() };
        self.service.put_record_account(caller, new, |_| Vec::new()).await.unwrap().0.id
    }

    /// Keys and texts of what is there.
    async fn things(&self, caller: &Caller, account: AccountId) -> Vec<String> {
        let query = RecordQuery { limit: limits::RECORD_PAGE_MAX, ..RecordQuery::default() };
        let found = self.service.records(caller, account, "things", &query).await.unwrap();
        let shown = |record: tidings_service::Record| {
            format!("{} {}", record.key, String::from_utf8_lossy(&record.body))
        };
        found.into_iter().map(shown).collect()
    }

    async fn kinds(&self, caller: &Caller) -> Vec<String> {
        let page = self.service.changes(caller, 0, None).await.unwrap();
        page.changes.into_iter().map(|change| change.kind).collect()
    }
}

#[tokio::test]
async fn only_the_scope_records_writes_and_an_end_user_sees_its_own() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let account = setup.record_account(&setup.owner).await;
    let reader = setup.with_scopes(&[Scope::Read]).await;
    let writer = setup.with_scopes(&[Scope::Records]).await;
    let refused = service.write_records(&reader, account, vec![set("a", "1")], Vec::new()).await;
    assert_eq!(refused, Err(Error::Forbidden("records")));
    let begun = service.begin_refresh(&reader, account, RefreshInput::default()).await;
    assert_eq!(begun.unwrap_err(), Error::Forbidden("records"));
    service.write_records(&writer, account, vec![set("a", "1")], Vec::new()).await.unwrap();
    assert_eq!(setup.things(&reader, account).await, ["a {\"text\":\"1\"}"]);

    let stranger = setup.other_app("other").await;
    let unknown = Error::NotFound("account");
    assert_eq!(service.record_account(&stranger, account).await, Err(unknown.clone()));
    let write = service.write_records(&stranger, account, vec![set("a", "2")], Vec::new()).await;
    assert_eq!(write, Err(unknown.clone()));
    let begun = service.begin_refresh(&stranger, account, RefreshInput::default()).await;
    assert_eq!(begun.unwrap_err(), unknown);
    let page = service.record_accounts(&stranger, None, &PageInput::default()).await.unwrap();
    assert!(page.items.is_empty());
}

#[tokio::test]
async fn what_is_announced_is_in_the_journal_with_the_write_or_not_at_all() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let made = |name: &str| NewRecordAccount {
        name: name.into(),
        external_id: Some("vyte".into()),
        ..NewRecordAccount::default()
    };
    let told = |kind: &'static str| move |_: &_| vec![announcement(kind)];
    let (account, created) =
        service.put_record_account(owner, made("one"), told("credential.created")).await.unwrap();
    assert!(created);
    let (again, created) =
        service.put_record_account(owner, made("two"), told("credential.updated")).await.unwrap();
    assert_eq!((again.id, created, again.name.as_str()), (account.id, false, "two"));
    let writes = vec![set("a", "1"), RecordWrite::Put(put("a", "2"), Expect::Absent)];
    let announce = vec![announcement("entry.created")];
    let refused = service.write_records(owner, account.id, writes, announce.clone()).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert!(setup.things(owner, account.id).await.is_empty());
    service.write_records(owner, account.id, vec![set("a", "1")], announce).await.unwrap();
    let stale = RecordWrite::Put(put("a", "2"), Expect::Version(7));
    let stale = service.write_records(owner, account.id, vec![stale], Vec::new()).await;
    let Err(Error::Stale { current, .. }) = stale else { panic!("{stale:?}") };
    assert_eq!(current.as_deref(), Some("1"));
    let kinds = setup.kinds(owner).await;
    assert_eq!(kinds, ["credential.created", "credential.updated", "entry.created"]);
}

#[tokio::test]
async fn what_is_no_record_is_refused_with_its_place() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let account = setup.record_account(owner).await;
    let long = "k".repeat(limits::RECORD_KEY_BYTES_MAX + 1);
    let writes = vec![
        set("good", "1"),
        set("", "1"),
        set(&long, "1"),
        RecordWrite::Put(RecordPut { body: "[]".into(), ..put("a", "") }, Expect::Any),
        RecordWrite::Put(RecordPut { body: "{\"a\":1e999}".into(), ..put("a", "") }, Expect::Any),
        RecordWrite::Put(RecordPut { collection: "\n".into(), ..put("a", "") }, Expect::Any),
    ];
    let refused = service.write_records(owner, account, writes, Vec::new()).await;
    let expected = ["/1/key", "/2/key", "/3/data", "/4/data", "/5/collection"];
    assert_eq!(pointers(refused), expected);
    let many = vec![set("a", "1"); limits::RECORD_WRITES_MAX + 1];
    let refused = service.write_records(owner, account, many, Vec::new()).await;
    assert!(matches!(refused, Err(Error::TooLarge(_))), "{refused:?}");
    let new = NewRecordAccount { name: "x".into(), details: json!([]), ..Default::default() };
    let refused = service.put_record_account(owner, new, |_| Vec::new()).await;
    assert_eq!(pointers(refused), ["/details"]);
    assert!(setup.things(owner, account).await.is_empty());
}

#[tokio::test]
async fn records_that_are_too_large_together_are_not_written() {
    let setup = Setup::new().await;
    let account = setup.record_account(&setup.owner).await;
    let large = "x".repeat(limits::RECORD_BYTES_MAX - 100);
    let many = limits::RECORD_WRITES_BYTES_MAX / large.len() + 1;
    let writes = (0..many).map(|n| set(&format!("k{n}"), &large)).collect();
    let refused = setup.service.write_records(&setup.owner, account, writes, Vec::new()).await;
    assert!(matches!(refused, Err(Error::TooLarge(_))), "{refused:?}");
}

#[tokio::test]
async fn a_bulk_job_tells_its_counts_and_nothing_when_nothing_changed() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let account = setup.record_account(owner).await;
    let load = async |whole: bool, puts: Vec<RecordPut>| {
        let input = RefreshInput { whole };
        let mut refresh = service.begin_refresh(owner, account, input).await.unwrap();
        service.stage_records(owner, &mut refresh, puts).await.unwrap();
        service.finish_refresh(owner, refresh, RefreshOutcome::refreshed).await.unwrap()
    };
    let many = limits::RECORD_PAGE_MAX as usize + 3;
    let all: Vec<_> = (0..many).map(|n| put(&format!("k{n}"), "1")).collect();
    let outcome = load(false, all.clone()).await;
    let counts = outcome.counts["things"];
    assert_eq!((counts.created, counts.total), (many as u64, many as u64));
    assert!(!load(true, all.clone()).await.changed());
    assert_eq!(setup.kinds(owner).await, ["records.refreshed"]);
    // All but two of them, over more than one window of ordinals.
    let outcome = load(true, vec![all[1].clone(), put(&format!("k{}", many - 1), "2")]).await;
    let counts = outcome.counts["things"];
    assert_eq!((counts.created, counts.updated, counts.deleted), (0, 1, many as u64 - 2));
    let left = setup.things(owner, account).await;
    assert_eq!(left, ["k1 {\"text\":\"1\"}"], "the first page");
    assert_eq!(setup.kinds(owner).await.len(), 2);
}

#[tokio::test]
async fn a_whole_job_deletes_only_in_the_collections_that_it_names() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let account = setup.record_account(owner).await;
    let elsewhere = |key: &str| RecordPut { collection: "others".into(), ..put(key, "1") };
    let writes = [put("a", "1"), put("b", "1"), elsewhere("x")];
    let writes = writes.map(|put| RecordWrite::Put(put, Expect::Any)).to_vec();
    service.write_records(owner, account, writes, Vec::new()).await.unwrap();
    for (puts, left) in [
        (vec![], &["a", "b", "x"][..]),
        (vec![put("a", "1")], &["a", "x"]),
        (vec![elsewhere("y")], &["a", "y"]),
    ] {
        let input = RefreshInput { whole: true };
        let mut refresh = service.begin_refresh(owner, account, input).await.unwrap();
        service.stage_records(owner, &mut refresh, puts).await.unwrap();
        service.finish_refresh(owner, refresh, RefreshOutcome::refreshed).await.unwrap();
        let mut found = Vec::new();
        for collection in ["things", "others"] {
            let query = RecordQuery::default();
            let records = service.records(owner, account, collection, &query).await.unwrap();
            found.extend(records.into_iter().map(|record| record.key));
        }
        assert_eq!(found, left);
    }
}

#[tokio::test]
async fn a_job_that_is_dropped_or_replaced_is_never_seen() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let account = setup.record_account(owner).await;
    let begin = || service.begin_refresh(owner, account, RefreshInput { whole: true });
    service.write_records(owner, account, vec![set("a", "1")], Vec::new()).await.unwrap();

    let mut dropped = begin().await.unwrap();
    service.stage_records(owner, &mut dropped, vec![put("a", "2"), put("b", "2")]).await.unwrap();
    drop(dropped);
    let mut replaced = begin().await.unwrap();
    service.stage_records(owner, &mut replaced, vec![put("c", "3")]).await.unwrap();
    let mut latest = begin().await.unwrap();
    let late = service.stage_records(owner, &mut replaced, vec![put("d", "3")]).await;
    assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
    let late = service.finish_refresh(owner, replaced, RefreshOutcome::refreshed).await;
    assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
    assert_eq!(setup.things(owner, account).await, ["a {\"text\":\"1\"}"]);

    let bad = RecordPut { body: "1".into(), ..put("x", "") };
    let refused = service.stage_records(owner, &mut latest, vec![put("y", "1"), bad]).await;
    assert_eq!(pointers(refused), ["/1/data"]);
    service.stage_records(owner, &mut latest, vec![put("z", "1")]).await.unwrap();
    service.finish_refresh(owner, latest, |_| Vec::new()).await.unwrap();
    assert_eq!(setup.things(owner, account).await, ["z {\"text\":\"1\"}"]);
    let ordinal = service.record(owner, account, "things", "z").await.unwrap().unwrap().ordinal;
    assert_eq!(ordinal, 2, "what was never seen left a hole");
}

#[tokio::test]
async fn a_process_that_starts_gives_up_the_jobs_of_the_one_before() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let account = setup.record_account(owner).await;
    let mut lost = service.begin_refresh(owner, account, RefreshInput::default()).await.unwrap();
    service.stage_records(owner, &mut lost, vec![put("a", "1")]).await.unwrap();
    service.abandon_refreshes().await.unwrap();
    let late = service.stage_records(owner, &mut lost, vec![put("b", "1")]).await;
    assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
    service.resume_erasures().await.unwrap();
    assert!(setup.store.staged_accounts().await.unwrap().is_empty());
    assert!(setup.things(owner, account).await.is_empty());
}
