//! What every provider's pages yield.

use crate::event::Event;

/// One object of a calendar as a provider tells it: a single event, a series master, or an
/// exception of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its identity within the calendar. Google, Microsoft, Zoom: the event's id. CalDAV: the
    /// resource's key, and for an exception `#` and the moment that it replaces
    /// (`/u/work/a.ics#20261203T080000Z`).
    pub key: String,
    /// What it is a part of: the key of its series' master, or its own; CalDAV: the resource.
    pub resource: String,
    /// The provider's own version, for `If-Match`; empty when there is none.
    pub etag: String,
    /// Equal versions: nothing to tell. Where the provider's tag moves without cause, a hash of what
    /// the object says.
    pub version: String,
    /// The key of the series' master, on an exception.
    pub series: Option<String>,
    /// The moment that an exception replaces: `20261203T080000Z`, or `20261203` when all day.
    pub recurrence_id: Option<String>,
    /// The normalised body.
    pub event: Event,
}
