//! Events of a range of time, page by page, by their ids.

use tidings_core::clock::Timestamp;
use tidings_core::id::CollectionId;
use tidings_core::limits;
use tidings_providers::event::Event;
use tidings_store::Item;

use super::{CalendarEvent, EventQuery, expand};
use crate::cursor::List;
use crate::validate::Checks;
use crate::{Caller, Page, PageInput, Result, Scope, Service};

/// Items read from the mirror in one go, about: their content may be large.
const ITEMS_READ: u32 = 100;
/// Between the key of a series and the occurrence after which a page begins.
const WITHIN: char = '\n';

/// A range of time, `[from, to)`.
#[derive(Clone, Copy, Debug)]
struct Range {
    from: Timestamp,
    to: Timestamp,
}

/// After what a page begins.
#[derive(Debug, PartialEq, Eq)]
struct Position {
    /// A key.
    key: String,
    /// An occurrence of the series with this key; absent: after all of them.
    occurrence: Option<String>,
}

impl Position {
    fn read(text: Option<String>) -> Self {
        let text = text.unwrap_or_default();
        match text.split_once(WITHIN) {
            Some((key, occurrence)) => {
                Self { key: key.into(), occurrence: Some(occurrence.into()) }
            }
            None => Self { key: text, occurrence: None },
        }
    }

    fn after(event: &CalendarEvent, of_series: bool) -> String {
        match (&event.series, &event.recurrence_id) {
            (Some(series), Some(occurrence)) if of_series => {
                format!("{series}{WITHIN}{occurrence}")
            }
            _ => event.id.clone(),
        }
    }
}

/// A page that is being filled.
struct Filling {
    events: Vec<CalendarEvent>,
    /// Where the page after this one begins, so far.
    next: Option<String>,
    most: usize,
    bytes: usize,
}

impl Filling {
    /// `false` when the page is full, and then nothing is taken.
    fn take(&mut self, event: CalendarEvent, of_series: bool) -> bool {
        let bytes = self.bytes + event.event.len();
        let is_full = self.events.len() >= self.most || bytes > limits::JOURNAL_PAGE_BYTES_MAX;
        if is_full && !self.events.is_empty() {
            return false;
        }
        self.bytes = bytes;
        self.next = Some(Position::after(&event, of_series));
        self.events.push(event);
        true
    }
}

impl Service {
    /// Events of a calendar, by their ids. What overlaps the range in part belongs to it.
    ///
    /// # Errors
    /// Forbidden; not found; invalid.
    pub async fn events(
        &self,
        caller: &Caller,
        calendar: CollectionId,
        query: EventQuery,
        page: &PageInput,
    ) -> Result<Page<CalendarEvent>> {
        caller.may_any(&[Scope::Read, Scope::Calendars])?;
        let range = check(query)?;
        let (_, calendar) = self.find_calendar(caller, calendar).await?;
        let no = calendar.collection_no;
        let list = List(if query.expand { "occurrences" } else { "events" }, no);
        let (after, limit) = list.begin_after(page)?;
        let mut position = Position::read(after);
        let mut filling =
            Filling { events: Vec::new(), next: None, most: limit as usize, bytes: 0 };
        if let Some(occurrence) = position.occurrence.take()
            && let Some(master) = self.store.item(no, position.key.clone()).await?
            && !self
                .expand(calendar.id, no, &master, range, Some(&occurrence), &mut filling)
                .await?
        {
            return Ok(filled(list, filling, true));
        }
        // One more than the page holds tells whether there is another.
        let read = (limit + 1).min(ITEMS_READ);
        loop {
            let after = position.key.clone();
            let items = self.store.events_in(no, range.from, range.to, after, read).await?;
            let is_last = items.len() < read as usize;
            for item in items {
                position.key.clone_from(&item.key);
                if !is_within(&item, range) {
                    continue;
                }
                let is_whole = if query.expand && expand::is_series(&item) {
                    self.expand(calendar.id, no, &item, range, None, &mut filling).await?
                } else if query.expand && expand::is_cancelled_exception(&item) {
                    true
                } else {
                    filling.take(CalendarEvent::of(calendar.id, item), false)
                };
                if !is_whole {
                    return Ok(filled(list, filling, true));
                }
            }
            if is_last {
                return Ok(filled(list, filling, false));
            }
        }
    }

