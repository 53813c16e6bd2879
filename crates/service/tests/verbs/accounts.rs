use tidings_core::change::{NewChange, Origin, Subject};
use tidings_core::id::{AccountId, ChangeId, Ids};
use tidings_core::seal::Place;
use tidings_service::{
    AccountChanges, AccountQuery, AccountStatus, Error, NewAccount, PageInput, Password,
};
use tidings_store::{AuditEntry, SyncState};

use crate::setup::{Setup, pointers};

pub(crate) fn new_account() -> NewAccount {
    NewAccount {
        provider: "caldav".into(),
        user: None,
        external_id: None,
        name: None,
        server_url: Some("https://dav.example.com/".into()),
        username: "ada".into(),
        password: Password::new("app password".into()),
    }
}

#[tokio::test]
async fn a_connected_account_is_due_at_once_and_its_password_sealed() {
    let setup = Setup::new().await;
    let mut news = setup.store.committed();
    let account = setup.service.connect_account(&setup.owner, new_account()).await.unwrap();
    assert_eq!((account.name.as_str(), account.status), ("ada", AccountStatus::Active));
    assert!(matches!(news.recv().await.unwrap(), tidings_store::Committed::Account(_)));
    let due = setup.store.due_accounts(setup.clock.now(), 10).await.unwrap();
    assert_eq!((due.len(), due[0].id, due[0].app_id), (1, account.id, setup.app));
    let place = Place { table: "account", column: "credential", app: setup.app, row: account.id.0 };
    let opened = setup.keyring.open(place, due[0].credential.as_ref().unwrap()).unwrap();
    assert_eq!(&opened[..], b"app password");
    assert!(!format!("{:?}", new_account()).contains("app password"));
}

#[tokio::test]
async fn bad_fields_of_accounts_are_named() {
    let setup = Setup::new().await;
    let url = |url: &str| NewAccount { server_url: Some(url.into()), ..new_account() };
    for (input, expect) in [
        (NewAccount { provider: "google".into(), ..new_account() }, "/provider"),
        (NewAccount { server_url: None, ..new_account() }, "/server_url"),
        (url("http://dav.example.com/"), "/server_url"),
        (url("https://192.168.0.1/"), "/server_url"),
        (NewAccount { provider: "apple".into(), ..new_account() }, "/server_url"),
        (NewAccount { username: String::new(), ..new_account() }, "/username"),
        (NewAccount { username: "a:b".into(), ..new_account() }, "/username"),
        (NewAccount { password: Password::new(String::new()), ..new_account() }, "/password"),
        (NewAccount { password: Password::new("a\nb".into()), ..new_account() }, "/password"),
        (NewAccount { name: Some("\u{202e}".into()), ..new_account() }, "/name"),
    ] {
        let refused = setup.service.connect_account(&setup.owner, input.clone()).await;
        assert_eq!(pointers(refused), [expect], "{input:?}");
    }
    let apple = NewAccount { provider: "apple".into(), server_url: None, ..new_account() };
    assert!(setup.service.connect_account(&setup.owner, apple).await.is_ok());
}

#[tokio::test]
async fn a_wake_up_during_a_pass_stays_due() {
    let setup = Setup::new().await;
    let id = setup.service.connect_account(&setup.owner, new_account()).await.unwrap().id;
    let now = setup.clock.now();
    let read = setup.store.due_accounts(now, 1).await.unwrap().remove(0);
    let state = |synced_gen: i64| SyncState {
        synced_gen,
        next_sync_at: now.plus_ms(60_000),
        last_sync_at: Some(now),
        last_change_at: None,
        failures: 0,
        last_error: None,
        home_url: None,
        look: None,
    };
    setup.service.sync_account(&setup.owner, id).await.unwrap();
    setup.store.note_sync(read.account_no, state(read.dirty_gen)).await.unwrap();
    let again = setup.store.due_accounts(now, 1).await.unwrap();
    assert_eq!(again.len(), 1, "the wake-up came after the pass had begun");
    setup.store.note_sync(read.account_no, state(again[0].dirty_gen)).await.unwrap();
    assert!(setup.store.due_accounts(now, 1).await.unwrap().is_empty());
    assert_eq!(setup.store.next_account_due().await.unwrap(), Some(now.plus_ms(60_000)));
}

fn change(setup: &Setup, kind: &str) -> NewChange {
    let now = setup.clock.now();
    NewChange {
        id: ChangeId(Ids::from_os().next(now)),
        kind: kind.into(),
        subject: Subject::default(),
        order_key: None,
        occurred_at: now,
        origin: Origin::Provider,
        actor: None,
        traceparent: None,
        body: "{}".into(),
    }
}

fn entry(id: AccountId) -> AuditEntry {
    AuditEntry {
        actor: "system".into(),
        action: "account.test",
        object: id.to_string(),
        denied: false,
        address: None,
        detail: serde_json::json!({}),
    }
}

/// Turns an account inactive, as the sync would.
pub(crate) async fn deactivate(setup: &Setup, id: AccountId) -> bool {
    let account = setup.store.account_by_id(1, id).await.unwrap().unwrap();
    let (no, generation) = (account.account_no, account.credential_gen);
    let (change, now) = (change(setup, "account.inactive"), setup.clock.now());
    let reason = "the server refused the password".to_owned();
    setup.store.deactivate_account(no, generation, reason, change, entry(id), now).await.unwrap()
}

/// As after its first sync.
pub(crate) async fn baseline(setup: &Setup, id: AccountId) {
    let no = setup.store.account_by_id(1, id).await.unwrap().unwrap().account_no;
    let (change, now) = (change(setup, "account.connected"), setup.clock.now());
    assert!(setup.store.finish_account_baseline(no, change, entry(id), now).await.unwrap());
}

