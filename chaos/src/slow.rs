//! `slow`: hundreds of receivers of one tenant accept and never answer, or answer a byte a second. Another
//! tenant must not notice.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::json;
use tidings_core::limits;
use tidings_testkit::receiver::{Answer, TestReceiver};

use crate::books::PublisherBook;
use crate::client::Client;
use crate::publish::Publisher;
use crate::report::{Report, Tier, p99};
use crate::world::{Plan, World, create_hook};

/// Receivers that accept and never answer.
const SILENT: usize = 500;
/// Receivers that answer a byte a second.
const DRIPPING: usize = 100;
/// An attempt at them ends after this time.
const DEADLINE: Duration = Duration::from_millis(limits::DELIVERY_DEADLINE_MS);
/// Files, the listener's connections and what else a server has open besides connections to receivers.
const OTHER_DESCRIPTORS_MAX: usize = 600;

/// The healthy tenant loses nothing, the slow one has no more than its share of places, and its places are
/// freed at the deadline.
///
/// # Errors
/// Says what stood in the way.
pub(crate) async fn run(tier: Tier, seed: u64) -> Result<Report, String> {
    let (quiet, load) = (Duration::from_secs(5), Duration::from_secs(tier.of(20, 32, 120)));
    let plan = Plan { hooks: 5, ..Plan::of(tier, seed) };
    let world = World::start(&plan).await?;
    let slow = TestReceiver::start().await;
    slow.answer_with(|request| {
        if request.path.starts_with("/silent") {
            Answer::hang()
        } else {
            Answer::drip("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Duration::from_secs(1))
        }
    });
    let other = tenant_of_slow_hooks(&world, &slow).await?;

    let publishing = world.publisher.steadily(0, 50);
    tokio::time::sleep(quiet).await;
    let burdened = Instant::now();
    let burden = other.steadily(0, 200);
    let (mut most, mut descriptors) = (0, 0);
    while burdened.elapsed() < load {
        tokio::time::sleep(Duration::from_secs(1)).await;
        most = most.max(connections_to(slow.address().port())?);
        descriptors = descriptors.max(world.server.descriptors()?);
    }
    let reached: HashSet<_> = slow.received().into_iter().map(|request| request.path).collect();
    burden.stop().await?;
    publishing.stop().await?;

    let tally = world.settled_tally().await;
    let mut report = Report::of(tally, 0);
    let arrivals = world.receiver.arrivals();
    let (before, beside): (Vec<_>, Vec<_>) =
        arrivals.into_iter().partition(|arrival| arrival.at < burdened);
    let [before, beside] = [before, beside].map(|part| p99(world.book.delays(&part, 0)));
    report.note(format!(
        "publish to receipt, p99: {before:.1?} alone, {beside:.1?} beside {} slow ones",
        SILENT + DRIPPING
    ));
    report.note(format!("at most {most} connections to slow receivers at once; {} of them reached; {descriptors} descriptors", reached.len()));
    let share = limits::APP_IN_FLIGHT_MAX;
    report.promise(
        most <= share,
        format!("the slow tenant took {most} places, its share is {share}"),
    );
    let room = limits::IN_FLIGHT_MAX + limits::IDLE_CONNECTIONS_MAX + OTHER_DESCRIPTORS_MAX;
    report.promise(descriptors <= room, format!("{descriptors} descriptors, at most {room}"));
    // More receivers than places: all were reached only if places were freed at the deadline.
    let turns = load.as_secs() / DEADLINE.as_secs();
    let wanted = (turns as usize * share / 16).min(SILENT);
    report.promise(reached.len() >= wanted, format!("only {} slow receivers were reached, {wanted} should have been: their places are not freed", reached.len()));
    Ok(world.leave(report))
}

/// Connections of this machine to a port on loopback that are open at their client's end.
fn connections_to(port: u16) -> Result<usize, String> {
    let table = std::fs::read_to_string("/proc/net/tcp").map_err(|error| error.to_string())?;
    let (remote, established) = (format!("0100007F:{port:04X}"), "01");
    let open = |line: &&str| {
        let mut words = line.split_whitespace().skip(2);
        words.next() == Some(&remote) && words.next() == Some(established)
    };
    Ok(table.lines().filter(open).count())
}

/// A second tenant with a hook to each slow receiver, and its publisher.
async fn tenant_of_slow_hooks(world: &World, slow: &TestReceiver) -> Result<Publisher, String> {
    let made = world.server.client().make("/api/v1/apps", &json!({"name": "Slow"})).await?;
    let client: Client = world.server.client().in_app(made["id"].as_str().unwrap_or_default());
    for number in 0..SILENT + DRIPPING {
        let kind = if number < SILENT { "silent" } else { "dripping" };
        create_hook(&client, &slow.url(&format!("/{kind}/{number}")), &json!({})).await?;
    }
    let book = PublisherBook::open(&world.directory().join("accepted-slow.log"), 1)?;
    Ok(Publisher::new(vec![client], book))
}
