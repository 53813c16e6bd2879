//! `eventData` and `meetingData` in the words of the service. Members that mean nothing here are refused
//! and not passed over: what a client writes must be there when it reads.

use serde_json::{Map, Value, json};

use crate::events::as_text;
use crate::refusal::{Fault, Location};
use crate::request::Fields;

mod recurrence;

/// The members of an `eventData` object.
pub(crate) fn event_data(fields: &Fields, is_new: bool, faults: &mut Vec<Fault>) -> Value {
    let mut reader = Reader::of(fields, &["eventData"], "event data is required.", faults);
    if is_new {
        reader.need("title", &["title"], "a title is required.");
        reader.need("startDate", &["startDate"], "a start date is required.");
        reader.need("endDate", &["endDate"], "an end date is required.");
    }
    reader.read(|reader, name, value| match name {
        "title" | "description" | "timeZone" => reader.set(name, value.clone()),
        "startDate" => reader.set("start", value.clone()),
        "endDate" => reader.set("end", value.clone()),
        "location" => reader.location(value),
        "attendees" => reader.attendees(value),
        "conferencing" => reader.conferencing(value),
        "recurrence" => reader.recurrence(value),
        "visibility" => reader.visibility(value),
        "meta" => reader.meta(value),
        _ => reader.fault(name, "is not supported here"),
    })
}

/// The members of a `meetingData` object (`eventData` is taken, too).
pub(crate) fn meeting_data(fields: &Fields, is_new: bool, faults: &mut Vec<Fault>) -> Value {
    let names = ["meetingData", "eventData"];
    let mut reader = Reader::of(fields, &names, "meeting data is required.", faults);
    if is_new {
        reader.need("title", &["title", "topic"], "a title is required.");
        reader.need("startDate", &["startDate", "start_time"], "a start date is required.");
        reader.need("endDate", &["endDate", "duration"], "an end date is required.");
    }
    reader.read(|reader, name, value| match name {
        "title" | "topic" => reader.set("title", value.clone()),
        "description" | "agenda" => reader.set("description", value.clone()),
        "startDate" | "start_time" => reader.set("start", value.clone()),
        "endDate" => reader.set("end", value.clone()),
        "duration" => reader.duration(value),
        "timeZone" | "timezone" => reader.set("timeZone", value.clone()),
        "attendees" => reader.attendees(value),
        "recurrence" => reader.recurrence(value),
        _ => reader.fault(name, "is not supported here"),
    })
}

struct Reader<'r> {
    /// What the object is called.
    whole: &'static str,
    given: Map<String, Value>,
    made: Map<String, Value>,
    faults: &'r mut Vec<Fault>,
}

impl<'r> Reader<'r> {
    fn of(
        fields: &Fields,
        names: &[&'static str],
        missing: &str,
        faults: &'r mut Vec<Fault>,
    ) -> Self {
        let found = names.iter().find_map(|name| Some((*name, fields.get(name)?)));
        let (whole, given) = match found {
            Some((name, Value::Object(members))) => (name, members.clone()),
            found => {
                let name = found.map_or(names[0], |(name, _)| name);
                faults.push(fields.fault(name, missing));
                (name, Map::new())
            }
        };
        Self { whole, given, made: Map::new(), faults }
    }

    /// Refuses a new thing that lacks one of these names for the same.
    fn need(&mut self, name: &str, names: &[&str], msg: &str) {
        let has = |name: &&str| match self.given.get(*name) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.trim().is_empty(),
            Some(_) => true,
        };
        // Without the object there is one fault already.
        if !self.given.is_empty() && !names.iter().any(has) {
            self.push(name, msg.to_owned());
        }
    }

    fn read(mut self, each: impl Fn(&mut Self, &str, &Value)) -> Value {
        for (name, value) in self.given.clone() {
            each(&mut self, &name, &value);
        }
        Value::Object(self.made)
    }

    fn set(&mut self, name: &str, value: Value) {
        self.made.insert(name.to_owned(), value);
    }

    fn fault(&mut self, name: &str, why: &str) {
        self.push(name, format!("{name} {why}"));
    }

    fn push(&mut self, name: &str, msg: String) {
        let value = self.given.get(name).filter(|value| !value.is_object()).cloned();
        let param = format!("{}.{name}", self.whole);
        self.faults.push(Fault { value, msg, param, location: Location::Body });
    }

