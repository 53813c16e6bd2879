//! The tidings binary.

mod client;
mod command;
mod config;
mod console;
mod demo;
mod demo_calendar;
mod engine;
mod error;
mod listener;
mod logging;
mod master_key;
mod metrics;
mod output;
mod profile;
mod retention;
mod serve;
mod server;
mod signals;
mod surface;
mod systemd;
mod telemetry;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

/// Many small allocations, freed on other threads than they were made on, are what this process does: see
/// `docs/adr/0009`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match command::run(command::Cli::parse(), io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed there is nobody to tell.
            drop(writeln!(io::stderr(), "tidings: {error}"));
            error.exit_code()
        }
    }
}
