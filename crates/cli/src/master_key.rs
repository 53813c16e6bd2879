//! The master key, which seals credentials and signing secrets at rest.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidings_core::id::Ids;
use tidings_core::seal::Keyring;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::error::{Error, Result};

/// The key file in the data directory.
pub(crate) const FILE: &str = "master.key";
const KEY_BYTES: usize = 32;

/// The configured keys, or the key file of the data directory, which is made when it is not there.
///
/// # Errors
/// The file cannot be read, written or understood.
pub(crate) fn keyring(config: &Config, ids: &Ids) -> Result<Keyring> {
    if let Some(keys) = &config.master_key {
        return parse(keys.reveal()).map_err(|why| Error::Usage(format!("master_key: {why}")));
    }
    let path = config.data_dir.join(FILE);
    let text = read_or_make(&path, || {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        ids.fill(&mut *key);
        Zeroizing::new(STANDARD.encode(*key))
    })?;
    parse(&text).map_err(Error::failed(path.display()))
}

/// The text of the file at `path`, which only its owner can read; made of `fresh` when there is none.
///
/// # Errors
/// The file cannot be read or written.
pub(crate) fn read_or_make(
    path: &Path,
    fresh: impl FnOnce() -> Zeroizing<String>,
) -> Result<Zeroizing<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => return Ok(Zeroizing::new(text.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(Error::failed(format!("cannot read {}", path.display()))(error)),
    }
    let text = fresh();
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    });
    written.map_err(Error::failed(format!("cannot write {}", path.display())))?;
    Ok(text)
}

/// Keys in base 64, separated by white space; the first seals.
///
/// # Errors
/// What is wrong, without the key.
pub(crate) fn parse(text: &str) -> std::result::Result<Keyring, &'static str> {
    const WANTED: &str = "not the base64 of 32 bytes; make one with `openssl rand -base64 32`";
    let decode = |key: &str| STANDARD.decode(key).map(Zeroizing::new).map_err(|_| WANTED);
    let keys = text.split_whitespace().map(decode).collect::<std::result::Result<Vec<_>, _>>()?;
    Keyring::new(&keys).map_err(|_| WANTED)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_file_is_made_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new").join(FILE);
        let first = read_or_make(&path, || Zeroizing::new("secret".into())).unwrap();
        let second = read_or_make(&path, || panic!("it is there already")).unwrap();
        assert_eq!((first.as_str(), second.as_str()), ("secret", "secret"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn only_keys_of_32_bytes_are_taken() {
        let key = STANDARD.encode([7; KEY_BYTES]);
        let short = STANDARD.encode([7; 31]);
        for (text, good) in [
            (key.clone(), true),
            (format!("{key}\n{key}\n"), true),
            (String::new(), false),
            (short, false),
            (format!("{key} x"), false),
            ("!".into(), false),
        ] {
            assert_eq!(parse(&text).is_ok(), good, "{text}");
        }
    }
}
