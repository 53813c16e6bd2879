//! Reading the parameters of a method, whether they came as a query string or as JSON.

use serde_json::{Map, Value, json};

use crate::refusal::Refusal;

/// Reads the properties of one object and collects what is wrong with them.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    fields: &'a Map<String, Value>,
    faults: Vec<Value>,
}

impl<'a> Reader<'a> {
    /// Of an object that may have the properties `known` and no others.
    pub(crate) fn strict(fields: &'a Map<String, Value>, known: &[&str]) -> Self {
        let mut reader = Self::lenient(fields);
        for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
            reader.fault(name, "OBJECT_ADDITIONAL_PROPERTIES", "is not a property of this method");
        }
        reader
    }

    /// Of an object whose other properties do not matter.
    pub(crate) fn lenient(fields: &'a Map<String, Value>) -> Self {
        Self { fields, faults: Vec::new() }
    }

    /// Notes that something is wrong with a property.
    pub(crate) fn fault(&mut self, name: &str, code: &str, why: &str) {
        let message = format!("{name} {why}");
        self.faults.push(json!({ "code": code, "message": message, "path": format!("#/{name}") }));
    }

    /// The refusal of all that was wrong, if anything was.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        if self.faults.is_empty() { Ok(()) } else { Err(Refusal::parameters(self.faults)) }
    }

    fn read<T>(
        &mut self,
        name: &str,
        kind: &str,
        take: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.fields.get(name).filter(|value| !value.is_null())?;
        let taken = take(value);
        if taken.is_none() {
            self.fault(name, "INVALID_TYPE", &format!("must be {kind}"));
        }
        taken
    }

    /// Demands a property that was read before.
    pub(crate) fn require<T>(&mut self, name: &str, value: Option<T>) -> Option<T> {
        if self.fields.get(name).is_none_or(Value::is_null) {
            self.fault(name, "OBJECT_MISSING_REQUIRED_PROPERTY", "is required");
        }
        value
    }

    /// Text; none when absent or `null`, as for all that follow.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.read(name, "a string", |value| value.as_str().map(str::to_owned))
    }

    /// Text that must be there.
    pub(crate) fn required_text(&mut self, name: &str) -> Option<String> {
        let text = self.text(name);
        self.require(name, text)
    }

    /// One of some words.
    pub(crate) fn choice(&mut self, name: &str, words: &[&str]) -> Option<String> {
        let text = self.text(name)?;
        if !words.contains(&text.as_str()) {
            self.fault(name, "ENUM_MISMATCH", &format!("must be one of {}", words.join(", ")));
        }
        Some(text)
    }

    /// A finite number.
    pub(crate) fn number(&mut self, name: &str) -> Option<f64> {
        self.read(name, "a number", Value::as_f64)
    }

    /// A count.
    pub(crate) fn count(&mut self, name: &str) -> Option<u64> {
        let whole = |value: &Value| {
            let fraction = value.as_f64().filter(|n| (0.0..=9e15).contains(n) && n.fract() == 0.0);
            fraction.map(|number| number as u64)
        };
        self.read(name, "a whole number from 0 on", whole)
    }

    /// Yes or no.
    pub(crate) fn boolean(&mut self, name: &str) -> Option<bool> {
        self.read(name, "a boolean", Value::as_bool)
    }

    /// An object.
    pub(crate) fn object(&mut self, name: &str) -> Option<&'a Map<String, Value>> {
        self.read(name, "an object", Value::as_object)
    }

    /// A list.
    pub(crate) fn list(&mut self, name: &str) -> Option<&'a Vec<Value>> {
        self.read(name, "an array", Value::as_array)
    }

    /// A list of texts.
    pub(crate) fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let each = |value: &Value| {
            let texts = value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned));
            texts.collect()
        };
        self.read(name, "an array of strings", each)
    }
}

