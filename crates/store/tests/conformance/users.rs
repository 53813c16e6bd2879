//! End users and people: found by name, described, and gone with all that is theirs.

use serde_json::json;
use tidings_core::id::{AccountId, AppId, GrantId, UserId};
use tidings_core::limits;
use tidings_core::settings::AppSettings;
use tidings_store::{
    App, AppUpdate, EndUser, EndUserUpdate, GrantKind, NewAccount, NewApp, NewEndUser, NewGrant,
    NewHook, NewRecordAccount,
};

use crate::support::{NOW, World, did, end_user};

pub(crate) async fn a_user_is_created_once_per_name_and_told(world: &World) {
    let (store, app, other) = (&world.store, world.app("a").await, world.app("b").await);
    let create = async |app_no, name: &str| {
        let new = NewEndUser {
            name: Some("Ada".into()),
            details: json!({"language": "en"}),
            ..end_user(app_no, UserId(world.ids.next(NOW)), name)
        };
        let told = vec![world.change("user.joined")];
        store.create_user(new, told, did("user.create"), NOW).await.unwrap()
    };
    let (ada, created) = create(app.app_no, "ada").await;
    let (same, again) = create(app.app_no, "ada").await;
    assert_eq!((created, again), (true, false));
    assert_eq!(ada, same);
    assert_eq!((ada.name.as_deref(), &ada.details), (Some("Ada"), &json!({"language": "en"})));
    let journal = world.journal(&app).await;
    assert_eq!(journal.len(), 1, "a user joined twice");
    assert_eq!(journal[0].new.subject.user_no, Some(ada.user_no));
    assert!(create(other.app_no, "ada").await.1, "two apps share a name");
    assert_eq!(store.user_named(app.app_no, "ada".into()).await.unwrap(), Some(ada));
    assert_eq!(store.user_named(app.app_no, "bob".into()).await.unwrap(), None);
}

pub(crate) async fn users_without_a_name_are_many_and_cannot_be_guessed(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let create = async || {
        let id = UserId(world.ids.next(NOW));
        let new = NewEndUser { external_id: None, ..end_user(app.app_no, id, "") };
        store.create_user(new, Vec::new(), did("user.create"), NOW).await.unwrap().0
    };
    let (one, other) = (create().await, create().await);
    assert_ne!(one.id, other.id);
    assert_eq!((&one.external_id, &other.external_id), (&None, &None));
    for guess in [format!("\u{1}{}", one.id), one.id.to_string(), String::new()] {
        assert_eq!(store.user_named(app.app_no, guess).await.unwrap(), None);
    }
    let name = |external_id: Option<&str>| EndUserUpdate {
        external_id: Some(external_id.map(str::to_owned)),
        ..EndUserUpdate::default()
    };
    let update = |user_no, update| {
        store.update_user(
            user_no,
            update,
            vec![world.change("user.updated")],
            did("user.update"),
            NOW.plus_ms(5),
        )
    };
    let named = update(one.user_no, name(Some("ada"))).await.unwrap();
    assert_eq!((named.external_id.as_deref(), named.updated_at), (Some("ada"), NOW.plus_ms(5)));
    assert_eq!(named.created_at, NOW);
    let taken = update(other.user_no, name(Some("ada"))).await.unwrap_err();
    assert!(taken.is_conflict());
    assert_eq!(world.journal(&app).await.len(), 1, "a refused update was told");
    assert_eq!(update(one.user_no, name(None)).await.unwrap().external_id, None);
    assert!(update(other.user_no, name(Some("ada"))).await.is_ok());
}

pub(crate) async fn a_user_is_updated_only_while_it_is_as_expected(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let new = end_user(app.app_no, UserId(world.ids.next(NOW)), "ada");
    let read = store.create_user(new, Vec::new(), did("user.create"), NOW).await.unwrap().0;
    let update = |name: &str| {
        let update = EndUserUpdate {
            name: Some(Some(name.into())),
            expected: Some(read.clone()),
            ..EndUserUpdate::default()
        };
        let told = vec![world.change("user.updated")];
        store.update_user(read.user_no, update, told, did("user.update"), NOW)
    };
    assert_eq!(update("Ada").await.unwrap().name.as_deref(), Some("Ada"));
    assert!(update("Eve").await.unwrap_err().stale().is_some());
    let user = store.user(read.user_no).await.unwrap().unwrap();
    assert_eq!(user.name.as_deref(), Some("Ada"));
    assert_eq!(world.journal(&app).await.len(), 1, "a refused update was told");
}

