//! What a server holds in memory, and how fast it is back with a long backlog.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Suite;
use crate::figure::{Figure, Run};
use crate::moment::now_us;
use crate::process::resident_mib;
use crate::template;
use crate::world::{BODY_BYTES, CHANGES, TYPE, World};

/// After this time a server that starts has done what it does at the start.
const REST: Duration = Duration::from_secs(5);
/// Changes in one request of the backlog: it stays below the longest body.
const BATCH: u64 = 400;
/// Nobody listens there.
const DEAD: &str = "http://127.0.0.1:1/dead";
const OTHER_TYPE: &str = "bench.other";
const FIRST_DELIVERY_WAIT: Duration = Duration::from_secs(60);

/// A fresh server without work.
pub(super) async fn idle(suite: &Suite) -> Result<Run, String> {
    let world = suite.world(1).await?;
    tokio::time::sleep(REST).await;
    let figure = Figure::new("resident memory", "MiB", resident_mib(world.server.id()?)?);
    Ok(calm(vec![figure.at_most(40.0)]))
}

/// Changes pile up on a hook whose receiver is down; the server is killed and started again.
pub(super) async fn backlog(suite: &Suite) -> Result<Run, String> {
    let mut world = suite.world(1).await?;
    world.hook(DEAD, TYPE, 0).await?;
    world.hook(&world.receiver.url(0, "/other"), OTHER_TYPE, 0).await?;
    let begun = Instant::now();
    let change = template::change(TYPE, BODY_BYTES);
    let changes = vec![change; usize::try_from(BATCH).unwrap_or_default()];
    let body = format!("{{\"changes\":[{}]}}", changes.join(","));
    let batch = world.post(&format!("{CHANGES}/batch"), None, &body);
    world.send(vec![batch], 4, suite.backlog.div_ceil(BATCH)).await?;
    let seconds = begun.elapsed().as_secs_f64();
    tokio::time::sleep(REST).await;
    let before = resident_mib(world.server.id()?)?;
    let (accepting, delivering) = restart(&mut world).await?;
    tokio::time::sleep(REST).await;
    let after = resident_mib(world.server.id()?)?;
    let published = f64::from(u32::try_from(suite.backlog).unwrap_or(u32::MAX));
    Ok(calm(vec![
        Figure::new("resident memory with the backlog", "MiB", before).at_most(150.0),
        Figure::new("the same after a restart", "MiB", after).at_most(150.0),
        Figure::new("kill -9, start, until it accepts", "s", accepting).at_most(1.0),
        Figure::new("and until it delivers to another hook", "s", delivering).at_most(1.0),
        Figure::new(format!("changes published in batches of {BATCH}"), "1/s", published / seconds),
    ]))
}

/// Seconds from the start of the process until a change was accepted, and until it was delivered.
async fn restart(world: &mut World) -> Result<(f64, f64), String> {
    world.server.kill();
    world.receiver.tally.reset();
    let begun_us = now_us();
    world.server.run().await?;
    world.api.post(CHANGES, &json!({"type": OTHER_TYPE, "data": {}})).await?;
    let accepted_us = now_us();
    let begun = Instant::now();
    while world.receiver.tally.received() == 0 {
        if begun.elapsed() > FIRST_DELIVERY_WAIT {
            return Err(format!("nothing was delivered within {FIRST_DELIVERY_WAIT:?}"));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let since = |us: u64| Duration::from_micros(us - begun_us).as_secs_f64();
    Ok((since(accepted_us), since(world.receiver.tally.last_us())))
}

/// Memory does not depend on what others do meanwhile.
fn calm(figures: Vec<Figure>) -> Run {
    Run { figures, foreign_cores: 0.0, trouble: String::new() }
}
