//! Measures Tidings, or any HTTP publish API: a load generator, a receiver, and the suite behind
//! `docs/benchmarks.md`.
#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

mod api;
mod bare;
mod commands;
mod figure;
mod latency;
mod load;
mod machine;
mod moment;
mod pace;
mod process;
mod receiver;
mod records;
mod report;
mod server;
mod simulate;
mod suite;
mod template;
mod watch;
mod wire;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "tidings-bench", about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Publish(commands::Publish),
    Receive(commands::Receive),
    Bare(commands::Bare),
    Suite(suite::Suite),
    Watch(watch::Watch),
    Records(records::Records),
    #[command(hide = true)]
    SimulateGoogle(simulate::SimulateGoogle),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Publish(publish) => publish.run().await,
        Command::Receive(receive) => receive.run().await,
        Command::Bare(bare) => bare.run().await,
        Command::Suite(suite) => suite.run().await,
        Command::Watch(watch) => watch.run().await,
        Command::Records(records) => records.run().await,
        Command::SimulateGoogle(simulate) => simulate.run().await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            println!("FAILED: {reason}");
            ExitCode::FAILURE
        }
    }
}
