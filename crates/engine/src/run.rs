//! The loop: hears what was committed, lets dispatch decide, sends, reads and settles.
//!
//! Only this module loops. It never waits for a receiver or for the disk: attempts, reads and settles
//! are tasks that report back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tidings_core::change::Change;
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::fault;
use tidings_core::format::Formats;
use tidings_core::hook::Consent;
use tidings_core::id::Ids;
use tidings_core::limits;
use tidings_core::seal::Keyring;
use tidings_core::sign::Scheme;
use tidings_store::{Committed, Hook, ParkedRow, Picked, Picks, Settle, Store};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::consent::Asker;
use crate::deliver::{Deliverer, Outcome};
use crate::dispatch::{Dispatch, Work};
use crate::egress::Egress;
use crate::meters::Meters;
use crate::parked::PARKED_PAGE;
use crate::patience::{Patience, STORE_RETRY};
use crate::settle::Ticket;
use crate::{stats, target, trace};

/// How far idle apps are matched is written this often.
const IDLE_SETTLE: Duration = Duration::from_secs(1);
/// Reports and announcements taken in before work is looked for again: enough to share its cost, few
/// enough that new work does not wait.
const HEARD_AT_ONCE: usize = 128;

/// What the engine is made of.
#[derive(Clone, Debug)]
pub struct EngineParts {
    /// The store.
    pub store: Store,
    /// The guarded way out.
    pub egress: Arc<Egress>,
    /// Opens secrets.
    pub keyring: Keyring,
    /// Time.
    pub clock: Clock,
    /// Ids and jitter.
    pub ids: Ids,
    /// Formats that hooks can pin.
    pub formats: Formats,
    /// Counts what is done.
    pub meters: Arc<Meters>,
}

/// The delivery engine of this process.
#[derive(Debug)]
pub struct Engine {
    parts: EngineParts,
    deliverer: Arc<Deliverer>,
    asker: Asker,
    dispatch: Dispatch,
    reports: mpsc::UnboundedReceiver<Report>,
    reporter: mpsc::UnboundedSender<Report>,
    tasks: JoinSet<()>,
    settling: bool,
    /// The next settle says where idle apps stand, too.
    settle_all: bool,
    /// Something that was announced could not be read: everything is read anew.
    stale: bool,
}

/// What a task reports. At most as many wait as tasks run, which the in-flight bounds limit.
#[derive(Debug)]
enum Report {
    Outcome(Box<Outcome>),
    LanePage { hook_no: i64, cursor_no: i64, changes: Vec<Change>, reached: u64 },
    AppPage { app_no: i64, changes: Vec<Change> },
    Parked { hook_no: i64, rows: Vec<ParkedRow> },
    Settled(Ticket),
}

impl Engine {
    /// An engine that has not started.
    pub fn new(mut parts: EngineParts) -> Self {
        let (reporter, reports) = mpsc::unbounded_channel();
        let deliverer = Arc::new(Deliverer {
            store: parts.store.clone(),
            egress: Arc::clone(&parts.egress),
            clock: parts.clock.clone(),
            formats: parts.formats.clone(),
            sandbox: tidings_transform::Sandbox::default(),
            patience: Patience::default(),
        });
        // Signatures follow the wall clock; what waits must not wait longer when that is set back.
        parts.clock = parts.clock.forward();
        let asker = Asker {
            store: parts.store.clone(),
            egress: Arc::clone(&parts.egress),
            clock: parts.clock.clone(),
        };
        let dispatch = Dispatch::new(parts.formats.clone(), parts.ids.clone());
        Self {
            parts,
            deliverer,
            asker,
            dispatch,
            reports,
            reporter,
            tasks: JoinSet::new(),
            settling: false,
            settle_all: false,
            stale: false,
        }
    }

