//! Subscriptions at providers, and what they do to accounts and calendars.

use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, CollectionId, SubscriptionId};
use tidings_core::limits::{SUBSCRIPTION_ANSWER_MS, SUBSCRIPTION_ENDED_KEPT_MS};
use tidings_store::{
    Account, App, Collection, CollectionWrite, Committed, Look, MirrorCommit, NewAccount,
    NewSubscription, Subscription, SubscriptionStatus, SyncState,
};
use tokio::sync::broadcast::Receiver;

use crate::support::{NOW, World, did};

const LATER: Timestamp = Timestamp(NOW.0 + 3_600_000);

impl World {
    pub(crate) fn google(&self, app: &App, external_id: &str) -> NewAccount {
        NewAccount {
            id: AccountId(self.ids.next(NOW)),
            app_no: app.app_no,
            user_no: None,
            provider: "google".into(),
            external_id: Some(external_id.into()),
            name: "ada@example.com".into(),
            server_url: None,
            username: None,
            credential: Some(b"sealed".into()),
        }
    }

    pub(crate) async fn google_account(&self, app: &App, external_id: &str) -> Account {
        let (new, entry) = (self.google(app, external_id), did("account.connect"));
        self.store.connect_oauth_account(new, None, entry, NOW).await.unwrap().0
    }

    pub(crate) async fn google_calendars(
        &self,
        account: &Account,
        ids: &[&str],
    ) -> Vec<Collection> {
        let mut commit = MirrorCommit::new(account.app_no, account.account_no);
        commit.collections.extend(ids.iter().map(|id| CollectionWrite::Create {
            id: CollectionId(self.ids.next(NOW)),
            external_id: (*id).into(),
            name: None,
            details: "{}".into(),
            announce: None,
        }));
        assert!(self.store.commit_mirror(commit, NOW).await.unwrap());
        self.store.collections(account.account_no).await.unwrap()
    }

    /// A subscription that is being registered, of a calendar or of the list.
    async fn registering(&self, account: &Account, of: Option<&Collection>, channel: &str) -> i64 {
        let new = NewSubscription {
            id: SubscriptionId(self.ids.next(NOW)),
            account_no: account.account_no,
            collection_no: of.map(|collection| collection.collection_no),
            external_id: Some(channel.into()),
            token_hash: [7; 32],
            next_try_at: NOW.plus_ms(SUBSCRIPTION_ANSWER_MS),
        };
        self.store.create_subscription(new, NOW).await.unwrap()
    }

    async fn activate(&self, no: i64, channel: &str) -> bool {
        let (expires, renew) = (LATER.plus_ms(1_000), LATER);
        let resource = Some("resource".to_owned());
        let done =
            self.store.activate_subscription(no, channel.into(), resource, expires, renew, NOW);
        done.await.unwrap()
    }

    async fn active(&self, account: &Account, of: Option<&Collection>, channel: &str) -> i64 {
        let no = self.registering(account, of, channel).await;
        assert!(self.activate(no, channel).await);
        no
    }

    async fn subscription(&self, no: i64) -> Subscription {
        self.store.subscription(no).await.unwrap().unwrap()
    }

    async fn unwatched(&self, now: Timestamp) -> Vec<String> {
        let found = self.store.unwatched_collections(now, 9).await.unwrap();
        found.into_iter().map(|collection| collection.external_id).collect()
    }

    async fn due_subscriptions(&self, now: Timestamp) -> Vec<i64> {
        let due = self.store.due_subscriptions(now, 9).await.unwrap();
        due.into_iter().map(|subscription| subscription.subscription_no).collect()
    }

    /// `dirty_gen` of the account, of its list, and whether each calendar is dirty.
    async fn dirt(&self, account: &Account) -> (i64, i64, Vec<bool>) {
        let now = self.store.account(account.account_no).await.unwrap().unwrap();
        let calendars = self.store.collections(account.account_no).await.unwrap();
        (now.dirty_gen, now.list_gen, calendars.iter().map(Collection::is_dirty).collect())
    }
}

/// How often an account was announced until now.
fn announced(committed: &mut Receiver<Committed>, account: &Account) -> usize {
    let mut count = 0;
    while let Ok(event) = committed.try_recv() {
        count += usize::from(matches!(event, Committed::Account(no) if no == account.account_no));
    }
    count
}

