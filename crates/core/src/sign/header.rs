//! The value of `webhook-signature` under everything that signs at a time.

use super::{Scheme, Secret, Signing, SigningKey, public_signature_header, signature_header};
use crate::clock::Timestamp;

/// What signs, and when it stops.
pub type Lasting<T> = (T, Option<Timestamp>);

/// The signatures over `id`, `now` and `body` in the schemes of `signing`, under the secrets and keys that have
/// not stopped by `now`, separated by spaces; `None` when there is nothing to sign with.
pub fn signatures(
    signing: Signing,
    secrets: &[Lasting<Secret>],
    keys: &[Lasting<SigningKey>],
    id: &str,
    now: Timestamp,
    body: &[u8],
) -> Option<String> {
    let mut signatures = String::new();
    if signing.has(Scheme::V1) {
        let secrets = secrets.iter().filter(|(_, until)| until.is_none_or(|until| until > now));
        signatures = signature_header(secrets.map(|(secret, _)| secret), id, now, body);
    }
    if signing.has(Scheme::V1a) {
        let keys = keys.iter().filter(|(_, until)| until.is_none_or(|until| until > now));
        let public = public_signature_header(keys.map(|(key, _)| key), id, now, body);
        if !signatures.is_empty() {
            signatures.push(' ');
        }
        signatures += &public;
    }
    (!signatures.trim().is_empty()).then_some(signatures)
}
