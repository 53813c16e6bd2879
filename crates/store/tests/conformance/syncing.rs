//! What the sync leaves behind about accounts, their calendars and events.

use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, CollectionId, UserId};
use tidings_store::{
    Account, AccountStatus, AccountUpdate, App, Collection, CollectionWrite, Item, ItemWrite,
    MirrorCommit, NewAccount, SyncState,
};

use crate::support::{NOW, World, did, end_user};

impl World {
    /// A pass that began when the account was woken `synced_gen` times; the next one is due at `next`.
    async fn pass(&self, account: &Account, synced_gen: i64, next: Timestamp) {
        let state = SyncState {
            synced_gen,
            next_sync_at: next,
            last_sync_at: Some(NOW),
            last_change_at: None,
            failures: 0,
            last_error: None,
            home_url: Some("https://dav.example/ada/".into()),
            look: None,
        };
        self.store.note_sync(account.account_no, state).await.unwrap();
    }

    async fn due(&self, at: Timestamp) -> Vec<i64> {
        let due = self.store.due_accounts(at, 9).await.unwrap();
        due.iter().map(|account| account.account_no).collect()
    }

    pub(crate) async fn calendars(&self, account: &Account, names: &[&str]) -> Vec<Collection> {
        let mut commit = MirrorCommit::new(account.app_no, account.account_no);
        commit.collections.extend(names.iter().map(|name| CollectionWrite::Create {
            id: CollectionId(self.ids.next(NOW)),
            external_id: format!("/ada/{name}/"),
            name: Some((*name).into()),
            details: "{}".into(),
            announce: None,
        }));
        assert!(self.store.commit_mirror(commit, NOW).await.unwrap());
        self.store.collections(account.account_no).await.unwrap()
    }

    pub(crate) async fn account_of_user(&self, app: &App, name: &str) -> Account {
        let user = UserId(self.ids.next(NOW));
        let entry = did("user.upsert");
        let user = self
            .store
            .create_user(end_user(app.app_no, user, name), Vec::new(), entry, NOW)
            .await
            .unwrap();
        let new = NewAccount {
            id: AccountId(self.ids.next(NOW)),
            app_no: app.app_no,
            user_no: Some(user.0.user_no),
            provider: "caldav".into(),
            external_id: None,
            name: name.into(),
            server_url: None,
            username: None,
            credential: None,
        };
        self.store.create_account(new, did("account.connect"), NOW).await.unwrap()
    }
}

pub(crate) async fn a_wake_up_during_a_pass_stays_due(world: &World) {
    let app = world.app("a").await;
    let (woken, quiet) = (world.account(&app).await, world.account(&app).await);
    assert_eq!(world.due(NOW).await, [woken.account_no, quiet.account_no], "new ones are due");
    let later = NOW.plus_ms(60_000);
    for account in [&woken, &quiet] {
        world.pass(account, 1, later).await;
    }
    assert_eq!(world.due(NOW).await, [] as [i64; 0]);
    assert_eq!(world.store.next_account_due().await.unwrap(), Some(later));

    let now = NOW.plus_ms(10);
    world.store.wake_account(woken.account_no, None, now).await.unwrap();
    world.pass(&woken, 1, later).await;
    world.pass(&quiet, 1, later).await;
    assert_eq!(world.due(now).await, [woken.account_no]);
    world.pass(&woken, 2, later).await;
    assert_eq!(world.due(now).await, [] as [i64; 0]);
    world.store.wake_account(quiet.account_no, None, later.plus_ms(10)).await.unwrap();
    assert_eq!(
        world.store.next_account_due().await.unwrap(),
        Some(later),
        "postponed by a wake-up"
    );
    let stored = world.store.account(woken.account_no).await.unwrap().unwrap();
    assert_eq!((stored.dirty_gen, stored.synced_gen), (2, 2));
    assert_eq!(stored.home_url.as_deref(), Some("https://dav.example/ada/"));
    assert_eq!((stored.last_sync_at, stored.last_change_at), (Some(NOW), None));
}

