//! Small changes to a JSON document: `customer.name=Ada`, `items.0.price=12.5`.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Sets what is at a path; objects on the way are made. Text that is no JSON stands for itself.
///
/// # Errors
/// Usage: an equals sign is missing; the path leads through something that has no parts.
pub(super) fn add(document: &mut Value, assignment: &str) -> Result<()> {
    let Some((path, text)) = assignment.split_once('=') else {
        return Err(Error::Usage(format!("--add {assignment}: write PATH=JSON")));
    };
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let mut at = document;
    for name in path.split('.') {
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
        at = match at {
            Value::Object(members) => members.entry(name).or_insert(Value::Null),
            Value::Array(items) => {
                let length = items.len();
                let place = name.parse().ok().filter(|place: &usize| *place <= length);
                let place = place.ok_or_else(|| no_place(path, name))?;
                if place == length {
                    items.push(Value::Null);
                }
                &mut items[place]
            }
            _ => return Err(no_place(path, name)),
        };
    }
    *at = value;
    Ok(())
}

/// Takes away what is at a path.
///
/// # Errors
/// Usage: there is nothing.
pub(super) fn remove(document: &mut Value, path: &str) -> Result<()> {
    let (parent, name) = path.rsplit_once('.').map_or(("", path), |(parent, name)| (parent, name));
    let mut at = document;
    for step in parent.split('.').filter(|step| !step.is_empty()) {
        at = match at {
            Value::Object(members) => members.get_mut(step),
            Value::Array(items) => {
                step.parse::<usize>().ok().and_then(|place| items.get_mut(place))
            }
            _ => None,
        }
        .ok_or_else(|| no_place(path, step))?;
    }
    let removed = match at {
        Value::Object(members) => members.remove(name).is_some(),
        Value::Array(items) => {
            let place = name.parse().ok().filter(|place: &usize| *place < items.len());
            place.map(|place| items.remove(place)).is_some()
        }
        _ => false,
    };
    if removed { Ok(()) } else { Err(no_place(path, name)) }
}

fn no_place(path: &str, name: &str) -> Error {
    Error::Usage(format!("{path}: there is no {name} in the content"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_are_set_made_and_taken_away() {
        let original = json!({"a": {"b": 1}, "list": [1, {"c": 2}]});
        for (assignment, wanted) in [
            ("a.b=2", Some(json!({"a": {"b": 2}, "list": [1, {"c": 2}]}))),
            ("a.d.e=\"x\"", Some(json!({"a": {"b": 1, "d": {"e": "x"}}, "list": [1, {"c": 2}]}))),
            ("list.1.c=a word", Some(json!({"a": {"b": 1}, "list": [1, {"c": "a word"}]}))),
            ("list.2=[3]", Some(json!({"a": {"b": 1}, "list": [1, {"c": 2}, [3]]}))),
            ("a={}", Some(json!({"a": {}, "list": [1, {"c": 2}]}))),
            ("list.9=1", None),
            ("list.x=1", None),
            ("a.b.c=1", None),
            ("a", None),
        ] {
            let mut document = original.clone();
            let done = add(&mut document, assignment);
            assert_eq!(done.ok().map(|()| document), wanted, "{assignment}");
        }
        for (path, wanted) in [
            ("a", Some(json!({"list": [1, {"c": 2}]}))),
            ("a.b", Some(json!({"a": {}, "list": [1, {"c": 2}]}))),
            ("list.0", Some(json!({"a": {"b": 1}, "list": [{"c": 2}]}))),
            ("list.1.c", Some(json!({"a": {"b": 1}, "list": [1, {}]}))),
            ("list.2", None),
            ("x", None),
            ("a.b.c", None),
        ] {
            let mut document = original.clone();
            let done = remove(&mut document, path);
            assert_eq!(done.ok().map(|()| document), wanted, "{path}");
        }
    }
}
