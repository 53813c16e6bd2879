//! What a list of events is asked for. What the mirror cannot answer truthfully is refused.

use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_service::EventQuery;

use super::super::as_text;
use super::token::Token;
use crate::refusal::Fault;
use crate::request::{Provider, Query};
use crate::shape::Shown;

/// Events on a page unless `maxResults` says otherwise, and the most that it may say: those of Google.
/// A page holds no more than [`limits::PAGE_MAX`].
const LIMIT: u32 = 250;
const LARGEST: u32 = 2_500;

/// Parameters that a sync token excludes, as at Google.
const NOT_WITH_SYNC: [&str; 9] = [
    "startDate",
    "endDate",
    "search",
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "sharedExtendedProperty",
    "eventTypes",
    "singleEvents",
];

const EVENT_TYPES: [&str; 6] =
    ["birthday", "default", "focusTime", "fromGmail", "outOfOffice", "workingLocation"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    StartTime,
    Updated,
}

impl Order {
    /// Times as events tell them sort as texts do.
    pub(super) fn key(self, shown: &Shown) -> String {
        let member = match self {
            Self::StartTime => "start",
            Self::Updated => "lastModified",
        };
        shown.event[member].as_str().unwrap_or_default().to_owned()
    }
}

/// What to list.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) query: EventQuery,
    pub(super) limit: u32,
    pub(super) order: Option<Order>,
    pub(super) token: Option<Token>,
    /// Whether a sync token was given.
    pub(super) since: bool,
    /// Every word in lower case.
    search: Vec<String>,
    subject_only: bool,
    ical_uid: Option<String>,
    event_types: Vec<String>,
    private: Vec<(String, String)>,
    shared: Vec<(String, String)>,
    max_attendees: Option<usize>,
}

impl Filter {
    pub(super) fn read(provider: Provider, query: &Query, faults: &mut Vec<Fault>) -> Self {
        let merged = with_filters(query, faults);
        let mut reader = Reader { query: &merged, faults };
        let mut filter = reader.common();
        match provider {
            Provider::Google => reader.google(&mut filter),
            _ => {
                filter.subject_only = true;
                for name in ["$expand", "$filter"] {
                    reader
                        .refuse(name, "is not supported here: custom properties are not mirrored");
                }
            }
        }
        filter
    }

    /// Whether nothing is left out of the calendar.
    pub(super) fn is_everything(&self) -> bool {
        self.query == EventQuery::default()
            && self.search.is_empty()
            && self.ical_uid.is_none()
            && self.event_types.is_empty()
            && self.private.is_empty()
            && self.shared.is_empty()
    }

    /// The event as it is printed, if it is one of those asked for.
    pub(super) fn take(&self, shown: Shown) -> Option<Value> {
        self.fits(&shown).then(|| self.trimmed(shown.object))
    }

    fn fits(&self, shown: &Shown) -> bool {
        let Shown { event, object } = shown;
        let kind = object["eventType"].as_str().unwrap_or("default");
        let has = |space: &str, wanted: &[(String, String)]| {
            let held = &object["extendedProperties"][space];
            wanted.iter().all(|(name, value)| held[name] == value.as_str())
        };
        self.says(event)
            && self.ical_uid.as_deref().is_none_or(|uid| event["uid"] == uid)
            && (self.event_types.is_empty() || self.event_types.iter().any(|one| one == kind))
            && has("private", &self.private)
            && has("shared", &self.shared)
    }

    /// Whether every word that is searched for is somewhere in the event.
    fn says(&self, event: &Value) -> bool {
        if self.search.is_empty() {
            return true;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
        let mut said = text(&event["title"]);
        if !self.subject_only {
            for member in ["description", "location"] {
                said = format!("{said}\n{}", text(&event[member]));
            }
            for person in event["attendees"].as_array().into_iter().flatten() {
                said = format!("{said}\n{}\n{}", text(&person["name"]), text(&person["email"]));
            }
        }
        self.search.iter().all(|word| said.contains(word))
    }

    /// With more attendees than asked for, only the participant is told.
    pub(super) fn trimmed(&self, mut object: Value) -> Value {
        let most = self.max_attendees.unwrap_or(usize::MAX);
        let attendees = object.get_mut("attendees").and_then(Value::as_array_mut);
        if let Some(attendees) = attendees.filter(|all| all.len() > most) {
            attendees.retain(|attendee| attendee["self"] == true);
            object["attendeesOmitted"] = json!(true);
        }
        object
    }
}

/// The query with what the older `filters` parameter holds as JSON.
fn with_filters(query: &Query, faults: &mut Vec<Fault>) -> Query {
    let Some(text) = query.get("filters") else { return query.clone() };
    let mut merged = query.clone();
    match serde_json::from_str(text) {
        Ok(Value::Object(filters)) => {
            for (name, value) in filters {
                match value {
                    Value::Array(values) => {
                        merged.0.extend(values.iter().map(|one| (name.clone(), as_text(one))));
                    }
                    one => merged.0.push((name, as_text(&one))),
                }
            }
        }
        _ => faults.push(query.fault("filters", "filters must be a JSON object")),
    }
    merged
}

struct Reader<'r> {
    query: &'r Query,
    faults: &'r mut Vec<Fault>,
}

