//! Writing events: insert, import, patch, update, delete.

use serde_json::{Map, Value, json};

use super::events::render;
use super::query::Query;
use super::refusal::{Outcome, Refusal};
use super::resource::{merge, settle, writable};
use super::series;
use super::world::{Resource, Role, Stored, World};
use crate::oauth::Person;

/// A request that changes events of a calendar, with who makes it.
pub(super) struct Write<'a> {
    pub(super) person: &'a Person,
    pub(super) calendar: &'a str,
    pub(super) query: &'a Query,
    pub(super) if_match: Option<&'a str>,
    pub(super) body: &'a Value,
}

impl Write<'_> {
    /// The parameters that are words or numbers of a list.
    fn check_query(&self) -> Outcome<bool> {
        self.query.one_of("sendUpdates", &["all", "externalOnly", "none"])?;
        Ok(self.query.one_of("conferenceDataVersion", &["0", "1"])? == Some("1"))
    }
}

impl World {
    /// `events.insert`.
    pub(super) fn insert_event(&mut self, write: &Write<'_>) -> Outcome<Value> {
        let conference = write.check_query()?;
        let calendar = self.calendar_for(write.person, write.calendar, Role::Writer)?;
        let event = writable(write.body)?;
        let text = |name: &str| write.body.get(name).and_then(Value::as_str).map(str::to_owned);
        let (id, uid) = (text("id"), text("iCalUID"));
        if id.is_some() && uid.is_some() {
            return Err(Refusal::invalid("Only one of id and iCalUID may be given."));
        }
        if let Some(id) = &id {
            let good = (5..=1_024).contains(&id.len())
                && id.bytes().all(|byte| matches!(byte, b'a'..=b'v' | b'0'..=b'9'));
            if !good {
                return Err(Refusal::invalid("Invalid resource id value."));
            }
        }
        let events = &self.calendars[&calendar].events;
        let same_uid = |stored: &Stored| uid.as_deref() == Some(stored.text("iCalUID"));
        // A deleted event holds its id and its iCalUID.
        let taken =
            id.as_ref().is_some_and(|id| events.contains_key(id)) || events.values().any(same_uid);
        if taken {
            let message = "The requested identifier already exists.";
            return Err(Refusal::new(409, "duplicate", message));
        }
        self.add(write.person, &calendar, event, (id, uid), conference)
    }

    /// `events.import`: the event with this iCalUID, new or again.
    pub(super) fn import_event(&mut self, write: &Write<'_>) -> Outcome<Value> {
        let conference = write.check_query()?;
        let calendar = self.calendar_for(write.person, write.calendar, Role::Writer)?;
        let event = writable(write.body)?;
        let uid = write.body.get("iCalUID").and_then(Value::as_str);
        let uid = uid.ok_or_else(|| Refusal::required("Missing iCalUID"))?;
        let known = self.calendars[&calendar]
            .events
            .values()
            .find(|stored| stored.text("iCalUID") == uid && stored.master().is_none());
        match known.cloned() {
            Some(known) => self.replace(write.person, &calendar, &known, event, conference),
            None => {
                self.add(write.person, &calendar, event, (None, Some(uid.to_owned())), conference)
            }
        }
    }

    fn add(
        &mut self,
        person: &Person,
        calendar: &str,
        mut event: Resource,
        (id, uid): (Option<String>, Option<String>),
        conference: bool,
    ) -> Outcome<Value> {
        let zone = self.calendars[calendar].time_zone.clone();
        settle(&mut event, &zone, conference)?;
        let id = id.unwrap_or_else(|| self.name());
        let uid = uid.unwrap_or_else(|| format!("{id}@google.com"));
        let created = self.clock.now().to_string();
        event.insert("kind".into(), "calendar#event".into());
        event.insert("iCalUID".into(), uid.into());
        event.insert(
            "htmlLink".into(),
            format!("https://www.google.com/calendar/event?eid={id}").into(),
        );
        event.insert("id".into(), id.into());
        event.insert("created".into(), created.into());
        event.insert("creator".into(), json!({ "email": person.email }));
        event.insert("organizer".into(), json!({ "email": calendar }));
        event.entry("sequence").or_insert_with(|| 0.into());
        let stored = self.store(calendar, event);
        Ok(render(&stored, person, Role::Owner))
    }