/// What the journal weighs is known, and nobody gives a deleted user anything any more.
async fn nothing_more_is_given(
    world: &World,
    app: &App,
    ada: &EndUser,
    new: NewGrant,
    account_of_ada: NewAccount,
) {
    let store = &world.store;
    let weights = "SELECT journal_bytes, (SELECT sum(length(body)) FROM change_body) FROM app";
    let (known, counted) = world.backend.pair(weights);
    assert_eq!(known, counted);
    let late = NewGrant { id: GrantId(world.ids.next(NOW)), token_hash: [8; 32], ..new };
    let late = store.create_grant(late, Vec::new(), did("never"), NOW).await;
    assert!(late.is_err_and(|error| error.is_not_found()), "a token for nobody");
    let new = NewRecordAccount {
        id: AccountId(world.ids.next(NOW)),
        app_no: app.app_no,
        user_no: Some(ada.user_no),
        external_id: None,
        name: "records".into(),
        details: json!({}),
    };
    let late = store.put_record_account(new, |_| Vec::new(), did("never"), NOW).await;
    assert!(late.is_err_and(|error| error.is_not_found()), "an account for nobody");
    let late = NewAccount { id: AccountId(world.ids.next(NOW)), ..account_of_ada };
    let late = store.create_account(late, did("never"), NOW).await;
    assert!(late.is_err_and(|error| error.is_not_found()), "an account for nobody");
}

pub(crate) async fn a_deleted_user_takes_tokens_and_hooks_along_and_frees_the_name(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let create = async || {
        let new = NewEndUser {
            name: Some("Ada".into()),
            password: Some("$argon2id$".into()),
            ..end_user(app.app_no, UserId(world.ids.next(NOW)), "ada")
        };
        let told = vec![world.change("user.joined")];
        store.create_user(new, told, did("user.create"), NOW).await.unwrap()
    };
    let ada = create().await.0;
    assert!(!world.journal(&app).await[0].new.body.is_empty());
    assert_eq!(store.user_password(ada.user_no).await.unwrap().as_deref(), Some("$argon2id$"));
    let new = NewGrant {
        id: GrantId(world.ids.next(NOW)),
        app_no: Some(app.app_no),
        user_no: Some(ada.user_no),
        parent_no: None,
        kind: GrantKind::Session,
        name: "s".into(),
        scopes: Vec::new(),
        details: json!({"email": "ada@example.com"}),
        token_hash: [9; 32],
        hint: String::new(),
        expires_at: None,
    };
    let created = store.create_grant(new.clone(), Vec::new(), did("token.create"), NOW).await;
    let grant = created.unwrap();
    let new_hook = || world.new_hook(&app);
    let of_user = world.create_hook(NewHook { user_no: Some(ada.user_no), ..new_hook() }).await;
    let owner_grant_no = Some(grant.grant_no);
    let of_token = world.create_hook(NewHook { owner_grant_no, ..new_hook() }).await;
    let kept = world.create_hook(new_hook()).await;
    let account_of_ada = NewAccount {
        id: AccountId(world.ids.next(NOW)),
        app_no: app.app_no,
        user_no: Some(ada.user_no),
        provider: "caldav".into(),
        external_id: None,
        name: "ada".into(),
        server_url: None,
        username: None,
        credential: None,
    };
    let account = account_of_ada.clone();
    let account = store.create_account(account, did("account.connect"), NOW).await.unwrap();
    let early = store.delete_user(ada.user_no, did("never"), NOW).await.unwrap_err();
    assert!(early.is_conflict(), "a user was deleted without the account");

    let told = world.change_of(&account, "account.deleted");
    store.delete_account(account.account_no, told, did("account.delete"), NOW).await.unwrap();
    store.delete_user(ada.user_no, did("user.delete"), NOW).await.unwrap();
    assert_eq!(store.user(ada.user_no).await.unwrap(), None);
    assert_eq!(store.user_by_id(app.app_no, ada.id).await.unwrap(), None);
    assert!(store.users(app.app_no, 0, 9).await.unwrap().is_empty());
    assert_eq!(store.user_password(ada.user_no).await.unwrap(), None);
    assert!(store.grant_by_token([9; 32], NOW).await.unwrap().is_none());
    let grant = store.grant_of_token([9; 32]).await.unwrap().unwrap();
    assert_eq!((grant.details, grant.user_external_id), (json!({}), None));
    assert_eq!(grant.name, "", "a name outlived its user");
    assert!(world.journal(&app).await[0].new.body.is_empty(), "what was told outlived its user");
    nothing_more_is_given(world, &app, &ada, new, account_of_ada).await;
    for (hook, is_kept) in [(&of_user, false), (&of_token, false), (&kept, true)] {
        assert_eq!(store.hook_by_no(hook.hook_no).await.unwrap().is_some(), is_kept);
    }
    let (next, created) = create().await;
    assert!(created && next.id != ada.id, "a deleted user came back");
    let again = store.delete_user(ada.user_no, did("never"), NOW).await;
    assert!(again.is_err_and(|error| error.is_not_found()));
}

