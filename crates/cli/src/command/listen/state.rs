//! How far a listener has come, and the secret it signs with: files that only their owner may read.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tidings_core::id::Ids;
use tidings_core::sign::Secret;
use url::Url;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::profile::{Variables, directory, write_private};

/// Where a listener on one server, of one app, to one target has come to.
pub(super) struct State {
    file: PathBuf,
    kept: Kept,
    /// Held as long as this lives: two that forward the same would forward everything twice.
    _turn: File,
}

#[derive(Deserialize, Serialize)]
struct Kept {
    server: String,
    app: String,
    target: String,
    /// What is behind it is not dealt with; absent before the first connection.
    cursor: Option<String>,
}

impl State {
    /// Takes up where the last listener with the same server, app and target ended.
    ///
    /// # Errors
    /// Another one runs; the files cannot be used.
    pub(super) fn open(
        variables: &Variables,
        server: &Url,
        app: &str,
        target: &Url,
    ) -> Result<Self> {
        let directory = listeners(variables)?;
        let (server, target) = (server.to_string(), target.to_string());
        let mut digest = Sha256::new();
        for part in [&server, app, &target] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        let digest = digest.finalize();
        let name: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let turn = take_turn(&directory.join(format!("{name}.lock")), &target)?;
        let file = directory.join(format!("{name}.json"));
        let fresh = || Kept { server, app: app.to_owned(), target, cursor: None };
        let kept = match read(&file)? {
            None => fresh(),
            Some(text) => {
                let what = format!("{} is not what was written there", file.display());
                serde_json::from_str(&text).map_err(Error::failed(what))?
            }
        };
        Ok(Self { file, kept, _turn: turn })
    }

    /// Behind what is dealt with.
    pub(super) fn cursor(&self) -> Option<&str> {
        self.kept.cursor.as_deref()
    }

    /// Everything up to `cursor` is dealt with: durable when this returns.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn keep(&mut self, cursor: &str) -> Result<()> {
        if self.cursor() == Some(cursor) {
            return Ok(());
        }
        self.kept.cursor = Some(cursor.to_owned());
        let text =
            serde_json::to_vec(&self.kept).map_err(Error::failed("cannot keep the cursor"))?;
        let what = format!("cannot write {}", self.file.display());
        write_private(&self.file, &text).map_err(Error::failed(what))
    }

    /// Begins with what is new.
    pub(super) fn forget(&mut self) {
        self.kept.cursor = None;
    }
}

/// The secret that was given, else the one of this machine, made when there is none yet.
///
/// # Errors
/// It is none; the file cannot be used.
pub(super) fn secret(variables: &Variables, given: Option<&str>) -> Result<Secret> {
    if let Some(text) = given {
        return text.parse().map_err(|error| Error::Usage(format!("the secret: {error}")));
    }
    let file = listeners(variables)?.join("secret");
    if let Some(text) = read(&file)? {
        let what = format!("{} holds no secret; remove it for a new one", file.display());
        return text.trim().parse().map_err(Error::failed(what));
    }
    let secret = Secret::generate(&Ids::from_os());
    let text = Zeroizing::new(secret.reveal());
    let what = format!("cannot write {}", file.display());
    write_private(&file, text.as_bytes()).map_err(Error::failed(what))?;
    Ok(secret)
}

fn listeners(variables: &Variables) -> Result<PathBuf> {
    Ok(directory(variables, "XDG_STATE_HOME", ".local/state")?.join("listen"))
}

fn take_turn(file: &Path, target: &str) -> Result<File> {
    let unusable =
        |error: io::Error| Error::Failed(format!("cannot use {}: {error}", file.display()));
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory).map_err(unusable)?;
    }
    let turn = File::create(file).map_err(unusable)?;
    match turn.try_lock() {
        Ok(()) => Ok(turn),
        Err(TryLockError::WouldBlock) => {
            Err(Error::Failed(format!("another `tidings listen` forwards to {target} already")))
        }
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

fn read(file: &Path) -> Result<Option<Zeroizing<String>>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::Failed(format!("cannot read {}: {error}", file.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(home: &Path) -> Vec<(String, String)> {
        vec![("XDG_STATE_HOME".to_owned(), home.display().to_string())]
    }

    #[test]
    fn a_listener_goes_on_where_the_last_one_for_the_same_ended() {
        let home = tempfile::tempdir().unwrap();
        let variables = variables(home.path());
        let url = |text: &str| text.parse::<Url>().unwrap();
        let (server, target) = (url("http://127.0.0.1:8480"), url("http://localhost:3000/a"));
        let mut state = State::open(&variables, &server, "app_1", &target).unwrap();
        assert_eq!(state.cursor(), None);
        state.keep("AAAA").unwrap();
        let second = State::open(&variables, &server, "app_1", &target);
        assert!(matches!(second, Err(Error::Failed(why)) if why.contains("another")));
        drop(state);
        let again = State::open(&variables, &server, "app_1", &target).unwrap();
        assert_eq!(again.cursor(), Some("AAAA"));
        let other_url = url("http://localhost:3000/b");
        for (server, app, target) in [
            (&server, "app_2", &target),
            (&server, "app_1", &other_url),
            (&other_url, "app_1", &target),
        ] {
            let other = State::open(&variables, server, app, target).unwrap();
            assert_eq!(other.cursor(), None, "{app} {target}");
        }
    }

    #[test]
    fn the_secret_of_this_machine_stays_and_a_given_one_goes_before_it() {
        let home = tempfile::tempdir().unwrap();
        let variables = variables(home.path());
        let own = secret(&variables, None).unwrap();
        assert_eq!(secret(&variables, None).unwrap(), own);
        let given = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_eq!(secret(&variables, Some(given)).unwrap().reveal(), given);
        assert!(matches!(secret(&variables, Some("abc")), Err(Error::Usage(_))));
    }
}
