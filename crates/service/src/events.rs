//! Events of calendars: read from the mirror, written at the provider.

mod expand;
mod list;
mod version;
mod write;

use bytes::Bytes;
use tidings_core::clock::Timestamp;
use tidings_core::id::CollectionId;
use tidings_core::limits;
use tidings_store as store;

use crate::{Caller, Error, Result, Scope, Service};

pub use write::{Made, Writing};

/// An event of a calendar: a single one, a series, an exception of a series, or an occurrence of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarEvent {
    /// Its id at its provider: changes carry it as their `item`.
    pub id: String,
    /// Its calendar.
    pub calendar: CollectionId,
    /// On an exception or an occurrence: the id of its series.
    pub series: Option<String>,
    /// On an exception or an occurrence: which one of the series it is.
    pub recurrence_id: Option<String>,
    /// Its entity tag, with its quotes. An occurrence has that of its series.
    pub etag: String,
    /// Its content, a JSON object.
    pub event: Bytes,
}

/// Which events to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Only those that end after this time.
    pub from: Option<Timestamp>,
    /// Only those that begin before this time.
    pub to: Option<Timestamp>,
    /// Whether to list the occurrences of a series in its place. Needs both times.
    pub expand: bool,
}

impl CalendarEvent {
    fn of(calendar: CollectionId, item: store::Item) -> Self {
        Self {
            etag: version::tag_of(&item),
            id: item.key,
            calendar,
            series: item.series,
            recurrence_id: item.recurrence_id,
            event: item.body.into(),
        }
    }
}

impl Service {
    /// One event, as last seen at its provider. The id of an occurrence works too.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn event(
        &self,
        caller: &Caller,
        calendar: CollectionId,
        id: &str,
    ) -> Result<CalendarEvent> {
        caller.may_any(&[Scope::Read, Scope::Calendars])?;
        let (_, calendar) = self.find_calendar(caller, calendar).await?;
        self.find_event(&calendar, id).await
    }

    async fn find_event(&self, calendar: &store::Collection, id: &str) -> Result<CalendarEvent> {
        let unknown = Error::NotFound("event");
        if id.len() > limits::ITEM_KEY_BYTES_MAX {
            return Err(unknown);
        }
        let no = calendar.collection_no;
        if let Some(item) = self.store.item(no, id.to_owned()).await? {
            return Ok(CalendarEvent::of(calendar.id, item));
        }
        let Some((series, recurrence_id)) = expand::parts(id) else { return Err(unknown) };
        let Some(master) = self.store.item(no, series.to_owned()).await? else {
            return Err(unknown);
        };
        let exceptions = self.store.items_of_series(no, series.to_owned()).await?;
        expand::occurrence(calendar.id, &master, &exceptions, recurrence_id).ok_or(unknown)
    }
}
