//! A service with two apps, and formats that stand in for those of the dialects.

use bytes::Bytes;
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::format::{Format, Formats, OnEnable, Preset, RenderError, RenderInput, Rendered};
use tidings_core::hook::{Coalesce, DisableRule, Grouping, is_pattern, pattern_covers};
use tidings_core::id::{AccountId, AppId, Ids};
use tidings_core::seal::Keyring;
use tidings_service::{
    Caller, CreatedHook, Error, GrantKind, NewApp, NewHook, NewKey, NewPublication, Scope, Service,
};
use tidings_store::Store;
use zeroize::Zeroizing;

/// 2026-11-21T08:00:00Z.
pub(crate) const NOON: Timestamp = Timestamp(1_795_248_000_000);

/// Whoever holds a token that lets in at all.
pub(crate) const ANY: [GrantKind; 5] =
    [GrantKind::Owner, GrantKind::App, GrantKind::Connect, GrantKind::Session, GrantKind::Access];

/// A service on a store of its own, its first app and an owner.
pub(crate) struct Setup {
    pub(crate) service: Service,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) keyring: Keyring,
    pub(crate) owner: Caller,
    pub(crate) app: AppId,
    seeds: Ids,
    directory: tempfile::TempDir,
}

fn nothing(_: &RenderInput<'_>) -> Result<Rendered, RenderError> {
    Err(RenderError("not rendered here".into()))
}

fn format(name: &'static str) -> Format {
    Format {
        name,
        version: 1,
        title: "Plain",
        triggers: Vec::new,
        knows: is_pattern,
        asks: pattern_covers,
        documents: |_, _| true,
        batches: if name == "native" { &Grouping::EVERY } else { &[] },
        preset: Preset::PLAIN,
        render: nothing,
    }
}

/// A format whose hooks are throttled and tried a few times, wherever they lead.
fn throttled() -> Format {
    let preset = Preset {
        retry: Some(&[0, 5, 10]),
        disable: Some(DisableRule { failing_ms: None, failures: Some(3) }),
        one_by_one: true,
        coalesce: Some(Coalesce { min_interval_ms: 5_000, ..Coalesce::PLAIN }),
        breaker: false,
        jitter: false,
        merges: true,
        any_url: true,
        from_on_enable: OnEnable::Now,
        ..Preset::PLAIN
    };
    Format { preset, batches: &[Grouping::All], ..format("throttled") }
}

pub(crate) fn new_service(store: &Store, clock: &Clock, keyring: &Keyring, seed: u64) -> Service {
    Service::new(
        store.clone(),
        clock.clone(),
        Ids::seeded(seed),
        keyring.clone(),
        EgressPolicy::public_only(),
        Formats::new(vec![format("native"), format("connect"), throttled()]),
    )
}

impl Setup {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let clock = Clock::manual(NOON);
        let keyring = Keyring::new(&[Zeroizing::new(vec![7; 32])]).unwrap();
        let service = new_service(&store, &clock, &keyring, 1);
        let started = service.bootstrap(None).await.unwrap();
        let token = started.generated.unwrap();
        let owner = service.authenticate(token.reveal(), None).await.unwrap();
        let app = started.created_app.unwrap();
        Self { service, store, clock, keyring, owner, app, seeds: Ids::seeded(1_000), directory }
    }

    /// An admin of another, new app.
    pub(crate) async fn other_app(&self, name: &str) -> Caller {
        let input = NewApp { name: name.into(), ..NewApp::default() };
        let app = self.service.create_app(&self.owner, input).await.unwrap();
        self.admin_of(app.id).await
    }

    /// An admin of `app`.
    pub(crate) async fn admin_of(&self, app: AppId) -> Caller {
        let input =
            NewKey { name: "admin".into(), scopes: vec![Scope::Admin], ..NewKey::default() };
        let owner = self.service.create_key(&self.owner, owner_key()).await.unwrap();
        let owner = self.service.authenticate(owner.token.reveal(), Some(app)).await.unwrap();
        let key = self.service.create_key(&owner, input).await.unwrap();
        self.service.authenticate(key.token.reveal(), None).await.unwrap()
    }

    /// A caller of the first app with these scopes.
    pub(crate) async fn with_scopes(&self, scopes: &[Scope]) -> Caller {
        let input = NewKey { name: "k".into(), scopes: scopes.to_vec(), ..NewKey::default() };
        let key = self.service.create_key(&self.owner, input).await.unwrap();
        self.service.authenticate(key.token.reveal(), None).await.unwrap()
    }

    pub(crate) async fn hook(&self, caller: &Caller) -> CreatedHook {
        self.service.create_hook(caller, new_hook()).await.unwrap()
    }

    /// Puts a calendar into an account, as the sync would.
    pub(crate) async fn calendar(&self, account: AccountId, external_id: &str) {
        let row = self.store.account_by_id(1, account).await.unwrap().unwrap();
        let id = self.seeds.next(NOON).to_bytes();
        let conn = rusqlite::Connection::open(self.directory.path().join("tidings.sqlite"));
        conn.unwrap()
            .execute(
                "INSERT INTO collection (id, app_no, account_no, external_id, created_at)
                 VALUES (?1, ?2, ?3, ?4, 0)",
                rusqlite::params![id, row.app_no, row.account_no, external_id],
            )
            .unwrap();
    }

    /// Audit lines of the caller's app, newest first: action, object, whether denied.
    pub(crate) async fn audit(&self, caller: &Caller) -> Vec<(String, String, bool)> {
        let page = self.service.audit(caller, &Default::default()).await.unwrap();
        page.items.into_iter().map(|line| (line.action, line.object, line.denied)).collect()
    }
}

fn owner_key() -> NewKey {
    NewKey { kind: tidings_service::GrantKind::Owner, name: "o".into(), ..NewKey::default() }
}

pub(crate) fn new_hook() -> NewHook {
    NewHook {
        url: Some("https://example.com/hook".into()),
        triggers: vec!["invoice.*".into()],
        ..NewHook::default()
    }
}

pub(crate) fn publication(kind: &str, data: &'static str) -> NewPublication {
    NewPublication {
        kind: kind.into(),
        data: Bytes::from_static(data.as_bytes()),
        id: None,
        account: None,
        order_key: None,
        occurred_at: None,
    }
}

/// The pointers that a refusal names.
#[track_caller]
pub(crate) fn pointers<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<String> {
    match result {
        Err(Error::Invalid(fields)) => fields.into_iter().map(|field| field.pointer).collect(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}