impl Reader<'_> {
    fn fault(&mut self, name: &str, msg: impl Into<String>) {
        self.faults.push(self.query.fault(name, msg));
    }

    fn refuse(&mut self, name: &str, why: &str) {
        if self.query.get(name).is_some() {
            self.fault(name, format!("{name} {why}"));
        }
    }

    fn common(&mut self) -> Filter {
        let from = self.date("startDate");
        let to = self.date("endDate");
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            self.fault("endDate", "endDate must be after startDate");
        }
        let limit = self.number("maxResults", LARGEST).unwrap_or(LIMIT).min(limits::PAGE_MAX);
        let words = self.query.get("search").unwrap_or_default().to_lowercase();
        let page = self.query.get("nextPageToken").or_else(|| self.query.get("pageToken"));
        let token = page.and_then(Token::parse);
        if page.is_some() && token.is_none() {
            let msg = "nextPageToken is no token of this list: begin again without it";
            self.fault("nextPageToken", msg);
        }
        Filter {
            query: EventQuery { from, to, expand: false },
            limit,
            token,
            search: words.split_whitespace().map(Into::into).collect(),
            ..Filter::default()
        }
    }

    fn google(&mut self, filter: &mut Filter) {
        filter.ical_uid = self.query.get("iCalUID").map(Into::into);
        filter.event_types = self.event_types();
        filter.private = self.properties("privateExtendedProperty");
        filter.shared = self.properties("sharedExtendedProperty");
        let most = self.number("maxAttendees", u32::MAX);
        filter.max_attendees = most.and_then(|most| usize::try_from(most).ok());
        filter.query.expand = self.flag("singleEvents");
        if filter.query.expand && !is_bounded(filter.query) {
            let msg = format!(
                "singleEvents needs startDate and endDate, at most {} days apart",
                limits::EXPAND_DAYS_MAX
            );
            self.fault("singleEvents", msg);
        }
        filter.order = match self.query.get("orderBy") {
            None => None,
            Some("updated") => Some(Order::Updated),
            Some("startTime") if filter.query.expand => Some(Order::StartTime),
            Some("startTime") => {
                self.fault("orderBy", "startTime is only available with singleEvents");
                None
            }
            Some(_) => {
                self.fault("orderBy", "orderBy must be startTime or updated");
                None
            }
        };
        self.refuse("timeZone", "is not supported here: times are printed as the provider does");
        self.refuse("updatedMin", "is not supported here: continue with a syncToken");
        self.sync(filter);
    }

    fn sync(&mut self, filter: &mut Filter) {
        let shows_deleted = self.flag("showDeleted");
        let Some(text) = self.query.get("syncToken") else {
            if shows_deleted {
                let msg = "deleted events are not kept: they are told to who gives a syncToken";
                self.fault("showDeleted", msg);
            }
            return;
        };
        filter.since = true;
        for name in NOT_WITH_SYNC {
            self.refuse(name, "cannot be combined with syncToken");
        }
        match Token::parse(text) {
            Some(Token::Since { seq }) => {
                filter.token.get_or_insert(Token::Since { seq });
            }
            _ => self.fault("syncToken", "syncToken is none that was given out here"),
        }
    }

    fn event_types(&mut self) -> Vec<String> {
        let all = self.query.all("eventTypes").flat_map(|types| types.split(','));
        let all: Vec<String> = all.map(|one| one.trim().to_owned()).collect();
        if all.iter().any(|one| !EVENT_TYPES.contains(&one.as_str())) {
            self.fault("eventTypes", format!("eventTypes must be of {}", EVENT_TYPES.join(", ")));
        }
        all
    }

    fn properties(&mut self, name: &str) -> Vec<(String, String)> {
        let pairs = self.query.all(name).map(|text| text.split_once('='));
        let pairs: Option<Vec<_>> = pairs.collect();
        if pairs.is_none() {
            self.fault(name, format!("{name} must be propertyName=value"));
        }
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        pairs.into_iter().flatten().map(owned).collect()
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.query.get(name) {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(_) => {
                self.fault(name, format!("{name} must be true or false"));
                false
            }
        }
    }

    fn number(&mut self, name: &str, max: u32) -> Option<u32> {
        let text = self.query.get(name)?;
        let number = text.parse().ok().filter(|number| (1..=max).contains(number));
        if number.is_none() {
            self.fault(name, format!("{name} must be an integer from 1 to {max}"));
        }
        number
    }

    fn date(&mut self, name: &str) -> Option<Timestamp> {
        let date = moment(self.query.get(name)?);
        if date.is_none() {
            self.fault(name, format!("{name} must be a date or a timestamp"));
        }
        date
    }
}

fn is_bounded(query: EventQuery) -> bool {
    let span = query.from.zip(query.to).map(|(from, to)| to.0 - from.0);
    span.is_some_and(|span| span <= limits::EXPAND_DAYS_MAX * 86_400_000)
}

/// `01-31-2022` (month first), `2022-01-31`, RFC 3339, or milliseconds (or seconds) since the Unix epoch.
/// A day begins at midnight UTC.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    if let Some(at) = Timestamp::parse(text) {
        return Some(at);
    }
    if text.len() >= 9 && text.bytes().all(|b| b.is_ascii_digit()) {
        let number: i64 = text.parse().ok()?;
        let ms = if text.len() > 11 { number } else { number.checked_mul(1_000)? };
        return Some(Timestamp(ms)).filter(|at| at.0 < 253_402_300_800_000);
    }
    let parts: Vec<&str> = text.split(['-', '/']).collect();
    let [first, second, third] = parts.as_slice() else { return None };
    let (year, month, day) =
        if first.len() == 4 { (first, second, third) } else { (third, first, second) };
    Timestamp::parse(&format!("{year:0>4}-{month:0>2}-{day:0>2}T00:00:00Z"))
}

#[cfg(test)]
mod tests;
