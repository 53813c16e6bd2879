//! The fault battery: does to a server what life does to it, and counts what came of it.
//!
//! Its books are its own: what publishers were promised, what receivers got. A drill fails when a promise is
//! broken; the controls plant bugs and fail when no drill notices.
#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

mod backlog;
mod behaviours;
mod books;
mod client;
mod clock;
mod controls;
mod database;
mod disk;
mod drill;
mod kill;
mod points;
mod power;
mod publish;
mod receiver;
mod report;
mod server;
mod shim;
mod slow;
mod tally;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::drill::Drill;
use crate::report::Tier;

#[derive(Debug, Parser)]
#[command(name = "tidings-chaos", about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What is random follows from it.
    #[arg(long, default_value_t = 1, global = true)]
    seed: u64,
    /// Seconds to minutes each, as in `./test`; this is what is done without a flag.
    #[arg(long, global = true, conflicts_with = "long")]
    short: bool,
    /// The whole of it: hours in all.
    #[arg(long, global = true)]
    long: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    One(Drill),
    /// All drills, one after another, and a table.
    Battery,
    /// Plants bugs in the server, with --long all of them; fails when a drill does not notice.
    Controls,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { command, seed, long, .. } = Arguments::parse();
    let tier = if long { Tier::Long } else { Tier::Short };
    let kept = match command {
        Command::One(drill) => drill.report(tier, seed).await.1,
        Command::Battery => drill::battery(tier, seed).await,
        Command::Controls => controls::run(tier, seed).await,
    };
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
