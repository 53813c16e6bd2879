//! `tidings restore`: a backup becomes the store of an empty data directory.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use tidings_store::{STORE_FILE, Store};

use super::backup::{
    FORMAT, Manifest, beside, digest, embedded, explained, manifest_of, put_in_place, write_new,
};
use crate::config::{Config, Flags};
use crate::error::{Error, Result};
use crate::master_key;
use crate::output::Printer;

#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  \
    tidings restore monday.tidings --data-dir ./restored-data")]
pub(crate) struct Restore {
    /// A file that `tidings backup` made, its manifest beside it
    file: PathBuf,
    #[command(flatten)]
    flags: Flags,
}

/// Checks the backup and puts it in place.
///
/// # Errors
/// The data directory is not empty; the backup is damaged, or newer than this binary.
pub(crate) fn run(
    restore: &Restore,
    variables: &[(String, String)],
    printer: &mut Printer<'_>,
) -> Result<()> {
    let config = Config::load(&restore.flags, variables)?;
    embedded(&config, "pg_restore")?;
    let (file, directory) = (&restore.file, &config.data_dir);
    let must_be_empty = occupant(directory)?;
    if let Some(name) = must_be_empty {
        let directory = directory.display();
        return Err(Error::Usage(format!(
            "{directory} is not empty: {name} is there; restore into a new directory, or move it away"
        )));
    }
    let manifest = checked(file)?;
    put(file, directory, &manifest)?;
    let has_key = config.master_key.is_some() || directory.join(master_key::FILE).exists();
    let key = if has_key {
        "the master key must be the one of that time".into()
    } else {
        let place = directory.join(master_key::FILE);
        format!(
            "before the server starts, put the master key of that time into {}: without it the server \
             makes a new one, and passwords and secrets cannot be opened",
            place.display()
        )
    };
    let text = format!(
        "restored {} changes of {} apps, as of {}\n{key}",
        manifest.changes, manifest.apps, manifest.taken_at
    );
    printer.answer(&manifest, text)
}

/// Something in the directory that is not the master key.
fn occupant(directory: &Path) -> Result<Option<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(Error::failed(directory.display()))?,
    };
    let names = entries.map(|entry| {
        let entry = entry.map_err(Error::failed(directory.display()))?;
        Ok(entry.file_name().to_string_lossy().into_owned())
    });
    let names = names.collect::<Result<Vec<_>>>()?;
    Ok(names.into_iter().find(|name| name != master_key::FILE && name != "lost+found"))
}

/// The manifest of a backup whose file is as it says and that this binary understands.
fn checked(file: &Path) -> Result<Manifest> {
    let place = manifest_of(file);
    let text = fs::read_to_string(&place).map_err(Error::failed(place.display()))?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(Error::failed(place.display()))?;
    if manifest.format != FORMAT {
        let format = &manifest.format;
        return Err(Error::Failed(format!("{} is of {format}, not {FORMAT}", place.display())));
    }
    must_be(&manifest, file)?;
    let contents = Store::examine(file).map_err(|error| explained(file.display(), &error))?;
    if contents.schema.applied == manifest.schema {
        return Ok(manifest);
    }
    Err(Error::Failed(format!("{}: its schema is not what its manifest says", file.display())))
}

/// Refuses a file that is not the one of the manifest. What is not refused is on the disk.
fn must_be(manifest: &Manifest, file: &Path) -> Result<()> {
    let (bytes, sha256) = digest(file)?;
    if (bytes, &sha256) == (manifest.bytes, &manifest.sha256) {
        return Ok(());
    }
    let why = "it is not what its manifest says: the copy is damaged or cut off";
    Err(Error::Failed(format!("{}: {why}", file.display())))
}

/// Copies the file to its place, all of it or nothing. A server that was started there meanwhile keeps its store.
fn put(file: &Path, directory: &Path, manifest: &Manifest) -> Result<()> {
    fs::create_dir_all(directory).map_err(Error::failed(directory.display()))?;
    let store = directory.join(STORE_FILE);
    let partial = beside(&store, ".partial");
    let copied = (|| {
        write_new(&partial, b"")?;
        // Not fs::copy, which would take over who may read the backup.
        let copy = || io::copy(&mut File::open(file)?, &mut File::create(&partial)?);
        copy().map_err(Error::failed(partial.display()))?;
        must_be(manifest, &partial)?;
        put_in_place(&partial, &store)
    })();
    copied.inspect_err(|_| drop(fs::remove_file(&partial)))
}