pub(crate) async fn an_account_changes_its_state_once(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let account = world.account(&app).await;
    let no = account.account_no;
    let finish = || {
        let change = world.change_of(&account, "account.connected");
        store.finish_account_baseline(no, change, did("account.baseline"), NOW)
    };
    assert!(finish().await.unwrap());
    assert!(!finish().await.unwrap());
    let deactivate = || {
        let change = world.change_of(&account, "account.inactive");
        let reason = "the password was refused".to_owned();
        store.deactivate_account(
            no,
            account.credential_gen,
            reason,
            change,
            did("account.deactivate"),
            NOW,
        )
    };
    let change = world.change_of(&account, "account.inactive");
    let other = store.deactivate_account(no, 7, "old".into(), change, did("off"), NOW).await;
    assert!(!other.unwrap(), "it was another credential that was refused");
    assert!(deactivate().await.unwrap());
    assert!(!deactivate().await.unwrap());
    let kinds: Vec<_> = world.journal(&app).await.into_iter().map(|c| c.new.kind).collect();
    assert_eq!(kinds, ["account.connected", "account.inactive"]);
    assert_eq!(world.due(NOW).await, [] as [i64; 0], "an inactive account is synced");

    let inactive = store.account(no).await.unwrap().unwrap();
    assert_eq!((inactive.status, inactive.failures), (AccountStatus::Inactive, 1));
    assert_eq!(inactive.status_reason.as_deref(), Some("the password was refused"));
    let name = AccountUpdate { name: Some("ada's".into()), ..AccountUpdate::default() };
    let renamed = store.update_account(no, name, did("account.update"), NOW).await.unwrap();
    assert_eq!((&*renamed.name, renamed.status), ("ada's", AccountStatus::Inactive));
    let connected = || Some(world.change_of(&account, "account.connected"));
    let name = AccountUpdate { connected: connected(), ..AccountUpdate::default() };
    store.update_account(no, name, did("account.update"), NOW).await.unwrap();
    assert_eq!(world.journal(&app).await.len(), 2, "without a credential nothing is over");
    let sealed = AccountUpdate {
        credential: Some(vec![0, 255]),
        connected: connected(),
        ..AccountUpdate::default()
    };
    let again = AccountUpdate { connected: connected(), ..sealed.clone() };
    let active = store.update_account(no, sealed, did("account.update"), NOW).await.unwrap();
    assert_eq!(
        (active.status, active.failures, active.last_error),
        (AccountStatus::Active, 0, None)
    );
    assert_eq!(active.credential.as_deref(), Some(&[0, 255][..]));
    assert_eq!((&*active.name, active.username.as_deref()), ("ada's", Some("ada")));
    assert_eq!(world.due(NOW).await, [no]);
    store.update_account(no, again, did("account.update"), NOW).await.unwrap();
    let kinds: Vec<_> = world.journal(&app).await.into_iter().map(|c| c.new.kind).collect();
    assert_eq!(kinds, ["account.connected", "account.inactive", "account.connected"]);

    let early = world.account(&app).await;
    let reason = "the password was refused".to_owned();
    let change = world.change_of(&early, "account.inactive");
    let off = store.deactivate_account(early.account_no, 0, reason, change, did("off"), NOW);
    assert!(off.await.unwrap());
    let sealed = AccountUpdate {
        credential: Some(vec![1]),
        connected: Some(world.change_of(&early, "account.connected")),
        ..AccountUpdate::default()
    };
    store.update_account(early.account_no, sealed, did("account.update"), NOW).await.unwrap();
    assert_eq!(world.journal(&app).await.len(), 4, "the end of its first sync is still to tell");
}

pub(crate) async fn the_mirror_is_read_in_order_of_bytes(world: &World) {
    let app = world.app("a").await;
    let account = world.account(&app).await;
    let no = world.calendars(&account, &["work"]).await[0].collection_no;
    let write = async |writes: Vec<ItemWrite>| {
        let mut commit = MirrorCommit::new(account.app_no, account.account_no);
        commit.items.extend(writes.into_iter().map(|write| (no, write)));
        assert!(world.store.commit_mirror(commit, NOW).await.unwrap());
    };
    let item = |key: &str, resource: &str| Item {
        key: key.into(),
        resource: resource.into(),
        etag: "1".into(),
        version: vec![0, 255],
        series: Some("daily".into()),
        recurrence_id: None,
        starts_at: None,
        ends_at: None,
        body: b"{}".into(),
    };
    // A dictionary would say: a, B, c.
    let all = [item("x1", "a"), item("x2", "B"), item("y", "c"), item("Z", "c")];
    write(all.iter().cloned().map(ItemWrite::Put).collect()).await;
    let etags = async || {
        let listed = world.store.resource_etags(no).await.unwrap();
        listed.iter().map(|(resource, etag)| format!("{resource} {etag}")).collect::<Vec<_>>()
    };
    assert_eq!(etags().await, ["B 1", "a 1", "c 1"]);
    let items =
        world.store.items_of(no, vec!["c".into(), "a".into(), "none".into()]).await.unwrap();
    assert_eq!(items, [all[3].clone(), all[2].clone(), all[0].clone()]);

    let moved = Item { body: b"[]".into(), series: None, ..item("x1", "d") };
    let touch = ItemWrite::Touch { resource: "c".into(), etag: "2".into() };
    let remove = ItemWrite::Remove { key: "x2".into() };
    write(vec![ItemWrite::Put(moved.clone()), touch, remove]).await;
    assert_eq!(etags().await, ["c 2", "d 1"]);
    assert_eq!(world.store.items_of(no, vec!["d".into()]).await.unwrap(), [moved]);
}

