//! What only a store on PostgreSQL can meet: a database that goes away, and neighbours in it.
#![expect(clippy::unwrap_used, reason = "this is a test")]

#[path = "postgres/cut.rs"]
mod cut;

use std::sync::Arc;
use std::time::Duration;

use cut::{Cut, Way};
use tidings_core::change::{NewChange, Origin, Subject};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, ChangeId, Ids};
use tidings_store::{App, AuditEntry, Committed, Idempotency, NewApp, Settle, Store};
use tidings_testkit::postgres::{PostgresDatabase, PostgresServer, Stop};
use tokio::task::JoinSet;

const NOW: Timestamp = Timestamp(1_795_248_000_000);
/// A store that has not recovered by then never will.
const DEADLINE: Duration = Duration::from_secs(60);
/// How soon a refused publisher comes again.
const AGAIN: Duration = Duration::from_millis(10);

async fn app(store: &Store, ids: &Ids) -> App {
    let new = NewApp {
        id: AppId(ids.next(NOW)),
        name: "a".into(),
        external_id: None,
        webhook_url: None,
        created_at: NOW,
    };
    let audit = AuditEntry {
        actor: "system".into(),
        action: "app.create",
        object: String::new(),
        denied: false,
        address: None,
        detail: serde_json::json!({}),
    };
    store.create_app(new, audit).await.unwrap()
}

fn change(ids: &Ids) -> NewChange {
    NewChange {
        id: ChangeId(ids.next(NOW)),
        kind: "thing.happened".into(),
        subject: Subject::default(),
        order_key: None,
        occurred_at: NOW,
        origin: Origin::Api,
        actor: None,
        traceparent: None,
        body: "{}".into(),
    }
}

/// Ids and numbers of the whole journal.
async fn journal(store: &Store, app: &App) -> Vec<(u64, ChangeId)> {
    let changes = store.changes(app.app_no, 0, usize::MAX >> 1).await.unwrap();
    changes.iter().map(|change| (change.seq, change.new.id)).collect()
}

