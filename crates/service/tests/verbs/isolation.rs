use tidings_core::id::{
    AccountId, ChangeId, CollectionId, DeliveryId, GrantId, HookId, Ids, InboxId, ReplayId, UserId,
};
use tidings_providers::errand::Refusal;
use tidings_service::{
    AccountChanges, AccountQuery, AppChanges, ConnectToken, EnableFrom, Error, EventQuery,
    GrantKind, HookChanges, LedgerQuery, NewAccount, NewConnection, NewHook, NewKey,
    NewPublication, NewReplay, NewToken, Notify, PageInput, ReplayFrom, RotateSecret, Scope,
    TokenText, Writing,
};
use tidings_store::{CollectionWrite, MirrorCommit};

use crate::accounts::new_account;
use crate::setup::{ANY, NOON, Setup, new_hook, publication};

/// Asserts that a verb answers for another app's id exactly as for an id that nobody has.
macro_rules! same_as_unknown {
    ($($verb:literal: |$id:ident| $call:expr, $foreign:expr, $unknown:expr;)*) => {$({
        let answers = [$foreign, $unknown].map(|$id| $call);
        let [foreign, unknown] = answers;
        let (foreign, unknown) = (foreign.await.err(), unknown.await.err());
        assert_eq!(foreign, unknown, $verb);
        assert!(matches!(foreign, Some(Error::NotFound(_))), "{}: {foreign:?}", $verb);
    })*};
}

#[tokio::test]
async fn another_apps_things_look_like_unknown_ones() {
    let setup = Setup::new().await;
    let (s, a) = (&setup.service, &setup.with_scopes(&[Scope::Admin]).await);
    let b = &setup.other_app("b").await;
    let hook = s.create_hook(b, new_hook()).await.unwrap().hook.id;
    let account = s.connect_account(b, new_account()).await.unwrap().id;
    let user = s.upsert_user(b, "ada".into()).await.unwrap().0.id;
    let change = s.publish(b, publication("a.b", "1"), None, None).await.unwrap().receipts[0].id;
    let key = NewKey { name: "k".into(), scopes: vec![Scope::Read], ..NewKey::default() };
    let key = s.create_key(b, key).await.unwrap().key.id;
    let replay = NewReplay::since(ReplayFrom::Seq(1));
    let running = s.create_replay(b, hook, replay.clone()).await.unwrap().id;
    let inbox = s.create_inbox(b).await.unwrap().id;
    let page = PageInput::default();
    let ours = s.create_hook(a, new_hook()).await.unwrap().hook.id;
    let app = b.app_id().unwrap();
    let ids = Ids::seeded(77);
    let next = || ids.next(NOON);
    let (no_hook, no_account, no_user) = (HookId(next()), AccountId(next()), UserId(next()));
    same_as_unknown! {
        "app": |id| s.app(a, id), app, tidings_core::id::AppId(next());
        "update app": |id| s.update_app(a, id, AppChanges::default()), app, tidings_core::id::AppId(next());
        "key": |id| s.key(a, id), key, GrantId(next());
        "revoke key": |id| s.revoke_key(a, id), key, GrantId(next());
        "user": |id| s.user(a, id), user, no_user;
        "mint": |id| s.mint_connect_token(a, id, ConnectToken::default()), user, no_user;
        "account": |id| s.account(a, id), account, no_account;
        "update account": |id| s.update_account(a, id, AccountChanges::default()), account, no_account;
        "delete account": |id| s.delete_account(a, id), account, no_account;
        "sync": |id| s.sync_account(a, id), account, no_account;
        "calendars": |id| s.calendars(a, id), account, no_account;
        "publish about": |id| s.publish(a, NewPublication { account: Some(id), ..publication("a.b", "1") }, None, None), account, no_account;
        "hook": |id| s.hook(a, id), hook, no_hook;
        "update hook": |id| s.update_hook(a, id, HookChanges::default()), hook, no_hook;
        "delete hook": |id| s.delete_hook(a, id), hook, no_hook;
        "enable": |id| s.enable_hook(a, id, EnableFrom::Now), hook, no_hook;
        "pause": |id| s.pause_hook(a, id), hook, no_hook;
        "disable": |id| s.disable_hook(a, id), hook, no_hook;
        "rotate": |id| s.rotate_hook_secret(a, id, RotateSecret::default()), hook, no_hook;
        "test": |id| s.test_hook(a, id), hook, no_hook;
        "replay": |id| s.create_replay(a, id, replay.clone()), hook, no_hook;
        "replay into": |id| s.create_replay(a, ours, NewReplay { into: Some(id), ..replay.clone() }), hook, no_hook;
        "replay of account": |id| s.create_replay(a, ours, NewReplay { account: Some(id), ..replay.clone() }), account, no_account;
        "count replay": |id| s.count_replay(a, id, replay.clone()), hook, no_hook;
        "count replay into": |id| s.count_replay(a, ours, NewReplay { into: Some(id), ..replay.clone() }), hook, no_hook;
        "ledger": |id| s.ledger(a, id, LedgerQuery::default(), &page), hook, no_hook;
        "ledger summary": |id| s.ledger_summary(a, id, LedgerQuery::default()), hook, no_hook;
        "export ledger": |id| s.export_ledger(a, id, LedgerQuery::default()), hook, no_hook;
        "replays": |id| s.replays(a, id), hook, no_hook;
        "get replay": |id| s.replay(a, hook, id), running, ReplayId(next());
        "cancel replay": |id| s.cancel_replay(a, hook, id), running, ReplayId(next());
        "hook for user": |id| s.create_hook(a, NewHook { user: Some(id), ..new_hook() }), user, no_user;
        "hook for account": |id| s.create_hook(a, NewHook { account: Some(id), ..new_hook() }), account, no_account;
        "change": |id| s.change(a, id), change, ChangeId(next());
    }
    let delivery = DeliveryId(next());
    assert_eq!(s.delivery(a, delivery).await.err(), Some(Error::NotFound("delivery")));
    let unknown = s.inbox_requests(a, InboxId(next())).err();
    assert_eq!(s.inbox_requests(a, inbox).err(), unknown);
    assert!(s.hook(b, hook).await.is_ok() && s.account(b, account).await.is_ok());
}

