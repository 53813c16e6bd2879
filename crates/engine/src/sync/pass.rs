//! One pass over an account, whoever its provider is: which calendars there are, then a look into each
//! that may have changed.

use std::collections::BTreeSet;

use tidings_core::change::types;
use tidings_core::id::CollectionId;
use tidings_core::limits::SYNC_TROUBLE_MAX;
use tidings_providers::error::ProviderError;
use tidings_providers::listed::{self, Listed};
use tidings_store::{AuditEntry, Collection, CollectionWrite, Look};

use super::Stop;
use super::batch::Batch;
use super::body::{CalendarPart, Teller};
use super::cadence;
use super::providers::Providers;
use super::pull::Pull;
use super::source::{Calendars, Source};

/// A pass under way.
pub(super) struct Pass<'a> {
    pub(super) providers: &'a Providers,
    pub(super) source: Source<'a>,
    pub(super) teller: Teller<'a>,
    /// Whether everything is looked at, dirty or not.
    pub(super) poll: bool,
}

/// A pass that reached its end.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// The calendar home, when it was searched for.
    pub(super) home: Option<String>,
    /// The look at the calendar list, if one was taken. When the next poll is due is for the caller to say.
    pub(super) look: Option<Look>,
    /// Whether every calendar was looked into, or tried.
    pub(super) polled: bool,
    /// A calendar that could not be compared: its name, and why.
    pub(super) trouble: Option<(String, ProviderError)>,
    /// When a calendar wants to be looked into again, ms.
    pub(super) again_ms: Option<i64>,
}

/// What looking into the calendars came to.
#[derive(Default)]
struct Watched {
    trouble: Option<(String, ProviderError)>,
    /// Whether a calendar seems to be lost.
    lost: bool,
    /// Whether too much failed to go on.
    cut_short: bool,
    /// When one of them wants to be looked into again, ms.
    again_ms: Option<i64>,
}

