//! Scheme `v1a` of Standard Webhooks: Ed25519, so that a receiver verifies with a public key.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::id::Ids;

const SEED_BYTES: usize = 32;

/// A private Ed25519 key of an app. `Debug` does not show it.
pub struct SigningKey {
    seed: Zeroizing<[u8; SEED_BYTES]>,
    pair: Ed25519KeyPair,
}

/// The bytes are not the seed of a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the seed of a signing key is 32 bytes")]
pub struct SigningKeyError;

/// What verifies the signatures of a [`SigningKey`]; printed `whpk_` and the base64 of its 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

/// The text is not a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a public key is whpk_ followed by the base64 of 32 bytes")]
pub struct PublicKeyError;

impl SigningKey {
    /// A new random key.
    pub fn generate(ids: &Ids) -> Self {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        ids.fill(&mut *seed);
        Self::from_seed(&*seed).expect("any 32 bytes are a seed")
    }

    /// The key with this seed (RFC 8032 §5.1.5).
    ///
    /// # Errors
    /// `seed` is not 32 bytes long.
    pub fn from_seed(seed: &[u8]) -> Result<Self, SigningKeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SigningKeyError)?;
        let seed = seed.try_into().map_err(|_| SigningKeyError)?;
        Ok(Self { seed: Zeroizing::new(seed), pair })
    }

    /// The seed. It is the key: seal it.
    pub fn seed(&self) -> &[u8] {
        &*self.seed
    }

    /// What verifies its signatures.
    pub fn public(&self) -> PublicKey {
        let bytes = self.pair.public_key().as_ref();
        PublicKey(bytes.try_into().expect("an Ed25519 public key has 32 bytes"))
    }

    fn sign(&self, message: &[u8]) -> String {
        format!("v1a,{}", STANDARD.encode(self.pair.sign(message)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public())
    }
}

impl PublicKey {
    /// The key in these bytes; `None` unless there are 32 of them.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "whpk_{}", STANDARD.encode(self.0))
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;
    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        let bytes = text.strip_prefix("whpk_").and_then(|encoded| STANDARD.decode(encoded).ok());
        bytes.and_then(|bytes| Self::from_bytes(&bytes)).ok_or(PublicKeyError)
    }
}

/// As [`super::verify`], for the `v1a` signatures in `header`.
pub fn verify_public(
    key: &PublicKey,
    id: &str,
    timestamp: &str,
    header: &str,
    body: &[u8],
    now: Timestamp,
) -> bool {
    let Ok(seconds) = timestamp.parse::<i64>() else { return false };
    if !super::is_recent(seconds, now) {
        return false;
    }
    let message = [format!("{id}.{seconds}.").as_bytes(), body].concat();
    let key = UnparsedPublicKey::new(&ED25519, key.0);
    header.split(' ').take(super::SIGNATURES_MAX).any(|signature| {
        let given = signature.strip_prefix("v1a,").and_then(|text| STANDARD.decode(text).ok());
        given.is_some_and(|given| key.verify(&message, &given).is_ok())
    })
}

/// The `v1a` part of `webhook-signature`: one signature over `id.timestamp.body` for each key,
/// separated by spaces.
pub fn public_signature_header<'k>(
    keys: impl Iterator<Item = &'k SigningKey>,
    id: &str,
    at: Timestamp,
    body: &[u8],
) -> String {
    let message = signed_bytes(id, at, body);
    let signatures: Vec<_> = keys.map(|key| key.sign(&message)).collect();
    signatures.join(" ")
}

