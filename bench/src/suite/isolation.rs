//! Whether a receiver that hangs is felt by others.

use std::time::Duration;

use super::Suite;
use crate::figure::{Figure, Run};
use crate::world::{Measured, Publishers, TYPE, World};

const HEALTHY: u64 = 9;
const RATE: f64 = 200.0;
/// Longer than an attempt may take, so that hanging ones end and are tried again meanwhile.
const LEAST: Duration = Duration::from_secs(20);

/// 200 changes a second to 9 healthy hooks; then the same beside a tenth whose receiver never answers.
pub(super) async fn measure(suite: &Suite) -> Result<Run, String> {
    let ports = usize::try_from(HEALTHY).unwrap_or_default() + 1;
    let world = suite.world(ports).await?;
    for hook in 1..ports {
        world.hook(&world.receiver.url(hook, "/healthy"), TYPE, 0).await?;
    }
    let without = load(suite, &world).await?;
    world.hook(&world.receiver.url(0, "/hang"), TYPE, 0).await?;
    let with = load(suite, &world).await?;
    let p99 = |measured: &Measured| measured.latencies.percentile_ms(99.0);
    let ratio = p99(&with) / p99(&without);
    let figures = vec![
        Figure::new("p99 with one that hangs, to that without", "x", ratio).at_most(1.5),
        Figure::new("healthy hooks alone, p99", "ms", p99(&without)),
        Figure::new("healthy hooks beside one that hangs, p99", "ms", p99(&with)),
        Figure::new("the same, p99.9", "ms", with.latencies.percentile_ms(99.9)),
    ];
    Ok(without.run(figures).and(with.run(Vec::new())))
}

async fn load(suite: &Suite, world: &World) -> Result<Measured, String> {
    let publishers = Publishers { connections: 32, rate: Some(RATE), ahead: None };
    let requests = vec![world.change(TYPE, None)];
    world.measure(requests.clone(), publishers, HEALTHY, Duration::from_secs(2)).await?;
    world.measure(requests, publishers, HEALTHY, suite.time().max(LEAST)).await
}
