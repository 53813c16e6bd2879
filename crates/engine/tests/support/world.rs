//! A store, an app, a receiver and engines that can be stopped and started.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tidings_core::change::{NewChange, Origin, Subject};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::format::{Format, Formats, Preset, RenderError, RenderInput, Rendered};
use tidings_core::hook::{Grouping, Providers, Selection, Service, pattern_covers};
use tidings_core::id::{AppId, ChangeId, HookId, Ids};
use tidings_core::retry::Schedule;
use tidings_core::seal::{Keyring, Place};
use tidings_core::sign::Secret;
use tidings_engine::egress::{Egress, Resolver, Tls};
use tidings_engine::run::{Engine, EngineParts};
use tidings_engine::sync;
use tidings_providers::settings::Settings;
use tidings_store::{AuditEntry, Hook, NewApp, NewHook, NewSecret, Store};
use tidings_testkit::receiver::{Received, TestReceiver};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a test waits for something that should happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    /// Removed when the test ends.
    _directory: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) receiver: TestReceiver,
    pub(crate) app_no: i64,
    pub(crate) app_id: AppId,
    keyring: Keyring,
    next: AtomicU64,
}

pub(crate) struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    /// Stops as a signal would: what is in flight finishes.
    pub(crate) async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
    }

    /// Stops as a crash would: nothing in flight is settled.
    pub(crate) async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let (clock, ids) = (Clock::system(), Ids::seeded(1));
        let keyring = Keyring::new(&[vec![7; 32].into()]).unwrap();
        let new = NewApp {
            id: AppId(ids.next(clock.now())),
            name: "test".into(),
            external_id: None,
            webhook_url: None,
            created_at: clock.now(),
        };
        let app = store.create_app(new, audit("app.create")).await.unwrap();
        Self {
            _directory: directory,
            store,
            receiver: TestReceiver::start().await,
            app_no: app.app_no,
            app_id: app.id,
            keyring,
            clock,
            ids,
            next: AtomicU64::new(1),
        }
    }

    pub(crate) fn start(&self) -> Running {
        let (stop, stopped) = watch::channel(false);
        let egress = Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public());
        let engine = Engine::new(EngineParts {
            store: self.store.clone(),
            egress: Arc::new(egress),
            keyring: self.keyring.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            formats: Formats::new(vec![PLAIN]),
            meters: Arc::default(),
        });
        let task = tokio::spawn(async move { engine.run(stopped).await.unwrap() });
        Running { stop, task }
    }

    /// What errands need.
    pub(crate) fn providers(&self) -> Arc<sync::Providers> {
        let egress = Egress::new(EgressPolicy::dev(), Resolver::System, Tls::public());
        let (store, keyring) = (self.store.clone(), self.keyring.clone());
        let (clock, ids, settings) = (self.clock.clone(), self.ids.clone(), Settings::default());
        Arc::new(sync::Providers::new(store, Arc::new(egress), keyring, clock, ids, settings))
    }

    /// A hook with these triggers and retry waits, in seconds.
    pub(crate) async fn hook(&self, triggers: &[&str], waits: &[u32]) -> Hook {
        self.hook_after(triggers, waits, None).await
    }

    pub(crate) async fn hook_after(
        &self,
        triggers: &[&str],
        waits: &[u32],
        after_seq: Option<u64>,
    ) -> Hook {
        self.hook_until(triggers, waits, after_seq, None).await
    }

    pub(crate) async fn hook_until(
        &self,
        triggers: &[&str],
        waits: &[u32],
        after_seq: Option<u64>,
        expires_at: Option<Timestamp>,
    ) -> Hook {
        self.hook_with(triggers, served(waits), |hook| {
            (hook.after_seq, hook.expires_at) = (after_seq, expires_at);
        })
        .await
    }

    /// A hook that is served like this.
    pub(crate) async fn hook_served(&self, triggers: &[&str], service: Service) -> Hook {
        self.hook_with(triggers, service, |_| {}).await
    }

    pub(crate) async fn hook_with(
        &self,
        triggers: &[&str],
        service: Service,
        alter: impl FnOnce(&mut NewHook),
    ) -> Hook {
        let now = self.clock.now();
        let id = HookId(self.ids.next(now));
        let secret = Secret::generate(&self.ids);
        let secret = self.sealed("hook_secret", secret.reveal().as_bytes());
        let mut new = NewHook {
            id,
            app_no: self.app_no,
            owner_grant_no: None,
            user_no: None,
            external_id: None,
            description: String::new(),
            url: Some(self.receiver.url("/hook")),
            service,
            selection: Selection {
                format: "plain@1".to_owned().try_into().unwrap(),
                triggers: triggers.iter().map(|&trigger| trigger.to_owned()).collect(),
                providers: Providers::All,
                user_no: None,
                account_no: None,
                collection_no: None,
                echoes: false,
                except: Vec::new(),
                left: Vec::new(),
                filter: None,
                named: Vec::new(),
                transform: None,
            },
            expires_at: None,
            after_seq: None,
            access: None,
            disabled: None,
        };
        alter(&mut new);
        self.store.create_hook(new, secret, Vec::new(), audit("hook.create"), now).await.unwrap()
    }

    /// Sealed as the service does it.
    pub(crate) fn sealed(&self, table: &'static str, plain: &[u8]) -> NewSecret {
        let id = self.ids.next(self.clock.now());
        let place = Place { table, column: "sealed", app: self.app_id, row: id };
        NewSecret { id, sealed: self.keyring.seal(place, plain, &self.ids) }
    }

    /// What a hook signs with.
    pub(crate) async fn secret(&self, hook: &Hook) -> Secret {
        let secrets = self.store.hook_secrets(hook.hook_no, self.clock.now()).await.unwrap();
        let place =
            Place { table: "hook_secret", column: "sealed", app: self.app_id, row: secrets[0].id };
        let opened = self.keyring.open(place, &secrets[0].sealed).unwrap();
        std::str::from_utf8(&opened).unwrap().parse().unwrap()
    }

    /// Publishes `count` changes of a type, each with its own number as the body.
    pub(crate) async fn publish(&self, kind: &str, count: u64) {
        for _ in 0..count.div_ceil(100).max(1) {
            let left = count.min(100);
            let changes = (0..left).map(|_| self.change(kind)).collect();
            self.store.publish(self.app_no, changes, None, self.clock.now()).await.unwrap();
            if left == count {
                break;
            }
        }
    }

    /// Publishes changes with these order keys, each with its own number as the body.
    pub(crate) async fn publish_keyed(&self, keys: &[&str]) {
        let change = |&key: &&str| NewChange { order_key: Some(key.into()), ..self.change("a.b") };
        let changes = keys.iter().map(change).collect();
        self.store.publish(self.app_no, changes, None, self.clock.now()).await.unwrap();
    }

    /// Publishes a test event for a hook.
    pub(crate) async fn publish_test(&self, hook: &Hook) {
        let subject = Subject { hook_no: Some(hook.hook_no), ..Subject::default() };
        let change = NewChange { subject, ..self.change("hook.test") };
        self.store.publish(self.app_no, vec![change], None, self.clock.now()).await.unwrap();
    }

    fn change(&self, kind: &str) -> NewChange {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        NewChange {
            id: ChangeId(self.ids.next(self.clock.now())),
            kind: kind.into(),
            subject: Subject::default(),
            order_key: None,
            occurred_at: self.clock.now(),
            origin: Origin::Api,
            actor: None,
            traceparent: None,
            body: Bytes::from(number.to_string()),
        }
    }

    /// Waits until `condition` holds, looking whenever something could have changed.
    pub(crate) async fn until(&self, what: &str, mut condition: impl AsyncFnMut() -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut look = tokio::time::interval(Duration::from_millis(10));
        while !condition().await {
            assert!(tokio::time::Instant::now() < deadline, "waited too long until {what}");
            look.tick().await;
        }
    }
}

