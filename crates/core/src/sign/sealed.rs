//! Signing secrets and keys at rest: where they are sealed for, and how they are opened again.

use zeroize::Zeroizing;

use super::{Secret, SigningKey};
use crate::id::{AppId, Bits96, Ids};
use crate::seal::{Keyring, Place};

impl Secret {
    /// The printed form, sealed for the row `row` of its app.
    pub fn seal(&self, keyring: &Keyring, app: AppId, row: Bits96, ids: &Ids) -> Vec<u8> {
        let printed = Zeroizing::new(self.reveal());
        keyring.seal(place_of_secret(app, row), printed.as_bytes(), ids)
    }

    /// The reverse of [`Secret::seal`]; `None` when it does not open there.
    pub fn open(keyring: &Keyring, app: AppId, row: Bits96, sealed: &[u8]) -> Option<Self> {
        let printed = keyring.open(place_of_secret(app, row), sealed).ok()?;
        std::str::from_utf8(&printed).ok()?.parse().ok()
    }
}

impl SigningKey {
    /// The seed, sealed for the row `row` of its app.
    pub fn seal(&self, keyring: &Keyring, app: AppId, row: Bits96, ids: &Ids) -> Vec<u8> {
        keyring.seal(place_of_key(app, row), self.seed(), ids)
    }

    /// The reverse of [`SigningKey::seal`]; `None` when it does not open there.
    pub fn open(keyring: &Keyring, app: AppId, row: Bits96, sealed: &[u8]) -> Option<Self> {
        Self::from_seed(&keyring.open(place_of_key(app, row), sealed).ok()?).ok()
    }
}

fn place_of_secret(app: AppId, row: Bits96) -> Place {
    Place { table: "hook_secret", column: "sealed", app, row }
}

fn place_of_key(app: AppId, row: Bits96) -> Place {
    Place { table: "signing_key", column: "sealed", app, row }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_in_its_row_only() {
        let ids = Ids::seeded(1);
        let keyring = Keyring::new(&[Zeroizing::new(vec![7; 32])]).unwrap();
        let (app, other) = (AppId(Bits96::new(1)), AppId(Bits96::new(2)));
        let (row, elsewhere) = (Bits96::new(3), Bits96::new(4));
        let (secret, key) = (Secret::generate(&ids), SigningKey::generate(&ids));
        let sealed = secret.seal(&keyring, app, row, &ids);
        assert_eq!(Secret::open(&keyring, app, row, &sealed), Some(secret));
        assert_eq!(Secret::open(&keyring, app, elsewhere, &sealed), None);
        assert_eq!(Secret::open(&keyring, other, row, &sealed), None);
        let sealed = key.seal(&keyring, app, row, &ids);
        let opened = SigningKey::open(&keyring, app, row, &sealed);
        assert_eq!(opened.map(|opened| opened.public()), Some(key.public()));
        assert!(SigningKey::open(&keyring, app, elsewhere, &sealed).is_none());
    }
}
