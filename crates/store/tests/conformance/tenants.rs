//! What belongs to an app stays with it, ends with it, and is accounted for.

use std::slice;

use serde_json::json;
use tidings_core::delivery::Members;
use tidings_core::id::{CollectionId, GrantId, ReplayId, UserId};
use tidings_store::{
    Account, AccountFilter, App, AppUpdate, AuditEntry, CollectionWrite, EndUser, Error, Grant,
    GrantKind, Hook, HookUpdate, MirrorCommit, NewGrant, Store,
};

use crate::support::{NOW, World, did, end_user, new_replay, put};

/// An app with one of everything.
struct Tenant {
    app: App,
    user: EndUser,
    grant: Grant,
    token_hash: [u8; 32],
    account: Account,
    collection: CollectionId,
    hook: Hook,
}

impl World {
    async fn tenant(&self, name: &str) -> Tenant {
        let app = self.app(name).await;
        let (store, no) = (&self.store, app.app_no);
        let user = UserId(self.ids.next(NOW));
        let user =
            store.create_user(end_user(no, user, "ada"), Vec::new(), did("user.upsert"), NOW).await;
        let mut token_hash = [0; 32];
        self.ids.fill(&mut token_hash);
        let account = self.account(&app).await;
        let collection = CollectionId(self.ids.next(NOW));
        let mut commit = MirrorCommit::new(no, account.account_no);
        commit.collections.push(CollectionWrite::Create {
            id: collection,
            external_id: "/ada/work/".into(),
            name: None,
            details: "{}".into(),
            announce: None,
        });
        assert!(store.commit_mirror(commit, NOW).await.unwrap());
        self.publish(&app, 3).await;
        let hook = self.hook(&app, Some(0)).await;
        self.park(&hook, vec![put(Members::single(1), 9, None)]).await;
        let grant = self.grant(&app, token_hash).await;
        Tenant { app, user: user.unwrap().0, grant, token_hash, account, collection, hook }
    }

    async fn grant(&self, app: &App, token_hash: [u8; 32]) -> Grant {
        let new = NewGrant {
            id: GrantId(self.ids.next(NOW)),
            app_no: Some(app.app_no),
            user_no: None,
            parent_no: None,
            kind: GrantKind::App,
            name: "key".into(),
            scopes: vec!["read".into()],
            details: json!({}),
            token_hash,
            hint: "abcd".into(),
            expires_at: None,
        };
        self.store.create_grant(new, Vec::new(), did("key.create"), NOW).await.unwrap()
    }
}

/// What a caller of the app `no` finds of a tenant: by each id, in each list.
async fn found(store: &Store, no: i64, of: &Tenant) -> Result<Vec<(&'static str, bool)>, Error> {
    let change = store.changes(of.app.app_no, 0, 1).await?.swap_remove(0);
    let filter = AccountFilter::default();
    let hooks = store.hooks(no, None, 0, 100).await?;
    let accounts = store.accounts(no, filter, 0, 100).await?;
    let (users, grants) = (store.users(no, 0, 100).await?, store.grants(Some(no), 0, 100).await?);
    let journal = store.changes(no, 0, 100).await?;
    let deliveries = store.deliveries_of_change(no, 1, 0, 100).await?;
    Ok(vec![
        ("change", store.change_by_id(no, change.new.id).await.is_ok()),
        ("changes", journal.iter().any(|other| other.new.id == change.new.id)),
        ("hook", store.hook_by_id(no, of.hook.id).await.is_ok()),
        ("hooks", hooks.iter().any(|hook| hook.id == of.hook.id)),
        ("deliveries", deliveries.iter().any(|(hook, _)| *hook == of.hook.id)),
        ("account", store.account_by_id(no, of.account.id).await?.is_some()),
        ("accounts", accounts.iter().any(|account| account.id == of.account.id)),
        ("collection", store.collection_place(no, None, of.collection).await?.is_some()),
        ("user", store.user_by_id(no, of.user.id).await?.is_some()),
        ("users", users.contains(&of.user)),
        ("grant", store.grant_by_id(Some(no), of.grant.id).await?.is_some()),
        ("grants", grants.contains(&of.grant)),
    ])
}

