//! Drafts as JSON, in the words of [`crate::event::Event`].

use std::collections::BTreeMap;
use std::fmt::Display;

use jiff::civil;
use serde_json::{Map, Value};
use tidings_core::clock::Timestamp;
use tidings_core::limits::{
    EVENT_ATTENDEES_MAX, EVENT_PROPERTIES_MAX, EVENT_PROPERTY_BYTES_MAX,
    EVENT_PROPERTY_NAME_BYTES_MAX, EVENT_TEXT_BYTES_MAX, EVENT_TITLE_BYTES_MAX,
};

use super::{Availability, ConferenceDraft, EventDraft, Field, Invitee, Privacy, Status, When};
use crate::occurrences;
use crate::zone::Zone;

impl EventDraft {
    /// Reads a JSON object in the words of an event: `start` and `end` are `2026-12-02` for a day,
    /// RFC 3339 (`2026-12-02T09:00:00Z`), or without an offset together with `timeZone`, which also
    /// gives a series the clock that it goes by. `conference` is `"create"` or `{"url": …}`. `null`
    /// empties a member; one that is absent stays.
    ///
    /// # Errors
    /// Every fault: (JSON pointer, why).
    pub fn from_json(value: &Value) -> Result<Self, Vec<(String, String)>> {
        let Value::Object(object) = value else {
            return Err(vec![(String::new(), "must be an object".into())]);
        };
        let mut reader = Reader { faults: Vec::new() };
        let draft = reader.draft(object);
        if reader.faults.is_empty() { Ok(draft) } else { Err(reader.faults) }
    }
}

struct Reader {
    faults: Vec<(String, String)>,
}

impl Reader {
    fn fault(&mut self, pointer: impl Display, why: impl Into<String>) {
        self.faults.push((pointer.to_string(), why.into()));
    }

    fn draft(&mut self, object: &Map<String, Value>) -> EventDraft {
        let mut draft = EventDraft::default();
        let zone = self.zone(object.get("timeZone"));
        for (name, value) in object {
            let at = format!("/{name}");
            match name.as_str() {
                "title" => draft.title = self.text(&at, value, EVENT_TITLE_BYTES_MAX),
                "description" => draft.description = self.text(&at, value, EVENT_TEXT_BYTES_MAX),
                "location" => draft.location = self.text(&at, value, EVENT_TITLE_BYTES_MAX),
                "start" => draft.start = self.when(&at, value, zone),
                "end" => draft.end = self.when(&at, value, zone),
                "timeZone" | "allDay" => {}
                "attendees" => draft.attendees = self.attendees(value),
                "availability" => {
                    draft.availability = self.word(&at, value, Availability::parse, "busy or free");
                }
                "privacy" => {
                    let words = "public, private or confidential";
                    draft.privacy = self.word(&at, value, Privacy::parse, words);
                }
                "status" => {
                    let words = "confirmed, tentative or cancelled";
                    draft.status = self.word(&at, value, Status::parse, words);
                }
                "recurrence" => draft.recurrence = self.recurrence(value),
                "conference" => draft.conference = self.conference(value),
                "properties" => draft.properties = self.properties(value),
                _ => self.fault(at, "unknown"),
            }
        }
        self.check_times(object, &draft);
        draft
    }

    /// What holds between `start`, `end`, `allDay` and `timeZone`.
    fn check_times(&mut self, object: &Map<String, Value>, draft: &EventDraft) {
        let (start, end) = (draft.start.set(), draft.end.set());
        match object.get("allDay") {
            None => {}
            Some(Value::Bool(all_day)) => {
                let is_day = start.or(end).map(When::is_date);
                if is_day.is_some_and(|is_day| is_day != *all_day) {
                    self.fault("/allDay", "does not go with start: a day is written 2026-12-02");
                }
                if is_day.is_none() {
                    self.fault("/allDay", "comes with start and end");
                }
            }
            Some(_) => self.fault("/allDay", "must be true or false"),
        }
        if object.contains_key("timeZone") && start.is_none() && end.is_none() {
            self.fault("/timeZone", "comes with start and end");
        }
        let (Some(start), Some(end)) = (start, end) else { return };
        if start.is_date() != end.is_date() {
            self.fault("/end", "must be a day when start is one, else a time");
        } else if end.moment() < start.moment() {
            self.fault("/end", "must not be before start");
        } else if start.is_date() && end == start {
            self.fault("/end", "is exclusive: a whole day ends on the next date");
        }
    }

    fn zone(&mut self, value: Option<&Value>) -> Option<Zone> {
        let value = value.filter(|value| !value.is_null())?;
        let zone = value.as_str().and_then(Zone::named);
        if zone.is_none() {
            self.fault("/timeZone", "must be the name of a time zone, for instance Europe/Berlin");
        }
        zone
    }

    fn when(&mut self, at: &str, value: &Value, zone: Option<Zone>) -> Field<When> {
        let read = value.as_str().ok_or("must be a text").and_then(|text| read_when(text, zone));
        match read {
            Ok(when) => Field::Set(when),
            Err(why) => {
                self.fault(at, why);
                Field::Keep
            }
        }
    }

    fn text(&mut self, at: &str, value: &Value, max: usize) -> Field<String> {
        match value {
            Value::Null => return Field::Clear,
            Value::String(text) if text.len() <= max && !text.contains('\0') => {
                return Field::Set(text.clone());
            }
            Value::String(_) => self.fault(at, format!("must be at most {max} bytes")),
            _ => self.fault(at, "must be a text or null"),
        }
        Field::Keep
    }

