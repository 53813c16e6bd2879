//! Which server a command asks, and as whom: flags, environment, and the profiles that `tidings login`
//! writes.
//!
//! A flag goes before the environment, the environment before a profile, and a profile that is asked for by
//! its flag before the environment too. The key of a profile goes to the profile's own server only.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::output::Format;

const DEFAULT_URL: &str = "http://127.0.0.1:8480";
/// The profile that is read when none is asked for.
const USUAL: &str = "default";

/// Environment variables, as they are.
pub(crate) type Variables = [(String, String)];

/// What every command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Globals {
    /// The server [env: TIDINGS_URL] [default: http://127.0.0.1:8480]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// A file that holds the key; the key itself may be in TIDINGS_KEY [env: TIDINGS_KEY_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// The app, for an owner key where there are several [env: TIDINGS_APP]
    #[arg(long, global = true, value_name = "APP")]
    pub(crate) app: Option<String>,
    /// A profile that `tidings login` wrote [env: TIDINGS_PROFILE] [default: default]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Authorities to trust beside the public ones, PEM
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// What is printed: text for people, or JSON for programs
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// A server, and who asks it.
#[derive(Clone)]
pub(crate) struct Place {
    /// Where it is.
    pub(crate) url: Url,
    /// Who asks.
    pub(crate) key: Option<Zeroizing<String>>,
    /// For which app.
    pub(crate) app: Option<String>,
    /// Authorities to trust beside the public ones.
    pub(crate) ca_file: Option<PathBuf>,
}

impl Place {
    /// What flags, environment and profiles say.
    ///
    /// # Errors
    /// Usage: a URL, a file or a profile cannot be used.
    pub(crate) fn find(globals: &Globals, variables: &Variables) -> Result<Self> {
        let named = globals.profile.as_deref();
        let profile =
            Profiles::read(variables)?.get(named.or(get(variables, "TIDINGS_PROFILE")))?;
        let environment =
            |name: &str| get(variables, name).map(str::to_owned).filter(|_| named.is_none());
        let kept_url = profile.url.clone();
        let url = (globals.url.clone().or_else(|| environment("TIDINGS_URL")))
            .or_else(|| kept_url.clone())
            .unwrap_or_else(|| DEFAULT_URL.to_owned());
        let own = kept_url.as_deref().is_some_and(|kept| same_server(kept, &url));
        let Profile { key: kept_key, app: kept_app, .. } =
            if own { profile } else { Profile::default() };
        let key = match key_file(globals, &environment) {
            Some(file) => Some(read_key(&file)?),
            None => environment("TIDINGS_KEY").or(kept_key).map(Zeroizing::new),
        };
        let app = globals.app.clone().or_else(|| environment("TIDINGS_APP")).or(kept_app);
        Ok(Self { url: parse(&url)?, key, app, ca_file: globals.ca_file.clone() })
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("url", &self.url.as_str()).field("app", &self.app).finish()
    }
}

/// A server as `tidings login` keeps it.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// Where it is.
    pub(crate) url: Option<String>,
    /// The app to ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app: Option<String>,
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
}

/// The file of profiles, readable by its owner only.
pub(crate) struct Profiles {
    file: PathBuf,
    all: BTreeMap<String, Profile>,
}

impl Profiles {
    /// Reads the file, if it is there.
    ///
    /// # Errors
    /// Usage: others may read it, or it is not what we wrote.
    pub(crate) fn read(variables: &Variables) -> Result<Self> {
        let file = directory(variables, "XDG_CONFIG_HOME", ".config")?.join("profiles.toml");
        let unusable =
            |why: &dyn fmt::Display| Error::Usage(format!("profiles in {}: {why}", file.display()));
        let text = match fs::read_to_string(&file) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { file, all: BTreeMap::new() });
            }
            Err(error) => return Err(unusable(&error)),
        };
        let mode = fs::metadata(&file).map_err(|error| unusable(&error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(unusable(&"others may read it: run chmod 600 on it"));
        }
        // The parser's own message would quote the line, and with it a key.
        let all = toml::from_str(&text).map_err(|error| unusable(&error.message()))?;
        Ok(Self { file, all })
    }

    /// A profile; the usual one, or an empty one, when none is named.
    fn get(&self, name: Option<&str>) -> Result<Profile> {
        match (name, self.all.get(name.unwrap_or(USUAL))) {
            (_, Some(profile)) => Ok(profile.clone()),
            (None, None) => Ok(Profile::default()),
            (Some(name), None) => Err(Error::Usage(format!(
                "there is no profile {name} in {}: make it with `tidings login --profile {name}`",
                self.file.display()
            ))),
        }
    }

    /// Whether the usual profile is of another server than this.
    pub(crate) fn is_usually_another(&self, url: &str) -> bool {
        let kept = self.all.get(USUAL).and_then(|profile| profile.url.as_deref());
        kept.is_some_and(|kept| !same_server(kept, url))
    }

    /// Keeps a profile. Answers where, and under which name.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn keep(
        mut self,
        name: Option<&str>,
        profile: Profile,
    ) -> Result<(PathBuf, String)> {
        let name = name.unwrap_or(USUAL).to_owned();
        self.all.insert(name.clone(), profile);
        let text = toml::to_string(&self.all).map_err(Error::failed("cannot write profiles"))?;
        let what = format!("cannot write {}", self.file.display());
        write_private(&self.file, Zeroizing::new(text).as_bytes()).map_err(Error::failed(what))?;
        Ok((self.file, name))
    }
}

/// Where we keep things of one kind: below the XDG base directory that a variable names, or its usual place.
///
/// # Errors
/// Usage: there is no home directory.
pub(crate) fn directory(variables: &Variables, variable: &str, usual: &str) -> Result<PathBuf> {
    let base = get(variables, variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || get(variables, "HOME").map(|home| Path::new(home).join(usual));
    let base = base.or_else(home).ok_or_else(|| {
        Error::Usage(format!("there is no home directory: set HOME or {variable}"))
    })?;
    Ok(base.join("tidings"))
}

/// Writes a file that only its owner may read, all of it or none: durable when this returns.
///
/// # Errors
/// It cannot be written.
pub(crate) fn write_private(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    // A temporary file has mode 600.
    let mut new = tempfile::NamedTempFile::new_in(directory)?;
    new.write_all(bytes)?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    fs::File::open(directory)?.sync_all()
}

/// What a variable says, unless that is nothing.
pub(crate) fn get<'v>(variables: &'v Variables, name: &str) -> Option<&'v str> {
    let found = variables.iter().find(|(known, text)| known == name && !text.is_empty());
    found.map(|(_, text)| text.as_str())
}

fn key_file(globals: &Globals, environment: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    globals.key_file.clone().or_else(|| environment("TIDINGS_KEY_FILE").map(PathBuf::from))
}

fn read_key(file: &Path) -> Result<Zeroizing<String>> {
    let text = fs::read_to_string(file);
    let text =
        text.map_err(|error| Error::Usage(format!("--key-file {}: {error}", file.display())))?;
    Ok(Zeroizing::new(Zeroizing::new(text).trim().to_owned()))
}

fn parse(text: &str) -> Result<Url> {
    let refuse = |why: &dyn fmt::Display| Error::Usage(format!("the server's URL {text}: {why}"));
    let url: Url = text.parse().map_err(|error| refuse(&error))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(refuse(&"give one that begins with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::Usage("the server's URL must hold no user name and no password".into()));
    }
    Ok(url)
}

fn same_server(kept: &str, url: &str) -> bool {
    match (Url::parse(kept), Url::parse(url)) {
        (Ok(kept), Ok(url)) => kept.origin() == url.origin(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
