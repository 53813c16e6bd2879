//! Watching accounts: pull what changed, compare it with the mirror, write both down at once.
//!
//! A pass over an account is bounded and may die at any point: mirror rows and the changes they
//! amount to are committed together, the provider's cursor with the last of them, so the next pass
//! repeats at most reading. The first pass is a silent baseline.

mod batch;
pub(crate) mod body;
mod cadence;
pub(crate) mod caldav;
pub(crate) mod client;
mod google;
mod locks;
mod microsoft;
mod pass;
mod providers;
mod pull;
mod run;
mod source;
pub(crate) mod tokens;
pub(crate) mod zoom;

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use tidings_core::change::types;
use tidings_core::clock::Timestamp;
use tidings_core::id::Ids;
use tidings_core::limits::SYNC_PASS_DEADLINE_MS;
use tidings_providers::error::ProviderError;
use tidings_store::{Account, Look, Store, SyncState};

use self::body::Teller;
pub use self::cadence::Cadence;
use self::client::Client;
use self::pass::{Done, Pass, asked_ms, audit};
pub use self::providers::Providers;
use self::source::Source;
use crate::meters::Meters;
use crate::subscriptions;

/// Watches the accounts of a store.
#[derive(Debug)]
pub struct Syncer {
    providers: Arc<Providers>,
    cadence: Cadence,
    /// Accounts with a pass under way.
    busy: Mutex<HashSet<i64>>,
    meters: Arc<Meters>,
}

/// How a pass went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed {
    /// Every calendar agrees with the mirror.
    Synced,
    /// Something could not be read; the account's `last_error` says it, too.
    Failed(ProviderError),
    /// The credentials are refused: the account is inactive now.
    Deactivated,
    /// The account was deleted meanwhile.
    Gone,
}

/// Why a pass does not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    Provider(ProviderError),
    Store(tidings_store::Error),
    /// An answer is longer than we read.
    TooLarge,
    /// The account was deleted meanwhile.
    AccountGone,
}

impl From<ProviderError> for Stop {
    fn from(error: ProviderError) -> Self {
        Self::Provider(error)
    }
}

impl From<tidings_store::Error> for Stop {
    fn from(error: tidings_store::Error) -> Self {
        if error.is_not_found() { Self::AccountGone } else { Self::Store(error) }
    }
}

impl Stop {
    /// Puts what only some steps can react to into words.
    pub(crate) fn explained(self) -> Self {
        match self {
            Self::TooLarge => ProviderError::permanent("the provider's answer is too large").into(),
            other => other,
        }
    }
}

impl Syncer {
    /// A syncer for all accounts of the store of `providers`.
    pub fn new(providers: Arc<Providers>, cadence: Cadence) -> Self {
        Self { providers, cadence, busy: Mutex::default(), meters: Arc::default() }
    }

    /// The same, counting its passes here.
    #[must_use]
    pub fn counting(mut self, meters: Arc<Meters>) -> Self {
        self.meters = meters;
        self
    }

