//! `kill`: the server dies at random moments under load.

use std::time::{Duration, Instant};

use clap::Args;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;

use crate::publish::Publisher;
use crate::server::Server;
use crate::tally::{Accepted, Tally};
use crate::world::{CONCURRENCY, World};

/// How long the server lives between ready and killed, ms.
const LIFE_MS: std::ops::RangeInclusive<u64> = 50..=1500;

/// What to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often the server is killed.
    #[arg(long, default_value_t = 60)]
    kills: usize,
    /// Changes published in a second.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// Hooks, each of which takes every change.
    #[arg(long, default_value_t = 10)]
    hooks: usize,
    /// The moments of the kills follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs it and prints the figures.
///
/// # Errors
/// Says which promise was broken, or what stood in the way.
pub(crate) async fn run(options: &Options) -> Result<(), String> {
    let Options { kills, rate, hooks, seed } = *options;
    println!("kill: {kills} kills, {rate} changes/s, {hooks} hooks, seed {seed}");
    let mut world = World::start(hooks, seed).await?;
    let (stop, stopped) = watch::channel(false);
    let publishing =
        tokio::spawn(publish_steadily(Publisher::new(world.server.client()), rate, stopped));
    let mut restarts = kill_repeatedly(&mut world.server, kills, seed).await?;
    stop.send_replace(true);
    let accepted = publishing.await.map_err(|error| error.to_string())??;

    let tally = settled_tally(&world, &accepted).await;
    let in_flight_max = hooks * CONCURRENCY * kills;
    tally.print(in_flight_max);
    restarts.sort_unstable();
    if let (Some(longest), Some(median)) = (restarts.last(), restarts.get(restarts.len() / 2)) {
        println!("restart     median {median:?}, longest {longest:?}");
    }
    tally.judge(in_flight_max)
}

/// Waits until every hook has everything, or nothing more comes.
async fn settled_tally(world: &World, accepted: &Accepted) -> Tally {
    loop {
        let before = world.receiver.count();
        let tally = Tally::of(accepted, &world.hooks, &world.receiver.received());
        // Duplicates count as arrivals too, so this may have to be asked again.
        world.quiescence(before + tally.lost).await;
        if world.receiver.count() == before {
            return tally;
        }
    }
}

async fn publish_steadily(
    mut publisher: Publisher,
    rate: u64,
    stopped: watch::Receiver<bool>,
) -> Result<Accepted, String> {
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_nanos(1_000_000_000 / rate));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    while !*stopped.borrow() {
        ticks.tick().await;
        publisher.publish_next().await?;
    }
    let accepted = publisher.finish().await?;
    let seconds = begun.elapsed().as_secs_f64();
    println!("publishing  {seconds:.1} s, {:.0} changes/s", accepted.len() as f64 / seconds);
    Ok(accepted)
}

/// Returns how long each restart took.
async fn kill_repeatedly(
    server: &mut Server,
    kills: usize,
    seed: u64,
) -> Result<Vec<Duration>, String> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut restarts = Vec::with_capacity(kills);
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(random.random_range(LIFE_MS))).await;
        server.kill()?;
        restarts.push(server.start().await?);
    }
    Ok(restarts)
}
