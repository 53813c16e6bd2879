//! Graph's recurrence pattern and range as an RRULE value (RFC 5545 section 3.3.10), and back.
//!
//! Source: <https://learn.microsoft.com/graph/api/resources/patternedrecurrence>.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::time::{DAY_S, day_of, local, wall, zone};
use crate::icalendar::time::Time;
use crate::zone::Zone;

const DAYS: [(&str, &str); 7] = [
    ("MO", "monday"),
    ("TU", "tuesday"),
    ("WE", "wednesday"),
    ("TH", "thursday"),
    ("FR", "friday"),
    ("SA", "saturday"),
    ("SU", "sunday"),
];
const INDEXES: [(i8, &str); 5] =
    [(1, "first"), (2, "second"), (3, "third"), (4, "fourth"), (-1, "last")];

/// `patternedRecurrence` of Graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recurrence {
    pub(super) pattern: Pattern,
    pub(super) range: Range,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Pattern {
    #[serde(rename = "type")]
    kind: String,
    interval: u32,
    #[serde(skip_serializing_if = "is_zero")]
    month: u8,
    #[serde(skip_serializing_if = "is_zero")]
    day_of_month: u8,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    days_of_week: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_day_of_week: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Range {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) start_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) number_of_occurrences: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recurrence_time_zone: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &u8) -> bool {
    *number == 0
}

fn or_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Recurrence {
    /// The RRULE value of a series that begins at `start`; `None` when Graph names a pattern that we do
    /// not know.
    pub(super) fn rule(&self, start: Option<Time>) -> Option<String> {
        let pattern = &self.pattern;
        let (frequency, by) = match pattern.kind.as_str() {
            "daily" => ("DAILY", String::new()),
            "weekly" => ("WEEKLY", format!(";BYDAY={}", self.days()?)),
            "absoluteMonthly" => ("MONTHLY", format!(";BYMONTHDAY={}", pattern.day_of_month)),
            "relativeMonthly" => ("MONTHLY", self.relative()?),
            "absoluteYearly" => {
                let (month, day) = (pattern.month, pattern.day_of_month);
                ("YEARLY", format!(";BYMONTH={month};BYMONTHDAY={day}"))
            }
            "relativeYearly" => {
                ("YEARLY", format!(";BYMONTH={}{}", pattern.month, self.relative()?))
            }
            _ => return None,
        };
        let interval = match pattern.interval {
            0 | 1 => String::new(),
            interval => format!(";INTERVAL={interval}"),
        };
        let first = pattern.first_day_of_week.as_deref().unwrap_or("monday");
        let week = match (pattern.kind.as_str(), first) {
            ("weekly", day) if day != "monday" => format!(";WKST={}", short(day)?),
            _ => String::new(),
        };
        Some(format!("FREQ={frequency}{interval}{by}{week}{}", self.range.rule(start)?))
    }

    fn days(&self) -> Option<String> {
        let days: Option<Vec<_>> = self.pattern.days_of_week.iter().map(|day| short(day)).collect();
        days.filter(|days| !days.is_empty()).map(|days| days.join(","))
    }

    /// `;BYDAY=2TU`, or `;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1`.
    fn relative(&self) -> Option<String> {
        let index = self.pattern.index.as_deref().unwrap_or("first");
        let position = INDEXES.iter().find(|(_, name)| *name == index)?.0;
        let days = self.days()?;
        Some(match days.contains(',') {
            true => format!(";BYDAY={days};BYSETPOS={position}"),
            false => format!(";BYDAY={position}{days}"),
        })
    }
}

impl Range {
    fn rule(&self, start: Option<Time>) -> Option<String> {
        match self.kind.as_str() {
            "endDate" => {
                let day = wall(&format!("{}T00:00:00", self.end_date.as_deref()?))?;
                Some(format!(";UNTIL={}", self.until(day, start).compact()))
            }
            "numbered" => Some(format!(";COUNT={}", self.number_of_occurrences?)),
            _ => Some(String::new()),
        }
    }

    /// The last moment at which an occurrence may begin: on that day, at the time of day of the first.
    fn until(&self, day: i64, start: Option<Time>) -> Time {
        let zone = self.recurrence_time_zone.as_deref().and_then(zone).unwrap_or(Zone::UTC);
        let Some(Time::Moment(start)) = start else { return Time::Date(day.div_euclid(DAY_S)) };
        let time_of_day = local(start, zone).rem_euclid(DAY_S);
        Time::Moment(zone.moment_of(day + time_of_day))
    }
}

fn short(day: &str) -> Option<&'static str> {
    DAYS.iter().find(|(_, name)| name.eq_ignore_ascii_case(day)).map(|(short, _)| *short)
}

fn long(day: &str) -> Option<String> {
    DAYS.iter().find(|(short, _)| *short == day).map(|(_, name)| (*name).to_owned())
}

