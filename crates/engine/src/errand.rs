//! Errands: what a caller waits for and only a provider can answer. They come over a channel, a bounded
//! number of them runs at the same time, and each is answered within a deadline.
//!
//! A write holds its collection's turn, so that no pull runs meanwhile, and commits what the provider
//! answered to the mirror together with its change (`origin = api`): the next pull finds no difference,
//! which is what keeps two-way syncs from echoing each other for ever.
//!
//! What a provider's part does (`errand/google.rs` is the example to follow; it asks through
//! `write.client.ask(request, parse)`, commits nothing, and answers what there is now):
//!
//! ```text
//! pub(super) async fn create(write: &Write<'_>, key: &WriteKey, draft: &EventDraft, notify: Notify)
//!     -> Result<Written, Stop>;
//! pub(super) async fn update(write: &Write<'_>, change: &Change<'_>, draft: &EventDraft)
//!     -> Result<Written, Stop>;
//! pub(super) async fn delete(write: &Write<'_>, change: &Change<'_>) -> Result<Written, Stop>;
//! ```

mod caldav;
mod call;
mod commit;
mod connect;
mod google;
mod microsoft;
mod zoom;

use std::sync::Arc;
use std::time::Duration;

use tidings_core::clock::Timestamp;
use tidings_core::limits::{ERRAND_DEADLINE_MS, ERRAND_TURN_MS, ERRANDS_AT_ONCE};
use tidings_providers::draft::{EventDraft, Notify, Scope};
use tidings_providers::errand::{Errand, Refusal, Reply, WriteKey};
use tidings_providers::error::ProviderError;
use tidings_providers::item;
use tidings_providers::occurrences;
use tidings_store::{Account, AccountStatus, Collection, Item};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::sync::client::Client;
use crate::sync::{Providers, Stop, inactivate};

/// An errand, and where its answer goes.
pub type Order = (Errand, oneshot::Sender<Result<Reply, Refusal>>);

/// Runs errands.
#[derive(Debug)]
pub struct Errands {
    providers: Arc<Providers>,
    calls: call::Calls,
}

/// What a write is about.
struct Write<'a> {
    providers: &'a Providers,
    account: &'a Account,
    collection: &'a Collection,
    client: &'a Client<'a>,
}

/// A write to an event that is there.
struct Change<'a> {
    /// What was asked for: the item's own key, or `{series}#{20261203T080000Z}` for an occurrence that is
    /// no item of its own.
    key: &'a str,
    /// The event as it is mirrored; for such an occurrence its series.
    item: &'a Item,
    /// The version that the caller has seen, if it matters: another one is a conflict.
    if_match: Option<&'a str>,
    scope: Scope,
    notify: Notify,
}

/// What a write came to, as the provider has it now.
#[derive(Default)]
struct Written {
    /// What is new or changed; the first is the answer.
    items: Vec<item::Item>,
    /// Keys of what went: an item, or a series with all that belongs to it.
    gone: Vec<String>,
}

impl Errands {
    /// For all accounts of the store of `providers`.
    pub fn new(providers: Arc<Providers>) -> Self {
        Self { providers, calls: call::Calls::default() }
    }

    /// Runs what comes, until `shutdown` says so or nobody can send any more; then what is under way
    /// comes to its end.
    pub async fn run(self, mut orders: mpsc::Receiver<Order>, mut shutdown: watch::Receiver<bool>) {
        let this = Arc::new(self);
        let room = Arc::new(Semaphore::new(ERRANDS_AT_ONCE));
        let (mut running, mut kept) = (JoinSet::new(), None);
        while !*shutdown.borrow() {
            let place = match kept.take() {
                Some(place) => place,
                None => match Arc::clone(&room).acquire_owned().await {
                    Ok(place) => place,
                    Err(_) => break,
                },
            };
            let order = tokio::select! {
                changed = shutdown.changed() => if changed.is_err() { break } else { continue },
                order = orders.recv() => order,
            };
            let Some((errand, answer)) = order else { break };
            // A receiver of hooks keeps nobody waiting who writes to a calendar.
            let is_call = matches!(errand, Errand::Call { .. });
            let place = if is_call { kept.replace(place) } else { Some(place) };
            let this = Arc::clone(&this);
            running.spawn(async move {
                this.serve(errand, answer).await;
                drop(place);
            });
            while running.try_join_next().is_some() {}
        }
        running.join_all().await;
    }

