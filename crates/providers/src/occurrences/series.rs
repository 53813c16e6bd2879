//! A series as it is walked.

use std::collections::BTreeSet;

use calcard::common::timezone::Tz;
use calcard::{Entry, Parser};
use jiff::civil;
use serde_json::Value;
use tidings_core::clock::Timestamp;
use tidings_core::limits::OCCURRENCES_MAX;

use crate::draft::When;
use crate::event::{Event, Original};
use crate::rule::Rule;
use crate::zone::{Zone, civil_of, wall_seconds};

const DAY_S: i64 = 86_400;

/// All times in seconds; days are read as UTC.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) all_day: bool,
    zone: Zone,
    /// Wall clock.
    start: i64,
    /// By the wall clock.
    length: i64,
    rule: Option<Rule>,
    /// Moments that EXDATE removes.
    removed: BTreeSet<i64>,
    /// Moments that RDATE adds.
    added: BTreeSet<i64>,
}

impl Series {
    /// `None` when the event says no start.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let all_day = event.all_day;
        let zone = event.time_zone.as_deref().filter(|_| !all_day).and_then(Zone::named);
        let zone = zone.unwrap_or(Zone::UTC);
        let first = second_of(event.start.as_deref()?)?;
        let last = event.end.as_deref().and_then(second_of).unwrap_or(first);
        let start = wall(zone, first);
        let mut series = Self {
            all_day,
            zone,
            start,
            length: (wall(zone, last) - start).max(0),
            rule: event.recurrence.as_deref().and_then(Rule::parse),
            removed: BTreeSet::new(),
            added: BTreeSet::new(),
        };
        // An exception's own object may repeat the lines of its series.
        if event.recurring_event_id.is_none() {
            series.read_dates(&event.original);
        }
        Some(series)
    }

    /// EXDATE and RDATE, which the normalised event leaves to the provider's own object.
    fn read_dates(&mut self, original: &Original) {
        match original {
            Original::Resource { icalendar, .. } => {
                icalendar.lines().for_each(|line| self.read_line(line));
            }
            Original::Object(object) => {
                let lines = object.get("recurrence").and_then(Value::as_array);
                lines.into_iter().flatten().filter_map(Value::as_str).for_each(|line| {
                    self.read_line(line);
                });
            }
        }
    }

    fn read_line(&mut self, line: &str) {
        let Some((head, values)) = line.rsplit_once(':') else { return };
        let mut parameters = head.split(';');
        let name = parameters.next().unwrap_or_default().to_ascii_uppercase();
        if !matches!(name.as_str(), "EXDATE" | "RDATE") {
            return;
        }
        let zone = parameters.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let is_zone = name.eq_ignore_ascii_case("TZID");
            is_zone.then(|| Zone::named(value.trim_matches('"'))).flatten()
        });
        let moments = values.split(',').filter_map(|value| self.moment_of(value, zone));
        let moments: Vec<i64> = moments.collect();
        let set = if name == "EXDATE" { &mut self.removed } else { &mut self.added };
        set.extend(moments);
    }

    /// A DATE stands for the occurrence of that day; of a PERIOD the start counts.
    fn moment_of(&self, value: &str, zone: Option<Zone>) -> Option<i64> {
        let value = value.split('/').next()?.trim();
        let (date, time) = value.split_once(['T', 't']).unwrap_or((value, ""));
        let day = wall_seconds(date.parse::<civil::Date>().ok()?.at(0, 0, 0, 0));
        if time.is_empty() || self.all_day {
            return Some(self.zone.moment_of(day + self.start.rem_euclid(DAY_S)));
        }
        let clock = time.trim_end_matches(['Z', 'z']);
        let local = format!("{date}T{clock}").parse::<civil::DateTime>().ok()?;
        let zone = if clock.len() < time.len() { Zone::UTC } else { zone.unwrap_or(self.zone) };
        Some(zone.moment_of(wall_seconds(local)))
    }

    pub(super) fn is_series(&self) -> bool {
        self.rule.is_some() || !self.added.is_empty()
    }

    /// The moments at which occurrences begin, in order, and whether these are all (before `to`).
    pub(super) fn starts(&self, to: Option<Timestamp>) -> (Vec<i64>, bool) {
        let (starts, complete) = self.rule_starts(to);
        let mut all: BTreeSet<i64> = starts.into_iter().collect();
        all.extend(&self.added);
        (all.difference(&self.removed).copied().collect(), complete)
    }

    /// As [`Series::starts`], by the rule alone.
    pub(super) fn rule_starts(&self, to: Option<Timestamp>) -> (Vec<i64>, bool) {
        let Some(rule) = &self.rule else {
            return (vec![self.zone.moment_of(self.start)], true);
        };
        let horizon = to.map(|to| wall(self.zone, to.unix_seconds()).saturating_add(DAY_S));
        let until = match (self.until(), horizon.filter(|_| rule.count().is_none())) {
            (Some(until), Some(horizon)) => Some(until.min(horizon)),
            (until, horizon) => until.or(horizon),
        };
        let mut local = rule.without("UNTIL");
        if let Some(until) = until {
            local = local.with("UNTIL", floating(until));
        }
        let walls = walk(self.start, &local);
        let complete = walls.len() < OCCURRENCES_MAX;
        (walls.into_iter().map(|wall| self.zone.moment_of(wall)).collect(), complete)
    }

    /// UNTIL by the wall clock. It is a moment where the series has times; a date there is read as the
    /// whole day.
    fn until(&self) -> Option<i64> {
        let text = self.rule.as_ref()?.get("UNTIL")?;
        let (date, time) = text.split_once('T').unwrap_or((text, ""));
        let day = wall_seconds(date.parse::<civil::Date>().ok()?.at(0, 0, 0, 0));
        if self.all_day {
            return Some(day);
        }
        if time.is_empty() {
            return Some(day + DAY_S - 1);
        }
        let clock = time.trim_end_matches('Z');
        let local = format!("{date}T{clock}").parse::<civil::DateTime>().ok()?;
        let seconds = wall_seconds(local);
        Some(if clock.len() < time.len() { wall(self.zone, seconds) } else { seconds })
    }

    /// When the occurrence that begins at `start` ends: it lasts as long by the clock.
    pub(super) fn end_of(&self, start: i64) -> i64 {
        self.zone.moment_of(wall(self.zone, start) + self.length)
    }

    /// The single dates as lines: those before `second`, and the others.
    pub(super) fn date_lines(&self, second: i64) -> (Vec<String>, Vec<String>) {
        let line = |name: &str, dates: &mut dyn Iterator<Item = &i64>| {
            let dates: Vec<String> = dates.map(|at| compact(*at, self.all_day)).collect();
            let kind = if self.all_day { ";VALUE=DATE" } else { "" };
            (!dates.is_empty()).then(|| format!("{name}{kind}:{}", dates.join(",")))
        };
        let sets = [("EXDATE", &self.removed), ("RDATE", &self.added)];
        let before = sets.iter().filter_map(|(name, set)| line(name, &mut set.range(..second)));
        let after = sets.iter().filter_map(|(name, set)| line(name, &mut set.range(second..)));
        (before.collect(), after.collect())
    }

    /// First start and last end.
    pub(super) fn span(&self) -> (i64, Option<i64>) {
        let first = self.zone.moment_of(self.start);
        let earliest = self.added.first().map_or(first, |added| first.min(*added));
        let last = match &self.rule {
            None => Some(first),
            Some(rule) if rule.count().is_some() => {
                let (starts, complete) = self.rule_starts(None);
                complete.then(|| starts.last().copied().unwrap_or(first))
            }
            Some(_) => self.until().map(|until| self.zone.moment_of(until)),
        };
        let last = last.map(|last| self.added.last().map_or(last, |added| last.max(*added)));
        (earliest, last.map(|last| self.end_of(last.max(first))))
    }
}

