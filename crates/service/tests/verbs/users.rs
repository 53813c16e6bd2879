//! End users: described, renamed, and deleted with all that is theirs.

use serde_json::json;
use tidings_core::limits;
use tidings_service::{
    Announcement, ConnectToken, Error, GrantKind, NewAccount, NewHook, NewToken, NewUser,
    PageInput, Scope, TokenText, User, UserChanges,
};

use crate::accounts::new_account;
use crate::setup::{ANY, Setup, new_hook};

fn told(user: &User) -> Vec<Announcement> {
    let data = json!({"user": {"id": user.id, "name": user.name}});
    let kind = "user.joined".into();
    vec![Announcement { kind, collection: None, item: None, order_key: None, data }]
}

#[tokio::test]
async fn a_user_is_told_of_when_created_and_found_as_it_is_after_that() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let new = |name: &str| NewUser {
        external_id: Some("ada".into()),
        name: Some(name.into()),
        details: json!({"timezone": "Europe/Paris"}),
    };
    let (ada, created) = service.create_user(&setup.owner, new("Ada"), told).await.unwrap();
    let (same, again) = service.create_user(&setup.owner, new("Eve"), told).await.unwrap();
    assert_eq!((created, again, &ada), (true, false, &same));
    assert_eq!(ada.details, json!({"timezone": "Europe/Paris"}));
    let changes = service.changes(&setup.owner, 0, None).await.unwrap().changes;
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].kind, "user.joined");
    let journal = setup.store.changes(1, 0, 9).await.unwrap();
    assert!(journal[0].new.subject.user_no.is_some());
    let body: serde_json::Value =
        serde_json::from_slice(changes[0].data.as_ref().unwrap()).unwrap();
    assert_eq!(body, json!({"user": {"id": ada.id, "name": "Ada"}}));
    let named = service.user_named(&setup.owner, "ada").await.unwrap();
    assert_eq!(named, Some(ada));
    assert_eq!(service.user_named(&setup.owner, "eve").await.unwrap(), None);

    let unnamed = service.create_user(&setup.owner, NewUser::default(), |_| Vec::new()).await;
    assert_eq!(unnamed.unwrap().0.external_id, None);
    for bad in [
        NewUser { external_id: Some("\u{1}usr".into()), ..NewUser::default() },
        NewUser { name: Some(" ".into()), ..NewUser::default() },
        NewUser { details: json!([]), ..NewUser::default() },
        NewUser {
            details: json!({"a": "x".repeat(limits::DETAILS_BYTES_MAX)}),
            ..NewUser::default()
        },
    ] {
        let refused = service.create_user(&setup.owner, bad.clone(), told).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{bad:?}");
    }
}

#[tokio::test]
async fn a_user_is_changed_by_whoever_may_and_told_of_as_it_will_be() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let ada = service.upsert_user(&setup.owner, "ada".into()).await.unwrap().0;
    service.upsert_user(&setup.owner, "bob".into()).await.unwrap();
    let name = |name: &str| UserChanges { name: Some(Some(name.into())), ..UserChanges::default() };
    setup.clock.advance_ms(5);
    let user = service.update_user(&setup.owner, ada.id, name("Ada"), told).await.unwrap();
    assert_eq!((user.name.as_deref(), user.updated_at), (Some("Ada"), setup.clock.now()));
    let changes = service.changes(&setup.owner, 0, None).await.unwrap().changes;
    let body: serde_json::Value =
        serde_json::from_slice(changes[0].data.as_ref().unwrap()).unwrap();
    assert_eq!(body["user"]["name"], "Ada");
    let taken = UserChanges { external_id: Some(Some("bob".into())), ..UserChanges::default() };
    let refused = service.update_user(&setup.owner, ada.id, taken, told).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    let reader = setup.with_scopes(&[Scope::Read]).await;
    let refused = service.update_user(&reader, ada.id, name("x"), told).await;
    assert_eq!(refused.err(), Some(Error::Forbidden("accounts")));
    let other = setup.other_app("other").await;
    let refused = service.update_user(&other, ada.id, name("x"), told).await;
    assert_eq!(refused.err(), Some(Error::NotFound("user")));
}