    fn word<T>(
        &mut self,
        at: &str,
        value: &Value,
        parse: fn(&str) -> Option<T>,
        words: &str,
    ) -> Field<T> {
        match value.as_str().map(parse) {
            _ if value.is_null() => Field::Clear,
            Some(Some(word)) => Field::Set(word),
            _ => {
                self.fault(at, format!("must be {words}"));
                Field::Keep
            }
        }
    }

    fn recurrence(&mut self, value: &Value) -> Field<String> {
        match value.as_str() {
            _ if value.is_null() => Field::Clear,
            Some(rule) if occurrences::is_rule(rule) => Field::Set(rule.to_owned()),
            _ => {
                self.fault("/recurrence", "must be the value of an RRULE, as FREQ=DAILY;COUNT=5");
                Field::Keep
            }
        }
    }

    fn conference(&mut self, value: &Value) -> Field<ConferenceDraft> {
        let url = || {
            let object = value.as_object().filter(|object| object.len() == 1)?;
            object.get("url")?.as_str().filter(|url| is_web(url))
        };
        match (value, url()) {
            (Value::Null, _) => Field::Clear,
            (Value::String(word), _) if word == "create" => Field::Set(ConferenceDraft::Create),
            (_, Some(url)) => Field::Set(ConferenceDraft::Url(url.to_owned())),
            _ => {
                self.fault("/conference", "must be \"create\" or {\"url\": \"https://…\"}");
                Field::Keep
            }
        }
    }

    fn attendees(&mut self, value: &Value) -> Field<Vec<Invitee>> {
        let list = match value {
            Value::Null => return Field::Clear,
            Value::Array(list) if list.len() <= EVENT_ATTENDEES_MAX => list,
            _ => {
                let why = format!("must be a list of at most {EVENT_ATTENDEES_MAX}");
                self.fault("/attendees", why);
                return Field::Keep;
            }
        };
        let mut invitees: Vec<Invitee> = Vec::with_capacity(list.len());
        for (at, value) in list.iter().enumerate() {
            let Some(invitee) = self.invitee(at, value) else { continue };
            if invitees.iter().any(|other| other.email.eq_ignore_ascii_case(&invitee.email)) {
                self.fault(format!("/attendees/{at}/email"), "is there twice");
            }
            invitees.push(invitee);
        }
        Field::Set(invitees)
    }

    fn invitee(&mut self, at: usize, value: &Value) -> Option<Invitee> {
        let Value::Object(object) = value else {
            self.fault(format!("/attendees/{at}"), "must be an object with email");
            return None;
        };
        let known = ["email", "name", "optional"];
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            self.fault(format!("/attendees/{at}/{name}"), "unknown");
        }
        let email = object.get("email").and_then(Value::as_str).filter(|email| is_email(email));
        if email.is_none() {
            self.fault(format!("/attendees/{at}/email"), "must be an e-mail address");
        }
        let name = match object.get("name") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) if name.len() <= EVENT_TITLE_BYTES_MAX => Some(name.clone()),
            Some(_) => {
                self.fault(format!("/attendees/{at}/name"), "must be a text");
                None
            }
        };
        let optional = match object.get("optional") {
            None => false,
            Some(Value::Bool(optional)) => *optional,
            Some(_) => {
                self.fault(format!("/attendees/{at}/optional"), "must be true or false");
                false
            }
        };
        Some(Invitee { email: email?.to_owned(), name, optional })
    }

    fn properties(&mut self, value: &Value) -> Field<BTreeMap<String, String>> {
        let object = match value {
            Value::Null => return Field::Clear,
            Value::Object(object) if object.len() <= EVENT_PROPERTIES_MAX => object,
            _ => {
                let why = format!("must be an object of at most {EVENT_PROPERTIES_MAX} texts");
                self.fault("/properties", why);
                return Field::Keep;
            }
        };
        let mut properties = BTreeMap::new();
        for (name, value) in object {
            let text = value.as_str().unwrap_or_default();
            let fits = (1..=EVENT_PROPERTY_NAME_BYTES_MAX).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
                && text.len() <= EVENT_PROPERTY_BYTES_MAX;
            if value.is_string() && fits {
                properties.insert(name.clone(), text.to_owned());
            } else {
                let pointer = name.replace('~', "~0").replace('/', "~1");
                self.fault(
                    format!("/properties/{pointer}"),
                    format!(
                        "must be a text of at most {EVENT_PROPERTY_BYTES_MAX} bytes, under a name \
                         of at most {EVENT_PROPERTY_NAME_BYTES_MAX} letters, digits, -, _ and ."
                    ),
                );
            }
        }
        Field::Set(properties)
    }
}

fn read_when(text: &str, zone: Option<Zone>) -> Result<When, &'static str> {
    if !text.contains(['T', 't', ' ']) {
        let date = text.parse::<civil::Date>();
        return date.map(When::Date).map_err(|_| "must be a date (2026-12-02) or a time");
    }
    if let Some(at) = Timestamp::parse(text) {
        let zone = zone.unwrap_or(Zone::UTC);
        return Ok(When::At { local: zone.local(at), zone: zone.name() });
    }
    let local = text.parse::<civil::DateTime>();
    let local = local.map_err(|_| "must be a time as 2026-12-02T09:00:00Z")?;
    let zone = zone.ok_or("needs an offset, or a timeZone beside it")?;
    Ok(When::At { local, zone: zone.name() })
}

fn is_email(text: &str) -> bool {
    let (user, host) = text.rsplit_once('@').unwrap_or_default();
    let is_bad = |c: char| c.is_control() || c.is_whitespace() || "<>\",;:".contains(c);
    !user.is_empty() && !host.is_empty() && text.len() <= 254 && !text.contains(is_bad)
}

fn is_web(text: &str) -> bool {
    let url = url::Url::parse(text);
    url.is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.host_str().is_some())
}
