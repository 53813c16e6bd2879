//! An event as Graph says it, in the words of ours.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tidings_core::clock::Timestamp;

use super::recurrence::Recurrence;
use super::time::{Reading, zone_name};
use super::{CONTENT_FIELDS, PROPERTIES_ID};
use crate::event::{Attendee, Conference, Event, Original};
use crate::icalendar::time::Time;
use crate::item::Item;

/// The members of Graph's event that mean something to us. All may be missing: an occurrence in a delta
/// has next to none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Object {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) series_master_id: Option<String>,
    #[serde(rename = "@odata.etag")]
    etag: Option<String>,
    change_key: Option<String>,
    #[serde(rename = "iCalUId")]
    uid: Option<String>,
    subject: Option<String>,
    body: Option<Body>,
    pub(super) start: Option<Reading>,
    end: Option<Reading>,
    is_all_day: Option<bool>,
    original_start_time_zone: Option<String>,
    original_start: Option<String>,
    location: Option<Location>,
    attendees: Option<Vec<Guest>>,
    organizer: Option<Guest>,
    is_cancelled: Option<bool>,
    show_as: Option<String>,
    sensitivity: Option<String>,
    last_modified_date_time: Option<String>,
    web_link: Option<String>,
    online_meeting: Option<Meeting>,
    online_meeting_url: Option<String>,
    recurrence: Option<Recurrence>,
    single_value_extended_properties: Option<Vec<Property>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Body {
    content: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    display_name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Guest {
    email_address: Option<Address>,
    status: Option<Answer>,
}

#[derive(Clone, Debug, Deserialize)]
struct Address {
    address: Option<String>,
    name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Answer {
    response: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meeting {
    join_url: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Property {
    id: String,
    value: Option<String>,
}

impl Object {
    pub(super) fn is_master(&self) -> bool {
        self.kind.as_deref() == Some("seriesMaster")
    }

    pub(super) fn is_exception(&self) -> bool {
        self.kind.as_deref() == Some("exception")
    }

    /// The series that it is a part of, or is the master of.
    pub(super) fn series(&self) -> Option<&str> {
        let master = self.series_master_id.as_deref().filter(|id| !id.is_empty());
        master.or_else(|| self.is_master().then_some(self.id.as_str()))
    }

    /// The item. `source` is where this was read from.
    pub(super) fn item(self, source: Value) -> Item {
        let replaces = self.replaces();
        let series = self.series_master_id.clone().filter(|id| !id.is_empty());
        let etag = self.etag.clone();
        let etag = etag.or_else(|| self.change_key.as_ref().map(|key| format!("W/\"{key}\"")));
        let event = self.event(replaces, &source);
        let mut item = Item {
            resource: series.clone().unwrap_or_else(|| self.id.clone()),
            key: self.id,
            etag: etag.unwrap_or_default(),
            version: content_hash(&event, &source),
            recurrence_id: replaces.filter(|_| series.is_some()).map(Time::compact),
            series,
            event,
        };
        with_properties_hash(&mut item);
        item.event.original = Original::Object(tidied(source));
        item
    }

    /// The moment at which the series would have had this instance.
    pub(super) fn replaces(&self) -> Option<Time> {
        self.series_master_id.as_ref().filter(|id| !id.is_empty())?;
        let all_day = self.is_all_day.unwrap_or(false);
        let original = self
            .original_start
            .as_ref()
            .map(|text| Reading { date_time: text.clone(), time_zone: None });
        original.as_ref().or(self.start.as_ref())?.time(all_day)
    }

    fn event(&self, replaces: Option<Time>, source: &Value) -> Event {
        let all_day = self.is_all_day.unwrap_or(false);
        let time = |reading: &Option<Reading>| reading.as_ref().and_then(|r| r.time(all_day));
        let start = time(&self.start);
        let zone = self.original_start_time_zone.as_deref().filter(|_| !all_day);
        let series = self.series_master_id.clone().filter(|id| !id.is_empty());
        Event {
            uid: self.uid.clone().unwrap_or_default(),
            title: self.subject.clone().unwrap_or_default(),
            description: self.body.as_ref().and_then(|body| plain(body.content.as_deref()?)),
            start: start.map(|time| time.to_string()),
            end: time(&self.end).map(|time| time.to_string()),
            all_day,
            time_zone: zone.and_then(zone_name),
            location: self.location.as_ref().and_then(|place| said(&place.display_name)),
            attendees: self.attendees(),
            status: Some(self.status().to_owned()),
            availability: match self.show_as.as_deref() {
                Some("free" | "workingElsewhere") => "free".into(),
                _ => "busy".into(),
            },
            privacy: Some(match self.sensitivity.as_deref() {
                Some("personal" | "private") => "private".into(),
                Some("confidential") => "confidential".into(),
                _ => "public".into(),
            }),
            last_modified: self
                .last_modified_date_time
                .as_deref()
                .and_then(Timestamp::parse)
                .map(|at| at.to_string()),
            link: said(&self.web_link),
            color: None,
            conference: self.conference(),
            recurrence: self.recurrence.as_ref().and_then(|recurrence| recurrence.rule(start)),
            recurrence_id: series.as_ref().and(replaces).map(|time| time.to_string()),
            recurring_event_id: series,
            properties: self.properties(),
            original: Original::Object(source["id"].clone()),
        }
    }

    fn status(&self) -> &'static str {
        match (self.is_cancelled.unwrap_or(false), self.show_as.as_deref()) {
            (true, _) => "cancelled",
            (false, Some("tentative")) => "tentative",
            _ => "confirmed",
        }
    }

    /// Graph names an organiser for every event, its owner; with no one invited that says nothing.
    fn attendees(&self) -> Vec<Attendee> {
        let guests = self.attendees.iter().flatten();
        let mut attendees: Vec<Attendee> = guests.filter_map(Guest::attendee).collect();
        let organizer = self.organizer.as_ref().and_then(Guest::attendee);
        if let (Some(organizer), false) = (organizer, attendees.is_empty()) {
            let same = |a: &&mut Attendee| a.email.eq_ignore_ascii_case(&organizer.email);
            match attendees.iter_mut().find(same) {
                Some(attendee) => attendee.organizer = true,
                None => {
                    let status = "accepted".into();
                    attendees.insert(0, Attendee { organizer: true, status, ..organizer });
                }
            }
        }
        attendees
    }

    fn conference(&self) -> Option<Conference> {
        let meeting = self.online_meeting.as_ref().and_then(|meeting| said(&meeting.join_url));
        let url = meeting.or_else(|| said(&self.online_meeting_url))?;
        let is_web = url.starts_with("https://") || url.starts_with("http://");
        is_web.then_some(Conference { url })
    }

    fn properties(&self) -> BTreeMap<String, String> {
        let mut all = self.single_value_extended_properties.iter().flatten();
        // Graph may spell the id's set and name in another case.
        let ours = all.find(|property| property.id.eq_ignore_ascii_case(PROPERTIES_ID));
        let text = ours.and_then(|property| property.value.as_deref()).unwrap_or("{}");
        serde_json::from_str(text).unwrap_or_default()
    }
}

impl Guest {
    fn attendee(&self) -> Option<Attendee> {
        let address = self.email_address.as_ref()?;
        let response = self.status.as_ref().and_then(|status| status.response.as_deref());
        Some(Attendee {
            email: said(&address.address)?,
            name: said(&address.name),
            status: match response {
                Some("accepted" | "organizer") => "accepted".into(),
                Some("declined") => "declined".into(),
                Some("tentativelyAccepted") => "tentative".into(),
                _ => "none".into(),
            },
            organizer: false,
        })
    }
}

fn said(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

/// Exchange rewrites the ends of lines and of the text.
fn plain(text: &str) -> Option<String> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

/// What is kept of Graph's object: all but what belongs to the answer that it came in.
fn tidied(mut source: Value) -> Value {
    if let Some(members) = source.as_object_mut() {
        let stays = |name: &str| {
            !name.contains("@odata.") || name == "@odata.etag" || name.starts_with("@odata.type")
        };
        members.retain(|name, _| stays(name) && name != "exceptionOccurrences");
    }
    source
}

/// A hash of what an event says: the same wherever the object was read, and also when Exchange touched
/// it without changing a word (which moves `changeKey`, the entity tag and `lastModifiedDateTime`).
fn content_hash(event: &Event, source: &Value) -> String {
    let event = Event {
        last_modified: None,
        link: None,
        properties: BTreeMap::new(),
        original: Original::Object(Value::Null),
        ..event.clone()
    };
    let mut more: BTreeMap<&str, Value> = BTreeMap::new();
    for name in CONTENT_FIELDS {
        let value = source.get(name).filter(|value| says_something(value));
        more.extend(value.map(|value| (name, sorted(value))));
    }
    let text = serde_json::to_vec(&(event, more)).expect("texts and JSON serialise");
    hex(&text)
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(values) => !values.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => true,
    }
}

/// Lists without an order of their own (categories) in one.
fn sorted(value: &Value) -> Value {
    let mut value = value.clone();
    if let Value::Array(values) = &mut value {
        values.sort_by_key(Value::to_string);
    }
    value
}

/// Our properties are a part of the version, too, but not every answer shows them: so they are hashed
/// apart, behind a dot.
pub(super) fn with_properties_hash(item: &mut Item) {
    let content = item.version.split('.').next().unwrap_or_default().to_owned();
    item.version = match item.event.properties.is_empty() {
        true => content,
        false => {
            let text = serde_json::to_vec(&item.event.properties).expect("texts serialise");
            format!("{content}.{}", &hex(&text)[..16])
        }
    };
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