    /// `events.patch` and `events.update`.
    pub(super) fn change_event(
        &mut self,
        write: &Write<'_>,
        id: &str,
        whole: bool,
    ) -> Outcome<Value> {
        let conference = write.check_query()?;
        let calendar = self.calendar_for(write.person, write.calendar, Role::Writer)?;
        let event = writable(write.body)?;
        let known = self.calendars[&calendar].event(id).ok_or_else(Refusal::not_found)?;
        check_version(&known, write.if_match)?;
        let revives = event.get("status").is_some_and(|status| status != "cancelled");
        if known.is_cancelled() && !revives {
            return Err(Refusal::not_found());
        }
        if whole {
            return self.replace(write.person, &calendar, &known, event, conference);
        }
        let mut merged = known.resource.clone();
        merge(&mut merged, &event);
        self.put(write.person, &calendar, &known, merged, conference)
    }

    /// Replaces all that a client can set.
    fn replace(
        &mut self,
        person: &Person,
        calendar: &str,
        known: &Stored,
        event: Map<String, Value>,
        conference: bool,
    ) -> Outcome<Value> {
        let mut replaced = known.resource.clone();
        let kept = writable(&Value::Object(replaced.clone()))?;
        replaced.retain(|name, _| !kept.contains_key(name) || name == "sequence");
        replaced.extend(event);
        self.put(person, calendar, known, replaced, conference)
    }

    fn put(
        &mut self,
        person: &Person,
        calendar: &str,
        known: &Stored,
        mut event: Resource,
        conference: bool,
    ) -> Outcome<Value> {
        if event.get("status").is_some_and(|status| status == "cancelled") {
            self.cancel(calendar, known);
            return Ok(render(&event, person, Role::Owner));
        }
        let zone = self.calendars[calendar].time_zone.clone();
        settle(&mut event, &zone, conference)?;
        let number = |event: &Resource| event.get("sequence").and_then(Value::as_i64).unwrap_or(0);
        if number(&event) < number(&known.resource) {
            let message = "Invalid sequence value. The specified sequence number is below the current \
                           sequence number of the resource.";
            return Err(Refusal::invalid(message));
        }
        let moved = ["start", "end", "recurrence"]
            .iter()
            .any(|name| event.get(*name) != known.resource.get(*name));
        if moved && number(&event) == number(&known.resource) {
            event.insert("sequence".into(), (number(&event) + 1).into());
        }
        let stored = self.store(calendar, event);
        if moved {
            self.drop_lost_exceptions(calendar, &stored);
        }
        Ok(render(&stored, person, Role::Owner))
    }

    /// Exceptions of a series that has no such instance any more are deleted.
    fn drop_lost_exceptions(&mut self, calendar: &str, master: &Resource) {
        let here = &self.calendars[calendar];
        let id = master.get("id").and_then(Value::as_str).unwrap_or_default();
        let far = super::world::Calendar::horizon(self.clock.now());
        let dates = series::occurrences(master, &here.time_zone, far);
        let lost: Vec<Stored> = here
            .events
            .values()
            .filter(|stored| stored.master() == Some(id) && !stored.is_cancelled())
            .filter(|stored| dates.iter().all(|date| date.id != stored.text("id")))
            .cloned()
            .collect();
        for exception in lost {
            self.cancel_one(calendar, &exception);
        }
    }

    /// `events.delete`.
    pub(super) fn delete_event(&mut self, write: &Write<'_>, id: &str) -> Outcome<()> {
        write.check_query()?;
        let calendar = self.calendar_for(write.person, write.calendar, Role::Writer)?;
        let known = self.calendars[&calendar].event(id).ok_or_else(Refusal::not_found)?;
        if known.is_cancelled() {
            return Err(Refusal::new(410, "deleted", "Resource has been deleted"));
        }
        check_version(&known, write.if_match)?;
        self.cancel(&calendar, &known);
        Ok(())
    }

    /// Deletes an event, and with a master its exceptions.
    fn cancel(&mut self, calendar: &str, known: &Stored) {
        let id = known.text("id");
        let exceptions = self.calendars[calendar].events.values();
        let exceptions: Vec<Stored> = exceptions
            .filter(|one| one.master() == Some(id) && !one.is_cancelled())
            .cloned()
            .collect();
        for exception in &exceptions {
            self.cancel_one(calendar, exception);
        }
        self.cancel_one(calendar, known);
    }

    fn cancel_one(&mut self, calendar: &str, known: &Stored) {
        let mut resource = known.resource.clone();
        resource.insert("status".into(), "cancelled".into());
        self.store(calendar, resource);
    }
}

/// RFC 9110 section 13.1.1.
fn check_version(known: &Stored, if_match: Option<&str>) -> Outcome<()> {
    match if_match {
        Some(tag) if tag != "*" && tag != known.text("etag") => {
            Err(Refusal::new(412, "conditionNotMet", "Precondition Failed"))
        }
        _ => Ok(()),
    }
}
