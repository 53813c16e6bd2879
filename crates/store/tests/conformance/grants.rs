//! Grants: what was made with a token ends with it, a code works once, a session lasts while it is used.

use std::sync::Arc;

use serde_json::json;
use tidings_core::clock::Timestamp;
use tidings_core::id::{GrantId, UserId};
use tidings_core::limits;
use tidings_store::{App, EndUser, Grant, GrantKind, GrantUpdate, NewGrant, NewHook, Rotation};

use crate::support::{NOW, World, did, end_user};

impl World {
    fn new_grant(&self, app: &App, kind: GrantKind, parent: Option<&Grant>) -> NewGrant {
        let mut token_hash = [0; 32];
        self.ids.fill(&mut token_hash);
        NewGrant {
            id: GrantId(self.ids.next(NOW)),
            app_no: Some(app.app_no),
            user_no: None,
            parent_no: parent.map(|parent| parent.grant_no),
            kind,
            name: "token".into(),
            scopes: vec!["read".into()],
            details: json!({}),
            token_hash,
            hint: "abcd".into(),
            expires_at: None,
        }
    }

    async fn make(&self, new: NewGrant) -> Grant {
        self.store.create_grant(new, Vec::new(), did("token.create"), NOW).await.unwrap()
    }

    async fn user(&self, app: &App, name: &str) -> EndUser {
        let new = end_user(app.app_no, UserId(self.ids.next(NOW)), name);
        self.store.create_user(new, Vec::new(), did("user.create"), NOW).await.unwrap().0
    }

    async fn is_revoked(&self, grant: &Grant) -> bool {
        let found = self.store.grant_by_id(grant.app_no, grant.id).await.unwrap();
        found.unwrap().revoked_at.is_some()
    }
}

pub(crate) async fn a_grant_is_kept_with_its_details_and_announced(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let ada = world.user(&app, "ada").await;
    let parent = world.make(world.new_grant(&app, GrantKind::Access, None)).await;
    let new = NewGrant {
        user_no: Some(ada.user_no),
        details: json!({"permissions": [{"streamId": "*"}]}),
        ..world.new_grant(&app, GrantKind::Access, Some(&parent))
    };
    let hash = new.token_hash;
    let told = vec![world.change("access.created")];
    let grant = store.create_grant(new.clone(), told, did("token.create"), NOW).await.unwrap();
    assert_eq!((grant.parent_id, grant.user_id), (Some(parent.id), Some(ada.id)));
    assert_eq!(grant.user_external_id.as_deref(), Some("ada"));
    assert_eq!(grant.details, new.details);
    assert_eq!(world.journal(&app).await.len(), 1);
    assert_eq!(store.grant_of_token(hash).await.unwrap(), Some(grant.clone()));

    // A token that exists already leaves nothing behind.
    let again = NewGrant { id: GrantId(world.ids.next(NOW)), ..new };
    let told = vec![world.change("access.created")];
    let again = store.create_grant(again, told, did("token.create"), NOW).await.unwrap_err();
    assert!(again.is_conflict());
    assert_eq!(world.journal(&app).await.len(), 1);

    let update = GrantUpdate {
        name: Some("other".into()),
        details: Some(json!({"a": 1})),
        expires_at: Some(Some(NOW.plus_ms(9))),
        ..GrantUpdate::default()
    };
    let told = vec![world.change("access.updated")];
    let updated = store.update_grant(grant.grant_no, update, told, did("token.update"), NOW).await;
    let updated = updated.unwrap();
    assert_eq!((&*updated.name, &updated.scopes), ("other", &grant.scopes));
    assert_eq!((&updated.details, updated.expires_at), (&json!({"a": 1}), Some(NOW.plus_ms(9))));
    assert_eq!(world.journal(&app).await.len(), 2);
    store.revoke_grant(&updated, did("key.revoke"), NOW).await.unwrap();
    let late = GrantUpdate::default();
    let late = store.update_grant(grant.grant_no, late, Vec::new(), did("never"), NOW).await;
    assert!(late.is_err_and(|error| error.is_not_found()));
}

