//! When the occurrences of a series take place.

use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tidings_core::clock::Timestamp;

use crate::recurrence::{Frequency, Rule};

/// Zoom makes no more.
const TIMES_MAX: usize = 60;
const WEEKDAYS: [Weekday; 7] = [
    Weekday::Sunday,
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
];

/// One of a series.
#[derive(Clone, Debug)]
pub(super) struct Occurrence {
    /// Its first start in ms since the Unix epoch: stays when it is moved.
    pub(super) id: String,
    pub(super) start: Timestamp,
    pub(super) duration: i64,
    pub(super) deleted: bool,
}

impl Occurrence {
    pub(super) fn ends_at(&self) -> Timestamp {
        self.start.plus_ms(self.duration * 60_000)
    }

    pub(super) fn document(&self) -> Value {
        json!({
            "occurrence_id": self.id,
            "start_time": utc(self.start),
            "duration": self.duration,
            "status": if self.deleted { "deleted" } else { "available" },
        })
    }
}

/// All occurrences of a series that begins at `start`; `None` when `recurrence` is not understood.
pub(super) fn occurrences(
    recurrence: &Value,
    start: Timestamp,
    duration: i64,
    zone: &TimeZone,
) -> Option<Vec<Occurrence>> {
    let number = |name: &str| recurrence.get(name).and_then(Value::as_i64);
    let frequency = match number("type")? {
        1 => Frequency::Daily,
        2 => Frequency::Weekly,
        3 => Frequency::Monthly,
        _ => return None,
    };
    let interval = i32::try_from(number("repeat_interval").unwrap_or(1)).ok()?;
    let mut rule = Rule::every(frequency, interval);
    if let Some(days) = recurrence.get("weekly_days").and_then(Value::as_str) {
        let days = days.split(',').map(|day| Some((0, weekday(day.parse().ok()?)?)));
        rule.by_day = days.collect::<Option<_>>()?;
    }
    if let (Some(week), Some(day)) = (number("monthly_week"), number("monthly_week_day")) {
        rule.by_day = vec![(i8::try_from(week).ok()?, weekday(day)?)];
    } else if let Some(day) = number("monthly_day") {
        rule.by_month_day = vec![i8::try_from(day).ok()?];
    }
    let times = number("end_times").and_then(|times| usize::try_from(times).ok());
    rule.count = Some(times.filter(|times| *times > 0).unwrap_or(TIMES_MAX).min(TIMES_MAX));
    let until = recurrence.get("end_date_time").and_then(Value::as_str).and_then(Timestamp::parse);
    let begin = local(start, zone);
    let last = begin.date().checked_add(jiff::Span::new().years(10)).ok()?;
    let starts = rule.days(begin.date(), last).into_iter().filter_map(|day| {
        let at = zone.to_ambiguous_timestamp(day.to_datetime(begin.time())).compatible().ok()?;
        Some(Timestamp(at.as_millisecond()))
    });
    let starts = starts.take_while(|at| until.is_none_or(|until| *at <= until));
    let one =
        |start: Timestamp| Occurrence { id: start.0.to_string(), start, duration, deleted: false };
    Some(starts.map(one).collect())
}

/// `2026-12-02T09:00:00Z`.
pub(super) fn utc(at: Timestamp) -> String {
    at.to_string().replace(".000Z", "Z")
}

/// Reads a start: UTC with `Z`, else what clocks show in `zone`.
pub(super) fn moment(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    Timestamp::parse(text).or_else(|| {
        let local: DateTime = text.parse().ok()?;
        let at = zone.to_ambiguous_timestamp(local).compatible().ok()?;
        Some(Timestamp(at.as_millisecond()))
    })
}

fn local(at: Timestamp, zone: &TimeZone) -> DateTime {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_zoned(zone.clone()).datetime()
}

fn weekday(number: i64) -> Option<Weekday> {
    WEEKDAYS.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
}
