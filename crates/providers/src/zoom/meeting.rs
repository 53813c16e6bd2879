//! From Zoom's meeting to items: the meeting itself, and the occurrences that differ from its rule.

use jiff::civil;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tidings_core::clock::Timestamp;

use super::recurrence::{Recurrence, to_rrule};
use crate::event::{Attendee, Conference, Event, Original};
use crate::item::Item;
use crate::zone::Zone;

/// Members that move by themselves, or let whoever reads them take the meeting over.
const LEFT_OUT: [&str; 7] = [
    "start_url",
    "status",
    "uuid",
    "dynamic_host_key",
    "encrypted_password",
    "h323_password",
    "pstn_password",
];
const MINUTE_MS: i64 = 60_000;
const SERIES: u8 = 8;

#[derive(Deserialize)]
struct Meeting {
    id: u64,
    #[serde(rename = "type")]
    kind: u8,
    #[serde(default)]
    topic: String,
    #[serde(default)]
    agenda: String,
    start_time: Option<String>,
    #[serde(default)]
    duration: i64,
    #[serde(default)]
    timezone: String,
    join_url: Option<String>,
    host_email: Option<String>,
    recurrence: Option<Recurrence>,
    #[serde(default)]
    occurrences: Vec<Occurrence>,
    #[serde(default)]
    settings: Settings,
}

#[derive(Default, Deserialize)]
struct Settings {
    #[serde(default)]
    meeting_invitees: Vec<Invited>,
    #[serde(default)]
    private_meeting: bool,
}

#[derive(Deserialize)]
struct Invited {
    #[serde(default)]
    email: String,
}

#[derive(Deserialize)]
struct Occurrence {
    occurrence_id: String,
    start_time: Option<String>,
    duration: Option<i64>,
    status: Option<String>,
}

/// What is said twice, of the meeting or of one of its occurrences.
struct Times {
    start: Option<Timestamp>,
    duration: i64,
}

/// Whether a meeting of this type is no event of a calendar: instant ones (1), those in the personal
/// room (4), and types that we do not know. Events are 2, 3 (no fixed time) and 8 (a series).
pub(super) fn is_noise(kind: u8) -> bool {
    !matches!(kind, 2 | 3 | SERIES)
}

/// The meeting's items, itself first. `None` when the object is not a meeting.
pub(super) fn items(mut object: Value) -> Option<Vec<Item>> {
    let meeting = Meeting::deserialize(&object).ok()?;
    if is_noise(meeting.kind) {
        return Some(Vec::new());
    }
    let members = object.as_object_mut()?;
    let has_occurrences = meeting.kind == SERIES && !meeting.occurrences.is_empty();
    members.retain(|name, _| {
        // Of a series it is the start of the occurrence that comes next.
        let moves = LEFT_OUT.contains(&name.as_str()) || (name == "start_time" && has_occurrences);
        !moves
    });
    let key = meeting.id.to_string();
    let mut items = vec![meeting.item(&key, object)];
    let exceptions = meeting.occurrences.iter().filter(|_| meeting.kind == SERIES);
    items.extend(exceptions.filter_map(|occurrence| meeting.exception(&key, occurrence)));
    Some(items)
}

impl Meeting {
    fn item(&self, key: &str, object: Value) -> Item {
        let times = Times { start: self.start(), duration: self.duration };
        let recurrence = self.recurrence.as_ref().filter(|_| self.kind == SERIES);
        let event = Event {
            recurrence: recurrence.and_then(to_rrule),
            ..self.event(key, &times, Original::Object(object))
        };
        item(key.to_owned(), key, None, event)
    }

    /// When it begins. A series begins with its first occurrence: `start_time` moves on as they pass.
    fn start(&self) -> Option<Timestamp> {
        let first = || self.occurrences.iter().filter_map(Occurrence::replaces).min();
        match self.kind {
            3 => None,
            SERIES => first().or_else(|| self.moment(self.start_time.as_deref()?)),
            _ => self.moment(self.start_time.as_deref()?),
        }
    }

    /// An occurrence that is cancelled, moved or of another length; `None` when it is as its rule says.
    /// A title or text of its own is not shown by Zoom here.
    fn exception(&self, key: &str, occurrence: &Occurrence) -> Option<Item> {
        let replaces = occurrence.replaces()?;
        let told = occurrence.start_time.as_deref();
        let start = told.and_then(|text| self.moment(text)).unwrap_or(replaces);
        let duration = occurrence.duration.filter(|length| *length > 0).unwrap_or(self.duration);
        let cancelled = occurrence.status.as_deref() == Some("deleted");
        if !cancelled && start == replaces && duration == self.duration {
            return None;
        }
        let original = serde_json::json!({
            "id": self.id,
            "occurrence_id": occurrence.occurrence_id,
            "start_time": occurrence.start_time,
            "duration": occurrence.duration,
            "status": occurrence.status,
        });
        let times = Times { start: Some(start), duration };
        let mut event = self.event(key, &times, Original::Object(original));
        if cancelled {
            event.status = Some("cancelled".into());
        }
        event.recurring_event_id = Some(key.to_owned());
        event.recurrence_id = Some(replaces.to_string());
        let at = compact(replaces);
        Some(item(format!("{key}#{at}"), key, Some(at), event))
    }