pub(crate) async fn one_app_never_sees_anothers_rows(world: &World) {
    let (a, b) = (world.tenant("a").await, world.tenant("b").await);
    assert_ne!(a.user.id, b.user.id, "two apps share an end user");
    for (reader, of, own) in [(&a, &a, true), (&a, &b, false), (&b, &a, false), (&b, &b, true)] {
        for (what, seen) in found(&world.store, reader.app.app_no, of).await.unwrap() {
            assert_eq!(seen, own, "{what} of {} for {}", of.app.name, reader.app.name);
        }
    }
    let lines = async |app_no| {
        let rows = world.store.audit_rows(app_no, None, 100).await.unwrap();
        rows.iter().map(|row| row.audit_no).collect::<Vec<_>>()
    };
    let (of_a, of_b) = (lines(Some(a.app.app_no)).await, lines(Some(b.app.app_no)).await);
    assert!(!of_a.is_empty() && of_a.len() == of_b.len());
    assert!(of_a.iter().all(|line| !of_b.contains(line)));
    assert!(lines(None).await.is_empty());
}

pub(crate) async fn deleting_an_app_erases_content(world: &World) {
    let (gone, kept) = (world.tenant("a").await, world.tenant("b").await);
    let no = gone.app.app_no;
    let store = &world.store;
    store.delete_app(no, NOW, did("app.delete")).await.unwrap();
    assert!(store.app_by_id(gone.app.id).await.unwrap().is_none());
    assert!(store.grant_by_token(gone.token_hash, NOW).await.unwrap().is_none());
    let late = store.publish(no, vec![world.change("thing.happened")], None, NOW).await;
    assert!(late.is_err_and(|error| error.is_not_found()));
    assert_eq!(store.deleted_apps().await.unwrap(), [no]);

    while store.erase_app_step(no, NOW).await.unwrap() {}
    let bodies: Vec<_> =
        world.journal(&gone.app).await.into_iter().map(|change| change.new.body.len()).collect();
    assert_eq!(bodies, [0, 0, 0], "seq stays, content goes");
    assert!(store.hook_by_no(gone.hook.hook_no).await.unwrap().is_none());
    assert!(store.hook_secrets(gone.hook.hook_no, NOW).await.unwrap().is_empty());
    assert!(store.cursors(gone.hook.hook_no).await.unwrap().is_empty());
    assert!(store.deliveries(gone.hook.hook_no, None, u64::MAX, 9).await.unwrap().is_empty());
    assert!(store.account(gone.account.account_no).await.unwrap().is_none());
    assert!(store.collections(gone.account.account_no).await.unwrap().is_empty());
    let user = store.user(gone.user.user_no).await.unwrap();
    assert!(user.is_none_or(|user| user.external_id.as_deref() != Some("ada")));
    let credentials = "SELECT count(*), count(credential) FROM account";
    assert_eq!(world.backend.pair(credentials), (2, 1));

    for (what, seen) in found(store, kept.app.app_no, &kept).await.unwrap() {
        assert!(seen, "{what} of the neighbour is gone");
    }
    assert!(store.grant_by_token(kept.token_hash, NOW).await.unwrap().is_some());
    assert!(world.journal(&kept.app).await.iter().all(|change| !change.new.body.is_empty()));
}

pub(crate) async fn audit_rows_are_written_with_their_verb(world: &World) {
    let tenant = world.tenant("a").await;
    let (store, no, hook) = (&world.store, tenant.app.app_no, &tenant.hook);
    let replay = ReplayId(world.ids.next(NOW));
    let members = Members::single(1);
    let change = world.change_of(&tenant.account, "account.deleted");
    store.update_hook(hook.hook_no, HookUpdate::default(), did("hook.update"), NOW).await.unwrap();
    store.rotate_hook_secret(hook, world.secret(b"x"), NOW, did("hook.rotate"), NOW).await.unwrap();
    let new = new_replay(replay, 0, 3);
    store.create_replay(hook.hook_no, new, did("replay.create"), NOW).await.unwrap();
    store.cancel_replay(hook.hook_no, replay, did("replay.cancel"), NOW).await.unwrap();
    store.resend(no, hook.hook_no, members, None, did("delivery.resend"), NOW).await.unwrap();
    store.append_audited(no, world.change("hook.test"), did("hook.test"), NOW).await.unwrap();
    store.delete_hook(hook, did("hook.delete"), NOW).await.unwrap();
    store.revoke_grant(&tenant.grant, did("key.revoke"), NOW).await.unwrap();
    let account_no = tenant.account.account_no;
    store.delete_account(account_no, change, did("account.delete"), NOW).await.unwrap();
    let refused = AuditEntry { denied: true, ..did("key.create") };
    store.audit(Some(no), refused, NOW).await.unwrap();

    // A verb that fails leaves no line.
    let update = store.update_hook(999, HookUpdate::default(), did("never"), NOW).await;
    assert!(update.is_err_and(|error| error.is_not_found()));
    let twice = world.journal(&tenant.app).await.swap_remove(0).new;
    assert!(store.append_audited(no, twice, did("never"), NOW).await.is_err());

    let rows = store.audit_rows(Some(no), None, 100).await.unwrap();
    let actions: Vec<_> = rows.iter().rev().map(|row| (&*row.action, row.denied)).collect();
    assert_eq!(
        actions,
        [
            ("app.create", false),
            ("user.upsert", false),
            ("account.connect", false),
            ("hook.create", false),
            ("key.create", false),
            ("hook.update", false),
            ("hook.rotate", false),
            ("replay.create", false),
            ("replay.cancel", false),
            ("delivery.resend", false),
            ("hook.test", false),
            ("hook.delete", false),
            ("key.revoke", false),
            ("account.delete", false),
            ("key.create", true),
        ]
    );
    let page = store.audit_rows(Some(no), Some(rows[2].audit_no), 2).await.unwrap();
    let numbers: Vec<_> = page.iter().map(|row| row.audit_no).collect();
    assert_eq!(numbers, [rows[3].audit_no, rows[4].audit_no]);
}