    /// Delivers until `stop` becomes true, then lets what is in flight finish and settles it.
    ///
    /// # Errors
    /// When the store cannot be read at the start.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> tidings_store::Result<()> {
        let mut committed = self.parts.store.committed();
        fault::point("engine.loading");
        self.parts.store.unpark_the_future(self.parts.clock.now()).await?;
        self.load().await?;
        fault::point("engine.loaded");
        let mut idle = tokio::time::interval(IDLE_SETTLE);
        idle.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut heard = Vec::with_capacity(HEARD_AT_ONCE);
        loop {
            let next = self.work();
            self.settle();
            // Whatever is ready takes turns: a stream of reports must not keep announcements waiting.
            tokio::select! {
                () = stopped(&mut stop) => break,
                _ = self.reports.recv_many(&mut heard, HEARD_AT_ONCE) => {}
                event = committed.recv() => self.hear(event, &mut committed).await,
                () = sleep_until(&self.parts.clock, next) => {}
                _ = idle.tick() => self.tick().await,
            }
            heard.drain(..).for_each(|report| self.report(report));
            while self.tasks.try_join_next().is_some() {}
        }
        self.finish().await;
        Ok(())
    }

    /// Once a second: where idle apps stand is written, now and then what was counted, and what could not be
    /// read is tried again.
    async fn tick(&mut self) {
        self.settle_all = true;
        if let Some(minutes) = self.dispatch.counted.take_due(self.parts.clock.now()) {
            let store = self.parts.store.clone();
            self.tasks.spawn(async move { stats::write(&store, minutes).await });
        }
        if self.stale {
            let loaded = self.load().await;
            self.note(loaded);
        }
    }

    /// Remembers when the store could not be read.
    fn note(&mut self, read: tidings_store::Result<()>) {
        self.stale = read.is_err();
        if let Err(error) = read {
            tracing::error!(error = %error, "the store could not be read; trying again");
        }
    }

    async fn load(&mut self) -> tidings_store::Result<()> {
        let mut apps = HashSet::new();
        for app in self.parts.store.dispatch_apps().await? {
            apps.insert(app.app_no);
            self.dispatch.put_app(app);
        }
        let hooks = self.parts.store.all_hooks().await?;
        self.dispatch.keep(&apps, &hooks);
        let parked: HashSet<i64> =
            self.parts.store.hooks_with_parked().await?.into_iter().collect();
        for hook in hooks {
            let parked = parked.contains(&hook.hook_no);
            self.put_hook(hook, parked).await?;
        }
        Ok(())
    }

    async fn put_hook(&mut self, hook: Hook, parked: bool) -> tidings_store::Result<()> {
        let cursors = self.parts.store.cursors(hook.hook_no).await?;
        let before = self.dispatch.hooks.get(&hook.hook_no).map(|state| Arc::clone(&state.target));
        let target = Arc::new(target::load(&self.parts, &hook, before.as_deref()).await?);
        if hook.service.consent == Some(Consent::Asked) {
            let (asker, target) = (self.asker.clone(), Arc::clone(&target));
            self.tasks.spawn(async move {
                asker.ask(&target.hook, &target.url, &target.vetted).await;
            });
        }
        self.dispatch.put_hook(hook, target, &cursors, parked);
        Ok(())
    }

    /// Takes an announcement of the store, or finds out itself what it missed.
    async fn hear(
        &mut self,
        event: Result<Committed, broadcast::error::RecvError>,
        committed: &mut broadcast::Receiver<Committed>,
    ) {
        let done = match event {
            Ok(Committed::Appended(appended)) => {
                fault::point("engine.heard");
                self.dispatch.appended(appended.app_no, &appended.changes);
                Ok(())
            }
            Ok(Committed::Hook(hook_no)) => self.hear_hook(hook_no).await,
            Ok(Committed::App(app_no)) => self.hear_app(app_no).await,
            Ok(Committed::Account(_)) | Err(broadcast::error::RecvError::Closed) => Ok(()),
            Ok(Committed::Elsewhere) => self.load().await,
            Err(broadcast::error::RecvError::Lagged(_)) => {
                *committed = self.parts.store.committed();
                self.load().await
            }
        };
        // What an earlier one left unread is not made good by this one.
        if done.is_err() {
            self.note(done);
        }
    }

    async fn hear_hook(&mut self, hook_no: i64) -> tidings_store::Result<()> {
        match self.parts.store.hook_by_no(hook_no).await? {
            Some(hook) => self.put_hook(hook, true).await,
            None => {
                self.dispatch.remove_hook(hook_no);
                Ok(())
            }
        }
    }

    async fn hear_app(&mut self, app_no: i64) -> tidings_store::Result<()> {
        let Some(app) = self.parts.store.dispatch_app(app_no).await? else {
            self.dispatch.remove_app(app_no);
            return Ok(());
        };
        self.dispatch.hear_app(app);
        let followers: Vec<i64> = self
            .dispatch
            .hooks
            .values()
            .filter(|state| state.hook.app_no == app_no)
            .filter(|state| state.hook.url.is_none() || signs_with_keys(&state.hook))
            .map(|state| state.hook.hook_no)
            .collect();
        for hook_no in followers {
            self.hear_hook(hook_no).await?;
        }
        Ok(())
    }

    /// Starts all the work there is; answers when a timer goes off.
    fn work(&mut self) -> Option<Timestamp> {
        let now = self.parts.clock.now();
        self.dispatch.tick(now);
        while let Some(work) = self.dispatch.next_work(now) {
            let (deliverer, reporter) = (Arc::clone(&self.deliverer), self.reporter.clone());
            self.tasks.spawn(async move {
                if let Some(report) = perform(&deliverer, work).await {
                    // The engine is gone when nobody listens any more.
                    drop(reporter.send(report));
                }
            });
        }
        self.dispatch.next_timer()
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::Outcome(outcome) => {
                fault::point("engine.outcome");
                self.dispatch.outcome(*outcome, self.parts.clock.now());
            }
            Report::LanePage { hook_no, cursor_no, changes, reached } => {
                fault::point("engine.lane_page");
                self.dispatch.lane_page(hook_no, cursor_no, &changes, reached);
            }
            Report::AppPage { app_no, changes } => {
                fault::point("engine.app_page");
                self.dispatch.app_page(app_no, changes);
            }
            Report::Parked { hook_no, rows } => {
                fault::point("engine.parked_page");
                self.dispatch.parked_page(hook_no, rows);
            }
            Report::Settled(ticket) => {
                self.settling = false;
                self.dispatch.settled(ticket);
                fault::point("engine.settled");
            }
        }
    }

    /// Writes what was learnt, one settle at a time: what comes meanwhile goes into the next.
    fn settle(&mut self) {
        if self.settling {
            return;
        }
        let all = std::mem::take(&mut self.settle_all);
        let Some((settle, ticket)) = self.dispatch.take_settle(all) else { return };
        self.settling = true;
        let (store, clock) = (self.parts.store.clone(), self.parts.clock.clone());
        let (reporter, meters) = (self.reporter.clone(), Arc::clone(&self.parts.meters));
        self.tasks.spawn(async move {
            fault::point("engine.settling");
            write(&store, &clock, &meters, settle).await;
            fault::point("engine.settle_durable");
            drop(reporter.send(Report::Settled(ticket)));
        });
    }

    /// Lets attempts in flight finish, and settles them.
    async fn finish(mut self) {
        let deadline = tokio::time::sleep(Duration::from_millis(limits::SHUTDOWN_DRAIN_MS));
        tokio::pin!(deadline);
        while self.dispatch.in_flight > 0 || self.settling {
            self.settle();
            tokio::select! {
                Some(report) = self.reports.recv() => self.report(report),
                () = &mut deadline => break,
            }
        }
        if let Some((settle, _)) = self.dispatch.take_settle(true) {
            let now = self.parts.clock.now();
            self.parts.meters.settled(&settle);
            if let Err(error) = self.parts.store.settle(Arc::new(settle), now).await {
                tracing::error!(error = %error, "the last settle was not written");
            }
        }
        stats::write(&self.parts.store, self.dispatch.counted.take()).await;
    }
}

