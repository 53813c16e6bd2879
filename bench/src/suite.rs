//! The command `suite`: every claim of `docs/benchmarks.md`, measured against a server that it starts.

mod growth;
mod isolation;
mod latency;
mod memory;
mod throughput;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use tidings_core::clock::Clock;

use crate::commands::positive;
use crate::figure::{self, Run};
use crate::machine;
use crate::report;
use crate::world::World;

/// Measures every row of docs/benchmarks.md against a `tidings serve` that it starts itself.
#[derive(Args, Clone, Debug)]
pub(crate) struct Suite {
    /// Only these rows; may be repeated
    #[arg(long, value_name = "ROW")]
    only: Vec<Row>,
    /// Runs of each row; the table shows their medians
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// How long each load lasts
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    seconds: f64,
    /// A PostgreSQL server (a superuser's or creator's postgres:// URL, on this machine); the suite
    /// drops and makes the database `tidings_bench` there [default: the embedded store]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// `concurrency` of the hook in rows with a single hook
    #[arg(long, default_value_t = 256)]
    concurrency: u32,
    /// Changes on the dead hook in the row `backlog`
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    backlog: u64,
    /// Hooks in one app, and apps, that the row `growth` compares with 10
    #[arg(long, default_value_t = 10_000, value_parser = RangedU64ValueParser::<usize>::new().range(10..))]
    growth: usize,
    /// Also put the results into this file, in place of those of the same store
    #[arg(long, value_name = "FILE", conflicts_with = "only")]
    markdown: Option<PathBuf>,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Row {
    /// Publish one change a request to one hook, end to end, as fast as it goes
    Publish,
    /// One change to 100 hooks, next to the bare loop of the same run
    FanOut,
    /// Accept changes that no hook wants
    Accept,
    /// Publish to receipt at 100 and at 5,000 changes a second
    Latency,
    /// Memory of a server that just started and has nothing to do
    Idle,
    /// Memory with changes on a dead hook, and the restart with them
    Backlog,
    /// Healthy hooks beside one that hangs
    Isolation,
    /// What a delivery costs with many hooks, and with many apps
    Growth,
}

impl Suite {
    /// Measures and prints.
    ///
    /// # Errors
    /// A row could not be measured. That a figure is missed is a result.
    pub(crate) async fn run(&self) -> Result<(), String> {
        let mut report = vec![self.title(), String::new(), figure::HEAD.to_owned()];
        println!("{}", report.join("\n"));
        for row in Row::value_variants() {
            if !self.only.is_empty() && !self.only.contains(row) {
                continue;
            }
            for line in figure::lines(&row.name(), &self.runs_of(*row).await) {
                println!("{line}");
                report.push(line);
            }
        }
        match &self.markdown {
            Some(file) => report::write(file, self.store(), &report.join("\n")),
            None => Ok(()),
        }
    }

    /// A run that breaks down is reported among the others.
    async fn runs_of(&self, row: Row) -> Vec<Run> {
        let mut runs = Vec::new();
        for _ in 0..self.runs {
            runs.push(self.measure(row).await.unwrap_or_else(Run::broken));
        }
        runs
    }

    async fn measure(&self, row: Row) -> Result<Run, String> {
        match row {
            Row::Publish => throughput::publish(self).await,
            Row::FanOut => throughput::fan_out(self).await,
            Row::Accept => throughput::accept(self).await,
            Row::Latency => latency::measure(self).await,
            Row::Idle => memory::idle(self).await,
            Row::Backlog => memory::backlog(self).await,
            Row::Isolation => isolation::measure(self).await,
            Row::Growth => growth::measure(self).await,
        }
    }

    /// Where and how it was measured.
    fn title(&self) -> String {
        let Self { runs, seconds, concurrency, backlog, growth, .. } = self;
        let only: String = self.only.iter().map(|row| format!(" --only {}", row.name())).collect();
        let database = if self.is_postgres() { " --database-url postgres://…" } else { "" };
        format!(
            "### {}\n\n{}. Load average before: {}. Medians of {runs} runs, loads of {seconds} s:\n\
             `cargo run --release -p tidings-bench -- suite --runs {runs} --seconds {seconds} \
             --concurrency {concurrency} --backlog {backlog} --growth {growth}{only}{database}`",
            self.store(),
            machine::describe(&Clock::system()),
            machine::load_average(),
        )
    }

    fn store(&self) -> &'static str {
        if self.is_postgres() { "PostgreSQL" } else { "Embedded store" }
    }

    fn is_postgres(&self) -> bool {
        self.database_url.is_some()
    }

    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// A fresh server, and a receiver with `ports` ports.
    async fn world(&self, ports: usize) -> Result<World, String> {
        World::start(self.database_url.as_deref(), ports).await
    }
}

impl Row {
    fn name(self) -> String {
        self.to_possible_value().expect("no row is hidden").get_name().to_owned()
    }
}
