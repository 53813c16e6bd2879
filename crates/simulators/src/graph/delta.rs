//! Calendar views and what changed in them.

use serde_json::{Value, json};

use super::links::Since;
use super::mailbox::{Item, Mailbox, Role, Tomb, Window, overlaps};
use super::preferences::Preferences;
use super::world::World;
use super::{error, event, id};
use crate::server::{Answer, Call};

impl World {
    /// `calendarView/delta`.
    pub(super) fn delta(&mut self, owner: usize, calendar: &str, call: &Call) -> Answer {
        let wish = Preferences::of(call);
        if let Some(token) = call.parameter("$skiptoken") {
            return self.next_page(call, &token);
        }
        for name in ["$select", "$filter", "$orderby", "$expand", "$search"] {
            if call.parameter(name).is_some() {
                return error::refused(
                    400,
                    "ErrorInvalidUrlQuery",
                    &format!("The parameter '{name}' is not supported with change tracking."),
                );
            }
        }
        let since = match call.parameter("$deltatoken").filter(|token| !token.is_empty()) {
            Some(token) => match self.since(call, &token) {
                Ok(since) => since,
                Err(refused) => return *refused,
            },
            None => match window(call) {
                Some(window) => Since { seq: 0, window },
                None => return error::invalid("startDateTime and endDateTime are required."),
            },
        };
        let mailbox = &self.mailboxes[owner];
        let held = self.held.as_ref().and_then(|held| held.get(&mailbox.email));
        let until = held.copied().unwrap_or(mailbox.seq).max(since.seq);
        let values = self.changes(mailbox, calendar, since, until, &wish);
        self.first_page(call, values, wish.page, Some(Since { seq: until, ..since }))
    }

    /// What changed after `since` and not after `until`, oldest first.
    fn changes(
        &self,
        mailbox: &Mailbox,
        calendar: &str,
        since: Since,
        until: u64,
        wish: &Preferences,
    ) -> Vec<Value> {
        let asked = |seq: u64| seq > since.seq && seq <= until;
        let mut found: Vec<(u64, Value)> = Vec::new();
        for item in mailbox.items.values().filter(|item| item.calendar == calendar) {
            let series = match &item.role {
                Role::Exception { master, .. } => mailbox.items.get(master),
                _ => None,
            };
            // An exception changes with what it has from its series.
            let seq = if asked(item.seq) { Some(item.seq) } else { None };
            let seq = seq.or(series.map(|series| series.seq).filter(|seq| asked(*seq)));
            let Some(seq) = seq else { continue };
            let shown = self.shown(mailbox, item, since, wish);
            found.extend(shown.into_iter().map(|value| (seq, value)));
        }
        if since.seq > 0 {
            let here = |tomb: &&Tomb| tomb.calendar == calendar && asked(tomb.seq);
            for tomb in mailbox.tombs.iter().filter(here) {
                found.push((tomb.seq, self.tombstone(tomb, wish)));
            }
        }
        found.sort_by_key(|(seq, _)| *seq);
        found.into_iter().map(|(_, value)| value).collect()
    }

    /// What a delta says of one item.
    fn shown(
        &self,
        mailbox: &Mailbox,
        item: &Item,
        since: Since,
        wish: &Preferences,
    ) -> Vec<Value> {
        if !mailbox.shows(item, since.window) && !has_shown_exception(mailbox, item, since.window) {
            let left = item.extents.iter().any(|extent| overlaps(*extent, since.window));
            if since.seq == 0 || !(self.switches.removed_outside || left) {
                return Vec::new();
            }
            let reason = if item.seq.is_multiple_of(2) { "deleted" } else { "changed" };
            let id = id::outward(&item.key, wish.immutable, &item.calendar);
            return vec![json!({ "id": id, "@removed": { "reason": reason } })];
        }
        let mut values = vec![event::whole(mailbox, item, wish)];
        for day in mailbox.days_within(item, since.window) {
            values.push(event::sparse(item, day, wish));
        }
        values
    }

    fn tombstone(&self, tomb: &Tomb, wish: &Preferences) -> Value {
        let id = id::outward(&tomb.key, wish.immutable, &tomb.calendar);
        match self.switches.bare_tombstones {
            true => json!({ "id": id, "@removed": { "reason": "deleted" } }),
            false => json!({ "id": id, "type": tomb.kind, "@removed": { "reason": "deleted" } }),
        }
    }

    /// `calendarView`, and `instances` of one series: every day for itself.
    pub(super) fn view(
        &mut self,
        owner: usize,
        call: &Call,
        belongs: impl Fn(&Item) -> bool,
    ) -> Answer {
        if let Some(token) = call.parameter("$skiptoken") {
            return self.next_page(call, &token);
        }
        let Some(window) = window(call) else {
            return error::invalid("startDateTime and endDateTime are required.");
        };
        let (wish, mailbox) = (Preferences::of(call), &self.mailboxes[owner]);
        let mut found = Vec::new();
        for item in mailbox.items.values().filter(|item| belongs(item)) {
            if !matches!(item.role, Role::Master { .. }) && mailbox.shows(item, window) {
                found.push(event::whole(mailbox, item, &wish));
            }
            for day in mailbox.days_within(item, window) {
                found.push(event::occurrence(mailbox, item, day, &wish));
            }
        }
        let start = |event: &Value| event["start"]["dateTime"].as_str().map(str::to_owned);
        found.sort_by_key(start);
        let found = found.into_iter().map(|one| event::selected(one, &wish.select)).collect();
        let top = call.parameter("$top").and_then(|top| top.parse().ok());
        self.first_page(call, found, top.or(wish.page), None)
    }
}

fn has_shown_exception(mailbox: &Mailbox, item: &Item, window: Window) -> bool {
    mailbox.exceptions(&item.key).any(|exception| mailbox.shows(exception, window))
}

fn window(call: &Call) -> Option<Window> {
    let at = |name: &str| {
        let text = call.parameter(name)?;
        let with_zone = text.parse::<jiff::Timestamp>().ok();
        with_zone.or_else(|| format!("{text}Z").parse().ok())
    };
    Some((at("startDateTime")?, at("endDateTime")?)).filter(|(from, to)| from < to)
}