pub(crate) async fn an_external_id_belongs_to_one_app(world: &World) {
    let (a, b) = (world.app("a").await, world.app("b").await);
    let name_it = |app: &App, update: AppUpdate| {
        world.store.update_app(app.app_no, update, NOW, did("app.update"))
    };
    let mine = || AppUpdate { external_id: Some(Some("mine".into())), ..AppUpdate::default() };
    let named = name_it(&a, mine()).await.unwrap();
    assert_eq!((&*named.name, named.external_id.as_deref()), ("a", Some("mine")));
    let taken = name_it(&b, mine()).await.unwrap_err();
    assert!(taken.is_conflict());
    assert_eq!(taken.to_string(), "another app has this external id");
    let apps = world.store.apps(0, 9).await.unwrap();
    assert_eq!(apps, [named, b.clone()], "a refused update left something behind");
    assert_eq!(world.store.apps(a.app_no, 9).await.unwrap(), slice::from_ref(&b));

    world.store.delete_app(a.app_no, NOW, did("app.delete")).await.unwrap();
    assert_eq!(name_it(&b, mine()).await.unwrap().external_id.as_deref(), Some("mine"));
}

pub(crate) async fn owner_keys_are_apart_from_those_of_apps(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let of_app = world.grant(&app, [1; 32]).await;
    let new = NewGrant {
        id: GrantId(world.ids.next(NOW)),
        app_no: None,
        user_no: None,
        parent_no: Some(of_app.grant_no),
        kind: GrantKind::Owner,
        name: "owner".into(),
        scopes: Vec::new(),
        details: json!({}),
        token_hash: [2; 32],
        hint: "efgh".into(),
        expires_at: Some(NOW.plus_ms(100)),
    };
    let owner = store.create_grant(new.clone(), Vec::new(), did("key.create"), NOW).await.unwrap();
    let again = NewGrant { id: GrantId(world.ids.next(NOW)), ..new };
    let again = store.create_grant(again, Vec::new(), did("key.create"), NOW).await;
    assert!(again.is_err_and(|error| error.is_conflict()), "a token was granted twice");

    let app_no = Some(app.app_no);
    assert_eq!(store.grants(None, 0, 9).await.unwrap(), slice::from_ref(&owner));
    assert_eq!(store.grants(app_no, 0, 9).await.unwrap(), slice::from_ref(&of_app));
    assert_eq!(store.grant_by_id(None, owner.id).await.unwrap(), Some(owner.clone()));
    assert_eq!(store.grant_by_id(app_no, owner.id).await.unwrap(), None);
    assert_eq!(store.grant_by_id(None, of_app.id).await.unwrap(), None);
    assert_eq!(store.audit_rows(None, None, 9).await.unwrap().len(), 1);

    let works = async |ms| store.grant_by_token([2; 32], NOW.plus_ms(ms)).await.unwrap().is_some();
    assert!(works(99).await);
    assert!(!works(100).await, "an expired key works");
    assert!(store.grant_of_token([2; 32]).await.unwrap().is_some());
    assert!(store.grant_of_token([3; 32]).await.unwrap().is_none());

    let last_use = async |ms| {
        store.touch_grant(&owner, NOW.plus_ms(ms)).await.unwrap();
        store.grant_by_id(None, owner.id).await.unwrap().unwrap().last_used_at
    };
    assert_eq!(last_use(0).await, Some(NOW));
    assert_eq!(last_use(59_999).await, Some(NOW), "written down twice within a minute");
    assert_eq!(last_use(60_000).await, Some(NOW.plus_ms(60_000)));
}