#[tokio::test]
async fn deleting_a_user_ends_tokens_hooks_and_accounts_at_once() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let ada = service.upsert_user(&setup.owner, "ada".into()).await.unwrap().0.id;
    let bob = service.upsert_user(&setup.owner, "bob".into()).await.unwrap().0.id;
    let token =
        service.mint_connect_token(&setup.owner, ada, ConnectToken::default()).await.unwrap();
    service.authenticate(token.token.reveal(), None).await.unwrap();
    let account = NewAccount { user: Some(ada), ..new_account() };
    let account = service.connect_account(&setup.owner, account).await.unwrap();
    let kept = NewAccount { user: Some(bob), ..new_account() };
    let kept = service.connect_account(&setup.owner, kept).await.unwrap();
    let hook = NewHook { user: Some(ada), ..new_hook() };
    let hook = service.create_hook(&setup.owner, hook).await.unwrap().hook;
    let all = service.create_hook(&setup.owner, new_hook()).await.unwrap().hook;

    let reader = setup.with_scopes(&[Scope::Read]).await;
    assert_eq!(service.delete_user(&reader, ada).await.err(), Some(Error::Forbidden("accounts")));
    service.delete_user(&setup.owner, ada).await.unwrap();
    let refused = service.authenticate(token.token.reveal(), None).await;
    assert_eq!(refused.err(), Some(Error::Unauthenticated));
    assert_eq!(service.user(&setup.owner, ada).await.err(), Some(Error::NotFound("user")));
    assert!(service.account(&setup.owner, account.id).await.is_err());
    assert!(service.account(&setup.owner, kept.id).await.is_ok());
    assert!(service.hook(&setup.owner, hook.id).await.is_err());
    assert!(service.hook(&setup.owner, all.id).await.is_ok());
    let kinds = service.changes(&setup.owner, 0, None).await.unwrap().changes;
    assert_eq!(kinds.last().unwrap().kind, "account.deleted");
    assert_eq!(service.delete_user(&setup.owner, ada).await.err(), Some(Error::NotFound("user")));
    let again = service.upsert_user(&setup.owner, "ada".into()).await.unwrap();
    assert!(again.1 && again.0.id != ada);
}

#[tokio::test]
async fn a_user_who_was_changed_meanwhile_is_not_changed_over_it() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let read = service.upsert_user(&setup.owner, "ada".into()).await.unwrap().0;
    let changes = |name: &str| UserChanges {
        name: Some(Some(name.into())),
        expected: Some(read.clone()),
        ..UserChanges::default()
    };
    // The clock stands still: what tells is the content.
    let user = service.update_user(&setup.owner, read.id, changes("Ada"), told).await.unwrap();
    let late = service.update_user(&setup.owner, read.id, changes("Eve"), told).await;
    assert!(matches!(late, Err(Error::Stale { .. })), "{late:?}");
    assert_eq!(service.user(&setup.owner, read.id).await, Ok(user));
    let told = service.changes(&setup.owner, 0, None).await.unwrap().changes;
    assert_eq!(told.len(), 1, "what was not done was told");
}

#[tokio::test]
async fn a_token_of_a_user_knows_of_no_other_user() {
    let setup = Setup::new().await;
    let service = &setup.service;
    let bob = service.upsert_user(&setup.owner, "bob".into()).await.unwrap().0;
    let ada = service.upsert_user(&setup.owner, "ada".into()).await.unwrap().0;
    service.upsert_user(&setup.owner, "eve".into()).await.unwrap();
    let new = NewToken {
        kind: GrantKind::Access,
        user: Some(ada.id),
        parent: None,
        name: "t".into(),
        scopes: vec![Scope::Read, Scope::Accounts],
        details: json!({}),
        expires_at: None,
        text: TokenText::Made,
    };
    let token = service.mint_token(&setup.owner, new, Vec::new()).await.unwrap().1;
    let of_ada = service.authenticate_text(&token, None, &ANY).await.unwrap();
    let unknown = || Some(Error::NotFound("user"));
    assert_eq!(service.user(&of_ada, ada.id).await, Ok(ada.clone()));
    assert_eq!(service.user(&of_ada, bob.id).await.err(), unknown());
    assert_eq!(service.user_named(&of_ada, "bob").await, Ok(None));
    let changes = UserChanges { name: Some(Some("x".into())), ..UserChanges::default() };
    assert_eq!(service.update_user(&of_ada, bob.id, changes, told).await.err(), unknown());
    assert_eq!(service.delete_user(&of_ada, bob.id).await.err(), unknown());
    let taken = service.upsert_user(&of_ada, "bob".into()).await;
    assert!(matches!(taken, Err(Error::Conflict(_))), "{taken:?}");

    let page = service.users(&of_ada, &PageInput::default()).await.unwrap();
    assert_eq!((page.items, page.next), (vec![ada], None));
    assert_eq!(service.user(&setup.owner, bob.id).await, Ok(bob), "nothing happened to others");
}