/// Publishes under one key until that is accepted.
async fn publish(store: Store, app_no: i64, change: NewChange, once: Idempotency) {
    let trying = async {
        loop {
            match store.publish(app_no, vec![change.clone()], Some(once), NOW).await {
                Err(error) if error.is_unavailable() => tokio::time::sleep(AGAIN).await,
                done => return drop(done.unwrap()),
            }
        }
    };
    tokio::time::timeout(DEADLINE, trying).await.expect("the store did not recover");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_survives_crashes_of_the_database_and_is_published_once() {
    let mut server = PostgresServer::start();
    let store = Store::connect(&server.url("postgres")).unwrap();
    let ids = Arc::new(Ids::seeded(1));
    let app = app(&store, &ids).await;
    let mut published = 0;
    for _ in 0..3 {
        let mut publishers = JoinSet::new();
        for publisher in 0..8_u8 {
            let (store, ids, app_no) = (store.clone(), Arc::clone(&ids), app.app_no);
            publishers.spawn(async move {
                for request in 0..50_u8 {
                    let mut key_hash = [publisher; 32];
                    key_hash[..12].copy_from_slice(&ids.next(NOW).to_bytes());
                    let once = Idempotency { key_hash, request_hash: [request; 32] };
                    publish(store.clone(), app_no, change(&ids), once).await;
                }
            });
        }
        let mut committed = store.committed();
        committed.recv().await.unwrap();
        server.stop(Stop::Immediate);
        let refused = store.publish(app.app_no, vec![change(&ids)], None, NOW).await;
        let refused = refused.expect_err("there is no database");
        assert!(refused.is_unavailable(), "{refused}");
        server.resume();
        publishers.join_all().await;
        published += 8 * 50;
        let seqs: Vec<u64> = journal(&store, &app).await.into_iter().map(|(seq, _)| seq).collect();
        assert_eq!(seqs, (1..=published).collect::<Vec<_>>());
    }
}

/// A store whose way to the database can be cut.
async fn store_behind_a_way() -> (PostgresDatabase, Way, Store) {
    let database = PostgresDatabase::create();
    let (before, path) = database.url.rsplit_once('/').unwrap();
    let (user, address) = before.split_once('@').unwrap();
    let way = Way::to(address.to_owned()).await;
    let store = Store::connect(&format!("{user}@{}/{path}", way.address)).unwrap();
    (database, way, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fate_of_a_commit_whose_answer_was_lost_is_found_out() {
    let (_database, way, store) = store_behind_a_way().await;
    let ids = Ids::seeded(1);
    let app = app(&store, &ids).await;
    let mut committed = store.committed();

    way.cut(Cut::After);
    let kept = change(&ids);
    let published = store.publish(app.app_no, vec![kept.clone()], None, NOW).await.unwrap();
    assert!(way.was_cut());
    assert_eq!(published.appended.changes[0].seq, 1);
    let announced = committed.recv().await.unwrap();
    assert!(matches!(announced, Committed::Appended(appended) if appended.changes[0].seq == 1));

    way.cut(Cut::Before);
    let refused = store.publish(app.app_no, vec![change(&ids)], None, NOW).await;
    assert!(way.was_cut());
    assert!(refused.is_err_and(|error| error.is_unavailable()));
    assert_eq!(journal(&store, &app).await, [(1, kept.id)]);

    // A settle knows for certain: it is repeated when it was not written, and only then.
    let settle = Settle { changes: vec![(app.app_no, change(&ids))], ..Settle::default() };
    let settle = Arc::new(settle);
    way.cut(Cut::Before);
    let refused = store.settle(Arc::clone(&settle), NOW).await;
    assert!(refused.is_err_and(|error| error.is_unavailable()));
    way.cut(Cut::After);
    store.settle(Arc::clone(&settle), NOW).await.unwrap();
    assert!(way.was_cut());
    assert_eq!(journal(&store, &app).await, [(1, kept.id), (2, settle.changes[0].1.id)]);
}

/// Waits until the store says that something was committed elsewhere.
async fn hear_of_others(store: &Store, act: impl FnOnce()) {
    let mut committed = store.committed();
    act();
    let hearing =
        async { while !matches!(committed.recv().await.unwrap(), Committed::Elsewhere) {} };
    tokio::time::timeout(DEADLINE, hearing).await.expect("nothing was heard of the others");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_of_others_are_heard_of_and_found_without_a_hint() {
    let database = PostgresDatabase::create();
    let store = Store::connect(&database.url).unwrap();
    let ids = Ids::seeded(1);
    let app = app(&store, &ids).await;
    let listens = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%FROM app'
                   AND datname = current_database()";
    while database.query(listens) == "0" {
        tokio::task::yield_now().await;
    }
    hear_of_others(&store, || drop(database.query("NOTIFY tidings"))).await;
    for moved in ["seq = seq + 1", "hooks_version = hooks_version + 1"] {
        let sql = format!("UPDATE app SET {moved} WHERE app_no = {}", app.app_no);
        hear_of_others(&store, || drop(database.query(&sql))).await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_database_url_is_said_without_the_password() {
    let server = PostgresDatabase::create();
    let nowhere = server.url.replace("tidings@", "tidings:hunter2@");
    let cases = [
        ("mysql://tidings:hunter2@localhost/x".to_owned(), "database_url cannot be read"),
        ("postgres://tidings:hunter2@localhost:port/x".to_owned(), "database_url cannot be read"),
        ("postgres://tidings:hunter2@127.0.0.1:1/x".to_owned(), "x at 127.0.0.1:1: "),
        (format!("{nowhere}_of_nobody"), "does not exist"),
    ];
    for (url, expected) in cases {
        let error = Store::connect(&url).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
