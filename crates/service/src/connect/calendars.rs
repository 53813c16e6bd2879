//! A user's calendars and their events, across all accounts.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_providers::draft::Notify;
use tidings_providers::event::Event;
use tidings_store as store;

use super::access::{CONNECT_CALENDARS, ConnectAccess, within, writing};
use super::check_provider;
use crate::{
    Calendar, CalendarEvent, Caller, Error, EventQuery, PageInput, Result, SeriesScope, Service,
    Writing,
};

/// A calendar and who keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectCalendar {
    /// `google`, `microsoft`, `apple` or `caldav`.
    pub provider: String,
    /// The calendar.
    pub calendar: Calendar,
}

/// Which events to list, and how many.
#[derive(Clone, Debug)]
pub struct ConnectQuery {
    /// Only those that end after this time.
    pub start: Timestamp,
    /// Only those that begin before this time.
    pub end: Timestamp,
    /// Only those of the calendars for which this holds, given provider and the provider's id.
    pub calendars: CalendarChoice,
    /// Whether to list the occurrences of a series in its place.
    pub expand: bool,
    /// Only those behind this place.
    pub after: Option<EventPlace>,
    /// Most events.
    pub limit: usize,
}

/// Calendars to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CalendarChoice {
    /// All.
    #[default]
    All,
    /// Those with these ids, at any provider.
    Ids(Vec<String>),
    /// Those with these ids, by provider.
    ByProvider(BTreeMap<String, Vec<String>>),
}

impl CalendarChoice {
    fn takes(&self, provider: &str, external_id: &str) -> bool {
        let has = |ids: &Vec<String>| ids.iter().any(|id| id == external_id);
        match self {
            Self::All => true,
            Self::Ids(ids) => has(ids),
            Self::ByProvider(ids) => ids.get(provider).is_some_and(has),
        }
    }
}

/// Where an event stands among all of a user: by its start, then by where it is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPlace {
    /// When it begins, ms since the Unix epoch; what has no start comes first.
    pub at: i64,
    /// Its provider.
    pub provider: String,
    /// The provider's id of its calendar.
    pub calendar: String,
    /// Its id.
    pub id: String,
}

/// Events in the order of their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectEvents {
    /// The events.
    pub events: Vec<(EventPlace, CalendarEvent)>,
    /// Whether there are more behind them.
    pub more: bool,
}

/// The first events behind a place, as many as may be.
struct Sorted {
    after: Option<EventPlace>,
    most: usize,
    events: BTreeMap<EventPlace, CalendarEvent>,
    bytes: usize,
    /// The first place that there was no room for: what is at it or behind it waits for the next page, also
    /// when it would fit, or the page would have a gap that nobody comes back for.
    dropped: Option<EventPlace>,
}

impl Sorted {
    fn take(&mut self, place: EventPlace, event: CalendarEvent) {
        let is_told = self.after.as_ref().is_some_and(|after| place <= *after);
        if is_told || self.dropped.as_ref().is_some_and(|dropped| place >= *dropped) {
            return;
        }
        self.bytes += event.event.len();
        self.events.insert(place, event);
        let is_over = |held: &Self| {
            held.events.len() > held.most || held.bytes > limits::JOURNAL_PAGE_BYTES_MAX
        };
        while is_over(self) && self.events.len() > 1 {
            let Some((place, event)) = self.events.pop_last() else { return };
            self.bytes -= event.event.len();
            self.dropped = Some(place);
        }
    }
}

impl Service {
    /// The calendars of the caller's user, of all accounts, in the order in which these were connected.
    ///
    /// # Errors
    /// Forbidden for what is not a Connect token, and for a token that tells free and busy only.
    pub async fn connect_calendars(&self, caller: &Caller) -> Result<Vec<ConnectCalendar>> {
        let inner = within(caller)?;
        if ConnectAccess::of(&caller.grant) == ConnectAccess::FreeBusy {
            return Err(Error::Forbidden(CONNECT_CALENDARS));
        }
        self.calendars_within(&inner).await
    }

    /// Events of the caller's user, of all calendars, by their start.
    ///
    /// # Errors
    /// Forbidden for what is not a Connect token; invalid.
    pub async fn connect_events(
        &self,
        caller: &Caller,
        query: ConnectQuery,
    ) -> Result<ConnectEvents> {
        let inner = within(caller)?;
        let range =
            EventQuery { from: Some(query.start), to: Some(query.end), expand: query.expand };
        let mut sorted = Sorted {
            after: query.after,
            most: query.limit.max(1),
            events: BTreeMap::new(),
            bytes: 0,
            dropped: None,
        };
        for ConnectCalendar { provider, calendar } in self.calendars_within(&inner).await? {
            if !query.calendars.takes(&provider, &calendar.external_id) {
                continue;
            }
            let mut page = PageInput { limit: Some(limits::PAGE_MAX), ..PageInput::default() };
            loop {
                let found = self.events(&inner, calendar.id, range, &page).await?;
                for event in found.items {
                    // A series stands for its exceptions too.
                    if !query.expand && event.series.is_some() {
                        continue;
                    }
                    let place = EventPlace {
                        at: starts_at(&event),
                        provider: provider.clone(),
                        calendar: calendar.external_id.clone(),
                        id: event.id.clone(),
                    };
                    sorted.take(place, event);
                }
                match found.next {
                    Some(next) => page.cursor = Some(next),
                    None => break,
                }
            }
        }
        let more = sorted.dropped.is_some();
        Ok(ConnectEvents { events: sorted.events.into_iter().collect(), more })
    }

