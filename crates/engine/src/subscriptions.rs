//! Our watches at providers: made for every calendar that can be pushed, renewed ahead of their end,
//! stopped when they are of no use.
//!
//! Each step reads from the store what is due and does it once; what fails is due again later, and what
//! is due is found after any crash. Nothing here sleeps until a subscription's end.

mod google;
mod health;
mod life;
mod microsoft;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tidings_core::limits::{SUBSCRIPTIONS_AT_ONCE, SUBSCRIPTIONS_STEP, SUBSCRIPTIONS_TICK_MS};
use tidings_store::{Account, Collection, Subscription};
use tokio::sync::watch;

pub(crate) use self::health::all_pushed;
pub(crate) use self::life::stop_all;
use crate::sync::Providers;

/// Keeps the subscriptions of a store's accounts.
#[derive(Debug)]
pub struct Subscriptions {
    providers: Arc<Providers>,
}

/// Something that is due.
enum Due {
    /// A subscription that must be looked at.
    Look(Subscription),
    /// A calendar list that is not watched.
    List(Box<Account>),
    /// A calendar that is not watched.
    Calendar(Collection),
}

impl Subscriptions {
    /// Those of all accounts of the store of `providers`.
    pub fn new(providers: Arc<Providers>) -> Self {
        Self { providers }
    }

    /// Does what is due, at most [`SUBSCRIPTIONS_STEP`] things; what is due longest comes first, what
    /// exists before what does not. Returns how many there were.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn step(&self) -> tidings_store::Result<usize> {
        let (store, now) = (&self.providers.store, self.providers.clock.now());
        let room = |due: &Vec<Due>| (SUBSCRIPTIONS_STEP - due.len()) as u32;
        let mut due = Vec::new();
        due.extend(store.due_subscriptions(now, room(&due)).await?.into_iter().map(Due::Look));
        due.extend(
            store
                .unwatched_lists(now, room(&due))
                .await?
                .into_iter()
                .map(|account| Due::List(Box::new(account))),
        );
        let calendars = store.unwatched_collections(now, room(&due)).await?;
        due.extend(calendars.into_iter().map(Due::Calendar));
        let count = due.len();
        let mut doing = futures_util::stream::iter(due)
            .map(|due| self.attend(due))
            .buffer_unordered(SUBSCRIPTIONS_AT_ONCE);
        let mut outcome = Ok(count);
        while let Some(done) = doing.next().await {
            if let Err(error) = done {
                outcome = Err(error);
            }
        }
        outcome
    }

    /// Steps until `shutdown` says so or its sender is gone, at most once in [`SUBSCRIPTIONS_TICK_MS`],
    /// which bounds the rate of requests.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        while !*shutdown.borrow() {
            let step = async {
                if let Err(error) = self.step().await {
                    tracing::error!(%error, "subscriptions at providers cannot be kept");
                }
                if let Err(error) =
                    self.providers.store.sweep_expired(self.providers.clock.now()).await
                {
                    tracing::error!(%error, "what has expired cannot be removed");
                }
                tokio::time::sleep(Duration::from_millis(SUBSCRIPTIONS_TICK_MS)).await;
            };
            tokio::select! {
                changed = shutdown.changed() => if changed.is_err() { break },
                () = step => {}
            }
        }
    }

    async fn attend(&self, due: Due) -> tidings_store::Result<()> {
        let providers = &*self.providers;
        match due {
            Due::Look(subscription) => life::look(providers, subscription).await,
            Due::List(account) => life::begin(providers, &account, None).await.map(drop),
            Due::Calendar(collection) => {
                let account = providers.store.account(collection.account_no).await?;
                let Some(account) = account else { return Ok(()) };
                life::begin(providers, &account, Some(&collection)).await.map(drop)
            }
        }
    }
}
