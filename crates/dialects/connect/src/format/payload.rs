//! The body of a delivery, field by field in the order of the documentation.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_core::change::types;
use tidings_core::clock::Timestamp;

use super::no_original;

/// The whole body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payload<'a> {
    /// As the SDKs' signature vectors have it; absent when the events differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) event_type: Option<&'static str>,
    pub(super) provider: &'a str,
    /// The end user's id at the application; empty when the account belongs to none.
    pub(super) user_id: &'a str,
    pub(super) calendar_id: &'a str,
    pub(super) events: Vec<EventItem<'a>>,
    pub(super) change_type: ChangeType,
    /// When the last of the changes became durable: equal in every retry, as a signed body should be.
    pub(super) timestamp: Timestamp,
    pub(super) metadata: Metadata<'a>,
    /// Only in a test event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<&'static str>,
}

impl<'a> Payload<'a> {
    /// A delivery without events, which the contract does not otherwise know.
    pub(super) fn test(channel_id: &'a str, timestamp: Timestamp) -> Self {
        Self {
            event_type: None,
            provider: "test",
            user_id: "",
            calendar_id: "",
            events: Vec::new(),
            change_type: ChangeType::Mixed,
            timestamp,
            metadata: Metadata { channel_id, event_count: 0, is_initial_sync: false },
            message: Some("this is a test event"),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata<'a> {
    pub(super) channel_id: &'a str,
    pub(super) event_count: usize,
    /// Always false: what a calendar holds when it is first seen is not sent.
    pub(super) is_initial_sync: bool,
}

/// What happened, to one event or to all of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ChangeType {
    Created,
    Updated,
    Deleted,
    /// Only of a delivery.
    Mixed,
}

impl ChangeType {
    /// What a type of change says about an event; none when it is about something else.
    pub(super) fn of(kind: &str) -> Option<Self> {
        match kind {
            types::EVENT_CREATED => Some(Self::Created),
            types::EVENT_UPDATED => Some(Self::Updated),
            types::EVENT_DELETED => Some(Self::Deleted),
            _ => None,
        }
    }

    /// The reverse of [`ChangeType::of`].
    pub(super) fn event_type(self) -> Option<&'static str> {
        match self {
            Self::Created => Some(types::EVENT_CREATED),
            Self::Updated => Some(types::EVENT_UPDATED),
            Self::Deleted => Some(types::EVENT_DELETED),
            Self::Mixed => None,
        }
    }

    /// What a delivery of these says about itself.
    pub(super) fn of_all(mut each: impl Iterator<Item = Self>) -> Self {
        each.next().filter(|first| each.all(|other| other == *first)).unwrap_or(Self::Mixed)
    }
}

/// One changed event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventItem<'a> {
    pub(super) id: &'a str,
    pub(super) provider: &'a str,
    pub(super) calendar_id: &'a str,
    #[serde(flatten)]
    pub(super) event: &'a Event<'a>,
    pub(super) change_type: ChangeType,
}

/// The documented fields of the normalised event that a change carries; what else it has is dropped.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event<'a> {
    #[serde(skip_serializing)]
    pub(super) id: Option<String>,
    #[serde(default)]
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    /// `null` when the source has none; the contract requires the field.
    start: Option<String>,
    end: Option<String>,
    #[serde(default)]
    all_day: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    recurring_event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    color: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attendees: Vec<Attendee>,
    /// Called `properties` in the mirror.
    #[serde(borrow, alias = "properties", skip_serializing_if = "Option::is_none")]
    custom: Option<&'a RawValue>,
    /// An object, as in the documentation of webhooks; that of the events API has a string.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    conference: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    availability: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    privacy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(borrow, default = "no_original")]
    original: &'a RawValue,
}

#[derive(Deserialize, Serialize)]
struct Attendee {
    email: String,
    #[serde(default = "no_answer")]
    status: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    organizer: bool,
}

fn no_answer() -> String {
    "none".to_owned()
}
