//! Which days a `patternedRecurrence` of Graph falls on, and how its times are written.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

/// A series has no more occurrences than this within what is asked for.
const MOST: usize = 3_000;
/// Days of a series without end are looked at until this many years after its start.
const YEARS: i32 = 30;

/// The days of `recurrence` (pattern and range) up to `until`, oldest first.
pub(super) fn days(recurrence: &Value, until: Date) -> Vec<Date> {
    let range = &recurrence["range"];
    let Some(first) = date(&range["startDate"]) else { return Vec::new() };
    let last = match range["type"].as_str() {
        Some("endDate") => date(&range["endDate"]).unwrap_or(first),
        _ => first.checked_add(YEARS.years()).unwrap_or(Date::MAX),
    };
    let numbered = range["type"] == "numbered";
    let count =
        if numbered { range["numberOfOccurrences"].as_u64().unwrap_or(1) } else { u64::MAX };
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(MOST);
    let mut found = Vec::new();
    let mut day = first;
    while day <= last.min(until) && found.len() < count {
        if falls_on(&recurrence["pattern"], first, day) {
            found.push(day);
        }
        let Ok(next) = day.tomorrow() else { break };
        day = next;
    }
    found
}

/// Whether there is a pattern and a range that this simulator understands; else what is wrong.
pub(super) fn check(recurrence: &Value) -> Result<(), String> {
    let pattern = &recurrence["pattern"];
    let kinds = [
        "daily",
        "weekly",
        "absoluteMonthly",
        "relativeMonthly",
        "absoluteYearly",
        "relativeYearly",
    ];
    let kind = pattern["type"].as_str().unwrap_or_default();
    if !kinds.contains(&kind) {
        return Err(format!("recurrence.pattern.type '{kind}'"));
    }
    if pattern["interval"].as_i64().is_none_or(|interval| interval < 1) {
        return Err("recurrence.pattern.interval".into());
    }
    if kind == "weekly" && weekdays(pattern).is_empty() {
        return Err("recurrence.pattern.daysOfWeek".into());
    }
    let range = &recurrence["range"];
    let ends = match range["type"].as_str() {
        Some("noEnd") => true,
        Some("endDate") => date(&range["endDate"]).is_some(),
        Some("numbered") => range["numberOfOccurrences"].as_i64().is_some_and(|count| count > 0),
        _ => false,
    };
    if date(&range["startDate"]).is_none() || !ends {
        return Err("recurrence.range".into());
    }
    Ok(())
}

/// Pattern and range of a series with every member that Graph prints, set or not.
pub(super) fn printed(fields: &Map<String, Value>) -> Value {
    let mut whole = json!({
        "pattern": { "interval": 1, "month": 0, "dayOfMonth": 0, "firstDayOfWeek": "sunday",
                     "index": "first" },
        "range": { "endDate": "0001-01-01", "numberOfOccurrences": 0,
                   "recurrenceTimeZone": fields["start"]["timeZone"] },
    });
    for part in ["pattern", "range"] {
        for (name, value) in fields["recurrence"][part].as_object().into_iter().flatten() {
            whole[part][name] = value.clone();
        }
    }
    whole
}

/// Whether two series have the same days, but for how long they go on.
pub(super) fn same_rhythm(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let same = |name: &str| one.get(name) == other.get(name);
    let recurrence = |fields: &Map<String, Value>| fields.get("recurrence").cloned();
    let rhythm = |fields| {
        recurrence(fields)
            .map(|whole| (whole["pattern"].clone(), whole["range"]["startDate"].clone()))
    };
    ["start", "end", "isAllDay"].into_iter().all(same) && rhythm(one) == rhythm(other)
}

fn falls_on(pattern: &Value, first: Date, day: Date) -> bool {
    let interval = pattern["interval"].as_i64().unwrap_or(1).max(1);
    let months = i64::from(day.year() - first.year()) * 12 + i64::from(day.month() - first.month());
    let day_of_month = pattern["dayOfMonth"].as_i64().unwrap_or_else(|| i64::from(first.day()));
    let absolute = i64::from(day.day()) == day_of_month.min(i64::from(day.days_in_month()));
    let month = pattern["month"].as_i64().unwrap_or_else(|| i64::from(first.month()));
    let in_year =
        i64::from(day.month()) == month && i64::from(day.year() - first.year()) % interval == 0;
    match pattern["type"].as_str().unwrap_or_default() {
        "daily" => since(first, day) % interval == 0,
        "weekly" => {
            let opening = weekday(&pattern["firstDayOfWeek"]).unwrap_or(Weekday::Sunday);
            let weeks = since(week_of(first, opening), week_of(day, opening)) / 7;
            weeks % interval == 0 && weekdays(pattern).contains(&day.weekday())
        }
        "absoluteMonthly" => months % interval == 0 && absolute,
        "relativeMonthly" => months % interval == 0 && relative(pattern, day),
        "absoluteYearly" => in_year && absolute,
        "relativeYearly" => in_year && relative(pattern, day),
        _ => false,
    }
}

fn since(first: Date, day: Date) -> i64 {
    first.until(day).map_or(0, |span| i64::from(span.get_days()))
}

