//! What a format makes of its hooks, named filters, finding hooks, calling them, and the start.

use bytes::Bytes;
use tidings_core::hook::{HookStatus, OnExhausted, Ordering};
use tidings_core::id::HookId;
use tidings_providers::errand::{Called, Errand, Reply};
use tidings_service::{
    Coalescing, EnableFrom, Error, Hook, HookChanges, HookMatch, NamedFilter, NewHook, NewKey,
    OrderingKind, Scope, Serving,
};

use crate::accounts::new_account;
use crate::setup::{Setup, new_hook, pointers, publication};

fn throttled() -> NewHook {
    NewHook { format: Some("throttled".into()), ..new_hook() }
}

#[tokio::test]
async fn a_hook_begins_as_its_format_has_it_and_its_own_words_win() {
    let setup = Setup::new().await;
    let create = |input| setup.service.create_hook(&setup.owner, input);
    let plain = setup.hook(&setup.owner).await.hook;
    assert_eq!((plain.breaker, plain.jitter, plain.merges), (true, true, false));
    assert_eq!((plain.retry.len(), plain.ordering, plain.coalesce), (14, Ordering::None, None));

    let hook = create(throttled()).await.unwrap().hook;
    assert_eq!((hook.breaker, hook.jitter, hook.merges), (false, false, true));
    assert_eq!((hook.retry, hook.ordering), (vec![0, 5, 10], Ordering::Hook));
    assert_eq!(hook.on_exhausted, OnExhausted::Continue);
    assert_eq!(hook.coalesce.unwrap().min_interval_ms, 5_000);
    assert_eq!((hook.disable.failing_ms, hook.disable.failures), (None, Some(3)));

    let serving = Serving {
        retry: Some(vec![0, 1]),
        breaker: Some(true),
        coalesce: Some(None),
        ..Serving::default()
    };
    let own = create(NewHook { serving, ..throttled() }).await.unwrap().hook;
    assert_eq!((own.retry, own.breaker, own.coalesce), (vec![0, 1], true, None));
    assert!(!own.merges, "without requests that are shared nothing can be taken in");
}

#[tokio::test]
async fn merging_is_for_hooks_that_send_one_by_one_and_share_requests() {
    let setup = Setup::new().await;
    let merges = |ordering, coalesce| {
        let serving = Serving { merges: Some(true), ordering, coalesce, ..Serving::default() };
        setup.service.create_hook(&setup.owner, NewHook { serving, ..new_hook() })
    };
    let (hook, shared) = (Some(OrderingKind::Hook), Some(Some(Coalescing::default())));
    for (ordering, coalesce) in [(None, None), (hook, None), (None, shared)] {
        assert_eq!(pointers(merges(ordering, coalesce).await), ["/merges"]);
    }
    assert!(merges(hook, shared).await.unwrap().hook.merges);
}

#[tokio::test]
async fn a_format_may_take_any_url_and_leave_the_refusal_to_the_deliveries() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    for url in ["yololo", "http://127.0.0.1/x", "ftp://example.com/"] {
        let input = NewHook { url: Some(url.into()), ..throttled() };
        let hook = service.create_hook(owner, input).await.unwrap().hook;
        assert_eq!(hook.url.as_deref(), Some(url));
        let changes = HookChanges { url: Some("other".into()), ..HookChanges::default() };
        service.update_hook(owner, hook.id, changes).await.unwrap();
        service.disable_hook(owner, hook.id).await.unwrap();
        let enabled = service.enable_hook(owner, hook.id, EnableFrom::Usual).await.unwrap();
        assert_eq!(enabled.status, HookStatus::Active);
    }
    for url in [String::new(), "a\0b".into(), "a".repeat(2_049)] {
        let input = NewHook { url: Some(url), ..throttled() };
        assert_eq!(pointers(service.create_hook(owner, input).await), ["/url"]);
    }
}

