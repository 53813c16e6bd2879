//! Google's event object (`calendar#event`) as an item.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tidings_core::clock::Timestamp;

use super::write::MARK;
use crate::event::{Attendee, Conference, Event, Original};
use crate::item::Item;
use crate::zone::Zone;

/// What an object says.
#[derive(Debug)]
pub(super) enum Read {
    /// It is there.
    Item(Box<Item>),
    /// A master or single event that was deleted: nothing but its id is certain.
    Gone { key: String },
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Object {
    id: String,
    etag: String,
    status: Option<String>,
    #[serde(rename = "iCalUID")]
    ical_uid: Option<String>,
    summary: Option<String>,
    description: Option<String>,
    location: Option<String>,
    html_link: Option<String>,
    updated: Option<String>,
    color_id: Option<String>,
    start: Option<When>,
    end: Option<When>,
    original_start_time: Option<When>,
    recurring_event_id: Option<String>,
    recurrence: Vec<String>,
    transparency: Option<String>,
    visibility: Option<String>,
    attendees: Vec<Person>,
    organizer: Option<Person>,
    hangout_link: Option<String>,
    conference_data: Option<ConferenceData>,
    extended_properties: Option<Properties>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct When {
    date: Option<String>,
    date_time: Option<String>,
    time_zone: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Person {
    email: Option<String>,
    display_name: Option<String>,
    response_status: Option<String>,
    organizer: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ConferenceData {
    entry_points: Vec<EntryPoint>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct EntryPoint {
    entry_point_type: Option<String>,
    uri: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Properties {
    private: BTreeMap<String, String>,
}

/// Reads an object; `None` when it has no id or is not of this shape.
pub(super) fn read(value: Value) -> Option<Read> {
    let object = Object::deserialize(&value).ok().filter(|object| !object.id.is_empty())?;
    let is_cancelled = object.status.as_deref() == Some("cancelled");
    if is_cancelled && object.recurring_event_id.is_none() {
        return Some(Read::Gone { key: object.id });
    }
    Some(Read::Item(Box::new(object.item(value))))
}

impl Object {
    fn item(self, value: Value) -> Item {
        let series = self.recurring_event_id.clone();
        // An event's own tag moves with each of its changes, and only then.
        let version = if self.etag.is_empty() { hash(&value) } else { self.etag.clone() };
        Item {
            key: self.id.clone(),
            resource: series.clone().unwrap_or_else(|| self.id.clone()),
            etag: self.etag.clone(),
            version,
            recurrence_id: self
                .original_start_time
                .as_ref()
                .and_then(When::told)
                .map(|at| compact(&at)),
            series,
            event: self.event(value),
        }
    }

    fn event(self, value: Value) -> Event {
        // A cancelled exception is sure of nothing but its original start.
        let start = self.start.as_ref().or(self.original_start_time.as_ref());
        let conference = self.conference();
        let attendees = self.attendees();
        let mut properties = self.extended_properties.unwrap_or_default().private;
        properties.remove(MARK);
        Event {
            uid: self.ical_uid.unwrap_or_default(),
            title: self.summary.unwrap_or_default(),
            description: self.description.filter(|text| !text.is_empty()),
            start: start.and_then(When::told),
            end: self.end.as_ref().and_then(When::told),
            all_day: start.is_some_and(|start| start.date.is_some()),
            time_zone: start.and_then(When::zone),
            location: self.location.filter(|text| !text.is_empty()),
            attendees,
            status: self.status,
            availability: match self.transparency.as_deref() {
                Some("transparent") => "free".into(),
                _ => "busy".into(),
            },
            // No visibility and `default` mean as the calendar is, which may be private: no word about it.
            privacy: self
                .visibility
                .filter(|word| matches!(word.as_str(), "public" | "private" | "confidential")),
            last_modified: self.updated.as_deref().map(utc),
            link: self.html_link,
            color: self.color_id.as_deref().and_then(color).map(Into::into),
            conference,
            recurrence: self.recurrence.iter().find_map(|line| rule(line)).map(Into::into),
            recurrence_id: self.original_start_time.as_ref().and_then(When::told),
            recurring_event_id: self.recurring_event_id,
            properties,
            original: Original::Object(value),
        }
    }

    /// Google's guest list as it is: an organizer who is a guest is marked, and nobody is added to it.
    fn attendees(&self) -> Vec<Attendee> {
        let mut attendees: Vec<Attendee> =
            self.attendees.iter().filter_map(Person::attendee).collect();
        let organizer = self.organizer.as_ref().and_then(|person| person.email.as_deref());
        for attendee in &mut attendees {
            attendee.organizer |=
                organizer.is_some_and(|email| attendee.email.eq_ignore_ascii_case(email));
        }
        attendees
    }

    fn conference(&self) -> Option<Conference> {
        let points = self.conference_data.iter().flat_map(|data| &data.entry_points);
        let video = points
            .filter(|point| point.entry_point_type.as_deref() == Some("video"))
            .find_map(|point| point.uri.clone());
        let url = video.or_else(|| self.hangout_link.clone())?;
        let is_web = url.starts_with("https://") || url.starts_with("http://");
        is_web.then_some(Conference { url })
    }
}

impl When {
    /// As an event tells it.
    fn told(&self) -> Option<String> {
        match (&self.date, &self.date_time) {
            (Some(date), _) => Some(date.clone()),
            (None, Some(time)) => match Timestamp::parse(time) {
                Some(at) => Some(at.to_string()),
                None => {
                    let zone = self.time_zone.as_deref().and_then(Zone::named);
                    let local = time.parse().ok()?;
                    Some(zone.unwrap_or(Zone::UTC).moment(local).to_string())
                }
            },
            (None, None) => None,
        }
    }

    fn zone(&self) -> Option<String> {
        let is_utc = |zone: &&String| matches!(zone.as_str(), "UTC" | "Etc/UTC");
        let zone = self.time_zone.as_ref().filter(|zone| !is_utc(zone));
        zone.filter(|_| self.date.is_none()).cloned()
    }
}

impl Person {
    fn attendee(&self) -> Option<Attendee> {
        Some(Attendee {
            email: self.email.clone()?,
            name: self.display_name.clone(),
            status: match self.response_status.as_deref() {
                Some(known @ ("accepted" | "declined" | "tentative")) => known.into(),
                _ => "none".into(),
            },
            organizer: self.organizer,
        })
    }
}

/// `RRULE:FREQ=DAILY` -> `FREQ=DAILY`.
pub(super) fn rule(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    let name = name.split(';').next().unwrap_or_default();
    name.eq_ignore_ascii_case("RRULE").then_some(value)
}

/// `2026-12-03T08:00:00.000Z` -> `20261203T080000Z`, `2026-12-03` -> `20261203`.
fn compact(told: &str) -> String {
    told.replace(['-', ':'], "").replace(".000", "")
}

fn utc(text: &str) -> String {
    Timestamp::parse(text).map_or_else(|| text.to_owned(), |at| at.to_string())
}

fn hash(value: &Value) -> String {
    let digest = Sha256::digest(value.to_string());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The background of an event colour, as `colors.get` tells it.
fn color(id: &str) -> Option<&'static str> {
    const COLORS: [&str; 11] = [
        "#a4bdfc", "#7ae7bf", "#dbadff", "#ff887c", "#fbd75b", "#ffb878", "#46d6db", "#e1e1e1",
        "#5484ed", "#51b749", "#dc2127",
    ];
    COLORS.get(id.parse::<usize>().ok()?.checked_sub(1)?).copied()
}
