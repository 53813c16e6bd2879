//! From one CalDAV resource (RFC 5545: one UID, a master and its overrides) to items.

use std::collections::BTreeMap;

use calcard::icalendar::{
    ICalendarClassification, ICalendarComponent, ICalendarComponentType, ICalendarEntry,
    ICalendarParameterName, ICalendarParticipationStatus, ICalendarProperty, ICalendarStatus,
    ICalendarTransparency, ICalendarValue,
};
use calcard::{Entry, Parser};
use tidings_core::limits::{PROVIDER_ITEM_BYTES_MAX, RESOURCE_ITEMS_MAX};

use crate::caldav::Href;
use crate::event::{Attendee, Conference, Event, Original};
pub use crate::item::Item;
use lines::Component;
use time::{Time, Zones};

mod lines;
pub(crate) mod time;
pub mod write;

/// Why a resource could not be read. It must not stop its calendar: keep the mirror as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// More than [`PROVIDER_ITEM_BYTES_MAX`] or [`RESOURCE_ITEMS_MAX`].
    #[error("the calendar object is too large")]
    TooLarge,
    /// Not an iCalendar object.
    #[error("the calendar object is not iCalendar")]
    NotICalendar,
    /// A VEVENT without end, or otherwise not to be taken apart.
    #[error("the calendar object is broken")]
    Broken,
}

/// The key of the resource that the item `key` belongs to.
pub fn resource_of(key: &str) -> &str {
    key.split_once('#').map_or(key, |(resource, _)| resource)
}

/// Splits a resource into its items, by key. A resource without events (a task, a journal) has
/// none, which is no error.
///
/// # Errors
/// [`Malformed`] when nothing can be said about the resource.
pub fn items(href: &Href, etag: Option<&str>, text: &str) -> Result<Vec<Item>, Malformed> {
    let listed = listed(href, etag, text)?.into_iter();
    let items: BTreeMap<_, _> = listed.map(|item| (item.key.clone(), item)).collect();
    Ok(items.into_values().collect())
}

/// As [`items`], in the order of the VEVENTs, one of each.
fn listed(href: &Href, etag: Option<&str>, text: &str) -> Result<Vec<Item>, Malformed> {
    if text.len() > PROVIDER_ITEM_BYTES_MAX {
        return Err(Malformed::TooLarge);
    }
    let Entry::ICalendar(calendar) = Parser::new(text).entry() else {
        return Err(Malformed::NotICalendar);
    };
    let is_event = |c: &&ICalendarComponent| c.component_type == ICalendarComponentType::VEvent;
    let parsed: Vec<_> = calendar.components.iter().filter(is_event).collect();
    let raw = lines::events(text);
    if parsed.len() != raw.len() {
        return Err(Malformed::Broken);
    }
    if raw.len() > RESOURCE_ITEMS_MAX {
        return Err(Malformed::TooLarge);
    }
    let zones = Zones::of(&calendar);
    let both = parsed.into_iter().zip(&raw);
    Ok(both.map(|(parsed, raw)| Source { href, etag, zones: &zones, parsed, raw }.item()).collect())
}

/// One VEVENT, in both forms that we have of it, with its surroundings.
struct Source<'a> {
    href: &'a Href,
    etag: Option<&'a str>,
    zones: &'a Zones<'a>,
    parsed: &'a ICalendarComponent,
    raw: &'a Component,
}

