//! Tokens of every kind: who may hand them out, whom they let in, and how they end.

use serde_json::json;
use tidings_core::limits;
use tidings_service::{
    Announcement, Caller, Error, GrantKind, NewToken, Scope, TokenChanges, TokenText, UserChanges,
};
use zeroize::Zeroizing;

use crate::setup::{ANY, Setup, new_hook};

fn token(kind: GrantKind, scopes: &[Scope]) -> NewToken {
    NewToken {
        kind,
        user: None,
        parent: None,
        name: "t".into(),
        scopes: scopes.to_vec(),
        details: json!({"a": 1}),
        expires_at: None,
        text: TokenText::Made,
    }
}

fn told(kind: &str) -> Vec<Announcement> {
    let data = json!({"access": {"name": "t"}});
    vec![Announcement { kind: kind.into(), collection: None, item: None, order_key: None, data }]
}

async fn minted(setup: &Setup, by: &Caller, new: NewToken) -> Zeroizing<String> {
    setup.service.mint_token(by, new, Vec::new()).await.unwrap().1
}

#[tokio::test]
async fn a_token_of_any_shape_lets_its_holder_in_with_what_it_carries() {
    let setup = Setup::new().await;
    let ada = setup.service.upsert_user(&setup.owner, "ada".into()).await.unwrap().0;
    for (text, length) in [
        (TokenText::Made, 40),
        (TokenText::Hex64, 64),
        (TokenText::Given(Zeroizing::new("aaa.bbb.ccc".into())), 11),
    ] {
        let new = NewToken {
            user: Some(ada.id),
            text,
            ..token(GrantKind::Session, &[Scope::Read, Scope::Records])
        };
        let (key, text) = setup.service.mint_token(&setup.owner, new, Vec::new()).await.unwrap();
        assert_eq!(text.len(), length);
        assert_eq!((key.kind, key.user), (GrantKind::Session, Some(ada.id)));
        assert_eq!(key.parent, Some(setup.owner.grant_id()));
        let caller = setup.service.authenticate_text(&text, None, &ANY).await.unwrap();
        assert_eq!((caller.kind(), caller.grant_id()), (GrantKind::Session, key.id));
        assert_eq!((caller.user_id(), caller.user_external_id()), (Some(ada.id), Some("ada")));
        assert_eq!((caller.details(), caller.name()), (&json!({"a": 1}), "t"));
        assert_eq!(caller.app_id(), Some(setup.app));
        assert!(caller.may(Scope::Records).is_ok() && caller.may(Scope::Hooks).is_err());
        // It opens only what it was made for.
        let others = [GrantKind::Owner, GrantKind::App, GrantKind::Connect, GrantKind::Access];
        let elsewhere = setup.service.authenticate_text(&text, None, &others).await;
        assert_eq!(elsewhere.err(), Some(Error::Unauthenticated));
        let native = setup.service.authenticate(&text, None).await;
        assert_eq!(native.err(), Some(Error::Unauthenticated));
    }
    for stranger in ["", "aaa.bbb.ccd", &"x".repeat(limits::TOKEN_BYTES_MAX + 1)] {
        let refused = setup.service.authenticate_text(stranger, None, &ANY).await;
        assert_eq!(refused.err(), Some(Error::Unauthenticated));
    }
}

#[tokio::test]
async fn a_revoked_key_ends_its_sessions_and_a_revoked_token_all_that_it_made() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let ada = service.upsert_user(&setup.owner, "ada".into()).await.unwrap().0;
    let key = setup.with_scopes(&[Scope::Accounts, Scope::Read]).await;
    let session = NewToken { user: Some(ada.id), ..token(GrantKind::Session, &[Scope::Read]) };
    let session = minted(&setup, &key, session).await;
    service.authenticate_text(&session, None, &ANY).await.unwrap();
    service.revoke_key(&setup.owner, key.grant_id()).await.unwrap();
    let refused = service.authenticate_text(&session, None, &ANY).await;
    assert_eq!(refused.err(), Some(Error::Unauthenticated));

    let root = NewToken { user: Some(ada.id), ..token(GrantKind::Access, &[Scope::Read]) };
    let root = minted(&setup, &setup.owner, root).await;
    let root = service.authenticate_text(&root, None, &ANY).await.unwrap();
    let child = NewToken { user: Some(ada.id), ..token(GrantKind::Access, &[Scope::Read]) };
    let child = minted(&setup, &root, child).await;
    service.authenticate_text(&child, None, &ANY).await.unwrap();
    service.revoke_key(&setup.owner, root.grant_id()).await.unwrap();
    let refused = service.authenticate_text(&child, None, &ANY).await;
    assert_eq!(refused.err(), Some(Error::Unauthenticated));
}

