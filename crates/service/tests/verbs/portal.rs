//! The portal: an end user sees and changes what is theirs, and nothing else is there.

use std::sync::Arc;

use serde_json::json;
use tidings_core::delivery::Members;
use tidings_core::id::{AccountId, DeliveryId, HookId, Ids, ReplayId};
use tidings_core::limits;
use tidings_service::{
    AccountQuery, AppChanges, Caller, DeliveryQuery, EnableFrom, Error, GrantKind, HookChanges,
    HookMatch, LedgerQuery, LedgerState, NewAccount, NewHook, NewKey, NewReplay, NewToken,
    PageInput, PortalInput, ReplayFrom, RotateSecret, Scope, TokenText,
};
use tidings_store::{AttemptRecord, Settle};

use crate::accounts::new_account;
use crate::setup::{ANY, NOON, Setup, new_hook, pointers, publication};

/// Things of one owner: a hook that got a delivery, and a replay.
struct Things {
    hook_no: i64,
    hook: HookId,
    delivery: DeliveryId,
    replay: ReplayId,
}

/// A hook of `caller` that everything of the app's first account goes to, with a delivery and a replay.
async fn furnish(setup: &Setup, caller: &Caller, new: NewHook) -> Things {
    let service = &setup.service;
    let hook = service.create_hook(caller, new).await.unwrap().hook.id;
    let row = setup.store.hooks(caller_app(caller, setup).await, None, 0, 1_000).await.unwrap();
    let row = row.into_iter().find(|row| row.id == hook).unwrap();
    let tested = service.test_hook(caller, hook).await.unwrap();
    let settle = Settle { attempts: vec![attempt(row.hook_no, tested.seq)], ..Settle::default() };
    setup.store.settle(Arc::new(settle), setup.clock.now()).await.unwrap();
    let query = DeliveryQuery { hook: Some(hook), ..DeliveryQuery::default() };
    let found = service.deliveries(caller, query, &PageInput::default()).await.unwrap().items;
    let since = NewReplay::since(ReplayFrom::Seq(1));
    let replay = service.create_replay(caller, hook, since).await.unwrap().id;
    Things { hook_no: row.hook_no, hook, delivery: found[0].id, replay }
}

async fn caller_app(caller: &Caller, setup: &Setup) -> i64 {
    setup.store.app_by_id(caller.app_id().unwrap()).await.unwrap().unwrap().app_no
}

fn attempt(hook_no: i64, seq: u64) -> AttemptRecord {
    AttemptRecord {
        hook_no,
        cursor_no: 0,
        members: Members::single(seq),
        n: 1,
        delivered: true,
        started_at: NOON,
        dns_us: None,
        connect_us: None,
        tls_us: None,
        first_byte_us: None,
        total_us: 9,
        url: "https://example.com/hook".into(),
        address: None,
        status: Some(204),
        error: None,
        request_headers: None,
        response_headers: None,
        response_body: None,
    }
}

/// An end user in the portal.
async fn visitor(setup: &Setup, name: &str) -> Caller {
    let user = setup.service.upsert_user(&setup.owner, name.into()).await.unwrap().0.id;
    let input = PortalInput { user, ttl_s: 600 };
    let link = setup.service.portal_link(&setup.owner, input).await.unwrap();
    setup.service.portal_caller(&link.token).await.unwrap()
}

/// Asserts that a verb answers for things that are not the visitor's exactly as for what nobody has.
macro_rules! not_found {
    ($what:expr; $($verb:literal: $foreign:expr, $unknown:expr;)*) => {$({
        let (foreign, unknown) = ($foreign.await.err(), $unknown.await.err());
        assert_eq!(foreign, unknown, "{} of {}", $verb, $what);
        assert!(matches!(foreign, Some(Error::NotFound(_))), "{} of {}: {foreign:?}", $verb, $what);
    })*};
}

