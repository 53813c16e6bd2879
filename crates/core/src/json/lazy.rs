//! A JSON document that is read only as far as somebody looks into it.
//!
//! Containers are read one level at a time and remembered, so that a large document of which two
//! fields matter costs little more than passing over it once. Nothing here panics, whatever the text.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Decimal;

/// A JSON value and, once looked into, what it holds.
#[derive(Debug)]
pub struct Lazy<'a> {
    text: &'a str,
    inside: OnceCell<Option<Inside<'a>>>,
}

/// What a value holds, one level deep.
#[derive(Debug)]
pub enum Inside<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, exactly as it is written.
    Number(Decimal<'a>),
    /// A string, without its escapes.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Lazy<'a>>),
    /// An object, by key; equal keys are in the order of the document.
    Object(Vec<(Cow<'a, str>, Lazy<'a>)>),
}

impl<'a> Lazy<'a> {
    /// A document. It is not looked at yet.
    pub fn new(text: &'a str) -> Self {
        Self { text: text.trim_ascii(), inside: OnceCell::new() }
    }

    /// The value as it is written.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// What it holds; `None` when the text is not JSON.
    pub fn inside(&self) -> Option<&Inside<'a>> {
        self.inside.get_or_init(|| read(self.text)).as_ref()
    }

    /// The member of an object (the last, when several have this key, as most readers do) or the
    /// element of an array, named as in a JSON pointer (RFC 6901 §4).
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self.inside()? {
            Inside::Object(members) => {
                let after = members.partition_point(|(key, _)| key.as_ref() <= name);
                members[..after].last().filter(|(key, _)| key == name).map(|(_, value)| value)
            }
            Inside::List(items) => items.get(index(name)?),
            _ => None,
        }
    }
}

/// An array index without sign and leading zeros.
fn index(name: &str) -> Option<usize> {
    let plain = name == "0" || !name.starts_with('0');
    if plain && name.bytes().all(|byte| byte.is_ascii_digit()) { name.parse().ok() } else { None }
}

fn read(text: &str) -> Option<Inside<'_>> {
    match text.bytes().next()? {
        b'{' => {
            let Members(mut members) = serde_json::from_str(text).ok()?;
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Some(Inside::Object(members))
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            Some(Inside::List(items.into_iter().map(|item| Lazy::new(item.get())).collect()))
        }
        b'"' => serde_json::from_str(text).ok().map(|Text(text)| Inside::Text(text)),
        b't' if text == "true" => Some(Inside::Bool(true)),
        b'f' if text == "false" => Some(Inside::Bool(false)),
        b'n' if text == "null" => Some(Inside::Null),
        _ => Decimal::parse(text).map(Inside::Number),
    }
}

/// A string that is borrowed when it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct Members<'a>(Vec<(Cow<'a, str>, Lazy<'a>)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Text(key), value)) = entries.next_entry::<Text<'de>, &'de RawValue>()? {
            members.push((key, Lazy::new(value.get())));
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at<'l>(document: &'l Lazy<'l>, path: &str) -> Option<&'l str> {
        path.split('/').skip(1).try_fold(document, |value, name| value.get(name)).map(Lazy::text)
    }

    #[test]
    fn paths_lead_to_the_text_of_values() {
        let document =
            r#" { "b" : [ 10, {"c" : "x\u0041"} ], "a":1.50, "a":2 , "":true, "é\n":null } "#;
        let document = Lazy::new(document);
        for (path, text) in [
            ("/b/0", Some("10")),
            ("/b/1/c", Some(r#""x\u0041""#)),
            ("/b/2", None),
            ("/b/00", None),
            ("/b/-1", None),
            ("/b/+1", None),
            ("/b/", None),
            ("/b/99999999999999999999999", None),
            ("/a", Some("2")),
            ("/a/0", None),
            ("/", Some("true")),
            ("/é\n", Some("null")),
            ("/z", None),
        ] {
            assert_eq!(at(&document, path), text, "{path:?}");
        }
        let inside = document.get("b").and_then(|b| b.get("1")?.get("c")?.inside());
        assert!(matches!(inside, Some(Inside::Text(text)) if text == "xA"));
    }

    #[test]
    fn what_is_not_json_holds_nothing() {
        for text in
            ["", "{", "{]", "nul", "tru", "\"", r#""\ud800""#, "-", "1x", "[1,]", "{\"a\"}", "é"]
        {
            assert!(Lazy::new(text).inside().is_none(), "{text}");
            assert!(Lazy::new(text).get("0").is_none(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(Lazy::new(&deep).inside().is_none());
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Lazy::new(&deep).get("0").is_some_and(|inner| inner.get("0").is_some()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,64}", path in "(/[a0-9\"{]{0,3}){0,3}") {
            let document = Lazy::new(&text);
            let _found = at(&document, &path);
        }

        #[test]
        fn it_agrees_with_a_whole_reading(a in any::<i64>(), b in ".{0,12}", c in prop::bool::ANY) {
            let whole = serde_json::json!({"a": [a, {"b": b}], "c": c});
            let text = whole.to_string();
            let document = Lazy::new(&text);
            for path in ["/a/0", "/a/1/b", "/a/1", "/c", "/a/2", "/d"] {
                let read = at(&document, path).map(|text| serde_json::from_str(text).unwrap());
                prop_assert_eq!(read.as_ref(), whole.pointer(path));
            }
        }
    }
}