pub(crate) async fn a_subscription_is_there_before_its_provider_is_asked(world: &World) {
    let app = world.app("a").await;
    let account = world.google_account(&app, "ada").await;
    let calendar = world.google_calendars(&account, &["work"]).await.swap_remove(0);
    assert_eq!(world.unwatched(NOW).await, ["work"]);
    let no = world.registering(&account, Some(&calendar), "channel").await;
    assert_eq!(world.unwatched(LATER).await, [""; 0], "it is asked for twice");

    let found = world.store.subscription_by_channel("google".into(), "channel".into());
    let found = found.await.unwrap().unwrap();
    assert_eq!((found.subscription_no, found.status), (no, SubscriptionStatus::Registering));
    assert_eq!((found.token_hash, found.app_no), (Some([7; 32]), app.app_no));
    let other = world.store.subscription_by_channel("microsoft".into(), "channel".into());
    assert!(other.await.unwrap().is_none());
    assert!(world.store.push(no, NOW).await.unwrap(), "its first push came before the answer");

    assert_eq!(world.due_subscriptions(NOW).await, [0; 0]);
    let unanswered = NOW.plus_ms(SUBSCRIPTION_ANSWER_MS);
    assert_eq!(world.due_subscriptions(unanswered).await, [no], "a crash loses it");
    assert!(world.activate(no, "channel").await);
    assert_eq!(world.due_subscriptions(unanswered).await, [0; 0]);
    assert_eq!(world.due_subscriptions(LATER).await, [no], "it is not renewed");
    let active = world.subscription(no).await;
    assert_eq!((active.status, active.renew_at), (SubscriptionStatus::Active, Some(LATER)));
    assert_eq!(active.resource_id.as_deref(), Some("resource"));
}

pub(crate) async fn a_push_raises_generations_and_is_announced(world: &World) {
    let app = world.app("a").await;
    let account = world.google_account(&app, "ada").await;
    let calendars = world.google_calendars(&account, &["home", "work"]).await;
    let work = world.active(&account, Some(&calendars[1]), "work").await;
    let list = world.active(&account, None, "list").await;
    let read = world.store.collections(account.account_no).await.unwrap();
    assert_eq!(
        read.iter().map(Collection::is_dirty).collect::<Vec<_>>(),
        [false, true],
        "activated"
    );
    let settled = MirrorCommit {
        collections: read
            .iter()
            .map(|calendar| CollectionWrite::Synced {
                collection_no: calendar.collection_no,
                ctag: None,
                sync_token: None,
                synced_gen: Some(calendar.dirty_gen),
                window: None,
            })
            .collect(),
        ..MirrorCommit::new(app.app_no, account.account_no)
    };
    assert!(world.store.commit_mirror(settled, NOW).await.unwrap());
    let (before, list_gen, dirty) = world.dirt(&account).await;
    assert_eq!(dirty, [false, false]);

    let mut committed = world.store.committed();
    let at = NOW.plus_ms(5);
    assert!(world.store.push(work, at).await.unwrap());
    assert_eq!(world.dirt(&account).await, (before + 1, list_gen, vec![false, true]));
    assert!(world.store.push(list, at).await.unwrap());
    assert_eq!(world.dirt(&account).await, (before + 2, list_gen + 1, vec![false, true]));
    let home = calendars[0].collection_no;
    assert!(world.store.push_collection(account.account_no, home, at).await.unwrap());
    assert_eq!(world.dirt(&account).await, (before + 3, list_gen + 1, vec![true, true]));
    assert_eq!(announced(&mut committed, &account), 3);
    assert_eq!(world.subscription(work).await.delivered_at, Some(at));

    world.store.hear_subscription(list, LATER).await.unwrap();
    assert_eq!(world.subscription(list).await.delivered_at, Some(LATER));
    assert_eq!(world.dirt(&account).await.0, before + 3, "a greeting is no change");
}

