//! JSON documents as people read them. Nothing is parsed and printed anew: blanks between tokens are all that
//! differs, so that what is shown is what was said, digit for digit.

use maud::{Markup, html};
use tidings_core::limits::CONSOLE_INDENTED_BYTES_MAX;

use crate::layout::code_block;

/// A document: indented, and as it is kept.
pub(super) fn shown(json: &str, what: &str) -> Markup {
    let indented = indented(json);
    html! {
        @if indented == json { (code_block(json, what)) } @else {
            (code_block(&indented, what))
            details id="raw-document" {
                summary { "As it is kept, byte for byte" }
                (code_block(json, &format!("{what}, raw")))
            }
        }
    }
}

/// The same document with a line for each value.
pub(super) fn indented(json: &str) -> String {
    if json.len() > CONSOLE_INDENTED_BYTES_MAX {
        return json.to_owned();
    }
    let (mut text, mut depth) = (String::with_capacity(2 * json.len()), 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    let mut signs = json.chars().peekable();
    while let Some(sign) = signs.next() {
        // Deep down every value takes a line of blanks.
        if text.len() > 2 * CONSOLE_INDENTED_BYTES_MAX {
            return json.to_owned();
        }
        if in_string {
            text.push(sign);
            in_string = escaped || sign != '"';
            escaped = !escaped && sign == '\\';
            continue;
        }
        match sign {
            ' ' | '\t' | '\n' | '\r' => {}
            '"' => {
                in_string = true;
                text.push(sign);
            }
            '{' | '[' => {
                text.push(sign);
                while signs.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = signs.next_if(|next| matches!(next, '}' | ']')) {
                    text.push(end);
                } else {
                    depth += 1;
                    line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
                text.push(sign);
            }
            ',' => {
                text.push(sign);
                line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            _ => text.push(sign),
        }
    }
    text
}

fn line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

/// The beginning of a document on one line.
pub(super) fn beginning(json: &str, most: usize) -> String {
    let mut signs = json.chars().map(|sign| if sign.is_control() { ' ' } else { sign });
    let mut text: String = signs.by_ref().take(most).collect();
    if signs.next().is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_keeps_all_but_its_blanks() {
        for (json, lines) in [
            ("1e2", "1e2"),
            ("{ }", "{}"),
            ("[\n]", "[]"),
            (r#"{"a":1.50,"b":[ ]}"#, "{\n  \"a\": 1.50,\n  \"b\": []\n}"),
            (
                r#"{"a":{"b":[1,"x, {y}"]}}"#,
                "{\n  \"a\": {\n    \"b\": [\n      1,\n      \"x, {y}\"\n    ]\n  }\n}",
            ),
            (r#"["a\"b\\","c"]"#, "[\n  \"a\\\"b\\\\\",\n  \"c\"\n]"),
        ] {
            assert_eq!(indented(json), lines);
            assert_eq!(indented(lines), lines, "what is indented stays");
        }
        let deep = format!("{}1{}{}", "[".repeat(60), ",1".repeat(100_000), "]".repeat(60));
        assert_eq!(indented(&deep), deep, "fifty times as long with blanks");
    }

    #[test]
    fn a_beginning_is_one_line() {
        assert_eq!(beginning("{\n\"a\":1}", 20), "{ \"a\":1}");
        assert_eq!(beginning("äöü", 2), "äö…");
        assert_eq!(beginning("", 2), "");
    }
}
