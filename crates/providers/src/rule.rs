//! The value of an RRULE (RFC 5545 section 3.3.10), as far as we change it ourselves.

use calcard::icalendar::{ICalendarProperty, ICalendarValue};
use calcard::{Entry, Parser};
use tidings_core::limits::RECURRENCE_BYTES_MAX;

/// `FREQ=WEEKLY;BYDAY=MO`: parts in their order, names in capitals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule(Vec<(String, String)>);

impl Rule {
    /// Reads a value; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"=;,-+".contains(&b);
        if text.len() > RECURRENCE_BYTES_MAX || !text.bytes().all(is_plain) {
            return None;
        }
        let mut parts: Vec<(String, String)> = Vec::new();
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=')?;
            let name = name.to_ascii_uppercase();
            if value.is_empty() || parts.iter().any(|(known, _)| *known == name) {
                return None;
            }
            parts.push((name, value.to_ascii_uppercase()));
        }
        let rule = Self(parts);
        let number = |name| rule.get(name).is_none_or(|n| n.parse().is_ok_and(|n: u32| n > 0));
        let is_sound = rule.get("FREQ").is_some() && number("COUNT") && number("INTERVAL");
        (is_sound && rule.is_understood()).then_some(rule)
    }

    fn is_understood(&self) -> bool {
        let text = format!(
            "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nRRULE:{self}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        let Entry::ICalendar(calendar) = Parser::new(&text).entry() else { return false };
        calendar.components.iter().any(|component| {
            let rule = component.property(&ICalendarProperty::Rrule);
            let value = rule.and_then(|rule| rule.values.first());
            matches!(value, Some(ICalendarValue::RecurrenceRule(_)))
        })
    }

    /// A part, by its name in capitals.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// How many occurrences there are at most.
    pub fn count(&self) -> Option<usize> {
        self.get("COUNT")?.parse().ok()
    }

    /// The same rule with `name` as `value`.
    #[must_use]
    pub fn with(&self, name: &str, value: impl Into<String>) -> Self {
        let mut rule = self.without(name);
        rule.0.push((name.into(), value.into()));
        rule
    }

    /// The same rule without `name`.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(known, _)| known != name).cloned().collect())
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (name, value)) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { ";" };
            write!(f, "{separator}{name}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_changed_and_printed() {
        let rule = Rule::parse("freq=weekly;BYDAY=MO,-1FR;COUNT=5").unwrap();
        assert_eq!(rule.to_string(), "FREQ=WEEKLY;BYDAY=MO,-1FR;COUNT=5");
        assert_eq!((rule.count(), rule.get("BYDAY")), (Some(5), Some("MO,-1FR")));
        let ended = rule.without("COUNT").with("UNTIL", "20261203T075959Z");
        assert_eq!(ended.to_string(), "FREQ=WEEKLY;BYDAY=MO,-1FR;UNTIL=20261203T075959Z");
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "BYDAY=MO",
            "FREQ=SOMETIMES",
            "FREQ=DAILY;COUNT=0",
            "FREQ=DAILY;INTERVAL=0",
            "FREQ=DAILY;FREQ=DAILY",
            "FREQ=DAILY;COUNT",
            "FREQ=DAILY\r\nX:1",
            "RRULE:FREQ=DAILY",
        ] {
            assert_eq!(Rule::parse(text), None, "{text}");
        }
    }
}