pub(crate) async fn a_user_with_many_hooks_is_deleted_in_several_commits(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let new = end_user(app.app_no, UserId(world.ids.next(NOW)), "ada");
    let ada = store.create_user(new, Vec::new(), did("user.create"), NOW).await.unwrap().0;
    for _ in 0..=limits::HOOKS_ENDED_AT_ONCE {
        world.create_hook(NewHook { user_no: Some(ada.user_no), ..world.new_hook(&app) }).await;
    }
    store.delete_user(ada.user_no, did("user.delete"), NOW).await.unwrap();
    assert!(store.hooks(app.app_no, None, 0, 9).await.unwrap().is_empty());
    assert_eq!(store.user(ada.user_no).await.unwrap(), None);
    let count = "SELECT count(*), 0 FROM audit WHERE action = 'user.delete'";
    assert_eq!(world.backend.pair(count).0, 1);
}

pub(crate) async fn a_nameless_users_record_account_shows_no_name(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let new = end_user(app.app_no, UserId(world.ids.next(NOW)), "");
    let new = NewEndUser { external_id: None, ..new };
    let user = store.create_user(new, Vec::new(), did("user.create"), NOW).await.unwrap().0;
    let new = NewRecordAccount {
        id: AccountId(world.ids.next(NOW)),
        app_no: app.app_no,
        user_no: Some(user.user_no),
        external_id: None,
        name: "records".into(),
        details: json!({}),
    };
    let put = store.put_record_account(new, |_| Vec::new(), did("account.put"), NOW).await;
    let account = put.unwrap().0;
    assert_eq!((account.user_id, account.user_external_id), (Some(user.id), None));
    let listed = store.record_accounts(app.app_no, Some(user.user_no), 0, 9).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(store.record_accounts(app.app_no, Some(99), 0, 9).await.unwrap().is_empty());
}

pub(crate) async fn a_person_is_an_app_and_its_user_or_neither(world: &World) {
    let store = &world.store;
    let create = async |user: UserId| {
        let app = NewApp {
            id: AppId(world.ids.next(NOW)),
            name: "ada".into(),
            external_id: Some("pryv:ada".into()),
            webhook_url: None,
            created_at: NOW,
        };
        let user = NewEndUser { password: Some("hash".into()), ..end_user(0, user, "ada") };
        store.create_person(app, user, did("person.create")).await
    };
    let id = UserId(world.ids.next(NOW));
    let (app, user) = create(id).await.unwrap();
    assert_eq!(store.app_named("pryv:ada".into()).await.unwrap(), Some(app.clone()));
    assert_eq!(store.user_named(app.app_no, "ada".into()).await.unwrap(), Some(user.clone()));
    assert_eq!(store.user_password(user.user_no).await.unwrap().as_deref(), Some("hash"));
    assert!(create(UserId(world.ids.next(NOW))).await.unwrap_err().is_conflict());
    assert_eq!(store.apps(0, 9).await.unwrap().len(), 1);
    store.delete_app(app.app_no, NOW, did("app.delete")).await.unwrap();
    while store.erase_app_step(app.app_no, NOW).await.unwrap() {}
    assert_eq!(store.app_named("pryv:ada".into()).await.unwrap(), None);
    let names = "SELECT count(*), 0 FROM app WHERE name <> '' OR settings <> '{}'";
    assert_eq!(world.backend.pair(names).0, 0, "a person's name outlived the person");
    assert_eq!(
        store.user_password(user.user_no).await.unwrap(),
        None,
        "a password outlived its app"
    );
    assert!(create(UserId(world.ids.next(NOW))).await.is_ok());
}

pub(crate) async fn an_app_keeps_its_settings(world: &World) {
    let app = world.app("a").await;
    assert_eq!(app.settings, AppSettings::default());
    let settings =
        AppSettings { redirect_uris: vec!["https://a.example/".into()], subscribe_all: false };
    let update = AppUpdate { settings: Some(settings.clone()), ..AppUpdate::default() };
    let changed = world.store.update_app(app.app_no, update, NOW, did("app.update")).await.unwrap();
    assert_eq!(changed.settings, settings);
    let named = AppUpdate { name: Some("b".into()), ..AppUpdate::default() };
    let changed = world.store.update_app(app.app_no, named, NOW, did("app.update")).await.unwrap();
    assert_eq!(changed.settings, settings, "another change took them away");
}
