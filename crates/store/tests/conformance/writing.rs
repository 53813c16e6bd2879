//! What reading and writing events at providers needs of the mirror.

use tidings_core::clock::Timestamp;
use tidings_core::limits::{IDEMPOTENCY_TTL_MS, SUPERSEDED_TTL_MS};
use tidings_store::{
    Account, Claimed, Idempotency, Item, ItemWrite, MirrorCommit, Superseded, WriteClaim,
};

use crate::support::{NOW, World, did};

impl World {
    async fn mirror(&self, account: &Account, collection_no: i64, items: Vec<Item>) {
        let mut commit = MirrorCommit::new(account.app_no, account.account_no);
        let items = items.into_iter().map(|item| (collection_no, ItemWrite::Put(item)));
        commit.items.extend(items);
        assert!(self.store.commit_mirror(commit, NOW).await.unwrap());
    }
}

fn item(key: &str, starts_at: Option<i64>, ends_at: Option<i64>) -> Item {
    Item {
        key: key.into(),
        resource: key.into(),
        etag: "1".into(),
        version: vec![1],
        series: None,
        recurrence_id: None,
        starts_at,
        ends_at,
        body: b"{}".into(),
    }
}

pub(crate) async fn events_are_read_by_range(world: &World) {
    let app = world.app("a").await;
    let account = world.google_account(&app, "ada").await;
    let calendars = world.google_calendars(&account, &["home", "work"]).await;
    let (home, work) = (calendars[0].collection_no, calendars[1].collection_no);
    let items = vec![
        item("after", Some(200), Some(300)),
        item("before", Some(0), Some(100)),
        item("during", Some(120), Some(130)),
        item("ends in it", Some(50), Some(101)),
        item("moment at its begin", Some(100), Some(100)),
        item("moment at its end", Some(200), Some(200)),
        item("not known", None, None),
        item("not known, with an end", None, Some(1)),
        item("over it", Some(0), Some(900)),
        item("series without end", Some(10), None),
        item("series without end, later", Some(250), None),
        item("starts in it", Some(199), Some(900)),
    ];
    world.mirror(&account, home, items).await;
    world.mirror(&account, work, vec![item("elsewhere", Some(120), Some(130))]).await;
    let keys = async |after: &str, limit| {
        let (from, to) = (Timestamp(100), Timestamp(200));
        let found = world.store.events_in(home, from, to, after.into(), limit).await.unwrap();
        found.into_iter().map(|item| item.key).collect::<Vec<_>>()
    };
    let all = [
        "during",
        "ends in it",
        "moment at its begin",
        "not known",
        "not known, with an end",
        "over it",
        "series without end",
        "starts in it",
    ];
    assert_eq!(keys("", 50).await, all);
    assert_eq!(keys("", 3).await, all[..3]);
    assert_eq!(keys(all[2], 50).await, all[3..]);

    // What is read again gets its times, or loses them.
    world.mirror(&account, home, vec![item("not known", Some(300), Some(310))]).await;
    world.mirror(&account, home, vec![item("before", None, None)]).await;
    let now = keys("", 50).await;
    assert!(
        now.contains(&"before".to_owned()) && !now.contains(&"not known".to_owned()),
        "{now:?}"
    );
}

pub(crate) async fn an_item_is_found_by_key_by_series_and_anywhere(world: &World) {
    let app = world.app("a").await;
    let account = world.google_account(&app, "ada").await;
    let calendars = world.google_calendars(&account, &["home", "work"]).await;
    let (home, work) = (calendars[0].collection_no, calendars[1].collection_no);
    let exception = |key: &str| Item {
        series: Some("series".into()),
        recurrence_id: Some(key.into()),
        ..item(key, Some(1), Some(2))
    };
    let series = item("series", Some(0), None);
    world.mirror(&account, home, vec![series.clone(), exception("b"), exception("a")]).await;
    world.mirror(&account, work, vec![exception("c")]).await;

    let store = &world.store;
    assert_eq!(store.item(home, "series".into()).await.unwrap(), Some(series));
    assert_eq!(store.item(home, "c".into()).await.unwrap(), None);
    let of = store.items_of_series(home, "series".into()).await.unwrap();
    assert_eq!(of, [exception("a"), exception("b")]);
    let keys = ["b", "c", "a"].map(Into::into).to_vec();
    let of = store.items_by_key(home, keys).await.unwrap();
    assert_eq!(
        of,
        [exception("b"), exception("a")],
        "in the order of the keys, as far as there are"
    );
    let versions = store.item_versions(home).await.unwrap();
    let keys: Vec<_> = versions.iter().map(|version| version.key.as_str()).collect();
    assert_eq!(keys, ["a", "b", "series"]);
    let known = &versions[2];
    assert_eq!((known.etag.as_str(), known.version.as_slice()), ("1", [1].as_slice()));
    assert_eq!((known.starts_at, known.ends_at), (Some(0), None));
    let (place, found) =
        store.item_anywhere(account.account_no, "c".into()).await.unwrap().unwrap();
    assert_eq!((place.collection_no, found), (work, exception("c")));
    assert!(store.item_anywhere(account.account_no, "d".into()).await.unwrap().is_none());

    let by_id = store.collection_by_id(app.app_no, calendars[1].id).await.unwrap().unwrap();
    assert_eq!(by_id.external_id, "work");
    let other = world.app("b").await;
    assert!(store.collection_by_id(other.app_no, calendars[1].id).await.unwrap().is_none());
}

