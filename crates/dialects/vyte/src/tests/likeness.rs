//! Comparing an answer with a printed one, field by field.

use serde_json::Value;
use tidings_core::clock::Timestamp;
use tidings_core::id::Bits96;

/// Fields whose times the request decides, so that they are compared and not only their shape.
const EXACT: [&str; 2] = ["date", "end_date"];

/// Whether everything printed is in the answer: ids and times by their shape, all else by its value.
pub(super) fn assert_like(printed: &Value, answer: &Value, without: &[&str]) {
    compare("", printed, answer, without);
}

fn compare(at: &str, printed: &Value, answer: &Value, without: &[&str]) {
    match (printed, answer) {
        (Value::Object(printed), Value::Object(answer)) => {
            for (name, printed) in
                printed.iter().filter(|(name, _)| !without.contains(&name.as_str()))
            {
                let at = format!("{at}/{name}");
                let found =
                    answer.get(name).unwrap_or_else(|| panic!("{at} is missing: {answer:?}"));
                compare(&at, printed, found, without);
            }
        }
        (Value::Array(printed), Value::Array(answer)) => {
            assert_eq!(printed.len(), answer.len(), "{at}: {answer:?}");
            for (place, (printed, answer)) in printed.iter().zip(answer).enumerate() {
                compare(&format!("{at}/{place}"), printed, answer, without);
            }
        }
        (Value::String(text), Value::String(found)) => {
            let name = at.rsplit('/').next().unwrap();
            if is_id(text) {
                assert!(is_id(found), "{at}: {found} is not 24 hexadecimal digits");
            } else if is_time(text) && !EXACT.contains(&name) {
                assert!(is_time(found), "{at}: {found} is not a time with milliseconds and Z");
            } else {
                assert_eq!(text, found, "{at}");
            }
        }
        _ => assert_eq!(printed, answer, "{at}"),
    }
}

pub(super) fn is_id(text: &str) -> bool {
    Bits96::from_hex24(text).is_some() && text == text.to_lowercase()
}

fn is_time(text: &str) -> bool {
    Timestamp::parse(text).is_some_and(|at| at.to_string() == text)
}

/// The names of an object's fields, sorted.
pub(super) fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}