    /// Makes an event; see [`Service::create_event`].
    ///
    /// # Errors
    /// Forbidden, also for a token that may only read; malformed for an unsupported provider; and those
    /// of [`Service::create_event`].
    pub async fn connect_create_event(
        &self,
        caller: &Caller,
        provider: &str,
        calendar: &str,
        draft: &Value,
    ) -> Result<CalendarEvent> {
        let inner = writing(caller)?;
        let calendar = self.connect_calendar(&inner, provider, calendar).await?;
        let made = self.create_event(&inner, calendar.id, draft, Notify::None, None).await?;
        Ok(made.event)
    }

    /// Changes an event; see [`Service::update_event`]. Without a scope: an occurrence alone, or the
    /// whole series that `id` names.
    ///
    /// # Errors
    /// As [`Service::connect_create_event`].
    pub async fn connect_update_event(
        &self,
        caller: &Caller,
        (provider, calendar): (&str, &str),
        id: &str,
        draft: &Value,
        scope: Option<SeriesScope>,
    ) -> Result<CalendarEvent> {
        let inner = writing(caller)?;
        let calendar = self.connect_calendar(&inner, provider, calendar).await?;
        let writing = self.scoped(&inner, &calendar, id, scope).await?;
        self.update_event(&inner, calendar.id, id, draft, writing).await
    }

    /// Deletes an event; see [`Service::delete_event`]. Without a scope: an occurrence alone, or the
    /// whole series that `id` names.
    ///
    /// # Errors
    /// As [`Service::connect_create_event`].
    pub async fn connect_delete_event(
        &self,
        caller: &Caller,
        (provider, calendar): (&str, &str),
        id: &str,
        scope: Option<SeriesScope>,
    ) -> Result<()> {
        let inner = writing(caller)?;
        let calendar = self.connect_calendar(&inner, provider, calendar).await?;
        let writing = self.scoped(&inner, &calendar, id, scope).await?;
        self.delete_event(&inner, calendar.id, id, writing).await
    }

    async fn scoped(
        &self,
        caller: &Caller,
        calendar: &store::Collection,
        id: &str,
        scope: Option<SeriesScope>,
    ) -> Result<Writing> {
        let scope = match scope {
            Some(scope) => scope,
            None if self.event(caller, calendar.id, id).await?.series.is_some() => {
                SeriesScope::This
            }
            None => SeriesScope::All,
        };
        Ok(Writing { scope, ..Writing::default() })
    }

    /// The user's calendar that the provider calls so.
    async fn connect_calendar(
        &self,
        caller: &Caller,
        provider: &str,
        external_id: &str,
    ) -> Result<store::Collection> {
        check_provider(provider)?;
        for account in self.connect_accounts(caller).await? {
            if account.provider != provider {
                continue;
            }
            let rows = self.store.collections(account.account_no).await?;
            if let Some(found) = rows.into_iter().find(|row| row.external_id == external_id) {
                return Ok(found);
            }
        }
        Err(Error::NotFound("calendar"))
    }

    /// A calendar that several accounts of the user see is the first one's.
    async fn calendars_within(&self, caller: &Caller) -> Result<Vec<ConnectCalendar>> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        for account in self.connect_accounts(caller).await? {
            for calendar in self.calendars(caller, account.id).await? {
                if seen.insert((account.provider.clone(), calendar.external_id.clone())) {
                    found.push(ConnectCalendar { provider: account.provider.clone(), calendar });
                }
            }
        }
        Ok(found)
    }
}

fn starts_at(event: &CalendarEvent) -> i64 {
    let content: Option<Event> = serde_json::from_slice(&event.event).ok();
    content.and_then(|content| content.span_ms().0).unwrap_or(i64::MIN)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidings_core::id::{CollectionId, Ids};

    use super::*;

    const MIB: usize = 1024 * 1024;

    fn place(at: i64) -> EventPlace {
        EventPlace { at, provider: "google".into(), calendar: "c".into(), id: at.to_string() }
    }

    fn event(bytes: usize) -> CalendarEvent {
        CalendarEvent {
            id: "e".into(),
            calendar: CollectionId(Ids::seeded(1).next(Timestamp(0))),
            series: None,
            recurrence_id: None,
            etag: String::new(),
            event: Bytes::from(vec![b' '; bytes]),
        }
    }

    /// Every page of these events, by their places.
    fn pages(events: &[(i64, usize)], most: usize) -> Vec<Vec<i64>> {
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let mut sorted =
                Sorted { after, most, events: BTreeMap::new(), bytes: 0, dropped: None };
            for (at, bytes) in events {
                sorted.take(place(*at), event(*bytes));
            }
            pages.push(sorted.events.keys().map(|place| place.at).collect());
            if sorted.dropped.is_none() {
                return pages;
            }
            after = sorted.events.keys().next_back().cloned();
        }
    }

    #[test]
    fn no_event_is_lost_between_two_pages_whatever_their_sizes_and_order() {
        for (events, most, expected) in [
            // The large third does not fit, the small fourth would.
            (vec![(1, 5 * MIB), (3, 5 * MIB), (4, 1)], 9, vec![vec![1], vec![3, 4]]),
            (vec![(4, 1), (3, 5 * MIB), (1, 5 * MIB)], 9, vec![vec![1], vec![3, 4]]),
            // One that is larger than a page has a page of its own.
            (vec![(2, 9 * MIB), (1, 1), (3, 1)], 9, vec![vec![1], vec![2], vec![3]]),
            (vec![(3, 1), (1, 1), (2, 1)], 2, vec![vec![1, 2], vec![3]]),
            (vec![(1, 1), (2, 1)], 2, vec![vec![1, 2]]),
            (vec![], 2, vec![vec![]]),
        ] {
            assert_eq!(pages(&events, most), expected, "{events:?}");
        }
    }
}
