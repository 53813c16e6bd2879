//! Series: their occurrences, and instances as events.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use super::refusal::{Outcome, Refusal};
use super::when::When;
use super::world::{Calendar, Resource, Stored};
use crate::recurrence::Rule;

/// How far into the future a series without an end is expanded when nobody says.
const HORIZON_DAYS: i64 = 730;

/// One date of a series, as its rules say.
pub(super) struct Occurrence {
    pub(super) id: String,
    pub(super) start: When,
    pub(super) end: When,
}

/// Refuses lines that Google would not take.
pub(super) fn check(recurrence: &Value) -> Outcome<()> {
    let lines =
        recurrence.as_array().ok_or_else(|| Refusal::invalid("Invalid recurrence rule."))?;
    for line in lines {
        let line = line.as_str().unwrap_or_default();
        let known = match line.strip_prefix("RRULE:") {
            Some(rule) => Rule::parse(rule).is_some(),
            None => ["EXDATE", "RDATE"].iter().any(|name| line.starts_with(name)),
        };
        if !known {
            return Err(Refusal::invalid("Invalid recurrence rule."));
        }
    }
    Ok(())
}

/// The occurrences of a master that begin before `until`, in order.
pub(super) fn occurrences(master: &Resource, zone: &str, until: Timestamp) -> Vec<Occurrence> {
    let read = |name| When::read(master.get(name), name, zone).ok();
    let (Some(first), Some(end)) = (read("start"), read("end")) else { return Vec::new() };
    let id = master.get("id").and_then(Value::as_str).unwrap_or_default();
    let last = until.to_zoned(jiff::tz::TimeZone::UTC).date();
    let last = last.checked_add(1.day()).unwrap_or(last);
    let mut starts = BTreeMap::new();
    let mut without = Vec::new();
    for line in lines(master) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name == "RRULE" {
            for start in of_rule(value, &first, last, zone) {
                starts.insert(start.stamp(), start);
            }
        } else if name.starts_with("RDATE") {
            starts.extend(dates(line, &first, zone).into_iter().map(|at| (at.stamp(), at)));
            starts.insert(first.stamp(), first.clone());
        } else {
            without.extend(dates(line, &first, zone).iter().map(When::stamp));
        }
    }
    starts.retain(|stamp, start| !without.contains(stamp) && start.instant(zone) < until);
    let occurrence = |(stamp, start): (String, When)| Occurrence {
        id: format!("{id}_{stamp}"),
        end: When::end_of(&start, &first, &end),
        start,
    };
    starts.into_iter().map(occurrence).collect()
}

fn lines(master: &Resource) -> impl Iterator<Item = &str> {
    let lines = master.get("recurrence").and_then(Value::as_array);
    lines.into_iter().flatten().filter_map(Value::as_str)
}

fn of_rule(text: &str, first: &When, last: jiff::civil::Date, zone: &str) -> Vec<When> {
    let Some(rule) = Rule::parse(text) else { return Vec::new() };
    let days = rule.days(first.day(), last);
    let starts = days.into_iter().map(|day| first.on(day));
    let Some(until) = rule.until else { return starts.collect() };
    // UNTIL is a day, a UTC moment, or a local time; what begins exactly then still takes place.
    let until = match read_date(&until, first) {
        Some(When::Day(day)) if !matches!(first, When::Day(_)) => first.on(day).instant(zone),
        Some(until) => until.instant(zone),
        None => return starts.collect(),
    };
    starts.filter(|start| start.instant(zone) <= until).collect()
}

/// The dates of an EXDATE or RDATE line.
fn dates(line: &str, first: &When, zone: &str) -> Vec<When> {
    let (head, values) = line.split_once(':').unwrap_or((line, ""));
    let tz = head.split(';').find_map(|part| part.strip_prefix("TZID="));
    let tz = jiff::tz::TimeZone::get(tz.unwrap_or(zone)).ok();
    let read = |text: &str| match (read_date(text, first)?, &tz) {
        (When::At(at), Some(tz)) if !text.ends_with('Z') => {
            at.datetime().to_zoned(tz.clone()).ok().map(When::At)
        }
        (other, _) => Some(other),
    };
    values.split(',').filter_map(read).collect()
}

