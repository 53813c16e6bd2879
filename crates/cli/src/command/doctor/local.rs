//! What can be seen on this machine: files, store, disk, limits, the address.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::{Resource, getrlimit};
use tidings_core::limits::CONNECTIONS_MAX;
use tidings_store::STORE_FILE;
use tokio::net::TcpListener;

use super::Finding;
use crate::command::migrate;
use crate::config::Config;
use crate::{master_key, retention};

/// Descriptors besides those of clients: receivers, providers, the store.
const OTHER_FILES: u64 = 2_048;

/// Looks at all of it.
pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let mut findings = vec![key(config), store(config).await];
    // The key is there too, unless it is configured.
    if config.database_url.is_none() || config.master_key.is_none() {
        findings.push(directory(&config.data_dir));
    }
    if config.database_url.is_none() {
        findings.extend(disk(config));
    }
    findings.push(files());
    findings.push(address(config.listen).await);
    findings
}

fn key(config: &Config) -> Finding {
    const CHECK: &str = "master key";
    if config.master_key.is_some() {
        return Finding::good(CHECK, "configured, and of the right form");
    }
    let path = config.data_dir.join(master_key::FILE);
    let shown = path.display();
    let read = std::fs::read_to_string(&path);
    let Ok(text) = read.as_deref() else {
        // A directory that is closed to us may hold one.
        if !read.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            let fix = "run the server and this command as the user who owns it";
            return Finding::failure(CHECK, format!("{shown} cannot be read"), fix);
        }
        if config.data_dir.join(STORE_FILE).exists() {
            let fix = format!(
                "put the key that the store was made with into {shown}, or set master_key; with a new \
                 one passwords and secrets in the store cannot be opened"
            );
            return Finding::failure(CHECK, "there is a store but no key", fix);
        }
        return Finding::good(CHECK, format!("{shown} is made at the first start"));
    };
    if let Err(why) = master_key::parse(text) {
        return Finding::failure(CHECK, format!("{shown}: {why}"), "put the right key back");
    }
    let mode = std::fs::metadata(&path).map_or(0, |file| file.permissions().mode() & 0o077);
    if mode != 0 {
        let fix = format!("chmod 600 {shown}");
        return Finding::warning(CHECK, format!("others than its owner may read {shown}"), fix);
    }
    Finding::good(CHECK, format!("{shown}, readable by its owner only; keep a copy elsewhere"))
}

async fn store(config: &Config) -> Finding {
    const CHECK: &str = "store";
    let (kind, fix) = match config.database_url {
        Some(_) => ("the database", "see that the database is up and database_url right"),
        None => ("the embedded store", "run this command as the user who owns data_dir"),
    };
    // The database's connection blocks.
    let asked = config.clone();
    let asked = tokio::task::spawn_blocking(move || migrate::schema(&asked)).await;
    let schema = match asked {
        Ok(Ok(schema)) => schema,
        Ok(Err(error)) => {
            let fix = format!(
                "{fix}; an older tidings does not open the store of a newer one; a damaged one is restored \
                 from a backup"
            );
            return Finding::failure(CHECK, format!("{kind}: {error}"), fix);
        }
        Err(_) => return Finding::failure(CHECK, "looking at it failed", "please report it"),
    };
    match (schema.applied.len(), schema.pending.len()) {
        (0, _) => {
            Finding::good(CHECK, format!("{kind} is empty; the first start makes its tables"))
        }
        (_, 0) => Finding::good(CHECK, format!("{kind} is up to date")),
        (_, pending) => {
            let fix = "make a backup; the next start, or `tidings migrate`, applies them";
            Finding::warning(CHECK, format!("{kind} lacks {pending} migrations"), fix)
        }
    }
}

/// Whether we may write there, by the permissions of a directory that is there.
fn directory(path: &Path) -> Finding {
    const CHECK: &str = "data directory";
    let shown = path.display();
    let there = path.ancestors().find(|path| path.as_os_str().is_empty() || path.exists());
    let there = there.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let writable = rustix::fs::access(there, rustix::fs::Access::WRITE_OK);
    match (writable, there == path) {
        (Ok(()), true) => Finding::good(CHECK, format!("{shown} can be written")),
        (Ok(()), false) => Finding::good(CHECK, format!("{shown} is made at the first start")),
        (Err(error), _) => {
            let fix = "give the directory to the user that the server runs as, or set data_dir";
            Finding::failure(CHECK, format!("cannot write {}: {error}", there.display()), fix)
        }
    }
}

fn disk(config: &Config) -> Option<Finding> {
    const CHECK: &str = "disk";
    let free = config.data_dir.ancestors().find_map(retention::free_bytes);
    let free = free.or_else(|| retention::free_bytes(Path::new(".")))?;
    let (free_mib, reserve_mib) = (free >> 20, config.disk_reserve >> 20);
    let found = format!("{free_mib} MiB free; publishes are refused below {reserve_mib} MiB");
    let fix = "make room, or lower retention.journal_days, journal_bytes and attempt_days";
    Some(match free {
        free if free < config.disk_reserve => Finding::failure(CHECK, found, fix),
        free if free < config.disk_reserve.saturating_mul(4) => Finding::warning(CHECK, found, fix),
        _ => Finding::good(CHECK, found),
    })
}

fn files() -> Finding {
    const CHECK: &str = "open files";
    let needed = CONNECTIONS_MAX as u64 + OTHER_FILES;
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < needed => Finding::warning(
            CHECK,
            format!("this shell allows {limit}, a busy server uses up to {needed}"),
            "raise it where the server is started: LimitNOFILE= in the unit, or ulimit -n",
        ),
        _ => Finding::good(CHECK, "as many as are needed"),
    }
}

async fn address(listen: SocketAddr) -> Finding {
    const CHECK: &str = "listen";
    let Err(error) = TcpListener::bind(listen).await else {
        return Finding::good(CHECK, format!("{listen} is free"));
    };
    let in_use = error.kind() == std::io::ErrorKind::AddrInUse;
    if in_use && super::network::is_tidings(listen).await {
        return Finding::good(CHECK, format!("a tidings server answers on {listen}"));
    }
    let fix = "stop what uses it, or set listen to another address and port of this machine";
    Finding::failure(CHECK, format!("cannot listen on {listen}: {error}"), fix)
}