pub(crate) async fn a_create_is_claimed_once_and_repeats_its_item(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let account = world.google_account(&app, "ada").await;
    let calendars = world.google_calendars(&account, &["home", "work"]).await;
    let claim = |request: u8, provider_key: &str| WriteClaim {
        app_no: app.app_no,
        idempotency: Idempotency { key_hash: [1; 32], request_hash: [request; 32] },
        collection_no: calendars[0].collection_no,
        provider_key: provider_key.into(),
    };
    assert_eq!(store.claim_write(claim(1, "first"), NOW).await.unwrap(), Claimed::New);
    let unfinished = Claimed::Unfinished { provider_key: "first".into() };
    assert_eq!(store.claim_write(claim(1, "second"), NOW).await.unwrap(), unfinished);
    assert_eq!(store.claim_write(claim(2, "second"), NOW).await.unwrap(), Claimed::Other);
    let elsewhere = WriteClaim { collection_no: calendars[1].collection_no, ..claim(1, "second") };
    assert_eq!(store.claim_write(elsewhere, NOW).await.unwrap(), Claimed::Other);

    store.release_write(app.app_no, [1; 32]).await.unwrap();
    assert_eq!(store.claim_write(claim(2, "third"), NOW).await.unwrap(), Claimed::New);
    store.finish_write(app.app_no, [1; 32], "event".into()).await.unwrap();
    store.release_write(app.app_no, [1; 32]).await.unwrap();
    let repeat = Claimed::Repeat { item_key: "event".into() };
    assert_eq!(store.claim_write(claim(2, "fourth"), NOW).await.unwrap(), repeat);

    let old = NOW.plus_ms(IDEMPOTENCY_TTL_MS + 1);
    assert_eq!(store.claim_write(claim(1, "fifth"), old).await.unwrap(), Claimed::New);
    assert!(!store.sweep_expired(old.plus_ms(IDEMPOTENCY_TTL_MS + 1)).await.unwrap());
    assert_eq!(world.backend.pair("SELECT count(*), 0 FROM write_key"), (0, 0));
}

pub(crate) async fn what_a_write_replaced_is_remembered_for_a_while(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let account = world.google_account(&app, "ada").await;
    let calendars = world.google_calendars(&account, &["home", "work"]).await;
    let collection_no = calendars[0].collection_no;
    let old =
        |etag: &str| Superseded { collection_no, item_key: "event".into(), etag: etag.into() };
    let write = async |superseded: Vec<Superseded>, at| {
        let mut commit = MirrorCommit::new(app.app_no, account.account_no);
        commit.items.push((collection_no, ItemWrite::Put(item("event", None, None))));
        commit.superseded = superseded;
        store.commit_mirror(commit, at).await
    };
    assert!(write(vec![old("1")], NOW).await.unwrap());
    let later = NOW.plus_ms(60_000);
    assert!(write(vec![old("1"), old("2")], later).await.unwrap());
    assert_eq!(store.superseded(collection_no, NOW).await.unwrap(), [old("1"), old("2")]);
    assert_eq!(store.superseded(calendars[1].collection_no, NOW).await.unwrap(), []);
    let last = later.plus_ms(SUPERSEDED_TTL_MS);
    let before = Timestamp(last.0 - 1);
    assert_eq!(store.superseded(collection_no, before).await.unwrap().len(), 2);
    assert_eq!(store.superseded(collection_no, last).await.unwrap(), []);
    assert!(!store.sweep_expired(last.plus_ms(1)).await.unwrap());
    assert_eq!(store.superseded(collection_no, NOW).await.unwrap(), []);

    let change = world.change_of(&account, "account.deleted");
    store.delete_account(account.account_no, change, did("account.delete"), NOW).await.unwrap();
    assert!(!write(vec![old("3")], NOW).await.unwrap());
    assert_eq!(world.backend.pair("SELECT count(*), 0 FROM superseded"), (0, 0));
}