pub(crate) async fn a_push_during_a_pull_leaves_the_calendar_dirty(world: &World) {
    let app = world.app("a").await;
    let account = world.google_account(&app, "ada").await;
    let calendar = world.google_calendars(&account, &["work"]).await.swap_remove(0);
    let no = world.active(&account, Some(&calendar), "work").await;
    let read = world.store.collections(account.account_no).await.unwrap().swap_remove(0);
    let read_account = world.store.account(account.account_no).await.unwrap().unwrap();
    assert!(world.store.push(no, NOW).await.unwrap());
    let window = Some((NOW, LATER));
    let mut commit = MirrorCommit::new(app.app_no, account.account_no);
    commit.collections.push(CollectionWrite::Synced {
        collection_no: calendar.collection_no,
        ctag: None,
        sync_token: Some("token".into()),
        synced_gen: Some(read.dirty_gen),
        window,
    });
    assert!(world.store.commit_mirror(commit, NOW).await.unwrap());
    let state = SyncState {
        synced_gen: read_account.dirty_gen,
        next_sync_at: LATER,
        last_sync_at: Some(NOW),
        last_change_at: None,
        failures: 0,
        last_error: None,
        home_url: None,
        look: Some(Look {
            list_gen: read_account.list_gen,
            list_token: Some("list".into()),
            poll_at: Some(LATER),
        }),
    };
    world.store.note_sync(account.account_no, state).await.unwrap();
    let after = world.store.collection(calendar.collection_no).await.unwrap().unwrap();
    assert!(after.is_dirty());
    assert_eq!((after.window, after.sync_token.as_deref()), (window, Some("token")));
    let due = world.store.due_accounts(NOW, 9).await.unwrap();
    assert_eq!(due.len(), 1, "the push waits for the next look");
    assert_eq!((due[0].list_token.as_deref(), due[0].poll_at), (Some("list"), Some(LATER)));
    assert_eq!(due[0].list_synced_gen, due[0].list_gen);

    world.store.wake_account(account.account_no, None, NOW).await.unwrap();
    let (_, list_gen, dirty) = world.dirt(&account).await;
    assert_eq!((list_gen, dirty), (due[0].list_gen + 1, vec![true]), "a wake-up is for everything");
}

pub(crate) async fn renewal_overlaps_and_the_old_channel_counts_until_it_ended(world: &World) {
    let app = world.app("a").await;
    let account = world.google_account(&app, "ada").await;
    let calendar = world.google_calendars(&account, &["work"]).await.swap_remove(0);
    let old = world.active(&account, Some(&calendar), "old").await;
    let new = world.active(&account, Some(&calendar), "new").await;
    world.store.retire_subscription(old, NOW).await.unwrap();
    assert_eq!(world.due_subscriptions(NOW).await, [old]);
    assert!(world.store.push(old, NOW).await.unwrap(), "a late push of the old channel is lost");
    let error = "not reached".to_owned();
    world.store.fail_subscription(old, error, LATER).await.unwrap();
    assert_eq!(world.due_subscriptions(NOW).await, [0; 0]);
    let failed = world.subscription(old).await;
    assert_eq!((failed.failures, failed.error.as_deref()), (1, Some("not reached")));
    world.store.end_subscription(old, None, Some(NOW), NOW).await.unwrap();
    assert_eq!(world.unwatched(LATER).await, [""; 0], "the new one watches");
    assert!(!world.store.push(old, NOW).await.unwrap());
    let left = world.store.subscriptions_of(account.account_no).await.unwrap();
    assert_eq!(left.iter().map(|one| one.subscription_no).collect::<Vec<_>>(), [new]);
    assert_eq!(world.subscription(old).await.token_hash, None);

    world.store.renew_subscription(new, LATER.plus_ms(9), LATER.plus_ms(5)).await.unwrap();
    assert_eq!(world.due_subscriptions(LATER).await, [0; 0]);
    world.store.hasten_subscription(new, NOW).await.unwrap();
    assert_eq!(world.due_subscriptions(NOW).await, [new]);
    world.store.end_subscription(new, Some("removed".into()), Some(LATER), NOW).await.unwrap();
    assert_eq!(world.unwatched(NOW).await, [""; 0]);
    assert_eq!(world.unwatched(LATER).await, ["work"]);
    let unwatched = world.store.collection(calendar.collection_no).await.unwrap().unwrap();
    assert_eq!(unwatched.watch_error.as_deref(), Some("removed"));
}

pub(crate) async fn what_cannot_be_watched_says_why_and_is_left_alone(world: &World) {
    let app = world.app("a").await;
    let plain = world.account(&app).await;
    world.google_calendars(&plain, &["/caldav/"]).await;
    let account = world.google_account(&app, "ada").await;
    let calendars = world.google_calendars(&account, &["holidays", "work"]).await;
    assert_eq!(world.unwatched(NOW).await, ["holidays", "work"], "CalDAV does not push");
    let lists = async |now| {
        let found = world.store.unwatched_lists(now, 9).await.unwrap();
        found.into_iter().map(|account| account.account_no).collect::<Vec<_>>()
    };
    assert_eq!(lists(NOW).await, [account.account_no]);

    let (no, holidays) = (account.account_no, Some(calendars[0].collection_no));
    let why = || "push is not supported for this calendar".to_owned();
    world.store.refuse_watch(no, holidays, why(), None).await.unwrap();
    world.store.refuse_watch(no, None, why(), Some(LATER)).await.unwrap();
    assert_eq!(world.unwatched(LATER).await, ["work"]);
    assert_eq!((lists(NOW).await, lists(LATER).await), (vec![], vec![no]));
    let told = world.store.account(no).await.unwrap().unwrap();
    assert_eq!(told.watch_error, Some(why()));
    world.active(&account, None, "list").await;
    assert_eq!(lists(LATER).await, [0; 0]);
    let told = world.store.account(no).await.unwrap().unwrap();
    assert_eq!(told.watch_error, None, "it is watched by now");
}

