//! Occurrences of a series. One that is no item of its own has the id that [`occurrences::key`] makes.

use tidings_core::clock::Timestamp;
use tidings_core::id::CollectionId;
use tidings_core::limits;
use tidings_providers::event::Event;
use tidings_providers::occurrences;
use tidings_store::Item;

use super::{CalendarEvent, version};

/// The series and the occurrence that an id names.
pub(super) fn parts(id: &str) -> Option<(&str, &str)> {
    occurrences::split_key(id)
}

/// Whether an item is a series.
pub(super) fn is_series(item: &Item) -> bool {
    item.series.is_none() && event_of(item).is_some_and(|event| occurrences::is_series(&event))
}

/// Whether an item says that an occurrence does not take place.
pub(super) fn is_cancelled_exception(item: &Item) -> bool {
    item.series.is_some()
        && event_of(item).is_some_and(|event| event.status.as_deref() == Some("cancelled"))
}

/// The occurrences of a series that overlap `[from, to)` and are no items of their own, in order.
pub(super) fn occurrences(
    calendar: CollectionId,
    series: &Item,
    exceptions: &[Item],
    from: Timestamp,
    to: Timestamp,
) -> Vec<CalendarEvent> {
    let Some(master) = event_of(series) else { return Vec::new() };
    let exceptions = events_of(exceptions);
    let most = limits::OCCURRENCES_MAX;
    let found = occurrences::expand((&series.key, &master), &exceptions, from, to, most);
    let computed = found.events.into_iter().filter(|(key, _)| {
        // Exceptions are listed as the items that they are.
        exceptions.iter().all(|(exception, _)| exception != key)
    });
    computed.filter_map(|found| told(calendar, series, found)).collect()
}

/// The one occurrence of a series that an id names, unless an exception has replaced it.
pub(super) fn occurrence(
    calendar: CollectionId,
    series: &Item,
    exceptions: &[Item],
    which: &str,
) -> Option<CalendarEvent> {
    if exceptions.iter().any(|item| item.recurrence_id.as_deref() == Some(which)) {
        return None;
    }
    let found = occurrences::occurrence_at((&series.key, &event_of(series)?), which)?;
    told(calendar, series, found)
}

fn told(
    calendar: CollectionId,
    series: &Item,
    (key, event): (String, Event),
) -> Option<CalendarEvent> {
    let (_, which) = occurrences::split_key(&key)?;
    Some(CalendarEvent {
        recurrence_id: Some(which.to_owned()),
        id: key,
        calendar,
        series: Some(series.key.clone()),
        etag: version::tag_of(series),
        event: serde_json::to_vec(&event).ok()?.into(),
    })
}

fn event_of(item: &Item) -> Option<Event> {
    serde_json::from_slice(&item.body).ok()
}

fn events_of(items: &[Item]) -> Vec<(String, Event)> {
    items.iter().filter_map(|item| Some((item.key.clone(), event_of(item)?))).collect()
}
