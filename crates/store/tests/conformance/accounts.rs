//! Accounts, their mirror, and their end.

use tidings_core::change::Change;
use tidings_core::id::CollectionId;
use tidings_core::limits;
use tidings_store::{Account, App, Collection, CollectionWrite, Item, ItemWrite, MirrorCommit};

use crate::support::{NOW, World, did, seqs};

/// More content than one commit erases.
const MANY: usize = limits::COMMIT_ROWS_MAX + 100;

impl World {
    async fn commit(&self, commit: MirrorCommit) -> bool {
        self.store.commit_mirror(commit, NOW).await.unwrap()
    }

    /// Mirrors a calendar with some events.
    async fn calendar(&self, account: &Account, events: usize) -> Collection {
        let mut commit = MirrorCommit::new(account.app_no, account.account_no);
        commit.collections.push(CollectionWrite::Create {
            id: CollectionId(self.ids.next(NOW)),
            external_id: "/ada/work/".into(),
            name: Some("work".into()),
            details: "{}".into(),
            announce: Some(Box::new(self.change_of(account, "calendar.created"))),
        });
        assert!(self.commit(commit).await);
        let calendar = self.store.collections(account.account_no).await.unwrap().swap_remove(0);
        let mut commit = MirrorCommit::new(account.app_no, account.account_no);
        let events = (0..events).map(|n| (calendar.collection_no, put(&format!("event {n}"))));
        commit.items.extend(events);
        assert!(self.commit(commit).await);
        calendar
    }

    async fn delete(&self, account: &Account) {
        let change = self.change_of(account, "account.deleted");
        let entry = did("account.delete");
        self.store.delete_account(account.account_no, change, entry, NOW).await.unwrap();
    }

    async fn mirrored(&self, calendar: &Collection) -> usize {
        self.store.resource_etags(calendar.collection_no).await.unwrap().len()
    }
}

fn put(key: &str) -> ItemWrite {
    ItemWrite::Put(Item {
        key: key.into(),
        resource: key.into(),
        etag: "1".into(),
        version: vec![1],
        series: None,
        recurrence_id: None,
        starts_at: None,
        ends_at: None,
        body: b"{}".into(),
    })
}

pub(crate) async fn mirror_rows_and_changes_commit_together(world: &World) {
    let app = world.app("a").await;
    let account = world.account(&app).await;
    let calendar = world.calendar(&account, 0).await;
    let no = calendar.collection_no;
    let journal = world.journal(&app).await;
    assert_eq!(journal[0].new.subject.collection_no, Some(no), "announced without its key");

    let pass = |changes: Vec<_>, key: &str, token: &str| {
        let mut commit = MirrorCommit::new(app.app_no, account.account_no);
        commit.items.push((no, put(key)));
        commit.changes = changes;
        let sync_token = Some(token.into());
        commit.collections.push(CollectionWrite::Synced {
            collection_no: no,
            ctag: None,
            sync_token,
            synced_gen: None,
            window: None,
        });
        world.store.commit_mirror(commit, NOW)
    };
    let state = async || {
        let calendar = world.store.collections(account.account_no).await.unwrap().swap_remove(0);
        let items = world.store.resource_etags(no).await.unwrap();
        let keys: Vec<_> = items.into_iter().map(|(resource, _)| resource).collect();
        (calendar.sync_token, keys, world.journal(&app).await.len())
    };
    let change = world.change_of(&account, "event.created");
    assert!(pass(vec![change.clone()], "one", "token 1").await.unwrap());
    let after_first = (Some("token 1".to_owned()), vec!["one".to_owned()], 2);
    assert_eq!(state().await, after_first);

    let again = pass(vec![change], "two", "token 2").await;
    assert!(again.is_err_and(|error| error.is_conflict()));
    assert_eq!(state().await, after_first, "a failed pass left something behind");

    world.delete(&account).await;
    let late = world.change_of(&account, "event.created");
    assert!(!pass(vec![late], "two", "token 2").await.unwrap());
    let deleted = (after_first.0, after_first.1, 3);
    assert_eq!(state().await, deleted, "a deleted account was written to");
}

