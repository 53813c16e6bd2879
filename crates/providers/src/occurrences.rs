//! The occurrences of a series: computed from its rule, its single dates and its exceptions, by the
//! clock of its own time zone.
//!
//! Rules are walked by the wall clock, without any zone, and each reading is then turned into a
//! moment: a meeting at nine stays at nine when clocks change.

use std::collections::BTreeSet;

use tidings_core::clock::Timestamp;

use crate::draft::{EventDraft, Field, When};
use crate::event::{Event, Original};
use crate::rule::Rule;
use series::{Series, compact, second_of, told};

mod series;

/// What a series has in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Occurrences {
    /// Key and body, by start. Exceptions have their own key, computed ones that of [`key`].
    pub events: Vec<(String, Event)>,
    /// Whether that is all: a limit may have been reached.
    pub complete: bool,
}

/// A series in two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The rule up to the split.
    pub before: Rule,
    /// The rule from there on.
    pub after: Rule,
    /// EXDATE and RDATE lines of single dates before the split.
    pub dates_before: Vec<String>,
    /// Those from there on.
    pub dates_after: Vec<String>,
}

/// Whether `rule` is the value of one RRULE.
pub fn is_rule(rule: &str) -> bool {
    Rule::parse(rule).is_some()
}

/// The key of an occurrence that has no item of its own: that of its master, `#`, and the moment at
/// which it begins by the rule (`20261203T080000Z`, or `20261203`).
pub fn key(master: &str, recurrence_id: &str) -> String {
    format!("{master}#{recurrence_id}")
}

/// The reverse of [`key`]: the master's key and the moment. `None` for any other key.
pub fn split_key(key: &str) -> Option<(&str, &str)> {
    let (master, moment) = key.rsplit_once('#')?;
    let is_stamp = matches!(moment.len(), 8 | 16)
        && moment.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'T' | b'Z'));
    is_stamp.then_some((master, moment))
}

/// The compact form of an event's time: `2026-12-03T08:00:00.000Z` -> `20261203T080000Z`.
pub fn stamp(time: &str) -> Option<String> {
    Some(compact(second_of(time)?, !time.contains('T')))
}

/// Whether an event takes place more than once: by a rule, or by dates that were added (RDATE).
pub fn is_series(event: &Event) -> bool {
    Series::of(event).is_some_and(|series| series.is_series())
}

/// The occurrences of the series `master` that take place at least partly in `[from, to)`, `limit` at
/// most. `exceptions` are the series' own items: each replaces the occurrence that it names; one that
/// is cancelled removes it. An event that is no series is its only occurrence.
pub fn expand(
    master: (&str, &Event),
    exceptions: &[(String, Event)],
    from: Timestamp,
    to: Timestamp,
    limit: usize,
) -> Occurrences {
    let (master_key, event) = master;
    let mut found = Occurrences { events: Vec::new(), complete: true };
    match Series::of(event) {
        Some(series) if series.is_series() => {
            let replaced: BTreeSet<i64> = exceptions
                .iter()
                .filter_map(|(_, event)| second_of(event.recurrence_id.as_deref()?))
                .collect();
            let (starts, complete) = series.starts(Some(to));
            found.complete = complete;
            let starts = starts.into_iter().filter(|start| !replaced.contains(start));
            let within = starts.map(|start| (start, series.end_of(start)));
            let within = within.filter(|span| overlaps(*span, from, to)).take(limit + 1);
            found.events = within
                .map(|(start, end)| occurrence(master_key, event, &series, start, end))
                .collect();
        }
        _ => found
            .events
            .extend(is_within(event, from, to).then(|| (master_key.into(), event.clone()))),
    }
    let own = exceptions.iter().filter(|(_, event)| is_within(event, from, to));
    found.events.extend(own.cloned());
    found.events.sort_by(|(a_key, a), (b_key, b)| (&a.start, a_key).cmp(&(&b.start, b_key)));
    if found.events.len() > limit {
        found.events.truncate(limit);
        found.complete = false;
    }
    found
}