fn week_of(day: Date, opening: Weekday) -> Date {
    let back = i64::from(day.weekday().since(opening));
    day.checked_sub(back.days()).unwrap_or(day)
}

/// "The second Tuesday", "the last weekday of these".
fn relative(pattern: &Value, day: Date) -> bool {
    let wanted = weekdays(pattern);
    let matching: Vec<Date> = (1..=day.days_in_month())
        .filter_map(|number| Date::new(day.year(), day.month(), number).ok())
        .filter(|day| wanted.contains(&day.weekday()))
        .collect();
    let chosen = match pattern["index"].as_str().unwrap_or("first") {
        "second" => matching.get(1),
        "third" => matching.get(2),
        "fourth" => matching.get(3),
        "last" => matching.last(),
        _ => matching.first(),
    };
    chosen == Some(&day)
}

fn weekdays(pattern: &Value) -> Vec<Weekday> {
    pattern["daysOfWeek"].as_array().into_iter().flatten().filter_map(weekday).collect()
}

fn weekday(name: &Value) -> Option<Weekday> {
    Some(match name.as_str()?.to_ascii_lowercase().as_str() {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

fn date(text: &Value) -> Option<Date> {
    text.as_str()?.get(..10)?.parse().ok()
}

/// The local time of a `dateTimeTimeZone`: fractions and an offset are not looked at.
pub(super) fn local(time: &Value) -> Option<DateTime> {
    time["dateTime"].as_str()?.get(..19)?.parse().ok()
}

/// The moment of a `dateTimeTimeZone`.
pub(super) fn moment(time: &Value) -> Option<jiff::Timestamp> {
    let zone = zone(time["timeZone"].as_str().unwrap_or("UTC"))?;
    zone.to_ambiguous_timestamp(local(time)?).compatible().ok()
}

/// `time` as it reads in `wanted`, with seven decimals.
pub(super) fn written(time: &Value, wanted: &str) -> Value {
    let inner = || {
        let local = zone(wanted)?.to_datetime(moment(time)?);
        Some(json!({ "dateTime": seven(local), "timeZone": wanted }))
    };
    inner().unwrap_or_else(|| time.clone())
}

/// As Graph prints a local time: `2026-12-02T09:00:00.0000000`.
pub(super) fn seven(local: DateTime) -> String {
    local.strftime("%Y-%m-%dT%H:%M:%S.0000000").to_string()
}

/// A zone by its IANA name or, for those that the simulator's users live in, its Windows name.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    let iana = match name {
        "tzone://Microsoft/Utc" => "UTC",
        "W. Europe Standard Time" => "Europe/Berlin",
        "Romance Standard Time" => "Europe/Paris",
        "GMT Standard Time" => "Europe/London",
        "Eastern Standard Time" => "America/New_York",
        "Pacific Standard Time" => "America/Los_Angeles",
        "Tokyo Standard Time" => "Asia/Tokyo",
        "India Standard Time" => "Asia/Kolkata",
        other => other,
    };
    TimeZone::get(iana).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pattern: &Value, range: &Value) -> Vec<String> {
        let recurrence = json!({ "pattern": pattern, "range": range });
        check(&recurrence).unwrap();
        let until = "2027-12-31".parse().unwrap();
        days(&recurrence, until).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_recurrence_falls_on_the_days_that_it_names() {
        let numbered = |first: &str| json!({ "type": "numbered", "startDate": first, "numberOfOccurrences": 3 });
        for (pattern, first, expected) in [
            (
                json!({ "type": "daily", "interval": 2 }),
                "2026-12-30",
                ["2026-12-30", "2027-01-01", "2027-01-03"],
            ),
            (
                json!({ "type": "weekly", "interval": 2, "daysOfWeek": ["monday", "wednesday"] }),
                "2026-12-02",
                ["2026-12-02", "2026-12-14", "2026-12-16"],
            ),
            (
                json!({ "type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31 }),
                "2026-12-31",
                ["2026-12-31", "2027-01-31", "2027-02-28"],
            ),
            (
                json!({ "type": "relativeMonthly", "interval": 1, "daysOfWeek": ["tuesday"],
                        "index": "second" }),
                "2026-12-08",
                ["2026-12-08", "2027-01-12", "2027-02-09"],
            ),
        ] {
            assert_eq!(told(&pattern, &numbered(first)), expected, "{pattern}");
        }
        let yearly =
            json!({ "type": "absoluteYearly", "interval": 1, "month": 12, "dayOfMonth": 3 });
        let until =
            json!({ "type": "endDate", "startDate": "2026-12-03", "endDate": "2027-12-03" });
        assert_eq!(told(&yearly, &until), ["2026-12-03", "2027-12-03"]);
    }

    #[test]
    fn a_time_reads_the_same_in_another_zone() {
        let berlin =
            json!({ "dateTime": "2026-12-02T09:00:00", "timeZone": "W. Europe Standard Time" });
        let utc = json!({ "dateTime": "2026-12-02T08:00:00.0000000", "timeZone": "UTC" });
        assert_eq!(written(&berlin, "UTC"), utc);
        assert_eq!(moment(&berlin), moment(&utc));
    }
}
