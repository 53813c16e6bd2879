//! Tokens of grants: a typed prefix, 30 random base-62 digits and a 6-digit checksum.
//!
//! `tdk_…` is an API key, `tdc_…` a Mobiscroll Connect bearer, `tda_…` an authorization code, `tdr_…` a
//! refresh token, `tds_…` a session, `tdp_…` a Pryv access, `tdo_…` an operator's session or set-up link, `tdu_…`
//! a link into the portal. The checksum (CRC-32 of what comes
//! before it) lets us and secret scanners tell a fake without a look-up. Tokens carry 178 random bits,
//! so a plain SHA-256 is enough at rest.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::id::{AppId, Ids};

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
    /// An authorization code (RFC 6749).
    Code,
    /// A refresh token (RFC 6749).
    Refresh,
    /// A session of the Sync surface.
    Session,
    /// An access of the Pryv surface.
    Access,
    /// A session of an operator, or the link that makes the first one.
    Operator,
    /// A link into the portal, for one end user.
    Portal,
}

impl TokenKind {
    const ALL: [Self; 8] = [
        Self::ApiKey,
        Self::Connect,
        Self::Code,
        Self::Refresh,
        Self::Session,
        Self::Access,
        Self::Operator,
        Self::Portal,
    ];

    fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "tdk_",
            Self::Connect => "tdc_",
            Self::Code => "tda_",
            Self::Refresh => "tdr_",
            Self::Session => "tds_",
            Self::Access => "tdp_",
            Self::Operator => "tdo_",
            Self::Portal => "tdu_",
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
        let kind = TokenKind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
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
        hash(&self.0)
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

/// What the store keeps instead of a token of any shape.
pub fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// As [`hash`], for a token that its owner may have chosen: it opens only this app, so two apps can have the
/// same one and neither learns of the other's.
pub fn hash_within(app: AppId, text: &str) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(b"within an app\0");
    digest.update(app.0.to_bytes());
    digest.update(text.as_bytes());
    digest.finalize().into()
}

/// 64 random hexadecimal digits.
pub fn hex64(ids: &Ids) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    ids.fill(bytes.as_mut_slice());
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    Zeroizing::new(digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect())
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

    #[test]
    fn each_kind_of_token_is_told_by_its_prefix() {
        let ids = Ids::seeded(6);
        for kind in TokenKind::ALL {
            let token = Token::generate(kind, &ids);
            assert_eq!(Token::parse(token.reveal()).unwrap().0, kind);
        }
    }

    #[test]
    fn a_chosen_token_is_another_in_another_app() {
        let ids = Ids::seeded(7);
        let [a, b] = [0, 1].map(|at| AppId(ids.next(crate::clock::Timestamp(at))));
        assert_eq!(hash_within(a, "secret"), hash_within(a, "secret"));
        assert_ne!(hash_within(a, "secret"), hash_within(b, "secret"));
        assert_ne!(hash_within(a, "secret"), hash("secret"));
    }

    #[test]
    fn hexadecimal_tokens_are_64_digits_and_never_the_same() {
        let ids = Ids::seeded(8);
        let (one, other) = (hex64(&ids), hex64(&ids));
        assert_ne!(one, other);
        assert!(one.len() == 64 && one.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
    }
}
