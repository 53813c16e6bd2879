//! The command line: every command, and what it runs. One file a command.

mod account;
mod app;
mod audit;
mod backup;
mod completions;
mod doctor;
mod event_type;
mod export;
mod hook;
mod import;
mod inbox;
mod key;
mod listen;
mod login;
mod migrate;
mod replay;
mod resend;
mod resource;
mod restore;
mod send;
mod sign;
mod tail;
mod trigger;
mod verify;

use std::io::{self, Write};

use clap::{Parser, Subcommand};
use serde_json::json;

use crate::client::Client;
use crate::config::{self, Config, Flags};
use crate::demo::{self, Demo};
use crate::error::{EXIT_CODES, Error, Result};
use crate::output::{self, Printer};
use crate::profile::{Globals, Place, Variables};
use crate::serve::{self, Serve};

/// Watches calendars and turns every change into a signed webhook.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, after_long_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    #[command(after_long_help = "Examples:\n  tidings serve --dev")]
    Serve(Serve),
    /// Show the whole way on this machine: a calendar changes, signed webhooks arrive
    #[command(after_long_help = "Examples:\n  tidings demo --exit")]
    Demo(Demo),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Show the migrations of the store, and apply those that are pending
    ///
    /// A server does the same when it starts. Here it can be done, or looked at, ahead of that.
    Migrate(migrate::Migrate),
    /// Look at everything that a server needs, and say how to put right what is wrong
    ///
    /// Changes nothing, and may run beside a server. Exit status 1 when something does not work.
    Doctor(doctor::Doctor),
    /// Who did what
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Copy the embedded store, while the server runs
    ///
    /// Beside FILE a manifest FILE.json is written, with its checksum and what it holds. The master key is
    /// not in a backup: keep it elsewhere, or the passwords and secrets in the backup cannot be opened.
    Backup(backup::Backup),
    /// Make a backup the store of an empty data directory
    ///
    /// The data directory must be empty but for master.key. What was delivered after the backup was made
    /// is delivered again, with the same ids; changes that were accepted after it are not in it.
    Restore(restore::Restore),
    /// Keep a server's address and a key, so that other commands need no flags
    Login(login::Login),
    /// Forward changes to a receiver on this machine, from where the last time ended
    Listen(listen::Listen),
    /// Publish an example of a change, as if it had happened
    Trigger(trigger::Trigger),
    /// Publish a change
    Send(send::Send),
    /// Show changes or deliveries as they happen
    Tail(tail::Tail),
    /// Deliver changes of the past once more
    Replay(replay::Replay),
    /// Deliver one delivery once more
    Resend(resend::Resend),
    /// The tenants
    #[command(subcommand)]
    App(app::AppCommand),
    /// API keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Where changes are delivered
    #[command(subcommand)]
    Hook(hook::HookCommand),
    /// Connected calendars
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// What an app says about the changes that it publishes
    #[command(subcommand)]
    EventType(event_type::EventTypeCommand),
    /// URLs for trying out
    #[command(subcommand)]
    Inbox(inbox::InboxCommand),
    /// Write an app's settings, event types and hooks as a document, without secrets
    Export(export::Export),
    /// Make an app as a document of `tidings export` says; doing it again changes nothing
    Import(import::Import),
    /// Print the headers that a delivery of a body would have; asks no server
    Sign(sign::Sign),
    /// Say whether a signature is right, and if not, what is wrong; asks no server
    Verify(verify::Verify),
    /// Print what a shell needs to complete these commands
    Completions(completions::Completions),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether the configuration is right
    #[command(after_long_help = "Examples:\n  tidings config check")]
    Check(Flags),
    /// Print the configuration in force, without its secrets
    #[command(after_long_help = "Examples:\n  tidings config show")]
    Show(Flags),
}

/// Runs a command.
///
/// # Errors
/// What the command says.
pub(crate) fn run(cli: Cli, mut out: impl Write) -> Result<()> {
    let variables = config::variables();
    let Cli { globals, command } = cli;
    let printer =
        &mut Printer::new(globals.output, output::colours(&io::stdout(), &variables), &mut out);
    let client = || Client::new(Place::find(&globals, &variables)?);
    match command {
        Command::Serve(args) => block_on(serve::run(&args, &mut out)),
        Command::Demo(args) => block_on(demo::run(&args, &mut out)),
        Command::Config(command) => configuration(&command, &variables, printer),
        Command::Migrate(args) => block_on(migrate::run(&args, &variables, printer)),
        Command::Doctor(args) => block_on(doctor::run(&args, &variables, printer)),
        Command::Audit(command) => block_on(audit::run(&command, &variables, printer)),
        Command::Backup(args) => backup::run(&args, &variables, printer),
        Command::Restore(args) => restore::run(&args, &variables, printer),
        Command::Login(_) => block_on(login::run(&globals, &variables, printer)),
        Command::Listen(args) => block_on(listen::run(&args, &variables, client, printer)),
        Command::Trigger(args) => block_on(trigger::run(&args, &client()?, printer)),
        Command::Send(args) => block_on(send::run(&args, &client()?, printer)),
        Command::Tail(args) => block_on(tail::run(&args, &client()?, printer)),
        Command::Replay(args) => block_on(replay::run(&args, &client()?, printer)),
        Command::Resend(args) => block_on(resend::run(&args, &client()?, printer)),
        Command::App(command) => block_on(app::run(command, &client()?, printer)),
        Command::Key(key::KeyCommand::Generate) => key::generate(printer),
        Command::Key(command) => block_on(key::run(command, &client()?, printer)),
        Command::Hook(command) => block_on(hook::run(command, &client()?, printer)),
        Command::Account(command) => block_on(account::run(command, &client()?, printer)),
        Command::EventType(command) => block_on(event_type::run(command, &client()?, printer)),
        Command::Inbox(command) => block_on(inbox::run(command, &client()?, printer)),
        Command::Export(args) => block_on(export::run(&args, &client()?, printer)),
        Command::Import(args) => block_on(import::run(&args, &client()?, printer)),
        Command::Sign(args) => sign::run(&args, &variables, printer),
        Command::Verify(args) => verify::run(&args, &variables, printer),
        Command::Completions(args) => completions::run(&args, printer),
    }
}

fn configuration(
    command: &ConfigCommand,
    variables: &Variables,
    printer: &mut Printer<'_>,
) -> Result<()> {
    match command {
        ConfigCommand::Check(flags) => {
            Config::load(flags, variables)?;
            printer.answer(&json!({"right": true}), "the configuration is right")
        }
        ConfigCommand::Show(flags) => {
            let shown = config::show(flags, variables)?;
            let document: toml::Table = shown.parse().map_err(Error::failed("cannot print"))?;
            printer.answer(&document, shown.trim_end())
        }
    }
}

fn block_on<F: Future<Output = Result<()>>>(command: F) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(Error::failed("cannot start"))?.block_on(command)
}
