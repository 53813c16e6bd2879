//! The fields of an event as Connect's clients write them, turned into a draft as the service reads it.

use serde_json::{Map, Value, json};

use crate::moment;
use crate::refusal::Refusal;
use crate::request::Fields;

const FREQUENCIES: [&str; 4] = ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"];
const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
/// Members of a draft that Connect calls the same.
const AS_THEY_ARE: [&str; 6] =
    ["title", "description", "location", "availability", "privacy", "status"];

/// A draft with every field that the request names; `null` empties one.
pub(crate) fn read(fields: &Fields) -> Result<Value, Refusal> {
    let mut draft = Map::new();
    for name in AS_THEY_ARE {
        if let Some(value) = fields.get(name) {
            draft.insert(name.to_owned(), value.clone());
        }
    }
    let all_day = times(fields, &mut draft)?;
    if let Some(attendees) = fields.get("attendees") {
        draft.insert("attendees".into(), invited(attendees)?);
    }
    if let Some(recurrence) = fields.get("recurrence") {
        draft.insert("recurrence".into(), rule(recurrence, all_day)?);
    }
    if let Some(custom) = fields.get("custom") {
        draft.insert("properties".into(), properties(custom)?);
    }
    if let Some(conference) = conference(fields)? {
        draft.insert("conference".into(), conference);
    }
    Ok(Value::Object(draft))
}

/// `start`, `end` and `allDay`; answers whether the event is for whole days.
fn times(fields: &Fields, draft: &mut Map<String, Value>) -> Result<bool, Refusal> {
    let (start, end) = (fields.optional_text("start")?, fields.optional_text("end")?);
    let mut given = [&start, &end].into_iter().flatten().peekable();
    let is_given = given.peek().is_some();
    let all_day = match fields.optional_bool("allDay")? {
        Some(all_day) => all_day,
        None => is_given && given.all(|text| moment::is_date(text)),
    };
    for (name, text) in [("start", &start), ("end", &end)] {
        let Some(text) = text else { continue };
        let why = "must be a time in ISO 8601, as 2025-11-01T10:00:00Z";
        let refused = || Refusal::field(name, "invalid", why);
        let at = moment::parse(text).ok_or_else(refused)?;
        let told = if all_day {
            moment::date_of(text.trim()).ok_or_else(refused)?.to_owned()
        } else {
            at.to_string()
        };
        draft.insert(name.to_owned(), told.into());
    }
    // A day that is named as its own end is one whole day.
    if all_day && draft.get("start").is_some() && draft.get("start") == draft.get("end") {
        let start = draft["start"].as_str().and_then(moment::parse);
        let next = start.map(|start| start.plus_ms(86_400_000).to_string());
        let next = next.as_deref().and_then(moment::date_of).unwrap_or_default();
        draft.insert("end".into(), next.into());
    }
    Ok(all_day)
}

fn invited(value: &Value) -> Result<Value, Refusal> {
    let one = |value: &Value| match value {
        Value::String(email) => Some(json!({ "email": email })),
        Value::Object(object) => Some(json!({ "email": object.get("email")? })),
        _ => None,
    };
    let invited = match value {
        Value::Null => Some(Value::Null),
        Value::Array(list) => list.iter().map(one).collect::<Option<Vec<_>>>().map(Value::Array),
        _ => None,
    };
    invited.ok_or_else(|| {
        Refusal::field("attendees", "wrong_type", "must be a list of e-mail addresses")
    })
}

