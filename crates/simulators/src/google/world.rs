//! What Google knows: calendars with their events, each person's list of calendars, channels.

use std::collections::{BTreeMap, VecDeque};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value};
use tidings_core::clock::{Clock, Timestamp};

use super::channels::Channel;
use super::refusal::{Outcome, Refusal};
use crate::oauth::Person;
use crate::pushes::Push;
use crate::server::Setup;

/// The JSON object of an event.
pub(super) type Resource = Map<String, Value>;

/// When the sync message of a new channel is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMessage {
    /// Before the answer to the watch request, which waits for it.
    Before,
    /// Once the watch request is answered, more or less.
    After,
    /// Not at all: it got lost.
    Never,
}

/// How Google behaves where it has a choice, and where it errs.
#[derive(Clone, Debug)]
pub struct Switches {
    /// Watch refuses addresses that are not `https`.
    pub https_only: bool,
    /// When the sync message is sent.
    pub sync_message: SyncMessage,
    /// No channel lives longer, in seconds.
    pub channel_ttl_s: i64,
    /// Each page after the first begins with an older version of an event, if there is one.
    pub stale_duplicates: bool,
    /// Never more events or calendars on a page, whatever is asked for.
    pub page_max: usize,
    /// Requests that a person may make in a minute; more are answered 403 `rateLimitExceeded`.
    pub requests_per_minute: Option<usize>,
}

/// What somebody may do with a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// See that there is something.
    FreeBusyReader,
    /// See.
    Reader,
    /// Change events.
    Writer,
    /// Everything.
    Owner,
}

impl Role {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::FreeBusyReader => "freeBusyReader",
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Owner => "owner",
        }
    }
}

#[derive(Debug)]
pub(super) struct Calendar {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) summary: String,
    pub(super) description: Option<String>,
    pub(super) location: Option<String>,
    pub(super) time_zone: String,
    pub(super) revision: u64,
    pub(super) updated: Timestamp,
    pub(super) deleted: bool,
    /// Sync tokens of older revisions are refused.
    pub(super) tokens_from: u64,
    pub(super) watchable: bool,
    pub(super) events: BTreeMap<String, Stored>,
}

/// An event, alive or deleted; a deleted one keeps its content, which nobody gets to see.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) resource: Resource,
    pub(super) revision: u64,
    pub(super) before: Option<Resource>,
}

impl Stored {
    pub(super) fn text(&self, name: &str) -> &str {
        self.resource.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.text("status") == "cancelled"
    }

    pub(super) fn master(&self) -> Option<&str> {
        self.resource.get("recurringEventId").and_then(Value::as_str)
    }
}

/// A calendar in somebody's list.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) calendar: String,
    pub(super) role: Role,
    pub(super) primary: bool,
    pub(super) hidden: bool,
    pub(super) selected: bool,
    pub(super) deleted: bool,
    pub(super) summary_override: Option<String>,
    pub(super) color: String,
    pub(super) revision: u64,
}

#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) entries: BTreeMap<String, Entry>,
    pub(super) tokens_from: u64,
    pub(super) asked_at: VecDeque<Timestamp>,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) rng: StdRng,
    pub(super) base: String,
    pub(super) revision: u64,
    updated: Timestamp,
    pub(super) switches: Switches,
    pub(super) calendars: BTreeMap<String, Calendar>,
    pub(super) lists: BTreeMap<String, List>,
    pub(super) channels: BTreeMap<String, Channel>,
    /// Pushes that changes caused; sent when the lock is free.
    pub(super) outbox: Vec<Push>,
}

impl World {
    pub(super) fn new(setup: &Setup, person: &Person) -> Self {
        let switches = Switches {
            https_only: true,
            sync_message: SyncMessage::Before,
            channel_ttl_s: 604_800,
            stale_duplicates: false,
            page_max: 2_500,
            requests_per_minute: None,
        };
        let mut world = Self {
            clock: setup.clock.clone(),
            rng: StdRng::seed_from_u64(setup.seed),
            base: String::new(),
            revision: 1,
            updated: Timestamp(0),
            switches,
            calendars: BTreeMap::new(),
            lists: BTreeMap::new(),
            channels: BTreeMap::new(),
            outbox: Vec::new(),
        };
        world.add_person(person);
        world
    }

    /// Somebody new, with a primary calendar that is called like their address.
    pub(super) fn add_person(&mut self, person: &Person) {
        self.lists.entry(person.email.clone()).or_default();
        self.add_calendar(&person.email, &person.email, person.email.clone());
        self.enlist(&person.email, &person.email, Role::Owner, true);
    }

    /// A calendar that is in nobody's list yet.
    pub(super) fn add_calendar(&mut self, owner: &str, summary: &str, id: String) {
        let (revision, updated) = self.next();
        let calendar = Calendar {
            id: id.clone(),
            owner: owner.to_owned(),
            summary: summary.to_owned(),
            description: None,
            location: None,
            time_zone: "Europe/Berlin".to_owned(),
            revision,
            updated,
            deleted: false,
            tokens_from: 0,
            watchable: true,
            events: BTreeMap::new(),
        };
        self.calendars.insert(id, calendar);
    }

