//! What each role of an operator opens.

use tidings_core::id::{AccountId, AppId, ChangeId, HookId, Ids, OperatorId, UserId};
use tidings_service::{
    AppChanges, Caller, DeliveryQuery, EnableFrom, Error, GrantKind, HookChanges, LedgerQuery,
    NewApp, NewKey, NewReplay, OperatorChanges, PageInput, PortalInput, ReplayFrom, Role,
    RotateSecret, Scope, Service,
};

use crate::accounts::new_account;
use crate::operators::{new_operator, operator, secret, set_up, signed_in};
use crate::setup::{NOON, Setup, new_hook, publication};

/// Who may: viewers and all above, admins and owners, owners alone.
const ALL: &[Role] = &Role::ALL;
const ADMINS: &[Role] = &[Role::Owner, Role::Admin];
const OWNERS: &[Role] = &[Role::Owner];

/// Asserts for each verb which roles it is open to: the others are forbidden, and nothing else.
macro_rules! opens {
    ($role:expr; $($verb:literal: $roles:ident $call:expr;)*) => {$({
        let forbidden = matches!($call, Err(Error::Forbidden(_)));
        assert_eq!(!forbidden, $roles.contains(&$role), "{} as {}", $verb, $role.as_str());
    })*};
}

/// An operator, and what there is to look at and to change.
struct Scene<'a> {
    s: &'a Service,
    role: Role,
    /// The operator who named no app, and the same in the first app.
    all: Caller,
    c: Caller,
    app: AppId,
    other: AppId,
    user: UserId,
    account: AccountId,
    change: ChangeId,
    hook: HookId,
    owner: OperatorId,
}

impl Scene<'_> {
    async fn looks(&self) {
        let Scene { s, role, all, c, .. } = self;
        let (page, hook) = (&PageInput::default(), self.hook);
        let deliveries = DeliveryQuery { hook: Some(hook), ..DeliveryQuery::default() };
        opens! { *role;
            "apps": ALL s.apps(all, page).await;
            "app": ALL s.app(all, self.other).await;
            "app within another": ALL s.app(c, self.other).await;
            "hooks": ALL s.hooks(c, page).await;
            "hook": ALL s.hook(c, hook).await;
            "deliveries": ALL s.deliveries(c, deliveries, page).await;
            "ledger": ALL s.ledger(c, hook, LedgerQuery::default(), page).await;
            "replays": ALL s.replays(c, hook).await;
            "changes": ALL s.changes(c, 0, None).await;
            "change": ALL s.change(c, self.change).await;
            "accounts": ALL s.account(c, self.account).await;
            "users": ALL s.user(c, self.user).await;
            "event types": ALL s.event_types(c, page).await;
            "inboxes": ALL s.inboxes(c);
            "keys": ADMINS s.keys(c, GrantKind::App, page).await;
            "audit": ADMINS s.audit(c, page).await;
            "audit of the installation": OWNERS s.audit(all, page).await;
            "the same within an app": OWNERS s.audit_of_installation(c, page).await;
            "owner keys": OWNERS s.keys(c, GrantKind::Owner, page).await;
            "operators": OWNERS s.operators(all).await;
            "operator": OWNERS s.operator(all, self.owner).await;
        }
    }

    async fn changes(&self) {
        let Scene { s, role, all, c, .. } = self;
        let (hook, nobody) = (self.hook, HookId(Ids::seeded(99).next(NOON)));
        let replay = || NewReplay::since(ReplayFrom::Seq(1));
        let portal = PortalInput { user: self.user, ttl_s: 60 };
        let key = NewKey { name: "k".into(), scopes: vec![Scope::Read], ..NewKey::default() };
        let new_app = NewApp { name: "n".into(), ..NewApp::default() };
        opens! { *role;
            "update app": ADMINS s.update_app(c, self.app, AppChanges::default()).await;
            "create app": ADMINS s.create_app(all, new_app).await;
            "create hook": ADMINS s.create_hook(c, new_hook()).await;
            "update hook": ADMINS s.update_hook(c, hook, HookChanges::default()).await;
            "pause hook": ADMINS s.pause_hook(c, hook).await;
            "enable hook": ADMINS s.enable_hook(c, hook, EnableFrom::Now).await;
            "rotate": ADMINS s.rotate_hook_secret(c, hook, RotateSecret::default()).await;
            "reveal": ADMINS s.reveal_hook_secret(c, hook).await;
            "test hook": ADMINS s.test_hook(c, hook).await;
            "count replay": ADMINS s.count_replay(c, hook, replay()).await;
            "replay": ADMINS s.create_replay(c, hook, replay()).await;
            "delete hook": ADMINS s.delete_hook(c, nobody).await;
            "publish": ADMINS s.publish(c, publication("a.b", "1"), None, None).await;
            "create user": ADMINS s.upsert_user(c, "bob".into()).await;
            "sync": ADMINS s.sync_account(c, self.account).await;
            "portal link": ADMINS s.portal_link(c, portal).await;
            "create inbox": ADMINS s.create_inbox(c).await;
            "create key": ADMINS s.create_key(c, key).await;
            "delete app": ADMINS s.delete_app(all, self.other).await;
        }
    }

    async fn manages(&self) {
        let Scene { s, role, all, c, owner, .. } = self;
        let key = NewKey { kind: GrantKind::Owner, name: "o".into(), ..NewKey::default() };
        let changes = OperatorChanges::default();
        opens! { *role;
            "create owner key": OWNERS s.create_key(c, key).await;
            "create operator": OWNERS s.create_operator(all, new_operator("x", Role::Viewer)).await;
            "update operator": OWNERS s.update_operator(all, *owner, changes).await;
            "set password": OWNERS s.set_operator_password(all, *owner, secret("x")).await;
            "delete operator": OWNERS s.delete_operator(all, *owner).await;
        }
    }
}