#[tokio::test]
async fn codes_and_refresh_tokens_let_nobody_in_and_are_taken_once() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let ada = service.upsert_user(&setup.owner, "ada".into()).await.unwrap().0;
    for kind in [GrantKind::Code, GrantKind::Refresh] {
        let new = NewToken { user: Some(ada.id), ..token(kind, &[Scope::Connect]) };
        let text = minted(&setup, &setup.owner, new).await;
        let refused = service.authenticate_text(&text, None, &ANY).await;
        assert_eq!(refused.err(), Some(Error::Unauthenticated), "{kind:?}");
        let refused = service.authenticate(&text, None).await;
        assert_eq!(refused.err(), Some(Error::Unauthenticated), "{kind:?}");
        assert!(service.take_token(&text, GrantKind::Connect).await.unwrap().is_none());
        let taken = service.take_token(&text, kind).await.unwrap().unwrap();
        assert_eq!(taken.user_id(), Some(ada.id));
        assert!(service.take_token(&text, kind).await.unwrap().is_none(), "{kind:?} taken twice");

        // What was taken may be traded, for its own user and no more than it had.
        let bearer =
            NewToken { user: Some(ada.id), ..token(GrantKind::Connect, &[Scope::Connect]) };
        let bearer = service.mint_token(&taken, bearer, Vec::new()).await.unwrap();
        assert_eq!(bearer.0.parent, Some(taken.grant_id()));
        assert!(service.authenticate(&bearer.1, None).await.is_ok());
    }
}

#[tokio::test]
async fn nobody_gives_more_than_they_have_or_for_another_user() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let ada = service.upsert_user(&setup.owner, "ada".into()).await.unwrap().0.id;
    let bob = service.upsert_user(&setup.owner, "bob".into()).await.unwrap().0.id;
    let of_ada =
        NewToken { user: Some(ada), ..token(GrantKind::Access, &[Scope::Read, Scope::Hooks]) };
    let of_ada = minted(&setup, &setup.owner, of_ada).await;
    let of_ada = service.authenticate_text(&of_ada, None, &ANY).await.unwrap();
    let accounts = setup.with_scopes(&[Scope::Accounts]).await;
    let reader = setup.with_scopes(&[Scope::Read]).await;
    for (who, by, user, scope, may) in [
        ("ada", &of_ada, Some(ada), Scope::Read, true),
        ("ada", &of_ada, Some(ada), Scope::Records, false),
        ("ada", &of_ada, Some(bob), Scope::Read, false),
        ("ada", &of_ada, None, Scope::Read, false),
        ("accounts", &accounts, Some(bob), Scope::Accounts, true),
        ("accounts", &accounts, Some(bob), Scope::Connect, true),
        ("accounts", &accounts, Some(bob), Scope::Read, false),
        ("accounts", &accounts, Some(bob), Scope::Admin, false),
        ("reader", &reader, Some(bob), Scope::Read, false),
        ("owner", &setup.owner, Some(bob), Scope::Admin, true),
    ] {
        let new = NewToken { user, ..token(GrantKind::Access, &[scope]) };
        let made = service.mint_token(by, new, Vec::new()).await;
        assert_eq!(made.is_ok(), may, "{who} for {user:?} {scope:?}: {made:?}");
        if !may {
            assert!(matches!(made, Err(Error::Forbidden(_))), "{who}: {made:?}");
        }
    }
    for kind in [GrantKind::Owner, GrantKind::App] {
        let key = service.mint_token(&setup.owner, token(kind, &[Scope::Read]), Vec::new()).await;
        assert!(matches!(key, Err(Error::Invalid(_))), "{kind:?} minted");
    }
    let long = json!({"a": "x".repeat(limits::DETAILS_BYTES_MAX)});
    for details in [json!([]), json!("x"), long] {
        let new = NewToken { details, ..token(GrantKind::Access, &[]) };
        assert!(matches!(
            service.mint_token(&setup.owner, new, Vec::new()).await,
            Err(Error::Invalid(_))
        ));
    }
}

