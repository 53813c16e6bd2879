//! Writing to an occurrence and all after it: the series is ended before, and for a change a second one
//! goes on from there.

use http::Method;
use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};
use tidings_core::clock::Timestamp;

use super::super::recurrence::{Range, Recurrence};
use super::super::time::{day_of, local, zone};
use super::{Document, begin_of, conditional, document, invalid, moment_of, post};
use crate::draft::{EventDraft, Field, When};
use crate::error::ProviderError;
use crate::event::{Event, Original};
use crate::http::{Request, below};
use crate::item::Item;
use crate::settings::MicrosoftSettings;
use crate::zone::Zone;

/// What the second series takes over from the first.
const KEPT: [&str; 15] = [
    "subject",
    "body",
    "location",
    "attendees",
    "showAs",
    "sensitivity",
    "importance",
    "categories",
    "isAllDay",
    "isOnlineMeeting",
    "isReminderOn",
    "reminderMinutesBeforeStart",
    "responseRequested",
    "hideAttendees",
    "singleValueExtendedProperties",
];

/// Ends the series before the occurrence that it has at `at`.
///
/// # Errors
/// [`ProviderError::Invalid`] when `master` is no series.
pub fn end_request(
    settings: &MicrosoftSettings,
    master: &Item,
    at: Timestamp,
) -> Result<Request, ProviderError> {
    let mut recurrence = recurrence_of(&master.event)?;
    let day = day_in(&recurrence, &master.event, at);
    let last = day.checked_sub(1.day()).map_err(|_| invalid("the series has no such day"))?;
    recurrence.range = Range {
        kind: "endDate".into(),
        end_date: Some(last.to_string()),
        number_of_occurrences: None,
        ..recurrence.range
    };
    let url = below(&settings.api, &["me", "events", &master.key]);
    let request = Request::json(Method::PATCH, url, &json!({ "recurrence": recurrence }));
    Ok(conditional(request, Some(&master.etag)))
}

/// Creates the series that goes on from the occurrence at `at`, changed by `draft`. `before` is how many
/// occurrences the series has before it, deleted ones among them.
///
/// # Errors
/// [`ProviderError::Invalid`] when `master` is no series or Graph has no words for the draft.
pub fn continue_request(
    settings: &MicrosoftSettings,
    calendar: &str,
    master: &Item,
    (at, before): (Timestamp, u32),
    draft: &EventDraft,
    key: &str,
) -> Result<Request, ProviderError> {
    let here = occurrence(&master.event, at);
    let mut members: Document = kept(&master.event);
    let mut draft = draft.clone();
    let keeps_rule = draft.recurrence.is_keep();
    for (field, told) in [(&mut draft.start, &here.start), (&mut draft.end, &here.end)] {
        if field.is_keep()
            && let Some(when) = told.as_deref().and_then(|told| when_of(told, &here))
        {
            *field = Field::Set(when);
        }
    }
    members.extend(document(&draft, Some(&here))?);
    if keeps_rule {
        let first = draft.start.set().map(day_of_when);
        let rest = rest_of(&master.event, at, before, first)?;
        members.insert("recurrence".into(), json!(rest));
    }
    Ok(post(settings, calendar, members, key))
}

fn day_of_when(when: &When) -> Date {
    match when {
        When::Date(day) => *day,
        When::At { local, .. } => local.date(),
    }
}

/// The recurrence from the occurrence at `at` on.
fn rest_of(
    master: &Event,
    at: Timestamp,
    before: u32,
    first: Option<Date>,
) -> Result<Recurrence, ProviderError> {
    let mut recurrence = recurrence_of(master)?;
    let first = first.unwrap_or_else(|| day_in(&recurrence, master, at));
    let range = &mut recurrence.range;
    range.start_date = first.to_string();
    if range.kind == "numbered" {
        let all = range.number_of_occurrences.unwrap_or(1);
        range.number_of_occurrences = Some(all.saturating_sub(before).max(1));
    } else {
        range.number_of_occurrences = None;
    }
    if range.kind != "endDate" {
        range.end_date = None;
    }
    Ok(recurrence)
}

fn recurrence_of(master: &Event) -> Result<Recurrence, ProviderError> {
    let Original::Object(object) = &master.original else { return Err(invalid("no series")) };
    serde_json::from_value(object["recurrence"].clone())
        .map_err(|_| invalid("this event is not a series"))
}

/// The day of a moment on the clock that the series goes by.
fn day_in(recurrence: &Recurrence, master: &Event, at: Timestamp) -> Date {
    let named = recurrence.range.recurrence_time_zone.as_deref().and_then(zone);
    let zone = named.filter(|_| !master.all_day).unwrap_or(Zone::UTC);
    day_of(local(at.unix_seconds(), zone))
}

/// The occurrence of the series at `at`, as it would be without exceptions.
fn occurrence(master: &Event, at: Timestamp) -> Event {
    let parsed = |told: &Option<String>| told.as_deref().and_then(moment_of);
    let lasts_ms = match (parsed(&master.start), parsed(&master.end)) {
        (Some(start), Some(end)) => end.0 - start.0,
        _ => 0,
    };
    let told = |at: Timestamp| match master.all_day {
        true => at.to_string().chars().take(10).collect(),
        false => at.to_string(),
    };
    Event { start: Some(told(at)), end: Some(told(at.plus_ms(lasts_ms))), ..master.clone() }
}

fn when_of(told: &str, event: &Event) -> Option<When> {
    begin_of(&Event { start: Some(told.into()), ..event.clone() })
}

fn kept(master: &Event) -> Document {
    let object = match &master.original {
        Original::Object(object) => object,
        Original::Resource { .. } => &Value::Null,
    };
    let kept = KEPT.iter().filter_map(|name| {
        let value = object.get(name).filter(|value| !value.is_null())?;
        Some(((*name).to_owned(), value.clone()))
    });
    kept.collect()
}