impl Source<'_> {
    fn item(&self) -> Item {
        let replaces = self.time(&ICalendarProperty::RecurrenceId);
        let series = replaces.map(|_| self.href.key.clone());
        let key = match replaces {
            Some(moment) => format!("{}#{}", self.href.key, moment.compact()),
            None => self.href.key.clone(),
        };
        let event = self.event(replaces, series.clone());
        let times = [&event.start, &event.end, &event.recurrence_id];
        let context: Vec<&str> =
            times.iter().map(|time| time.as_deref().unwrap_or_default()).collect();
        Item {
            resource: self.href.key.clone(),
            etag: self.etag.unwrap_or_default().to_owned(),
            version: self.raw.version(&context),
            recurrence_id: replaces.map(Time::compact),
            key,
            series,
            event,
        }
    }

    fn event(&self, replaces: Option<Time>, series: Option<String>) -> Event {
        use ICalendarProperty as P;
        let start = self.time(&P::Dtstart).or(replaces);
        Event {
            uid: self.text(&P::Uid).unwrap_or_default(),
            title: self.text(&P::Summary).unwrap_or_default(),
            description: self.text(&P::Description),
            start: start.map(|time| time.to_string()),
            end: start.and_then(|start| self.end(start)).map(|time| time.to_string()),
            all_day: start.is_some_and(Time::is_date),
            time_zone: self.parsed.property(&P::Dtstart).and_then(|e| e.tz_id()).map(Into::into),
            location: self.text(&P::Location),
            attendees: self.attendees(),
            status: self.parsed.status().and_then(status).map(Into::into),
            availability: match self.parsed.transparency() {
                Some(ICalendarTransparency::Transparent) => "free".into(),
                _ => "busy".into(),
            },
            privacy: Some(self.privacy().into()),
            last_modified: self.time(&P::LastModified).map(|time| time.to_string()),
            link: self.text(&P::Url),
            color: self.text(&P::Color),
            conference: self.conference(),
            recurrence: self.raw.value("RRULE").map(Into::into),
            recurring_event_id: series,
            recurrence_id: replaces.map(|time| time.to_string()),
            properties: self.properties(),
            original: Original::Resource {
                href: self.href.sent.clone(),
                etag: self.etag.map(Into::into),
                icalendar: self.raw.icalendar(),
            },
        }
    }

    fn time(&self, property: &ICalendarProperty) -> Option<Time> {
        self.zones.read(self.parsed.property(property)?)
    }

    /// DTEND, else DTSTART and DURATION, else a whole day or no time at all (RFC 5545 3.6.1).
    fn end(&self, start: Time) -> Option<Time> {
        if let Some(end) = self.time(&ICalendarProperty::Dtend) {
            return Some(end);
        }
        let duration = self.parsed.property(&ICalendarProperty::Duration);
        match duration.and_then(|entry| entry.values.first()) {
            Some(ICalendarValue::Duration(duration)) => {
                Some(start.plus_seconds(duration.to_time_delta()?.num_seconds()))
            }
            _ if start.is_date() => Some(start.plus_seconds(86_400)),
            _ => Some(start),
        }
    }

    fn text(&self, property: &ICalendarProperty) -> Option<String> {
        let entry = self.parsed.property(property)?;
        let parts: Vec<&str> = entry.values.iter().filter_map(ICalendarValue::as_text).collect();
        let text = parts.join(",");
        (!text.is_empty()).then_some(text)
    }

    /// Custom properties of ours.
    fn properties(&self) -> BTreeMap<String, String> {
        let text = self.raw.value(write::PROPERTIES).map(write::unescaped);
        text.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default()
    }

    fn privacy(&self) -> &'static str {
        let class = self.parsed.property(&ICalendarProperty::Class);
        match class.and_then(|entry| entry.values.first()) {
            // RFC 5545 section 3.8.1.3: the default is PUBLIC.
            None => "public",
            Some(ICalendarValue::Classification(ICalendarClassification::Public)) => "public",
            Some(ICalendarValue::Classification(ICalendarClassification::Confidential)) => {
                "confidential"
            }
            // RFC 5545 section 3.8.1.3: an unknown class is private.
            Some(_) => "private",
        }
    }

    fn attendees(&self) -> Vec<Attendee> {
        let mut attendees: Vec<Attendee> = self
            .parsed
            .properties(&ICalendarProperty::Attendee)
            .filter_map(|entry| person(entry, participation(entry)))
            .collect();
        let organizer = self.parsed.property(&ICalendarProperty::Organizer);
        if let Some(organizer) = organizer.and_then(|entry| person(entry, "accepted")) {
            let same = |a: &&mut Attendee| a.email.eq_ignore_ascii_case(&organizer.email);
            match attendees.iter_mut().find(same) {
                Some(attendee) => attendee.organizer = true,
                None => attendees.insert(0, Attendee { organizer: true, ..organizer }),
            }
        }
        attendees
    }

    /// CONFERENCE (RFC 7986), else the properties of the large vendors.
    fn conference(&self) -> Option<Conference> {
        let standard = self.text(&ICalendarProperty::Conference);
        let vendors = ["X-GOOGLE-CONFERENCE", "X-MICROSOFT-SKYPETEAMSMEETINGURL"];
        let url = standard
            .or_else(|| vendors.iter().find_map(|name| self.raw.value(name)).map(Into::into))?;
        let is_web = url.starts_with("https://") || url.starts_with("http://");
        is_web.then_some(Conference { url })
    }
}

fn status(status: &ICalendarStatus) -> Option<&'static str> {
    match status {
        ICalendarStatus::Confirmed => Some("confirmed"),
        ICalendarStatus::Tentative => Some("tentative"),
        ICalendarStatus::Cancelled => Some("cancelled"),
        _ => None,
    }
}

fn participation(entry: &ICalendarEntry) -> &'static str {
    use calcard::icalendar::ICalendarParameterValue::Partstat;
    match entry.parameter(&ICalendarParameterName::Partstat) {
        Some(Partstat(ICalendarParticipationStatus::Accepted)) => "accepted",
        Some(Partstat(ICalendarParticipationStatus::Declined)) => "declined",
        Some(Partstat(ICalendarParticipationStatus::Tentative)) => "tentative",
        _ => "none",
    }
}

/// iCloud and others put an opaque URI into the value and the address into EMAIL.
fn person(entry: &ICalendarEntry, status: &str) -> Option<Attendee> {
    let parameter = |name| entry.parameter(&name).and_then(|value| value.as_text());
    let address = entry.calendar_address()?;
    let email = parameter(ICalendarParameterName::Email)
        .filter(|_| !address.contains('@'))
        .unwrap_or(address);
    Some(Attendee {
        email: email.to_owned(),
        name: parameter(ICalendarParameterName::Cn).map(Into::into),
        status: status.into(),
        organizer: false,
    })
}

#[cfg(test)]
mod tests;
