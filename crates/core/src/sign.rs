//! Signing of deliveries after Standard Webhooks 1.0.0: scheme `v1` (HMAC-SHA256) here, `v1a` (Ed25519)
//! in a file of its own.

mod asymmetric;
mod header;
mod pasted;
mod sealed;
mod signing;

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::id::Ids;

pub use asymmetric::{
    PublicKey, PublicKeyError, SigningKey, SigningKeyError, public_signature_header, verify_public,
};
pub use header::{Lasting, signatures};
pub use pasted::{Pasted, Verdict};
pub use signing::{Scheme, Signing, SigningError};

const SECRET_BYTES_NEW: usize = 32;
const TOLERANCE_SECONDS: i64 = 300;
/// Signatures of a header that are looked at.
const SIGNATURES_MAX: usize = 16;

/// A signing secret: 24 to 64 bytes, printed `whsec_` and base64. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// The text is not a signing secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret is whsec_ followed by the base64 of 24 to 64 bytes")]
pub struct SecretError;

impl Secret {
    /// A new random secret of 32 bytes.
    pub fn generate(ids: &Ids) -> Self {
        let mut bytes = Zeroizing::new(vec![0; SECRET_BYTES_NEW]);
        ids.fill(&mut bytes);
        Self(bytes)
    }

    /// The printed form. It is the secret: show it once, to its owner.
    pub fn reveal(&self) -> String {
        format!("whsec_{}", STANDARD.encode(&*self.0))
    }

    /// `v1,` and the base64 of the HMAC over `id.timestamp.body`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        format!("v1,{}", STANDARD.encode(self.mac(id, timestamp, body)))
    }

    fn mac(&self, id: &str, timestamp: i64, body: &[u8]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}

impl FromStr for Secret {
    type Err = SecretError;
    fn from_str(text: &str) -> Result<Self, SecretError> {
        let bytes = text
            .strip_prefix("whsec_")
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .ok_or(SecretError)?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(SecretError);
        }
        Ok(Self(Zeroizing::new(bytes)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The value of `webhook-signature`: one signature for each active secret, separated by spaces.
pub fn signature_header<'s>(
    secrets: impl Iterator<Item = &'s Secret>,
    id: &str,
    at: Timestamp,
    body: &[u8],
) -> String {
    let signatures: Vec<_> =
        secrets.map(|secret| secret.sign(id, at.unix_seconds(), body)).collect();
    signatures.join(" ")
}

/// Whether one of the `v1` signatures in `header` is right for `secret` and `timestamp` is within five
/// minutes of `now`. Signatures of other versions are passed over; at most 16 are looked at.
pub fn verify(
    secret: &Secret,
    id: &str,
    timestamp: &str,
    header: &str,
    body: &[u8],
    now: Timestamp,
) -> bool {
    let Ok(seconds) = timestamp.parse::<i64>() else { return false };
    if !is_recent(seconds, now) {
        return false;
    }
    let expected = secret.mac(id, seconds, body);
    header.split(' ').take(SIGNATURES_MAX).any(|signature| {
        signature
            .strip_prefix("v1,")
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .is_some_and(|given| given.len() == expected.len() && given.ct_eq(&expected).into())
    })
}

fn is_recent(seconds: i64, now: Timestamp) -> bool {
    now.unix_seconds().saturating_sub(seconds).saturating_abs() <= TOLERANCE_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    #[test]
    fn the_published_test_vector_signs_and_verifies() {
        let secret: Secret = SECRET.parse().unwrap();
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(secret.sign(ID, 1_614_265_330, BODY), signature);
        let now = Timestamp(1_614_265_330_000);
        for (header, body, now, good) in [
            (signature.to_owned(), BODY, now, true),
            (format!("v1a,xx v1,AAAA {signature}"), BODY, now, true),
            (signature.to_owned(), BODY, now.plus_ms(300_000), true),
            (signature.to_owned(), BODY, now.plus_ms(301_000), false),
            (signature.to_owned(), &b"{}"[..], now, false),
            ("v1,".to_owned(), BODY, now, false),
            (signature[..20].to_owned(), BODY, now, false),
        ] {
            assert_eq!(verify(&secret, ID, "1614265330", &header, body, now), good, "{header}");
        }
        assert!(!verify(&secret, ID, "now", signature, BODY, now));
    }

    #[test]
    fn weak_and_malformed_secrets_are_refused() {
        for text in ["", "whsec_", "whsec_c2hvcnQ=", "short", "whsec_!!!!"] {
            assert_eq!(text.parse::<Secret>().err(), Some(SecretError), "{text}");
        }
        let secret = Secret::generate(&Ids::seeded(1));
        assert_eq!(secret.reveal().parse::<Secret>().unwrap(), secret);
        assert!(!format!("{secret:?}").contains("whsec_"));
    }
}