fn signed_bytes(id: &str, at: Timestamp, body: &[u8]) -> Vec<u8> {
    [format!("{id}.{}.", at.unix_seconds()).as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_key_is_read_again_and_verifies_what_its_owner_signed() {
        let key = SigningKey::generate(&Ids::seeded(3));
        let public: PublicKey = key.public().to_string().parse().unwrap();
        assert_eq!(public, key.public());
        for text in ["", "whpk_", "whpk_AAAA", "whsec_AAAA", "whpk_!"] {
            assert_eq!(text.parse::<PublicKey>(), Err(PublicKeyError), "{text}");
        }
        let now = Timestamp(7_000_000);
        let header =
            format!("v1,AAAA {}", public_signature_header([&key].into_iter(), "m", now, b"x"));
        let stranger = SigningKey::generate(&Ids::seeded(4)).public();
        for (key, timestamp, header, body, now, good) in [
            (&public, "7000", header.as_str(), &b"x"[..], now, true),
            (&public, "7000", &header, b"y", now, false),
            (&public, "7001", &header, b"x", now, false),
            (&public, "now", &header, b"x", now, false),
            (&public, "7000", &header, b"x", now.plus_ms(301_000), false),
            (&public, "7000", "v1a,AAAA v1a,! v1,", b"x", now, false),
            (&stranger, "7000", &header, b"x", now, false),
        ] {
            assert_eq!(verify_public(key, "m", timestamp, header, body, now), good, "{timestamp}");
        }
    }

    #[test]
    fn the_test_vector_of_rfc_8032_signs() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len() / 2)
                .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
                .collect()
        };
        let seed = hex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
        let key = SigningKey::from_seed(&seed).unwrap();
        let public = hex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
        assert_eq!(key.public(), PublicKey::from_bytes(&public).unwrap());
        let signature = hex(
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        );
        assert_eq!(key.sign(&hex("af82")), format!("v1a,{}", STANDARD.encode(signature)));
    }

    /// Of Mobiscroll Connect's SDKs 1.6: the active and the previous key, and an unrelated one.
    #[test]
    fn the_vectors_of_connect_are_signatures_over_the_bytes_that_we_sign() {
        let body = concat!(
            r#"{"eventType":"event.updated","userId":"user_42","provider":"google","#,
            r#""calendarId":"primary","events":[{"id":"evt_1","title":"Café meeting ☕ — Zoë","#,
            r#""lastModified":"2026-09-21T10:00:00.000Z"}]}"#,
        );
        let id = "msg_2a161f33-a287-419f-85f9-fc95dbecccdd";
        let message = signed_bytes(id, Timestamp(1_790_000_000_000), body.as_bytes());
        let later = signed_bytes(id, Timestamp(1_790_000_001_000), body.as_bytes());
        let active = "ClNzh8jskfPsDqArmUq6vxG6/PAQmLXf7sMsXnReG1DAI3lMxKcQEyEqqWe/weLoTo8g72qIJ+H0nA1WhNWEDA==";
        let previous = "MYPOv3exr1vMvu95bLYcu1k3hDAQeC66XmOy91Y34m2q/mBd3j1dhT+ubQYkMZF7FxvItnlwU9yXKqd2A1SWDQ==";
        for (key, signature, is_good) in [
            ("0r0+Z02Sv1SRb1QjsKUnil6t2oqtAyhn5HHfKgbTXFs=", active, true),
            ("4bVYVyWUPGQLCcnQQoGU4qTyIeucOFTnkZXlNFAlv6g=", previous, true),
            ("4bVYVyWUPGQLCcnQQoGU4qTyIeucOFTnkZXlNFAlv6g=", active, false),
            ("ayphRQPtMA3vgSzLAuQ80QvyDQbO3ha9Xgc6xCwBWXI=", active, false),
        ] {
            let public = PublicKey::from_bytes(&STANDARD.decode(key).unwrap()).unwrap();
            assert_eq!(public.to_string(), format!("whpk_{key}"));
            let public = UnparsedPublicKey::new(&ED25519, public.0);
            let signature = STANDARD.decode(signature).unwrap();
            assert_eq!(public.verify(&message, &signature).is_ok(), is_good, "{key}");
            assert!(public.verify(&later, &signature).is_err(), "{key}");
        }
    }

    #[test]
    fn every_key_signs_and_none_is_shown() {
        let ids = Ids::seeded(4);
        let keys = [SigningKey::generate(&ids), SigningKey::generate(&ids)];
        let header = public_signature_header(keys.iter(), "dlv_1", Timestamp(7_900), b"{}");
        let signatures: Vec<&str> = header.split(' ').collect();
        assert_eq!(signatures.len(), 2);
        for (key, signature) in keys.iter().zip(signatures) {
            let signature = STANDARD.decode(signature.strip_prefix("v1a,").unwrap()).unwrap();
            let public = UnparsedPublicKey::new(&ED25519, key.public().0);
            public.verify(b"dlv_1.7.{}", &signature).unwrap();
            assert!(public.verify(b"dlv_1.8.{}", &signature).is_err());
            let printed = format!("{key:?}");
            assert!(printed.contains("whpk_") && !printed.contains(&format!("{:?}", key.seed())));
        }
        for bytes in [0, 31, 33] {
            assert_eq!(SigningKey::from_seed(&vec![1; bytes]).err(), Some(SigningKeyError));
        }
    }
}
