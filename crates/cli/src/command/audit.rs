//! `tidings audit`: whether the audit log is as it was written.

use clap::{Args, Subcommand};
use serde_json::json;
use tidings_store::{AuditLog, AuditVerdict};

use crate::config::{Config, Flags};
use crate::error::{Error, Result};
use crate::output::Printer;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that no line of the audit log was changed, taken out or put in
    ///
    /// Each line carries a hash over itself and the line before it, in its app. Reads the store, beside a server
    /// or without one. Exit status 1 when a chain is broken.
    Verify(Verify),
}

#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  \
    tidings audit verify --data-dir ./tidings-data\n  \
    tidings --output json audit verify --data-dir ./tidings-data")]
pub(crate) struct Verify {
    #[command(flatten)]
    flags: Flags,
}

/// Checks the audit log of the configured store.
///
/// # Errors
/// The store cannot be read; the log was tampered with.
pub(crate) async fn run(
    command: &AuditCommand,
    variables: &[(String, String)],
    printer: &mut Printer<'_>,
) -> Result<()> {
    let AuditCommand::Verify(Verify { flags }) = command;
    let config = Config::load(flags, variables)?;
    let log = match &config.database_url {
        Some(url) => AuditLog::connect(url.reveal()),
        None => AuditLog::open(&config.data_dir),
    };
    let log = log.map_err(Error::failed("the audit log"))?;
    let verdict = log.verify().await.map_err(Error::failed("the audit log"))?;
    tell(&verdict, printer)?;
    match verdict.broken {
        None => Ok(()),
        Some(broken) => Err(Error::Failed(format!(
            "the audit log of {} is broken at line {}: it, or a line before or after it, was changed, taken \
             out or put in",
            broken.app.map_or_else(|| "the installation".to_owned(), |app| app.to_string()),
            broken.audit_no
        ))),
    }
}

fn tell(verdict: &AuditVerdict, printer: &mut Printer<'_>) -> Result<()> {
    let AuditVerdict { apps, lines, before_chain, broken } = *verdict;
    let place = broken.map(|broken| json!({"app": broken.app, "line": broken.audit_no}));
    let document = json!({"apps": apps, "lines": lines, "before_chain": before_chain,
        "broken": place});
    let chained = lines - before_chain;
    let mut said = match broken {
        None => {
            format!("{chained} lines of {apps} apps and the installation are as they were written")
        }
        Some(_) => format!("{chained} lines of {apps} apps and the installation were looked at"),
    };
    if before_chain > 0 {
        said.push_str(&format!(
            "; {before_chain} lines are older than the chain, and nothing can be said of them"
        ));
    }
    printer.answer(&document, said)
}