/// Whether keys of the app sign the hook's deliveries.
fn signs_with_keys(hook: &Hook) -> bool {
    hook.service.signing.has(Scheme::V1a)
}

/// Writes a settle, however often it takes: nothing may be sent again that was answered.
async fn write(store: &Store, clock: &Clock, meters: &Meters, settle: Settle) {
    meters.settled(&settle);
    let settle = Arc::new(settle);
    while let Err(error) = store.settle(Arc::clone(&settle), clock.now()).await {
        tracing::error!(error = %error, "outcomes could not be written; trying again");
        tokio::time::sleep(STORE_RETRY).await;
    }
}

async fn perform(deliverer: &Deliverer, work: Work) -> Option<Report> {
    let (store, patience) = (&deliverer.store, &deliverer.patience);
    Some(match work {
        Work::Send(send) => {
            let span = trace::attempt(&send);
            let outcome = deliverer.attempt(&send).instrument(span.clone()).await;
            trace::attempted(&span, &outcome);
            Report::Outcome(Box::new(outcome))
        }
        Work::ReadPage { hook_no, cursor_no, after, until, picks: Some(picks), .. } => {
            let picked = patience.read(|| pick(deliverer, hook_no, &picks, after, until)).await;
            let Picked { changes, reached } = picked;
            Report::LanePage { hook_no, cursor_no, changes, reached }
        }
        Work::ReadPage { hook_no, app_no, cursor_no, after, until, picks: None } => {
            let changes = read_changes(deliverer, app_no, after, until).await;
            // The journal has no gaps: an empty page means that what was there is gone.
            let reached = changes.last().map_or(until, |change| change.seq);
            Report::LanePage { hook_no, cursor_no, changes, reached }
        }
        Work::ReadParked { hook_no, keyed } => {
            let mut rows = patience.read(|| store.next_parked(hook_no, PARKED_PAGE)).await;
            if keyed {
                rows.extend(patience.read(|| store.blocked(hook_no)).await);
            }
            Report::Parked { hook_no, rows }
        }
        Work::ReadApp { app_no, after, until } => {
            let changes = read_changes(deliverer, app_no, after, until).await;
            Report::AppPage { app_no, changes }
        }
    })
}

