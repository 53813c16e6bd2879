//! `database`: PostgreSQL dies, or the way to it does: packets vanish, nothing is closed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidings_testkit::postgres::{PostgresServer, Stop};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::publish::{Statuses, until};
use crate::report::{Report, Tier};
use crate::world::{Plan, World};

/// Requests that were under way when the database went away are answered within this time.
const GRACE: Duration = Duration::from_secs(12);
/// Traffic goes on this long after the database is back, at the latest.
const BACK_DEADLINE: Duration = Duration::from_secs(5);

/// No 2xx without a database, no restart of ours, nothing lost and nothing published twice.
///
/// # Errors
/// Says what stood in the way.
pub(crate) async fn run(tier: Tier, seed: u64) -> Result<Report, String> {
    let (deaths, cuts) = (tier.of(1, 2, 50), tier.of(1, 1, 5));
    let away = Duration::from_secs(tier.of(2, 2, 5));
    let cut = GRACE + Duration::from_secs(tier.of(3, 3, 20));
    let mut database = PostgresServer::start();
    let way = Way::to(database.address()).await?;
    let url =
        database.url("postgres").replace(&database.address().to_string(), &way.address.to_string());
    let environment = vec![("TIDINGS_DATABASE_URL".to_owned(), url)];
    let plan = Plan { tenants: 2, hooks: 6, environment, ..Plan::of(tier, seed) };
    let mut world = World::start(&plan).await?;
    world.receiver.refuse_one_in(50);
    let publishing = world.publisher.steadily(0, tier.of(100, 100, 300));
    let mut outage = Outage::default();
    for death in 0..deaths {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = Trouble::until_now(&world);
        database.stop(if death % 2 == 0 { Stop::Immediate } else { Stop::Kill });
        tokio::time::sleep(Duration::from_millis(200)).await;
        outage.watch(&world, away).await;
        database.resume();
        outage.back(&world).await?;
        outage.count(&before, &Trouble::until_now(&world));
    }
    for _ in 0..cuts {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = Trouble::until_now(&world);
        way.cut.send_replace(true);
        tokio::time::sleep(GRACE).await;
        outage.watch(&world, cut - GRACE).await;
        way.cut.send_replace(false);
        outage.back(&world).await?;
        outage.count(&before, &Trouble::until_now(&world));
    }
    publishing.stop().await?;
    world.server.healthy()?;
    let tally = world.settled_tally().await;
    // The process lived on, so nothing had to be repeated.
    let mut report = Report::of(tally, 0);
    report.note(format!("{deaths} deaths of the database, {cuts} times cut off from it"));
    outage.judge(&mut report);
    Ok(world.leave(report))
}

/// What was seen while the database was away.
#[derive(Default)]
struct Outage {
    statuses: Statuses,
    back: Duration,
    /// Lines of trouble in the log: how many by what they say, in how many seconds.
    lines: Vec<(String, usize, f64)>,
}

impl Outage {
    async fn watch(&mut self, world: &World, time: Duration) {
        world.publisher.take_statuses();
        tokio::time::sleep(time).await;
        for (status, count) in world.publisher.take_statuses() {
            *self.statuses.entry(status).or_default() += count;
        }
    }

    async fn back(&mut self, world: &World) -> Result<(), String> {
        let before = world.accepted();
        let accepting = async || world.accepted() > before;
        let took = until("accepting again", 6 * BACK_DEADLINE, accepting).await?;
        self.back = self.back.max(took);
        Ok(())
    }

    /// Counts the lines of one outage.
    fn count(&mut self, before: &Trouble, after: &Trouble) {
        let seconds = (after.at - before.at).as_secs_f64();
        for (cause, lines) in &after.lines {
            let said = lines - before.lines.get(cause).unwrap_or(&0);
            self.lines.push((cause.clone(), said, seconds));
        }
    }

    fn judge(&self, report: &mut Report) {
        let Self { statuses, back, lines } = self;
        report.note(format!("answers without a database: {statuses:?}"));
        report.note(format!("accepting again after at most {back:.1?}"));
        let accepted: usize = statuses.range(200..300).map(|(_, count)| count).sum();
        report.promise(accepted == 0, format!("{accepted} changes accepted without a database"));
        report.promise(statuses.contains_key(&503), "nothing was refused with 503");
        report.promise(*back <= BACK_DEADLINE, format!("traffic only after {back:.1?}"));
        for (cause, said, seconds) in lines {
            report.note(format!("{said} lines in {seconds:.1} s: {cause}"));
            // One a second, and the first.
            let most = 1 + seconds.ceil() as usize;
            report.promise(*said <= most, format!("{said} lines in {seconds:.1} s: {cause}"));
        }
    }
}

/// What the server complained of so far.
struct Trouble {
    at: Instant,
    /// How many lines, by what they say without their figures.
    lines: BTreeMap<String, usize>,
}

impl Trouble {
    fn until_now(world: &World) -> Self {
        let mut lines = BTreeMap::new();
        for line in world.server.log().lines() {
            if let Some(cause) = cause(line) {
                *lines.entry(cause).or_default() += 1;
            }
        }
        Self { at: Instant::now(), lines }
    }
}

/// What an error or a warning says; its fields come behind that.
fn cause(line: &str) -> Option<String> {
    let mut words = line.split_whitespace().skip(1);
    words.next().filter(|level| matches!(*level, "ERROR" | "WARN"))?;
    let words: Vec<_> = words.take_while(|word| !word.contains('=')).collect();
    Some(words.join(" "))
}

/// The way to the database, which can be cut: what is sent vanishes, nothing is closed.
struct Way {
    address: SocketAddr,
    cut: Arc<watch::Sender<bool>>,
}

impl Way {
    async fn to(database: SocketAddr) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let cut = Arc::new(watch::Sender::new(false));
        let switch = Arc::clone(&cut);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let switch = Arc::clone(&switch);
                tokio::spawn(async move {
                    whole(&switch).await;
                    let Ok(far) = TcpStream::connect(database).await else { return };
                    let ((near_in, near_out), (far_in, far_out)) =
                        (near.into_split(), far.into_split());
                    tokio::select! {
                        () = forward(near_in, far_out, &switch) => {}
                        () = forward(far_in, near_out, &switch) => {}
                    }
                });
            }
        });
        Ok(Self { address, cut })
    }
}

/// Waits until the way is whole.
async fn whole(cut: &watch::Sender<bool>) {
    drop(cut.subscribe().wait_for(|cut| !*cut).await);
}

async fn forward(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    cut: &watch::Sender<bool>,
) {
    let mut buffer = vec![0; 65_536];
    while let Ok(read) = from.read(&mut buffer).await {
        whole(cut).await;
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::cause;

    #[test]
    fn lines_of_one_cause_are_told_by_what_they_say() {
        for (line, told) in [
            (
                "2026-01-01T00:00:00Z ERROR tidings::run: it failed; again error=gone",
                Some("tidings::run: it failed; again"),
            ),
            ("2026-01-01T00:00:00Z  WARN tidings::run: late by=3", Some("tidings::run: late")),
            ("2026-01-01T00:00:00Z  INFO tidings::run: started", None),
            ("tidings serves http://127.0.0.1:1", None),
            ("", None),
        ] {
            assert_eq!(cause(line).as_deref(), told, "{line}");
        }
    }
}
