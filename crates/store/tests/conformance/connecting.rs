//! Accounts connected through OAuth: the flow, who is who, and whose token is kept.

use tidings_core::id::UserId;
use tidings_core::limits::OAUTH_STATE_TTL_MS;
use tidings_store::{NewAccount, NewSubscription, OAuthState};

use crate::support::{NOW, World, did, end_user};
use tidings_core::id::SubscriptionId;

pub(crate) async fn an_oauth_state_is_used_once_and_expires(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let expires_at = NOW.plus_ms(OAUTH_STATE_TTL_MS);
    let flow = OAuthState {
        app_no: app.app_no,
        user_no: None,
        provider: "google".into(),
        account_no: None,
        sealed: b"verifier".into(),
        expires_at,
    };
    for hash in [[1; 32], [2; 32], [3; 32]] {
        store.create_oauth_state(hash, flow.clone(), did("connect"), NOW).await.unwrap();
    }
    let again = store.create_oauth_state([1; 32], flow.clone(), did("connect"), NOW).await;
    assert!(again.is_err_and(|error| error.is_conflict()));
    assert_eq!(store.take_oauth_state([9; 32], NOW).await.unwrap(), None);
    assert_eq!(store.take_oauth_state([1; 32], NOW).await.unwrap(), Some(flow.clone()));
    assert_eq!(store.take_oauth_state([1; 32], NOW).await.unwrap(), None, "used twice");
    assert_eq!(store.take_oauth_state([2; 32], expires_at).await.unwrap(), None, "expired");
    assert!(!store.sweep_expired(expires_at.plus_ms(1)).await.unwrap());
    assert_eq!(store.take_oauth_state([3; 32], NOW).await.unwrap(), None, "not swept");

    store.create_oauth_state([4; 32], flow, did("connect"), NOW).await.unwrap();
    store.delete_app(app.app_no, NOW, did("app.delete")).await.unwrap();
    assert_eq!(store.take_oauth_state([4; 32], NOW).await.unwrap(), None, "its app is gone");
}

pub(crate) async fn an_identity_is_one_account_of_an_end_user(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let user = UserId(world.ids.next(NOW));
    let user = store
        .create_user(end_user(app.app_no, user, "u"), Vec::new(), did("user"), NOW)
        .await
        .unwrap()
        .0;
    let shared = world.google_account(&app, "ada").await;
    let own = NewAccount { user_no: Some(user.user_no), ..world.google(&app, "ada") };
    let (own, fresh) = store.connect_oauth_account(own, None, did("connect"), NOW).await.unwrap();
    assert!(fresh, "the account of one end user is not that of all");
    let elsewhere = world.google_account(&world.app("b").await, "ada").await;

    let found = async |user_no| {
        let found = store.account_by_identity(app.app_no, "google".into(), "ada".into(), user_no);
        found.await.unwrap().map(|account| account.account_no)
    };
    assert_eq!(found(None).await, Some(shared.account_no));
    assert_eq!(found(Some(user.user_no)).await, Some(own.account_no));
    let all = store.accounts_by_external("google".into(), "ada".into(), 9).await.unwrap();
    let all: Vec<_> = all.into_iter().map(|account| account.account_no).collect();
    assert_eq!(all, [shared.account_no, own.account_no, elsewhere.account_no]);

    // Sealed for an id that the account does not have, a credential could never be opened.
    let other =
        store.connect_oauth_account(world.google(&app, "ada"), None, did("connect"), NOW).await;
    assert!(other.is_err_and(|error| error.is_conflict()));
    let again = NewAccount {
        id: shared.id,
        name: "Ada".into(),
        credential: Some(b"new".into()),
        ..world.google(&app, "ada")
    };
    let (again, fresh) =
        store.connect_oauth_account(again, None, did("connect"), NOW).await.unwrap();
    assert_eq!((fresh, again.account_no), (false, shared.account_no));
    assert_eq!((&*again.name, again.credential.as_deref()), ("Ada", Some(&b"new"[..])));
    assert_eq!(again.credential_gen, shared.credential_gen + 1);
    assert!(again.dirty_gen > shared.dirty_gen && again.poll_at.is_none());
}

pub(crate) async fn of_two_who_refresh_a_token_the_second_is_told(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let account = world.google_account(&app, "ada").await;
    let (no, expected) = (account.account_no, account.credential_gen);
    let replace = |sealed: &[u8]| store.replace_credential(no, expected, sealed.into(), NOW);
    let (first, second) = tokio::join!(replace(b"first"), replace(b"second"));
    let won = (first.unwrap(), second.unwrap());
    assert!(won == (true, false) || won == (false, true), "{won:?}");
    let kept = store.account(no).await.unwrap().unwrap();
    let winner: &[u8] = if won.0 { b"first" } else { b"second" };
    assert_eq!((kept.credential.as_deref(), kept.credential_gen), (Some(winner), expected + 1));

    let change = world.change_of(&account, "account.deleted");
    store.delete_account(no, change, did("account.delete"), NOW).await.unwrap();
    assert!(!store.replace_credential(no, expected + 1, b"late".into(), NOW).await.unwrap());
}

pub(crate) async fn erasing_an_account_erases_its_secrets(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let gone = world.google_account(&app, "ada").await;
    let kept = world.google_account(&app, "bob").await;
    for (account, hash) in [(&gone, [1; 32]), (&kept, [2; 32])] {
        let new = NewSubscription {
            id: SubscriptionId(world.ids.next(NOW)),
            account_no: account.account_no,
            collection_no: None,
            external_id: Some(account.account_no.to_string()),
            token_hash: hash,
            next_try_at: NOW,
        };
        store.create_subscription(new, NOW).await.unwrap();
        let flow = OAuthState {
            app_no: app.app_no,
            user_no: None,
            provider: "google".into(),
            account_no: Some(account.account_no),
            sealed: b"verifier".into(),
            expires_at: NOW.plus_ms(1),
        };
        store.create_oauth_state(hash, flow, did("connect"), NOW).await.unwrap();
    }
    let change = world.change_of(&gone, "account.deleted");
    store.delete_account(gone.account_no, change, did("account.delete"), NOW).await.unwrap();
    let channel = gone.account_no.to_string();
    let found = store.subscription_by_channel("google".into(), channel).await.unwrap();
    assert!(found.is_none(), "a push to a deleted account is taken");
    let due = store.due_subscriptions(NOW, 9).await.unwrap();
    assert_eq!(due.iter().map(|one| one.account_no).collect::<Vec<_>>(), [kept.account_no]);
    while store.erase_account_step(gone.account_no).await.unwrap() {}
    let left = "SELECT (SELECT count(*) FROM subscription), (SELECT count(*) FROM oauth_state)";
    assert_eq!(world.backend.pair(left), (1, 1));
    let secrets = "SELECT count(credential), count(*) FROM account";
    assert_eq!(world.backend.pair(secrets), (1, 2));

    store.delete_app(app.app_no, NOW, did("app.delete")).await.unwrap();
    while store.erase_app_step(app.app_no, NOW).await.unwrap() {}
    assert_eq!(world.backend.pair(left), (0, 0));
}
