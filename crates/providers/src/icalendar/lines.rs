//! iCalendar text by lines (RFC 5545 section 3.1), without interpreting it: what a component says,
//! in a form that two servers' spellings of the same component share.

use sha2::{Digest, Sha256};

/// The unfolded content lines of one VEVENT, `BEGIN` and `END` excluded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Component {
    lines: Vec<String>,
}

/// The VEVENTs of a calendar, in their order. Components inside them stay part of them.
pub(super) fn events(text: &str) -> Vec<Component> {
    let mut events = Vec::new();
    let mut open: Option<(Component, usize)> = None;
    for line in unfold(text) {
        let begins = keyword(&line, "BEGIN:");
        let ends = keyword(&line, "END:");
        match &mut open {
            None if begins.is_some_and(|name| name.eq_ignore_ascii_case("VEVENT")) => {
                open = Some((Component::default(), 0));
            }
            None => {}
            Some((_, 0)) if ends.is_some() => events.extend(open.take().map(|(event, _)| event)),
            Some((event, depth)) => {
                *depth += usize::from(begins.is_some());
                *depth -= usize::from(ends.is_some());
                event.lines.push(line);
            }
        }
    }
    events
}

fn keyword<'a>(line: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, tail) = line.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then(|| tail.trim())
}

fn unfold(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(last)) => last.push_str(rest),
            _ if line.is_empty() => {}
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

impl Component {
    /// The component in a calendar of its own.
    pub(super) fn icalendar(&self) -> String {
        let mut text = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\n");
        for line in &self.lines {
            text.push_str(line);
            text.push_str("\r\n");
        }
        text.push_str("END:VEVENT\r\nEND:VCALENDAR\r\n");
        text
    }

    /// The value of the component's own property `name`, raw; parameters are skipped.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.own_lines().find_map(|line| {
            let (head, tail) = line.split_at_checked(name.len())?;
            let starts = head.eq_ignore_ascii_case(name) && tail.starts_with([':', ';']);
            starts.then(|| value_after_parameters(tail)).flatten()
        })
    }

    fn own_lines(&self) -> impl Iterator<Item = &str> {
        let mut depth = 0_usize;
        self.lines.iter().map(String::as_str).filter(move |line| {
            depth += usize::from(keyword(line, "BEGIN:").is_some());
            let own = depth == 0;
            depth -= usize::from(keyword(line, "END:").is_some()).min(depth);
            own
        })
    }

    /// A hash of what the component says: blind to the order of properties and of inner
    /// components, and to DTSTAMP, which servers and clients renew without cause. `context` is what
    /// gives the lines their meaning from outside (resolved times).
    pub(super) fn version(&self, context: &[&str]) -> String {
        let mut blocks: Vec<Vec<&str>> = Vec::new();
        let mut depth = 0_usize;
        for line in self.lines.iter().map(String::as_str) {
            if depth == 0 {
                blocks.push(Vec::new());
            }
            depth += usize::from(keyword(line, "BEGIN:").is_some());
            depth -= usize::from(keyword(line, "END:").is_some()).min(depth);
            if let Some(block) = blocks.last_mut().filter(|_| !is_stamp(line)) {
                block.push(line);
            }
        }
        for block in &mut blocks {
            block.sort_unstable();
        }
        blocks.retain(|block| !block.is_empty());
        blocks.sort_unstable();
        let mut hash = Sha256::new();
        for part in blocks.into_iter().flatten().chain(context.iter().copied()) {
            hash.update(part.as_bytes());
            hash.update(b"\n");
        }
        hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn is_stamp(line: &str) -> bool {
    line.split_at_checked(7).is_some_and(|(head, tail)| {
        head.eq_ignore_ascii_case("DTSTAMP") && tail.starts_with([':', ';'])
    })
}

/// `;TZID="a:b":value` -> `value`.
fn value_after_parameters(tail: &str) -> Option<&str> {
    let mut quoted = false;
    let colon = tail.find(|c| {
        quoted ^= c == '"';
        c == ':' && !quoted
    })?;
    Some(&tail[colon + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(lines: &str) -> Component {
        let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n");
        events(&text).remove(0)
    }

    #[test]
    fn a_version_ignores_order_folding_and_stamps_and_nothing_else() {
        let first = event(
            "UID:1\nSUMMARY:Long title\nDTSTAMP:20260101T000000Z\nBEGIN:VALARM\nTRIGGER:-PT5M\nACTION:AUDIO\nEND:VALARM",
        );
        let same = event(
            "DTSTAMP:20270101T000000Z\r\nBEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM\nSUMMARY:Long \r\n title\nUID:1",
        );
        assert_eq!(first.version(&[]), same.version(&[]));
        for other in [
            "UID:1\nSUMMARY:Other\nBEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM",
            "UID:1\nSUMMARY:Long title\nBEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT9M\nEND:VALARM",
            "UID:1\nSUMMARY:Long title",
            "UID:1\nSUMMARY:Long title\nSEQUENCE:1\nBEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM",
        ] {
            assert_ne!(event(other).version(&[]), first.version(&[]), "{other}");
        }
        assert_ne!(first.version(&["2026"]), first.version(&[]));
    }

    #[test]
    fn only_own_properties_have_values() {
        let event = event(
            "BEGIN:VALARM\nSUMMARY:alarm\nEND:VALARM\nSUMMARY;X=\"a:b\":own\nrrule:FREQ=DAILY",
        );
        assert_eq!(event.value("SUMMARY"), Some("own"));
        assert_eq!(event.value("RRULE"), Some("FREQ=DAILY"));
        assert_eq!(event.value("SUM"), None);
    }

    #[test]
    fn broken_nesting_does_no_harm() {
        assert_eq!(events("END:VEVENT\nBEGIN:VEVENT\nUID:1").len(), 0);
        assert_eq!(events("BEGIN:VEVENT\nEND:VALARM\nEND:VEVENT").len(), 1);
        assert_eq!(events(" \n\n\r\n").len(), 0);
    }
}