impl Pass<'_> {
    pub(super) async fn run(mut self) -> Result<Done, Stop> {
        let (store, account) = (&self.providers.store, self.teller.account);
        while store.erase_collections_step(account.account_no).await? {}
        let mut done = Done::default();
        let weekly = cadence::begins_a_week(account, self.teller.now);
        let mut seen_whole = false;
        if self.poll || weekly || account.list_gen > account.list_synced_gen {
            seen_whole = self.list(weekly || account.list_token.is_none(), &mut done).await?;
        }
        let mut watched = self.watch().await?;
        if watched.lost && !seen_whole {
            self.list(true, &mut done).await?;
            if watched.trouble.is_some() {
                watched.trouble = self.still_there(watched.trouble).await?;
            }
        }
        done.trouble = watched.trouble;
        done.again_ms = watched.again_ms;
        done.polled = self.poll && !watched.cut_short;
        if !account.baseline_done {
            let change = self.teller.account(types::ACCOUNT_CONNECTED, "active", None);
            let entry = audit("account.connected", account.id.to_string());
            let (no, now) = (account.account_no, self.teller.now);
            store.finish_account_baseline(no, change, entry, now).await?;
        }
        while store.erase_collections_step(account.account_no).await? {}
        Ok(done)
    }

    /// Asks for the calendars and writes which came, went or are described anew. Answers whether these
    /// were all there are.
    async fn list(&mut self, whole: bool, done: &mut Done) -> Result<bool, Stop> {
        let calendars = self.source.calendars(whole).await?;
        let known = self.collections().await?;
        self.compare(&calendars, &known).await?;
        let Calendars { whole, list_token, home, .. } = calendars;
        done.home = home.or(done.home.take());
        let list_gen = self.teller.account.list_gen;
        done.look = Some(Look { list_gen, list_token, poll_at: None });
        Ok(whole)
    }

    async fn collections(&self) -> Result<Vec<Collection>, Stop> {
        Ok(self.providers.store.collections(self.teller.account.account_no).await?)
    }

    /// Before the account's baseline is done nothing of it is told.
    async fn compare(&self, calendars: &Calendars, known: &[Collection]) -> Result<(), Stop> {
        let tell = self.teller.account.baseline_done;
        let mut batch = self.batch();
        let listed: BTreeSet<&str> =
            calendars.listed.iter().map(|calendar| calendar.external_id.as_str()).collect();
        let is_gone = |collection: &&Collection| match calendars.whole {
            true => !listed.contains(collection.external_id.as_str()),
            false => calendars.gone.contains(&collection.external_id),
        };
        for gone in known.iter().filter(is_gone) {
            let collection_no = gone.collection_no;
            let change = tell.then(|| {
                let part = CalendarPart::of(gone);
                self.teller.calendar(types::CALENDAR_DELETED, part, Some(collection_no))
            });
            batch.collection(CollectionWrite::Delete { collection_no }, change).await?;
        }
        for calendar in &calendars.listed {
            match known.iter().find(|c| c.external_id == calendar.external_id) {
                Some(collection) => self.describe(&mut batch, calendar, collection).await?,
                None => self.create(&mut batch, calendar).await?,
            }
        }
        batch.flush().await
    }

    async fn create(&self, batch: &mut Batch<'_>, calendar: &Listed) -> Result<(), Stop> {
        let id = CollectionId(self.providers.ids.next(self.teller.now));
        let tell = self.teller.account.baseline_done;
        let announce =
            tell.then(|| self.teller.calendar(types::CALENDAR_CREATED, part(id, calendar), None));
        let create = CollectionWrite::Create {
            id,
            external_id: calendar.external_id.clone(),
            name: Some(calendar.name.clone()),
            details: calendar.details.to_string(),
            announce: announce.map(Box::new),
        };
        batch.collection(create, None).await
    }

    async fn describe(
        &self,
        batch: &mut Batch<'_>,
        calendar: &Listed,
        collection: &Collection,
    ) -> Result<(), Stop> {
        let (name, details) = (Some(calendar.name.clone()), calendar.details.to_string());
        if collection.name == name && collection.details == details {
            return Ok(());
        }
        let collection_no = collection.collection_no;
        // What only the provider's own object says is kept, but no change to tell.
        let known = serde_json::from_str(&collection.details).unwrap_or_default();
        let differs = collection.name != name || listed::seen(known) != calendar.seen();
        let change = (differs && self.teller.account.baseline_done).then(|| {
            let part = part(collection.id, calendar);
            self.teller.calendar(types::CALENDAR_UPDATED, part, Some(collection_no))
        });
        batch.collection(CollectionWrite::Describe { collection_no, name, details }, change).await
    }

    /// Looks into every calendar on a poll, else into those that are dirty or behind. One that fails says
    /// so and does not stop the others; those that failed before come last, and only so many are waited
    /// for.
    async fn watch(&self) -> Result<Watched, Stop> {
        let mut due = self.collections().await?;
        due.retain(|collection| self.poll || is_behind(collection));
        due.sort_by_key(|collection| collection.error.is_some());
        let mut watched = Watched::default();
        let mut failed = 0;
        for collection in &due {
            let error = match self.look(collection).await.map_err(Stop::explained) {
                Ok(again_ms) => {
                    watched.again_ms = watched.again_ms.or(again_ms);
                    continue;
                }
                Err(Stop::Provider(error)) => error,
                Err(stop) => return Err(stop),
            };
            if matches!(error, ProviderError::Reauthorise { .. }) {
                return Err(error.into());
            }
            self.fail(collection, &error).await?;
            watched.lost |=
                matches!(error, ProviderError::Gone { .. } | ProviderError::Forbidden { .. });
            failed += usize::from(matches!(error, ProviderError::Retry { .. }));
            let worst = watched.trouble.as_ref();
            if worst.is_none_or(|(_, other)| asked_ms(other) < asked_ms(&error)) {
                let name = collection.name.clone().unwrap_or_default();
                watched.trouble = Some((name, error));
            }
            if failed == SYNC_TROUBLE_MAX {
                watched.cut_short = true;
                break;
            }
        }
        Ok(watched)
    }

    /// Looks into one calendar, while nobody writes to it. What is dirty about it was read before the
    /// provider is asked, so a push that arrives meanwhile leaves it dirty.
    async fn look(&self, collection: &Collection) -> Result<Option<i64>, Stop> {
        let _turn = self.providers.collections.turn(collection.collection_no).await;
        let mut pull = Pull::new(&self.providers.store, &self.teller, collection);
        self.source.pull(&mut pull).await?;
        Ok(pull.again_ms)
    }

    async fn fail(&self, collection: &Collection, error: &ProviderError) -> Result<(), Stop> {
        let mut batch = self.batch();
        let (collection_no, error) = (collection.collection_no, error.to_string());
        batch.collection(CollectionWrite::Failed { collection_no, error }, None).await?;
        batch.flush().await
    }

    /// The trouble, unless it was with a calendar that the list no longer has.
    async fn still_there(
        &self,
        trouble: Option<(String, ProviderError)>,
    ) -> Result<Option<(String, ProviderError)>, Stop> {
        let left = self.collections().await?;
        Ok(trouble.filter(|(name, error)| {
            left.iter().any(|collection| {
                collection.name.as_ref() == Some(name)
                    && collection.error.as_deref() == Some(error.why())
            })
        }))
    }

    fn batch(&self) -> Batch<'_> {
        Batch::new(&self.providers.store, self.teller.account, self.teller.now)
    }
}

/// Whether a collection needs a look though no poll is due: it was pushed, has no baseline, or could not
/// be read the last time.
fn is_behind(collection: &Collection) -> bool {
    collection.is_dirty() || !collection.baseline_done || collection.error.is_some()
}

/// The audit log's line for what the sync does on its own.
pub(crate) fn audit(action: &'static str, object: String) -> AuditEntry {
    let detail = serde_json::json!({});
    AuditEntry { actor: "system".into(), action, object, denied: false, address: None, detail }
}

/// How long the server wants to be left alone, ms.
pub(super) fn asked_ms(error: &ProviderError) -> Option<u64> {
    if let ProviderError::Retry { after_ms, .. } = error { *after_ms } else { None }
}

fn part(id: CollectionId, calendar: &Listed) -> CalendarPart<'_> {
    CalendarPart { id, external_id: &calendar.external_id, name: Some(&calendar.name) }
}