#[tokio::test]
async fn a_chosen_token_works_in_its_own_app_only_and_tells_nothing_of_others() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let other = setup.other_app("other").await;
    let chosen = || NewToken {
        text: TokenText::Given(Zeroizing::new("my-secret".into())),
        ..token(GrantKind::Access, &[Scope::Read])
    };
    let owner = setup.admin_of(setup.app).await;
    let mine = service.mint_token(&owner, chosen(), Vec::new()).await.unwrap().0;
    let theirs = service.mint_token(&other, chosen(), Vec::new()).await.unwrap().0;
    let again = service.mint_token(&other, chosen(), Vec::new()).await;
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
    for (app, key) in [(setup.app, mine), (other.app_id().unwrap(), theirs)] {
        let caller = service.authenticate_text("my-secret", Some(app), &ANY).await.unwrap();
        assert_eq!(caller.grant_id(), key.id);
        assert_eq!(key.hint, "", "a short token is shown in part");
    }
    let unnamed = service.authenticate_text("my-secret", None, &ANY).await;
    assert_eq!(unnamed.err(), Some(Error::Unauthenticated));
    for bad in ["abc", "with space", "späm", ""] {
        let text = TokenText::Given(Zeroizing::new(bad.into()));
        let new = NewToken { text, ..token(GrantKind::Access, &[]) };
        let made = service.mint_token(&other, new, Vec::new()).await;
        assert!(matches!(made, Err(Error::Invalid(_))), "{bad}");
    }
}

#[tokio::test]
async fn a_session_lasts_while_it_is_used_and_five_minutes_longer() {
    let setup = Setup::new().await;
    let text = minted(&setup, &setup.owner, token(GrantKind::Session, &[Scope::Read])).await;
    let lives = async || setup.service.authenticate_text(&text, None, &ANY).await.is_ok();
    for _ in 0..5 {
        setup.clock.advance_ms(limits::SESSION_IDLE_MS - 1_000);
        assert!(lives().await);
        // Known by now: this is answered without the store, and prolongs it no less.
        assert!(lives().await);
    }
    setup.clock.advance_ms(limits::SESSION_IDLE_MS);
    assert!(!lives().await, "an idle session lives on");
    assert!(!lives().await);
}

#[tokio::test]
async fn ending_a_token_ends_what_it_made_at_once_with_their_hooks() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let ada = service.upsert_user(&setup.owner, "ada".into()).await.unwrap().0.id;
    let access =
        || NewToken { user: Some(ada), ..token(GrantKind::Access, &[Scope::Read, Scope::Hooks]) };
    let root = minted(&setup, &setup.owner, access()).await;
    let root = service.authenticate_text(&root, None, &ANY).await.unwrap();
    let (child, text) = service.mint_token(&root, access(), told("access.created")).await.unwrap();
    let child_caller = service.authenticate_text(&text, None, &ANY).await.unwrap();
    let (sister, sister_text) = service.mint_token(&root, access(), Vec::new()).await.unwrap();
    let sister_caller = service.authenticate_text(&sister_text, None, &ANY).await.unwrap();
    let hook = service.create_hook(&child_caller, new_hook()).await.unwrap().hook;
    let kept = service.create_hook(&sister_caller, new_hook()).await.unwrap().hook;

    let refused = service.revoke_token_tree(&child_caller, sister.id, Vec::new()).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))), "a sister was ended: {refused:?}");
    let ended = service.revoke_token_tree(&root, child.id, told("access.deleted")).await.unwrap();
    assert_eq!(ended, [child.id]);
    let refused = service.authenticate_text(&text, None, &ANY).await;
    assert_eq!(refused.err(), Some(Error::Unauthenticated), "a revoked token is still known");
    assert!(service.hook(&setup.owner, hook.id).await.is_err());
    assert!(service.hook(&setup.owner, kept.id).await.is_ok());
    let changes = service.changes(&setup.owner, 0, None).await.unwrap().changes;
    let kinds: Vec<_> = changes.iter().map(|change| change.kind.as_str()).collect();
    assert_eq!(kinds, ["access.created", "access.deleted"]);
    let journal = setup.store.changes(1, 0, 9).await.unwrap();
    assert!(journal.iter().all(|change| change.new.subject.user_no.is_some()));
    // A token may end itself.
    let itself = service.revoke_token_tree(&sister_caller, sister.id, Vec::new()).await.unwrap();
    assert_eq!(itself, [sister.id]);
    assert!(service.authenticate_text(&sister_text, None, &ANY).await.is_err());
}

