//! Watching accounts: pull what changed, compare it with the mirror, write both down at once.
//!
//! A pass over an account is bounded and may die at any point: mirror rows and the changes they
//! amount to are committed together, the provider's cursor with the last of them, so the next pass
//! repeats at most reading. The first pass is a silent baseline.

mod batch;
mod body;
mod cadence;
mod calendar;
mod client;
mod pass;
mod run;

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use tidings_core::change::types;
use tidings_core::clock::Clock;
use tidings_core::id::Ids;
use tidings_core::limits::SYNC_PASS_DEADLINE_MS;
use tidings_core::seal::Keyring;
use tidings_providers::error::ProviderError;
use tidings_store::{Account, Store, SyncState};

use self::body::Teller;
pub use self::cadence::Cadence;
use self::client::Client;
use self::pass::{Done, Pass, asked_ms, audit};
use crate::egress::Egress;

/// Watches the accounts of a store.
#[derive(Debug)]
pub struct Syncer {
    store: Store,
    egress: Arc<Egress>,
    keyring: Keyring,
    clock: Clock,
    ids: Ids,
    cadence: Cadence,
    /// Accounts with a pass under way.
    busy: Mutex<HashSet<i64>>,
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
enum Stop {
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
    fn explained(self) -> Self {
        match self {
            Self::TooLarge => {
                ProviderError::permanent("the calendar server's answer is too large").into()
            }
            other => other,
        }
    }
}

impl Syncer {
    /// A syncer for all accounts of `store`. `egress` and its policy guard every request.
    pub fn new(
        store: Store,
        egress: Arc<Egress>,
        keyring: Keyring,
        clock: Clock,
        ids: Ids,
        cadence: Cadence,
    ) -> Self {
        Self { store, egress, keyring, clock, ids, cadence, busy: Mutex::default() }
    }

    /// One bounded pass over an account, whatever is due. What went wrong at the provider is written
    /// into the account.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn pass(&self, account: Account) -> tidings_store::Result<Passed> {
        let deadline = Duration::from_millis(SYNC_PASS_DEADLINE_MS);
        let look = AssertUnwindSafe(tokio::time::timeout(deadline, self.look(&account)));
        let outcome = match look.catch_unwind().await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(ProviderError::retry(
                "the calendar server is too slow; the rest is read next time",
            )
            .into()),
            Err(_) => Err(ProviderError::permanent(
                "reading the account failed inside tidings; please report it",
            )
            .into()),
        };
        match outcome.map_err(Stop::explained) {
            Ok(Done { home, trouble: None }) => self.note(&account, home, None).await,
            Ok(Done { home, trouble: Some((calendar, error)) }) => {
                self.note(&account, home, Some((Some(calendar), error))).await
            }
            Err(Stop::Provider(ProviderError::Reauthorise { why })) => {
                self.deactivate(&account, why).await
            }
            Err(Stop::Provider(error)) => self.note(&account, None, Some((None, error))).await,
            Err(Stop::AccountGone | Stop::TooLarge) => Ok(Passed::Gone),
            Err(Stop::Store(error)) => Err(error),
        }
    }

    async fn look(&self, account: &Account) -> Result<Done, Stop> {
        let login = client::login(&self.keyring, account)?;
        let pass = Pass {
            store: &self.store,
            ids: &self.ids,
            client: Client::new(&self.egress, login),
            teller: Teller { account, ids: &self.ids, now: self.clock.now() },
        };
        pass.run().await
    }

    /// Writes down how the pass went and when the next one is due. Trouble with one calendar brings the
    /// next pass forward, trouble with the whole account puts it off.
    async fn note(
        &self,
        account: &Account,
        home: Option<String>,
        trouble: Option<(Option<String>, ProviderError)>,
    ) -> tidings_store::Result<Passed> {
        let Some(after) = self.store.account(account.account_no).await? else {
            return Ok(Passed::Gone);
        };
        let now = self.clock.now();
        let life = Cadence::last_life(after.created_at, after.last_change_at);
        let usual = self.cadence.wait_ms(now.0 - life.0, self.ids.fraction());
        let failures = trouble.as_ref().map_or(0, |_| account.failures.saturating_add(1));
        let wait = match &trouble {
            None => usual,
            Some((calendar, error)) => {
                let asked = asked_ms(error);
                let backoff = self.cadence.backoff_ms(failures, asked, self.ids.fraction());
                let asked = self.cadence.backoff_ms(1, asked, 0.0);
                if calendar.is_some() { backoff.min(usual).max(asked) } else { backoff }
            }
        };
        let reached = trouble.as_ref().is_none_or(|(calendar, _)| calendar.is_some());
        let last_error = trouble.as_ref().map(|(calendar, error)| match calendar {
            Some(name) => format!("calendar {name}: {error}"),
            None => error.to_string(),
        });
        let state = SyncState {
            synced_gen: account.dirty_gen,
            next_sync_at: now.plus_ms(wait),
            last_sync_at: reached.then_some(now),
            last_change_at: None,
            failures,
            last_error,
            home_url: home,
        };
        self.store.note_sync(account.account_no, state).await?;
        Ok(trouble.map_or(Passed::Synced, |(_, error)| Passed::Failed(error)))
    }

    /// The credentials were refused. Not a word of it when the owner has changed them meanwhile.
    async fn deactivate(&self, account: &Account, why: String) -> tidings_store::Result<Passed> {
        let now = self.clock.now();
        let current = self.store.account(account.account_no).await?;
        let Some(current) = current else { return Ok(Passed::Gone) };
        if current.credential != account.credential || current.username != account.username {
            let error = ProviderError::retry(why);
            return self.note(account, None, Some((None, error))).await;
        }
        let teller = Teller { account, ids: &self.ids, now };
        let change = teller.account(types::ACCOUNT_INACTIVE, "inactive", Some(&why));
        let entry = audit("account.inactive", account.id.to_string());
        self.store.deactivate_account(account.account_no, why, change, entry, now).await?;
        Ok(Passed::Deactivated)
    }
}
