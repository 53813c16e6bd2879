//! Versions of events: entity tags out, `if-match` in (RFC 9110 §13.1.1).

use sha2::{Digest, Sha256};
use tidings_store::Item;

use crate::{Error, Result};

/// Hex digits of an entity tag.
const TAG_DIGITS: usize = 32;

/// What `if-match` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum IfMatch {
    /// That the event is there.
    Any,
    /// That it is in one of these versions.
    Tags(Vec<String>),
}

impl IfMatch {
    /// Reads the header's value. Weak tags never match, and are not kept.
    pub(super) fn parse(text: &str) -> Result<Self> {
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        let malformed = || Error::Malformed("if-match is * or entity tags: \"…\"".into());
        let mut tags = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (weak, tag) = part.strip_prefix("W/").map_or((false, part), |tag| (true, tag));
            let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            if inner.is_none_or(|inner| inner.contains('"')) {
                return Err(malformed());
            }
            if !weak {
                tags.push(tag.to_owned());
            }
        }
        Ok(Self::Tags(tags))
    }
}

/// The entity tag of an item: providers' own are not always fit for a header, and some have none.
pub(super) fn tag_of(item: &Item) -> String {
    if item.etag.is_empty() { tag(&item.version) } else { tag(item.etag.as_bytes()) }
}

/// The entity tag that stands for a provider's version.
pub(super) fn tag(version: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("\"");
    for byte in &Sha256::digest(version)[..TAG_DIGITS / 2] {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_is_a_star_or_strong_tags() {
        let tags = |tags: &[&str]| IfMatch::Tags(tags.iter().map(|&tag| tag.into()).collect());
        for (text, expected) in [
            ("*", Some(IfMatch::Any)),
            (" * ", Some(IfMatch::Any)),
            ("\"a\"", Some(tags(&["\"a\""]))),
            ("\"a\", \"b\"", Some(tags(&["\"a\"", "\"b\""]))),
            ("W/\"a\"", Some(tags(&[]))),
            ("a", None),
            ("", None),
            ("\"", None),
            ("\"a\"b\"", None),
        ] {
            assert_eq!(IfMatch::parse(text).ok(), expected, "{text}");
        }
        let made = tag(b"W/\"JzE=\"");
        assert_eq!(made.len(), TAG_DIGITS + 2);
        assert_eq!(IfMatch::parse(&made).unwrap(), tags(&[&made]));
    }
}
