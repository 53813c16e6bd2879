//! `tidings completions`: what a shell needs to complete our commands.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde_json::json;

use super::Cli;
use crate::error::Result;
use crate::output::Printer;

#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  \
    tidings completions bash > tidings.bash\n  \
    tidings completions zsh > _tidings\n  \
    tidings completions fish > tidings.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(completions: &Completions, printer: &mut Printer<'_>) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut Cli::command(), "tidings", &mut script);
    if printer.is_json() {
        let (shell, script) = (completions.shell.to_string(), String::from_utf8_lossy(&script));
        return printer.answer(&json!({"shell": shell, "script": script}), "");
    }
    printer.script(&script)
}