#[tokio::test]
async fn enabling_goes_on_where_the_format_says_unless_told() {
    for (format, from, cursor) in [
        ("native", EnableFrom::Usual, 0),
        ("native", EnableFrom::Now, 1),
        ("throttled", EnableFrom::Usual, 1),
        ("throttled", EnableFrom::Backlog, 0),
    ] {
        let setup = Setup::new().await;
        let (service, owner) = (&setup.service, &setup.owner);
        let input = NewHook { format: Some(format.into()), ..new_hook() };
        let hook = service.create_hook(owner, input).await.unwrap().hook;
        service.disable_hook(owner, hook.id).await.unwrap();
        service.publish(owner, publication("invoice.paid", "{}"), None, None).await.unwrap();
        service.enable_hook(owner, hook.id, from).await.unwrap();
        let settled = setup.store.settled_seq(1, 1).await.unwrap();
        assert_eq!(settled, cursor, "{format} {from:?}");
    }
}

fn named(name: &str, filter: &str) -> NamedFilter {
    NamedFilter { name: name.into(), filter: filter.into() }
}

#[tokio::test]
async fn named_filters_are_checked_shown_and_replaced_as_a_whole() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let rule = r#"{"path":"/data/n","eq":1}"#;
    let with = |named| NewHook { named, ..new_hook() };
    for (list, pointer) in [
        (vec![named("", rule)], "/named/0/name"),
        (vec![named("a", rule), named("a", rule)], "/named/1/name"),
        (vec![named("a", r#"{"path":"/data/n","is":1}"#)], "/named/0/filter/is"),
        (vec![named("a", rule); 51], "/named"),
    ] {
        assert_eq!(pointers(service.create_hook(owner, with(list)).await), [pointer]);
    }
    let two = vec![named("a", rule), named("b", rule)];
    let hook = service.create_hook(owner, with(two.clone())).await.unwrap().hook;
    assert_eq!(hook.named, two);
    let same = service.update_hook(owner, hook.id, HookChanges::default()).await.unwrap();
    assert_eq!(same.named, two);
    let changes = HookChanges { named: Some(vec![]), ..HookChanges::default() };
    assert_eq!(service.update_hook(owner, hook.id, changes).await.unwrap().named, []);
}

#[tokio::test]
async fn calendars_that_are_left_out_are_the_apps_own() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let account = service.connect_account(owner, new_account()).await.unwrap();
    setup.calendar(account.id, "home").await;
    let home = service.calendars(owner, account.id).await.unwrap()[0].id;
    let input = NewHook { except_calendars: vec![home], ..new_hook() };
    let hook = service.create_hook(owner, input).await.unwrap().hook;
    assert_eq!(hook.except_calendars, [home]);
    let changes = HookChanges { except_calendars: Some(vec![]), ..HookChanges::default() };
    assert_eq!(service.update_hook(owner, hook.id, changes).await.unwrap().except_calendars, []);

    let other = setup.other_app("other").await;
    let input = NewHook { except_calendars: vec![home], ..new_hook() };
    let foreign = service.create_hook(&other, input).await;
    assert_eq!(foreign.err(), Some(Error::NotFound("calendar")));
}

fn ids(hooks: &[Hook]) -> Vec<HookId> {
    hooks.iter().map(|hook| hook.id).collect()
}

#[tokio::test]
async fn hooks_are_found_by_what_they_are_like_within_the_app() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    let key = NewKey { name: "k".into(), scopes: vec![Scope::Hooks], ..NewKey::default() };
    let key = service.create_key(owner, key).await.unwrap();
    let maker = service.authenticate(key.token.reveal(), None).await.unwrap();
    let first = setup.hook(owner).await.hook;
    let input = NewHook {
        url: Some("https://example.com/2".into()),
        external_id: Some("x".into()),
        ..throttled()
    };
    let second = service.create_hook(&maker, input).await.unwrap().hook;
    assert_eq!((first.owner, second.owner), (None, Some(maker.grant_id())));
    let any = HookMatch::default;
    for (like, found) in [
        (any(), vec![first.id, second.id]),
        (HookMatch { format: Some("native".into()), ..any() }, vec![first.id]),
        (HookMatch { format: Some("throttled@1".into()), ..any() }, vec![second.id]),
        (HookMatch { format: Some("throttled@2".into()), ..any() }, vec![]),
        (HookMatch { url: first.url.clone(), ..any() }, vec![first.id]),
        (HookMatch { external_id: Some("x".into()), ..any() }, vec![second.id]),
        (HookMatch { external_id: Some("y".into()), ..any() }, vec![]),
        (HookMatch { owner: Some(maker.grant_id()), ..any() }, vec![second.id]),
        (HookMatch { owner: Some(owner.grant_id()), ..any() }, vec![]),
    ] {
        let hooks = service.hooks_like(&maker, like.clone()).await.unwrap();
        assert_eq!(ids(&hooks), found, "{like:?}");
    }
    let owned = service.hooks_owned_by(owner, Some(maker.grant_id())).await.unwrap();
    assert_eq!(ids(&owned), [second.id]);
    assert_eq!(ids(&service.hooks_owned_by(owner, None).await.unwrap()), [first.id, second.id]);
    let other = setup.other_app("other").await;
    assert_eq!(service.hooks_like(&other, any()).await.unwrap(), []);
    let foreign = HookMatch { owner: Some(maker.grant_id()), ..any() };
    assert_eq!(service.hooks_like(&other, foreign).await.unwrap(), []);
}