pub(crate) async fn deleting_a_collection_has_its_subscriptions_stopped(world: &World) {
    let app = world.app("a").await;
    let account = world.google_account(&app, "ada").await;
    let calendars = world.google_calendars(&account, &["home", "work"]).await;
    let active = world.active(&account, Some(&calendars[0]), "one").await;
    let asked = world.registering(&account, Some(&calendars[0]), "two").await;
    let kept = world.active(&account, Some(&calendars[1]), "three").await;
    let mut commit = MirrorCommit::new(app.app_no, account.account_no);
    let collection_no = calendars[0].collection_no;
    commit.collections.push(CollectionWrite::Delete { collection_no });
    assert!(world.store.commit_mirror(commit, NOW).await.unwrap());
    assert_eq!(world.due_subscriptions(NOW).await, [active, asked]);
    assert!(!world.activate(asked, "two").await, "answered for too late, it must be stopped");
    let late = world.subscription(asked).await;
    assert_eq!(
        (late.status, late.resource_id.as_deref()),
        (SubscriptionStatus::Retiring, Some("resource"))
    );
    for no in [active, asked] {
        world.store.end_subscription(no, None, Some(NOW), NOW).await.unwrap();
    }
    assert_eq!(world.unwatched(LATER).await, [""; 0], "a deleted calendar is watched");
    assert_eq!(world.subscription(kept).await.status, SubscriptionStatus::Active);
}

pub(crate) async fn an_inactive_account_is_not_watched_until_it_is_connected_again(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let account = world.google_account(&app, "ada").await;
    let change = world.change_of(&account, "account.connected");
    let baseline = store.finish_account_baseline(account.account_no, change, did("done"), NOW);
    assert!(baseline.await.unwrap());
    let calendars = world.google_calendars(&account, &["home", "work"]).await;
    let watched = world.active(&account, Some(&calendars[0]), "one").await;
    let change = world.change_of(&account, "account.inactive");
    let why = "consent was withdrawn".to_owned();
    let off = store.deactivate_account(account.account_no, 0, why, change, did("off"), NOW);
    assert!(off.await.unwrap());
    assert_eq!(world.unwatched(LATER).await, [""; 0]);
    assert_eq!(world.due_subscriptions(LATER).await, [0; 0]);
    assert!(!store.push(watched, NOW).await.unwrap());
    let (no, home) = (account.account_no, calendars[0].collection_no);
    assert!(!store.push_collection(no, home, NOW).await.unwrap());

    let again = NewAccount { id: account.id, ..world.google(&app, "ada") };
    let connected = Some(world.change_of(&account, "account.connected"));
    let (revived, fresh) =
        store.connect_oauth_account(again, connected, did("on"), LATER).await.unwrap();
    assert!(!fresh);
    let kinds: Vec<_> = world.journal(&app).await.into_iter().map(|c| c.new.kind).collect();
    assert_eq!(kinds, ["account.connected", "account.inactive", "account.connected"]);
    assert_eq!((revived.account_no, revived.status.as_str()), (account.account_no, "active"));
    assert_eq!(world.unwatched(LATER).await, ["home", "work"]);
    assert_eq!(store.unwatched_lists(LATER, 9).await.unwrap().len(), 1);
}

pub(crate) async fn what_ended_long_ago_is_swept(world: &World) {
    let app = world.app("a").await;
    let account = world.google_account(&app, "ada").await;
    let calendar = world.google_calendars(&account, &["work"]).await.swap_remove(0);
    let ended = world.active(&account, Some(&calendar), "one").await;
    let kept = world.active(&account, Some(&calendar), "two").await;
    world.store.end_subscription(ended, None, None, NOW).await.unwrap();
    let old = NOW.plus_ms(SUBSCRIPTION_ENDED_KEPT_MS);
    assert!(!world.store.sweep_expired(old).await.unwrap());
    assert_eq!(world.subscription(ended).await.status, SubscriptionStatus::Ended);
    assert!(!world.store.sweep_expired(old.plus_ms(1)).await.unwrap());
    assert!(world.store.subscription(ended).await.unwrap().is_none());
    assert_eq!(world.subscription(kept).await.status, SubscriptionStatus::Active);
}
