//! `tidings migrate`: where the schema of the store stands, and bringing it up to date.

use clap::Args;
use serde_json::json;
use tidings_store::{Schema, Store};

use super::backup::explained;
use crate::config::{Config, Flags};
use crate::error::{Error, Result};
use crate::output::Printer;
use crate::server;

#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  \
    tidings migrate --check --data-dir ./tidings-data\n  \
    tidings migrate --data-dir ./tidings-data")]
pub(crate) struct Migrate {
    /// Change nothing; exit status 1 when something is pending
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    flags: Flags,
}

/// Shows the migrations and applies those that are pending.
///
/// # Errors
/// The store cannot be used, is newer than this binary, or, with `--check`, is not up to date.
pub(crate) async fn run(
    migrate: &Migrate,
    variables: &[(String, String)],
    printer: &mut Printer<'_>,
) -> Result<()> {
    let config = Config::load(&migrate.flags, variables)?;
    let before = schema(&config)?;
    let applies = !migrate.check && !before.pending.is_empty();
    if applies {
        server::open_store(&config).await?.close().await;
    }
    let after = if applies { schema(&config)? } else { before.clone() };
    tell(&before, &after, printer)?;
    match after.pending.len() {
        0 => Ok(()),
        count => Err(Error::Failed(format!(
            "{count} migrations are pending: stop the server, make a backup, run `tidings migrate`"
        ))),
    }
}

/// Where the schema of the configured store stands.
///
/// # Errors
/// It cannot be read, or is newer than this binary.
pub(crate) fn schema(config: &Config) -> Result<Schema> {
    let schema = match &config.database_url {
        Some(url) => Store::schema_at(url.reveal()),
        None => Store::schema_in(&config.data_dir),
    };
    schema.map_err(|error| explained("the schema of the store", &error))
}

fn tell(before: &Schema, after: &Schema, printer: &mut Printer<'_>) -> Result<()> {
    let new = &after.applied[before.applied.len()..];
    let there = before.applied.iter().map(|name| format!("{name}  there"));
    let applied = new.iter().map(|name| format!("{name}  applied now"));
    let pending = after.pending.iter().map(|name| format!("{name}  pending"));
    let lines: Vec<_> = there.chain(applied).chain(pending).collect();
    let document = json!({"applied": after.applied, "now": new, "pending": after.pending});
    printer.answer(&document, lines.join("\n"))
}