fn occurrence(
    master_key: &str,
    master: &Event,
    series: &Series,
    start: i64,
    end: i64,
) -> (String, Event) {
    let begins = told(start, series.all_day);
    let event = Event {
        start: Some(begins.clone()),
        end: Some(told(end, series.all_day)),
        recurrence: None,
        recurring_event_id: Some(master_key.into()),
        recurrence_id: Some(begins),
        // Only the series has an object at the provider.
        original: Original::Object(serde_json::Value::Null),
        ..master.clone()
    };
    (key(master_key, &compact(start, series.all_day)), event)
}

/// The occurrence of `master` that begins at `recurrence_id` (as in [`key`]) by the rule; `None` when
/// it has none there.
pub fn occurrence_at(master: (&str, &Event), recurrence_id: &str) -> Option<(String, Event)> {
    let series = Series::of(master.1).filter(Series::is_series)?;
    let wanted = |start: &i64| compact(*start, series.all_day) == recurrence_id;
    let (starts, _) = series.starts(None);
    let start = starts.into_iter().find(wanted)?;
    Some(occurrence(master.0, master.1, &series, start, series.end_of(start)))
}

/// Seconds; an event without length takes place in the moment at which it begins.
fn overlaps((start, end): (i64, i64), from: Timestamp, to: Timestamp) -> bool {
    let (start, end) = (start.saturating_mul(1_000), end.saturating_mul(1_000));
    start < to.0 && (end > from.0 || start >= from.0)
}

fn is_within(event: &Event, from: Timestamp, to: Timestamp) -> bool {
    let seconds = |time: &Option<String>| second_of(time.as_deref()?);
    let Some(start) = seconds(&event.start) else { return false };
    let end = seconds(&event.end).unwrap_or(start);
    event.status.as_deref() != Some("cancelled") && overlaps((start, end), from, to)
}

/// The two rules of the series when it is split before the occurrence that begins at `at`. `None` when
/// it is no series, or nothing lies before `at`: then there is nothing to split.
pub fn split(master: &Event, at: Timestamp) -> Option<Split> {
    let rule = Rule::parse(master.recurrence.as_deref()?)?;
    let series = Series::of(master)?;
    let second = at.unix_seconds();
    let (starts, _) = series.rule_starts(Some(at));
    let before = starts.iter().filter(|start| **start < second).count();
    if before == 0 {
        return None;
    }
    let last = if series.all_day { second - 86_400 } else { second - 1 };
    let ended = rule.without("COUNT").with("UNTIL", compact(last, series.all_day));
    let after = match rule.count() {
        Some(count) if count <= before => return None,
        Some(count) => rule.with("COUNT", (count - before).to_string()),
        None => rule,
    };
    let (dates_before, dates_after) = series.date_lines(second);
    Some(Split { before: ended, after, dates_before, dates_after })
}

/// A draft that was made for `occurrence`, so that it can be applied to its whole series: a new start
/// or end moves the master by as much as it moves the occurrence.
pub fn draft_for_master(draft: &EventDraft, occurrence: &Event, master: &Event) -> EventDraft {
    let mut moved = draft.clone();
    if let Field::Set(start) = &draft.start {
        moved.start = shift(start, occurrence.start.as_deref(), master.start.as_deref());
    }
    if let Field::Set(end) = &draft.end {
        // An end belongs to its start: the length is what counts when both are given.
        let (old, base) = match &draft.start {
            Field::Set(_) => (occurrence.start.as_deref(), master.start.as_deref()),
            _ => (occurrence.end.as_deref(), master.end.as_deref()),
        };
        moved.end = shift(end, old, base);
    }
    moved
}

/// `base` moved by what lies between `old` and `new`, by the clock of `new`.
fn shift(new: &When, old: Option<&str>, base: Option<&str>) -> Field<When> {
    let known = |time: Option<&str>| second_of(time?).map(|second| Timestamp(second * 1_000));
    let (Some(old), Some(base)) = (known(old), known(base)) else { return Field::Keep };
    Field::Set(series::moved(new, old, base))
}

impl Event {
    /// When it takes place, ms since the Unix epoch, days by UTC: the first start, and the last end of
    /// all its occurrences (no end: it has none, or too many to tell). Exceptions count for themselves.
    pub fn span_ms(&self) -> (Option<i64>, Option<i64>) {
        let Some(series) = Series::of(self) else { return (None, None) };
        let (start, end) = series.span();
        (Some(start.saturating_mul(1_000)), end.map(|end| end.saturating_mul(1_000)))
    }
}

#[cfg(test)]
mod tests;
