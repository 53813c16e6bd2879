//! Checks of what clients send. A verb collects all refusals of a request and reports them together.

use serde_json::Value;
use tidings_core::clock::Timestamp;
use tidings_core::egress::EgressPolicy;
use tidings_core::limits;

use crate::{Error, Field, Result};

/// The refusals of one request.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<Field>);

impl Checks {
    pub(crate) fn refuse(
        &mut self,
        pointer: impl Into<String>,
        code: &'static str,
        why: impl Into<String>,
    ) {
        self.0.push(Field::new(pointer, code, why));
    }

    /// A text that people read or that is kept for them: not blank, bounded, one line, no characters
    /// that make it look like something else.
    pub(crate) fn name(&mut self, pointer: &str, text: &str) {
        if text.trim().is_empty() {
            self.refuse(pointer, "blank", "must not be blank");
        } else {
            self.text(pointer, text);
        }
    }

    pub(crate) fn optional_name(&mut self, pointer: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.name(pointer, text);
        }
    }

    /// As [`Checks::name`], but may be empty.
    pub(crate) fn text(&mut self, pointer: &str, text: &str) {
        if text.len() > limits::NAME_BYTES_MAX {
            let why = format!("must be at most {} bytes", limits::NAME_BYTES_MAX);
            self.refuse(pointer, "too_long", why);
        }
        if text.chars().any(is_deceptive) {
            let why =
                "must not contain control characters or marks that change the reading direction";
            self.refuse(pointer, "characters", why);
        }
    }

    /// A JSON object that a dialect keeps with something.
    pub(crate) fn details(&mut self, pointer: &str, details: &Value) {
        if !details.is_object() {
            self.refuse(pointer, "object", "must be an object");
        } else if details.to_string().len() > limits::DETAILS_BYTES_MAX {
            let why = format!("must be at most {} bytes of JSON", limits::DETAILS_BYTES_MAX);
            self.refuse(pointer, "too_long", why);
        }
    }

    /// A URL that we will send requests to.
    pub(crate) fn url(&mut self, pointer: &str, url: &str, egress: &EgressPolicy) {
        if let Err(refusal) = egress.vet_url(url) {
            self.refuse(pointer, refusal.code(), refusal.to_string());
        }
    }

    /// A time that must lie ahead.
    pub(crate) fn future(&mut self, pointer: &str, at: Option<Timestamp>, now: Timestamp) {
        if at.is_some_and(|at| at <= now) {
            self.refuse(pointer, "past", "must lie in the future");
        }
    }

    /// Ok when nothing was refused.
    pub(crate) fn done(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0)) }
    }
}

/// Whether a character makes a text look like something else: a control character, or a mark that changes the
/// reading direction.
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_visible_and_honest() {
        let long = "a".repeat(limits::NAME_BYTES_MAX + 1);
        for (name, good) in [
            ("Work", true),
            ("名前 😀", true),
            ("<img src=x onerror=alert(1)>", true),
            ("=cmd|' /C calc'!A0", true),
            ("", false),
            ("  ", false),
            ("a\0b", false),
            ("a\nb", false),
            ("\u{202e}evil", false),
            ("a\u{2066}b", false),
            (long.as_str(), false),
        ] {
            let mut checks = Checks::default();
            checks.name("/name", name);
            assert_eq!(checks.done().is_ok(), good, "{name:?}");
        }
    }
}