/// What a query string says, with the types that the methods expect: numbers and booleans by name,
/// lists from repeated names (`streams=a&streams=b`, `streams[]=a`), JSON where it begins like it.
pub(crate) fn of_query(pairs: Vec<(String, String)>) -> Map<String, Value> {
    const NUMBERS: [&str; 6] =
        ["fromTime", "toTime", "skip", "limit", "modifiedSince", "includeDeletionsSince"];
    const FLAGS: [&str; 6] = [
        "running",
        "sortAscending",
        "includeDeletions",
        "includeExpired",
        "includeHistory",
        "mergeEventsWithParent",
    ];
    const LISTS: [&str; 3] = ["streams", "types", "tags"];
    const JSON: [&str; 3] = ["streams", "content", "clientData"];
    let mut params = Map::new();
    for (name, text) in pairs {
        let bare = name.split('[').next().unwrap_or_default();
        let is_json = JSON.contains(&bare) && text.trim_start().starts_with(['{', '[']);
        let parsed = || serde_json::from_str(&text).ok();
        let value = if is_json {
            parsed()
        } else if NUMBERS.contains(&bare) {
            text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| json!(number))
        } else if FLAGS.contains(&bare) {
            parsed().filter(Value::is_boolean)
        } else {
            None
        };
        let value = value.unwrap_or(Value::String(text));
        if LISTS.contains(&bare) && value.is_string() {
            let list = params.entry(bare).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(value);
            }
        } else {
            params.insert(bare.to_owned(), value);
        }
    }
    params
}

/// The pairs of a query string or of a form.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        })
        .collect()
}

/// Undoes percent-encoding; with `plus`, a plus sign is a space, as in forms.
pub(crate) fn decode(text: &str, plus: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| byte == b'%');
        let hex = hex.and_then(|two| std::str::from_utf8(two).ok());
        if let Some(value) = hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            bytes.push(value);
            rest = &after[2..];
        } else {
            bytes.push(if plus && byte == b'+' { b' ' } else { byte });
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_string_has_the_types_of_the_methods_parameters() {
        for (query, params) in [
            ("", json!({})),
            ("a=b+c&d=%C3%A9&e", json!({"a": "b c", "d": "é", "e": ""})),
            ("limit=20&skip=0", json!({"limit": 20.0, "skip": 0.0})),
            ("limit=many", json!({"limit": "many"})),
            ("modifiedSince=1586254000.213", json!({"modifiedSince": 1_586_254_000.213})),
            (
                "includeDeletions=true&running=false",
                json!({"includeDeletions": true, "running": false}),
            ),
            ("running=1", json!({"running": "1"})),
            ("streams=a&streams=b", json!({"streams": ["a", "b"]})),
            ("streams[]=diary&streams[]=weight", json!({"streams": ["diary", "weight"]})),
            ("streams%5B%5D=a", json!({"streams": ["a"]})),
            ("types=note/txt", json!({"types": ["note/txt"]})),
            (
                "streams=%7B%22any%22%3A%5B%22activity%22%2C%22nutrition%22%5D%2C%22all%22%3A%5B%22health%22%5D%7D",
                json!({"streams": {"any": ["activity", "nutrition"], "all": ["health"]}}),
            ),
            ("streams=[%22a%22]", json!({"streams": ["a"]})),
            ("id=%2", json!({"id": "%2"})),
            ("id=12", json!({"id": "12"})),
        ] {
            assert_eq!(Value::Object(of_query(pairs(query))), params, "{query}");
        }
    }

    #[test]
    fn every_fault_of_the_parameters_is_listed() {
        let value =
            json!({"url": 123, "odd": 1, "state": "asleep", "limit": -1, "streams": ["a", 2]});
        let fields = value.as_object().unwrap();
        let mut reader = Reader::strict(fields, &["url", "state", "limit", "streams", "name"]);
        assert_eq!(reader.text("url"), None);
        reader.choice("state", &["active", "inactive"]);
        reader.count("limit");
        reader.texts("streams");
        reader.required_text("name");
        let refusal = reader.finish().unwrap_err().to_json();
        let faults = refusal["data"].as_array().unwrap();
        let told: Vec<_> = faults.iter().map(|fault| fault["message"].as_str().unwrap()).collect();
        assert_eq!(
            told,
            [
                "odd is not a property of this method",
                "url must be a string",
                "state must be one of active, inactive",
                "limit must be a whole number from 0 on",
                "streams must be an array of strings",
                "name is required",
            ],
        );
        assert_eq!(faults[5]["path"], "#/name");
    }
}