    /// A text, or an object with a name, an address, or both.
    fn location(&mut self, value: &Value) {
        let Value::Object(place) = value else { return self.set("location", value.clone()) };
        let text = |name: &str| place.get(name).and_then(Value::as_str).map(str::to_owned);
        let named = ["displayName", "name", "title"].into_iter().find_map(text);
        let address = match place.get("address") {
            Some(Value::String(address)) => Some(address.clone()),
            Some(Value::Object(parts)) => {
                let order =
                    ["street", "city", "state", "postalCode", "zip", "country", "countryOrRegion"];
                let parts = order.iter().filter_map(|part| parts.get(*part)?.as_str());
                Some(parts.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
            }
            _ => None,
        };
        let said: Vec<String> = named.into_iter().chain(address).collect();
        if said.is_empty() {
            self.fault("location", "must be a text, or an object with displayName or address");
        } else {
            self.set("location", said.join(", ").into());
        }
    }

    /// Addresses, objects with an `email`, or attendees as Graph has them. What only the invited can say
    /// (their answer) is left out.
    fn attendees(&mut self, value: &Value) {
        let Value::Array(list) = value else { return self.set("attendees", value.clone()) };
        let person = |one: &Value| {
            let address = &one["emailAddress"];
            let optional = one["optional"] == true || one["type"] == "optional";
            let email = [one, &one["email"], &address["address"]];
            let name = [&one["name"], &one["displayName"], &address["name"]];
            let first = |of: [&Value; 3]| of.into_iter().find(|value| value.is_string()).cloned();
            json!({ "email": first(email), "name": first(name), "optional": optional })
        };
        self.set("attendees", list.iter().map(person).collect());
    }

    /// A meeting of the calendar's own provider, or one that is there already.
    fn conferencing(&mut self, value: &Value) {
        const OWN: [&str; 9] = [
            "google",
            "googlemeet",
            "hangoutsmeet",
            "meet",
            "microsoft",
            "microsoftteams",
            "teams",
            "teamsforbusiness",
            "create",
        ];
        let url =
            ["url", "joinUrl", "meetingUrl"].into_iter().find_map(|name| value[name].as_str());
        let kind = ["type", "provider"].into_iter().find_map(|name| value[name].as_str());
        let kind: String = kind.or(value.as_str()).unwrap_or_default().to_lowercase();
        let kind: String = kind.chars().filter(char::is_ascii_alphanumeric).collect();
        match value {
            Value::Null | Value::Bool(false) => self.set("conference", Value::Null),
            Value::Bool(true) => self.set("conference", "create".into()),
            _ if url.is_some() => self.set("conference", json!({ "url": url })),
            _ if OWN.contains(&kind.as_str()) => self.set("conference", "create".into()),
            _ => {
                let why = "must be the calendar's own (googleMeet, teams), or have the url of a \
                           meeting that was made before";
                self.fault("conferencing", why);
            }
        }
    }

    fn recurrence(&mut self, value: &Value) {
        if value.is_null() {
            return self.set("recurrence", Value::Null);
        }
        match recurrence::rule(value) {
            Some(rule) => self.set("recurrence", rule.into()),
            None => {
                let why = "must be an RRULE, or an object with frequency, interval, count, until \
                           and byDay";
                self.fault("recurrence", why);
            }
        }
    }

    /// In Google's words; `default` is as the calendar has it.
    fn visibility(&mut self, value: &Value) {
        let value = if value == "default" { Value::Null } else { value.clone() };
        self.set("privacy", value);
    }

    /// The application's own values, which are texts at every provider.
    fn meta(&mut self, value: &Value) {
        let Value::Object(values) = value else { return self.set("properties", value.clone()) };
        let texts = values.iter().map(|(name, value)| (name.clone(), as_text(value).into()));
        let texts: Map<String, Value> = texts.collect();
        self.set("properties", texts.into());
    }

    /// Minutes from the start.
    fn duration(&mut self, value: &Value) {
        let start = ["startDate", "start_time"].into_iter().find_map(|name| self.given.get(name));
        let start = start.and_then(Value::as_str).and_then(tidings_core::clock::Timestamp::parse);
        let minutes = value.as_i64().filter(|minutes| (1..=100_000).contains(minutes));
        match (start, minutes) {
            (Some(start), Some(minutes)) => {
                self.set("end", start.plus_ms(minutes * 60_000).to_string().into());
            }
            (None, Some(_)) => self.fault("duration", "goes with a startDate in RFC 3339"),
            _ => self.fault("duration", "must be a number of minutes"),
        }
    }
}

#[cfg(test)]
mod tests;
