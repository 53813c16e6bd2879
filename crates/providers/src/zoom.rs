//! Zoom without I/O: requests out, meetings in.
//!
//! A Zoom user has meetings and no calendars; they appear as one calendar, [`calendar`]. There is no
//! delta and no entity tag: [`meetings`] lists what is upcoming and reads each, a push
//! ([`push`]) only says that it is time to do so. An occurrence of a series that was moved or
//! cancelled is an exception with a key of its own, [`Key`].

use serde_json::json;

use crate::listed::Listed;

mod error;
mod meeting;
pub mod meetings;
pub mod push;
mod recurrence;
pub mod user;
pub mod write;

pub use meeting::is_over;

/// The external id of the one calendar of a Zoom account.
pub const COLLECTION: &str = "meetings";

/// The one calendar of every Zoom account. It cannot be watched by itself: pushes are per app.
pub fn calendar() -> Listed {
    Listed {
        external_id: COLLECTION.into(),
        name: "Meetings".into(),
        details: json!({ "writable": true, "primary": true }),
        primary: true,
        watchable: false,
    }
}

/// What an item's key says: the meeting, and on an exception the moment it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The meeting's number.
    pub meeting: &'a str,
    /// `20261203T080000Z`.
    pub occurrence: Option<&'a str>,
}

impl<'a> Key<'a> {
    /// Takes a key apart: `81234567890` or `81234567890#20261203T080000Z`.
    pub fn of(key: &'a str) -> Self {
        match key.split_once('#') {
            Some((meeting, occurrence)) => Self { meeting, occurrence: Some(occurrence) },
            None => Self { meeting: key, occurrence: None },
        }
    }

    /// The occurrence as Zoom names it: its first start, ms since the Unix epoch. `None` when there is
    /// none, or it is no moment.
    pub fn occurrence_id(&self) -> Option<i64> {
        let text = self.occurrence?.strip_suffix('Z')?;
        let at: jiff::civil::DateTime = text.parse().ok()?;
        Some(crate::zone::Zone::UTC.moment(at).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_meeting_or_an_occurrence_of_it() {
        assert_eq!(Key::of("7"), Key { meeting: "7", occurrence: None });
        let occurrence = Key::of("7#20261203T080000Z");
        assert_eq!(occurrence.meeting, "7");
        assert_eq!(occurrence.occurrence_id(), Some(1_796_284_800_000));
        assert_eq!(Key::of("7#x").occurrence_id(), None);
        assert_eq!(Key::of("7").occurrence_id(), None);
    }
}
