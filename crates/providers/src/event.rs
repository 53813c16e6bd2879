//! The normalised calendar event: the body of a mirrored item and of its changes. Field names and
//! vocabulary follow what receivers of calendar webhooks expect (camel case, ISO 8601 in UTC).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A single event, a series master, or one exception of a series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The iCalendar UID: equal in all items of a series and in other people's calendars.
    pub uid: String,
    /// SUMMARY, empty when there is none.
    pub title: String,
    /// DESCRIPTION.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    /// `2026-12-02T09:00:00.000Z`, or `2026-12-02` when all day. Absent when the source has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub start: Option<String>,
    /// As `start`; exclusive, so a one-day event ends on the next date.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end: Option<String>,
    /// Whether `start` and `end` are dates.
    pub all_day: bool,
    /// The time zone named by the source. Absent for UTC, dates and floating times (a floating
    /// time is read as UTC).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time_zone: Option<String>,
    /// LOCATION.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub location: Option<String>,
    /// Attendees, the organiser among them; of Google its guest list, which may do without the organiser.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub attendees: Vec<Attendee>,
    /// `confirmed`, `tentative` or `cancelled`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<String>,
    /// `busy` or `free`.
    pub availability: String,
    /// `public`, `private` or `confidential`, as the event itself says. Absent when it leaves that to
    /// its calendar, whose own default may be any of them: only Google has such events, for in
    /// iCalendar no CLASS means PUBLIC (RFC 5545 section 3.8.1.3), and Outlook's `normal` is a value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub privacy: Option<String>,
    /// LAST-MODIFIED, UTC.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_modified: Option<String>,
    /// URL.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub link: Option<String>,
    /// COLOR (RFC 7986).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub color: Option<String>,
    /// Where to join remotely.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conference: Option<Conference>,
    /// The raw RRULE value, on a series master.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recurrence: Option<String>,
    /// On an exception: the key of the series' master item (which may itself be missing when only
    /// some instances are ours to see).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recurring_event_id: Option<String>,
    /// On an exception: the start that this instance would have had; same form as `start`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recurrence_id: Option<String>,
    /// Custom properties that were given through our API, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub properties: BTreeMap<String, String>,
    /// The provider's own object.
    pub original: Original,
}

/// One invited person or resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    /// Address without `mailto:`.
    pub email: String,
    /// CN.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// `accepted`, `declined`, `tentative` or `none`.
    pub status: String,
    /// Whether this is the organiser.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub organizer: bool,
}

/// A remote meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conference {
    /// Where to join.
    pub url: String,
}

/// What the provider sent for this item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Original {
    /// A part of a CalDAV resource.
    Resource {
        /// The resource, as the server spelled it.
        href: String,
        /// Its entity tag, as the server spelled it. Items of one resource share it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        etag: Option<String>,
        /// A VCALENDAR with this item's VEVENT as it was sent (unfolded), without its siblings and
        /// time zone definitions.
        icalendar: String,
    },
    /// The JSON object of a provider that speaks JSON.
    Object(Value),
}

impl Original {
    /// The iCalendar text of a CalDAV item.
    pub fn icalendar(&self) -> Option<&str> {
        match self {
            Self::Resource { icalendar, .. } => Some(icalendar),
            Self::Object(_) => None,
        }
    }
}
