//! The tokens that lead from one answer to the next. Opaque to clients, who may forge them: none opens
//! more than the list that it is given to.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// The next page of the mirror, and the end of the journal before its first page was read.
    Page { seq: Option<u64>, cursor: String },
    /// The next page of a list in an order.
    Ordered { skip: usize },
    /// What changes after this place in the journal.
    Since { seq: u64 },
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Page { seq: Some(seq), cursor } => format!("p{seq}.{cursor}"),
            Self::Page { seq: None, cursor } => format!("p.{cursor}"),
            Self::Ordered { skip } => format!("o{skip}"),
            Self::Since { seq } => format!("s{seq}"),
        };
        f.write_str(&URL_SAFE_NO_PAD.encode(text))
    }
}

impl Token {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        if let Some(rest) = text.strip_prefix('p') {
            let (seq, cursor) = rest.split_once('.')?;
            let seq = if seq.is_empty() { None } else { Some(seq.parse().ok()?) };
            return Some(Self::Page { seq, cursor: cursor.to_owned() });
        }
        if let Some(skip) = text.strip_prefix('o') {
            return Some(Self::Ordered { skip: skip.parse().ok()? });
        }
        Some(Self::Since { seq: text.strip_prefix('s')?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip_and_nothing_else_is_one() {
        for token in [
            Token::Page { seq: Some(7), cursor: "a.b".into() },
            Token::Page { seq: None, cursor: String::new() },
            Token::Ordered { skip: 250 },
            Token::Since { seq: u64::MAX },
        ] {
            assert_eq!(Token::parse(&token.to_string()), Some(token));
        }
        for text in ["p", "pX.c", "o-1", "s", "x1", ""] {
            assert_eq!(Token::parse(&URL_SAFE_NO_PAD.encode(text)), None, "{text}");
        }
        assert_eq!(Token::parse("not a token"), None);
    }
}
