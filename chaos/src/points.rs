//! `points`: the process dies at each of its named fail points, at random passes.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tidings_core::fault::POINTS;
use tidings_testkit::postgres::PostgresServer;

use crate::publish::until;
use crate::report::{Report, Tier};
use crate::world::{Plan, World};

const SWITCH: &str = "CHAOS_FAIL_POINT";
/// A point that is not passed within this time is not passed at all.
const HIT_DEADLINE: Duration = Duration::from_secs(60);
/// Before a rare point the receiver is away for this long, so that hooks fall behind.
const BEHIND: Duration = Duration::from_secs(1);
/// Passes until the process dies, at most, at points that are passed all the time.
const PASSES_MAX: u64 = 40;
/// Points that are passed once a start or once in thousands of rows.
const RARE: &[&str] = &[
    "listener.accepted",
    "writer.checkpoint",
    "writer.checkpointed",
    "engine.loading",
    "engine.loaded",
    "engine.lane_page",
    "engine.app_page",
];

/// Points that only the embedded store passes.
const EMBEDDED: &[&str] = &["writer.checkpoint", "writer.checkpointed"];

/// Nothing accepted is lost wherever the process dies, on either store; every point was really hit.
///
/// # Errors
/// Says what stood in the way; a point that is never passed is such a thing.
pub(crate) async fn run(tier: Tier, seed: u64) -> Result<Report, String> {
    let hits = tier.of(1, 1, 20);
    let plan = Plan { tenants: 2, hooks: 6, ..Plan::of(tier, seed) };
    let mut report = die_everywhere(&plan, POINTS, hits).await?;
    let database = PostgresServer::start();
    let environment = vec![("TIDINGS_DATABASE_URL".to_owned(), database.url("postgres"))];
    let points: Vec<_> = POINTS.iter().filter(|point| !EMBEDDED.contains(point)).copied().collect();
    report.also("PostgreSQL", die_everywhere(&Plan { environment, ..plan }, &points, hits).await?);
    Ok(report)
}

async fn die_everywhere(
    plan: &Plan,
    points: &[&'static str],
    hits: usize,
) -> Result<Report, String> {
    let mut world = World::start(plan).await?;
    world.receiver.refuse_one_in(10);
    let publishing = world.publisher.steadily(0, 100);
    let mut random = StdRng::seed_from_u64(plan.seed);
    for point in points {
        for _ in 0..hits {
            let most = if RARE.contains(point) { 1 } else { PASSES_MAX };
            die_at(&mut world, point, random.random_range(1..=most)).await?;
        }
    }
    world.server.unset(SWITCH);
    world.server.end();
    world.server.start().await?;
    publishing.stop().await?;

    let deaths = points.len() * hits + 1;
    let tally = world.settled_tally().await;
    let mut report = Report::of(tally, world.in_flight_max() * deaths);
    report.note(format!("{} points, times hit: {hits}", points.len()));
    Ok(world.leave(report))
}

/// Restarts the server so that it dies at the point, and waits until it did.
async fn die_at(world: &mut World, point: &str, pass: u64) -> Result<(), String> {
    let said = format!("fail point {point}");
    let before = world.server.log().matches(&said).count();
    world.server.end();
    if RARE.contains(&point) {
        // Hooks that fell behind read pages when the server is back.
        world.receiver.down().await;
        world.server.unset(SWITCH);
        world.server.start().await?;
        tokio::time::sleep(BEHIND).await;
        world.server.end();
        world.receiver.up().await?;
    }
    world.server.set(SWITCH, &format!("{point}:{pass}"));
    world.server.spawn()?;
    let what = format!("the process passes {point} {pass} times");
    until(&what, HIT_DEADLINE, async || world.server.exited().is_some()).await?;
    let hit = world.server.log().matches(&said).count() == before + 1;
    if hit { Ok(()) } else { Err(format!("the server ended, but not at {point}")) }
}
