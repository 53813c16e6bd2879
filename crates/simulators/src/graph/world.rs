//! All that the simulator knows, and how an edit changes it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde_json::Value;
use tidings_core::clock::Clock;

use super::links::Pages;
use super::mailbox::{Calendar, Fields, Found, HORIZON, Item, Mailbox, Role, Tomb, on};
use super::notices::Notice;
use super::subscriptions::Subscription;
use super::switches::Switches;
use super::{event, id, recurrence};

/// Of a series that ends, so many untouched days are told as removed.
const TOLD_DAYS: usize = 100;

#[derive(Debug)]
pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) mailboxes: Vec<Mailbox>,
    pub(super) subscriptions: Vec<Subscription>,
    /// Notifications that wait to be sent.
    pub(super) outbox: Vec<Notice>,
    pub(super) pages: BTreeMap<u64, Pages>,
    /// Delta tokens of another epoch are refused.
    pub(super) epoch: u64,
    /// What deltas show of each mailbox while replication is held: changes up to this number.
    pub(super) held: Option<BTreeMap<String, u64>>,
    pub(super) switches: Switches,
    /// The number of the next thing that needs one.
    pub(super) next: u64,
}

impl World {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            mailboxes: Vec::new(),
            subscriptions: Vec::new(),
            outbox: Vec::new(),
            pages: BTreeMap::new(),
            epoch: 1,
            held: None,
            switches: Switches::default(),
            next: 1,
        }
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The mailbox of a user by object id or address.
    pub(super) fn owner(&self, user: &str) -> Option<usize> {
        self.mailboxes.iter().position(|mailbox| mailbox.user == user || mailbox.email == user)
    }

    pub(super) fn add_mailbox(&mut self, user: &str, email: &str, name: &str) -> usize {
        self.mailboxes.push(Mailbox::new(user.into(), email, name));
        let owner = self.mailboxes.len() - 1;
        self.add_calendar(owner, "Calendar");
        owner
    }

    /// The first calendar of a mailbox is its default calendar.
    pub(super) fn add_calendar(&mut self, owner: usize, name: &str) -> String {
        let id = format!("AAMkADAwATM0MDAAMS1iNTcwAC1kYzgyAEYAAA{:05}AAA=", self.number());
        let mailbox = &mut self.mailboxes[owner];
        let version = mailbox.bump();
        mailbox.calendars.push(Calendar {
            id: id.clone(),
            name: name.into(),
            color: "auto".into(),
            default: mailbox.calendars.is_empty(),
            writable: true,
            version,
        });
        id
    }

    /// The calendar goes with everything in it.
    pub(super) fn remove_calendar(&mut self, owner: usize, calendar: &str) {
        let mailbox = &mut self.mailboxes[owner];
        mailbox.calendars.retain(|one| one.id != calendar);
        mailbox.items.retain(|_, item| item.calendar != calendar);
        mailbox.tombs.retain(|tomb| tomb.calendar != calendar);
        self.subscriptions.retain(|one| one.owner != owner || one.calendar != calendar);
    }

    /// A new event; its fields have been checked.
    pub(super) fn create(&mut self, owner: usize, calendar: &str, fields: Fields) -> String {
        let now = self.clock.now();
        let mailbox = &mut self.mailboxes[owner];
        let key = id::key(mailbox.next);
        mailbox.next += 1;
        let seq = mailbox.bump();
        let role = match is_series(&fields) {
            true => Role::Master { cancelled: BTreeSet::new() },
            false => Role::Single,
        };
        let item = Item {
            key: key.clone(),
            calendar: calendar.into(),
            role,
            fields,
            seq,
            created: now,
            modified: now,
            extents: Vec::new(),
        };
        mailbox.items.insert(key.clone(), item);
        self.note(owner, calendar, &key, "created");
        key
    }

    /// Changes an event, or makes an exception of a day of a series.
    ///
    /// # Errors
    /// What does not fit together.
    pub(super) fn change(
        &mut self,
        owner: usize,
        found: &Found,
        sent: Fields,
    ) -> Result<String, String> {
        let key = match found {
            Found::Occurrence(master, day) => self.except(owner, master, *day, sent)?,
            Found::Item(key) => {
                let item = &self.mailboxes[owner].items[key];
                match item.role {
                    Role::Exception { .. } => self.change_exception(owner, key, sent)?,
                    _ => self.change_whole(owner, key, sent)?,
                }
                key.clone()
            }
        };
        let calendar = self.mailboxes[owner].items[&key].calendar.clone();
        self.note(owner, &calendar, &key, "updated");
        Ok(key)
    }

    fn change_whole(&mut self, owner: usize, key: &str, sent: Fields) -> Result<(), String> {
        let now = self.clock.now();
        let mailbox = &mut self.mailboxes[owner];
        let old = mailbox.items[key].clone();
        let mut new = old.clone();
        event::merge(&mut new.fields, sent);
        event::check(&new.fields)?;
        let goes_on = recurrence::same_rhythm(&old.fields, &new.fields);
        if let Role::Master { cancelled } = &mut new.role {
            // A series that moves begins anew: what was different or cancelled on a day is forgotten.
            let days = match is_series(&new.fields) {
                true => recurrence::days(&new.fields["recurrence"], HORIZON),
                false => Vec::new(),
            };
            mailbox.forget_days(&old, &days, goes_on);
            cancelled.retain(|day| goes_on && days.contains(day));
        }
        new.role = match (is_series(&new.fields), new.role) {
            (true, Role::Master { cancelled }) => Role::Master { cancelled },
            (true, _) => Role::Master { cancelled: BTreeSet::new() },
            (false, _) => Role::Single,
        };
        new.extents.extend(mailbox.extent(&old));
        new.seq = mailbox.bump();
        new.modified = now;
        mailbox.items.insert(key.into(), new);
        Ok(())
    }

    fn change_exception(&mut self, owner: usize, key: &str, sent: Fields) -> Result<(), String> {
        let now = self.clock.now();
        let mailbox = &mut self.mailboxes[owner];
        refuse_series(&sent)?;
        let mut new = mailbox.items[key].clone();
        new.extents.extend(mailbox.extent(&new));
        event::merge(&mut new.fields, sent);
        event::check(&mailbox.fields(&new))?;
        new.seq = mailbox.bump();
        new.modified = now;
        if let Role::Exception { master, .. } = &new.role {
            mailbox.touch(master);
        }
        mailbox.items.insert(key.into(), new);
        Ok(())
    }

    fn except(
        &mut self,
        owner: usize,
        master: &str,
        day: Date,
        sent: Fields,
    ) -> Result<String, String> {
        let now = self.clock.now();
        let mailbox = &mut self.mailboxes[owner];
        refuse_series(&sent)?;
        let whole = &mailbox.items[master];
        let calendar = whole.calendar.clone();
        let mut fields = on(&whole.fields, day);
        let extents = super::mailbox::extent(&fields).into_iter().collect();
        event::merge(&mut fields, sent.clone());
        event::check(&fields)?;
        let key = id::occurrence(master, day);
        let role = Role::Exception { master: master.into(), day };
        let seq = mailbox.bump();
        mailbox.touch(master);
        mailbox.items.insert(
            key.clone(),
            Item {
                key: key.clone(),
                calendar,
                role,
                fields: sent,
                seq,
                created: now,
                modified: now,
                extents,
            },
        );
        Ok(key)
    }

    /// Deletes an event, a series with all that belongs to it, or cancels one day of a series.
    pub(super) fn remove(&mut self, owner: usize, found: &Found) {
        let hidden = self.switches.hide_cancelled;
        let mailbox = &mut self.mailboxes[owner];
        let (calendar, key) = match found {
            Found::Occurrence(master, day) => {
                let key = id::occurrence(master, *day);
                (mailbox.cancel(&key, master, *day, hidden), key)
            }
            Found::Item(key) => {
                let item = mailbox.items[key].clone();
                match &item.role {
                    Role::Exception { master, day } => {
                        (mailbox.cancel(key, master, *day, hidden), key.clone())
                    }
                    Role::Master { .. } => {
                        mailbox.forget_days(&item, &[], false);
                        (mailbox.bury(key), key.clone())
                    }
                    Role::Single => (mailbox.bury(key), key.clone()),
                }
            }
        };
        self.note(owner, &calendar, &key, "deleted");
    }

    /// The event moves to another calendar: its immutable id stays.
    pub(super) fn relocate(&mut self, owner: usize, key: &str, to: &str) {
        let now = self.clock.now();
        let mailbox = &mut self.mailboxes[owner];
        let mut keys: Vec<String> = mailbox.exceptions(key).map(|item| item.key.clone()).collect();
        keys.insert(0, key.to_owned());
        let from = mailbox.items[key].calendar.clone();
        for key in &keys {
            let mut item = mailbox.items[key].clone();
            mailbox.bury(key);
            item.calendar = to.into();
            item.modified = now;
            item.seq = mailbox.bump();
            mailbox.items.insert(key.clone(), item);
        }
        self.note(owner, &from, key, "deleted");
        self.note(owner, to, key, "created");
    }
}

