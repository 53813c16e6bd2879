//! The drills, one by one and all together.

use std::time::{Duration, Instant};

use clap::Subcommand;

use crate::report::{Report, Tier};
use crate::{backlog, behaviours, clock, database, disk, kill, points, power, slow};

/// Something that happens to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum Drill {
    /// The process is killed again and again under load.
    Kill,
    /// The process dies at each of its named fail points (needs a server with debug assertions).
    Points,
    /// The power fails: what was not synced is gone.
    Power,
    /// The disk is full, and then it is not.
    Disk,
    /// The wall clock jumps.
    Clock,
    /// Hundreds of receivers never answer; another tenant must not notice.
    Slow,
    /// Each receiver of the corpus of hostile receivers.
    Behaviours,
    /// A large backlog at a dead receiver, a restart, and the way back.
    Backlog,
    /// PostgreSQL dies, or the way to it does (needs `initdb` and `postgres`).
    Database,
}

impl Drill {
    const ALL: [Self; 9] = [
        Self::Kill,
        Self::Points,
        Self::Power,
        Self::Disk,
        Self::Clock,
        Self::Slow,
        Self::Behaviours,
        Self::Backlog,
        Self::Database,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Points => "points",
            Self::Power => "power",
            Self::Disk => "disk",
            Self::Clock => "clock",
            Self::Slow => "slow",
            Self::Behaviours => "behaviours",
            Self::Backlog => "backlog",
            Self::Database => "database",
        }
    }

    /// Runs it against a server with these bugs planted.
    ///
    /// # Errors
    /// Says what stood in the way.
    pub(crate) async fn run(
        self,
        tier: Tier,
        seed: u64,
        planted: &'static str,
    ) -> Result<Report, String> {
        match self {
            Self::Kill => kill::run(tier, seed, planted).await,
            Self::Points => points::run(tier, seed).await,
            Self::Power => power::run(tier, seed, planted).await,
            Self::Disk => disk::run(tier, seed).await,
            Self::Clock => clock::run(tier, seed).await,
            Self::Slow => slow::run(tier, seed).await,
            Self::Behaviours => behaviours::run(tier, seed, planted).await,
            Self::Backlog => backlog::run(tier, seed, planted).await,
            Self::Database => database::run(tier, seed).await,
        }
    }

    /// Runs it, prints its figures, answers its row of the table and whether every promise was kept.
    pub(crate) async fn report(self, tier: Tier, seed: u64) -> (String, bool) {
        let (name, begun) = (self.name(), Instant::now());
        let outcome = self.run(tier, seed, "").await;
        let took = begun.elapsed();
        let kept = outcome.as_ref().is_ok_and(|report| report.broken.is_empty());
        let row = match &outcome {
            Ok(report) => {
                report.print(name, took);
                row(name, report, took, kept)
            }
            Err(why) => {
                println!("{name}: FAILED: {why}");
                format!("| {name} | | | | | | | {:.0} s | FAILED |", took.as_secs_f64())
            }
        };
        (row, kept)
    }
}

fn row(name: &str, report: &Report, took: Duration, kept: bool) -> String {
    let tally = &report.tally;
    let verdict = if kept { "kept" } else { "BROKEN" };
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {:.0} s | {verdict} |",
        tally.accepted,
        tally.arrived,
        tally.lost,
        tally.phantom,
        tally.corrupt,
        tally.duplicates(),
        took.as_secs_f64()
    )
}

/// Runs all drills and prints one table; answers whether every promise was kept.
pub(crate) async fn battery(tier: Tier, seed: u64) -> bool {
    let (mut rows, mut kept) = (Vec::new(), true);
    for drill in Drill::ALL {
        let (row, good) = drill.report(tier, seed).await;
        rows.push(row);
        kept &= good;
    }
    println!(
        "\n| drill | accepted | arrived | lost | phantom | corrupt | duplicates | time | promises |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    println!("{}", rows.join("\n"));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_drill_that_the_guarantees_name_exists_and_every_drill_proves_one() {
        let document = include_str!("../../docs/guarantees.md");
        let named = document.split("tidings-chaos -- ").skip(1);
        let named: Vec<_> = named.filter_map(|rest| rest.split([' ', '`', '\n']).next()).collect();
        for name in &named {
            let known = Drill::ALL.iter().any(|drill| drill.name() == *name);
            assert!(known || ["battery", "controls"].contains(name), "there is no drill {name}");
        }
        for drill in Drill::ALL {
            assert!(named.contains(&drill.name()), "{} proves nothing", drill.name());
        }
    }
}
