//! `kill`: the server dies at random moments under load.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::report::{Report, Tier, spread};
use crate::world::{Plan, World};

/// How long the server lives between ready and killed, ms.
const LIFE_MS: std::ops::RangeInclusive<u64> = 50..=1500;

/// Nothing accepted is lost, and no more is repeated than was in flight at each kill.
///
/// # Errors
/// Says what stood in the way.
pub(crate) async fn run(tier: Tier, seed: u64, planted: &'static str) -> Result<Report, String> {
    let (kills, rate) = (tier.of(8, 60, 1_000), tier.of(200, 200, 500));
    let plan = Plan { tenants: 3, hooks: 20, planted, ..Plan::of(tier, seed) };
    let mut world = World::start(&plan).await?;
    // Some deliveries fail once, so that parked ones are hit as well.
    world.receiver.refuse_one_in(50);
    let publishing = world.publisher.steadily(0, rate);
    let mut random = StdRng::seed_from_u64(seed);
    let (mut restarts, mut arrived) = (Vec::new(), Vec::new());
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(random.random_range(LIFE_MS))).await;
        arrived.push(world.receiver.count());
        world.server.kill()?;
        restarts.push(world.server.start().await?);
    }
    let refused = publishing.stop().await.err();

    let tally = world.settled_tally().await;
    let in_flight_max = world.in_flight_max();
    let repeated = repeated_after_each(&arrived, &tally.repeated);
    let most = repeated.iter().copied().max().unwrap_or(0);
    let mean = tally.duplicates() as f64 / kills as f64;
    let mut report = Report::of(tally, in_flight_max * kills);
    report.note(format!("{kills} kills; repeated after each: mean {mean:.1}, most {most}"));
    report.promise(
        most <= in_flight_max,
        format!("{most} duplicates after one kill, at most {in_flight_max} were in flight"),
    );
    report.note(format!("ready after a restart: {}", spread(restarts)));
    // A tenant that is gone is a promise broken, too.
    report.broken.extend(refused);
    Ok(world.leave(report))
}

/// How many arrivals repeated an earlier one between each kill and the next. `arrived` are the arrivals
/// before each kill, `repeated` the places of repetitions.
fn repeated_after_each(arrived: &[usize], repeated: &[usize]) -> Vec<usize> {
    let ends = arrived.iter().copied().skip(1).chain([usize::MAX]);
    let spans = arrived.iter().copied().zip(ends);
    spans
        .map(|(start, end)| repeated.iter().filter(|at| (start..end).contains(*at)).count())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_counted_for_the_kill_before_them() {
        assert_eq!(repeated_after_each(&[10, 20, 30], &[10, 19, 20, 31, 99]), [2, 1, 2]);
        assert_eq!(repeated_after_each(&[], &[]), Vec::<usize>::new());
    }
}
