//! Zoom's recurrence and the RRULE (RFC 5545 section 3.3.10) that says the same.
//!
//! Zoom knows days, weeks and months, always with an end: at most 60 times.

use serde::{Deserialize, Serialize};
use tidings_core::limits::ZOOM_SERIES_TIMES_MAX;

/// Zoom counts weekdays from Sunday, which is 1.
const WEEKDAYS: [&str; 7] = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

/// `recurrence` of a meeting of type 8.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recurrence {
    /// 1 daily, 2 weekly, 3 monthly.
    #[serde(rename = "type")]
    pub kind: u8,
    /// Every so many days, weeks or months.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_interval: Option<u32>,
    /// Weekdays from 1 (Sunday), separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weekly_days: Option<String>,
    /// 1 to 31.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_day: Option<u8>,
    /// 1 to 4, or -1 for the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_week: Option<i8>,
    /// The weekday of `monthly_week`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_week_day: Option<u8>,
    /// How often in all. Zoom sends 0 beside `end_date_time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_times: Option<u32>,
    /// The last moment, UTC: `2026-12-31T23:59:00Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_date_time: Option<String>,
}

/// The RRULE value; `None` when Zoom says something that has none.
pub(super) fn to_rrule(recurrence: &Recurrence) -> Option<String> {
    let frequency = match recurrence.kind {
        1 => "DAILY",
        2 => "WEEKLY",
        3 => "MONTHLY",
        _ => return None,
    };
    let mut rule = format!("FREQ={frequency}");
    let interval = recurrence.repeat_interval.filter(|interval| *interval > 1);
    if let Some(interval) = interval {
        rule += &format!(";INTERVAL={interval}");
    }
    if let Some(days) = recurrence.weekly_days.as_deref().filter(|_| recurrence.kind == 2) {
        let days: Option<Vec<&str>> = days.split(',').map(|day| weekday(day.trim())).collect();
        rule += &format!(";BYDAY={}", days?.join(","));
    }
    if recurrence.kind == 3 {
        let week_day = recurrence.monthly_week_day.and_then(|day| weekday(&day.to_string()));
        if let (Some(week), Some(day)) = (recurrence.monthly_week.filter(|w| *w != 0), week_day) {
            rule += &format!(";BYDAY={week}{day}");
        } else if let Some(day) = recurrence.monthly_day.filter(|day| *day > 0) {
            rule += &format!(";BYMONTHDAY={day}");
        }
    }
    if let Some(times) = recurrence.end_times.filter(|times| *times > 0) {
        rule += &format!(";COUNT={times}");
    } else if let Some(until) = &recurrence.end_date_time {
        let compact: String = until.chars().filter(|c| !matches!(c, '-' | ':')).collect();
        rule += &format!(";UNTIL={compact}");
    }
    Some(rule)
}

/// What Zoom is told for an RRULE value.
///
/// # Errors
/// Why Zoom cannot say it, in words for the caller.
pub(super) fn from_rrule(rule: &str) -> Result<Recurrence, String> {
    let mut recurrence = Recurrence { repeat_interval: Some(1), ..Recurrence::default() };
    let mut days = None;
    for part in rule.trim_start_matches("RRULE:").split(';').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or("the recurrence is not an RRULE")?;
        let number = || value.parse().map_err(|_| format!("{name} of the recurrence is no number"));
        match name.to_ascii_uppercase().as_str() {
            "FREQ" => {
                recurrence.kind = match value.to_ascii_uppercase().as_str() {
                    "DAILY" => 1,
                    "WEEKLY" => 2,
                    "MONTHLY" => 3,
                    other => return Err(format!("Zoom has no series of frequency {other}")),
                };
            }
            "INTERVAL" => recurrence.repeat_interval = Some(number()?),
            "COUNT" => recurrence.end_times = Some(number()?),
            "UNTIL" => recurrence.end_date_time = Some(until(value)?),
            "BYDAY" => days = Some(value.to_ascii_uppercase()),
            "BYMONTHDAY" => {
                let day = value.parse().ok().filter(|day| (1..=31).contains(day));
                let one = "Zoom repeats on one day of the month, counted from its beginning";
                recurrence.monthly_day = Some(day.ok_or(one)?);
            }
            "WKST" => {}
            other => return Err(format!("Zoom has no series with {other}")),
        }
    }
    match (recurrence.kind, days) {
        (0, _) => return Err("the recurrence has no FREQ".into()),
        (_, None) => {}
        (2, Some(days)) => recurrence.weekly_days = Some(weekly(&days)?),
        (3, Some(day)) => {
            let (week, day) = monthly(&day)?;
            (recurrence.monthly_week, recurrence.monthly_week_day) = (Some(week), Some(day));
        }
        (_, Some(_)) => return Err("Zoom has no daily series with BYDAY".into()),
    }
    if recurrence.kind != 3 && recurrence.monthly_day.is_some() {
        return Err("Zoom has BYMONTHDAY in monthly series only".into());
    }
    if recurrence.monthly_day.is_some() && recurrence.monthly_week.is_some() {
        return Err("Zoom has no series with both BYDAY and BYMONTHDAY".into());
    }
    match (recurrence.end_times, &recurrence.end_date_time) {
        (Some(1..=ZOOM_SERIES_TIMES_MAX), None) | (None, Some(_)) => Ok(recurrence),
        _ => Err(format!(
            "a series at Zoom ends: give UNTIL, or a COUNT of at most {ZOOM_SERIES_TIMES_MAX}"
        )),
    }
}

fn weekday(number: &str) -> Option<&'static str> {
    let number: usize = number.parse().ok()?;
    WEEKDAYS.get(number.checked_sub(1)?).copied()
}

