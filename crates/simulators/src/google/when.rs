//! Starts and ends of events.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use serde_json::{Value, json};

use super::refusal::{Outcome, Refusal};

/// An `EventDateTime`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum When {
    Day(Date),
    At(Zoned),
}

impl When {
    /// Reads `start`, `end` or `originalStartTime`; `name` is for the message.
    pub(super) fn read(value: Option<&Value>, name: &str, calendar_zone: &str) -> Outcome<Self> {
        let value = value.filter(|value| value.is_object());
        let value = value.ok_or_else(|| Refusal::required(format!("Missing {name} time.")))?;
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let bad = || Refusal::invalid(format!("Invalid {name} time."));
        match (text("date"), text("dateTime")) {
            (Some(date), None) => Ok(Self::Day(date.parse().map_err(|_| bad())?)),
            (None, Some(at)) => {
                let zone = text("timeZone");
                let tz = TimeZone::get(zone.unwrap_or(calendar_zone));
                let tz = tz.map_err(|_| Refusal::invalid("Invalid time zone definition."))?;
                if let Ok(instant) = at.parse::<Timestamp>() {
                    return Ok(Self::At(instant.to_zoned(tz)));
                }
                let local = at.parse::<DateTime>().map_err(|_| bad())?;
                if zone.is_none() {
                    let message = format!("Missing time zone definition for {name} time.");
                    return Err(Refusal::required(message));
                }
                Ok(Self::At(local.to_zoned(tz).map_err(|_| bad())?))
            }
            // Both, as after a patch that leaves `date` where it was, or neither.
            _ => Err(bad()),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Day(date) => json!({ "date": date.to_string() }),
            Self::At(at) => {
                let text = at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
                let text =
                    text.strip_suffix("+00:00").map_or(text.clone(), |utc| format!("{utc}Z"));
                let zone = at.time_zone().iana_name().unwrap_or("UTC");
                json!({ "dateTime": text, "timeZone": zone })
            }
        }
    }

    /// The day, where it takes place.
    pub(super) fn day(&self) -> Date {
        match self {
            Self::Day(date) => *date,
            Self::At(at) => at.date(),
        }
    }

    /// The moment; for a day its beginning in this zone.
    pub(super) fn instant(&self, calendar_zone: &str) -> Timestamp {
        match self {
            Self::Day(date) => {
                let zone = TimeZone::get(calendar_zone).unwrap_or(TimeZone::UTC);
                date.to_zoned(zone).map_or(Timestamp::UNIX_EPOCH, |at| at.timestamp())
            }
            Self::At(at) => at.timestamp(),
        }
    }

    /// The same time of day on another day.
    pub(super) fn on(&self, day: Date) -> Self {
        match self {
            Self::Day(_) => Self::Day(day),
            Self::At(at) => {
                let moved = day.to_datetime(at.time()).to_zoned(at.time_zone().clone());
                Self::At(moved.unwrap_or_else(|_| at.clone()))
            }
        }
    }

    /// As long after `start` as `end` is after `first`.
    pub(super) fn end_of(start: &Self, first: &Self, end: &Self) -> Self {
        match (start, first, end) {
            (Self::Day(start), Self::Day(first), Self::Day(end)) => {
                let days = (*end - *first).get_days();
                Self::Day(start.checked_add(days.days()).unwrap_or(*start))
            }
            (Self::At(start), Self::At(first), Self::At(end)) => {
                let length = end.timestamp().duration_since(first.timestamp());
                let until = start.checked_add(length).unwrap_or_else(|_| start.clone());
                Self::At(until.with_time_zone(end.time_zone().clone()))
            }
            _ => start.clone(),
        }
    }

    /// What the id of an instance that was to begin then ends with.
    pub(super) fn stamp(&self) -> String {
        match self {
            Self::Day(date) => date.strftime("%Y%m%d").to_string(),
            Self::At(at) => at.timestamp().strftime("%Y%m%dT%H%M%SZ").to_string(),
        }
    }
}