/// Reads an RRULE value for a series whose first day is `start`, in the zone of that name.
///
/// # Errors
/// In plain words, when the rule is broken or says what Graph cannot.
pub(super) fn parse(rule: &str, start: Date, zone_name: &str) -> Result<Recurrence, String> {
    let rule = Rule::parse(rule)?;
    let range = rule.range(start, zone_name)?;
    let mut pattern = Pattern { interval: rule.interval, ..Pattern::default() };
    match (rule.frequency.as_str(), rule.days.is_empty()) {
        ("DAILY", true) => pattern.kind = "daily".into(),
        // Every day of these: which is every week on them.
        ("DAILY", false) if rule.interval == 1 => rule.weekly(&mut pattern, start)?,
        ("WEEKLY", _) => rule.weekly(&mut pattern, start)?,
        ("MONTHLY", _) if rule.month.is_none() => rule.in_month(&mut pattern, start, "Monthly")?,
        ("YEARLY", _) => {
            pattern.month = rule.month.unwrap_or(start.month().unsigned_abs());
            rule.in_month(&mut pattern, start, "Yearly")?;
        }
        _ => return Err("a microsoft calendar cannot repeat an event like that".into()),
    }
    Ok(Recurrence { pattern, range })
}

/// The parts of an RRULE that Graph has words for.
#[derive(Default)]
struct Rule {
    frequency: String,
    interval: u32,
    count: Option<u32>,
    until: Option<String>,
    /// With an ordinal where one was given.
    days: Vec<(Option<i8>, String)>,
    month_day: Option<i8>,
    month: Option<u8>,
    position: Option<i8>,
    week_start: Option<String>,
}

impl Rule {
    fn parse(text: &str) -> Result<Self, String> {
        let mut rule = Self { interval: 1, ..Self::default() };
        for part in text.trim().to_ascii_uppercase().split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let broken = || format!("the recurrence's {name} cannot be read");
            match name {
                "FREQ" => rule.frequency = value.to_owned(),
                "INTERVAL" => {
                    let interval = value.parse().ok().filter(|interval| *interval > 0);
                    rule.interval = interval.ok_or_else(broken)?;
                }
                "COUNT" => rule.count = Some(value.parse().map_err(|_| broken())?),
                "UNTIL" => rule.until = Some(value.to_owned()),
                "BYDAY" => {
                    let days: Option<_> = value.split(',').map(ordinal_day).collect();
                    rule.days = days.ok_or_else(broken)?;
                }
                "BYMONTHDAY" => rule.month_day = Some(value.parse().map_err(|_| broken())?),
                "BYMONTH" => rule.month = Some(value.parse().map_err(|_| broken())?),
                "BYSETPOS" => rule.position = Some(value.parse().map_err(|_| broken())?),
                "WKST" => rule.week_start = Some(long(value).ok_or_else(broken)?),
                _ => return Err(format!("a microsoft calendar cannot repeat by {name}")),
            }
        }
        if rule.frequency.is_empty() { Err("the recurrence has no FREQ".into()) } else { Ok(rule) }
    }

    fn weekly(&self, pattern: &mut Pattern, start: Date) -> Result<(), String> {
        let is_other = self.month_day.is_some() || self.month.is_some() || self.position.is_some();
        if is_other || self.days.iter().any(|(ordinal, _)| ordinal.is_some()) {
            return Err("a microsoft calendar repeats weekly by plain days only".into());
        }
        pattern.kind = "weekly".into();
        pattern.days_of_week = match self.days.is_empty() {
            true => vec![weekday(start)],
            false => self.days.iter().map(|(_, day)| day.clone()).collect(),
        };
        pattern.first_day_of_week =
            Some(self.week_start.clone().unwrap_or_else(|| "monday".into()));
        Ok(())
    }

    /// Monthly or yearly: by the day of the month, or by weekdays in it.
    fn in_month(&self, pattern: &mut Pattern, start: Date, period: &str) -> Result<(), String> {
        let unfit = || "a microsoft calendar cannot repeat by these days of the month".to_owned();
        let (days, position) = match (self.days.as_slice(), self.month_day) {
            ([], Some(-1)) => (DAYS.map(|(_, day)| day.to_owned()).to_vec(), -1),
            ([], day) => {
                let day = u8::try_from(day.unwrap_or(start.day())).map_err(|_| unfit())?;
                (pattern.kind, pattern.day_of_month) = (format!("absolute{period}"), day);
                return Ok(());
            }
            ([(Some(ordinal), day)], None) if self.position.is_none() => {
                (vec![day.clone()], *ordinal)
            }
            (days, None) if days.iter().all(|(ordinal, _)| ordinal.is_none()) => {
                let position = self.position.ok_or_else(unfit)?;
                (days.iter().map(|(_, day)| day.clone()).collect(), position)
            }
            _ => return Err(unfit()),
        };
        let index = INDEXES.iter().find(|(number, _)| *number == position).ok_or_else(unfit)?;
        pattern.kind = format!("relative{period}");
        pattern.days_of_week = days;
        pattern.index = Some(index.1.to_owned());
        Ok(())
    }

    fn range(&self, start: Date, zone_name: &str) -> Result<Range, String> {
        let range = Range {
            kind: "noEnd".into(),
            start_date: start.to_string(),
            recurrence_time_zone: Some(zone_name.to_owned()),
            ..Range::default()
        };
        match (self.count, &self.until) {
            (Some(_), Some(_)) => Err("the recurrence has both COUNT and UNTIL".into()),
            (Some(count), None) => {
                Ok(Range { kind: "numbered".into(), number_of_occurrences: Some(count), ..range })
            }
            (None, Some(until)) => {
                let last = last_day(until, zone_name).ok_or("the recurrence's UNTIL is no time")?;
                Ok(Range { kind: "endDate".into(), end_date: Some(last.to_string()), ..range })
            }
            (None, None) => Ok(range),
        }
    }
}

