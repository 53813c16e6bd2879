//! The command `watch`: many calendars of a simulated Google, watched by one server. How long it takes until
//! all are, what they cost at rest, and how pushes about them are answered.

mod accounts;
mod google;
mod plan;
mod span;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::RangedU64ValueParser;
use tidings_core::clock::Clock;

use self::google::{Channel, Google};
use self::plan::Plan;
use self::span::{Moment, Span};
use crate::commands::positive;
use crate::figure::{self, Figure, Run};
use crate::load::{Load, Outcome, Request, Until};
use crate::process::resident_mib;
use crate::server::Server;
use crate::world::joined;
use crate::{machine, report};

const CONNECTIONS: usize = 32;
const WARM_UP: Duration = Duration::from_secs(2);
/// A server that just started has done what it does at the start.
const START: Duration = Duration::from_secs(5);
const MEMORY_LOOK: Duration = Duration::from_millis(200);

/// Watches many calendars of a simulated Google with a `tidings serve` that it starts itself.
#[derive(Args, Clone, Debug)]
pub(crate) struct Watch {
    /// Calendars in all
    #[arg(long, default_value_t = 10_000, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    calendars: usize,
    /// Calendars of each account
    #[arg(long, default_value_t = 10, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    calendars_each: usize,
    /// Pushes per second
    #[arg(long, default_value_t = 500.0, value_parser = positive)]
    rate: f64,
    /// How long they are pushed
    #[arg(long, default_value_t = 30.0, value_parser = positive)]
    seconds: f64,
    /// How long nothing happens before; less than 1,000 misses some of the polls, which come every 15 minutes
    #[arg(long, default_value_t = 1_000.0, value_parser = positive)]
    rest: f64,
    /// A PostgreSQL server, as for `suite` [default: the embedded store]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Also put the results into this file, in place of those of the same store
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// Everything that runs.
struct World {
    google: Google,
    server: Server,
    accounts: Vec<String>,
    database: bool,
}

/// What the load came to.
struct Loaded {
    outcome: Outcome,
    span: Span,
    /// From the last answer until everything was pulled, seconds.
    behind: f64,
    most_mib: f64,
}

impl Watch {
    /// Measures and prints.
    ///
    /// # Errors
    /// It could not be measured. That a figure is missed is a result.
    pub(crate) async fn run(&self) -> Result<(), String> {
        let mut lines = vec![self.title(), String::new(), figure::HEAD.to_owned()];
        println!("{}", lines.join("\n"));
        let run = self.measure().await?;
        for line in figure::lines("watch", &[run]) {
            println!("{line}");
            lines.push(line);
        }
        match &self.markdown {
            Some(file) => report::write(file, self.store(), &lines.join("\n")),
            None => Ok(()),
        }
    }

    async fn measure(&self) -> Result<Run, String> {
        let mut world = self.start().await?;
        tokio::time::sleep(START).await;
        let fresh_mib = resident_mib(world.server.id()?)?;
        let begun = world.moment()?;
        world.accounts = accounts::connect(&world.server, self.accounts()).await?;
        let connected = begun.at.elapsed().as_secs_f64();
        accounts::watched(&world.server, &world.accounts, self.calendars_each).await?;
        let watched = begun.until(world.moment()?);
        let before = world.moment()?;
        tokio::time::sleep(Duration::from_secs_f64(self.rest)).await;
        let rest = before.until(world.moment()?);
        let rest_mib = resident_mib(world.server.id()?)?;
        let channels = world.google.channels()?;
        world.push(&channels, self.rate, WARM_UP).await?;
        let time = Duration::from_secs_f64(self.seconds);
        let loaded = world.push(&channels, self.rate, time).await?;
        let refused = world.google.counts()?.refused;
        world.server.kill();
        let plan = plan::read(&world.server).await?;
        let mut figures = vec![
            Figure::new(format!("{} accounts connected", self.accounts()), "s", connected),
            Figure::new(format!("{} calendars watched", self.calendars), "s", watched.seconds),
            Figure::new("provider requests until then", "1/s", watched.requests_per_second()),
            Figure::new("resident memory after the start", "MiB", fresh_mib),
            Figure::new("resident memory at rest", "MiB", rest_mib),
            Figure::new("most resident memory under load", "MiB", loaded.most_mib),
        ];
        figures.extend(self.at_rest(&rest));
        figures.extend(self.under_load(&loaded));
        figures.extend(planned(&plan));
        let foreign_cores = rest.foreign_cores.max(loaded.span.foreign_cores);
        let mut trouble = loaded.outcome.trouble();
        if refused > 0 {
            trouble += &format!(" {refused} provider requests were refused");
        }
        if channels.len() != self.calendars {
            trouble += &format!(" {} channels push", channels.len());
        }
        Ok(Run { figures, foreign_cores, trouble })
    }

    async fn start(&self) -> Result<World, String> {
        let google = Google::start(self.accounts(), self.calendars_each)?;
        let port = google.port()?;
        let configuration = |address: SocketAddr| {
            let ports = format!("[{port}, {}]", address.port());
            format!(
                "public_url = \"http://{address}\"\n[egress]\nallow = [\"127.0.0.0/8\"]\n\
                 allow_http = true\nports = {ports}\n{}",
                google.section()
            )
        };
        let database_url = self.database_url.as_deref();
        let server = Server::configured(database_url, configuration).await?;
        Ok(World { google, server, accounts: Vec::new(), database: database_url.is_some() })
    }

