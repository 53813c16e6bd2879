//! `clock`: the machine's wall clock jumps under load, while a receiver fails now and then.

use std::time::Duration;

use crate::report::{Report, Tier};
use crate::world::{Plan, World};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Where the clock stands, one after another, from the right time, and whether the process restarts then.
const JUMPS: &[(&str, i64, bool)] = &[
    ("an hour ahead", HOUR_MS, false),
    ("an hour behind", -HOUR_MS, false),
    ("40 days ahead", 40 * DAY_MS, false),
    ("a day behind, and a restart", -DAY_MS, true),
    ("right", 0, false),
];
/// What was signed before a jump arrives within this time.
const GRACE: Duration = Duration::from_secs(1);
/// Signed times may be this far from the server's clock, s.
const SKEW_MAX: i64 = 5;

/// Nothing is lost or repeated; signatures follow the clock.
///
/// # Errors
/// Says what stood in the way.
pub(crate) async fn run(tier: Tier, seed: u64) -> Result<Report, String> {
    let stay = Duration::from_secs(tier.of(1, 2, 60));
    let plan = Plan { tenants: 2, hooks: 6, shim: true, ..Plan::of(tier, seed) };
    let mut world = World::start(&plan).await?;
    world.receiver.refuse_one_in(20);
    let publishing = world.publisher.steadily(0, 100);
    let mut astray = Vec::new();
    for (name, offset, restarts) in JUMPS {
        tokio::time::sleep(stay).await;
        // Its breakers are open while the clock jumps.
        world.receiver.down().await;
        tokio::time::sleep(GRACE).await;
        world.shim()?.set_clock_offset_ms(*offset)?;
        if *restarts {
            world.server.kill()?;
            world.server.start().await?;
        }
        world.receiver.up().await?;
        tokio::time::sleep(GRACE).await;
        world.receiver.take_skew();
        tokio::time::sleep(stay).await;
        let wanted = offset / 1000;
        match world.receiver.take_skew() {
            Some((low, high)) if low < wanted - SKEW_MAX || high > wanted + SKEW_MAX => {
                astray.push(format!("{name}: signed {low} to {high} s from the right time"));
            }
            Some(_) => {}
            None => astray.push(format!("{name}: nothing was delivered for {stay:?}")),
        }
    }
    publishing.stop().await?;
    let tally = world.settled_tally().await;
    let mut report = Report::of(tally, world.in_flight_max() * JUMPS.len());
    let names: Vec<_> = JUMPS.iter().map(|(name, ..)| *name).collect();
    report.note(format!("the clock was {}", names.join(", then ")));
    report.broken.extend(astray);
    Ok(world.leave(report))
}
