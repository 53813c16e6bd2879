//! `tidings doctor`: looks at everything a server needs, and says how to put right what is wrong.

mod local;
mod network;

use clap::Args;
use serde::Serialize;
use tidings_core::clock::Clock;

use crate::config::{Config, Flags};
use crate::error::{Error, Result};
use crate::output::{Printer, Tone};

#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  \
    tidings doctor --offline --data-dir ./tidings-data\n  \
    tidings doctor --data-dir ./tidings-data --output json")]
pub(crate) struct Doctor {
    /// Ask nobody on the network
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    flags: Flags,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// As it should be.
    Good,
    /// It works, but not as well as it could.
    Warning,
    /// It does not work.
    Failure,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked at, in one word or two.
    check: &'static str,
    level: Level,
    /// What was found.
    found: String,
    /// What to do, unless all is good.
    fix: Option<String>,
}

impl Finding {
    fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, level: Level::Good, found: found.into(), fix: None }
    }

    fn warning(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, level: Level::Warning, found: found.into(), fix: Some(fix.into()) }
    }

    fn failure(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, level: Level::Failure, found: found.into(), fix: Some(fix.into()) }
    }
}

/// Everything that was looked at.
#[derive(Debug, Serialize)]
struct Report {
    findings: Vec<Finding>,
    failures: usize,
    warnings: usize,
}

/// Looks at everything.
///
/// # Errors
/// At least one thing does not work.
pub(crate) async fn run(
    doctor: &Doctor,
    variables: &[(String, String)],
    printer: &mut Printer<'_>,
) -> Result<()> {
    let findings = match Config::load(&doctor.flags, variables) {
        Err(error) => {
            let fix = "correct that key; docs/configuration.md has a table of all of them";
            vec![Finding::failure("configuration", error.to_string(), fix)]
        }
        Ok(config) => {
            let mut findings = vec![Finding::good("configuration", "every key is understood")];
            findings.extend(local::look(&config).await);
            if !doctor.offline {
                findings.extend(network::look(&config, &Clock::system()).await);
            }
            findings
        }
    };
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (failures, warnings) = (count(Level::Failure), count(Level::Warning));
    let report = Report { findings, failures, warnings };
    let text = in_words(&report, printer);
    printer.answer(&report, text)?;
    match report.failures {
        0 => Ok(()),
        1 => Err(Error::Failed("1 thing does not work".into())),
        count => Err(Error::Failed(format!("{count} things do not work"))),
    }
}

fn in_words(report: &Report, printer: &Printer<'_>) -> String {
    let width = report.findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for Finding { check, level, found, fix } in &report.findings {
        let (tone, word) = match level {
            Level::Good => (Tone::Good, "good   "),
            Level::Warning => (Tone::Uneasy, "warning"),
            Level::Failure => (Tone::Bad, "failure"),
        };
        lines.push(format!("{}  {check:<width$}  {found}", printer.tone(tone, word)));
        lines.extend(fix.iter().map(|fix| format!("         {:<width$}  -> {fix}", "")));
    }
    lines.push(format!("{} failures, {} warnings", report.failures, report.warnings));
    lines.join("\n")
}