pub(crate) async fn what_a_token_made_ends_with_it_and_so_do_their_hooks(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let root = world.make(world.new_grant(&app, GrantKind::Access, None)).await;
    let child = world.make(world.new_grant(&app, GrantKind::Access, Some(&root))).await;
    let grandchild = world.make(world.new_grant(&app, GrantKind::Access, Some(&child))).await;
    let sister = world.make(world.new_grant(&app, GrantKind::Access, Some(&root))).await;
    let owned_by = async |owner: &Grant| {
        let owner_grant_no = Some(owner.grant_no);
        world.create_hook(NewHook { owner_grant_no, ..world.new_hook(&app) }).await
    };
    let (gone, kept) = (owned_by(&grandchild).await, owned_by(&sister).await);

    let told = vec![world.change("access.deleted")];
    let ended = store.revoke_grant_tree(&child, told, did("token.revoke"), NOW).await.unwrap();
    let mut ended: Vec<_> = ended.into_iter().collect();
    ended.sort_unstable();
    assert_eq!(ended, [child.id, grandchild.id]);
    for (grant, revoked) in [(&root, false), (&child, true), (&grandchild, true), (&sister, false)]
    {
        assert_eq!(world.is_revoked(grant).await, revoked, "{grant:?}");
    }
    assert!(store.hook_by_no(gone.hook_no).await.unwrap().is_none());
    assert!(store.hook_by_no(kept.hook_no).await.unwrap().is_some());
    assert_eq!(world.journal(&app).await.len(), 1);
    let again = store.revoke_grant_tree(&child, Vec::new(), did("token.revoke"), NOW).await;
    assert!(again.unwrap().is_empty(), "what had ended ended again");
}

pub(crate) async fn a_token_is_taken_by_one_of_many(world: &World) {
    let app = world.app("a").await;
    let new = NewGrant {
        expires_at: Some(NOW.plus_ms(100)),
        ..world.new_grant(&app, GrantKind::Code, None)
    };
    let hash = new.token_hash;
    world.make(new).await;
    let take = |kind, at| world.store.take_grant(hash, kind, at);
    assert!(take(GrantKind::Refresh, NOW).await.unwrap().is_none(), "taken as what it is not");
    assert!(take(GrantKind::Code, NOW.plus_ms(100)).await.unwrap().is_none(), "taken too late");
    let store = Arc::new(world.store.clone());
    let tries = (0..8).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.take_grant(hash, GrantKind::Code, NOW).await.unwrap() })
    });
    let mut taken = 0;
    for one in tries.collect::<Vec<_>>() {
        taken += usize::from(one.await.unwrap().is_some());
    }
    assert_eq!(taken, 1);
    let known = world.store.grant_of_token(hash).await.unwrap().unwrap();
    assert_eq!(known.revoked_at, Some(NOW), "nobody can tell that it was used");
}

pub(crate) async fn a_session_lasts_while_it_is_used(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let idle = limits::SESSION_IDLE_MS;
    let new = NewGrant {
        expires_at: Some(NOW.plus_ms(idle)),
        ..world.new_grant(&app, GrantKind::Session, None)
    };
    let hash = new.token_hash;
    let session = world.make(new).await;
    let use_at = async |at: Timestamp| {
        store.touch_grant(&session, at).await.unwrap();
        store.grant_of_token(hash).await.unwrap().unwrap().expires_at.unwrap()
    };
    let later = NOW.plus_ms(idle - 1);
    assert_eq!(use_at(later).await, later.plus_ms(idle));
    assert_eq!(use_at(later.plus_ms(29_999)).await, later.plus_ms(idle), "written too often");
    let second = later.plus_ms(30_000);
    assert_eq!(use_at(second).await, second.plus_ms(idle));
    let end = second.plus_ms(idle);
    assert!(store.grant_by_token(hash, end.plus_ms(-1)).await.unwrap().is_some());
    assert!(store.grant_by_token(hash, end).await.unwrap().is_none());
    assert_eq!(use_at(end).await, end, "a session came back to life");
}