/// A date or time of RFC 5545; a local time is taken in the zone of `like`.
fn read_date(text: &str, like: &When) -> Option<When> {
    if text.len() == 8 {
        return jiff::civil::Date::strptime("%Y%m%d", text).ok().map(When::Day);
    }
    let local =
        jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", text.trim_end_matches('Z')).ok()?;
    let zone = match like {
        When::At(at) if !text.ends_with('Z') => at.time_zone().clone(),
        _ => jiff::tz::TimeZone::UTC,
    };
    local.to_zoned(zone).ok().map(When::At)
}

/// The event of one occurrence that nobody has touched.
pub(super) fn instance(master: &Resource, occurrence: &Occurrence) -> Resource {
    let mut instance = master.clone();
    instance.remove("recurrence");
    instance.insert("recurringEventId".into(), master.get("id").cloned().unwrap_or_default());
    instance.insert("originalStartTime".into(), occurrence.start.to_json());
    instance.insert("start".into(), occurrence.start.to_json());
    instance.insert("end".into(), occurrence.end.to_json());
    instance.insert("id".into(), occurrence.id.as_str().into());
    instance
}

impl Calendar {
    /// The event with this id: stored, or an untouched instance of a series.
    pub(super) fn event(&self, id: &str) -> Option<Stored> {
        if let Some(stored) = self.events.get(id) {
            return Some(stored.clone());
        }
        let (master, stamp) = id.rsplit_once('_')?;
        let master = self.events.get(master).filter(|master| !master.is_cancelled())?;
        // The stamp begins with the day in UTC; the occurrence is not later than two days after.
        let day = jiff::civil::Date::strptime("%Y%m%d", stamp.get(..8)?).ok()?;
        let until = day.checked_add(2.days()).ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        let all = occurrences(&master.resource, &self.time_zone, until.timestamp());
        let occurrence = all.into_iter().find(|occurrence| occurrence.id == id)?;
        let resource = instance(&master.resource, &occurrence);
        Some(Stored { resource, revision: master.revision, before: None })
    }

    /// The instances of a series: those that were touched as they are, cancelled ones too, and the others.
    pub(super) fn instances(&self, master: &Stored, until: Timestamp) -> Vec<Stored> {
        let id = master.text("id");
        let touched = self.events.values().filter(|stored| stored.master() == Some(id));
        let mut all: BTreeMap<String, Stored> =
            touched.map(|stored| (stored.text("id").to_owned(), stored.clone())).collect();
        for occurrence in occurrences(&master.resource, &self.time_zone, until) {
            all.entry(occurrence.id.clone()).or_insert_with(|| {
                let resource = instance(&master.resource, &occurrence);
                Stored { resource, revision: master.revision, before: None }
            });
        }
        all.into_values().collect()
    }

    /// How far series are expanded when the request gives no end.
    pub(super) fn horizon(now: tidings_core::clock::Timestamp) -> Timestamp {
        let now = Timestamp::from_millisecond(now.0).unwrap_or(Timestamp::UNIX_EPOCH);
        now.checked_add((HORIZON_DAYS * 24).hours()).unwrap_or(now)
    }

    /// From when to when the event takes place, all instances of a series together; `None`: without an end.
    pub(super) fn span(&self, stored: &Stored) -> Option<(Timestamp, Option<Timestamp>)> {
        let zone = &self.time_zone;
        if stored.is_cancelled() {
            let at = stored.resource.get("originalStartTime");
            let at = When::read(at, "start", zone).ok()?.instant(zone);
            return Some((at, Some(at)));
        }
        let read = |name| When::read(stored.resource.get(name), name, zone).ok();
        let (start, end) = (read("start")?.instant(zone), read("end")?.instant(zone));
        let mut rules = lines(&stored.resource).filter_map(|line| line.strip_prefix("RRULE:"));
        let endless = rules.any(|rule| !rule.contains("COUNT=") && !rule.contains("UNTIL="));
        if !stored.resource.contains_key("recurrence") {
            return Some((start, Some(end)));
        }
        let far = start.checked_add((HORIZON_DAYS * 24 * 5).hours()).unwrap_or(start);
        let last = occurrences(&stored.resource, zone, far).pop();
        Some((start, (!endless).then(|| last.map_or(end, |last| last.end.instant(zone)))))
    }
}