#[tokio::test]
async fn another_apps_calendars_look_like_unknown_ones_and_no_provider_is_asked() {
    let (setup, asked) = Setup::new().await.with_desk(|_| Err(Refusal::Busy));
    let (s, a) = (&setup.service, &setup.with_scopes(&[Scope::Admin]).await);
    let b = &setup.other_app("b").await;
    let account = s.connect_account(b, new_account()).await.unwrap().id;
    let user = s.upsert_user(b, "ada".into()).await.unwrap().0.id;
    let calendar = calendar_of(&setup, account).await;
    let input = serde_json::json!({"start": "2026-12-02", "end": "2026-12-03"});
    let page = PageInput::default();
    let ids = Ids::seeded(77);
    let next = || ids.next(NOON);
    let (no_account, no_user) = (AccountId(next()), UserId(next()));
    let no_calendar = CollectionId(next());
    same_as_unknown! {
        "connect again": |id| s.begin_connection(a, NewConnection { account: Some(id), ..connection() }), account, no_account;
        "connect for": |id| s.begin_connection(a, NewConnection { user: Some(id), ..connection() }), user, no_user;
        "calendar": |id| s.calendar(a, id), calendar, no_calendar;
        "events": |id| s.events(a, id, EventQuery::default(), &page), calendar, no_calendar;
        "event": |id| s.event(a, id, "x"), calendar, no_calendar;
        "create event": |id| s.create_event(a, id, &input, Notify::None, None), calendar, no_calendar;
        "update event": |id| s.update_event(a, id, "x", &input, Writing::default()), calendar, no_calendar;
        "delete event": |id| s.delete_event(a, id, "x", Writing::default()), calendar, no_calendar;
        "hook for calendar": |id| s.create_hook(a, NewHook { calendar: Some(id), ..new_hook() }), calendar, no_calendar;
    }
    assert!(s.calendar(b, calendar).await.is_ok());
    assert!(asked.list().is_empty(), "{:?}", asked.list());
}

