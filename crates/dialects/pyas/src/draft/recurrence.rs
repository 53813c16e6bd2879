//! A recurrence as clients write it, as the value of an RRULE. Pyas names a recurrence object without
//! saying publicly what is in it: the usual names are taken.

use serde_json::Value;

const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// `RRULE:…`, its value alone, a list of one of them, or an object.
pub(super) fn rule(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.strip_prefix("RRULE:").unwrap_or(text).to_owned()),
        Value::Array(lines) => match lines.as_slice() {
            [line] if line.is_string() => rule(line),
            _ => None,
        },
        Value::Object(_) => of_object(value),
        _ => None,
    }
}

fn of_object(value: &Value) -> Option<String> {
    let first = |names: &[&str]| names.iter().map(|name| &value[*name]).find(|one| !one.is_null());
    let frequency = first(&["frequency", "freq"])?.as_str()?.to_uppercase();
    let mut parts = vec![format!("FREQ={frequency}")];
    if let Some(interval) = first(&["interval"]) {
        parts.push(format!("INTERVAL={}", interval.as_u64()?));
    }
    if let Some(days) = first(&["byDay", "byday", "daysOfWeek"]) {
        let days: Option<Vec<_>> = days.as_array()?.iter().map(day).collect();
        parts.push(format!("BYDAY={}", days?.join(",")));
    }
    if let Some(count) = first(&["count"]) {
        parts.push(format!("COUNT={}", count.as_u64()?));
    }
    if let Some(until) = first(&["until", "endDate"]) {
        parts.push(format!("UNTIL={}", compact(until.as_str()?)?));
    }
    Some(parts.join(";"))
}

/// `MO`, `1MO`, `Monday`.
fn day(value: &Value) -> Option<String> {
    let text = value.as_str()?.to_uppercase();
    let known = |day: &str| DAYS.contains(&day);
    if text.len() >= 2 && text.is_ascii() && known(&text[text.len() - 2..]) && text.len() <= 5 {
        let is_number = text[..text.len() - 2].bytes().all(|b| b"+-0123456789".contains(&b));
        if is_number {
            return Some(text);
        }
    }
    let short = text.get(..2)?;
    (text.ends_with("DAY") && known(short)).then(|| short.to_owned())
}

/// `2026-12-03T08:00:00Z` -> `20261203T080000Z`, `2026-12-03` -> `20261203`.
fn compact(text: &str) -> Option<String> {
    if text.contains('T') && text.contains('-') {
        let at = tidings_core::clock::Timestamp::parse(text)?.to_string();
        return Some(at.split('.').next()?.replace(['-', ':'], "") + "Z");
    }
    let plain = text.replace('-', "");
    plain.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'T' | b'Z')).then_some(plain)
}
