//! How much goes through: publish to one hook, fan-out to a hundred, accept only.

use std::time::Duration;

use super::Suite;
use crate::bare;
use crate::figure::{Figure, Run};
use crate::world::{Measured, Publishers, TYPE, World};

const WARM_UP: Duration = Duration::from_secs(2);
const FAN_OUT: u64 = 100;
/// Changes whose deliveries may be on their way: enough for a server that is never out of work, few
/// enough for the rate of publishing to be that of delivering.
const FAN_OUT_AHEAD: u64 = 100;

/// Publish over HTTP, one change a request, to one hook, end to end.
pub(super) async fn publish(suite: &Suite) -> Result<Run, String> {
    let connections = if suite.is_postgres() { 128 } else { 32 };
    let publishers = Publishers { connections, rate: None, ahead: None };
    let world = suite.world(1).await?;
    world.hook(&world.receiver.url(0, "/hook"), TYPE, suite.concurrency).await?;
    let measured = saturate(suite, &world, publishers, 1).await?;
    let wanted = if suite.is_postgres() { 12_000.0 } else { 20_000.0 };
    let rate = Figure::new("deliveries, end to end", "1/s", measured.delivered_per_second());
    let cpu = Figure::new("CPU of server and store per delivery", "us", measured.us_per_delivery());
    let cpu = if suite.is_postgres() { cpu } else { cpu.at_most(75.0) };
    let answer = measured.outcome.latencies.percentile_ms(99.0);
    let figures = vec![
        rate.at_least(wanted),
        cpu,
        Figure::new("changes accepted", "1/s", measured.accepted_per_second()),
        Figure::new("answer to the publisher, p99", "ms", answer),
        Figure::new("CPU of generator and receiver per change", "us", measured.own_us_per_change()),
    ];
    Ok(measured.run(figures))
}

/// One change to 100 hooks of one receiver, and right after it the bare loop to the same receiver.
pub(super) async fn fan_out(suite: &Suite) -> Result<Run, String> {
    let publishers = Publishers { connections: 32, rate: None, ahead: Some(FAN_OUT_AHEAD) };
    let world = suite.world(1).await?;
    for hook in 0..FAN_OUT {
        world.hook(&world.receiver.url(0, &format!("/hook/{hook}")), TYPE, 0).await?;
    }
    let measured = saturate(suite, &world, publishers, FAN_OUT).await?;
    let World { server, receiver, .. } = world;
    drop(server);
    let bare = bare::run(&receiver, suite.time().div_f64(2.0)).await?;
    let percent = measured.delivered_per_second() / bare.per_second() * 100.0;
    let rate = Figure::new("deliveries", "1/s", measured.delivered_per_second());
    let share = Figure::new("share of the bare loop", "%", percent);
    let cpu = Figure::new("CPU of server and store per delivery", "us", measured.us_per_delivery());
    let (rate, share, cpu) = if suite.is_postgres() {
        (rate, share, cpu)
    } else {
        (rate.at_least(45_000.0), share.at_least(55.0), cpu.at_most(32.0))
    };
    let figures = vec![
        rate,
        share,
        cpu,
        Figure::new("bare loop", "1/s", bare.per_second()),
        Figure::new("bare loop, CPU of the sender", "us", bare.sender_us()),
        Figure::new("bare loop, CPU of the receiver", "us", bare.receiver_us()),
    ];
    let run = measured.run(figures);
    Ok(Run { foreign_cores: run.foreign_cores.max(bare.foreign_cores()), ..run })
}

/// Changes that no hook wants.
pub(super) async fn accept(suite: &Suite) -> Result<Run, String> {
    let publishers = Publishers { connections: 32, rate: None, ahead: None };
    let world = suite.world(1).await?;
    let measured = saturate(suite, &world, publishers, 0).await?;
    let rate = Figure::new("changes accepted", "1/s", measured.accepted_per_second());
    let rate = if suite.is_postgres() { rate } else { rate.at_least(30_000.0) };
    let figures = vec![
        rate,
        Figure::new("CPU of server and store per change", "us", measured.us_per_change()),
        Figure::new(
            "answer to the publisher, p99",
            "ms",
            measured.outcome.latencies.percentile_ms(99.0),
        ),
        Figure::new("CPU of the generator per change", "us", measured.own_us_per_change()),
    ];
    Ok(measured.run(figures))
}

async fn saturate(
    suite: &Suite,
    world: &World,
    publishers: Publishers,
    fan_out: u64,
) -> Result<Measured, String> {
    let requests = vec![world.change(TYPE, None)];
    world.measure(requests.clone(), publishers, fan_out, WARM_UP).await?;
    world.measure(requests, publishers, fan_out, suite.time()).await
}
