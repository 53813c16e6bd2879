//! The shape of what is written, for the document only: the service reads it member by member, since
//! what is absent stays and `null` empties.

use std::collections::BTreeMap;

use utoipa::ToSchema;

/// An event to make, or what to change about one: there, absent stays and `null` empties.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the service reads")]
#[schema(example = json!({"title": "Tea", "start": "2026-12-02T15:00:00", "end": "2026-12-02T16:00:00",
    "timeZone": "Europe/London", "attendees": [{"email": "bob@example.com"}],
    "recurrence": "FREQ=WEEKLY;COUNT=10"}))]
pub(super) struct EventInput {
    /// `2026-12-02` for a whole day, RFC 3339 (`2026-12-02T15:00:00Z`), or without an offset together with
    /// `timeZone`. A new event needs it.
    start: Option<String>,
    /// As `start`; exclusive: a whole day ends on the next date. A new event needs it.
    end: Option<String>,
    /// Its title.
    #[schema(max_length = 1024)]
    title: Option<String>,
    /// Plain text.
    #[schema(max_length = 8192)]
    description: Option<String>,
    /// Free text.
    #[schema(max_length = 1024)]
    location: Option<String>,
    /// IANA name of the zone of times without an offset; a series goes by its clocks.
    #[schema(rename = "timeZone")]
    time_zone: Option<String>,
    /// Whether `start` and `end` are days; need not be given.
    #[schema(rename = "allDay")]
    all_day: Option<bool>,
    /// Everyone invited; replaces the list.
    #[schema(max_items = 200)]
    attendees: Option<Vec<InviteeInput>>,
    /// Whether the time is taken.
    #[schema(inline)]
    availability: Option<AvailabilityName>,
    /// Who may see it.
    #[schema(inline)]
    privacy: Option<PrivacyName>,
    /// Whether it takes place.
    #[schema(inline)]
    status: Option<StatusName>,
    /// The value of an RRULE (RFC 5545): `FREQ=WEEKLY;BYDAY=MO`. `null` makes a series a single event.
    recurrence: Option<String>,
    /// `"create"` for one of the provider's own, or `{"url": "https://…"}`.
    #[schema(value_type = Option<serde_json::Value>)]
    conference: Option<()>,
    /// Custom properties, kept with the event at its provider; replaces them all.
    properties: Option<BTreeMap<String, String>>,
}

/// Someone to invite.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the service reads")]
#[schema(example = json!({"email": "bob@example.com", "name": "Bob", "optional": true}))]
pub(super) struct InviteeInput {
    /// Their address.
    #[schema(max_length = 254)]
    email: String,
    /// Their name.
    name: Option<String>,
    /// Whether they need not come.
    #[schema(default = false)]
    optional: Option<bool>,
}

/// Whether the time of an event is taken.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the service reads")]
#[schema(rename_all = "lowercase")]
enum AvailabilityName {
    Busy,
    Free,
}

/// Who may see an event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the service reads")]
#[schema(rename_all = "lowercase")]
enum PrivacyName {
    Public,
    Private,
    Confidential,
}

/// Whether an event takes place.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the service reads")]
#[schema(rename_all = "lowercase")]
enum StatusName {
    Confirmed,
    Tentative,
    Cancelled,
}