/// Served with these retry waits, in seconds.
pub(crate) fn served(waits: &[u32]) -> Service {
    let retry = Schedule::try_from(waits.to_vec()).unwrap();
    Service { retry, concurrency: 8, timeout_ms: 2_000, ..Service::default() }
}

/// The numbers that arrived, in order of arrival.
pub(crate) fn numbers(received: &[Received]) -> Vec<u64> {
    received.iter().map(|r| std::str::from_utf8(&r.body).unwrap().parse().unwrap()).collect()
}

pub(crate) fn audit(action: &'static str) -> AuditEntry {
    AuditEntry {
        actor: "system".into(),
        action,
        object: String::new(),
        denied: false,
        address: None,
        detail: serde_json::json!({}),
    }
}

/// A format that sends bodies as they are, with commas between them, says which named filters took them,
/// and panics at changes of type `bug`.
const PLAIN: Format = Format {
    name: "plain",
    version: 1,
    title: "Plain",
    triggers: Vec::new,
    knows: |_| true,
    asks: pattern_covers,
    documents: |_, _| true,
    batches: &[Grouping::All],
    preset: Preset::PLAIN,
    render: plain,
};

fn plain(input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
    assert_ne!(input.changes[0].new.kind, "bug", "a planted panic");
    let names: Vec<String> = input.named.iter().map(|names| names.join(",")).collect();
    let bodies: Vec<&[u8]> = input.changes.iter().map(|change| &change.new.body[..]).collect();
    let body = Bytes::from(bodies.join(&b","[..]));
    let headers = match names.is_empty() {
        true => Vec::new(),
        false => vec![("x-names", names.join(";"))],
    };
    Ok(Rendered { headers, content_type: Some("application/json"), body })
}
