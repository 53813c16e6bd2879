//! Calendars and people's lists of them.

use serde_json::{Value, json};

use super::query::{Listing, Position, Query};
use super::refusal::{Outcome, Refusal};
use super::world::{Entry, Role, World, etag};
use crate::oauth::Person;

impl World {
    /// `calendarList.list`.
    pub(super) fn list_calendars(&self, person: &Person, query: &Query) -> Outcome<Value> {
        query.no_token_with(&["minAccessRole", "showOwnOrganizationOnly"])?;
        let token = query.text("syncToken").is_some();
        let (show_deleted, show_hidden) = (query.flag("showDeleted")?, query.flag("showHidden")?);
        if token && (show_deleted == Some(false) || show_hidden == Some(false)) {
            return Err(Refusal::invalid("Sync token cannot be used with query restrictions."));
        }
        let roles = [Role::FreeBusyReader, Role::Reader, Role::Writer, Role::Owner];
        let words = roles.map(Role::as_str);
        let least = query.one_of("minAccessRole", &words)?;
        let least = least.and_then(|word| roles.into_iter().find(|role| role.as_str() == word));
        let size = query.page_size(100, 250.min(self.switches.page_max))?;
        let list = self.lists.get(&person.email).ok_or_else(Refusal::not_found)?;
        let listing = Listing {
            query,
            of: format!("list {}", person.email),
            revision: self.revision,
            tokens_from: list.tokens_from,
        };
        let position = listing.position()?;
        // After a token what was deleted or hidden is always told.
        let rows = list.entries.values().filter(|entry| {
            entry.revision > position.since
                && (!entry.deleted || token || show_deleted == Some(true))
                && (!entry.hidden || token || show_hidden == Some(true))
                && least.is_none_or(|least| entry.role >= least)
                && entry.calendar > position.after
        });
        let rows: Vec<&Entry> = rows.collect();
        let shown = &rows[..rows.len().min(size)];
        let items: Vec<Value> = shown.iter().map(|entry| self.entry_json(entry)).collect();
        let mut answer = json!({
            "kind": "calendar#calendarList", "etag": etag(self.revision), "items": items,
        });
        match shown.last() {
            Some(last) if rows.len() > shown.len() => {
                let next = Position { after: last.calendar.clone(), ..position };
                answer["nextPageToken"] = listing.page_token(&next).into();
            }
            _ => answer["nextSyncToken"] = listing.sync_token(position.upto).into(),
        }
        Ok(answer)
    }