/// `2TU`, `-1FR`, `MO`.
fn ordinal_day(text: &str) -> Option<(Option<i8>, String)> {
    let (ordinal, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let ordinal = match ordinal {
        "" => None,
        number => Some(number.parse().ok()?),
    };
    Some((ordinal, long(day)?))
}

pub(super) fn weekday(date: Date) -> String {
    let index = usize::from(date.weekday().to_monday_zero_offset().unsigned_abs());
    DAYS[index].1.to_owned()
}

/// The day of an UNTIL (`20261224` or `20261224T080000Z`) on the clocks of the zone.
fn last_day(until: &str, zone_name: &str) -> Option<Date> {
    let digits: String = until.chars().filter(char::is_ascii_digit).collect();
    let date = |text: &str| Date::strptime("%Y%m%d", text).ok();
    if digits.len() == 8 {
        return date(&digits);
    }
    let (day, time) = digits.split_at_checked(8)?;
    let seconds = time.parse::<i64>().ok()?;
    let seconds = seconds / 10_000 * 3600 + seconds / 100 % 100 * 60 + seconds % 100;
    let moment = wall(&format!("{}T00:00:00", date(day)?))? + seconds;
    let zone = zone(zone_name).filter(|_| until.ends_with('Z')).unwrap_or(Zone::UTC);
    Some(day_of(local(moment, zone)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn start() -> Time {
        // 2026-12-02 is a Wednesday; 09:00 in Berlin.
        Time::Moment(wall("2026-12-02T08:00:00").unwrap())
    }

    fn rule(pattern: &Value, range: &Value) -> Option<String> {
        let recurrence = json!({ "pattern": pattern, "range": range });
        serde_json::from_value::<Recurrence>(recurrence).unwrap().rule(Some(start()))
    }

    #[test]
    fn a_pattern_of_graph_is_a_rule_and_a_rule_is_that_pattern() {
        let index = |index, days: &[&str]| json!({ "index": index, "daysOfWeek": days });
        for (kind, extra, expected) in [
            ("daily", json!({}), "FREQ=DAILY"),
            ("daily", json!({ "interval": 3 }), "FREQ=DAILY;INTERVAL=3"),
            (
                "weekly",
                json!({ "daysOfWeek": ["monday", "friday"], "firstDayOfWeek": "sunday" }),
                "FREQ=WEEKLY;BYDAY=MO,FR;WKST=SU",
            ),
            (
                "weekly",
                json!({ "interval": 2, "daysOfWeek": ["wednesday"], "firstDayOfWeek": "monday" }),
                "FREQ=WEEKLY;INTERVAL=2;BYDAY=WE",
            ),
            ("absoluteMonthly", json!({ "dayOfMonth": 15 }), "FREQ=MONTHLY;BYMONTHDAY=15"),
            ("relativeMonthly", index("second", &["tuesday"]), "FREQ=MONTHLY;BYDAY=2TU"),
            (
                "relativeMonthly",
                index("last", &["monday", "friday"]),
                "FREQ=MONTHLY;BYDAY=MO,FR;BYSETPOS=-1",
            ),
            (
                "absoluteYearly",
                json!({ "month": 12, "dayOfMonth": 24 }),
                "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24",
            ),
            (
                "relativeYearly",
                json!({ "month": 11, "index": "fourth", "daysOfWeek": ["thursday"] }),
                "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH",
            ),
        ] {
            let mut pattern = json!({ "type": kind, "interval": 1 });
            pattern.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            let range = json!({ "type": "noEnd", "startDate": "2026-12-02" });
            assert_eq!(rule(&pattern, &range).as_deref(), Some(expected));
            let parsed = parse(expected, jiff::civil::date(2026, 12, 2), "UTC").unwrap();
            assert_eq!(serde_json::to_value(&parsed.pattern).unwrap(), pattern, "{expected}");
        }
    }

    #[test]
    fn graph_s_noughts_nulls_and_defaults_are_read() {
        let pattern = json!({ "type": "daily", "interval": 1, "month": 0, "dayOfMonth": 0,
            "daysOfWeek": null, "firstDayOfWeek": "sunday", "index": "first" });
        let range = json!({ "type": "noEnd", "startDate": "2026-12-02", "endDate": "0001-01-01",
            "recurrenceTimeZone": "UTC", "numberOfOccurrences": 0 });
        assert_eq!(rule(&pattern, &range).as_deref(), Some("FREQ=DAILY"));
        assert_eq!(rule(&json!({ "type": "hourly" }), &json!({ "type": "noEnd" })), None);
    }

    #[test]
    fn the_last_day_is_a_moment_of_the_series_own_clock() {
        for (zone, until) in [
            ("W. Europe Standard Time", "20270331T070000Z"),
            ("UTC", "20270331T080000Z"),
            ("tzone://Microsoft/Custom", "20270331T080000Z"),
        ] {
            let range = json!({ "type": "endDate", "startDate": "2026-12-02",
                "endDate": "2027-03-31", "recurrenceTimeZone": zone });
            let rule = rule(&json!({ "type": "daily", "interval": 1 }), &range).unwrap();
            assert_eq!(rule, format!("FREQ=DAILY;UNTIL={until}"), "{zone}");
            let parsed = parse(&rule, jiff::civil::date(2026, 12, 2), zone).unwrap();
            assert_eq!(parsed.range.end_date.as_deref(), Some("2027-03-31"), "{zone}");
        }
        let parsed = parse("FREQ=DAILY;UNTIL=20261224", jiff::civil::date(2026, 12, 2), "UTC");
        assert_eq!(parsed.unwrap().range.end_date.as_deref(), Some("2026-12-24"));
        let range = json!({ "type": "numbered", "numberOfOccurrences": 5 });
        let rule = rule(&json!({ "type": "daily", "interval": 1 }), &range);
        assert_eq!(rule.as_deref(), Some("FREQ=DAILY;COUNT=5"));
    }

    #[test]
    fn what_a_rule_leaves_open_comes_from_the_start() {
        for (rule, expected) in [
            (
                "FREQ=WEEKLY",
                json!({ "type": "weekly", "interval": 1,
                "daysOfWeek": ["wednesday"], "firstDayOfWeek": "monday" }),
            ),
            ("FREQ=MONTHLY", json!({ "type": "absoluteMonthly", "interval": 1, "dayOfMonth": 2 })),
            (
                "FREQ=YEARLY",
                json!({ "type": "absoluteYearly", "interval": 1, "month": 12,
                "dayOfMonth": 2 }),
            ),
            (
                "FREQ=MONTHLY;BYMONTHDAY=-1",
                json!({ "type": "relativeMonthly", "interval": 1,
                "index": "last", "daysOfWeek": DAYS.map(|(_, day)| day) }),
            ),
            (
                "freq=daily;byday=MO,TU",
                json!({ "type": "weekly", "interval": 1,
                "daysOfWeek": ["monday", "tuesday"], "firstDayOfWeek": "monday" }),
            ),
        ] {
            let parsed = parse(rule, jiff::civil::date(2026, 12, 2), "UTC").unwrap();
            assert_eq!(serde_json::to_value(&parsed.pattern).unwrap(), expected, "{rule}");
        }
    }

    #[test]
    fn what_graph_cannot_say_is_refused_in_words() {
        for rule in [
            "",
            "FREQ=HOURLY",
            "FREQ=DAILY;BYHOUR=9",
            "FREQ=DAILY;INTERVAL=0",
            "FREQ=DAILY;INTERVAL=2;BYDAY=MO",
            "FREQ=WEEKLY;BYDAY=2MO",
            "FREQ=WEEKLY;BYDAY=XX",
            "FREQ=WEEKLY;BYDAY=É",
            "FREQ=MONTHLY;BYDAY=MO",
            "FREQ=MONTHLY;BYDAY=1MO,3MO",
            "FREQ=MONTHLY;BYDAY=5MO",
            "FREQ=MONTHLY;BYMONTHDAY=1,15",
            "FREQ=MONTHLY;BYMONTHDAY=-2",
            "FREQ=DAILY;COUNT=3;UNTIL=20261224",
            "FREQ=DAILY;UNTIL=soon",
        ] {
            let refusal = parse(rule, jiff::civil::date(2026, 12, 2), "UTC");
            assert!(refusal.is_err(), "{rule}");
        }
    }
}
