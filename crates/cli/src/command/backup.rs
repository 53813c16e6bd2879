//! `tidings backup`: a copy of the embedded store, made while the server runs.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tidings_core::clock::{Clock, Timestamp};
use tidings_store::Store;

use crate::config::{Config, Flags};
use crate::error::{Error, Result};
use crate::output::Printer;

/// What a backup is called in its manifest.
pub(crate) const FORMAT: &str = "tidings-backup@1";

#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  \
    tidings backup monday.tidings --data-dir ./tidings-data\n  \
    tidings backup tuesday.tidings --data-dir ./tidings-data --output json")]
pub(crate) struct Backup {
    /// The new file
    file: PathBuf,
    #[command(flatten)]
    flags: Flags,
}

/// What lies beside a backup.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Manifest {
    pub(crate) format: String,
    /// The version that made it.
    pub(crate) tidings: String,
    pub(crate) taken_at: Timestamp,
    pub(crate) bytes: u64,
    /// Of the file, in hexadecimal.
    pub(crate) sha256: String,
    /// The migrations of the store.
    pub(crate) schema: Vec<String>,
    pub(crate) apps: u64,
    /// Changes ever recorded.
    pub(crate) changes: u64,
    /// Where the master key is, in words: not here.
    pub(crate) master_key: String,
}

/// Makes the backup.
///
/// # Errors
/// The store is a PostgreSQL database; FILE is there already; the store cannot be read or the file not
/// written.
pub(crate) fn run(
    backup: &Backup,
    variables: &[(String, String)],
    printer: &mut Printer<'_>,
) -> Result<()> {
    let config = Config::load(&backup.flags, variables)?;
    embedded(&config, "pg_dump --format=custom")?;
    let (file, manifest) = (&backup.file, manifest_of(&backup.file));
    for path in [file, &manifest] {
        if path.exists() {
            let path = path.display();
            return Err(Error::Usage(format!("{path} is there already; name a new file")));
        }
    }
    let partial = beside(file, ".partial");
    // Made first, for nobody else to read: there are addresses and calendars in it. One that is there belongs
    // to another backup, which may be under way.
    write_new(&partial, b"")?;
    let taken_at = Clock::system().now();
    let made = copy(&config.data_dir, &partial, taken_at).and_then(|made| {
        let text = serde_json::to_string_pretty(&made).map_err(Error::failed("the manifest"))?;
        write_new(&manifest, text.as_bytes())?;
        put_in_place(&partial, file)?;
        Ok(made)
    });
    let made = made.inspect_err(|_| {
        // What was not finished is of no use; that it could not be removed changes nothing.
        drop(fs::remove_file(&partial));
        drop(fs::remove_file(&manifest));
    })?;
    let text = format!(
        "{}: {} changes of {} apps, {} bytes\n{}: its manifest\nthe master key is not in it: keep \
         master.key (or the configured master_key) elsewhere",
        file.display(),
        made.changes,
        made.apps,
        made.bytes,
        manifest.display(),
    );
    printer.answer(&made, text)
}

/// The path of a backup's manifest.
pub(crate) fn manifest_of(file: &Path) -> PathBuf {
    beside(file, ".json")
}

/// Refuses what only works for the embedded store.
pub(crate) fn embedded(config: &Config, instead: &str) -> Result<()> {
    if config.database_url.is_none() {
        return Ok(());
    }
    let why = "the store is a PostgreSQL database: use the tools of PostgreSQL, such as";
    Err(Error::Usage(format!("{why} {instead}")))
}

fn copy(data_dir: &Path, partial: &Path, taken_at: Timestamp) -> Result<Manifest> {
    let copied = Store::back_up(data_dir, partial);
    let contents = copied.map_err(|error| explained(data_dir.display(), &error))?;
    let (bytes, sha256) = digest(partial)?;
    Ok(Manifest {
        format: FORMAT.into(),
        tidings: env!("CARGO_PKG_VERSION").into(),
        taken_at,
        bytes,
        sha256,
        schema: contents.schema.applied,
        apps: contents.apps,
        changes: contents.changes,
        master_key: "not included".into(),
    })
}

/// Length and SHA-256 of a file, which is on the disk after that.
///
/// # Errors
/// It cannot be read or synced.
pub(crate) fn digest(path: &Path) -> Result<(u64, String)> {
    let read = || {
        let mut file = File::open(path)?;
        let (mut digest, mut buffer, mut bytes) = (Sha256::new(), vec![0; 1 << 20], 0);
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            digest.update(&buffer[..count]);
            bytes += count as u64;
        }
        file.sync_all()?;
        Ok::<_, std::io::Error>((bytes, hexadecimal(&digest.finalize())))
    };
    read().map_err(Error::failed(path.display()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a file that only its owner can read, and syncs it.
pub(crate) fn write_new(path: &Path, text: &[u8]) -> Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        std::io::Write::write_all(&mut file, text)?;
        file.sync_all()
    };
    write().map_err(Error::failed(path.display()))
}

/// Gives a finished file its name, durably, unless another file has it by now.
///
/// # Errors
/// The name is taken; the directory cannot be written.
pub(crate) fn put_in_place(partial: &Path, path: &Path) -> Result<()> {
    let put = match fs::hard_link(partial, path) {
        Ok(()) => fs::remove_file(partial),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(error),
        // Not every file system has links.
        Err(_) => fs::rename(partial, path),
    };
    put.map_err(Error::failed(path.display()))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.unwrap_or(Path::new("."));
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(Error::failed(directory.display()))
}

/// `path` with something added to its name.
pub(crate) fn beside(path: &Path, added: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(added);
    name.into()
}

/// What the store said, with its cause.
pub(crate) fn explained(what: impl Display, error: &tidings_store::Error) -> Error {
    let cause = std::error::Error::source(error);
    let cause = cause.map_or(String::new(), |cause| format!(": {cause}"));
    Error::Failed(format!("{what}: {error}{cause}"))
}