fn number_of(day: &str) -> Option<usize> {
    WEEKDAYS.iter().position(|known| *known == day).map(|index| index + 1)
}

fn weekly(days: &str) -> Result<String, String> {
    let numbers = days.split(',').map(|day| number_of(day).map(|number| number.to_string()));
    let numbers: Option<Vec<String>> = numbers.collect();
    Ok(numbers.ok_or("BYDAY of a weekly series is a list of weekdays")?.join(","))
}

fn monthly(day: &str) -> Result<(i8, u8), String> {
    let parse = || {
        let (week, name) = day.split_at_checked(day.len().checked_sub(2)?)?;
        let week = week.parse().ok().filter(|week| matches!(week, -1 | 1..=4))?;
        Some((week, u8::try_from(number_of(name)?).ok()?))
    };
    parse().ok_or_else(|| "Zoom repeats monthly on one weekday: 1 to 4, or -1, and its name".into())
}

/// `20261231T235900Z` or `20261231`, which means the whole day.
fn until(text: &str) -> Result<String, String> {
    let refused = || "UNTIL of the recurrence is no date and no moment in UTC".to_owned();
    let date: jiff::civil::Date = text.get(..8).and_then(|d| d.parse().ok()).ok_or_else(refused)?;
    match text.get(8..) {
        Some("") => Ok(format!("{date}T23:59:59Z")),
        Some(time) if time.ends_with('Z') && time.len() == 8 => {
            let at: jiff::civil::DateTime =
                text.trim_end_matches('Z').parse().map_err(|_| refused())?;
            Ok(format!("{at}Z"))
        }
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_zoom_repeats_is_an_rrule_and_back() {
        for (zoom, rule) in [
            (r#"{"type":1,"repeat_interval":1,"end_times":5}"#, "FREQ=DAILY;COUNT=5"),
            (r#"{"type":1,"repeat_interval":2,"end_times":5}"#, "FREQ=DAILY;INTERVAL=2;COUNT=5"),
            (
                r#"{"type":2,"repeat_interval":1,"weekly_days":"2,4","end_times":7}"#,
                "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=7",
            ),
            (
                r#"{"type":2,"repeat_interval":1,"weekly_days":"1","end_date_time":"2026-12-31T23:59:00Z"}"#,
                "FREQ=WEEKLY;BYDAY=SU;UNTIL=20261231T235900Z",
            ),
            (
                r#"{"type":3,"repeat_interval":1,"monthly_day":15,"end_times":3}"#,
                "FREQ=MONTHLY;BYMONTHDAY=15;COUNT=3",
            ),
            (
                r#"{"type":3,"repeat_interval":3,"monthly_week":-1,"monthly_week_day":6,"end_times":3}"#,
                "FREQ=MONTHLY;INTERVAL=3;BYDAY=-1FR;COUNT=3",
            ),
        ] {
            let recurrence: Recurrence = serde_json::from_str(zoom).unwrap();
            assert_eq!(to_rrule(&recurrence).as_deref(), Some(rule));
            assert_eq!(from_rrule(rule).as_ref(), Ok(&recurrence), "{rule}");
        }
    }

    #[test]
    fn what_zoom_leaves_out_or_zero_is_not_said() {
        for (zoom, rule) in [
            (r#"{"type":2}"#, Some("FREQ=WEEKLY")),
            (
                r#"{"type":1,"end_times":0,"end_date_time":"2026-12-31T00:00:00Z"}"#,
                Some("FREQ=DAILY;UNTIL=20261231T000000Z"),
            ),
            (r#"{"type":3,"monthly_day":0,"monthly_week":0}"#, Some("FREQ=MONTHLY")),
            (r#"{"type":2,"weekly_days":"9"}"#, None),
            (r#"{"type":7}"#, None),
        ] {
            let recurrence: Recurrence = serde_json::from_str(zoom).unwrap();
            assert_eq!(to_rrule(&recurrence).as_deref(), rule, "{zoom}");
        }
    }

    #[test]
    fn a_whole_last_day_is_included() {
        let recurrence = from_rrule("FREQ=DAILY;UNTIL=20261231").unwrap();
        assert_eq!(recurrence.end_date_time.as_deref(), Some("2026-12-31T23:59:59Z"));
    }

    #[test]
    fn what_zoom_cannot_repeat_is_refused_in_words() {
        for rule in [
            "FREQ=YEARLY;COUNT=2",
            "FREQ=DAILY",
            "FREQ=DAILY;COUNT=61",
            "FREQ=DAILY;COUNT=0",
            "FREQ=DAILY;COUNT=2;UNTIL=20261231",
            "FREQ=DAILY;COUNT=2;BYDAY=MO",
            "FREQ=WEEKLY;COUNT=2;BYDAY=1MO",
            "FREQ=MONTHLY;COUNT=2;BYDAY=MO,TU",
            "FREQ=MONTHLY;COUNT=2;BYDAY=5MO",
            "FREQ=MONTHLY;COUNT=2;BYDAY=1MO;BYMONTHDAY=3",
            "FREQ=MONTHLY;COUNT=2;BYMONTHDAY=-1",
            "FREQ=WEEKLY;COUNT=2;BYMONTHDAY=1",
            "FREQ=DAILY;UNTIL=20261331",
            "FREQ=DAILY;UNTIL=20261231T100000",
            "FREQ=DAILY;COUNT=2;BYHOUR=9",
            "FREQ=DAILY;COUNT=x",
            "COUNT=2",
            "daily",
            "",
            "FREQ=MONTHLY;COUNT=2;BYDAY=é",
        ] {
            let refused = from_rrule(rule);
            assert!(refused.is_err(), "{rule}: {refused:?}");
        }
    }
}