pub(crate) async fn deleting_an_account_erases_content_and_keeps_seq(world: &World) {
    let app = world.app("a").await;
    let (gone, kept) = (world.account(&app).await, world.account(&app).await);
    let calendars = [world.calendar(&gone, MANY).await, world.calendar(&kept, 5).await];
    publish_content(world, &app, &gone, &kept).await;
    let before = world.journal(&app).await;
    world.delete(&gone).await;

    assert!(world.store.account(gone.account_no).await.unwrap().is_none());
    let mut steps = 0;
    while world.store.erase_account_step(gone.account_no).await.unwrap() {
        steps += 1;
    }
    assert_eq!(steps, 2 * MANY / limits::COMMIT_ROWS_MAX, "a step is not as full as it may be");
    assert_eq!(world.mirrored(&calendars[0]).await, 0);
    assert_eq!(world.mirrored(&calendars[1]).await, 5);

    let journal = world.journal(&app).await;
    assert_eq!(seqs(&journal), (1..=before.len() as u64 + 1).collect::<Vec<_>>());
    let (last, earlier) = journal.split_last().unwrap();
    assert_eq!(last.new.kind, "account.deleted");
    assert!(!last.new.body.is_empty(), "account.deleted is still to be delivered");
    for (now, then) in earlier.iter().zip(&before) {
        let head = |change: &Change| (change.new.id, change.new.kind.clone());
        assert_eq!(head(now), head(then));
        if then.new.subject.account_no == Some(gone.account_no) {
            assert!(now.new.body.is_empty(), "change {} has kept its body", now.seq);
        } else {
            assert_eq!(now.new.body, then.new.body);
        }
    }
}

/// Changes of two accounts and of none, mingled: [`MANY`] of the first. One has the type of the last
/// change of an account, which an app may publish too.
async fn publish_content(world: &World, app: &App, first: &Account, second: &Account) {
    let mut changes = vec![world.change_of(first, "account.deleted")];
    changes.push(world.change("thing.happened"));
    while changes.len() < MANY {
        changes.push(world.change_of(first, "event.updated"));
    }
    changes.push(world.change_of(second, "event.updated"));
    changes.push(world.change_of(first, "event.updated"));
    world.store.publish(app.app_no, changes, None, NOW).await.unwrap();
}

pub(crate) async fn an_interrupted_erasure_is_found_again(world: &World) {
    let app = world.app("a").await;
    let (bodies, items) = (world.account(&app).await, world.account(&app).await);
    let calendar = world.calendar(&items, MANY).await;
    let changes = (0..MANY).map(|_| world.change_of(&bodies, "event.updated")).collect();
    world.store.publish(app.app_no, changes, None, NOW).await.unwrap();
    let unerased = || world.store.unerased_accounts();
    assert!(unerased().await.unwrap().is_empty());
    assert!(!world.store.erase_account_step(items.account_no).await.unwrap());
    assert_eq!(world.mirrored(&calendar).await, MANY, "a living account was erased");

    for account in [&bodies, &items] {
        world.delete(account).await;
        assert!(world.store.erase_account_step(account.account_no).await.unwrap());
    }
    let both = [bodies.account_no, items.account_no];
    assert_eq!(unerased().await.unwrap(), both);
    for account_no in both {
        assert!(!world.store.erase_account_step(account_no).await.unwrap());
    }
    assert!(unerased().await.unwrap().is_empty());
    assert_eq!(world.mirrored(&calendar).await, 0);
    let journal = world.journal(&app).await;
    let left = journal.iter().filter(|change| !change.new.body.is_empty());
    let kinds: Vec<_> = left.map(|change| change.new.kind.as_str()).collect();
    assert_eq!(kinds, ["account.deleted", "account.deleted"]);
}
