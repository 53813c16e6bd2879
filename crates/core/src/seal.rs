//! Encryption of secrets at rest: XChaCha20-Poly1305, bound to the row they belong to.
//!
//! A sealed value is `key id (4 bytes) | nonce (24) | ciphertext and tag`. Table, row, app, column and
//! key id are associated data, so a sealed value moved to another row or app does not open.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::id::{AppId, Bits96, Ids};

const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 24;

/// The place a sealed value belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Table name.
    pub table: &'static str,
    /// Column name.
    pub column: &'static str,
    /// The app it belongs to.
    pub app: AppId,
    /// Id of the row.
    pub row: Bits96,
}

impl Place {
    fn associated_data(&self, key_id: [u8; KEY_ID_BYTES]) -> Vec<u8> {
        let mut data = format!("tidings/1|{}|{}|", self.table, self.column).into_bytes();
        data.extend_from_slice(&self.app.0.to_bytes());
        data.extend_from_slice(&self.row.to_bytes());
        data.extend_from_slice(&key_id);
        data
    }
}

/// The master keys: the first seals, all open. `Debug` does not show them.
#[derive(Clone)]
pub struct Keyring(Vec<MasterKey>);

#[derive(Clone)]
struct MasterKey {
    id: [u8; KEY_ID_BYTES],
    cipher: XChaCha20Poly1305,
    /// What other secrets are derived from.
    root: Zeroizing<[u8; 32]>,
}

/// A sealed value does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It was sealed with a key that is not in the keyring.
    #[error("sealed with another master key; add that key to the configuration")]
    UnknownKey,
    /// It was altered, or belongs to another row.
    #[error("a sealed value was altered or moved")]
    Altered,
}

/// The bytes are not a master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 bytes")]
pub struct KeyError;

impl Keyring {
    /// Keys of 32 bytes each; the first is used for sealing.
    pub fn new(keys: &[Zeroizing<Vec<u8>>]) -> Result<Self, KeyError> {
        let keys = keys.iter().map(|key| MasterKey::new(key)).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(KeyError) } else { Ok(Self(keys)) }
    }

    /// Seals `plain` for `place`.
    pub fn seal(&self, place: Place, plain: &[u8], ids: &Ids) -> Vec<u8> {
        let key = &self.0[0];
        let mut nonce = [0; NONCE_BYTES];
        ids.fill(&mut nonce);
        let aad = place.associated_data(key.id);
        let sealed = key
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &aad })
            .expect("in-memory encryption of a short value does not fail");
        [&key.id[..], &nonce, &sealed].concat()
    }

    /// A secret that need not be stored: always the same for an app, a purpose and a word, as long as
    /// the first key is; nobody without that key can tell it.
    pub fn derived(&self, app: AppId, purpose: &str, word: &str) -> Zeroizing<[u8; 32]> {
        let text = [purpose.as_bytes(), b"|", &app.0.to_bytes(), word.as_bytes()].concat();
        keyed(&*self.0[0].root, &text)
    }

    /// Opens what [`Keyring::seal`] made for the same place.
    pub fn open(&self, place: Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        if sealed.len() < KEY_ID_BYTES + NONCE_BYTES {
            return Err(OpenError::Altered);
        }
        let (key_id, rest) = sealed.split_at(KEY_ID_BYTES);
        let (nonce, ciphertext) = rest.split_at(NONCE_BYTES);
        let key = self.0.iter().find(|key| key.id == key_id).ok_or(OpenError::UnknownKey)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| OpenError::Altered)?;
        let aad = place.associated_data(key.id);
        key.cipher
            .decrypt(&XNonce::from(nonce), Payload { msg: ciphertext, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| OpenError::Altered)
    }
}

impl MasterKey {
    fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        let cipher = XChaCha20Poly1305::new_from_slice(bytes).map_err(|_| KeyError)?;
        let digest = Sha256::digest([b"tidings master key id", bytes].concat());
        let root = keyed(bytes, b"tidings root of derived secrets");
        Ok(Self { id: [digest[0], digest[1], digest[2], digest[3]], cipher, root })
    }
}

fn keyed(key: &[u8], text: &[u8]) -> Zeroizing<[u8; 32]> {
    let mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key);
    let mut mac = mac.expect("HMAC takes keys of any length");
    mac.update(text);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} keys)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn key(byte: u8) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(vec![byte; 32])
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_place_with_its_key() {
        let ids = Ids::seeded(9);
        let place = Place {
            table: "account",
            column: "credential",
            app: AppId(ids.next(Timestamp(1))),
            row: ids.next(Timestamp(1)),
        };
        let ring = Keyring::new(&[key(1)]).unwrap();
        let sealed = ring.seal(place, b"app password", &ids);
        assert!(!sealed.windows(12).any(|window| window == b"app password"));
        assert_eq!(&**ring.open(place, &sealed).unwrap(), b"app password");

        let rotated = Keyring::new(&[key(2), key(1)]).unwrap();
        assert_eq!(&**rotated.open(place, &sealed).unwrap(), b"app password");
        assert_eq!(
            Keyring::new(&[key(2)]).unwrap().open(place, &sealed).err(),
            Some(OpenError::UnknownKey)
        );

        let elsewhere = [
            Place { table: "hook", ..place },
            Place { column: "secret", ..place },
            Place { row: ids.next(Timestamp(2)), ..place },
            Place { app: AppId(ids.next(Timestamp(2))), ..place },
        ];
        for other in elsewhere {
            assert_eq!(ring.open(other, &sealed).err(), Some(OpenError::Altered));
        }
        let mut altered = sealed;
        *altered.last_mut().unwrap() ^= 1;
        assert_eq!(ring.open(place, &altered).err(), Some(OpenError::Altered));
        assert!(
            Keyring::new(&[]).is_err() && Keyring::new(&[Zeroizing::new(vec![0; 31])]).is_err()
        );
    }
    #[test]
    fn a_derived_secret_is_that_of_one_app_purpose_word_and_key() {
        let ids = Ids::seeded(9);
        let (app, other) = (AppId(ids.next(Timestamp(1))), AppId(ids.next(Timestamp(1))));
        let ring = Keyring::new(&[key(1)]).unwrap();
        let secret = ring.derived(app, "pkce", "google");
        assert_eq!(secret, Keyring::new(&[key(1), key(2)]).unwrap().derived(app, "pkce", "google"));
        for different in [
            ring.derived(other, "pkce", "google"),
            ring.derived(app, "other", "google"),
            ring.derived(app, "pkce", "zoom"),
            Keyring::new(&[key(2), key(1)]).unwrap().derived(app, "pkce", "google"),
        ] {
            assert_ne!(secret, different);
        }
    }
}