    /// Answers in time, even when the errand itself takes longer: a write that is under way is not
    /// abandoned between the provider and the mirror.
    async fn serve(
        self: Arc<Self>,
        errand: Errand,
        answer: oneshot::Sender<Result<Reply, Refusal>>,
    ) {
        // Whoever has given up waiting must not see the write happen all the same; what is given back to a
        // provider is given back for its own sake.
        if answer.is_closed() && !matches!(errand, Errand::Revoke { .. }) {
            return;
        }
        let shown = format!("{errand:?}");
        let mut running = tokio::spawn(async move { self.perform(errand).await });
        let deadline = Duration::from_millis(ERRAND_DEADLINE_MS);
        let in_time = tokio::time::timeout(deadline, &mut running).await;
        let late = in_time.is_err();
        let outcome = match in_time {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(unavailable("it failed inside tidings; please report it")),
            Err(_) => Err(unavailable("the provider is too slow")),
        };
        if let Err(refusal) = &outcome {
            tracing::debug!(errand = shown, %refusal, "an errand was not done");
        }
        // Whoever asked may have gone.
        let _unheard = answer.send(outcome).is_err();
        if late && running.await.is_err() {
            tracing::error!(errand = shown, "a late errand ended with a panic");
        }
    }

    /// Runs one errand to its end.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn perform(&self, errand: Errand) -> Result<Reply, Refusal> {
        let providers = &*self.providers;
        match errand {
            Errand::Exchange { provider, code, verifier, redirect_uri } => {
                connect::exchange(providers, provider, &code, &verifier, &redirect_uri).await
            }
            Errand::Revoke { account_no } => connect::revoke(providers, account_no).await,
            Errand::Call { hook_no, body } => {
                call::call(&self.calls, providers, hook_no, body).await
            }
            Errand::Create { account_no, collection_no, key, draft, notify, actor } => {
                let task = Task::Create { key, draft, notify };
                self.write(account_no, collection_no, task, actor).await
            }
            Errand::Update {
                account_no,
                collection_no,
                item_key,
                if_match,
                scope,
                draft,
                notify,
                actor,
            } => {
                let task = Task::Update { item_key, if_match, scope, draft, notify };
                self.write(account_no, collection_no, task, actor).await
            }
            Errand::Delete {
                account_no,
                collection_no,
                item_key,
                if_match,
                scope,
                notify,
                actor,
            } => {
                let task = Task::Delete { item_key, if_match, scope, notify };
                self.write(account_no, collection_no, task, actor).await
            }
        }
    }

    async fn write(
        &self,
        account_no: i64,
        collection_no: i64,
        task: Task,
        actor: Option<String>,
    ) -> Result<Reply, Refusal> {
        let providers = &*self.providers;
        let account = active(providers, account_no).await?;
        // Whoever has given up waiting must not see the write happen all the same.
        let patience = Duration::from_millis(ERRAND_TURN_MS);
        let turn = tokio::time::timeout(patience, providers.collections.turn(collection_no)).await;
        let _turn = turn.map_err(|_| Refusal::Unavailable {
            why: "the calendar is being read; try again".into(),
            after_ms: Some(ERRAND_TURN_MS),
        })?;
        let collection = providers.store.collection(collection_no).await.map_err(store)?;
        let collection = collection.filter(|collection| collection.account_no == account_no);
        let collection = collection.ok_or_else(|| not_found("calendar"))?;
        let client = Client::new(providers, &account);
        let client = client.map_err(|error| refusal(error.into()))?;
        let write =
            Write { providers, account: &account, collection: &collection, client: &client };
        let written = match task.run(&write).await {
            Ok(written) => written,
            Err(Failed::Refused(refusal)) => return Err(refusal),
            Err(Failed::Stop(stop)) => return Err(self.stopped(&write, stop).await),
        };
        let answer = match task {
            Task::Delete { .. } => None,
            Task::Create { .. } | Task::Update { .. } => written.items.first().cloned(),
        };
        commit::written(&write, written, actor).await?;
        Ok(answer.map_or(Reply::Done, Reply::Item))
    }

    /// What a stop means for the caller, and what it proves.
    async fn stopped(&self, write: &Write<'_>, stop: Stop) -> Refusal {
        let Providers { store, clock, ids, .. } = &*self.providers;
        let account = write.account;
        match &stop {
            Stop::Provider(ProviderError::Reauthorise { why }) => {
                let (generation, why) = (write.client.generation(), why.clone());
                let noted = inactivate(store, ids, account, generation, why, clock.now()).await;
                if let Err(error) = noted {
                    tracing::error!(account = %account.id, %error, "not noted as inactive");
                }
            }
            // The mirror is behind: whoever reads next shall see what was in the way.
            Stop::Provider(ProviderError::Conflict { .. } | ProviderError::Gone { .. }) => {
                let collection_no = write.collection.collection_no;
                let now = clock.now();
                if let Err(error) =
                    store.push_collection(account.account_no, collection_no, now).await
                {
                    tracing::error!(account = %account.id, %error, "a calendar was not woken");
                }
            }
            _ => {}
        }
        refusal(stop)
    }
}

/// A write, ready to be asked for.
enum Task {
    Create {
        key: WriteKey,
        draft: EventDraft,
        notify: Notify,
    },
    Update {
        item_key: String,
        if_match: Option<String>,
        scope: Scope,
        draft: EventDraft,
        notify: Notify,
    },
    Delete {
        item_key: String,
        if_match: Option<String>,
        scope: Scope,
        notify: Notify,
    },
}