#[tokio::test]
async fn tokens_are_listed_read_and_changed_within_app_and_user() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let admin = setup.admin_of(setup.app).await;
    let other = setup.other_app("other").await;
    let ada = service.upsert_user(&admin, "ada".into()).await.unwrap().0.id;
    let of_ada = NewToken { user: Some(ada), ..token(GrantKind::Access, &[Scope::Read]) };
    let (key, text) = service.mint_token(&admin, of_ada, Vec::new()).await.unwrap();
    let (free, _) = service
        .mint_token(&admin, token(GrantKind::Access, &[Scope::Read]), Vec::new())
        .await
        .unwrap();
    let of_ada = service.authenticate_text(&text, None, &ANY).await.unwrap();
    let ids = async |by: &Caller| {
        let found = service.tokens(by, &[GrantKind::Access]).await.unwrap();
        found.into_iter().map(|key| key.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&admin).await, [key.id, free.id]);
    assert_eq!(ids(&of_ada).await, [key.id]);
    assert!(ids(&other).await.is_empty());
    for (by, id, seen) in [
        (&admin, free.id, true),
        (&of_ada, key.id, true),
        (&of_ada, free.id, false),
        (&other, key.id, false),
    ] {
        assert_eq!(service.token(by, id).await.is_ok(), seen);
    }
    let changes = TokenChanges {
        name: Some("new".into()),
        details: Some(json!({"b": 2})),
        ..TokenChanges::default()
    };
    let updated = service
        .update_token(&admin, key.id, changes.clone(), told("access.updated"))
        .await
        .unwrap();
    assert_eq!((&*updated.name, &updated.details), ("new", &json!({"b": 2})));
    let caller = service.authenticate_text(&text, None, &ANY).await.unwrap();
    assert_eq!(caller.details(), &json!({"b": 2}), "what was known before is served");
    let refused = service.update_token(&other, key.id, changes, Vec::new()).await;
    assert_eq!(refused.err(), Some(Error::NotFound("token")));
    let more = TokenChanges { scopes: Some(vec![Scope::Admin]), ..TokenChanges::default() };
    let refused = service.update_token(&caller, key.id, more, Vec::new()).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
}

#[tokio::test]
async fn a_user_who_is_renamed_is_seen_so_by_a_known_caller() {
    let setup = Setup::new().await;
    let ada = setup.service.upsert_user(&setup.owner, "ada".into()).await.unwrap().0.id;
    let new = NewToken { user: Some(ada), ..token(GrantKind::Session, &[Scope::Read]) };
    let text = minted(&setup, &setup.owner, new).await;
    for _ in 0..2 {
        setup.service.authenticate_text(&text, None, &ANY).await.unwrap();
    }
    let changes = UserChanges { external_id: Some(Some("eve".into())), ..UserChanges::default() };
    setup.service.update_user(&setup.owner, ada, changes, |_| Vec::new()).await.unwrap();
    let caller = setup.service.authenticate_text(&text, None, &ANY).await.unwrap();
    assert_eq!(caller.user_external_id(), Some("eve"));
}

#[test]
fn debug_shows_no_token() {
    let given = TokenText::Given(Zeroizing::new("sesame".into()));
    assert!(!format!("{given:?}").contains("sesame"));
}