#[tokio::test]
async fn a_visitor_of_the_portal_finds_their_own_hooks_and_no_others() {
    let setup = Setup::new().await;
    let s = &setup.service;
    let (ada, bob) = (visitor(&setup, "ada").await, visitor(&setup, "bob").await);
    let elsewhere = setup.other_app("b").await;
    let theirs = NewHook { user: bob.user_id(), ..new_hook() };
    let all = [
        ("own", furnish(&setup, &ada, new_hook()).await),
        ("another user", furnish(&setup, &bob, new_hook()).await),
        ("another user, made by the app", furnish(&setup, &setup.owner, theirs).await),
        ("nobody", furnish(&setup, &setup.owner, new_hook()).await),
        ("another app", furnish(&setup, &elsewhere, new_hook()).await),
    ];
    let (page, a) = (&PageInput::default(), &ada);
    let [own, ..] = &all;
    let own = &own.1;
    let since = || NewReplay::since(ReplayFrom::Seq(1));
    for (what, their) in &all[1..] {
        let hook_now = async || {
            let row = setup.store.hook_by_no(their.hook_no).await.unwrap().unwrap();
            (row.status, row.updated_at, row.url)
        };
        let before = hook_now().await;
        let ids = Ids::seeded(5);
        let no_hook = HookId(ids.next(NOON));
        let no_delivery = DeliveryId(ids.next(NOON));
        let (hook, delivery) = (their.hook, their.delivery);
        let into = |into| NewReplay { into: Some(into), ..since() };
        not_found! { what;
            "hook": s.hook(a, hook), s.hook(a, no_hook);
            "update": s.update_hook(a, hook, HookChanges::default()), s.update_hook(a, no_hook, HookChanges::default());
            "pause": s.pause_hook(a, hook), s.pause_hook(a, no_hook);
            "disable": s.disable_hook(a, hook), s.disable_hook(a, no_hook);
            "enable": s.enable_hook(a, hook, EnableFrom::Now), s.enable_hook(a, no_hook, EnableFrom::Now);
            "delete": s.delete_hook(a, hook), s.delete_hook(a, no_hook);
            "test": s.test_hook(a, hook), s.test_hook(a, no_hook);
            "call": s.call_hook(a, hook, "{}".into()), s.call_hook(a, no_hook, "{}".into());
            "rotate": s.rotate_hook_secret(a, hook, RotateSecret::default()), s.rotate_hook_secret(a, no_hook, RotateSecret::default());
            "reveal": s.reveal_hook_secret(a, hook), s.reveal_hook_secret(a, no_hook);
            "runs": s.hook_runs(a, hook, 9), s.hook_runs(a, no_hook, 9);
            "stats": s.hook_stats(a, hook, tidings_service::Span::Hour), s.hook_stats(a, no_hook, tidings_service::Span::Hour);
            "ledger": s.ledger(a, hook, LedgerQuery::default(), page), s.ledger(a, no_hook, LedgerQuery::default(), page);
            "ledger summary": s.ledger_summary(a, hook, LedgerQuery::default()), s.ledger_summary(a, no_hook, LedgerQuery::default());
            "ledger export": s.export_ledger(a, hook, LedgerQuery::default()), s.export_ledger(a, no_hook, LedgerQuery::default());
            "replays": s.replays(a, hook), s.replays(a, no_hook);
            "replay": s.replay(a, hook, their.replay), s.replay(a, no_hook, their.replay);
            "replay beside own": s.replay(a, own.hook, their.replay), s.replay(a, own.hook, ReplayId(ids.next(NOON)));
            "cancel": s.cancel_replay(a, hook, their.replay), s.cancel_replay(a, no_hook, their.replay);
            "create replay": s.create_replay(a, hook, since()), s.create_replay(a, no_hook, since());
            "replay into": s.create_replay(a, own.hook, into(hook)), s.create_replay(a, own.hook, into(no_hook));
            "count replay": s.count_replay(a, hook, since()), s.count_replay(a, no_hook, since());
            "delivery": s.delivery(a, delivery), s.delivery(a, no_delivery);
            "attempts": s.attempts(a, delivery), s.attempts(a, no_delivery);
            "request": s.delivery_request(a, delivery), s.delivery_request(a, no_delivery);
            "sign": s.sign_delivery(a, delivery), s.sign_delivery(a, no_delivery);
            "resend": s.resend_delivery(a, delivery), s.resend_delivery(a, no_delivery);
        }
        let query = DeliveryQuery { hook: Some(hook), ..DeliveryQuery::default() };
        assert!(s.deliveries(a, query, page).await.unwrap().items.is_empty(), "{what}");
        assert_eq!(hook_now().await, before, "{what}");
    }
    let seen: Vec<_> = s.hooks(a, page).await.unwrap().items.iter().map(|hook| hook.id).collect();
    assert_eq!(seen, [own.hook]);
    let like = s.hooks_like(a, HookMatch::default()).await.unwrap();
    assert_eq!(like.iter().map(|hook| hook.id).collect::<Vec<_>>(), [own.hook]);
}

