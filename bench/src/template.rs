//! The body of a request: a text in which `{n}` and `{now_us}` are filled in for each one.

use std::io::Write;

/// The word before the time in a body, by which the receiver finds it.
pub(crate) const TIME_KEY: &str = "\"now_us\":";

/// A text with places to fill in. Everything else, braces included, stays as it is.
#[derive(Clone, Debug)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Number,
    Time,
}

impl Template {
    /// Finds the places in `text`.
    pub(crate) fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((at, name, piece)) = first_place(rest) {
            pieces.push(Piece::Text(rest[..at].to_owned()));
            pieces.push(piece);
            rest = &rest[at + name.len()..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Self(pieces)
    }

    /// Writes the text of request `n`, meant to be sent at `now_us`.
    pub(crate) fn fill(&self, n: u64, now_us: u64, out: &mut Vec<u8>) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Number => write!(out, "{n}").expect("a vector takes everything"),
                Piece::Time => write!(out, "{now_us}").expect("a vector takes everything"),
            }
        }
    }
}

fn first_place(text: &str) -> Option<(usize, &'static str, Piece)> {
    let places = [("{n}", Piece::Number), ("{now_us}", Piece::Time)];
    let found =
        places.into_iter().filter_map(|(name, piece)| Some((text.find(name)?, name, piece)));
    found.min_by_key(|(at, ..)| *at)
}

/// A change of about `bytes` bytes as the native API takes it, with number, time and padding.
pub(crate) fn change(kind: &str, bytes: usize) -> String {
    let text = |padding: &str| {
        format!(
            r#"{{"type":"{kind}","data":{{"n":{{n}},{TIME_KEY}{{now_us}},"pad":"{padding}"}}}}"#
        )
    };
    // What is filled in is about as long as a five-digit number and the present time.
    let mut filled = Vec::new();
    Template::parse(&text("")).fill(10_000, crate::moment::now_us(), &mut filled);
    text(&"x".repeat(bytes.saturating_sub(filled.len())))
}

/// The time in a body that was made from a template, microseconds; `None` when it carries none.
pub(crate) fn time_in(body: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(body, TIME_KEY.as_bytes())? + TIME_KEY.len();
    let digits = body[at..].iter().skip_while(|byte| **byte == b' ');
    let digits = digits.take_while(|byte| byte.is_ascii_digit());
    let digits: String = digits.copied().map(char::from).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        let mut out = Vec::new();
        Template::parse(text).fill(7, 42, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn places_are_filled_and_the_rest_stays() {
        for (text, expect) in [
            ("", ""),
            ("{}", "{}"),
            ("{n}", "7"),
            ("{\"a\":{\"n\":{n}},\"t\":{now_us}}", "{\"a\":{\"n\":7},\"t\":42}"),
            ("{now_us}{n}{now_us}", "42742"),
            ("{other} {N}", "{other} {N}"),
        ] {
            assert_eq!(filled(text), expect, "{text}");
        }
    }

    #[test]
    fn the_time_is_found_again() {
        for (body, expect) in [
            (r#"{"id":"x","data":{"now_us":123,"n":4}}"#, Some(123)),
            (r#"{"now_us": 5}"#, Some(5)),
            (r#"{"now_us":}"#, None),
            (r#"{"now":5}"#, None),
            ("", None),
        ] {
            assert_eq!(time_in(body.as_bytes()), expect, "{body}");
        }
        assert_eq!(time_in(filled(&change("a.b", 300)).as_bytes()), Some(42));
    }

    #[test]
    fn a_change_has_about_the_size_that_was_asked_for() {
        let mut out = Vec::new();
        Template::parse(&change("bench.change", 500)).fill(
            12_345,
            crate::moment::now_us(),
            &mut out,
        );
        assert!((499..=501).contains(&out.len()), "{}", out.len());
        assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
    }
}
