//! `backlog`: a receiver is dead for a long time, the server is killed, the receiver comes back. Another
//! receiver must not notice.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::publish::until;
use crate::report::{Report, Tier};
use crate::world::{CONCURRENCY, Plan, World};

/// Changes in one request.
const BATCH: u64 = 100;
/// Most memory that the server may hold at any time, MiB.
const MEMORY_MIB_MAX: u64 = 150;
/// Deliveries that may be parked at a dead receiver: probes and what was in flight when it died.
const PARKED_MAX: usize = 2 * CONCURRENCY;
/// A healthy receiver gets its changes within this time, whatever the load of the machine.
const HEALTHY_DEADLINE: Duration = Duration::from_secs(900);

/// A backlog costs neither memory nor rows, slows nothing, and arrives in the end.
///
/// # Errors
/// Says what stood in the way.
pub(crate) async fn run(tier: Tier, seed: u64, planted: &'static str) -> Result<Report, String> {
    let changes = tier.of(2_000, 100_000, 1_000_000);
    let plan = Plan { planted, ..Plan::of(tier, seed) };
    let mut world = World::start(&plan).await?;
    let mut dead = world.receiver.beside().await?;
    let dead_hook = world.add_hook(0, &dead.url(""), &json!({})).await?;
    dead.down().await;

    let mut quarters = Vec::new();
    for quarter in 0..4 {
        let begun = Instant::now();
        world.publisher.all(quarter * (changes / 4), changes / 4, BATCH).await?;
        quarters.push((changes / 4) as f64 / begun.elapsed().as_secs_f64());
    }
    let accepted = world.accepted();
    let healthy = async || world.receiver.count() >= accepted;
    until("the healthy receiver has everything", HEALTHY_DEADLINE, healthy).await?;
    let mut memory = world.server.peak_memory_mib()?;
    let parked = parked(&world, dead_hook["hook"]["id"].as_str().unwrap_or_default()).await?;

    world.server.kill()?;
    let ready = world.server.start().await?;
    let begun = Instant::now();
    world.publisher.all(changes, 1, 1).await?;
    let healthy = async || world.receiver.count() > accepted;
    until("the healthy receiver goes on", HEALTHY_DEADLINE, healthy).await?;
    let first = begun.elapsed();

    dead.up().await?;
    let begun = Instant::now();
    let tally = world.settled_tally().await;
    let drained = begun.elapsed();
    memory = memory.max(world.server.peak_memory_mib()?);
    let mut report = Report::of(tally, world.in_flight_max());
    let rates: Vec<_> = quarters.iter().map(|rate| format!("{rate:.0}")).collect();
    report.note(format!("published, quarter by quarter: {} changes/s", rates.join(", ")));
    report.note(format!("peak memory {memory} MiB (at most {MEMORY_MIB_MAX}); parked {parked}"));
    report.note(format!(
        "ready {ready:.0?} after the kill; next delivery elsewhere {first:.0?} later; drained in {drained:.0?}"
    ));
    report.promise(memory <= MEMORY_MIB_MAX, format!("the server held {memory} MiB"));
    report.promise(parked <= PARKED_MAX, format!("{parked} rows for pending deliveries"));
    Ok(world.leave(report))
}

async fn parked(world: &World, hook: &str) -> Result<usize, String> {
    let path = format!("/api/v1/deliveries?hook={hook}&status=parked&limit=1000");
    match world.clients[0].get(&path).await? {
        (200, page) => Ok(page["data"].as_array().map_or(0, Vec::len)),
        (status, answer) => Err(format!("deliveries cannot be listed: {status} {answer}")),
    }
}