    fn at_rest(&self, rest: &Span) -> Vec<Figure> {
        let name = |what| format!("{what} at rest ({} s)", self.rest);
        vec![
            Figure::new(name("provider requests"), "1/s", rest.requests_per_second()),
            Figure::new(name("CPU of server and store"), "% of a core", rest.cpu_percent()),
        ]
    }

    fn under_load(&self, loaded: &Loaded) -> Vec<Figure> {
        let Loaded { outcome, span, behind, .. } = loaded;
        let percentile = |percent| {
            let name = format!("answer to a push at {}/s, p{percent}", self.rate);
            Figure::new(name, "ms", outcome.latencies.percentile_ms(percent))
        };
        let pushes = f64::from(u32::try_from(outcome.accepted()).unwrap_or(u32::MAX)).max(1.0);
        vec![
            percentile(50.0),
            percentile(99.0).at_most(50.0),
            percentile(99.9),
            Figure::new("provider requests under load", "1/s", span.requests_per_second()),
            Figure::new("provider requests per push", "", span.requests / pushes),
            Figure::new(
                "CPU of server and store per push, pulls included",
                "us",
                span.cpu_us / pushes,
            ),
            Figure::new("last answer until every calendar was pulled", "s", *behind),
        ]
    }

    fn accounts(&self) -> usize {
        self.calendars.div_ceil(self.calendars_each)
    }

    /// Where and how it was measured.
    fn title(&self) -> String {
        let Self { calendars, calendars_each, rate, seconds, rest, .. } = self;
        let database =
            if self.database_url.is_some() { " --database-url postgres://…" } else { "" };
        format!(
            "### {}\n\n{}. Load average before: {}:\n\
             `cargo run --release -p tidings-bench -- watch --calendars {calendars} \
             --calendars-each {calendars_each} --rate {rate} --seconds {seconds} --rest {rest}{database}`",
            self.store(),
            machine::describe(&Clock::system()),
            machine::load_average(),
        )
    }

    fn store(&self) -> &'static str {
        match self.database_url {
            Some(_) => "Watching, PostgreSQL",
            None => "Watching, embedded store",
        }
    }
}

/// Where the moments lie that the server has planned.
fn planned(plan: &Plan) -> Vec<Figure> {
    let Plan { renewals, polls } = plan;
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let name =
        format!("{} renewals over {:.1} h, most in one minute", renewals.count, renewals.hours);
    vec![
        // Of a few, the fullest minute says nothing.
        Figure::new(name, "", count(renewals.most_a_minute))
            .at_most(renewals.even_a_minute.mul_add(3.0, 10.0)),
        Figure::new("the same if they were even", "", renewals.even_a_minute),
        Figure::new("accounts polled, most in one minute", "", count(polls.most_a_minute)),
        Figure::new("the same if they were even", "", polls.even_a_minute),
    ]
}

impl World {
    fn moment(&mut self) -> Result<Moment, String> {
        Moment::now(self.server.id()?, self.database, &mut self.google)
    }

    /// Pushes about all calendars in turn for `time`, then waits until every one was pulled.
    async fn push(
        &mut self,
        channels: &[Channel],
        rate: f64,
        time: Duration,
    ) -> Result<Loaded, String> {
        let host = self.server.address.to_string();
        let load = Load {
            address: self.server.address,
            requests: channels.iter().map(|channel| push(&host, channel)).collect(),
            connections: CONNECTIONS,
            rate: Some(rate),
            until: Until::Time(time),
            hold: None,
        };
        if load.requests.is_empty() {
            return Err("nothing is watched".to_owned());
        }
        let before = self.moment()?;
        let (outcome, behind, most_mib) = self.pushed(load).await?;
        let span = before.until(self.moment()?);
        Ok(Loaded { outcome, span, behind, most_mib })
    }

    /// The load itself, the seconds until everything was pulled, and the most memory meanwhile.
    async fn pushed(&self, load: Load) -> Result<(Outcome, f64, f64), String> {
        let id = self.server.id()?;
        let mut pushing = std::pin::pin!(async {
            let outcome = joined(load).await?;
            let ended = Instant::now();
            accounts::pulled(&self.server, &self.accounts).await?;
            Ok::<_, String>((outcome, ended.elapsed().as_secs_f64()))
        });
        let mut most_mib = resident_mib(id)?;
        loop {
            match tokio::time::timeout(MEMORY_LOOK, &mut pushing).await {
                Ok(done) => return done.map(|(outcome, behind)| (outcome, behind, most_mib)),
                Err(_) => most_mib = most_mib.max(resident_mib(id)?),
            }
        }
    }
}

/// A push as Google sends it. Its number is another for every push, and grows.
fn push(host: &str, channel: &Channel) -> Request {
    let headers = [
        "accept: */*".to_owned(),
        "user-agent: APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"
            .to_owned(),
        format!("x-goog-channel-id: {}", channel.id),
        format!("x-goog-channel-token: {}", channel.token),
        format!("x-goog-resource-id: {}", channel.resource_id),
        format!("x-goog-resource-uri: {}", channel.resource_uri),
        "x-goog-resource-state: exists".to_owned(),
        "x-goog-message-number: {now_us}".to_owned(),
    ];
    Request::post(host, "/providers/google/notifications", &headers, "")
}