#[tokio::test]
async fn a_visitor_does_with_their_own_hook_what_an_app_does() {
    let setup = Setup::new().await;
    let (s, a) = (&setup.service, &visitor(&setup, "ada").await);
    let Things { hook, delivery, replay, .. } = furnish(&setup, a, new_hook()).await;
    let seen = s.hook(a, hook).await.unwrap();
    assert_eq!((seen.user, seen.owner), (a.user_id(), None), "it is theirs, and stays");
    let page = &PageInput::default();
    s.update_hook(a, hook, HookChanges { description: Some("d".into()), ..HookChanges::default() })
        .await
        .unwrap();
    s.pause_hook(a, hook).await.unwrap();
    s.enable_hook(a, hook, EnableFrom::Now).await.unwrap();
    s.test_hook(a, hook).await.unwrap();
    s.rotate_hook_secret(a, hook, RotateSecret::default()).await.unwrap();
    assert_eq!(s.attempts(a, delivery).await.unwrap().len(), 1);
    s.resend_delivery(a, delivery).await.unwrap();
    assert_eq!(s.replays(a, hook).await.unwrap()[0].id, replay);
    s.cancel_replay(a, hook, replay).await.unwrap();
    assert!(!s.ledger(a, hook, LedgerQuery::default(), page).await.unwrap().items.is_empty());
    s.delete_hook(a, hook).await.unwrap();
    let actions = setup.audit(&setup.owner).await;
    assert_eq!(actions[0].0, "hook.delete");
}

#[tokio::test]
async fn what_a_visitor_creates_is_theirs_whatever_they_ask_for() {
    let setup = Setup::new().await;
    let (s, a) = (&setup.service, &visitor(&setup, "ada").await);
    let bob = visitor(&setup, "bob").await.user_id();
    let changes = AppChanges {
        webhook_url: Some(Some("https://app.example.com/hook".into())),
        ..AppChanges::default()
    };
    s.update_app(&setup.owner, setup.app, changes).await.unwrap();
    let theirs = NewHook { user: bob, ..new_hook() };
    assert_eq!(s.create_hook(a, theirs).await.err(), Some(Error::NotFound("user")));
    let nobodys = NewAccount { user: None, ..new_account() };
    let nobodys = s.connect_account(&setup.owner, nobodys).await.unwrap().id;
    for account in [nobodys, AccountId(Ids::seeded(7).next(NOON))] {
        let about = NewHook { account: Some(account), ..new_hook() };
        assert_eq!(s.create_hook(a, about).await.err(), Some(Error::NotFound("account")));
    }
    let nowhere = NewHook { url: None, ..new_hook() };
    assert_eq!(pointers(s.create_hook(a, nowhere).await), ["/url"]);
    let inside = NewHook { url: Some("https://127.0.0.1/".into()), ..new_hook() };
    assert_eq!(pointers(s.create_hook(a, inside).await), ["/url"]);
    for _ in 0..limits::PORTAL_HOOKS_MAX {
        let made = s.create_hook(a, new_hook()).await.unwrap().hook;
        assert_eq!(made.user, a.user_id());
    }
    let one_more = s.create_hook(a, new_hook()).await;
    assert!(matches!(one_more, Err(Error::LimitExceeded { .. })), "{one_more:?}");
}