pub(crate) async fn a_session_ends_with_what_made_it(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let until = NOW.plus_ms(1_000);
    for (expires_at, revoke, at) in [(None, true, NOW), (Some(until), false, until)] {
        let new = NewGrant { expires_at, ..world.new_grant(&app, GrantKind::App, None) };
        let key = world.make(new).await;
        let new = world.new_grant(&app, GrantKind::Session, Some(&key));
        let session = new.token_hash;
        world.make(new).await;
        let new = world.new_grant(&app, GrantKind::App, Some(&key));
        let made = new.token_hash;
        world.make(new).await;
        assert!(store.grant_by_token(session, NOW).await.unwrap().is_some());
        if revoke {
            store.revoke_grant(&key, did("key.revoke"), NOW).await.unwrap();
        }
        assert!(store.grant_by_token(session, at).await.unwrap().is_none());
        assert!(store.grant_by_token(made, at).await.unwrap().is_some(), "keys that it made stay");
    }
}

pub(crate) async fn what_is_much_ends_in_several_commits_and_is_told_once(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let root = world.make(world.new_grant(&app, GrantKind::Access, None)).await;
    let child = world.make(world.new_grant(&app, GrantKind::Access, Some(&root))).await;
    for _ in 0..=limits::HOOKS_ENDED_AT_ONCE {
        let owner_grant_no = Some(child.grant_no);
        world.create_hook(NewHook { owner_grant_no, ..world.new_hook(&app) }).await;
    }
    let told = vec![world.change("access.deleted")];
    let ended = store.revoke_grant_tree(&root, told, did("token.revoke"), NOW).await.unwrap();
    assert_eq!(ended.len(), 2);
    assert!(store.hooks(app.app_no, None, 0, 9).await.unwrap().is_empty());
    assert_eq!(world.journal(&app).await.len(), 1);
}

pub(crate) async fn a_refresh_token_is_traded_in_one_commit_while_it_works(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let ada = world.user(&app, "ada").await;
    let user_no = Some(ada.user_no);
    let new = |kind, parent| NewGrant { user_no, ..world.new_grant(&app, kind, parent) };
    let counted = json!({ "newest": 1 });
    let root = world.make(NewGrant { details: counted, ..new(GrantKind::Refresh, None) }).await;
    let trade = async |shown: &Grant, generation| {
        let (refresh, access) =
            (new(GrantKind::Refresh, Some(&root)), new(GrantKind::Connect, Some(&root)));
        let (next, now) = (refresh.id, NOW.plus_ms(1));
        let rotation = Rotation {
            root_no: root.grant_no,
            shown_no: shown.grant_no,
            shown: generation,
            shown_until: NOW.plus_ms(9),
            refresh,
            access,
        };
        let traded = store.rotate_grant(rotation, did("connect.refresh"), now).await.unwrap();
        let found = store.grant_by_id(root.app_no, next).await.unwrap();
        assert_eq!(found.is_some(), traded);
        found
    };
    let second = trade(&root, 1).await.unwrap();
    assert!(trade(&root, 1).await.is_some(), "the one before the newest still works");
    let third = trade(&second, 2).await.unwrap();
    assert!(trade(&root, 1).await.is_none(), "an old copy");
    let found = store.grant_by_id(root.app_no, second.id).await.unwrap().unwrap();
    assert_eq!(found.expires_at, Some(NOW.plus_ms(9)));
    let found = store.grant_by_id(root.app_no, root.id).await.unwrap().unwrap();
    assert_eq!((&found.details["newest"], found.expires_at), (&json!(3), None));

    store.revoke_grant(&third, did("key.revoke"), NOW).await.unwrap();
    assert!(trade(&third, 3).await.is_none(), "it was revoked");
    // What hangs below a root that was revoked by itself ends too.
    store.revoke_grant(&root, did("key.revoke"), NOW).await.unwrap();
    assert!(!world.is_revoked(&second).await);
    let entry = || did("connect.revoke");
    while !store.revoke_refresh_step(app.app_no, ada.user_no, entry(), NOW).await.unwrap() {}
    assert!(world.is_revoked(&second).await);
}

