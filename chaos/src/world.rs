//! What drills start with: a server with tenants and their hooks, publishers, a receiver and the books.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tidings_core::id::Ids;
use tidings_core::limits;

use crate::books::{HookBook, PublisherBook};
use crate::client::Client;
use crate::publish::Publisher;
use crate::receiver::Receiver;
use crate::report::{Report, Tier};
use crate::server::Server;
use crate::shim::Shim;
use crate::tally::Tally;

/// Deliveries in flight at once of each hook.
pub(crate) const CONCURRENCY: usize = 16;
/// Seconds before each attempt: patient enough for a receiver that is down for minutes.
const RETRY_SECONDS: &[u32] =
    &[0, 1, 2, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 10, 10, 10, 10, 10];
/// Without an arrival for this time nothing more is expected: longer than a broken breaker's slowest probe.
const QUIET: Duration = Duration::from_secs(45);
/// The same where something is known to be lost.
const QUIET_BRIEF: Duration = Duration::from_secs(8);
/// Duplicates that are still on their way arrive within this time.
const LINGER: Duration = Duration::from_secs(2);

/// What a drill wants to start with.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) tenants: usize,
    /// Hooks in all, spread over the tenants; each takes every change of its tenant.
    pub(crate) hooks: usize,
    pub(crate) seed: u64,
    /// Whether the shim stands between the server and its files.
    pub(crate) shim: bool,
    /// Bugs to plant in the server, by name, separated by commas.
    pub(crate) planted: &'static str,
    /// The server runs inside this command.
    pub(crate) wrapper: Vec<String>,
    /// More settings of the server.
    pub(crate) environment: Vec<(String, String)>,
    /// Without an arrival for this time nothing more is expected.
    pub(crate) quiet: Duration,
}

impl Plan {
    /// One tenant with one hook.
    pub(crate) fn of(tier: Tier, seed: u64) -> Self {
        Self {
            tenants: 1,
            hooks: 1,
            seed,
            shim: false,
            planted: "",
            wrapper: Vec::new(),
            environment: Vec::new(),
            quiet: tier.of(QUIET_BRIEF, QUIET, QUIET),
        }
    }
}

/// A fresh installation.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) shim: Option<Shim>,
    pub(crate) receiver: Receiver,
    pub(crate) publisher: Publisher,
    /// One a tenant.
    pub(crate) clients: Vec<Client>,
    pub(crate) hooks: Vec<HookBook>,
    pub(crate) book: PublisherBook,
    quiet: Duration,
    directory: Option<TempDir>,
}

impl World {
    /// Starts everything and makes tenants and hooks.
    pub(crate) async fn start(plan: &Plan) -> Result<Self, String> {
        let directory = tempfile::Builder::new().prefix("tidings-chaos-").tempdir();
        let directory = directory.map_err(|error| error.to_string())?;
        let mut server = Server::new(directory.path(), &Ids::seeded(plan.seed))?;
        server.wrap(&plan.wrapper);
        let shim = if plan.shim {
            let shim = Shim::build(directory.path(), &server.data())?;
            for (name, value) in shim.environment() {
                server.set(&name, &value);
            }
            Some(shim)
        } else {
            None
        };
        server.set("CHAOS_PLANTED", plan.planted);
        for (name, value) in &plan.environment {
            server.set(name, value);
        }
        server.start().await?;
        let mut clients = Vec::new();
        for tenant in 0..plan.tenants {
            let app = json!({"name": format!("Tenant {tenant}")});
            let made = server.client().make("/api/v1/apps", &app).await?;
            clients.push(server.client().in_app(made["id"].as_str().unwrap_or_default()));
        }
        let book = PublisherBook::open(&directory.path().join("accepted.log"), plan.tenants)?;
        let receiver = Receiver::start(directory.path()).await?;
        let publisher = Publisher::new(clients.clone(), book.clone());
        let mut world = Self {
            server,
            shim,
            receiver,
            publisher,
            clients,
            hooks: Vec::new(),
            quiet: plan.quiet,
            book,
            directory: Some(directory),
        };
        for number in 0..plan.hooks {
            let url = world.receiver.url("");
            world.add_hook(number % plan.tenants, &url, &json!({})).await?;
        }
        Ok(world)
    }

    /// Makes a hook whose webhooks are received at `base` or, below it, at a path of its own.
    pub(crate) async fn add_hook(
        &mut self,
        tenant: usize,
        base: &str,
        settings: &Value,
    ) -> Result<Value, String> {
        let number = self.hooks.len();
        let path = format!("/hook/{number}");
        let made = create_hook(&self.clients[tenant], &format!("{base}{path}"), settings).await?;
        let secret = made["secret"].as_str().and_then(|secret| secret.parse().ok());
        let secret = secret.ok_or_else(|| "the hook has no secret".to_owned())?;
        let hook = HookBook { tenant, path, secret };
        self.receiver.expect(number, &hook);
        self.hooks.push(hook);
        Ok(made)
    }

    /// Where books, log and data are.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.as_ref().map_or(Path::new("."), TempDir::path)
    }

    /// The shim.
    pub(crate) fn shim(&self) -> Result<&Shim, String> {
        self.shim.as_ref().ok_or_else(|| "this drill was started without the shim".to_owned())
    }

    /// How many changes were promised so far.
    pub(crate) fn accepted(&self) -> usize {
        self.book.count()
    }

    /// Deliveries that can be in flight at one moment.
    pub(crate) fn in_flight_max(&self) -> usize {
        (self.hooks.len() * CONCURRENCY).min(limits::IN_FLIGHT_MAX)
    }

    /// Waits until every hook has everything, or nothing more comes; then compares the books.
    pub(crate) async fn settled_tally(&self) -> Tally {
        loop {
            let before = self.receiver.count();
            let tally = self.tally();
            // Duplicates count as arrivals too, so this may have to be asked again.
            self.quiescence(before + tally.lost).await;
            if self.receiver.count() == before {
                return tally;
            }
        }
    }

    /// Compares the books as they are now.
    pub(crate) fn tally(&self) -> Tally {
        Tally::of(&self.book.accepted(), &self.hooks, &self.receiver.arrivals())
    }

    /// Waits until `expected` webhooks arrived, or none for a long time, and a little longer.
    async fn quiescence(&self, expected: usize) {
        let (mut count, mut since) = (self.receiver.count(), Instant::now());
        while count < expected && since.elapsed() < self.quiet {
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

    /// Ends a drill. Books, log and data stay for whoever looks into a broken promise.
    pub(crate) fn leave(mut self, mut report: Report) -> Report {
        if let Err(why) = self.server.healthy() {
            report.broken.push(why);
        }
        if !report.broken.is_empty()
            && let Some(directory) = self.directory.take()
        {
            report.note(format!("books, log and data: {}", directory.keep().display()));
        }
        report
    }
}

/// Creates a hook to `url` for all changes of the battery; `settings` go over the usual ones.
pub(crate) async fn create_hook(
    client: &Client,
    url: &str,
    settings: &Value,
) -> Result<Value, String> {
    let mut body = json!({"url": url, "triggers": ["chaos.*"], "concurrency": CONCURRENCY,
        "retry": RETRY_SECONDS});
    for (name, value) in settings.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    client.make("/api/v1/hooks", &body).await
}
