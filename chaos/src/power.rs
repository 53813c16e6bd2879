//! `power`: the power fails under load. What was written but not synced is gone; `kill -9` alone would not
//! show that, for the system keeps what a dead process wrote.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::report::{Report, Tier, spread};
use crate::shim;
use crate::world::{Plan, World};

/// How long the server lives between ready and the power cut, ms.
const LIFE_MS: std::ops::RangeInclusive<u64> = 200..=1500;
/// How long syncs fail before one cut in three.
const SYNCS_FAIL: Duration = Duration::from_millis(500);

/// Nothing accepted is lost, whatever was not synced.
///
/// # Errors
/// Says what stood in the way.
pub(crate) async fn run(tier: Tier, seed: u64, planted: &'static str) -> Result<Report, String> {
    let (cuts, rate) = (tier.of(6, 9, 100), tier.of(200, 200, 300));
    let plan = Plan { tenants: 2, hooks: 6, shim: true, planted, ..Plan::of(tier, seed) };
    let mut world = World::start(&plan).await?;
    world.receiver.refuse_one_in(50);
    let publishing = world.publisher.steadily(0, rate);
    let mut random = StdRng::seed_from_u64(seed);
    let mut restarts = Vec::new();
    for cut in 0..cuts {
        tokio::time::sleep(Duration::from_millis(random.random_range(LIFE_MS))).await;
        if cut % 3 == 2 {
            world.shim()?.fail_syncs(shim::IO_ERROR)?;
            tokio::time::sleep(SYNCS_FAIL).await;
        }
        world.server.kill()?;
        world.shim()?.cut_power()?;
        world.shim()?.fail_syncs(0)?;
        match world.server.start().await {
            Ok(took) => restarts.push(took),
            Err(why) => return Ok(world.leave(Report { broken: vec![why], ..Report::default() })),
        }
    }
    let refused = publishing.stop().await.err();

    let tally = world.settled_tally().await;
    let mut report = Report::of(tally, world.in_flight_max() * cuts);
    report.note(format!("{cuts} power cuts, every third while syncs failed"));
    report.note(format!("ready after a restart: {}", spread(restarts)));
    // A tenant that is gone is a promise broken, too.
    report.broken.extend(refused);
    Ok(world.leave(report))
}
