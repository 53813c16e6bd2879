//! The one validating pass over a JSON document that we will store and forward byte for byte.
//!
//! `serde_json`'s `RawValue` lets lone surrogates, `1e400` and any depth pass, so a document accepted
//! raw could fail later, in our own code or in a receiver's. This pass visits every value.

mod decimal;
mod lazy;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::limits::JSON_DEPTH_MAX;

pub use decimal::Decimal;
pub use lazy::{Inside, Lazy};

const TOO_DEEP: &str = "nested too deep";

/// Why a document is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, not UTF-8, a lone surrogate, or a number out of range.
    #[error("not valid JSON: {0}")]
    Malformed(String),
    /// Nested deeper than [`JSON_DEPTH_MAX`].
    #[error("JSON nested deeper than {JSON_DEPTH_MAX} levels")]
    TooDeep,
}

/// Checks that `document` is one well-formed JSON value whose strings are Unicode, whose numbers are
/// finite and which is at most [`JSON_DEPTH_MAX`] deep.
pub fn validate(document: &[u8]) -> Result<(), JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    Level(0).deserialize(&mut deserializer).and_then(|()| deserializer.end()).map_err(|error| {
        let text = error.to_string();
        if text.starts_with(TOO_DEEP) || text.starts_with("recursion limit") {
            JsonError::TooDeep
        } else {
            JsonError::Malformed(text)
        }
    })
}

/// Visits a value at a nesting level.
#[derive(Clone, Copy)]
struct Level(usize);

impl Level {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.0 >= JSON_DEPTH_MAX { Err(E::custom(TOO_DEEP)) } else { Ok(Self(self.0 + 1)) }
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while entries.next_key_seed(inner)?.is_some() {
            entries.next_value_seed(inner)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_documents_pass_and_poison_does_not() {
        for good in [
            "{}",
            "[]",
            "null",
            " 1 ",
            "9007199254740993",
            "-9223372036854775809",
            "1e308",
            r#""\ud83d\ude00""#,
            r#"{"a":1,"a":2}"#,
            r#"{"":[true,false,"\u0000"]}"#,
        ] {
            assert_eq!(validate(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1}{}",
            "01",
            "1e400",
            r#""\ud800""#,
            r#"{"\udc00":1}"#,
            r#"["\ud800\u0041"]"#,
            "NaN",
            "\"a\nb\"",
        ] {
            assert!(matches!(validate(bad.as_bytes()), Err(JsonError::Malformed(_))), "{bad}");
        }
        assert!(validate(b"\"\xff\"").is_err());
    }

    #[test]
    fn depth_is_limited_without_overflow() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(validate(nested(64).as_bytes()), Ok(()));
        assert_eq!(validate(nested(65).as_bytes()), Err(JsonError::TooDeep));
        assert_eq!(validate("[".repeat(100_000).as_bytes()), Err(JsonError::TooDeep));
    }
}
