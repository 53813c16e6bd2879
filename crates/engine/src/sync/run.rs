//! Which account is looked at when.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tidings_core::limits::{SYNC_LOOK_MS, SYNC_PASSES_MAX};
use tidings_store::{Account, Committed};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tracing::Instrument;

use super::Syncer;
use crate::trace;

/// After a failure of the store, whoever met it rests this long.
const STORE_REST: Duration = Duration::from_secs(1);
/// The shortest wait for an account that is due, but has a pass under way.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

impl Syncer {
    /// One pass over every account that is due, at most [`SYNC_PASSES_MAX`] of them, at the same time.
    /// Returns how many there were.
    ///
    /// # Errors
    /// When the store cannot say which are due.
    pub async fn step(self: &Arc<Self>) -> tidings_store::Result<usize> {
        let mut passes = JoinSet::new();
        self.begin(&mut passes).await?;
        let begun = passes.len();
        passes.join_all().await;
        Ok(begun)
    }

    /// Watches until `shutdown` says so or its sender is gone. Passes under way are dropped then: what
    /// they committed holds, the rest is read after the next start.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let this = Arc::new(self);
        let mut announcements = this.providers.store.committed();
        let mut passes = JoinSet::new();
        while !*shutdown.borrow() {
            let wait = match this.begin(&mut passes).await {
                Ok(()) => this.until_due(passes.len() >= SYNC_PASSES_MAX).await,
                Err(error) => {
                    tracing::error!(%error, "the accounts that are due cannot be read");
                    STORE_REST
                }
            };
            tokio::select! {
                changed = shutdown.changed() => if changed.is_err() { break },
                Some(_) = passes.join_next() => {}
                open = account_announced(&mut announcements) => if !open { break },
                () = tokio::time::sleep(wait) => {}
            }
        }
        passes.shutdown().await;
    }

    /// Begins a pass over accounts that are due and have none under way, as far as there is room.
    async fn begin(self: &Arc<Self>, passes: &mut JoinSet<()>) -> tidings_store::Result<()> {
        let room = SYNC_PASSES_MAX.saturating_sub(passes.len());
        if room == 0 {
            return Ok(());
        }
        // Those under way are still due in the store.
        let limit = SYNC_PASSES_MAX as u32;
        let due = self.providers.store.due_accounts(self.providers.clock.now(), limit).await?;
        let idle = due.into_iter().filter_map(|account| self.claim(account));
        for (account, claim) in idle.take(room) {
            passes.spawn(async move { claim.pass(account).await });
        }
        Ok(())
    }

    fn claim(self: &Arc<Self>, account: Account) -> Option<(Account, Claim)> {
        let account_no = account.account_no;
        let free = self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(account_no);
        free.then(|| (account, Claim { syncer: Arc::clone(self), account_no }))
    }

    /// How long there is nothing to begin.
    async fn until_due(&self, full: bool) -> Duration {
        let longest = Duration::from_millis(SYNC_LOOK_MS);
        let due = self.providers.store.next_account_due().await.ok().flatten();
        match due {
            Some(due) if !full => {
                let wait = u64::try_from(due.0 - self.providers.clock.now().0).unwrap_or(0);
                Duration::from_millis(wait).clamp(LOOK_AGAIN, longest)
            }
            _ => longest,
        }
    }
}

/// The right to the only pass over an account.
struct Claim {
    syncer: Arc<Syncer>,
    account_no: i64,
}

impl Claim {
    async fn pass(self, account: Account) {
        let (id, began, span) = (account.id, Instant::now(), trace::pass(&account));
        let passed = self.syncer.pass(account).instrument(span.clone()).await;
        trace::passed(&span, passed.as_ref().ok());
        self.syncer.meters.passed(passed.as_ref().ok(), began.elapsed());
        match passed {
            Ok(passed) => tracing::debug!(account = %id, ?passed, "looked at an account"),
            Err(error) => {
                tracing::error!(account = %id, %error, "what was found cannot be stored");
                tokio::time::sleep(STORE_REST).await;
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut busy = self.syncer.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.account_no);
    }
}

/// Waits until an account was connected, changed or woken; `false` when the store is closed.
async fn account_announced(announcements: &mut broadcast::Receiver<Committed>) -> bool {
    loop {
        match announcements.recv().await {
            Ok(Committed::Account(_) | Committed::Elsewhere)
            | Err(broadcast::error::RecvError::Lagged(_)) => return true,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Closed) => return false,
        }
    }
}