#[tokio::test]
async fn the_rest_of_the_app_is_closed_to_a_visitor() {
    let setup = Setup::new().await;
    let (s, a) = (&setup.service, &visitor(&setup, "ada").await);
    let account = NewAccount { user: a.user_id(), ..new_account() };
    let account = s.connect_account(&setup.owner, account).await.unwrap().id;
    let change = s.publish(&setup.owner, publication("a.b", "1"), None, None).await.unwrap();
    let change = change.receipts[0].id;
    let inbox = s.create_inbox(&setup.owner).await.unwrap().id;
    let page = &PageInput::default();
    let key = NewKey { name: "k".into(), scopes: vec![Scope::Hooks], ..NewKey::default() };
    let token = NewToken {
        kind: GrantKind::Portal,
        user: a.user_id(),
        parent: None,
        name: "t".into(),
        scopes: vec![Scope::Hooks],
        details: json!({}),
        expires_at: None,
        text: TokenText::Made,
    };
    let user = a.user_id().unwrap();
    for (verb, refused) in [
        ("app", s.app(a, setup.app).await.map(drop)),
        ("apps", s.apps(a, page).await.map(drop)),
        ("update app", s.update_app(a, setup.app, AppChanges::default()).await.map(drop)),
        ("changes", s.changes(a, 0, None).await.map(drop)),
        ("change", s.change(a, change).await.map(drop)),
        ("publish", s.publish(a, publication("a.b", "1"), None, None).await.map(drop)),
        ("account", s.account(a, account).await.map(drop)),
        ("accounts", s.accounts(a, AccountQuery::default(), page).await.map(drop)),
        ("calendars", s.calendars(a, account).await.map(drop)),
        ("sync", s.sync_account(a, account).await.map(drop)),
        ("user", s.user(a, user).await.map(drop)),
        ("users", s.users(a, page).await.map(drop)),
        ("keys", s.keys(a, GrantKind::App, page).await.map(drop)),
        ("create key", s.create_key(a, key).await.map(drop)),
        ("tokens", s.tokens(a, &ANY).await.map(drop)),
        ("mint", s.mint_token(a, token, Vec::new()).await.map(drop)),
        ("portal link", s.portal_link(a, PortalInput { user, ttl_s: 600 }).await.map(drop)),
        ("audit", s.audit(a, page).await.map(drop)),
        ("event types", s.event_types(a, page).await.map(drop)),
        ("overview", s.app_overview(a, tidings_service::Span::Hour).await.map(drop)),
        ("inboxes", s.inboxes(a).map(drop)),
        ("inbox", s.inbox_requests(a, inbox).map(drop)),
        ("create inbox", s.create_inbox(a).await.map(drop)),
        ("delete inbox", s.delete_inbox(a, inbox).await.map(drop)),
    ] {
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{verb}: {refused:?}");
    }
    assert_eq!(s.inboxes(&setup.owner).unwrap().len(), 1);
}

