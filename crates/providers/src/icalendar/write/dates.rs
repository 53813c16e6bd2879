//! Times as a calendar object writes them: in the form of its DTSTART.

use jiff::civil;
use tidings_core::clock::Timestamp;

use super::text::{Block, Line};
use crate::draft::When;
use crate::zone::{Zone, civil_of, wall_seconds};

const DAY_S: i64 = 86_400;

/// In which form times are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `VALUE=DATE`.
    Date,
    /// `…Z`.
    Utc,
    /// Neither zone nor `Z`; read as UTC.
    Floating,
    /// In a zone; without rules that we know, times are written in UTC.
    Zoned(String, Option<Zone>),
}

impl Form {
    /// The form of a property.
    pub(super) fn of(line: &Line) -> Self {
        let value = line.value().trim();
        if !value.contains(['T', 't']) {
            return Self::Date;
        }
        match line.parameter("TZID") {
            _ if value.ends_with(['Z', 'z']) => Self::Utc,
            Some(name) => Self::Zoned(name.to_owned(), Zone::named(name)),
            None => Self::Floating,
        }
    }

    /// The form of a draft's time.
    pub(super) fn of_draft(when: &When) -> Self {
        match when {
            When::Date(_) => Self::Date,
            When::At { zone, .. } => match Zone::named(zone).filter(|known| *known != Zone::UTC) {
                None => Self::Utc,
                known => Self::Zoned(zone.clone(), known),
            },
        }
    }

    fn zone(&self) -> Zone {
        match self {
            Self::Zoned(_, Some(zone)) => *zone,
            _ => Zone::UTC,
        }
    }

    /// What clocks show at a moment (both in seconds).
    pub(super) fn wall(&self, moment: i64) -> i64 {
        wall_seconds(self.zone().local(Timestamp(moment.saturating_mul(1_000))))
    }

    /// When clocks show `wall` (both in seconds).
    pub(super) fn moment(&self, wall: i64) -> i64 {
        self.zone().moment_of(wall)
    }

    /// The property `name` at a moment.
    pub(super) fn line(&self, name: &str, moment: i64) -> String {
        let text = self.text(moment);
        match self {
            Self::Date => format!("{name};VALUE=DATE:{text}"),
            Self::Zoned(zone, Some(_)) => format!("{name};TZID={}:{text}", plain(zone)),
            Self::Zoned(_, None) | Self::Utc | Self::Floating => format!("{name}:{text}"),
        }
    }

    fn text(&self, moment: i64) -> String {
        let local = civil_of(self.wall(moment));
        match self {
            Self::Date => local.strftime("%Y%m%d").to_string(),
            Self::Utc | Self::Zoned(_, None) => local.strftime("%Y%m%dT%H%M%SZ").to_string(),
            Self::Floating | Self::Zoned(..) => local.strftime("%Y%m%dT%H%M%S").to_string(),
        }
    }

    /// The moments that a line of dates (DTSTART, EXDATE, …) tells, seconds. A day among times stands for
    /// the occurrence of that day, `start` being the series' own start.
    pub(super) fn moments(&self, line: &Line, start: i64) -> Vec<i64> {
        let zone = line.parameter("TZID").and_then(Zone::named);
        let read = |value: &str| self.read(value, zone, start);
        line.value().split(',').filter_map(read).collect()
    }

    fn read(&self, value: &str, zone: Option<Zone>, start: i64) -> Option<i64> {
        let value = value.split('/').next()?.trim();
        let (date, time) = value.split_once(['T', 't']).unwrap_or((value, ""));
        let day = wall_seconds(date.parse::<civil::Date>().ok()?.at(0, 0, 0, 0));
        if time.is_empty() || *self == Self::Date {
            let of_day = if *self == Self::Date { 0 } else { self.wall(start).rem_euclid(DAY_S) };
            return Some(self.moment(day + of_day));
        }
        let clock = time.trim_end_matches(['Z', 'z']);
        let local = format!("{date}T{clock}").parse::<civil::DateTime>().ok()?;
        let zone =
            if clock.len() < time.len() { Zone::UTC } else { zone.unwrap_or_else(|| self.zone()) };
        Some(zone.moment_of(wall_seconds(local)))
    }
}

/// A zone's name as a parameter value.
fn plain(name: &str) -> String {
    let needs_quotes = name.contains([':', ';', ',']);
    if needs_quotes { format!("\"{}\"", name.replace('"', "")) } else { name.to_owned() }
}

/// `…Z` of now, for stamps.
pub(super) fn stamp(name: &str, now: Timestamp) -> String {
    Form::Utc.line(name, now.unix_seconds())
}

/// What keeps the dates of a series right when its start moves: each moves as the start does, by the clock,
/// and is written in the form of the new start.
#[derive(Debug)]
pub(super) struct Shift {
    from: Form,
    from_start: i64,
    to: Form,
    by: i64,
}

impl Shift {
    /// From one DTSTART to another.
    pub(super) fn between(old: &Line, new: &Line) -> Option<Self> {
        let (from, to) = (Form::of(old), Form::of(new));
        let from_start = *from.moments(old, 0).first()?;
        let to_start = *to.moments(new, 0).first()?;
        let by = to.wall(to_start) - from.wall(from_start);
        (by != 0 || from != to).then_some(Self { from, from_start, to, by })
    }

    fn moved(&self, line: &Line, name: &str) -> Option<String> {
        let moments = self.from.moments(line, self.from_start);
        let moved = moments.iter().map(|at| self.to.moment(self.from.wall(*at) + self.by));
        let moved: Vec<i64> = moved.collect();
        let (first, rest) = moved.split_first()?;
        let mut text = self.to.line(name, *first);
        for at in rest {
            text.push(',');
            text.push_str(&self.to.text(*at));
        }
        Some(text)
    }

    /// Moves the dates of these names.
    pub(super) fn apply(&self, block: &mut Block, names: &[&str]) {
        block.rewrite(|line| {
            let name = names.iter().find(|name| line.is(name))?;
            // Periods keep their own length, which nothing here changes.
            let is_period = line.value().contains('/');
            (!is_period).then(|| self.moved(line, name))
        });
    }
}

/// Keeps only the dates of a line that `keep` accepts; `None` when all of it stays.
pub(super) fn kept(
    form: &Form,
    start: i64,
    line: &Line,
    name: &str,
    keep: impl Fn(i64) -> bool,
) -> Option<Option<String>> {
    let moments = form.moments(line, start);
    if moments.iter().all(|at| keep(*at)) {
        return None;
    }
    let left: Vec<i64> = moments.into_iter().filter(|at| keep(*at)).collect();
    Some(left.split_first().map(|(first, rest)| {
        let mut text = form.line(name, *first);
        for at in rest {
            text.push(',');
            text.push_str(&form.text(*at));
        }
        text
    }))
}