/// The rule as RFC 5545 writes it.
fn rule(value: &Value, all_day: bool) -> Result<Value, Refusal> {
    let refused = |why: &str| Refusal::field("recurrence", "invalid", why);
    let rule = match value {
        Value::Null => return Ok(Value::Null),
        Value::Object(rule) => rule,
        _ => return Err(refused("must be an object with frequency")),
    };
    let get = |name: &str| rule.get(name).filter(|value| !value.is_null());
    let frequency = get("frequency").and_then(Value::as_str).map(str::to_ascii_uppercase);
    let frequency = frequency.filter(|word| FREQUENCIES.contains(&word.as_str()));
    let Some(frequency) = frequency else {
        return Err(refused("needs a frequency: DAILY, WEEKLY, MONTHLY or YEARLY"));
    };
    let mut text = format!("FREQ={frequency}");
    for (name, part) in [("interval", "INTERVAL"), ("count", "COUNT")] {
        if let Some(value) = get(name) {
            let number = value.as_u64().filter(|number| (1..=10_000).contains(number));
            let number = number.ok_or_else(|| refused("interval and count must be 1 to 10000"))?;
            text.push_str(&format!(";{part}={number}"));
        }
    }
    if let Some(until) = get("until") {
        if get("count").is_some() {
            return Err(refused("takes count or until, not both"));
        }
        let until = until.as_str().and_then(|until| until_of(until, all_day));
        let until = until.ok_or_else(|| refused("until must look like 20251231T235959Z"))?;
        text.push_str(&format!(";UNTIL={until}"));
    }
    if let Some(days) = get("byDay") {
        let is_day = |day: &&str| DAYS.contains(day);
        let days = words(days, |day| day.as_str().filter(is_day).map(str::to_owned));
        let days =
            days.ok_or_else(|| refused("byDay must be a list of MO, TU, WE, TH, FR, SA, SU"))?;
        text.push_str(&format!(";BYDAY={days}"));
    }
    for (name, part, most) in [("byMonthDay", "BYMONTHDAY", 31), ("byMonth", "BYMONTH", 12)] {
        if let Some(numbers) = get(name) {
            let in_range = |number: &u64| (1..=most).contains(number);
            let numbers = words(numbers, |n| n.as_u64().filter(in_range).map(|n| n.to_string()));
            let why = "byMonthDay must be a list of 1 to 31, byMonth one of 1 to 12";
            text.push_str(&format!(";{part}={}", numbers.ok_or_else(|| refused(why))?));
        }
    }
    Ok(text.into())
}

/// `20251231T235959Z`; its date for whole days, as RFC 5545 section 3.3.10 wants it.
fn until_of(text: &str, all_day: bool) -> Option<&str> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let fits = date.len() == 8 && time.len() == 6 && digits(date) && digits(time);
    fits.then_some(if all_day { date } else { text })
}

/// Several words with commas; `None` when there are none, or one is none.
fn words(value: &Value, word: impl Fn(&Value) -> Option<String>) -> Option<String> {
    let list = value.as_array().filter(|list| !list.is_empty())?;
    Some(list.iter().map(word).collect::<Option<Vec<_>>>()?.join(","))
}

/// Providers keep texts only: other values are kept as their JSON.
fn properties(value: &Value) -> Result<Value, Refusal> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Object(custom) => {
            let text = |value: &Value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let texts = custom.iter().map(|(name, value)| (name.clone(), text(value).into()));
            Ok(Value::Object(texts.collect()))
        }
        _ => Err(Refusal::field("custom", "wrong_type", "must be an object")),
    }
}

/// `conference` is an address (events API) or an object (webhooks); `conferenceData` asks the provider to
/// make one.
fn conference(fields: &Fields) -> Result<Option<Value>, Refusal> {
    for name in ["conferenceData", "conference"] {
        let wanted = match fields.get(name) {
            None => continue,
            Some(Value::Null) => Some(Value::Null),
            Some(Value::String(url)) if url.is_empty() => Some(Value::Null),
            Some(Value::String(url)) => Some(json!({ "url": url })),
            Some(Value::Object(object)) => match object.get("url") {
                Some(url) if !url.is_null() => Some(json!({ "url": url })),
                _ if object.get("autoGenerate") == Some(&true.into()) => Some("create".into()),
                _ => None,
            },
            Some(_) => {
                let why = "must be an address, or an object with url or autoGenerate";
                return Err(Refusal::field(name, "wrong_type", why));
            }
        };
        if wanted.is_some() {
            return Ok(wanted);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