pub(crate) async fn a_deleted_calendar_is_erased_and_may_come_back(world: &World) {
    let app = world.app("a").await;
    let account = world.account(&app).await;
    let calendars = world.calendars(&account, &["home", "work"]).await;
    let (home, work) = (calendars[0].collection_no, calendars[1].collection_no);
    let mut commit = MirrorCommit::new(account.app_no, account.account_no);
    let item = |key: &str| Item {
        key: key.into(),
        resource: key.into(),
        etag: "1".into(),
        version: vec![1],
        series: None,
        recurrence_id: None,
        starts_at: None,
        ends_at: None,
        body: b"{}".into(),
    };
    commit.items = vec![(home, ItemWrite::Put(item("a"))), (work, ItemWrite::Put(item("a")))];
    commit.collections = vec![
        CollectionWrite::Delete { collection_no: home },
        CollectionWrite::Failed { collection_no: work, error: "refused".into() },
        CollectionWrite::Describe {
            collection_no: work,
            name: Some("Work".into()),
            details: r#"{"colour":"red"}"#.into(),
        },
    ];
    assert!(world.store.commit_mirror(commit, NOW).await.unwrap());
    assert!(!world.store.erase_collections_step(account.account_no).await.unwrap());
    assert!(world.store.resource_etags(home).await.unwrap().is_empty());
    assert_eq!(world.store.resource_etags(work).await.unwrap().len(), 1);

    let left = world.calendars(&account, &["home"]).await;
    let said: Vec<_> = left.iter().map(|c| (c.name.as_deref(), c.error.as_deref())).collect();
    assert_eq!(said, [(Some("Work"), Some("refused")), (Some("home"), None)]);
    assert_eq!(left[0].details, r#"{"colour":"red"}"#);
}

pub(crate) async fn ids_and_store_keys_lead_to_each_other(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let (ada, bob) =
        (world.account_of_user(&app, "ada").await, world.account_of_user(&app, "bob").await);
    let calendar = world.calendars(&ada, &["work"]).await.swap_remove(0);
    let user_no = ada.user_no.unwrap();

    let (accounts, collections) = (vec![ada.account_no, 99], vec![calendar.collection_no, 99]);
    let ids = store.scope_ids(vec![user_no, 99], accounts.clone(), collections).await.unwrap();
    assert_eq!(ids.users.into_iter().collect::<Vec<_>>(), [(user_no, ada.user_id.unwrap())]);
    assert_eq!(ids.accounts.into_iter().collect::<Vec<_>>(), [(ada.account_no, ada.id)]);
    let found = [(calendar.collection_no, calendar.id)];
    assert_eq!(ids.collections.into_iter().collect::<Vec<_>>(), found);
    assert_eq!(store.account_ids(accounts).await.unwrap().len(), 1);

    let place = async |user_no: Option<i64>, provider: &str| {
        let path = "/ada/work/".to_owned();
        let user_no = user_no.unwrap();
        let found = store.calendars_of_user(app.app_no, user_no, provider.into(), path).await;
        let places = found.unwrap().into_iter();
        places.map(|place| (place.account_no, place.collection_no)).collect::<Vec<_>>()
    };
    let here = [(ada.account_no, calendar.collection_no)];
    assert_eq!(place(ada.user_no, "caldav").await, here);
    assert_eq!(place(ada.user_no, "apple").await, []);
    assert_eq!(place(bob.user_no, "caldav").await, []);

    let no = calendar.collection_no;
    assert_eq!(store.calendars_left(vec![99, no]).await.unwrap(), [no]);
    let change = world.change_of(&ada, "account.deleted");
    store.delete_account(ada.account_no, change, did("account.delete"), NOW).await.unwrap();
    assert_eq!(store.calendars_left(vec![99, no]).await.unwrap(), [0; 0]);
}
