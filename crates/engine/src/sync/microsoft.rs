//! Microsoft Graph: a list of calendars that is compared, and a window of each calendar by delta links.
//!
//! What a delta says is taken as a hint of where to look: series are read whole, since their occurrences
//! come without content and a deleted one may not come at all; a tombstone counts only for what is
//! mirrored, and only when the calendar answers that it has no such event, since it also comes for
//! events that left the window or never were in it.

use std::collections::{BTreeMap, BTreeSet};

use tidings_core::limits::{
    COLLECTION_ITEMS_MAX, GRAPH_REPLICATION_AGAIN_MS, GRAPH_REPLICATION_MS,
    GRAPH_SERIES_COMPARED_MAX, SYNC_APPLY_CHUNK, SYNC_PAGES_MAX,
};
use tidings_providers::error::ProviderError;
use tidings_providers::event::Event;
use tidings_providers::http::Request;
use tidings_providers::item::Item;
use tidings_providers::microsoft::delta::{self, Link, Window};
use tidings_providers::microsoft::{calendars, events, follow, series};
use tidings_providers::settings::MicrosoftSettings;
use tidings_store::{Account, Item as Mirrored};

use super::Stop;
use super::client::Client;
use super::providers::Providers;
use super::pull::Pull;
use super::source::{Calendars, Pulled};

/// One account at Microsoft.
pub(super) struct Driver<'a> {
    settings: &'a MicrosoftSettings,
    account: &'a Account,
    client: &'a Client<'a>,
}

/// What the pages of a round said.
#[derive(Default)]
struct Hints {
    singles: BTreeMap<String, Item>,
    series: BTreeSet<String>,
    removed: BTreeSet<String>,
    link: String,
}

/// What is there, by key, and what is not.
#[derive(Default)]
struct Found {
    items: BTreeMap<String, Item>,
    gone: BTreeSet<String>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(
        providers: &'a Providers,
        account: &'a Account,
        client: &'a Client<'a>,
    ) -> Result<Self, Stop> {
        Ok(Self { settings: providers.microsoft()?, account, client })
    }

    /// All calendars: Graph cannot tell what changed about them.
    pub(super) async fn calendars(&mut self, _whole: bool) -> Result<Calendars, Stop> {
        let mut found = Calendars { whole: true, ..Calendars::default() };
        let mut request = calendars::list_request(self.settings);
        for _ in 0..SYNC_PAGES_MAX {
            let owner = self.account.username.clone();
            let read = move |response: &_| calendars::parse_list(response, owner.as_deref());
            let page = self.client.ask(request, read).await?;
            found.listed.extend(page.calendars);
            let Some(next) = page.next else { return Ok(found) };
            request = follow(self.settings, &next)?;
        }
        Err(endless())
    }

    /// What changed since the calendar's link; everything in a new window when the old one has been used
    /// up, or Graph refuses the link.
    pub(super) async fn pull(&self, pull: &Pull<'_>) -> Result<Pulled, Stop> {
        let now = pull.teller.now;
        let window = pull.collection.window.map(|(from, to)| Window { from, to });
        if let (Some(link), Some(window)) = (&pull.collection.sync_token, window)
            && !window.is_stale(now)
        {
            match self.since(pull, link, window).await {
                Err(Stop::Provider(ProviderError::TokenRefused { .. })) => {}
                other => return other,
            }
        }
        self.anew(pull, Window::around(now)).await.map_err(|stop| match stop {
            // Of a link that Graph gave a moment ago.
            Stop::Provider(ProviderError::TokenRefused { why }) => ProviderError::retry(why).into(),
            other => other,
        })
    }

    async fn since(&self, pull: &Pull<'_>, link: &str, window: Window) -> Result<Pulled, Stop> {
        let request = delta::request(self.settings, link)?;
        let mut hints = self.pages(request).await?;
        if hints.says_nothing() && self.was_just_pushed(pull).await? {
            let again_ms = Some(GRAPH_REPLICATION_AGAIN_MS);
            let token = Some(hints.link);
            return Ok(Pulled { token, again_ms, ..Pulled::default() });
        }
        let unexplained = hints.series.is_empty() && !hints.removed.is_empty();
        let mut found = Found::default();
        self.look_for_removed(pull, &mut hints, &mut found).await?;
        if hints.says_nothing() && pull.collection.is_dirty() || unexplained {
            // A deleted occurrence may show as a tombstone of an unknown event, or not at all.
            let known = series_of(pull).await?;
            hints.series.extend(known.into_iter().take(GRAPH_SERIES_COMPARED_MAX));
        }
        self.read(pull, window, hints, found).await
    }