/// The types of all changes, in order.
pub(crate) async fn told(setup: &Setup) -> Vec<String> {
    let page = setup.service.changes(&setup.owner, 0, None).await.unwrap();
    page.changes.into_iter().map(|change| change.kind).collect()
}

#[tokio::test]
async fn a_new_password_makes_an_inactive_account_active() {
    let setup = Setup::new().await;
    let id = setup.service.connect_account(&setup.owner, new_account()).await.unwrap().id;
    let now = setup.clock.now();
    baseline(&setup, id).await;
    assert!(deactivate(&setup, id).await);
    assert!(!deactivate(&setup, id).await, "once is enough");
    let account = setup.service.account(&setup.owner, id).await.unwrap();
    assert_eq!(account.status, AccountStatus::Inactive);
    assert_eq!(account.status_reason.as_deref(), Some("the server refused the password"));
    assert_eq!(told(&setup).await, ["account.connected", "account.inactive"]);
    assert!(matches!(setup.service.sync_account(&setup.owner, id).await, Err(Error::Conflict(_))));

    let changes = AccountChanges { username: Some("x".into()), ..AccountChanges::default() };
    assert_eq!(
        pointers(setup.service.update_account(&setup.owner, id, changes).await),
        ["/password"]
    );
    let password = Some(Password::new("better".into()));
    let changes = AccountChanges { password, ..AccountChanges::default() };
    let account = setup.service.update_account(&setup.owner, id, changes).await.unwrap();
    assert_eq!((account.status, account.failures), (AccountStatus::Active, 0));
    assert_eq!(setup.store.due_accounts(now, 1).await.unwrap().len(), 1);
    let kinds = ["account.connected", "account.inactive", "account.connected"];
    assert_eq!(
        told(&setup).await,
        kinds,
        "whoever heard that it is inactive hears that this is over"
    );
    let page = setup.service.changes(&setup.owner, 0, None).await.unwrap();
    let body: serde_json::Value =
        serde_json::from_slice(page.changes[2].data.as_ref().unwrap()).unwrap();
    assert_eq!(
        (&body["account"]["status"], &body["account"]["name"]),
        (&"active".into(), &"ada".into())
    );
}

#[tokio::test]
async fn deleting_an_account_erases_its_credential_and_tells() {
    let setup = Setup::new().await;
    let (user, _) = setup.service.upsert_user(&setup.owner, "ada".into()).await.unwrap();
    let input = NewAccount { user: Some(user.id), ..new_account() };
    let account = setup.service.connect_account(&setup.owner, input).await.unwrap();
    setup.service.delete_account(&setup.owner, account.id).await.unwrap();
    let gone = setup.service.account(&setup.owner, account.id).await;
    assert_eq!(gone.err(), Some(Error::NotFound("account")));
    assert!(setup.store.due_accounts(setup.clock.now(), 1).await.unwrap().is_empty());
    let page = setup.service.changes(&setup.owner, 0, None).await.unwrap();
    let change = &page.changes[0];
    assert_eq!((change.kind.as_str(), change.account), ("account.deleted", Some(account.id)));
    let body: serde_json::Value = serde_json::from_slice(change.data.as_ref().unwrap()).unwrap();
    assert_eq!(body["account"]["user_id"], "ada");
    assert_eq!(body["account"]["status"], "deleted");
    assert!(matches!(
        setup.service.delete_account(&setup.owner, account.id).await,
        Err(Error::NotFound("account"))
    ));
}

#[tokio::test]
async fn accounts_are_listed_by_user_provider_and_status() {
    let setup = Setup::new().await;
    let (user, created) = setup.service.upsert_user(&setup.owner, "ada".into()).await.unwrap();
    let (same, again) = setup.service.upsert_user(&setup.owner, "ada".into()).await.unwrap();
    assert_eq!((&user, created, again), (&same, true, false));
    let of_user = NewAccount { user: Some(user.id), ..new_account() };
    setup.service.connect_account(&setup.owner, of_user).await.unwrap();
    let apple = NewAccount { provider: "apple".into(), server_url: None, ..new_account() };
    setup.service.connect_account(&setup.owner, apple).await.unwrap();
    let status = Some(AccountStatus::Inactive);
    for (query, expect) in [
        (AccountQuery::default(), 2),
        (AccountQuery { user: Some(user.id), ..Default::default() }, 1),
        (AccountQuery { provider: Some("apple".into()), ..Default::default() }, 1),
        (AccountQuery { provider: Some("zoom".into()), ..Default::default() }, 0),
        (AccountQuery { status, ..Default::default() }, 0),
    ] {
        let found =
            setup.service.accounts(&setup.owner, query.clone(), &PageInput::default()).await;
        assert_eq!(found.unwrap().items.len(), expect, "{query:?}");
    }
}

#[tokio::test]
async fn why_the_list_of_calendars_is_only_polled_shows_in_the_account() {
    let setup = Setup::new().await;
    let of = crate::pushes::watched(&setup, "google", "sub-1").await;
    let account = async || {
        let query = AccountQuery::default();
        let page = setup.service.accounts(&setup.owner, query, &PageInput::default()).await;
        page.unwrap().items.swap_remove(0)
    };
    assert_eq!(account().await.watch_error, None);
    let why = "no public_url: polled".to_owned();
    setup.store.refuse_watch(of.account_no, None, why.clone(), None).await.unwrap();
    assert_eq!(account().await.watch_error, Some(why));
}