#[tokio::test]
async fn a_hook_is_called_through_the_desk_whatever_its_status() {
    let called = Called { status: Some(418), why: None };
    let answer = called.clone();
    let (setup, asked) = Setup::new().await.with_desk(move |_| Ok(Reply::Called(answer.clone())));
    let (service, owner) = (&setup.service, &setup.owner);
    let id = setup.hook(owner).await.hook.id;
    service.disable_hook(owner, id).await.unwrap();
    let body = Bytes::from_static(b"{\"messages\":[\"test\"]}");
    assert_eq!(service.call_hook(owner, id, body.clone()).await.unwrap(), called);
    let Errand::Call { hook_no: 1, body: sent } = asked.last() else { panic!() };
    assert_eq!(sent, body);
    let hook = service.hook(owner, id).await.unwrap();
    assert_eq!((hook.runs, hook.status), (0, HookStatus::Disabled));
    let reader = setup.with_scopes(&[Scope::Read]).await;
    let forbidden = service.call_hook(&reader, id, body.clone()).await;
    assert_eq!(forbidden.err(), Some(Error::Forbidden("hooks")));
    let other = setup.other_app("other").await;
    assert_eq!(service.call_hook(&other, id, body).await.err(), Some(Error::NotFound("hook")));
}

#[tokio::test]
async fn a_start_is_told_once_to_active_hooks_that_ask_for_it_and_to_no_wildcard() {
    let setup = Setup::new().await;
    let (service, owner) = (&setup.service, &setup.owner);
    setup.hook(owner).await;
    let all = NewHook { triggers: vec!["*".into(), "service.*".into()], ..new_hook() };
    service.create_hook(owner, all).await.unwrap();
    assert_eq!(service.announce_start().await.unwrap(), 0, "nobody asked by name");

    let asking = || NewHook { triggers: vec!["service.started".into()], ..new_hook() };
    let hook = service.create_hook(owner, asking()).await.unwrap().hook;
    service.create_hook(owner, asking()).await.unwrap();
    let other = setup.other_app("other").await;
    let paused = service.create_hook(&other, asking()).await.unwrap().hook;
    service.pause_hook(&other, paused.id).await.unwrap();
    assert_eq!(service.announce_start().await.unwrap(), 1, "one app, however many of its hooks");
    let changes = service.changes(owner, 0, None).await.unwrap().changes;
    let kinds: Vec<_> = changes.iter().map(|change| change.kind.as_str()).collect();
    assert_eq!(kinds, ["service.started"]);
    assert!(service.changes(&other, 0, None).await.unwrap().changes.is_empty());
    service.delete_hook(owner, hook.id).await.unwrap();
    assert_eq!(service.announce_start().await.unwrap(), 1);
}
