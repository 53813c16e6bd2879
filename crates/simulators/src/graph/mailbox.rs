//! What one person keeps: calendars, events, and in which order they changed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde_json::{Map, Value};
use tidings_core::clock::Timestamp;

use super::{id, recurrence};

/// The JSON fields of an event as they were set, in the spelling of Graph.
pub(super) type Fields = Map<String, Value>;

/// From and to: what a calendar view shows.
pub(super) type Window = (jiff::Timestamp, jiff::Timestamp);

/// Days of a series are followed up to here.
pub(super) const HORIZON: Date = jiff::civil::date(2035, 12, 31);

#[derive(Debug)]
pub(super) struct Mailbox {
    /// The object id of the user.
    pub(super) user: String,
    pub(super) email: String,
    pub(super) name: String,
    pub(super) calendars: Vec<Calendar>,
    /// By key.
    pub(super) items: BTreeMap<String, Item>,
    pub(super) tombs: Vec<Tomb>,
    /// The number of the last change of anything in here.
    pub(super) seq: u64,
    /// The number of the next event.
    pub(super) next: u64,
    /// Requests that are being carried out.
    pub(super) busy: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Calendar {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) color: String,
    pub(super) default: bool,
    pub(super) writable: bool,
    pub(super) version: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) key: String,
    pub(super) calendar: String,
    pub(super) role: Role,
    /// Of an exception: only what differs from its master.
    pub(super) fields: Fields,
    /// The number of its last change: its change key and its place in a delta.
    pub(super) seq: u64,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
    /// Where it has been in time before, for views that it left.
    pub(super) extents: Vec<Window>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Role {
    Single,
    Master { cancelled: BTreeSet<Date> },
    Exception { master: String, day: Date },
}

/// What is no more.
#[derive(Clone, Debug)]
pub(super) struct Tomb {
    pub(super) key: String,
    pub(super) calendar: String,
    pub(super) seq: u64,
    pub(super) kind: &'static str,
}

/// What an id names.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Item(String),
    /// A day of a series that nobody has touched.
    Occurrence(String, Date),
}

impl Mailbox {
    pub(super) fn new(user: String, email: &str, name: &str) -> Self {
        Self {
            user,
            email: email.into(),
            name: name.into(),
            calendars: Vec::new(),
            items: BTreeMap::new(),
            tombs: Vec::new(),
            seq: 0,
            next: 0,
            busy: 0,
        }
    }

    pub(super) fn calendar(&self, id: &str) -> Option<&Calendar> {
        self.calendars.iter().find(|calendar| calendar.id == id)
    }

    pub(super) fn bump(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// What this key names now.
    pub(super) fn find(&self, key: &str) -> Option<Found> {
        if self.items.contains_key(key) {
            return Some(Found::Item(key.into()));
        }
        let (master, day) = id::parts(key)?;
        let days = self.untouched(self.items.get(master)?);
        days.contains(&day).then(|| Found::Occurrence(master.into(), day))
    }

    /// What is different on some days of a series.
    pub(super) fn exceptions<'a>(&'a self, of: &'a str) -> impl Iterator<Item = &'a Item> {
        self.items
            .range(of.to_owned()..)
            .take_while(move |(key, _)| key.starts_with(of))
            .filter_map(move |(_, item)| match &item.role {
                Role::Exception { master, .. } if master == of => Some(item),
                _ => None,
            })
    }

    /// The days of a series that are neither cancelled nor different.
    pub(super) fn untouched(&self, item: &Item) -> Vec<Date> {
        let Role::Master { cancelled } = &item.role else { return Vec::new() };
        let different: BTreeSet<Date> = self.exceptions(&item.key).filter_map(Item::day).collect();
        let mut days = recurrence::days(&item.fields["recurrence"], HORIZON);
        days.retain(|day| !cancelled.contains(day) && !different.contains(day));
        days
    }

    /// All that is set on an item, what an exception has from its master included.
    pub(super) fn fields(&self, item: &Item) -> Fields {
        let Role::Exception { master, day } = &item.role else { return item.fields.clone() };
        let mut fields =
            self.items.get(master).map(|master| on(&master.fields, *day)).unwrap_or_default();
        fields.extend(item.fields.clone());
        fields
    }

    /// From when to when an item is; of a series, its first day.
    pub(super) fn extent(&self, item: &Item) -> Option<Window> {
        extent(&self.fields(item))
    }

    /// Whether this is in the window; a series is when one of its untouched days is.
    pub(super) fn shows(&self, item: &Item, window: Window) -> bool {
        match &item.role {
            Role::Master { .. } => !self.days_within(item, window).is_empty(),
            _ => self.extent(item).is_some_and(|extent| overlaps(extent, window)),
        }
    }

    /// The untouched days of a series in the window.
    pub(super) fn days_within(&self, item: &Item, window: Window) -> Vec<Date> {
        let mut days = self.untouched(item);
        days.retain(|day| {
            extent(&on(&item.fields, *day)).is_some_and(|extent| overlaps(extent, window))
        });
        days
    }
}

impl Item {
    /// The day that an exception stands for.
    pub(super) fn day(&self) -> Option<Date> {
        match &self.role {
            Role::Exception { day, .. } => Some(*day),
            _ => None,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self.role {
            Role::Single => "singleInstance",
            Role::Master { .. } => "seriesMaster",
            Role::Exception { .. } => "exception",
        }
    }
}

/// A series' fields as they are on one of its days.
pub(super) fn on(master: &Fields, day: Date) -> Fields {
    let mut fields = master.clone();
    fields.remove("recurrence");
    let local = |name: &str| recurrence::local(&master[name]);
    let (Some(start), Some(end)) = (local("start"), local("end")) else { return fields };
    let moved = day.to_datetime(start.time());
    let ends = start.duration_until(end);
    for (name, at) in [("start", Some(moved)), ("end", moved.checked_add(ends).ok())] {
        if let (Some(at), Some(time)) = (at, fields.get_mut(name)) {
            time["dateTime"] = recurrence::seven(at).into();
        }
    }
    fields
}

pub(super) fn extent(fields: &Fields) -> Option<Window> {
    Some((recurrence::moment(fields.get("start")?)?, recurrence::moment(fields.get("end")?)?))
}

pub(super) fn overlaps(extent: Window, window: Window) -> bool {
    extent.0 < window.1 && (extent.1 > window.0 || extent.0 == extent.1 && extent.0 >= window.0)
}
