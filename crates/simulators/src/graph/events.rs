//! `/me/events` and `/me/calendars/{id}/events`.

use serde_json::{Value, json};

use super::mailbox::{Fields, Found, Item, Mailbox, Role};
use super::preferences::Preferences;
use super::world::World;
use super::{error, event, id, recurrence};
use crate::server::{Answer, Call};

impl World {
    /// Events for themselves and series; no days of series.
    pub(super) fn list_events(&mut self, owner: usize, calendar: &str, call: &Call) -> Answer {
        if let Some(token) = call.parameter("$skiptoken") {
            return self.next_page(call, &token);
        }
        let filter = call.parameter("$filter").unwrap_or_default();
        let Some(asked) = filtered(&filter) else {
            return error::refused(400, "ErrorInvalidUrlQuery", "This $filter is not supported.");
        };
        let (wish, mailbox) = (Preferences::of(call), &self.mailboxes[owner]);
        let listed = mailbox.items.values().filter(|item| {
            item.calendar == calendar
                && !matches!(item.role, Role::Exception { .. })
                && asked(&item.fields)
        });
        let printed: Vec<Value> = listed
            .map(|item| event::selected(event::whole(mailbox, item, &wish), &wish.select))
            .collect();
        let top = call.parameter("$top").and_then(|top| top.parse().ok());
        self.first_page(call, printed, top.or(wish.page), None)
    }

    pub(super) fn post_event(&mut self, owner: usize, calendar: &str, call: &Call) -> Answer {
        if let Some(refused) = self.closed(owner, calendar) {
            return refused;
        }
        let accepted = event::accept(call.json());
        let checked = accepted.and_then(|fields| event::check(&fields).map(|()| fields));
        let fields = match checked {
            Ok(fields) => fields,
            Err(why) => return error::refused(400, "ErrorPropertyValidationFailure", &why),
        };
        let wish = Preferences::of(call);
        let mailbox = &self.mailboxes[owner];
        let twin = mailbox.items.values().find(|item| {
            let used = item.fields.get("transactionId");
            used.is_some() && used == fields.get("transactionId")
        });
        if let Some(twin) = twin {
            return match self.switches.repeat_answers {
                true => Answer::json(201, &event::whole(mailbox, twin, &wish)),
                false => duplicate(&id::outward(&twin.key, wish.immutable, &twin.calendar)),
            };
        }
        let key = self.create(owner, calendar, fields);
        let mailbox = &self.mailboxes[owner];
        let printed = event::whole(mailbox, &mailbox.items[&key], &wish);
        self.bump_again(owner, calendar, &key);
        Answer::json(201, &printed)
    }

    /// GET, PATCH, DELETE of one event; `within` names the calendar in which it must be.
    pub(super) fn event(
        &mut self,
        owner: usize,
        within: Option<&str>,
        sent: &str,
        call: &Call,
    ) -> Answer {
        let mailbox = &self.mailboxes[owner];
        let Some(found) = id::inward(sent).and_then(|key| mailbox.find(key)) else {
            return error::not_found();
        };
        let item = mailbox.item(&found);
        if within.is_some_and(|calendar| calendar != item.calendar) {
            return error::not_found();
        }
        let (calendar, seq) = (item.calendar.clone(), item.seq);
        let wish = Preferences::of(call);
        if call.method == "GET" {
            return Answer::json(200, &self.read(owner, &found, &wish));
        }
        if let Some(refused) = self.closed(owner, &calendar) {
            return refused;
        }
        let current = event::etag(seq);
        let wanted = call.header("if-match").filter(|wanted| *wanted != "*");
        if !self.switches.ignore_if_match && wanted.is_some_and(|wanted| wanted != current) {
            return error::stale();
        }
        match call.method.as_str() {
            "PATCH" => self.patch_event(owner, &found, call, &wish),
            "DELETE" => {
                self.remove(owner, &found);
                Answer::empty(204)
            }
            _ => Answer::empty(405),
        }
    }

    fn patch_event(
        &mut self,
        owner: usize,
        found: &Found,
        call: &Call,
        wish: &Preferences,
    ) -> Answer {
        let accepted = event::accept(call.json());
        let accepted = accepted.and_then(|fields| match fields.contains_key("transactionId") {
            true => Err("transactionId cannot be changed.".to_owned()),
            false => Ok(fields),
        });
        let key = match accepted.and_then(|fields| self.change(owner, found, fields)) {
            Ok(key) => key,
            Err(why) => return error::refused(400, "ErrorPropertyValidationFailure", &why),
        };
        let mailbox = &self.mailboxes[owner];
        let item = &mailbox.items[&key];
        let (printed, calendar) = (event::whole(mailbox, item, wish), item.calendar.clone());
        self.bump_again(owner, &calendar, &key);
        Answer::json(200, &printed)
    }