#[tokio::test]
async fn a_ledger_tells_a_visitor_nothing_of_what_was_not_for_them() {
    let setup = Setup::new().await;
    let (s, a) = (&setup.service, &visitor(&setup, "ada").await);
    let hook = s.create_hook(a, new_hook()).await.unwrap().hook.id;
    let test = s.test_hook(a, hook).await.unwrap();
    for kind in ["invoice.paid", "secret.plan", "invoice.sent"] {
        s.publish(&setup.owner, publication(kind, "1"), None, None).await.unwrap();
    }
    let page = &PageInput::default();
    let only_filtered =
        LedgerQuery { state: Some(LedgerState::Filtered), ..LedgerQuery::default() };
    for query in [LedgerQuery::default(), only_filtered] {
        let lines = s.ledger(a, hook, query, page).await.unwrap().items;
        let mut export = s.export_ledger(a, hook, query).await.unwrap();
        let mut exported = Vec::new();
        while let Some(more) = export.next().await.unwrap() {
            exported.extend(more);
        }
        assert_eq!(exported, lines);
        let told: Vec<_> = lines.iter().map(|line| line.change).collect();
        let expected = if query.state.is_some() { vec![] } else { vec![test.id] };
        assert_eq!(told, expected, "{query:?}");
        assert_eq!(export.summary().counts.total(), 1);
    }
    let counts = s.ledger_summary(a, hook, LedgerQuery::default()).await.unwrap().counts;
    assert_eq!((counts.total(), counts.of(LedgerState::Filtered)), (1, 0));
    let all = s.ledger(&setup.owner, hook, LedgerQuery::default(), page).await.unwrap().items;
    assert_eq!(all.len(), 4);
    // What a change became elsewhere is none of theirs either.
    s.create_hook(&setup.owner, new_hook()).await.unwrap();
    for change in all.iter().map(|line| line.change) {
        let query = DeliveryQuery { change: Some(change), ..DeliveryQuery::default() };
        let found = s.deliveries(a, query, page).await.unwrap().items;
        assert!(found.iter().all(|delivery| delivery.hook == hook), "{found:?}");
    }
}

#[tokio::test]
async fn a_link_is_short_lived_for_one_user_and_given_by_those_who_may_do_what_it_does() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let user = service.upsert_user(&setup.owner, "ada".into()).await.unwrap().0.id;
    let both = setup.with_scopes(&[Scope::Accounts, Scope::Hooks]).await;
    for scopes in [&[Scope::Accounts][..], &[Scope::Hooks], &[Scope::Read, Scope::Publish]] {
        let caller = setup.with_scopes(scopes).await;
        let refused = service.portal_link(&caller, PortalInput { user, ttl_s: 600 }).await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{scopes:?}: {refused:?}");
        assert_eq!(
            setup.audit(&setup.owner).await[0],
            ("token.create".into(), user.to_string(), true)
        );
    }
    for ttl_s in [0, 59, 86_401, u32::MAX] {
        let refused = service.portal_link(&both, PortalInput { user, ttl_s }).await;
        assert_eq!(pointers(refused), ["/ttl_s"]);
    }
    let other = setup.other_app("b").await;
    let foreign = service.portal_link(&other, PortalInput { user, ttl_s: 600 }).await;
    assert_eq!(foreign.err(), Some(Error::NotFound("user")));

    let link = service.portal_link(&both, PortalInput { user, ttl_s: 60 }).await.unwrap();
    assert_eq!(link.expires_at, NOON.plus_ms(60_000));
    assert!(!format!("{link:?}").contains(&link.token));
    let caller = service.portal_caller(&link.token).await.unwrap();
    assert_eq!((caller.kind(), caller.user_id()), (GrantKind::Portal, Some(user)));
    let hook = service.create_hook(&caller, new_hook()).await.unwrap().hook.id;
    // It opens nothing but the portal.
    assert!(service.authenticate(&link.token, None).await.is_err());
    assert!(service.authenticate_text(&link.token, None, &ANY).await.is_err());
    setup.clock.advance_ms(60_000);
    assert_eq!(service.portal_caller(&link.token).await.err(), Some(Error::Unauthenticated));

    let link = service.portal_link(&both, PortalInput { user, ttl_s: 60 }).await.unwrap();
    let caller = service.portal_caller(&link.token).await.unwrap();
    service.revoke_key(&setup.owner, caller.grant_id()).await.unwrap();
    assert!(service.portal_caller(&link.token).await.is_err(), "revoked");
    assert!(service.hook(&setup.owner, hook).await.is_ok(), "what it made stays");
    let link = service.portal_link(&both, PortalInput { user, ttl_s: 60 }).await.unwrap();
    service.delete_user(&setup.owner, user).await.unwrap();
    assert!(service.portal_caller(&link.token).await.is_err(), "its user is gone");
    assert!(service.hook(&setup.owner, hook).await.is_err(), "and so is the hook");
    assert_eq!(service.public_link("/portal/x"), "/portal/x", "no public_url is configured");
}
