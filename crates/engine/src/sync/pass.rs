//! One pass over an account: find its calendars, then look at each whose tag moved.

use std::collections::BTreeSet;

use tidings_core::change::types;
use tidings_core::id::{CollectionId, Ids};
use tidings_core::limits::SYNC_TROUBLE_MAX;
use tidings_providers::caldav::discovery::{Discovery, Next};
use tidings_providers::caldav::probe::{self, Calendar};
use tidings_providers::error::ProviderError;
use tidings_store::{AuditEntry, Collection, CollectionWrite, Store};
use url::Url;

use super::Stop;
use super::batch::Batch;
use super::body::{CalendarPart, Teller};
use super::calendar::Watch;
use super::client::Client;

/// A pass under way.
pub(super) struct Pass<'a> {
    pub(super) store: &'a Store,
    pub(super) ids: &'a Ids,
    pub(super) client: Client<'a>,
    pub(super) teller: Teller<'a>,
}

/// A pass that reached its end.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// The calendar home, when it was searched for.
    pub(super) home: Option<String>,
    /// A calendar that could not be compared: its name, and why.
    pub(super) trouble: Option<(String, ProviderError)>,
}

impl Pass<'_> {
    pub(super) async fn run(&self) -> Result<Done, Stop> {
        let account = self.teller.account;
        while self.store.erase_collections_step(account.account_no).await? {}
        let (home, calendars) = self.calendars().await?;
        let known = self.store.collections(account.account_no).await?;
        self.compare(&calendars, &known).await?;
        let known = self.store.collections(account.account_no).await?;
        let trouble = self.watch(&calendars, &known).await?;
        if !account.baseline_done {
            let change = self.teller.account(types::ACCOUNT_CONNECTED, "active", None);
            let entry = audit("account.connected", account.id.to_string());
            let (no, now) = (account.account_no, self.teller.now);
            self.store.finish_account_baseline(no, change, entry, now).await?;
        }
        while self.store.erase_collections_step(account.account_no).await? {}
        Ok(Done { home, trouble })
    }

    /// The account's calendars, asked for in one request; and their home, when it had to be searched
    /// for, as it has to when the known one leads nowhere any more.
    async fn calendars(&self) -> Result<(Option<String>, Vec<Calendar>), Stop> {
        let known = self.teller.account.home_url.as_deref().and_then(|url| Url::parse(url).ok());
        if let Some(home) = known {
            match self.probe(home).await {
                Err(Stop::Provider(
                    ProviderError::Gone { .. } | ProviderError::Permanent { .. },
                )) => {}
                other => return Ok((None, other?)),
            }
        }
        let home = self.discover().await?;
        Ok((Some(home.to_string()), self.probe(home).await?))
    }

    async fn probe(&self, home: Url) -> Result<Vec<Calendar>, Stop> {
        let request = probe::request(&home);
        self.client.ask(request, move |response| probe::parse(&home, response)).await
    }

    async fn discover(&self) -> Result<Url, Stop> {
        let (mut discovery, mut request) = Discovery::start(self.client.server());
        loop {
            let response = self.client.send(request).await?;
            match discovery.next(&response)? {
                Next::Send(next) => request = next,
                Next::Done(home) => return Ok(home),
            }
        }
    }

    /// Writes which calendars came, went or are described anew. Before the account's baseline is done
    /// nothing of it is told.
    async fn compare(&self, calendars: &[Calendar], known: &[Collection]) -> Result<(), Stop> {
        let tell = self.teller.account.baseline_done;
        let mut batch = Batch::new(self.store, self.teller.account, self.teller.now);
        let listed: BTreeSet<&str> = calendars.iter().map(|c| c.href.key.as_str()).collect();
        for gone in known.iter().filter(|c| !listed.contains(c.external_id.as_str())) {
            let collection_no = gone.collection_no;
            let change = tell.then(|| {
                let part = CalendarPart::of(gone);
                self.teller.calendar(types::CALENDAR_DELETED, part, Some(collection_no))
            });
            batch.collection(CollectionWrite::Delete { collection_no }, change).await?;
        }
        for calendar in calendars {
            match known.iter().find(|c| is(c, calendar)) {
                Some(collection) => self.describe(&mut batch, calendar, collection).await?,
                None => self.create(&mut batch, calendar).await?,
            }
        }
        batch.flush().await
    }

    async fn create(&self, batch: &mut Batch<'_>, calendar: &Calendar) -> Result<(), Stop> {
        let id = CollectionId(self.ids.next(self.teller.now));
        let part = part(id, calendar);
        let tell = self.teller.account.baseline_done;
        let tell = tell.then(|| self.teller.calendar(types::CALENDAR_CREATED, part, None));
        let create = CollectionWrite::Create {
            id,
            external_id: calendar.href.key.clone(),
            name: Some(calendar.name.clone()),
            details: details(calendar),
            announce: tell.map(Box::new),
        };
        batch.collection(create, None).await
    }

    async fn describe(
        &self,
        batch: &mut Batch<'_>,
        calendar: &Calendar,
        collection: &Collection,
    ) -> Result<(), Stop> {
        let (name, details) = (Some(calendar.name.clone()), details(calendar));
        if collection.name == name && collection.details == details {
            return Ok(());
        }
        let collection_no = collection.collection_no;
        let change = self.teller.account.baseline_done.then(|| {
            let part = part(collection.id, calendar);
            self.teller.calendar(types::CALENDAR_UPDATED, part, Some(collection_no))
        });
        batch.collection(CollectionWrite::Describe { collection_no, name, details }, change).await
    }

    /// Looks at every calendar whose tag moved. One that fails says so and does not stop the others;
    /// those that failed before come last, and only so many are waited for.
    async fn watch(
        &self,
        calendars: &[Calendar],
        known: &[Collection],
    ) -> Result<Option<(String, ProviderError)>, Stop> {
        let known_of = |calendar: &Calendar| known.iter().find(|c| is(c, calendar));
        let mut watched: Vec<(&Calendar, &Collection)> =
            calendars.iter().filter_map(|c| Some((c, known_of(c)?))).collect();
        watched.sort_by_key(|(_, collection)| collection.error.is_some());
        let mut trouble: Option<(String, ProviderError)> = None;
        let mut failed = 0;
        for (calendar, collection) in watched {
            let error = match self.look(calendar, collection).await.map_err(Stop::explained) {
                Ok(()) => continue,
                Err(Stop::Provider(error)) => error,
                Err(stop) => return Err(stop),
            };
            if matches!(error, ProviderError::Reauthorise { .. }) {
                return Err(error.into());
            }
            self.fail(collection, &error).await?;
            failed += usize::from(matches!(error, ProviderError::Retry { .. }));
            if trouble.as_ref().is_none_or(|(_, other)| asked_ms(other) < asked_ms(&error)) {
                trouble = Some((calendar.name.clone(), error));
            }
            if failed == SYNC_TROUBLE_MAX {
                break;
            }
        }
        Ok(trouble)
    }

    async fn look(&self, calendar: &Calendar, collection: &Collection) -> Result<(), Stop> {
        let tag = calendar.tag();
        if collection.baseline_done && tag.is_some() && tag == collection.ctag {
            return Ok(());
        }
        let watch = Watch {
            store: self.store,
            client: &self.client,
            teller: &self.teller,
            calendar,
            collection,
            silent: !(self.teller.account.baseline_done && collection.baseline_done),
        };
        watch.sync().await
    }

    async fn fail(&self, collection: &Collection, error: &ProviderError) -> Result<(), Stop> {
        let mut batch = Batch::new(self.store, self.teller.account, self.teller.now);
        let (collection_no, error) = (collection.collection_no, error.to_string());
        batch.collection(CollectionWrite::Failed { collection_no, error }, None).await?;
        batch.flush().await
    }
}

/// The audit log's line for what the sync does on its own.
pub(super) fn audit(action: &'static str, object: String) -> AuditEntry {
    let detail = serde_json::json!({});
    AuditEntry { actor: "system".into(), action, object, denied: false, detail }
}

fn is(collection: &Collection, calendar: &Calendar) -> bool {
    collection.external_id == calendar.href.key
}

/// How long the server wants to be left alone, ms.
pub(super) fn asked_ms(error: &ProviderError) -> Option<u64> {
    if let ProviderError::Retry { after_ms, .. } = error { *after_ms } else { None }
}

fn part(id: CollectionId, calendar: &Calendar) -> CalendarPart<'_> {
    CalendarPart { id, external_id: &calendar.href.key, name: Some(&calendar.name) }
}

fn details(calendar: &Calendar) -> String {
    serde_json::json!({ "color": calendar.color, "writable": calendar.writable }).to_string()
}
