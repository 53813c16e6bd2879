//! The fault battery: kills the server under load and counts what came of it.
//!
//! Each command prints its figures and ends with status 1 when a promise was broken.
#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

mod backlog;
mod client;
mod kill;
mod publish;
mod server;
mod tally;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "tidings-chaos", about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Kills the server again and again while changes are published; nothing accepted may be lost.
    Kill(kill::Options),
    /// Publishes to a receiver that is down, kills the server, brings the receiver up.
    Backlog(backlog::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Kill(options) => kill::run(&options).await,
        Command::Backlog(options) => backlog::run(&options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            println!("FAILED: {reason}");
            ExitCode::FAILURE
        }
    }
}
