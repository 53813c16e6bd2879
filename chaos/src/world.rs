//! What both commands start with: a server, a receiver and hooks from one to the other.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_core::id::Ids;
use tidings_testkit::receiver::TestReceiver;

use crate::server::Server;
use crate::tally::HookBook;

/// Deliveries in flight at once of each hook.
pub(crate) const CONCURRENCY: usize = 16;
/// Seconds before each attempt: patient enough for a receiver that is down for minutes.
const RETRY_SECONDS: &[u32] =
    &[0, 1, 2, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 10, 10, 10, 10, 10];
/// Without an arrival for this time nothing more is expected.
const QUIET: Duration = Duration::from_secs(45);
/// Duplicates that are still on their way arrive within this time.
const LINGER: Duration = Duration::from_secs(2);

/// A fresh installation.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) receiver: TestReceiver,
    pub(crate) hooks: Vec<HookBook>,
    _directory: TempDir,
}

impl World {
    /// Starts a server and a receiver and makes `hooks` hooks.
    pub(crate) async fn start(hooks: usize, seed: u64) -> Result<Self, String> {
        let directory = tempfile::Builder::new().prefix("tidings-chaos-").tempdir();
        let directory = directory.map_err(|error| error.to_string())?;
        let mut server = Server::new(directory.path(), &Ids::seeded(seed))?;
        server.start().await?;
        let receiver = TestReceiver::start().await;
        let mut world = Self { server, receiver, hooks: Vec::new(), _directory: directory };
        for number in 0..hooks {
            let hook = world.create_hook(number).await?;
            world.hooks.push(hook);
        }
        Ok(world)
    }

    async fn create_hook(&self, number: usize) -> Result<HookBook, String> {
        let path = format!("/hook/{number}");
        let body = json!({
            "url": self.receiver.url(&path), "triggers": ["chaos.*"],
            "concurrency": CONCURRENCY, "retry": RETRY_SECONDS,
        });
        let (status, answer) = self.server.client().post("/api/v1/hooks", &body).await?;
        let secret = answer["secret"].as_str().and_then(|secret| secret.parse().ok());
        match (status, secret) {
            (201, Some(secret)) => Ok(HookBook { path, secret }),
            _ => Err(format!("the hook was not created: {status} {}", redacted(answer))),
        }
    }

    /// Waits until `expected` requests arrived, or none for a long time, and a little longer.
    pub(crate) async fn quiescence(&self, expected: usize) {
        let (mut count, mut since) = (self.receiver.count(), Instant::now());
        while count < expected && since.elapsed() < QUIET {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = self.receiver.count();
            if now > count {
                (count, since) = (now, Instant::now());
            }
        }
        let mut count = usize::MAX;
        while count != self.receiver.count() {
            count = self.receiver.count();
            tokio::time::sleep(LINGER).await;
        }
    }
}

fn redacted(mut answer: Value) -> Value {
    if let Some(secret) = answer.get_mut("secret") {
        *secret = "…".into();
    }
    answer
}
