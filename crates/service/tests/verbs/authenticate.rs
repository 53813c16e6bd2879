use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, Ids};
use tidings_core::key::{Token, TokenKind};
use tidings_service::{Error, NewKey, PageInput, Scope};

use crate::setup::{NOON, Setup, new_hook, publication};

#[tokio::test]
async fn malformed_unknown_revoked_and_expired_tokens_get_the_same_answer() {
    let setup = Setup::new().await;
    let key = |expires_at: Option<Timestamp>| NewKey {
        name: "k".into(),
        scopes: vec![Scope::Read],
        expires_at,
        ..NewKey::default()
    };
    let service = &setup.service;
    let revoked = service.create_key(&setup.owner, key(None)).await.unwrap();
    service.revoke_key(&setup.owner, revoked.key.id).await.unwrap();
    let expiring = service.create_key(&setup.owner, key(Some(NOON.plus_ms(1000)))).await.unwrap();
    assert!(service.authenticate(expiring.token.reveal(), None).await.is_ok());
    setup.clock.advance_ms(1000);
    let unknown = Token::generate(TokenKind::ApiKey, &Ids::seeded(99));
    for token in
        ["", "null", "tdk_", unknown.reveal(), revoked.token.reveal(), expiring.token.reveal()]
    {
        let refused = service.authenticate(token, None).await;
        assert_eq!(refused.err(), Some(Error::Unauthenticated), "{token}");
    }
}

#[tokio::test]
async fn an_owner_names_the_app_when_there_are_several() {
    let setup = Setup::new().await;
    let created = setup.service.create_key(&setup.owner, owner_key()).await.unwrap();
    let token = created.token.reveal();
    let only = setup.service.authenticate(token, None).await.unwrap();
    assert_eq!(only.app_id(), Some(setup.app));
    let other = setup.other_app("other").await.app_id().unwrap();
    let unnamed = setup.service.authenticate(token, None).await.unwrap();
    assert_eq!(unnamed.app_id(), None);
    let refused = setup.service.hooks(&unnamed, &PageInput::default()).await;
    assert!(matches!(refused, Err(Error::Malformed(_))), "{refused:?}");
    let named = setup.service.authenticate(token, Some(other)).await.unwrap();
    assert_eq!(named.app_id(), Some(other));
    let unknown = AppId(Ids::seeded(5).next(NOON));
    let refused = setup.service.authenticate(token, Some(unknown)).await;
    assert_eq!(refused.err(), Some(Error::NotFound("app")));
}

fn owner_key() -> NewKey {
    NewKey { kind: tidings_service::GrantKind::Owner, name: "o".into(), ..NewKey::default() }
}

#[tokio::test]
async fn an_app_key_cannot_name_another_app() {
    let setup = Setup::new().await;
    let other = setup.other_app("other").await.app_id().unwrap();
    let own = setup.admin_of(setup.app).await;
    let input = NewKey { name: "k".into(), scopes: vec![Scope::Read], ..NewKey::default() };
    let key = setup.service.create_key(&own, input).await.unwrap();
    let token = key.token.reveal();
    assert!(setup.service.authenticate(token, Some(setup.app)).await.is_ok());
    let refused = setup.service.authenticate(token, Some(other)).await;
    assert_eq!(refused.err(), Some(Error::NotFound("app")));
}

#[tokio::test]
async fn every_scope_opens_what_it_says_and_a_refusal_is_audited() {
    let setup = Setup::new().await;
    for (scope, publish, read, hooks, keys) in [
        (Scope::Admin, true, true, true, true),
        (Scope::Publish, true, false, false, false),
        (Scope::Read, false, true, false, false),
        (Scope::Hooks, false, false, true, false),
        (Scope::Accounts, false, false, false, false),
    ] {
        let caller = setup.with_scopes(&[scope]).await;
        let service = &setup.service;
        let published = service.publish(&caller, publication("a.b", "1"), None, None).await;
        assert_eq!(published.is_ok(), publish, "{scope:?}");
        assert_eq!(service.changes(&caller, 0, None).await.is_ok(), read, "{scope:?}");
        assert_eq!(service.create_hook(&caller, new_hook()).await.is_ok(), hooks, "{scope:?}");
        let key = NewKey { name: "k".into(), scopes: vec![Scope::Read], ..NewKey::default() };
        let key = service.create_key(&caller, key).await;
        assert_eq!(key.is_ok(), keys, "{scope:?}");
        if !keys {
            assert_eq!(key.err(), Some(Error::Forbidden("admin")));
            let (action, _, denied) = setup.audit(&setup.owner).await.remove(0);
            assert_eq!((action.as_str(), denied), ("key.create", true), "{scope:?}");
        }
        assert!(matches!(
            service.create_app(&caller, Default::default()).await,
            Err(Error::Forbidden("owner"))
        ));
    }
}

#[tokio::test]
async fn the_last_use_is_noted_at_most_once_a_minute() {
    let setup = Setup::new().await;
    let input = NewKey { name: "k".into(), scopes: vec![Scope::Read], ..NewKey::default() };
    let key = setup.service.create_key(&setup.owner, input).await.unwrap();
    for (advance, expect) in [(0, 0), (59_999, 0), (1, 60_000)] {
        setup.clock.advance_ms(advance);
        setup.service.authenticate(key.token.reveal(), None).await.unwrap();
        // The note is a write of its own: one that is queued after it is committed after it.
        let noted = loop {
            setup.with_scopes(&[Scope::Read]).await;
            let noted = setup.service.key(&setup.owner, key.key.id).await.unwrap().last_used_at;
            if noted == Some(NOON.plus_ms(expect)) {
                break noted;
            }
        };
        assert_eq!(noted, Some(NOON.plus_ms(expect)));
    }
}

#[tokio::test]
async fn bootstrap_adds_a_chosen_key_once_and_revoked_stays_revoked() {
    let setup = Setup::new().await;
    let chosen = Token::generate(TokenKind::ApiKey, &Ids::seeded(42));
    for _ in 0..2 {
        let started = setup.service.bootstrap(Some(chosen.reveal())).await.unwrap();
        assert!(started.generated.is_none() && started.created_app.is_none());
    }
    let owner = setup.service.authenticate(chosen.reveal(), None).await.unwrap();
    assert!(owner.is_owner());
    setup.service.revoke_key(&setup.owner, owner.grant_id()).await.unwrap();
    setup.service.bootstrap(Some(chosen.reveal())).await.unwrap();
    let refused = setup.service.authenticate(chosen.reveal(), None).await;
    assert_eq!(refused.err(), Some(Error::Unauthenticated));
    let connect = Token::generate(TokenKind::Connect, &Ids::seeded(42));
    for bad in ["", "secret", connect.reveal()] {
        assert!(
            matches!(setup.service.bootstrap(Some(bad)).await, Err(Error::Invalid(_))),
            "{bad}"
        );
    }
    let refused = setup.service.revoke_key(&setup.owner, setup.owner.grant_id()).await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
}