impl Mailbox {
    /// An item goes; returns the calendar that it was in.
    fn bury(&mut self, key: &str) -> String {
        let seq = self.bump();
        let item = self.items.remove(key).expect("what is buried was there");
        let (calendar, kind) = (item.calendar.clone(), item.kind());
        self.tombs.push(Tomb { key: key.into(), calendar: calendar.clone(), seq, kind });
        calendar
    }

    /// One day of a series goes; returns the calendar.
    fn cancel(&mut self, key: &str, master: &str, day: Date, hidden: bool) -> String {
        let seq = self.bump();
        self.items.remove(key);
        self.touch(master);
        let series = self.items.get_mut(master).expect("an occurrence has its series");
        if let Role::Master { cancelled } = &mut series.role {
            cancelled.insert(day);
        }
        let calendar = series.calendar.clone();
        if !hidden {
            let kind = "occurrence";
            self.tombs.push(Tomb { key: key.into(), calendar: calendar.clone(), seq, kind });
        }
        calendar
    }

    /// The days of a series go that are not among `kept`; so do its exceptions, unless they stay too.
    fn forget_days(&mut self, series: &Item, kept: &[Date], with_exceptions: bool) {
        let stays =
            |item: &&Item| with_exceptions && item.day().is_some_and(|day| kept.contains(&day));
        let different: Vec<String> = self
            .exceptions(&series.key)
            .filter(|item| !stays(item))
            .map(|item| item.key.clone())
            .collect();
        let ended: Vec<Date> = self
            .untouched(series)
            .into_iter()
            .filter(|day| !kept.contains(day))
            .take(TOLD_DAYS)
            .collect();
        for key in different {
            self.bury(&key);
        }
        for day in ended {
            let (key, seq) = (id::occurrence(&series.key, day), self.bump());
            let (calendar, kind) = (series.calendar.clone(), "occurrence");
            self.tombs.push(Tomb { key, calendar, seq, kind });
        }
    }

    /// A new change key, and nothing else: Exchange keeps exceptions in their series.
    pub(super) fn touch(&mut self, key: &str) {
        let seq = self.bump();
        if let Some(item) = self.items.get_mut(key) {
            item.seq = seq;
        }
    }
}

fn is_series(fields: &Fields) -> bool {
    fields.get("recurrence").is_some_and(|recurrence| !recurrence.is_null())
}

fn refuse_series(sent: &Fields) -> Result<(), String> {
    match sent.get("recurrence").is_some_and(|value| *value != Value::Null) {
        true => Err("The recurrence of an occurrence cannot be set.".into()),
        false => Ok(()),
    }
}