/// The readings of the wall clock that `rule` yields from `start`.
fn walk(start: i64, rule: &Rule) -> Vec<i64> {
    let text = format!(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:{}\r\nRRULE:{rule}\r\nEND:VEVENT\r\n\
         END:VCALENDAR\r\n",
        floating(start)
    );
    let Entry::ICalendar(calendar) = Parser::new(&text).entry() else { return vec![start] };
    let found = calendar.expand_dates(Tz::Floating, OCCURRENCES_MAX).events;
    let mut walls: Vec<i64> =
        found.iter().map(|event| event.start.naive_local().and_utc().timestamp()).collect();
    walls.sort_unstable();
    walls.dedup();
    walls
}

fn wall(zone: Zone, second: i64) -> i64 {
    wall_seconds(zone.local(Timestamp(second.saturating_mul(1_000))))
}

fn floating(wall: i64) -> String {
    civil_of(wall).strftime("%Y%m%dT%H%M%S").to_string()
}

/// `20261203T080000Z`, or `20261203`.
pub(super) fn compact(second: i64, all_day: bool) -> String {
    let format = if all_day { "%Y%m%d" } else { "%Y%m%dT%H%M%SZ" };
    civil_of(second).strftime(format).to_string()
}

/// As an event tells it.
pub(super) fn told(second: i64, all_day: bool) -> String {
    if all_day {
        civil_of(second).date().to_string()
    } else {
        Timestamp(second * 1_000).to_string()
    }
}

/// The reverse of [`told`].
pub(super) fn second_of(told: &str) -> Option<i64> {
    match Timestamp::parse(told) {
        Some(at) => Some(at.unix_seconds()),
        None => Some(wall_seconds(told.parse::<civil::Date>().ok()?.at(0, 0, 0, 0))),
    }
}

/// `base` moved by what lies between `old` and `new`, by the clock of `new`.
pub(super) fn moved(new: &When, old: Timestamp, base: Timestamp) -> When {
    match new {
        When::Date(date) => {
            let day = |at: Timestamp| at.unix_seconds().div_euclid(DAY_S);
            let by = wall_seconds(date.at(0, 0, 0, 0)) / DAY_S - day(old);
            When::Date(civil_of((day(base) + by) * DAY_S).date())
        }
        When::At { local, zone } => {
            let known = Zone::named(zone).unwrap_or(Zone::UTC);
            let by = wall_seconds(*local) - wall(known, old.unix_seconds());
            let at = wall(known, base.unix_seconds()) + by;
            When::At { local: civil_of(at), zone: zone.clone() }
        }
    }
}
