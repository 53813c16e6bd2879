//! A calendar object as text that is changed line by line: what is not touched keeps its bytes, folding
//! included.

use std::fmt::Write as _;

/// Longest physical line, bytes, without its end (RFC 5545 section 3.1).
const FOLD_AT: usize = 75;

/// One content line: as it stands in the text, and unfolded.
#[derive(Clone, Debug)]
pub(super) struct Line {
    raw: String,
    text: String,
}

impl Line {
    /// A new line. Control characters are dropped, so that no value ever becomes a second line.
    pub(super) fn new(text: &str) -> Self {
        let text: String = text.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        Self { raw: fold(&text), text }
    }

    fn keyword(&self, keyword: &str) -> Option<&str> {
        let (head, tail) = self.text.split_at_checked(keyword.len())?;
        head.eq_ignore_ascii_case(keyword).then(|| tail.trim())
    }

    /// Whether it is the property `name`.
    pub(super) fn is(&self, name: &str) -> bool {
        let parts = self.text.split_at_checked(name.len());
        parts.is_some_and(|(head, tail)| {
            head.eq_ignore_ascii_case(name) && tail.starts_with([':', ';'])
        })
    }

    /// What follows the parameters.
    pub(super) fn value(&self) -> &str {
        let mut quoted = false;
        let colon = self.text.find(|c| {
            quoted ^= c == '"';
            c == ':' && !quoted
        });
        colon.map_or("", |colon| &self.text[colon + 1..])
    }

    /// The value of a parameter, without quotes.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let head = &self.text[..self.text.len() - self.value().len()];
        let head = head.strip_suffix(':').unwrap_or(head);
        let mut quoted = false;
        let parts = head.split(move |c| {
            quoted ^= c == '"';
            c == ';' && !quoted
        });
        parts.skip(1).find_map(|part| {
            let (known, value) = part.split_once('=')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim_matches('"'))
        })
    }
}

/// A VEVENT, VTIMEZONE … : its own properties, then the components inside it.
#[derive(Clone, Debug)]
pub(super) struct Block {
    begin: Line,
    own: Vec<Line>,
    inner: Vec<Line>,
    end: Line,
}

impl Block {
    /// An empty component.
    pub(super) fn new(name: &str) -> Self {
        let [begin, end] = ["BEGIN", "END"].map(|word| Line::new(&format!("{word}:{name}")));
        Self { begin, own: Vec::new(), inner: Vec::new(), end }
    }

    /// Whether it is a component of that name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.begin.keyword("BEGIN:").is_some_and(|known| known.eq_ignore_ascii_case(name))
    }

    /// Its own properties.
    pub(super) fn own(&self) -> &[Line] {
        &self.own
    }

    /// All its lines, also those of the components inside it.
    pub(super) fn all(&self) -> impl Iterator<Item = &Line> {
        self.own.iter().chain(&self.inner)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Line> {
        self.own.iter().find(|line| line.is(name))
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.get(name).map(Line::value)
    }

    /// Removes every property of these names.
    pub(super) fn remove(&mut self, names: &[&str]) {
        self.own.retain(|line| !names.iter().any(|name| line.is(name)));
    }

    /// Makes `text` the only property `name`, in the place of the first.
    pub(super) fn set(&mut self, name: &str, text: &str) {
        let place = self.own.iter().position(|line| line.is(name)).unwrap_or(self.own.len());
        self.remove(&[name]);
        self.own.insert(place.min(self.own.len()), Line::new(text));
    }

    pub(super) fn push(&mut self, text: &str) {
        self.own.push(Line::new(text));
    }

    /// Puts another line, or none, in the place of each that `change` knows one for.
    pub(super) fn rewrite(&mut self, change: impl Fn(&Line) -> Option<Option<String>>) {
        let lines = std::mem::take(&mut self.own).into_iter();
        self.own = lines
            .filter_map(|line| match change(&line) {
                None => Some(line),
                Some(other) => other.map(|text| Line::new(&text)),
            })
            .collect();
    }
}

/// A part of a calendar object.
#[derive(Clone, Debug)]
enum Part {
    Line(Line),
    Block(Block),
}

/// A calendar object.
#[derive(Clone, Debug)]
pub(super) struct Document {
    parts: Vec<Part>,
}

impl Document {
    /// An object with nothing in it.
    pub(super) fn empty() -> Self {
        let lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Tidings//Tidings//EN"];
        let mut parts: Vec<Part> = lines.iter().map(|line| Part::Line(Line::new(line))).collect();
        parts.push(Part::Line(Line::new("END:VCALENDAR")));
        Self { parts }
    }

    /// Takes text apart; what it does not understand stays where it is.
    pub(super) fn read(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut open: Option<(Block, usize)> = None;
        for line in lines(text) {
            let begins = line.keyword("BEGIN:").map(str::to_ascii_uppercase);
            let ends = line.keyword("END:").is_some();
            match &mut open {
                None if begins.as_ref().is_some_and(|name| name != "VCALENDAR") => {
                    let end = line.clone();
                    let block = Block { begin: line, own: Vec::new(), inner: Vec::new(), end };
                    open = Some((block, 0));
                }
                None => parts.push(Part::Line(line)),
                Some((block, 0)) if ends => {
                    block.end = line;
                    parts.extend(open.take().map(|(block, _)| Part::Block(block)));
                }
                Some((block, depth)) => {
                    let inside = *depth > 0 || begins.is_some();
                    *depth += usize::from(begins.is_some());
                    *depth -= usize::from(ends);
                    if inside { &mut block.inner } else { &mut block.own }.push(line);
                }
            }
        }
        Self { parts }
    }