    /// Everything in the window. What is mirrored within it and not shown is asked for by its id; what
    /// is mirrored outside of it stays as it is.
    async fn anew(&self, pull: &Pull<'_>, window: Window) -> Result<Pulled, Stop> {
        let calendar = &pull.collection.external_id;
        let request = delta::initial_request(self.settings, calendar, window);
        let mut hints = self.pages(request).await?;
        let mirrored = pull.store.item_versions(pull.collection.collection_no).await?;
        let is_within = |starts: Option<i64>, ends: Option<i64>| {
            starts.is_none_or(|at| at < window.to.0) && ends.is_none_or(|at| at > window.from.0)
        };
        let unseen = mirrored.into_iter().filter(|known| {
            !hints.singles.contains_key(&known.key)
                && !hints.series.contains(&known.key)
                && is_within(known.starts_at, known.ends_at)
        });
        hints.removed = unseen.map(|known| known.key).collect();
        let mut found = Found::default();
        self.look_for_removed(pull, &mut hints, &mut found).await?;
        self.read(pull, window, hints, found).await
    }

    /// All pages of a round; nothing is made of them before the last.
    async fn pages(&self, mut request: Request) -> Result<Hints, Stop> {
        let mut hints = Hints::default();
        for _ in 0..SYNC_PAGES_MAX {
            let page = self.client.ask(request, delta::parse).await?;
            // Repeats are usual: the last one counts.
            for id in page.removed {
                hints.singles.remove(&id);
                hints.removed.insert(id);
            }
            for item in page.items {
                hints.removed.remove(&item.key);
                hints.singles.insert(item.key.clone(), item);
            }
            hints.series.extend(page.series);
            if hints.singles.len() + hints.series.len() > COLLECTION_ITEMS_MAX {
                let why = format!("the calendar holds more than {COLLECTION_ITEMS_MAX} events");
                return Err(ProviderError::permanent(why).into());
            }
            match page.link {
                Link::Next(next) => request = delta::request(self.settings, &next)?,
                Link::Delta(link) => {
                    hints.link = link;
                    return Ok(hints);
                }
            }
        }
        Err(endless())
    }

