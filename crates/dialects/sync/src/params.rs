//! The parameters of a call: those of the query and those of the JSON body, which wins. Clients send
//! numbers as text and lists with commas; both are understood.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use tidings_core::limits;

use crate::refusal::Refusal;

/// The parameters, by name.
#[derive(Debug, Default)]
pub(crate) struct Params(pub(crate) Map<String, Value>);

impl Params {
    /// A parameter that is there, not `null` and not an empty text.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    /// A text that must be there.
    pub(crate) fn text(&self, name: &str) -> Result<String, Refusal> {
        self.optional_text(name)?.ok_or_else(|| Refusal::field(name, "is required"))
    }

    /// A text.
    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(Refusal::field(name, "must be a text")),
        }
    }

    /// A whole number that is not negative.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = match value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64(),
        };
        number.map(Some).ok_or_else(|| Refusal::field(name, "must be a whole number from 0 on"))
    }

    /// Yes or no: 1 or 0, also as text or as JSON's own.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        let text = match self.get(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        match text.as_str() {
            "1" | "true" => Ok(Some(true)),
            "0" | "false" => Ok(Some(false)),
            _ => Err(Refusal::field(name, "must be 1 or 0")),
        }
    }

    /// Texts, each once: an array, or one text with commas; at most [`limits::SYNC_VALUES_MAX`]. Empty when the
    /// parameter is not there.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<String>, Refusal> {
        let wrong = || Refusal::field(name, "must be a list of texts");
        let given: Vec<String> = match self.get(name) {
            None => Vec::new(),
            Some(Value::String(text)) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                parts.map(str::to_owned).collect()
            }
            Some(Value::Array(items)) => {
                let texts = items.iter().map(|item| match item {
                    Value::String(text) => Ok(text.clone()),
                    Value::Number(number) => Ok(number.to_string()),
                    _ => Err(wrong()),
                });
                texts.collect::<Result<_, _>>()?
            }
            Some(_) => return Err(wrong()),
        };
        if given.len() > limits::SYNC_VALUES_MAX {
            let most = limits::SYNC_VALUES_MAX;
            return Err(Refusal::field(name, format!("must have at most {most} values")));
        }
        let mut seen = BTreeSet::new();
        Ok(given.into_iter().filter(|text| seen.insert(text.clone())).collect())
    }

    /// The same, to look values up in.
    pub(crate) fn set(&self, name: &str) -> Result<BTreeSet<String>, Refusal> {
        Ok(self.list(name)?.into_iter().collect())
    }

    /// An object.
    pub(crate) fn object(&self, name: &str) -> Result<Option<&Map<String, Value>>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(fields)),
            Some(_) => Err(Refusal::field(name, "must be an object")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn params(value: Value) -> Params {
        let Value::Object(fields) = value else { panic!("not an object") };
        Params(fields)
    }

    #[test]
    fn numbers_flags_and_lists_are_read_in_both_spellings() {
        let params = params(json!({
            "n": 5, "m": "12", "bad": "x", "minus": -1, "half": 0.5, "nothing": null, "empty": "",
            "yes": 1, "no": "0", "really": true, "two": 2,
            "a": "x, y,,z,x", "b": ["x", 1], "c": [[]], "d": {}
        }));
        for (name, number) in [("n", Some(5)), ("m", Some(12)), ("nothing", None), ("empty", None)]
        {
            assert_eq!(params.number(name).unwrap(), number, "{name}");
        }
        for name in ["bad", "minus", "half", "a", "d"] {
            assert!(params.number(name).is_err(), "{name}");
        }
        for (name, flag) in
            [("yes", Some(true)), ("no", Some(false)), ("really", Some(true)), ("absent", None)]
        {
            assert_eq!(params.flag(name).unwrap(), flag, "{name}");
        }
        assert!(params.flag("two").is_err() && params.flag("a").is_err());
        assert_eq!(params.list("a").unwrap(), ["x", "y", "z"]);
        assert_eq!(params.list("b").unwrap(), ["x", "1"]);
        assert_eq!(params.list("absent").unwrap(), [""; 0]);
        assert!(params.list("c").is_err() && params.list("d").is_err());
    }

    #[test]
    fn a_list_has_a_bounded_number_of_values() {
        let most = limits::SYNC_VALUES_MAX;
        for count in [most, most + 1] {
            let texts: Vec<String> = (0..count).map(|n| n.to_string()).collect();
            let params = params(json!({"text": texts.join(","), "array": texts}));
            for name in ["text", "array"] {
                assert_eq!(params.list(name).is_ok(), count == most, "{name} {count}");
            }
        }
    }

    #[test]
    fn texts_are_required_by_name() {
        let params = params(json!({"url": "", "events": [], "name": 5}));
        for name in ["url", "absent", "events"] {
            let refusal = params.text(name).unwrap_err();
            assert_eq!(refusal.faults[0].field.as_deref(), Some(name));
        }
        assert_eq!(params.text("name").unwrap(), "5");
        assert!(params.object("events").is_err());
        assert!(params.object("absent").unwrap().is_none());
    }
}
