//! What is to be written to a calendar, whoever keeps it.

use std::collections::BTreeMap;

use jiff::civil;
use tidings_core::clock::Timestamp;

use crate::zone::{self, Zone};

mod json;

/// A member of a draft.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// Leave it as it is (on a new event: as the provider chooses).
    #[default]
    Keep,
    /// Empty it.
    Clear,
    /// Make it this.
    Set(T),
}

impl<T> Field<T> {
    /// The new value, if there is one.
    pub fn set(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }

    /// Whether it stays as it is.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

/// A new event, or what to change about one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventDraft {
    /// Its title.
    pub title: Field<String>,
    /// Plain text.
    pub description: Field<String>,
    /// Free text.
    pub location: Field<String>,
    /// When it begins. Never `Clear`.
    pub start: Field<When>,
    /// When it ends, exclusive; of the same kind as `start`, and not before it. Never `Clear`.
    pub end: Field<When>,
    /// Everyone invited; replaces the list.
    pub attendees: Field<Vec<Invitee>>,
    /// Whether the time is taken.
    pub availability: Field<Availability>,
    /// Who may see it.
    pub privacy: Field<Privacy>,
    /// Whether it takes place.
    pub status: Field<Status>,
    /// The value of an RRULE: `FREQ=WEEKLY;BYDAY=MO`. `Clear` makes a series a single event.
    pub recurrence: Field<String>,
    /// Where to join remotely.
    pub conference: Field<ConferenceDraft>,
    /// Custom properties, ours; replaces them all.
    pub properties: Field<BTreeMap<String, String>>,
}

/// A day, or a time of a day somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// All day.
    Date(civil::Date),
    /// What clocks show.
    At {
        /// There.
        local: civil::DateTime,
        /// IANA name, or `UTC`; one that [`Zone::named`] knows.
        zone: String,
    },
}

/// Someone to invite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitee {
    /// Their address.
    pub email: String,
    /// Their name.
    pub name: Option<String>,
    /// Whether they need not come.
    pub optional: bool,
}

/// Whether the time of an event is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It is.
    Busy,
    /// It is not.
    Free,
}

/// Who may see an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// Everyone who sees the calendar.
    Public,
    /// Its attendees.
    Private,
    /// Its attendees; others not even that it is there, where a provider knows the difference.
    Confidential,
}

/// Whether an event takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Yes.
    Confirmed,
    /// Perhaps.
    Tentative,
    /// No.
    Cancelled,
}

/// A remote meeting to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConferenceDraft {
    /// The provider's own (Google Meet, Teams, Zoom).
    Create,
    /// This one.
    Url(String),
}

/// How much of a series a write is about. Of a single event there is only [`Scope::All`], which every
/// scope then means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The occurrence alone.
    #[default]
    This,
    /// The occurrence and all after it.
    Following,
    /// The whole series.
    All,
}

/// Which attendees the provider tells about a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notify {
    /// Everyone.
    All,
    /// Those who do not use the same provider.
    External,
    /// No one.
    #[default]
    None,
}

/// Declares the names of an enum in the store and in APIs.
macro_rules! named {
    ($($type:ident { $($variant:ident = $name:literal),+ })+) => {$(
        impl $type {
            /// The name used in APIs.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The reverse of `as_str`.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    )+};
}

named! {
    Availability { Busy = "busy", Free = "free" }
    Privacy { Public = "public", Private = "private", Confidential = "confidential" }
    Status { Confirmed = "confirmed", Tentative = "tentative", Cancelled = "cancelled" }
    Scope { This = "this", Following = "following", All = "all" }
    Notify { All = "all", External = "external", None = "none" }
}

impl When {
    /// Whether it is a day.
    pub fn is_date(&self) -> bool {
        matches!(self, Self::Date(_))
    }

    /// The moment; of a day its first in UTC.
    pub fn moment(&self) -> Timestamp {
        match self {
            Self::Date(date) => Timestamp(zone::wall_seconds(date.at(0, 0, 0, 0)) * 1_000),
            Self::At { local, zone } => Zone::named(zone).unwrap_or(Zone::UTC).moment(*local),
        }
    }

    /// As an event tells it: `2026-12-02`, or `2026-12-02T09:00:00.000Z`.
    pub fn told(&self) -> String {
        match self {
            Self::Date(date) => date.to_string(),
            Self::At { .. } => self.moment().to_string(),
        }
    }
}

impl EventDraft {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it says enough for a new event: `start` and `end`.
    ///
    /// # Errors
    /// What is missing: (JSON pointer, why).
    pub fn check_new(&self) -> Result<(), Vec<(String, String)>> {
        let members = [("/start", self.start.set()), ("/end", self.end.set())];
        let missing = members.into_iter().filter(|(_, value)| value.is_none());
        let missing: Vec<_> =
            missing.map(|(at, _)| (at.into(), "a new event needs it".into())).collect();
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }
}

#[cfg(test)]
mod tests;
