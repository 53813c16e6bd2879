//! Tokens of grants: a typed prefix, 30 random base-62 digits and a 6-digit checksum.
//!
//! `tdk_…` is an API key, `tdc_…` a Mobiscroll Connect bearer. The checksum (CRC-32 of what comes
//! before it) lets us and secret scanners tell a fake without a look-up. Tokens carry 178 random bits,
//! so a plain SHA-256 is enough at rest.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::id::Ids;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_DIGITS: usize = 30;
const CHECK_DIGITS: usize = 6;

/// What a grant's token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A key of the native API.
    ApiKey,
    /// A bearer of the Mobiscroll Connect surface, for one end user.
    Connect,
}

impl TokenKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "tdk_",
            Self::Connect => "tdc_",
        }
    }
}

/// A token in clear. Shown once; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// A new random token.
    pub fn generate(kind: TokenKind, ids: &Ids) -> Self {
        let mut text = Zeroizing::new(String::from(kind.prefix()));
        while text.len() < kind.prefix().len() + RANDOM_DIGITS {
            let mut byte = [0];
            ids.fill(&mut byte);
            // 248 is the largest multiple of 62 in a byte: larger values would favour some digits.
            if byte[0] < 248 {
                text.push(char::from(BASE62[usize::from(byte[0] % 62)]));
            }
        }
        let check = checksum(&text);
        text.push_str(&check);
        Self(text)
    }

    /// Takes a token that a client sent; `None` when its shape or checksum is wrong.
    pub fn parse(text: &str) -> Option<(TokenKind, Self)> {
        let kind = [TokenKind::ApiKey, TokenKind::Connect]
            .into_iter()
            .find(|kind| text.starts_with(kind.prefix()))?;
        let digits = &text.as_bytes()[kind.prefix().len()..];
        if digits.len() != RANDOM_DIGITS + CHECK_DIGITS
            || !digits.iter().all(u8::is_ascii_alphanumeric)
        {
            return None;
        }
        let (head, check) = text.split_at(text.len() - CHECK_DIGITS);
        (checksum(head) == check).then(|| (kind, Self(Zeroizing::new(text.to_owned()))))
    }

    /// The token itself: for its owner, once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the store keeps instead of the token.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The last four digits, by which people tell keys apart.
    pub fn hint(&self) -> &str {
        &self.0[self.0.len() - 4..]
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(…{})", self.hint())
    }
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECK_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip_and_fakes_are_told_without_a_look_up() {
        let ids = Ids::seeded(5);
        let token = Token::generate(TokenKind::ApiKey, &ids);
        let text = token.reveal().to_owned();
        assert_eq!(text.len(), 40);
        assert_eq!(Token::parse(&text).unwrap(), (TokenKind::ApiKey, token.clone()));
        assert_ne!(token, Token::generate(TokenKind::ApiKey, &ids));
        assert!(!format!("{token:?}").contains(&text));
        let flipped = if text.ends_with('0') { "1" } else { "0" };
        for fake in [
            "",
            "tdk_",
            &text[..39],
            &format!("{text}0"),
            &text.replace("tdk_", "tdc_"),
            &text.replace("tdk_", "key_"),
            &format!("{}{flipped}", &text[..39]),
            &format!("tdk_{}", "é".repeat(18)),
        ] {
            assert!(Token::parse(fake).is_none(), "{fake}");
        }
    }
}