/// Why a write came to nothing.
enum Failed {
    Refused(Refusal),
    Stop(Stop),
}

impl From<Stop> for Failed {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl Task {
    async fn run(&self, write: &Write<'_>) -> Result<Written, Failed> {
        match self {
            Self::Create { key, draft, notify } => Ok(match write.account.provider.as_str() {
                "google" => google::create(write, key, draft, *notify).await?,
                "microsoft" => microsoft::create(write, key, draft, *notify).await?,
                "zoom" => zoom::create(write, key, draft, *notify).await?,
                _ => caldav::create(write, key, draft, *notify).await?,
            }),
            Self::Update { item_key, if_match, scope, draft, notify } => {
                let item = mirrored(write, item_key).await?;
                let (if_match, scope, notify) = (if_match.as_deref(), *scope, *notify);
                let change = Change { key: item_key, item: &item, if_match, scope, notify };
                Ok(match write.account.provider.as_str() {
                    "google" => google::update(write, &change, draft).await?,
                    "microsoft" => microsoft::update(write, &change, draft).await?,
                    "zoom" => zoom::update(write, &change, draft).await?,
                    _ => caldav::update(write, &change, draft).await?,
                })
            }
            Self::Delete { item_key, if_match, scope, notify } => {
                let item = mirrored(write, item_key).await?;
                let (if_match, scope, notify) = (if_match.as_deref(), *scope, *notify);
                let change = Change { key: item_key, item: &item, if_match, scope, notify };
                Ok(match write.account.provider.as_str() {
                    "google" => google::delete(write, &change).await?,
                    "microsoft" => microsoft::delete(write, &change).await?,
                    "zoom" => zoom::delete(write, &change).await?,
                    _ => caldav::delete(write, &change).await?,
                })
            }
        }
    }
}

/// The item that a key names; of an occurrence without one its series.
async fn mirrored(write: &Write<'_>, key: &str) -> Result<Item, Failed> {
    let (store, no) = (&write.providers.store, write.collection.collection_no);
    let series = occurrences::split_key(key).map(|(series, _)| series);
    for key in [Some(key), series].into_iter().flatten() {
        let found = store.item(no, key.to_owned()).await;
        if let Some(item) = found.map_err(|error| Failed::Stop(error.into()))? {
            return Ok(item);
        }
    }
    Err(Failed::Refused(not_found("event")))
}

impl Change<'_> {
    /// Which occurrence of `item` it is about (`20261203T080000Z`, or `20261203`); `None`: `item` itself.
    fn occurrence(&self) -> Option<&str> {
        if self.key == self.item.key { None } else { Some(occurrences::split_key(self.key)?.1) }
    }

    /// Refuses when the caller has seen another version than the current one.
    fn check(&self, current_etag: &str) -> Result<(), ProviderError> {
        match self.if_match {
            Some(seen) if seen != current_etag => Err(ProviderError::Conflict {
                why: "the event has changed since the version that was given; read it again".into(),
            }),
            _ => Ok(()),
        }
    }
}

/// The moment that an event's time stands for, a day its first in UTC.
fn moment(time: &str) -> Option<Timestamp> {
    match time.len() {
        10 => Timestamp::parse(&format!("{time}T00:00:00Z")),
        _ => Timestamp::parse(time),
    }
}

async fn active(providers: &Providers, account_no: i64) -> Result<Account, Refusal> {
    let account = providers.store.account(account_no).await.map_err(store)?;
    let account = account.ok_or_else(|| not_found("account"))?;
    if account.status != AccountStatus::Active {
        let why = account.status_reason.as_deref().unwrap_or("it must be connected again");
        return Err(Refusal::Inactive(format!("the account is inactive: {why}")));
    }
    Ok(account)
}

fn refusal(stop: Stop) -> Refusal {
    match stop.explained() {
        Stop::Provider(error) => match error {
            ProviderError::Retry { after_ms, why } => Refusal::Unavailable { why, after_ms },
            ProviderError::Reauthorise { why } => Refusal::Inactive(why),
            ProviderError::Gone { why } => Refusal::NotFound(why),
            ProviderError::Conflict { why } => Refusal::Conflict(why),
            ProviderError::Invalid { why } => Refusal::Invalid(why),
            ProviderError::Forbidden { why } => Refusal::Forbidden(why),
            ProviderError::TokenRefused { why } => unavailable(&why),
            ProviderError::Permanent { why } => Refusal::Operator(why),
        },
        Stop::Store(error) => store(error),
        Stop::AccountGone | Stop::TooLarge => not_found("account"),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is mapped over results")]
fn store(error: tidings_store::Error) -> Refusal {
    tracing::error!(%error, "an errand met a failure of the store");
    unavailable("the store failed")
}

fn unavailable(why: &str) -> Refusal {
    Refusal::Unavailable { why: why.to_owned(), after_ms: None }
}

fn not_found(what: &str) -> Refusal {
    Refusal::NotFound(format!("the {what} is not there"))
}
