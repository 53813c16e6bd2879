//! Google Calendar: a list of calendars and a list of events each, both by sync tokens.

use std::collections::BTreeSet;

use tidings_core::limits::{COLLECTION_ITEMS_MAX, SYNC_PAGES_MAX};
use tidings_providers::error::ProviderError;
use tidings_providers::google::calendars::{self, CalendarPage};
use tidings_providers::google::events::{self, EventPage, Seen};
use tidings_providers::settings::GoogleSettings;
use tidings_store::{Account, Collection};

use super::Stop;
use super::client::Client;
use super::providers::Providers;
use super::pull::Pull;
use super::source::{Calendars, Pulled};

/// Events asked for on one page; fewer when a page was too long for us.
const PAGE: u16 = 1_000;
/// The least that is asked for.
const PAGE_LEAST: u16 = 10;

/// One account at Google.
pub(super) struct Driver<'a> {
    settings: &'a GoogleSettings,
    account: &'a Account,
    client: &'a Client<'a>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(
        providers: &'a Providers,
        account: &'a Account,
        client: &'a Client<'a>,
    ) -> Result<Self, Stop> {
        Ok(Self { settings: providers.google()?, account, client })
    }

    /// All calendars when `whole`, else what changed since the list's token, unless Google refuses it.
    pub(super) async fn calendars(&mut self, whole: bool) -> Result<Calendars, Stop> {
        if let (false, Some(token)) = (whole, &self.account.list_token) {
            match self.list(Some(token)).await {
                Err(Stop::Provider(ProviderError::TokenRefused { .. })) => {}
                other => return other,
            }
        }
        self.list(None).await.map_err(once_more)
    }

    async fn list(&self, token: Option<&str>) -> Result<Calendars, Stop> {
        let mut found = Calendars { whole: token.is_none(), ..Calendars::default() };
        let mut next: Option<String> = None;
        for _ in 0..SYNC_PAGES_MAX {
            let request = calendars::list_request(self.settings, token, next.as_deref());
            let continued = token.is_some() || next.is_some();
            let read = move |response: &_| calendars::parse_list(response, continued);
            let CalendarPage { listed, gone, next_page, token: new } =
                self.client.ask(request, read).await?;
            found.listed.extend(listed);
            found.gone.extend(gone);
            if next_page.is_none() {
                found.list_token = new;
                return Ok(found);
            }
            next = next_page;
        }
        Err(endless())
    }

    /// What changed since the calendar's token, or all of it; nothing before the last page arrived.
    pub(super) async fn pull(&self, pull: &Pull<'_>) -> Result<Pulled, Stop> {
        let token = pull.collection.sync_token.as_deref();
        match self.smaller_and_smaller(pull.collection, token).await {
            Err(Stop::Provider(ProviderError::TokenRefused { .. })) => {
                self.smaller_and_smaller(pull.collection, None).await.map_err(once_more)
            }
            other => other,
        }
    }

    async fn smaller_and_smaller(
        &self,
        collection: &Collection,
        token: Option<&str>,
    ) -> Result<Pulled, Stop> {
        let mut size = PAGE;
        loop {
            match self.pages(collection, token, size).await {
                Err(Stop::TooLarge) if size > PAGE_LEAST => size = (size / 10).max(PAGE_LEAST),
                other => return other,
            }
        }
    }

    async fn pages(
        &self,
        collection: &Collection,
        token: Option<&str>,
        size: u16,
    ) -> Result<Pulled, Stop> {
        let mut pulled = Pulled { whole: token.is_none(), ..Pulled::default() };
        let (mut seen, mut left_out, mut next) = (Seen::default(), 0, None::<String>);
        for _ in 0..SYNC_PAGES_MAX {
            let calendar = &collection.external_id;
            let request =
                events::list_request(self.settings, calendar, token, next.as_deref(), size);
            let continued = token.is_some() || next.is_some();
            let read = move |response: &_| events::parse_list(response, continued);
            let mut page = self.client.ask(request, read).await?;
            seen.keep_news(&mut page);
            let EventPage { items, gone, next_page, token: new, unreadable, unread } = page;
            // A later page may tell an event anew: the last one counts.
            pulled.items.extend(items);
            pulled.gone.extend(gone);
            pulled.kept.extend(unread);
            left_out += unreadable;
            if pulled.items.len() > COLLECTION_ITEMS_MAX {
                let why = format!("the calendar holds more than {COLLECTION_ITEMS_MAX} events");
                return Err(ProviderError::permanent(why).into());
            }
            if next_page.is_none() {
                let ended: BTreeSet<&String> = pulled.gone.iter().collect();
                pulled.items.retain(|item| !ended.contains(&item.resource));
                pulled.token = new;
                pulled.trouble = (left_out > 0)
                    .then(|| format!("{left_out} events are left out: they cannot be read"));
                return Ok(pulled);
            }
            next = next_page;
        }
        Err(endless())
    }
}

/// Google refused a token that it gave a moment ago.
fn once_more(stop: Stop) -> Stop {
    match stop {
        Stop::Provider(ProviderError::TokenRefused { why }) => ProviderError::retry(why).into(),
        other => other,
    }
}

fn endless() -> Stop {
    ProviderError::permanent("google's list has no end").into()
}
