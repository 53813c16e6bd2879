//! A store, an app, a receiver and engines that can be stopped and started.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tidings_core::change::{NewChange, Origin, Subject};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::egress::EgressPolicy;
use tidings_core::format::{Format, Formats, RenderError, RenderInput, Rendered};
use tidings_core::hook::{Providers, Selection, Service, pattern_covers};
use tidings_core::id::{AppId, ChangeId, HookId, Ids};
use tidings_core::retry::Schedule;
use tidings_core::seal::{Keyring, Place};
use tidings_core::sign::Secret;
use tidings_engine::egress::{Egress, Resolver, Tls};
use tidings_engine::run::{Engine, EngineParts};
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
        });
        let task = tokio::spawn(async move { engine.run(stopped).await.unwrap() });
        Running { stop, task }
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
        let now = self.clock.now();
        let id = HookId(self.ids.next(now));
        let secret_id = self.ids.next(now);
        let secret = Secret::generate(&self.ids);
        let place =
            Place { table: "hook_secret", column: "sealed", app: self.app_id, row: secret_id };
        let sealed = self.keyring.seal(place, secret.reveal().as_bytes(), &self.ids);
        let retry = Schedule::try_from(waits.to_vec()).unwrap();
        let new = NewHook {
            id,
            app_no: self.app_no,
            owner_grant_no: None,
            user_no: None,
            external_id: None,
            description: String::new(),
            url: Some(self.receiver.url("/hook")),
            service: Service { retry, concurrency: 8, timeout_ms: 2_000, ..Service::default() },
            selection: Selection {
                format: "plain@1".to_owned().try_into().unwrap(),
                triggers: triggers.iter().map(|&trigger| trigger.to_owned()).collect(),
                providers: Providers::All,
                user_no: None,
                account_no: None,
                collection_no: None,
            },
            expires_at,
            after_seq,
        };
        let secret = NewSecret { id: secret_id, sealed };
        self.store.create_hook(new, secret, Vec::new(), audit("hook.create"), now).await.unwrap()
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
        detail: serde_json::json!({}),
    }
}

/// A format that sends the body as it is, and panics at changes of type `bug`.
const PLAIN: Format = Format {
    name: "plain",
    version: 1,
    knows: |_| true,
    asks: pattern_covers,
    documents: |_, _| true,
    render: plain,
};

fn plain(input: &RenderInput<'_>) -> Result<Rendered, RenderError> {
    assert_ne!(input.changes[0].new.kind, "bug", "a planted panic");
    let body = input.changes[0].new.body.clone();
    Ok(Rendered { headers: Vec::new(), content_type: Some("application/json"), body })
}