#[tokio::test]
async fn each_role_opens_what_the_table_says_in_every_app_and_nothing_else() {
    let setup = Setup::new().await;
    let s = &setup.service;
    let made = set_up(&setup).await;
    let user = s.upsert_user(&setup.owner, "ada".into()).await.unwrap().0.id;
    let account = s.connect_account(&setup.owner, new_account()).await.unwrap().id;
    let change = s.publish(&setup.owner, publication("a.b", "1"), None, None).await.unwrap();
    for role in Role::ALL {
        let session = match role {
            Role::Owner => made.session.clone(),
            _ => operator(&setup, &made.session, role).await.session,
        };
        let scene = Scene {
            s,
            role,
            all: session.caller_of_installation(),
            c: s.operator_caller(&session, setup.app).await.unwrap(),
            app: setup.app,
            other: setup.other_app(role.as_str()).await.app_id().unwrap(),
            user,
            account,
            change: change.receipts[0].id,
            hook: s.create_hook(&setup.owner, new_hook()).await.unwrap().hook.id,
            owner: made.session.operator.id,
        };
        let is_owner = role == Role::Owner;
        assert_eq!((scene.c.kind(), scene.c.is_owner()), (GrantKind::Operator, is_owner));
        scene.looks().await;
        scene.changes().await;
        scene.manages().await;
        // Nobody but an owner ends somebody else's session.
        let other = signed_in(&setup, &made.session.operator.email, None).await.session.id;
        let ended = s.end_operator_session(&session, other).await;
        assert_eq!(ended.is_ok(), is_owner, "{ended:?}");
    }
}

#[tokio::test]
async fn an_app_that_nobody_has_is_not_found_for_an_operator() {
    let setup = Setup::new().await;
    let made = set_up(&setup).await;
    let app = AppId(Ids::seeded(99).next(NOON));
    let unknown = setup.service.operator_caller(&made.session, app).await;
    assert_eq!(unknown.err(), Some(Error::NotFound("app")));
    assert!(made.session.recently_authenticated(NOON));
}
