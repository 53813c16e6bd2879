//! What commands print: text for people, or JSON for programs.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::profile::{Variables, get};

/// Whom a command prints for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON document; commands that go on print one a line
    Json,
}

/// How a word stands out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tone {
    /// It went well.
    Good,
    /// It may go well later.
    Uneasy,
    /// It went wrong.
    Bad,
    /// It is not what one looks for.
    Quiet,
}

/// Where a command prints, and how.
pub(crate) struct Printer<'o> {
    format: Format,
    colours: bool,
    out: &'o mut dyn Write,
}

impl<'o> Printer<'o> {
    /// Prints to `out`.
    pub(crate) fn new(format: Format, colours: bool, out: &'o mut dyn Write) -> Self {
        Self { format, colours: colours && format == Format::Text, out }
    }

    /// Whether a program reads it.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// A line for people; nothing where a program reads.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<()> {
        if self.is_json() {
            return Ok(());
        }
        written(writeln!(self.out, "{text}").and_then(|()| self.out.flush()))
    }

    /// The answer of a command that has one: a document where a program reads, `text` for people.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn answer(&mut self, document: &impl Serialize, text: impl Display) -> Result<()> {
        if !self.is_json() {
            return self.line(text);
        }
        let document = serde_json::to_string(document).map_err(Error::failed("cannot print"))?;
        written(writeln!(self.out, "{document}").and_then(|()| self.out.flush()))
    }

    /// A text that is itself the answer, whoever reads.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn script(&mut self, bytes: &[u8]) -> Result<()> {
        written(self.out.write_all(bytes).and_then(|()| self.out.flush()))
    }

    /// `text` in the colour of its tone, where colours are wanted.
    pub(crate) fn tone(&self, tone: Tone, text: impl Display) -> String {
        if !self.colours {
            return text.to_string();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Uneasy => "33",
            Tone::Bad => "31",
            Tone::Quiet => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// An object of the API: itself where a program reads, its fields one a line for people.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn object(&mut self, object: &Value) -> Result<()> {
        if self.is_json() {
            return self.answer(object, "");
        }
        let Some(fields) = object.as_object() else { return self.line(object) };
        let width = fields.keys().map(String::len).max().unwrap_or_default();
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            self.line(format!("{name:<width$}  {}", plain(value)))?;
        }
        Ok(())
    }

    /// Objects of the API: themselves where a program reads; for people a row each, with what is at a JSON
    /// pointer under each heading, or `nothing` when there are none.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn list(
        &mut self,
        objects: &[Value],
        columns: &[(&str, &str)],
        nothing: &str,
    ) -> Result<()> {
        if self.is_json() {
            return self.answer(&objects, "");
        }
        if objects.is_empty() {
            return self.line(nothing);
        }
        let headings: Vec<_> = columns.iter().map(|(heading, _)| *heading).collect();
        let row = |object: &Value| {
            let cell = |(_, pointer): &(&str, &str)| object.pointer(pointer).map(plain);
            columns.iter().map(|column| cell(column).unwrap_or_default()).collect()
        };
        let rows: Vec<Vec<String>> = objects.iter().map(row).collect();
        self.table(&headings, &rows)
    }

    /// Rows under headings, the columns aligned; nothing where a program reads.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn table(&mut self, headings: &[&str], rows: &[Vec<String>]) -> Result<()> {
        let headings: Vec<String> = headings.iter().map(|heading| heading.to_uppercase()).collect();
        let width = |column: usize| {
            let cells = rows.iter().chain([&headings]).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..headings.len()).map(width).collect();
        for row in [&headings].into_iter().chain(rows) {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
            self.line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// Whether what is written to `out` is coloured: a terminal reads it, and nobody asked for none
/// (<https://no-color.org>).
pub(crate) fn colours(out: &impl IsTerminal, variables: &Variables) -> bool {
    let plain = get(variables, "NO_COLOR").is_some() || get(variables, "TERM") == Some("dumb");
    out.is_terminal() && !plain
}

/// A value as people read it.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn written(result: io::Result<()>) -> Result<()> {
    result.map_err(Error::failed("cannot write to standard output"))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use serde_json::json;

    use super::*;

    fn printed(format: Format, print: impl Fn(&mut Printer<'_>) -> Result<()>) -> String {
        let mut out = Vec::new();
        print(&mut Printer::new(format, false, &mut out)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nobody_gets_colours_who_asked_for_none_or_is_no_terminal() {
        // A pseudo terminal is one, whoever runs this test.
        let terminal = File::open("/dev/ptmx").unwrap();
        let file = tempfile::tempfile().unwrap();
        let set = |name: &str, text: &str| vec![(name.to_owned(), text.to_owned())];
        assert!(colours(&terminal, &[]));
        assert!(colours(&terminal, &set("NO_COLOR", "")));
        assert!(!colours(&terminal, &set("NO_COLOR", "1")));
        assert!(!colours(&terminal, &set("TERM", "dumb")));
        assert!(!colours(&file, &[]));
        let mut out = Vec::new();
        let with = Printer::new(Format::Text, true, &mut out).tone(Tone::Bad, "x");
        let without = Printer::new(Format::Text, false, &mut out).tone(Tone::Bad, "x");
        let json = Printer::new(Format::Json, true, &mut out).tone(Tone::Bad, "x");
        assert_eq!(
            (with.as_str(), without.as_str(), json.as_str()),
            ("\x1b[31mx\x1b[0m", "x", "x")
        );
    }

    #[test]
    fn people_read_lines_and_columns_and_programs_one_document() {
        let objects =
            [json!({"id": "a", "n": 1, "tags": ["x", "y"]}), json!({"id": "bbb", "n": null})];
        let columns = [("id", "/id"), ("n", "/n"), ("tags", "/tags")];
        let list = |printer: &mut Printer<'_>| printer.list(&objects, &columns, "none");
        assert_eq!(printed(Format::Text, list), "ID   N  TAGS\na    1  x, y\nbbb\n");
        let document: Value = serde_json::from_str(&printed(Format::Json, list)).unwrap();
        assert_eq!(document, json!(objects));
        let object = |printer: &mut Printer<'_>| printer.object(&objects[0]);
        assert_eq!(printed(Format::Text, object), "id    a\nn     1\ntags  x, y\n");
        let empty = |printer: &mut Printer<'_>| printer.list(&[], &columns, "none");
        assert_eq!(printed(Format::Text, empty), "none\n");
        assert_eq!(printed(Format::Json, empty), "[]\n");
        assert_eq!(printed(Format::Json, |printer| printer.line("for people")), "");
    }
}