    /// Takes the occurrences of a series after one of them; `false` when the page is full before the last.
    async fn expand(
        &self,
        calendar: CollectionId,
        collection_no: i64,
        master: &Item,
        range: Range,
        after: Option<&str>,
        filling: &mut Filling,
    ) -> Result<bool> {
        let exceptions = self.store.items_of_series(collection_no, master.key.clone()).await?;
        let found = expand::occurrences(calendar, master, &exceptions, range.from, range.to);
        let rest = found.into_iter().filter(|event| after < event.recurrence_id.as_deref());
        for occurrence in rest {
            if !filling.take(occurrence, true) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether an item that the store found takes place within a range. The store keeps no times of what an
/// earlier version mirrored: that says itself when it is.
fn is_within(item: &Item, range: Range) -> bool {
    if item.starts_at.is_some() {
        return true;
    }
    let event: Option<Event> = serde_json::from_slice(&item.body).ok();
    let (start, end) = event.map(|event| event.span_ms()).unwrap_or_default();
    let (from, to) = (range.from.0, range.to.0);
    start.is_none_or(|start| {
        start < to && end.is_none_or(|end| end > from || end == from && end == start)
    })
}

fn filled(list: List, filling: Filling, more: bool) -> Page<CalendarEvent> {
    let next = filling.next.filter(|_| more).map(|position| list.close_text(&position));
    Page { items: filling.events, next }
}

fn check(query: EventQuery) -> Result<Range> {
    let mut checks = Checks::default();
    if query.expand {
        for (name, time) in [("from", query.from), ("to", query.to)] {
            if time.is_none() {
                checks.refuse(name, "missing", "must be given with expand");
            }
        }
    }
    let range = Range {
        from: query.from.unwrap_or(Timestamp(i64::MIN / 2)),
        to: query.to.unwrap_or(Timestamp(i64::MAX / 2)),
    };
    if range.from >= range.to {
        checks.refuse("to", "range", "must be after from");
    } else if query.expand && range.to.0 - range.from.0 > limits::EXPAND_DAYS_MAX * 86_400_000 {
        let why = format!("must be at most {} days after from", limits::EXPAND_DAYS_MAX);
        checks.refuse("to", "range", why);
    }
    checks.done()?;
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_within_a_series_or_after_an_event() {
        for (text, key, occurrence) in [
            (None, "", None),
            (Some("a#b"), "a#b", None),
            (Some("a\n20261203T080000Z"), "a", Some("20261203T080000Z")),
        ] {
            let position = Position::read(text.map(Into::into));
            let expected = Position { key: key.into(), occurrence: occurrence.map(Into::into) };
            assert_eq!(position, expected);
        }
    }

    #[test]
    fn a_range_goes_forward_and_expands_within_bounds() {
        let day = |days: i64| Some(Timestamp(days * 86_400_000));
        for (from, to, expand, good) in [
            (None, None, false, true),
            (day(0), None, false, true),
            (day(1), day(0), false, false),
            (day(1), day(1), false, false),
            (None, day(1), true, false),
            (day(0), None, true, false),
            (day(0), day(limits::EXPAND_DAYS_MAX), true, true),
            (day(0), day(limits::EXPAND_DAYS_MAX + 1), true, false),
            (day(0), day(limits::EXPAND_DAYS_MAX + 1), false, true),
        ] {
            let query = EventQuery { from, to, expand };
            assert_eq!(check(query).is_ok(), good, "{query:?}");
        }
    }
}
