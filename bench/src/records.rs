//! The command `records`: many transactions of one credential, loaded in bulk while others publish, told by one
//! webhook and read back page by page.

mod credential;
mod pages;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::RangedU64ValueParser;
use serde_json::json;
use tidings_core::clock::Clock;

use crate::commands::positive;
use crate::figure::{self, Figure, Run};
use crate::latency::Latencies;
use crate::load::{Load, Until};
use crate::process::{Meter, Spent, resident_mib};
use crate::receiver::Receiver;
use crate::world::{World, joined};
use crate::{machine, report};

/// Publishers beside the load.
const CONNECTIONS: usize = 8;
/// They are asked again and again for so long.
const PIECE: Duration = Duration::from_secs(1);
/// How long they publish alone, for comparison.
const ALONE: Duration = Duration::from_secs(5);
const MEMORY_LOOK: Duration = Duration::from_millis(100);

/// Loads transactions in bulk into a `tidings serve` that it starts itself, and reads them back.
#[derive(Args, Clone, Debug)]
pub(crate) struct Records {
    /// Transactions of the one credential
    #[arg(long, default_value_t = 1_000_000, value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    count: u64,
    /// Transactions on a page of the native read; Sync's pages have 5,000
    #[arg(long, default_value_t = 5_000, value_parser = RangedU64ValueParser::<u64>::new().range(1..=5_000))]
    page: u64,
    /// Changes that others publish meanwhile, per second
    #[arg(long, default_value_t = 200.0, value_parser = positive)]
    rate: f64,
    /// A PostgreSQL server, as for `suite` [default: the embedded store]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Also put the results into this file, in place of those of the same store
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// What a bulk load came to.
struct Loaded {
    seconds: f64,
    /// When its last byte was sent.
    uploaded_us: u64,
    /// Of the changes published meanwhile.
    publishes: Latencies,
    most_mib: f64,
    cpu_us: f64,
    trouble: String,
}

impl Records {
    /// Measures and prints.
    ///
    /// # Errors
    /// It could not be measured. That a figure is missed is a result.
    pub(crate) async fn run(&self) -> Result<(), String> {
        let mut lines = vec![self.title(), String::new(), figure::HEAD.to_owned()];
        println!("{}", lines.join("\n"));
        let run = self.measure().await?;
        for line in figure::lines("records", &[run]) {
            println!("{line}");
            lines.push(line);
        }
        match &self.markdown {
            Some(file) => report::write(file, self.store(), &lines.join("\n")),
            None => Ok(()),
        }
    }

    async fn measure(&self) -> Result<Run, String> {
        let world = World::start(self.database_url.as_deref(), 1).await?;
        let told = Receiver::local(1)?;
        let account = credential::make(&world, &told).await?;
        let meter = Meter {
            server: Some(world.server.id()?),
            database: self.database_url.is_some(),
            receiver: None,
        };
        let (before, begun) = (meter.read()?, Instant::now());
        let fresh_mib = resident_mib(world.server.id()?)?;
        let alone = self.publish(&world, ALONE).await?;
        let first = self.load(&world, &meter, &account, 0).await?;
        told.drain(1).await;
        let webhook_ms = millis(told.tally.last_us().saturating_sub(first.uploaded_us));
        let followed = pages::follow(&world, &told.tally.kept(), self.count).await?;
        let native = pages::native(&world, &account, self.count, self.page).await?;
        let again = self.load(&world, &meter, &account, 0).await?;
        // A tenth of them has other content.
        let tenth = self.load(&world, &meter, &account, 10).await?;
        told.drain(2).await;
        let spent = meter.read()?.since(before);
        let mut trouble = [&first, &again, &tenth].map(|loaded| loaded.trouble.clone()).concat();
        if told.tally.received() != 2 {
            trouble += &format!(" {} of 2 webhooks arrived", told.tally.received());
        }
        let mut figures = self.loading("first load", &first);
        figures.push(Figure::new("end of the upload until `refresh` arrived", "ms", webhook_ms));
        figures.extend(self.reading("`/v1/transactions` as listed", &followed));
        figures.extend(self.reading("native pages", &native));
        figures.extend(self.loading("the same again", &again));
        figures.extend(self.loading("a tenth changed", &tenth));
        figures.push(Figure::new("publish alone, p99", "ms", alone.percentile_ms(99.0)));
        figures.push(Figure::new("resident memory before", "MiB", fresh_mib));
        let foreign_cores = whole(spent.foreign()) / 1e6 / begun.elapsed().as_secs_f64();
        Ok(Run { figures, foreign_cores, trouble })
    }