    pub(super) fn blocks(&self, name: &str) -> impl Iterator<Item = &Block> {
        self.parts.iter().filter_map(move |part| match part {
            Part::Block(block) if block.is(name) => Some(block),
            _ => None,
        })
    }

    /// The `n`-th component of that name.
    pub(super) fn block_mut(&mut self, name: &str, n: usize) -> Option<&mut Block> {
        let blocks = self.parts.iter_mut().filter_map(|part| match part {
            Part::Block(block) if block.is(name) => Some(block),
            _ => None,
        });
        { blocks }.nth(n)
    }

    /// Keeps the components of that name that `keep` accepts by their number.
    pub(super) fn keep(&mut self, name: &str, keep: impl Fn(usize) -> bool) {
        let mut n = 0;
        self.parts.retain(|part| match part {
            Part::Block(block) if block.is(name) => {
                n += 1;
                keep(n - 1)
            }
            _ => true,
        });
    }

    /// Adds a component: a time zone before the others, else at the end.
    pub(super) fn add(&mut self, block: Block) {
        let place = self.parts.iter().position(|part| match part {
            Part::Block(_) => block.is("VTIMEZONE"),
            Part::Line(line) => line.keyword("END:").is_some(),
        });
        self.parts.insert(place.unwrap_or(self.parts.len()), Part::Block(block));
    }
}

impl std::fmt::Display for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in &self.parts {
            match part {
                Part::Line(line) => f.write_str(&line.raw)?,
                Part::Block(block) => {
                    f.write_str(&block.begin.raw)?;
                    for line in block.all() {
                        f.write_str(&line.raw)?;
                    }
                    f.write_str(&block.end.raw)?;
                }
            }
        }
        Ok(())
    }
}

/// Content lines: physical lines with those that continue them; empty ones are left out.
fn lines(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for raw in text.split_inclusive('\n') {
        let content = raw.strip_suffix('\n').unwrap_or(raw);
        let content = content.strip_suffix('\r').unwrap_or(content);
        match (content.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(last)) => {
                last.raw.push_str(raw);
                last.text.push_str(rest);
            }
            _ if content.is_empty() => {}
            _ => lines.push(Line { raw: raw.to_owned(), text: content.to_owned() }),
        }
    }
    if let Some(last) = lines.last_mut().filter(|last| !last.raw.ends_with('\n')) {
        last.raw.push_str("\r\n");
    }
    lines
}

/// Physical lines of at most [`FOLD_AT`] bytes, no character torn.
fn fold(text: &str) -> String {
    let (mut folded, mut used) = (String::with_capacity(text.len() + 4), 0);
    for c in text.chars() {
        if used + c.len_utf8() > FOLD_AT {
            folded.push_str("\r\n ");
            used = 1;
        }
        folded.push(c);
        used += c.len_utf8();
    }
    folded.push_str("\r\n");
    folded
}

/// A TEXT value (RFC 5545 section 3.3.11).
pub(super) fn escaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\\' | ';' | ',' => {
                value.push('\\');
                value.push(c);
            }
            '\n' => value.push_str("\\n"),
            _ => value.push(c),
        }
    }
    value
}

/// A quoted parameter value (RFC 6868).
pub(super) fn quoted(text: &str) -> String {
    let mut value = String::from("\"");
    for c in text.chars() {
        match c {
            '^' => value.push_str("^^"),
            '"' => value.push_str("^'"),
            '\n' => value.push_str("^n"),
            _ => value.write_char(c).expect("a String takes any text"),
        }
    }
    value.push('"');
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_keeps_its_bytes() {
        let text = "BEGIN:VCALENDAR\nX-A:1\r\nBEGIN:VEVENT\r\nSUMMARY:long\r\n er\nX-B;Y=\"a:b;c\":v\n\
                    BEGIN:VALARM\nX-B:alarm\nEND:VALARM\nEND:VEVENT\nBEGIN:VTODO\nEND:VTODO\nEND:VCALENDAR";
        let mut document = Document::read(text);
        assert_eq!(document.to_string(), format!("{text}\r\n"));
        let event = document.block_mut("VEVENT", 0).unwrap();
        assert_eq!(event.value("summary"), Some("longer"));
        assert_eq!(event.get("X-B").unwrap().parameter("y"), Some("a:b;c"));
        event.set("SUMMARY", "SUMMARY:other");
        event.remove(&["X-B"]);
        let changed = text.replace("SUMMARY:long\r\n er\nX-B;Y=\"a:b;c\":v\n", "SUMMARY:other\r\n");
        assert_eq!(document.to_string(), format!("{changed}\r\n"));
    }

    #[test]
    fn a_value_never_becomes_a_second_line_and_long_lines_are_folded() {
        let line = Line::new(&format!("SUMMARY:{}", escaped("a\r\nATTENDEE:b\r;,\\")));
        assert_eq!(line.raw, "SUMMARY:a\\nATTENDEE:b\\;\\,\\\\\r\n");
        let long = Line::new(&format!("SUMMARY:{}", "é".repeat(100)));
        assert!(long.raw.lines().all(|line| line.len() <= FOLD_AT), "{}", long.raw);
        assert_eq!(lines(&long.raw)[0].text, long.text);
        assert_eq!(quoted("a \"b\" ^"), "\"a ^'b^' ^^\"");
    }
}