    /// Asks the calendar for each event that is mirrored and said to be removed. The exceptions of a
    /// series are judged with it.
    async fn look_for_removed(
        &self,
        pull: &Pull<'_>,
        hints: &mut Hints,
        found: &mut Found,
    ) -> Result<(), Stop> {
        let removed: Vec<String> = std::mem::take(&mut hints.removed).into_iter().collect();
        for item in mirrored(pull, &removed).await? {
            if let Some(series) = item.series {
                hints.series.insert(series);
                continue;
            }
            let calendar = &pull.collection.external_id;
            let request = events::request_in(self.settings, calendar, &item.key);
            match self.client.ask(request, events::parse).await {
                Ok(there) => match there.series {
                    Some(series) => {
                        hints.series.insert(series);
                    }
                    None => {
                        found.items.insert(there.item.key.clone(), there.item);
                    }
                },
                Err(Stop::Provider(ProviderError::Gone { .. })) => {
                    hints.series.remove(&item.key);
                    found.gone.insert(item.key);
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    /// Reads what was hinted at, and says what it came to.
    async fn read(
        &self,
        pull: &Pull<'_>,
        window: Window,
        hints: Hints,
        mut found: Found,
    ) -> Result<Pulled, Stop> {
        let mut told: Vec<Item> = hints.singles.into_values().collect();
        for master in &hints.series {
            if !found.gone.contains(master) {
                told.extend(self.series(pull, window, master, &mut found).await?);
            }
        }
        self.carry_properties(pull, &mut told).await?;
        for item in told {
            found.items.entry(item.key.clone()).or_insert(item);
        }
        self.end_former_series(pull, &mut found).await?;
        Ok(Pulled {
            items: found.items.into_values().collect(),
            gone: found.gone.into_iter().collect(),
            token: Some(hints.link),
            window: Some((window.from, window.to)),
            ..Pulled::default()
        })
    }

    /// The exceptions of a series, cancelled ones among them; the master is put among what was found.
    async fn series(
        &self,
        pull: &Pull<'_>,
        window: Window,
        master: &str,
        found: &mut Found,
    ) -> Result<Vec<Item>, Stop> {
        let request = series::request(self.settings, master);
        let read = match self.client.ask(request, series::parse).await {
            Ok(read) => read,
            Err(Stop::Provider(ProviderError::Gone { .. })) => {
                found.gone.insert(master.to_owned());
                return Ok(Vec::new());
            }
            Err(stop) => return Err(stop),
        };
        let whole = read.exceptions.is_some();
        let mut told = match read.exceptions {
            Some(exceptions) => exceptions,
            None => self.exceptions(window, master).await?,
        };
        told.extend(read.cancelled);
        let there: BTreeSet<&str> = told.iter().map(|item| item.key.as_str()).collect();
        let no = pull.collection.collection_no;
        let known = pull.store.items_of(no, vec![master.to_owned()]).await?;
        let lost = known.into_iter().filter(|item| {
            let seen =
                whole || item.starts_at.is_some_and(|at| at >= window.from.0 && at < window.to.0);
            seen && item.key != master && !there.contains(item.key.as_str())
        });
        found.gone.extend(lost.map(|item| item.key));
        found.items.insert(read.master.key.clone(), read.master);
        Ok(told)
    }

    async fn exceptions(&self, window: Window, master: &str) -> Result<Vec<Item>, Stop> {
        let mut exceptions = Vec::new();
        let mut request = series::instances_request(self.settings, master, window.from, window.to);
        for _ in 0..SYNC_PAGES_MAX {
            let page = self.client.ask(request, series::parse_instances).await?;
            exceptions.extend(page.exceptions);
            let Some(next) = page.next else { return Ok(exceptions) };
            request = follow(self.settings, &next)?;
        }
        Err(endless())
    }

    /// Deltas and series do not show the properties of their events: those that we know stay.
    async fn carry_properties(&self, pull: &Pull<'_>, told: &mut [Item]) -> Result<(), Stop> {
        let keys: Vec<String> = told.iter().map(|item| item.key.clone()).collect();
        let known: BTreeMap<String, Event> = mirrored(pull, &keys)
            .await?
            .into_iter()
            .filter_map(|item| Some((item.key, serde_json::from_slice(&item.body).ok()?)))
            .collect();
        for item in told {
            if let Some(event) = known.get(&item.key).filter(|event| !event.properties.is_empty()) {
                events::carry_properties(item, event.properties.clone());
            }
        }
        Ok(())
    }

    /// What belonged to a series that is a single event now.
    async fn end_former_series(&self, pull: &Pull<'_>, found: &mut Found) -> Result<(), Stop> {
        let singles = found
            .items
            .values()
            .filter(|item| item.series.is_none() && item.event.recurrence.is_none());
        let singles: Vec<String> = singles.map(|item| item.key.clone()).collect();
        for keys in singles.chunks(SYNC_APPLY_CHUNK) {
            let no = pull.collection.collection_no;
            let of_series = pull.store.items_of(no, keys.to_vec()).await?;
            let former = of_series.into_iter().filter(|item| item.series.is_some());
            found.gone.extend(former.map(|item| item.key));
        }
        Ok(())
    }

    /// Whether Graph pushed so lately that its delta may not show the reason yet.
    async fn was_just_pushed(&self, pull: &Pull<'_>) -> Result<bool, Stop> {
        if !pull.collection.is_dirty() {
            return Ok(false);
        }
        let since = pull.teller.now.plus_ms(-GRAPH_REPLICATION_MS);
        let subscriptions = pull.store.subscriptions_of(self.account.account_no).await?;
        let no = Some(pull.collection.collection_no);
        let mut ours = subscriptions.iter().filter(|one| one.collection_no == no);
        Ok(ours.any(|one| one.delivered_at.is_some_and(|at| at > since)))
    }
}

impl Hints {
    fn says_nothing(&self) -> bool {
        self.singles.is_empty() && self.series.is_empty() && self.removed.is_empty()
    }
}

async fn mirrored(pull: &Pull<'_>, keys: &[String]) -> Result<Vec<Mirrored>, Stop> {
    let mut items = Vec::new();
    for keys in keys.chunks(SYNC_APPLY_CHUNK) {
        let no = pull.collection.collection_no;
        items.extend(pull.store.items_by_key(no, keys.to_vec()).await?);
    }
    Ok(items)
}

/// Keys of the series that are mirrored.
async fn series_of(pull: &Pull<'_>) -> Result<Vec<String>, Stop> {
    let versions = pull.store.item_versions(pull.collection.collection_no).await?;
    let keys: Vec<String> = versions.into_iter().map(|known| known.key).collect();
    let is_series = |item: &Mirrored| {
        let event: Option<Event> = serde_json::from_slice(&item.body).ok();
        event.is_some_and(|event| event.recurrence.is_some())
    };
    let items = mirrored(pull, &keys).await?;
    Ok(items.into_iter().filter(is_series).map(|item| item.key).collect())
}

fn endless() -> Stop {
    ProviderError::permanent("microsoft graph's list has no end").into()
}