    fn event(&self, key: &str, times: &Times, original: Original) -> Event {
        let end = times.start.map(|start| start.plus_ms(times.duration.saturating_mul(MINUTE_MS)));
        let zone = Some(self.timezone.clone());
        Event {
            uid: key.to_owned(),
            title: self.topic.clone(),
            description: Some(self.agenda.clone()).filter(|text| !text.is_empty()),
            start: times.start.map(|at| at.to_string()),
            end: end.map(|at| at.to_string()),
            all_day: false,
            time_zone: zone.filter(|zone| !zone.is_empty() && zone != "UTC"),
            location: None,
            attendees: self.attendees(),
            status: Some("confirmed".into()),
            availability: "busy".into(),
            privacy: Some(if self.settings.private_meeting { "private" } else { "public" }.into()),
            last_modified: None,
            link: None,
            color: None,
            conference: self.join_url.clone().map(|url| Conference { url }),
            recurrence: None,
            recurring_event_id: None,
            recurrence_id: None,
            properties: std::collections::BTreeMap::new(),
            original,
        }
    }

    /// The host, then who is invited, by address: the order of the invited means nothing.
    fn attendees(&self) -> Vec<Attendee> {
        let person = |email: &str, status: &str, organizer| Attendee {
            email: email.to_owned(),
            name: None,
            status: status.into(),
            organizer,
        };
        let host = self.host_email.as_deref().unwrap_or_default();
        let invited = self.settings.meeting_invitees.iter().map(|invited| invited.email.as_str());
        let mut invited: Vec<&str> = invited
            .filter(|email| !email.is_empty() && !email.eq_ignore_ascii_case(host))
            .collect();
        invited.sort_unstable();
        invited.dedup();
        let host = Some(host).filter(|host| !host.is_empty());
        let host = host.map(|host| person(host, "accepted", true));
        host.into_iter().chain(invited.into_iter().map(|e| person(e, "none", false))).collect()
    }

    /// UTC with `Z`, else what clocks show in the meeting's zone.
    fn moment(&self, text: &str) -> Option<Timestamp> {
        moment(text, &self.timezone)
    }
}

impl Occurrence {
    /// The start that its rule gives it: Zoom's id of it, ms since the Unix epoch.
    fn replaces(&self) -> Option<Timestamp> {
        self.occurrence_id.parse().ok().map(Timestamp)
    }
}

/// Whether all of a meeting has passed, by the object that `items` kept: it is no longer listed as
/// upcoming, and in time Zoom forgets it, without anybody having deleted it. `None` when the object is
/// not one of ours.
pub fn is_over(original: &Value, now: Timestamp) -> Option<bool> {
    let meeting = Meeting::deserialize(original).ok()?;
    let end = |start: Timestamp, length: i64| start.plus_ms(length.saturating_mul(MINUTE_MS));
    let last = meeting
        .occurrences
        .iter()
        .filter_map(|occurrence| {
            let told = occurrence.start_time.as_deref().and_then(|text| meeting.moment(text));
            let start = told.or_else(|| occurrence.replaces())?;
            Some(end(start, occurrence.duration.unwrap_or(meeting.duration)))
        })
        .max();
    let alone = || meeting.start().map(|start| end(start, meeting.duration));
    Some(last.or_else(alone).is_some_and(|last| last <= now))
}

fn moment(text: &str, zone: &str) -> Option<Timestamp> {
    Timestamp::parse(text).or_else(|| {
        let local: civil::DateTime = text.parse().ok()?;
        Some(Zone::named(zone).unwrap_or(Zone::UTC).moment(local))
    })
}

/// `20261203T080000Z`: one spelling for each moment, for keys.
fn compact(at: Timestamp) -> String {
    let text: String = at.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
    text.replace(".000", "")
}

fn item(key: String, resource: &str, recurrence_id: Option<String>, event: Event) -> Item {
    let version = version(&event);
    Item {
        key,
        resource: resource.to_owned(),
        etag: String::new(),
        version,
        series: recurrence_id.is_some().then(|| resource.to_owned()),
        recurrence_id,
        event,
    }
}

/// A hash of what the event says to people. Zoom's own object is not part of it: its settings hold
/// dial-in numbers and the like, which Zoom changes by itself.
fn version(event: &Event) -> String {
    let said = Event { original: Original::Object(Value::Null), ..event.clone() };
    let said = serde_json::to_vec(&said).expect("an event is texts and lists of texts");
    let hash = Sha256::digest(&said);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
