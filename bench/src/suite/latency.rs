//! From publish to receipt at a fixed rate.

use std::time::Duration;

use super::Suite;
use crate::figure::{Figure, Run};
use crate::world::{Publishers, TYPE, World};

const WARM_UP: Duration = Duration::from_secs(2);
/// Changes per second: calm, and busy.
const RATES: [u32; 2] = [100, 5_000];

/// One hook, 32 connections, an open loop: every latency counts from the moment at which the change
/// should have been published.
pub(super) async fn measure(suite: &Suite) -> Result<Run, String> {
    let world = suite.world(1).await?;
    world.hook(&world.receiver.url(0, "/hook"), TYPE, suite.concurrency).await?;
    let calm = at(suite, &world, RATES[0]).await?;
    Ok(calm.and(at(suite, &world, RATES[1]).await?))
}

async fn at(suite: &Suite, world: &World, rate: u32) -> Result<Run, String> {
    let publishers = Publishers { connections: 32, rate: Some(rate.into()), ahead: None };
    let requests = vec![world.change(TYPE, None)];
    world.measure(requests.clone(), publishers, 1, WARM_UP).await?;
    let measured = world.measure(requests, publishers, 1, suite.time()).await?;
    let percentile = |percent| {
        let name = format!("publish to receipt at {rate}/s, p{percent}");
        Figure::new(name, "ms", measured.latencies.percentile_ms(percent))
    };
    let (p50, p99) = (percentile(50.0), percentile(99.0));
    let (p50, p99) =
        if suite.is_postgres() { (p50, p99) } else { (p50.at_most(1.0), p99.at_most(3.0)) };
    let name = format!("CPU of server and store per delivery at {rate}/s");
    let cpu = Figure::new(name, "us", measured.us_per_delivery());
    Ok(measured.run(vec![p50, p99, percentile(99.9), cpu]))
}