pub(crate) async fn grants_are_listed_by_kind_and_user(world: &World) {
    let (store, app, other) = (&world.store, world.app("a").await, world.app("b").await);
    let ada = world.user(&app, "ada").await;
    let new = |kind| world.new_grant(&app, kind, None);
    let of_ada = NewGrant { user_no: Some(ada.user_no), ..new(GrantKind::Access) };
    let of_ada = world.make(of_ada).await;
    let access = world.make(new(GrantKind::Access)).await;
    let session = world.make(new(GrantKind::Session)).await;
    world.make(NewGrant { scopes: Vec::new(), ..new(GrantKind::Access) }).await;
    let revoked = world.make(new(GrantKind::Access)).await;
    store.revoke_grant(&revoked, did("key.revoke"), NOW).await.unwrap();
    world.make(world.new_grant(&other, GrantKind::Access, None)).await;
    let listed = async |user_no, kinds: &[GrantKind]| -> Vec<GrantId> {
        let found = store.grants_of_kinds(app.app_no, user_no, kinds.to_vec(), 9).await.unwrap();
        found.into_iter().map(|grant| grant.id).collect()
    };
    let (accesses, both) = ([GrantKind::Access], [GrantKind::Access, GrantKind::Session]);
    assert_eq!(listed(None, &accesses).await, [of_ada.id, access.id]);
    assert_eq!(listed(None, &both).await, [of_ada.id, access.id, session.id]);
    assert_eq!(listed(Some(ada.user_no), &both).await, [of_ada.id]);
    assert!(listed(None, &[]).await.is_empty());
}

pub(crate) async fn tokens_that_ended_long_ago_are_swept_from_the_leaves(world: &World) {
    let (store, app) = (&world.store, world.app("a").await);
    let old = |new| NewGrant { expires_at: Some(NOW.plus_ms(10)), ..new };
    let code = world.make(old(world.new_grant(&app, GrantKind::Code, None))).await;
    let refresh = world.make(old(world.new_grant(&app, GrantKind::Refresh, Some(&code)))).await;
    let key = world.make(old(world.new_grant(&app, GrantKind::App, None))).await;
    let lives = world.make(world.new_grant(&app, GrantKind::Refresh, None)).await;
    let owner = world.make(old(world.new_grant(&app, GrantKind::Session, None))).await;
    let owner_grant_no = Some(owner.grant_no);
    world.create_hook(NewHook { owner_grant_no, ..world.new_hook(&app) }).await;
    world.make(old(world.new_grant(&app, GrantKind::Access, None))).await;
    let made = world.make(old(world.new_grant(&app, GrantKind::Access, Some(&owner)))).await;
    let left = async || -> Vec<GrantId> {
        let found = store.grants(Some(app.app_no), 0, 9).await.unwrap();
        found.into_iter().map(|grant| grant.id).collect()
    };
    assert_eq!(store.sweep_grants(NOW.plus_ms(10), 9).await.unwrap(), 0, "swept before its time");
    assert_eq!(store.sweep_grants(NOW.plus_ms(11), 9).await.unwrap(), 2);
    assert_eq!(left().await, [code.id, key.id, lives.id, owner.id, made.id], "{} went", refresh.id);
    assert_eq!(store.sweep_grants(NOW.plus_ms(11), 9).await.unwrap(), 1);
    assert_eq!(left().await, [key.id, lives.id, owner.id, made.id]);
    assert_eq!(store.sweep_grants(NOW.plus_ms(11), 9).await.unwrap(), 0);
}
