//! `backlog`: the receiver is down, the server is killed, the receiver comes back.

use std::time::Instant;

use clap::Args;

use crate::publish::Publisher;
use crate::tally::Tally;
use crate::world::{CONCURRENCY, World};

/// What to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Changes published while the receiver is down.
    #[arg(long, default_value_t = 10_000)]
    changes: usize,
    /// Most memory that the server may hold at any time, MiB.
    #[arg(long, default_value_t = 256)]
    memory_mib: u64,
    /// Makes the ids.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs it and prints the figures.
///
/// # Errors
/// Says which promise was broken, or what stood in the way.
pub(crate) async fn run(options: &Options) -> Result<(), String> {
    let Options { changes, memory_mib, seed } = *options;
    println!("backlog: {changes} changes, memory limit {memory_mib} MiB, seed {seed}");
    let mut world = World::start(1, seed).await?;
    world.receiver.down().await;

    let begun = Instant::now();
    let mut publisher = Publisher::new(world.server.client());
    for _ in 0..changes {
        publisher.publish_next().await?;
    }
    let accepted = publisher.finish().await?;
    println!("published   in {:?}", begun.elapsed());
    let memory_before = world.server.peak_memory_mib()?;

    world.server.kill()?;
    println!("restart     {:?}", world.server.start().await?);
    world.receiver.up().await;
    let begun = Instant::now();
    world.quiescence(changes).await;
    println!("caught up   in {:?}", begun.elapsed());

    let tally = Tally::of(&accepted, &world.hooks, &world.receiver.received());
    tally.print(CONCURRENCY);
    let memory = memory_before.max(world.server.peak_memory_mib()?);
    println!("peak memory {memory} MiB (limit {memory_mib} MiB)");
    tally.judge(CONCURRENCY)?;
    if memory > memory_mib {
        return Err(format!("the server held {memory} MiB, at most {memory_mib} MiB"));
    }
    Ok(())
}
