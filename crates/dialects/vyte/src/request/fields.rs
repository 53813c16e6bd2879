//! The fields of a JSON object in a request. Unknown fields are tolerated, wrong types are not; `null` is
//! the same as absent.

use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// An object, and where it is in the body: `dates[0]`.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    at: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// Takes a value that must be an object; `at` is empty for the body itself.
    pub(crate) fn of(at: &str, value: &'a Value) -> Result<Self, Refusal> {
        match value {
            Value::Object(map) => Ok(Self { at: at.to_owned(), map }),
            _ if at.is_empty() => {
                Err(Refusal::bad_request("malformed", "the body must be a JSON object"))
            }
            _ => Err(Refusal::field(at, "must be an object")),
        }
    }

    /// The objects of an array.
    pub(crate) fn each(at: &str, value: &'a Value, max: usize) -> Result<Vec<Self>, Refusal> {
        let Value::Array(values) = value else {
            return Err(Refusal::field(at, "must be an array"));
        };
        if values.len() > max {
            return Err(Refusal::field(at, &format!("has at most {max} entries")));
        }
        let one = |(place, value)| Self::of(&format!("{at}[{place}]"), value);
        values.iter().enumerate().map(one).collect()
    }

    /// The name of a field of this object, for messages.
    pub(crate) fn name(&self, field: &str) -> String {
        if self.at.is_empty() { field.to_owned() } else { format!("{}.{field}", self.at) }
    }

    /// 400 about a field of this object.
    pub(crate) fn refuse(&self, field: &str, why: &str) -> Refusal {
        Refusal::field(&self.name(field), why)
    }

    /// The value of a field; none when absent or `null`.
    pub(crate) fn value(&self, field: &str) -> Option<&'a Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    /// A string of at most `max` bytes.
    pub(crate) fn text(&self, field: &str, max: usize) -> Result<Option<&'a str>, Refusal> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() > max => {
                Err(self.refuse(field, &format!("has at most {max} bytes")))
            }
            Some(Value::String(text)) if text.contains('\0') => {
                Err(self.refuse(field, "must not contain a null character"))
            }
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.refuse(field, "must be a string")),
        }
    }

    /// As [`Fields::text`], to keep.
    pub(crate) fn owned(&self, field: &str, max: usize) -> Result<Option<String>, Refusal> {
        Ok(self.text(field, max)?.map(str::to_owned))
    }

    /// A string that must be there and not be blank.
    pub(crate) fn required(&self, field: &str, max: usize) -> Result<&'a str, Refusal> {
        let text = self.text(field, max)?.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| self.refuse(field, "is required"))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, field: &str) -> Result<Option<bool>, Refusal> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.refuse(field, "must be true or false")),
        }
    }

    /// An object in this one.
    pub(crate) fn object(&self, field: &str) -> Result<Option<Self>, Refusal> {
        self.value(field).map(|value| Self::of(&self.name(field), value)).transpose()
    }

    /// An array of objects in this one.
    pub(crate) fn objects(&self, field: &str, max: usize) -> Result<Option<Vec<Self>>, Refusal> {
        self.value(field).map(|value| Self::each(&self.name(field), value, max)).transpose()
    }

    /// An array of strings in this one.
    pub(crate) fn texts(&self, field: &str, max: usize) -> Result<Option<Vec<String>>, Refusal> {
        let Some(value) = self.value(field) else { return Ok(None) };
        let refused = || self.refuse(field, &format!("must be an array of at most {max} strings"));
        let values = value.as_array().filter(|values| values.len() <= max).ok_or_else(refused)?;
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(refused);
        values.iter().map(text).collect::<Result<_, _>>().map(Some)
    }
}