    fn entry_json(&self, entry: &Entry) -> Value {
        let revision = etag(entry.revision);
        let kind = "calendar#calendarListEntry";
        if entry.deleted {
            return json!({ "kind": kind, "etag": revision, "id": entry.calendar, "deleted": true });
        }
        let calendar = &self.calendars[&entry.calendar];
        let mut json = json!({
            "kind": kind, "etag": revision, "id": entry.calendar, "summary": calendar.summary,
            "timeZone": calendar.time_zone, "colorId": entry.color, "backgroundColor": "#9fe1e7",
            "foregroundColor": "#000000", "accessRole": entry.role.as_str(), "defaultReminders": [],
            "conferenceProperties": { "allowedConferenceSolutionTypes": ["hangoutsMeet"] },
        });
        let optional = [
            ("description", calendar.description.clone().map(Value::from)),
            ("location", calendar.location.clone().map(Value::from)),
            ("summaryOverride", entry.summary_override.clone().map(Value::from)),
            ("primary", entry.primary.then_some(Value::Bool(true))),
            ("hidden", entry.hidden.then_some(Value::Bool(true))),
            ("selected", entry.selected.then_some(Value::Bool(true))),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                json[name] = value;
            }
        }
        json
    }

    /// `calendarList.get`.
    pub(super) fn get_entry(&self, person: &Person, id: &str) -> Outcome<Value> {
        let calendar = self.calendar(person, id)?.0.id.clone();
        Ok(self.entry_json(&self.lists[&person.email].entries[&calendar]))
    }

    /// `calendarList.insert`: a calendar that was shared before comes back.
    pub(super) fn insert_entry(&mut self, person: &Person, body: &Value) -> Outcome<Value> {
        let id = body["id"].as_str().ok_or_else(|| Refusal::required("Missing calendar id."))?;
        let entry = self.lists[&person.email].entries.get(id).cloned();
        let alive = self.calendars.get(id).is_some_and(|calendar| !calendar.deleted);
        let entry = entry.filter(|_| alive).ok_or_else(Refusal::not_found)?;
        let entry = Entry { deleted: false, ..entry };
        self.change_entry(&person.email, entry);
        self.get_entry(person, id)
    }

    /// `calendarList.patch` and `calendarList.update`.
    pub(super) fn change_list(
        &mut self,
        person: &Person,
        id: &str,
        body: &Value,
    ) -> Outcome<Value> {
        let id = self.calendar(person, id)?.0.id.clone();
        let mut entry = self.lists[&person.email].entries[&id].clone();
        if let Some(hidden) = body["hidden"].as_bool() {
            entry.hidden = hidden;
        }
        if let Some(selected) = body["selected"].as_bool() {
            entry.selected = selected;
        }
        if let Some(color) = body["colorId"].as_str() {
            entry.color = color.to_owned();
        }
        if let Some(name) = body.get("summaryOverride") {
            entry.summary_override = name.as_str().map(str::to_owned);
        }
        self.change_entry(&person.email, entry);
        self.get_entry(person, &id)
    }

    /// `calendarList.delete`.
    pub(super) fn delete_entry(&mut self, person: &Person, id: &str) -> Outcome<()> {
        let id = self.calendar(person, id)?.0.id.clone();
        if id == person.email {
            return Err(Refusal::invalid("The primary calendar cannot be removed."));
        }
        self.unlist(&person.email, &id);
        Ok(())
    }

    fn calendar_json(&self, id: &str) -> Value {
        let calendar = &self.calendars[id];
        let mut json = json!({
            "kind": "calendar#calendar", "etag": etag(calendar.revision), "id": calendar.id,
            "summary": calendar.summary, "timeZone": calendar.time_zone,
            "conferenceProperties": { "allowedConferenceSolutionTypes": ["hangoutsMeet"] },
        });
        for (name, value) in
            [("description", &calendar.description), ("location", &calendar.location)]
        {
            if let Some(value) = value {
                json[name] = value.as_str().into();
            }
        }
        json
    }

    /// `calendars.get`.
    pub(super) fn get_calendar(&self, person: &Person, id: &str) -> Outcome<Value> {
        Ok(self.calendar_json(&self.calendar(person, id)?.0.id))
    }

    /// `calendars.insert`.
    pub(super) fn insert_calendar(&mut self, person: &Person, body: &Value) -> Outcome<Value> {
        let summary = body["summary"].as_str().filter(|summary| !summary.is_empty());
        let summary = summary.ok_or_else(|| Refusal::required("Missing title."))?;
        let id = format!("c_{}@group.calendar.google.com", self.name());
        self.add_calendar(&person.email, summary, id.clone());
        self.set_properties(&id, body)?;
        self.enlist(&person.email, &id, Role::Owner, false);
        Ok(self.calendar_json(&id))
    }

    /// `calendars.patch` and `calendars.update`. Nobody's list changes by it: what is read-only there
    /// is not told of.
    pub(super) fn change_calendar(
        &mut self,
        person: &Person,
        id: &str,
        body: &Value,
    ) -> Outcome<Value> {
        let id = self.calendar_for(person, id, Role::Owner)?;
        self.set_properties(&id, body)?;
        Ok(self.calendar_json(&id))
    }

    /// Sets what the body says.
    pub(super) fn set_properties(&mut self, id: &str, body: &Value) -> Outcome<()> {
        if let Some(zone) = body["timeZone"].as_str() {
            jiff::tz::TimeZone::get(zone).map_err(|_| Refusal::invalid("Invalid time zone."))?;
        }
        let (revision, updated) = self.next();
        let calendar = self.calendars.get_mut(id).ok_or_else(Refusal::not_found)?;
        (calendar.revision, calendar.updated) = (revision, updated);
        let text = |name: &str| body.get(name).map(|value| value.as_str().map(str::to_owned));
        if let Some(Some(summary)) = text("summary") {
            calendar.summary = summary;
        }
        if let Some(Some(zone)) = text("timeZone") {
            calendar.time_zone = zone;
        }
        if let Some(description) = text("description") {
            calendar.description = description;
        }
        if let Some(location) = text("location") {
            calendar.location = location;
        }
        Ok(())
    }

    /// `calendars.delete`.
    pub(super) fn delete_own_calendar(&mut self, person: &Person, id: &str) -> Outcome<()> {
        let id = self.calendar_for(person, id, Role::Owner)?;
        if id == person.email {
            return Err(Refusal::invalid("The primary calendar cannot be deleted."));
        }
        self.delete_calendar(&id);
        Ok(())
    }
}
