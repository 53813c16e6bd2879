//! Other people, who edit calendars at their providers.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::id::Ids;
use tidings_simulators::google::{Google, PERSON};
use tidings_simulators::graph::{ADA, Graph};

use super::{GOOGLE, MICROSOFT};

/// Below this people only make events.
const FEW: usize = 12;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const WEEKDAYS: [(&str, &str); 7] = [
    ("TH", "thursday"),
    ("FR", "friday"),
    ("SA", "saturday"),
    ("SU", "sunday"),
    ("MO", "monday"),
    ("TU", "tuesday"),
    ("WE", "wednesday"),
];

pub(super) struct People<'a> {
    google: &'a Google,
    graph: &'a Graph,
    calendar: String,
    dice: Ids,
    today: Timestamp,
    number: usize,
    /// How often each event was edited, by side and id.
    pub(super) edits: [BTreeMap<String, usize>; 2],
}

/// An hour or a day.
#[derive(Clone, Copy)]
struct Slot {
    begins: Timestamp,
    ends: Timestamp,
    all_day: bool,
}

impl<'a> People<'a> {
    pub(super) fn new(google: &'a Google, graph: &'a Graph) -> Self {
        let now = Clock::system().now().0;
        Self {
            google,
            graph,
            calendar: graph.default_calendar(ADA),
            dice: Ids::seeded(7),
            today: Timestamp(now - now.rem_euclid(DAY)),
            number: 0,
            edits: Default::default(),
        }
    }

    /// A number below `sides`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is small")]
    pub(super) fn dice(&self, sides: usize) -> usize {
        (self.dice.fraction() * sides as f64) as usize
    }

    /// One edit on one side; returns which.
    pub(super) fn edit(&mut self) -> usize {
        let side = self.dice(2);
        let truth = self.truth();
        let there: Vec<(&String, &String)> = truth[side].iter().collect();
        self.number += 1;
        let what = if there.len() < FEW { 0 } else { self.dice(10) };
        let id = match what {
            0 | 1 => self.create(side),
            _ => {
                let (id, says) = there[self.dice(there.len())];
                match what {
                    2 | 3 => self.delete(side, id),
                    4 | 5 if says.contains("series") => self.retitle(side, id),
                    4 | 5 => self.reschedule(side, id, says.contains("day")),
                    6 => self.describe(side, id),
                    _ => self.retitle(side, id),
                }
                id.clone()
            }
        };
        *self.edits[side].entry(id).or_default() += 1;
        side
    }

    fn slot(&self, all_day: bool) -> Slot {
        let day = self.today.plus_ms(DAY * (1 + self.dice(60) as i64));
        if all_day {
            return Slot { begins: day, ends: day.plus_ms(DAY), all_day };
        }
        let begins = day.plus_ms(HOUR * (8 + self.dice(9) as i64));
        Slot { begins, ends: begins.plus_ms(HOUR), all_day }
    }

    fn create(&self, side: usize) -> String {
        let kind = self.dice(5);
        let slot = self.slot(kind == 0);
        let title = format!("Event {}", self.number);
        let (short, long) = WEEKDAYS[(slot.begins.0.div_euclid(DAY) % 7) as usize];
        if side == GOOGLE {
            let mut event = json!({ "summary": title, "location": "Room 1" });
            slot.at_google(&mut event);
            if kind == 1 {
                event["recurrence"] = json!([format!("RRULE:FREQ=WEEKLY;COUNT=4;BYDAY={short}")]);
            }
            let made = self.google.create_event(PERSON, &event);
            return made["id"].as_str().unwrap().to_owned();
        }
        let mut event = json!({ "subject": title, "location": { "displayName": "Room 2" } });
        slot.at_graph(&mut event);
        if kind == 1 {
            event["recurrence"] = json!({
                "pattern": { "type": "weekly", "interval": 1, "daysOfWeek": [long] },
                "range": { "type": "numbered", "startDate": date(slot.begins), "numberOfOccurrences": 4 },
            });
        }
        self.graph.create_event(ADA, &self.calendar, event)
    }

    fn retitle(&self, side: usize, id: &str) {
        let title = format!("Title {}", self.number);
        self.change(side, id, &json!({ "summary": title }), json!({ "subject": title }));
    }

    fn describe(&self, side: usize, id: &str) {
        let (text, place) = (format!("Text {}", self.number), format!("Room {}", self.number));
        let body = json!({ "contentType": "text", "content": text });
        let graph = json!({ "body": body, "location": { "displayName": place } });
        self.change(side, id, &json!({ "description": text, "location": place }), graph);
    }

    fn reschedule(&self, side: usize, id: &str, all_day: bool) {
        let slot = self.slot(all_day);
        let (mut google, mut graph) = (json!({}), json!({}));
        slot.at_google(&mut google);
        slot.at_graph(&mut graph);
        self.change(side, id, &google, graph);
    }

    fn change(&self, side: usize, id: &str, google: &Value, graph: Value) {
        match side {
            GOOGLE => drop(self.google.edit_event(PERSON, id, google)),
            _ => self.graph.edit_event(ADA, id, graph),
        }
    }

    fn delete(&self, side: usize, id: &str) {
        match side {
            GOOGLE => self.google.delete_event(PERSON, id),
            _ => self.graph.delete_event(ADA, id),
        }
    }

    /// What each calendar holds, by id: title, times and kind.
    pub(super) fn truth(&self) -> [BTreeMap<String, String>; 2] {
        let mut truth: [BTreeMap<String, String>; 2] = Default::default();
        for (id, event) in &self.google.truth()[PERSON] {
            let at = |name: &str| match &event[name]["date"] {
                Value::String(day) => format!("{day}T00:00:00Z"),
                _ => event[name]["dateTime"].as_str().unwrap().to_owned(),
            };
            let says = says(&event["summary"], &at("start"), &at("end"), &event["recurrence"]);
            truth[GOOGLE].insert(id.clone(), says);
        }
        let calendar = self.graph.truth(ADA).into_iter().find(|one| one.id == self.calendar);
        for (id, event) in calendar.unwrap().events {
            let at = |name: &str| event[name].as_str().unwrap();
            let series = if event["type"] == "seriesMaster" { json!(true) } else { Value::Null };
            truth[MICROSOFT].insert(id, says(&event["title"], at("start"), at("end"), &series));
        }
        truth
    }
}

impl Slot {
    fn at_google(self, event: &mut Value) {
        for (name, at) in [("start", self.begins), ("end", self.ends)] {
            event[name] = match self.all_day {
                true => json!({ "date": date(at) }),
                false => json!({ "dateTime": at.to_string(), "timeZone": "UTC" }),
            };
        }
    }

    fn at_graph(self, event: &mut Value) {
        event["isAllDay"] = self.all_day.into();
        for (name, at) in [("start", self.begins), ("end", self.ends)] {
            let local = at.to_string()[..19].to_owned();
            event[name] = json!({ "dateTime": local, "timeZone": "UTC" });
        }
    }
}

fn date(at: Timestamp) -> String {
    at.to_string()[..10].to_owned()
}

fn says(title: &Value, start: &str, end: &str, series: &Value) -> String {
    let at = |time: &str| Timestamp::parse(time).unwrap_or_else(|| panic!("{time} is no time"));
    let (start, end) = (at(start), at(end));
    let kind = match (series.is_null(), end.0 - start.0 == DAY) {
        (false, true) => "daylong series",
        (false, false) => "series",
        (true, true) => "day",
        (true, false) => "hour",
    };
    format!("{} {start} {end} {kind}", title.as_str().unwrap())
}