#[tokio::test]
async fn a_token_of_an_end_user_sees_and_reaches_only_what_is_that_users() {
    let setup = Setup::new().await;
    let (s, owner) = (&setup.service, &setup.owner);
    let ada = s.upsert_user(owner, "ada".into()).await.unwrap().0.id;
    let bob = s.upsert_user(owner, "bob".into()).await.unwrap().0.id;
    let scopes = vec![Scope::Read, Scope::Accounts, Scope::Hooks];
    let token = NewToken {
        kind: GrantKind::Session,
        user: Some(ada),
        parent: None,
        name: "session".into(),
        scopes,
        details: serde_json::json!({}),
        expires_at: None,
        text: TokenText::Hex64,
    };
    let token = s.mint_token(owner, token, Vec::new()).await.unwrap().1;
    let caller = &s.authenticate_text(&token, None, &ANY).await.unwrap();
    let of_bob = NewAccount { user: Some(bob), ..new_account() };
    let of_bob = s.connect_account(owner, of_bob).await.unwrap().id;
    let calendar = calendar_of(&setup, of_bob).await;
    s.create_hook(owner, new_hook()).await.unwrap();

    let own = s.connect_account(caller, new_account()).await.unwrap();
    assert_eq!(own.user_id, Some(ada));
    let listed = async |user| {
        let query = AccountQuery { user, ..AccountQuery::default() };
        let page = s.accounts(caller, query, &PageInput::default()).await.unwrap();
        page.items.into_iter().map(|account| account.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(None).await, [own.id]);
    assert_eq!(listed(Some(ada)).await, [own.id]);
    assert!(listed(Some(bob)).await.is_empty());
    for foreign in [
        NewHook { user: Some(bob), ..new_hook() },
        NewHook { account: Some(of_bob), ..new_hook() },
        NewHook { calendar: Some(calendar), ..new_hook() },
        NewHook { except_calendars: vec![calendar], ..new_hook() },
    ] {
        let refused = s.create_hook(caller, foreign).await;
        assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    }
    let hook = s.create_hook(caller, new_hook()).await.unwrap().hook.id;
    let hooks = s.hooks(caller, &PageInput::default()).await.unwrap().items;
    assert_eq!(hooks.into_iter().map(|hook| hook.id).collect::<Vec<_>>(), [hook]);
    let forbidden = Some(Error::Forbidden("admin"));
    assert_eq!(s.changes(caller, 0, None).await.err(), forbidden);
    assert_eq!(s.follow_changes(caller, None).await.err(), forbidden);
    let id = ChangeId(Ids::seeded(79).next(NOON));
    assert_eq!(s.change(caller, id).await.err(), forbidden);
}

fn connection() -> NewConnection {
    NewConnection { provider: "google".into(), ..NewConnection::default() }
}

/// Gives an account of any app a calendar, as the sync would.
async fn calendar_of(setup: &Setup, account: AccountId) -> CollectionId {
    let due = setup.store.due_accounts(NOON, 10).await.unwrap();
    let row = due.into_iter().find(|row| row.id == account).unwrap();
    let id = CollectionId(Ids::seeded(78).next(NOON));
    let mut commit = MirrorCommit::new(row.app_no, row.account_no);
    commit.collections.push(CollectionWrite::Create {
        id,
        external_id: "primary".into(),
        name: None,
        details: "{}".into(),
        announce: None,
    });
    assert!(setup.store.commit_mirror(commit, NOON).await.unwrap());
    id
}

#[tokio::test]
async fn another_apps_cursors_are_refused_and_lists_show_only_ones_own() {
    let setup = Setup::new().await;
    let (s, a) = (&setup.service, &setup.with_scopes(&[Scope::Admin]).await);
    let b = &setup.other_app("b").await;
    for _ in 0..2 {
        setup.hook(b).await;
    }
    let one = PageInput { cursor: None, limit: Some(1) };
    let cursor = s.hooks(b, &one).await.unwrap().next;
    assert!(cursor.is_some());
    let refused = s.hooks(a, &PageInput { cursor: cursor.clone(), limit: None }).await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
    let refused = s.users(b, &PageInput { cursor, limit: None }).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "a cursor of another list");
    assert!(s.hooks(a, &PageInput::default()).await.unwrap().items.is_empty());
    let b_actions = setup.audit(b).await;
    assert!(b_actions.iter().any(|(action, ..)| action == "hook.create"));
    let a_actions = setup.audit(a).await;
    assert!(!a_actions.iter().any(|(action, ..)| action == "hook.create"));
}