    /// One event as GET shows it; a series also tells its cancelled days when they are selected.
    fn read(&self, owner: usize, found: &Found, wish: &Preferences) -> Value {
        let mailbox = &self.mailboxes[owner];
        let mut printed = match found {
            Found::Item(key) => event::whole(mailbox, &mailbox.items[key], wish),
            Found::Occurrence(master, day) => {
                event::occurrence(mailbox, &mailbox.items[master], *day, wish)
            }
        };
        let item = mailbox.item(found);
        if let (Role::Master { cancelled }, true) =
            (&item.role, wish.select.contains("cancelledOccurrences"))
        {
            let series = id::outward(&item.key, wish.immutable, &item.calendar);
            let days = cancelled.iter().map(|day| format!("OID.{series}.{day}"));
            printed["cancelledOccurrences"] = days.collect::<Vec<_>>().into();
        }
        if wish.expand.contains("exceptionOccurrences") {
            // What is expanded is not expanded further.
            let plain = Preferences { expand: String::new(), ..wish.clone() };
            let different = mailbox.exceptions(&item.key);
            let different: Vec<Value> =
                different.map(|one| event::whole(mailbox, one, &plain)).collect();
            printed["exceptionOccurrences"] = different.into();
        }
        let select = match wish.expand.is_empty() || wish.select.is_empty() {
            true => wish.select.clone(),
            false => {
                format!("{},exceptionOccurrences,singleValueExtendedProperties", wish.select)
            }
        };
        event::selected(printed, &select)
    }

    /// The days of one series between two moments.
    pub(super) fn instances(&mut self, owner: usize, sent: &str, call: &Call) -> Answer {
        let found = id::inward(sent).and_then(|key| self.mailboxes[owner].find(key));
        let Some(Found::Item(series)) = found else { return error::not_found() };
        if !matches!(self.mailboxes[owner].items[&series].role, Role::Master { .. }) {
            return error::invalid("Only a series has instances.");
        }
        self.view(owner, call, |item| {
            item.key == series
                || matches!(&item.role, Role::Exception { master, .. } if *master == series)
        })
    }

    /// Takes an event out and says so to those who were invited.
    pub(super) fn cancel_event(&mut self, owner: usize, sent: &str) -> Answer {
        let found = id::inward(sent).and_then(|key| self.mailboxes[owner].find(key));
        let Some(found) = found else { return error::not_found() };
        self.remove(owner, &found);
        Answer::empty(202)
    }

    fn closed(&self, owner: usize, calendar: &str) -> Option<Answer> {
        let writable = self.mailboxes[owner].calendar(calendar).is_some_and(|one| one.writable);
        let message = "Access is denied. Check credentials and try again.";
        (!writable).then(|| error::refused(403, "ErrorAccessDenied", message))
    }

    /// Exchange goes on with what was written: new change keys for the same content.
    fn bump_again(&mut self, owner: usize, calendar: &str, key: &str) {
        for _ in 0..self.switches.bumps_after_write {
            self.mailboxes[owner].touch(key);
            self.note(owner, calendar, key, "updated");
        }
    }
}

impl Mailbox {
    /// The item, or the series of an untouched day.
    fn item(&self, found: &Found) -> &Item {
        match found {
            Found::Item(key) | Found::Occurrence(key, _) => &self.items[key],
        }
    }

    /// What a person sees: calendars, and in them each event, series and exception under its immutable id.
    pub(super) fn truth(&self, calendar: &str) -> Vec<(String, Value)> {
        let told = |item: &Item| {
            let fields = self.fields(item);
            let utc = |name: &str| recurrence::moment(&fields[name]).map(|at| at.to_string());
            let mut truth = json!({
                "title": fields.get("subject").and_then(Value::as_str).unwrap_or_default(),
                "type": item.kind(),
                "start": utc("start"),
                "end": utc("end"),
            });
            match &item.role {
                Role::Master { cancelled } => {
                    truth["cancelled"] = cancelled.iter().map(ToString::to_string).collect();
                }
                Role::Exception { master, day } => {
                    truth["series"] = id::outward(master, true, calendar).into();
                    truth["day"] = day.to_string().into();
                }
                Role::Single => {}
            }
            (id::outward(&item.key, true, calendar), truth)
        };
        self.items.values().filter(|item| item.calendar == calendar).map(told).collect()
    }
}

fn duplicate(existing: &str) -> Answer {
    let message = "Your request can't be completed. The TransactionId specified in the request has \
                   already been used to create a different event.";
    let mut body = error::body("ErrorDuplicateTransactionId", message);
    body["error"]["@event.existingEventId"] = existing.into();
    Answer::json(409, &body)
}

/// The few filters that this simulator understands: `name eq 'text'`.
fn filtered(filter: &str) -> Option<impl Fn(&Fields) -> bool> {
    let wanted = match filter {
        "" => None,
        filter => {
            let (name, text) = filter.split_once(" eq ")?;
            let text = text.strip_prefix('\'')?.strip_suffix('\'')?;
            if !["transactionId", "subject"].contains(&name) {
                return None;
            }
            Some((name.to_owned(), text.replace("''", "'")))
        }
    };
    Some(move |fields: &Fields| {
        wanted.as_ref().is_none_or(|(name, text)| {
            fields.get(name.as_str()).and_then(Value::as_str) == Some(text.as_str())
        })
    })
}