    /// One bounded pass over an account: over everything when that is due, else over what is dirty. What
    /// went wrong at the provider is written into the account.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn pass(&self, account: Account) -> tidings_store::Result<Passed> {
        let client = match Client::new(&self.providers, &account) {
            Ok(client) => client,
            Err(error) => {
                let trouble = Trouble { calendar: None, error };
                return self.note(&account, Done::default(), Some(trouble)).await;
            }
        };
        let deadline = Duration::from_millis(SYNC_PASS_DEADLINE_MS);
        let look = AssertUnwindSafe(tokio::time::timeout(deadline, self.look(&account, &client)));
        let outcome = match look.catch_unwind().await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => {
                Err(ProviderError::retry("the provider is too slow; the rest is read next time")
                    .into())
            }
            Err(_) => Err(ProviderError::permanent(
                "reading the account failed inside tidings; please report it",
            )
            .into()),
        };
        match outcome.map_err(Stop::explained) {
            Ok(mut done) => {
                let trouble = done.trouble.take();
                let trouble =
                    trouble.map(|(calendar, error)| Trouble { calendar: Some(calendar), error });
                self.note(&account, done, trouble).await
            }
            Err(Stop::Provider(ProviderError::Reauthorise { why })) => {
                self.deactivate(&account, client.generation(), why).await
            }
            Err(Stop::Provider(error)) => {
                let trouble = Trouble { calendar: None, error };
                self.note(&account, Done::default(), Some(trouble)).await
            }
            Err(Stop::AccountGone | Stop::TooLarge) => Ok(Passed::Gone),
            Err(Stop::Store(error)) => Err(error),
        }
    }

    async fn look(&self, account: &Account, client: &Client<'_>) -> Result<Done, Stop> {
        let Providers { ids, clock, .. } = &*self.providers;
        let source = Source::of(&self.providers, account, client)?;
        let teller = Teller { account, ids, now: clock.now() };
        let poll = source.polls_always() || account.poll_at.is_none_or(|at| at <= teller.now);
        let pass = Pass { providers: &self.providers, source, teller, poll };
        pass.run().await
    }

    /// Writes down how the pass went and when the next one is due. Trouble with one calendar brings the
    /// next pass forward, trouble with the whole account puts it off.
    async fn note(
        &self,
        account: &Account,
        done: Done,
        trouble: Option<Trouble>,
    ) -> tidings_store::Result<Passed> {
        let Providers { store, clock, ids, .. } = &*self.providers;
        let Some(after) = store.account(account.account_no).await? else {
            return Ok(Passed::Gone);
        };
        let now = clock.now();
        let life = Cadence::last_life(after.created_at, after.last_change_at);
        let pushed = subscriptions::all_pushed(store, account, now).await?;
        let usual = self.cadence.wait_ms(now.0 - life.0, pushed, ids.fraction());
        let polled = done.polled.then(|| now.plus_ms(usual));
        let failures = trouble.as_ref().map_or(0, |_| account.failures.saturating_add(1));
        let next_sync_at = match &trouble {
            None => polled.or(account.poll_at).unwrap_or_else(|| now.plus_ms(usual)),
            Some(trouble) => now.plus_ms(self.wait_ms(trouble, failures, usual)),
        };
        let next_sync_at =
            done.again_ms.map_or(next_sync_at, |again| next_sync_at.min(now.plus_ms(again)));
        let reached = trouble.as_ref().is_none_or(|trouble| trouble.calendar.is_some());
        let state = SyncState {
            synced_gen: account.dirty_gen,
            next_sync_at,
            last_sync_at: reached.then_some(now),
            last_change_at: None,
            failures,
            last_error: trouble.as_ref().map(ToString::to_string),
            home_url: done.home,
            look: done.look.map(|look| Look { poll_at: polled, ..look }),
        };
        store.note_sync(account.account_no, state).await?;
        Ok(trouble.map_or(Passed::Synced, |trouble| Passed::Failed(trouble.error)))
    }

    /// How long trouble makes us wait, ms, when we would `usual`ly wait so long.
    fn wait_ms(&self, trouble: &Trouble, failures: u32, usual: i64) -> i64 {
        let asked = asked_ms(&trouble.error);
        let backoff = self.cadence.backoff_ms(failures, asked, self.providers.ids.fraction());
        let asked = self.cadence.backoff_ms(1, asked, 0.0);
        if trouble.calendar.is_some() { backoff.min(usual).max(asked) } else { backoff }
    }

    /// The credentials of that generation were refused. Not a word of it when there are others
    /// meanwhile.
    async fn deactivate(
        &self,
        account: &Account,
        generation: i64,
        why: String,
    ) -> tidings_store::Result<Passed> {
        let Providers { store, clock, ids, .. } = &*self.providers;
        match inactivate(store, ids, account, generation, why.clone(), clock.now()).await {
            Ok(true) => Ok(Passed::Deactivated),
            Ok(false) => {
                let trouble = Trouble { calendar: None, error: ProviderError::retry(why) };
                self.note(account, Done::default(), Some(trouble)).await
            }
            Err(error) if error.is_not_found() => Ok(Passed::Gone),
            Err(error) => Err(error),
        }
    }
}

/// Turns an account inactive and tells it, unless its credential is no longer the one that was refused.
pub(crate) async fn inactivate(
    store: &Store,
    ids: &Ids,
    account: &Account,
    generation: i64,
    why: String,
    now: Timestamp,
) -> tidings_store::Result<bool> {
    let teller = Teller { account, ids, now };
    let change = teller.account(types::ACCOUNT_INACTIVE, "inactive", Some(&why));
    let entry = audit("account.inactive", account.id.to_string());
    store.deactivate_account(account.account_no, generation, why, change, entry, now).await
}

/// What went wrong, and with which calendar, unless with all of them.
struct Trouble {
    calendar: Option<String>,
    error: ProviderError,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.calendar {
            Some(name) => write!(f, "calendar {name}: {}", self.error),
            None => self.error.fmt(f),
        }
    }
}