/// Reads a page of the journal until the store lets us.
async fn read_changes(
    Deliverer { store, patience, .. }: &Deliverer,
    app_no: i64,
    after: u64,
    until: u64,
) -> Vec<Change> {
    patience.read(|| read_page(store, app_no, after, until)).await
}

/// Reads a page of the journal; what was trimmed is passed over.
async fn read_page(
    store: &Store,
    app_no: i64,
    after: u64,
    until: u64,
) -> tidings_store::Result<Vec<Change>> {
    let found = store.changes_until(app_no, after, until, limits::JOURNAL_PAGE).await;
    let Err(error) = found else { return found };
    match error.gone_oldest() {
        Some(oldest) => store.changes_until(app_no, oldest - 1, until, limits::JOURNAL_PAGE).await,
        None if error.is_not_found() => Ok(Vec::new()),
        None => Err(error),
    }
}

/// Reads what a replay takes of a page of the journal; what was trimmed is passed over.
async fn pick(
    deliverer: &Deliverer,
    hook_no: i64,
    picks: &Picks,
    after: u64,
    until: u64,
) -> tidings_store::Result<Picked> {
    let read = |after| {
        let formats = &deliverer.formats;
        deliverer.store.pick(hook_no, picks, (after, until), true, formats)
    };
    let found = read(after).await;
    match found.as_ref().err().and_then(tidings_store::Error::gone_oldest) {
        Some(oldest) if oldest > until => Ok(Picked { changes: Vec::new(), reached: until }),
        Some(oldest) => read(oldest - 1).await,
        None => found,
    }
}

/// Returns when `stop` is true or nobody can make it true any more.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

async fn sleep_until(clock: &Clock, at: Option<Timestamp>) {
    match at {
        Some(at) => {
            let wait = u64::try_from(at.0 - clock.now().0).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        None => std::future::pending().await,
    }
}
