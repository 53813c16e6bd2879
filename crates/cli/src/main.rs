//! The tidings binary.

mod config;
mod demo;
mod demo_calendar;
mod engine;
mod error;
mod listener;
mod logging;
mod master_key;
mod retention;
mod serve;
mod server;
mod signals;
mod surface;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tidings_core::id::Ids;
use tidings_core::key::{Token, TokenKind};

use crate::config::{Config, Flags};
use crate::demo::Demo;
use crate::error::{Error, Result};
use crate::serve::Serve;

/// Watches calendars and turns every change into a signed webhook.
#[derive(Debug, Parser)]
#[command(name = "tidings", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(Serve),
    /// Show the whole way on this machine: a calendar changes, signed webhooks arrive
    Demo(Demo),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make keys
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether the configuration is right
    Check(Flags),
    /// Print the configuration in force, without its secrets
    Show(Flags),
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Print a fresh owner key, for TIDINGS_BOOTSTRAP_KEY
    Generate,
}

/// Many small allocations, freed on other threads than they were made on, are what this process does: see
/// `docs/adr/0009`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse(), &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed there is nobody to tell.
            drop(writeln!(io::stderr(), "tidings: {error}"));
            error.exit_code()
        }
    }
}

fn run(cli: Cli, out: &mut impl Write) -> Result<()> {
    match cli.command {
        Command::Serve(serve) => block_on(serve::run(&serve, out)),
        Command::Demo(demo) => block_on(demo::run(&demo, out)),
        Command::Config(ConfigCommand::Check(flags)) => {
            Config::load(&flags, &config::variables())?;
            print(out, "the configuration is right")
        }
        Command::Config(ConfigCommand::Show(flags)) => {
            print(out, config::show(&flags, &config::variables())?.trim_end())
        }
        Command::Key(KeyCommand::Generate) => {
            print(out, Token::generate(TokenKind::ApiKey, &Ids::from_os()).reveal())
        }
    }
}

fn block_on<F: Future<Output = Result<()>>>(command: F) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(Error::failed("cannot start"))?.block_on(command)
}

fn print(out: &mut impl Write, text: &str) -> Result<()> {
    writeln!(out, "{text}").map_err(Error::failed("cannot write to standard output"))
}