    fn loading(&self, what: &str, loaded: &Loaded) -> Vec<Figure> {
        let count = whole(self.count);
        let publish = |percent| loaded.publishes.percentile_ms(percent);
        vec![
            Figure::new(format!("{what}: {} transactions", self.count), "s", loaded.seconds),
            Figure::new(format!("{what}: records"), "1/s", count / loaded.seconds),
            Figure::new(format!("{what}: CPU a record"), "us", loaded.cpu_us / count),
            Figure::new(format!("{what}: publish meanwhile, p50"), "ms", publish(50.0)),
            Figure::new(format!("{what}: publish meanwhile, p99"), "ms", publish(99.0))
                .at_most(50.0),
            Figure::new(format!("{what}: publish meanwhile, slowest"), "ms", publish(100.0)),
            Figure::new(format!("{what}: most resident memory"), "MiB", loaded.most_mib),
        ]
    }

    fn reading(&self, what: &str, read: &pages::Pages) -> Vec<Figure> {
        vec![
            Figure::new(format!("{what}: pages"), "", whole(read.pages)),
            Figure::new(format!("{what}: transactions"), "1/s", whole(self.count) / read.seconds),
            Figure::new(format!("{what}: a page, p50"), "ms", read.latencies.percentile_ms(50.0)),
            Figure::new(format!("{what}: a page, slowest"), "ms", read.latencies.max_ms()),
        ]
    }

    /// One bulk load beside publishers; every `changed`th transaction has other content than before.
    async fn load(
        &self,
        world: &World,
        meter: &Meter,
        account: &str,
        changed: u64,
    ) -> Result<Loaded, String> {
        let (before, begun) = (meter.read()?, Instant::now());
        let over = Arc::new(AtomicBool::new(false));
        let loading = async {
            let answer = upload::run(&world.server, account, self.count, changed).await;
            let done = (answer, begun.elapsed().as_secs_f64(), meter.read());
            over.store(true, Ordering::Release);
            done
        };
        let watching = async {
            let mut most_mib = 0.0_f64;
            while !over.load(Ordering::Acquire) {
                most_mib = most_mib.max(resident_mib(world.server.id()?)?);
                tokio::time::sleep(MEMORY_LOOK).await;
            }
            Ok::<f64, String>(most_mib)
        };
        let publishing = async {
            let mut publishes = Latencies::new();
            while !over.load(Ordering::Acquire) {
                publishes.add(&self.publish(world, PIECE).await?);
            }
            Ok::<Latencies, String>(publishes)
        };
        let (done, most_mib, publishes) = tokio::join!(loading, watching, publishing);
        let (answer, seconds, after) = done;
        let Spent { server, database, .. } = after?.since(before);
        let upload::Answered { answer, uploaded_us } = answer?;
        let total = &answer["counts"]["transactions"]["total"];
        let trouble = if *total == json!(self.count) {
            String::new()
        } else {
            format!(" a load ended with {answer}")
        };
        Ok(Loaded {
            seconds,
            uploaded_us,
            publishes: publishes?,
            most_mib: most_mib?,
            cpu_us: whole(server + database),
            trouble,
        })
    }

    async fn publish(&self, world: &World, time: Duration) -> Result<Latencies, String> {
        let load = Load {
            address: world.server.address,
            requests: vec![world.change("bench.change", None)],
            connections: CONNECTIONS,
            rate: Some(self.rate),
            until: Until::Time(time),
            hold: None,
        };
        let outcome = joined(load).await?;
        match outcome.trouble() {
            trouble if trouble.is_empty() => Ok(outcome.latencies),
            trouble => Err(format!("publishing: {trouble}")),
        }
    }

    /// Where and how it was measured.
    fn title(&self) -> String {
        let Self { count, page, rate, .. } = self;
        let database =
            if self.database_url.is_some() { " --database-url postgres://…" } else { "" };
        format!(
            "### {}\n\n{}. Load average before: {}:\n\
             `cargo run --release -p tidings-bench -- records --count {count} --page {page} \
             --rate {rate}{database}`",
            self.store(),
            machine::describe(&Clock::system()),
            machine::load_average(),
        )
    }

    fn store(&self) -> &'static str {
        match self.database_url {
            Some(_) => "Records, PostgreSQL",
            None => "Records, embedded store",
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^53")]
fn whole(count: u64) -> f64 {
    count as f64
}

fn millis(us: u64) -> f64 {
    whole(us) / 1000.0
}
