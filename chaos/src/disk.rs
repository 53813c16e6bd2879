//! `disk`: the disk fills up under load, and is freed again.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::publish::{Statuses, until};
use crate::report::{Report, Tier};
use crate::shim;
use crate::world::{Plan, World};

/// After the disk is full, requests that were under way may still be answered for this long.
const GRACE: Duration = Duration::from_millis(500);
/// The server must notice both within this time, without hands.
const NOTICE_DEADLINE: Duration = Duration::from_secs(30);

/// No 2xx while writes fail, a clear refusal instead, and everything goes on when there is room.
///
/// # Errors
/// Says what stood in the way.
pub(crate) async fn run(tier: Tier, seed: u64) -> Result<Report, String> {
    let (rounds, full) = (tier.of(1, 2, 10), Duration::from_secs(tier.of(1, 3, 30)));
    let plan = Plan { tenants: 2, hooks: 6, shim: true, ..Plan::of(tier, seed) };
    let world = World::start(&plan).await?;
    world.receiver.refuse_one_in(50);
    let publishing = world.publisher.steadily(0, 300);
    let (mut refusals, mut kept_on, mut back) = (Statuses::new(), 0, Duration::ZERO);
    for _ in 0..rounds {
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.shim()?.fail_writes(shim::NO_SPACE)?;
        tokio::time::sleep(GRACE).await;
        world.publisher.take_statuses();
        tokio::time::sleep(full).await;
        let statuses = world.publisher.take_statuses();
        kept_on += statuses.range(200..300).map(|(_, count)| count).sum::<usize>();
        for (status, count) in statuses {
            *refusals.entry(status).or_default() += count;
        }
        world.shim()?.fail_writes(0)?;
        back = back.max(accepting_again(&world).await?);
    }
    publishing.stop().await?;
    let tally = world.settled_tally().await;
    // The process lived on, so nothing had to be repeated.
    let mut report = Report::of(tally, 0);
    report.note(format!("answers while writes failed: {refusals:?}"));
    report.note(format!("accepting again after at most {back:.0?}"));
    report.promise(kept_on == 0, format!("{kept_on} changes were accepted while writes failed"));
    judge_refusals(&mut report, &refusals);
    let mut report = world.leave(report);
    match small_file_system(tier, seed).await? {
        None => report.note("no real full file system: that needs root (unshare -m)"),
        Some(real) => {
            report.notes.extend(real.notes);
            report.broken.extend(real.broken);
        }
    }
    Ok(report)
}

async fn accepting_again(world: &World) -> Result<Duration, String> {
    let before = world.accepted();
    until("the server accepts again", NOTICE_DEADLINE, async || world.accepted() > before).await
}

fn judge_refusals(report: &mut Report, statuses: &Statuses) {
    let known = |status: &u16| matches!(status, 200..=299 | 429 | 503 | 507);
    let strange: Vec<_> = statuses.keys().filter(|status| !known(status)).collect();
    report.promise(strange.is_empty(), format!("answers other than 2xx, 503, 507: {strange:?}"));
    let refused = statuses.keys().any(|status| matches!(status, 503 | 507));
    report.promise(refused, "nothing was refused, so nothing was proved");
}

/// The same on a real file system that is full, where that can be had.
async fn small_file_system(tier: Tier, seed: u64) -> Result<Option<Report>, String> {
    let may = Command::new("unshare").args(["-m", "true"]).output();
    if !may.is_ok_and(|may| may.status.success()) {
        return Ok(None);
    }
    let script = "mkdir -p data && mount -t tmpfs -o size=32m tmpfs data && exec \"$0\" \"$@\"";
    let wrapper = ["unshare", "-m", "sh", "-c", script].map(str::to_owned).to_vec();
    // All of it may be written.
    let environment = vec![("TIDINGS_DISK_RESERVE".to_owned(), "0".to_owned())];
    let plan = Plan { tenants: 2, hooks: 6, wrapper, environment, ..Plan::of(tier, seed) };
    let world = World::start(&plan).await?;
    let publishing = world.publisher.steadily(0, 100);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ballast = fill(&world)?;
    world.publisher.take_statuses();
    let mut statuses = Statuses::new();
    let refused = async || {
        statuses.append(&mut world.publisher.take_statuses());
        statuses.contains_key(&507)
    };
    until("the server notices that the disk is full", NOTICE_DEADLINE, refused).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    fs::remove_file(&ballast).map_err(|error| error.to_string())?;
    let back = accepting_again(&world).await?;
    publishing.stop().await?;
    let tally = world.settled_tally().await;
    let mut report = Report::of(tally, 0);
    report.notes = vec![format!(
        "a real full file system: {} accepted, {} lost, answers {statuses:?}, again after {back:.0?}",
        report.tally.accepted, report.tally.lost
    )];
    judge_refusals(&mut report, &statuses);
    Ok(Some(world.leave(report)))
}

/// Fills the server's file system, seen through its process.
fn fill(world: &World) -> Result<PathBuf, String> {
    let data = world.server.data();
    let inside = data.strip_prefix("/").map_err(|error| error.to_string())?;
    let path = PathBuf::from(format!("/proc/{}/root", world.server.pid()?)).join(inside);
    let path = path.join("ballast");
    let mut ballast = File::create(&path).map_err(|error| error.to_string())?;
    for size in [65_536, 4_096] {
        while ballast.write_all(&vec![0; size]).is_ok() {}
    }
    Ok(path)
}