    /// Puts a calendar into somebody's list; they are told.
    pub(super) fn enlist(&mut self, email: &str, calendar: &str, role: Role, primary: bool) {
        let entry = Entry {
            calendar: calendar.to_owned(),
            role,
            primary,
            hidden: false,
            selected: true,
            deleted: false,
            summary_override: None,
            color: "14".to_owned(),
            revision: 0,
        };
        self.change_entry(email, entry);
    }

    /// Replaces somebody's entry; they are told.
    pub(super) fn change_entry(&mut self, email: &str, mut entry: Entry) {
        entry.revision = self.next().0;
        let list = self.lists.entry(email.to_owned()).or_default();
        list.entries.insert(entry.calendar.clone(), entry);
        self.announce_list(email);
    }

    /// Takes the calendar out of everybody's list.
    pub(super) fn delete_calendar(&mut self, id: &str) {
        if let Some(calendar) = self.calendars.get_mut(id) {
            calendar.deleted = true;
        }
        let readers: Vec<String> = self.lists.keys().cloned().collect();
        for email in readers {
            self.unlist(&email, id);
        }
    }

    /// Takes the calendar out of somebody's list, and with it what they may do with it.
    pub(super) fn unlist(&mut self, email: &str, id: &str) {
        let entry = self.lists.get(email).and_then(|list| list.entries.get(id)).cloned();
        if let Some(entry) = entry.filter(|entry| !entry.deleted) {
            self.change_entry(email, Entry { deleted: true, ..entry });
        }
    }

    /// The next revision and a time that is later than every one before.
    pub(super) fn next(&mut self) -> (u64, Timestamp) {
        self.revision += 1;
        self.updated = self.clock.now().max(self.updated.plus_ms(1));
        (self.revision, self.updated)
    }

    /// The calendar that a request names (`primary`: the person's own), and what they may do with it.
    pub(super) fn calendar(&self, person: &Person, id: &str) -> Outcome<(&Calendar, Role)> {
        let id = if id == "primary" { &person.email } else { id };
        let entry = self.lists.get(&person.email).and_then(|list| list.entries.get(id));
        let entry = entry.filter(|entry| !entry.deleted).ok_or_else(Refusal::not_found)?;
        let calendar = self.calendars.get(id).filter(|calendar| !calendar.deleted);
        Ok((calendar.ok_or_else(Refusal::not_found)?, entry.role))
    }

    /// Its id, for somebody who may do so much.
    pub(super) fn calendar_for(&self, person: &Person, id: &str, role: Role) -> Outcome<String> {
        let (calendar, granted) = self.calendar(person, id)?;
        if granted < role {
            let message = format!("You need to have {} access to this calendar.", role.as_str());
            return Err(Refusal::new(403, "requiredAccessLevel", message));
        }
        Ok(calendar.id.clone())
    }

    /// Stores a version of an event: with a new etag, and `updated` unless only reminders changed.
    pub(super) fn store(&mut self, calendar: &str, mut resource: Resource) -> Resource {
        let id = resource.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let (revision, updated) = self.next();
        let calendar_now = self.calendars.get_mut(calendar).expect("looked up before");
        let before = calendar_now.events.get(&id).map(|stored| stored.resource.clone());
        if before.as_ref().is_none_or(|before| differ_beyond_reminders(before, &resource)) {
            resource.insert("updated".into(), updated.to_string().into());
        }
        resource.insert("etag".into(), etag(revision).into());
        calendar_now.updated = updated;
        calendar_now.events.insert(id, Stored { resource: resource.clone(), revision, before });
        self.announce_events(calendar);
        resource
    }

    /// Counts a request of somebody against the quota.
    pub(super) fn count_request(&mut self, email: &str) -> Outcome<()> {
        let Some(limit) = self.switches.requests_per_minute else { return Ok(()) };
        let now = self.clock.now();
        let asked = &mut self.lists.entry(email.to_owned()).or_default().asked_at;
        while asked.front().is_some_and(|at| at.plus_ms(60_000) <= now) {
            asked.pop_front();
        }
        if asked.len() >= limit {
            return Err(Refusal::new(403, "rateLimitExceeded", "Rate Limit Exceeded"));
        }
        asked.push_back(now);
        Ok(())
    }

    /// A random name of letters and digits that an event or calendar may have.
    pub(super) fn name(&mut self) -> String {
        let digits = b"abcdefghijklmnopqrstuv0123456789";
        (0..26).map(|_| char::from(digits[self.rng.random_range(0..digits.len())])).collect()
    }
}

pub(super) fn etag(revision: u64) -> String {
    format!("\"{}\"", 3_500_000_000_000_000 + revision * 2_000)
}

fn differ_beyond_reminders(before: &Resource, after: &Resource) -> bool {
    let told = |resource: &Resource| {
        let mut resource = resource.clone();
        for name in ["reminders", "etag", "updated"] {
            resource.remove(name);
        }
        resource
    };
    // A write that changes nothing moves `updated` all the same.
    told(before) != told(after) || before.get("reminders") == after.get("reminders")
}
