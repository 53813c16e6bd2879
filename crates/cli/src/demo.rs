//! `tidings demo`: the whole way on one machine. A calendar changes, signed webhooks arrive.

mod calendar;
mod inbox;
mod story;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tidings_core::clock::Clock;
use tidings_core::egress::EgressPolicy;
use tidings_core::id::Ids;
use tidings_core::key::{Token, TokenKind};
use tidings_engine::sync::Cadence;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use url::Url;
use zeroize::Zeroizing;

use crate::config::{Config, Log, LogFormat, SecretText};
use crate::demo_calendar::{self, DemoCalendar};
use crate::error::{Error, Result};
use crate::listener::{self, ListenerLimits};
use crate::server::Server;
use crate::{logging, master_key, signals};

/// `--exit` gives up after this time.
const EXIT_DEADLINE: Duration = Duration::from_secs(60);
/// Webhooks that wait to be printed.
const ARRIVALS_KEPT: usize = 1_024;
/// The built-in calendar lets this user in, with the same word as the password.
const DEMO_USER: &str = "demo";
const KEY_FILE: &str = "demo.key";

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// End once created, updated and deleted have arrived with good signatures; status 1 if they do not
    #[arg(long)]
    exit: bool,
    /// Keep the embedded store there, instead of in a temporary directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Use this CalDAV server instead of the built-in calendar: an event is created there and deleted
    #[arg(long, value_name = "URL", requires_all = ["user", "password_file"])]
    caldav: Option<Url>,
    /// User name at the CalDAV server
    #[arg(long, value_name = "USER", requires = "caldav")]
    user: Option<String>,
    /// File that holds the password for the CalDAV server
    #[arg(long, value_name = "FILE", requires = "caldav")]
    password_file: Option<PathBuf>,
}

/// Where the calendar is and who may change it.
struct Place {
    url: Url,
    user: String,
    password: Zeroizing<String>,
    built_in: bool,
}

/// Where the demo writes: the three lines of `--exit` go to standard output, talk to standard error
/// then.
struct Voice<'a, W> {
    out: &'a mut W,
    exit: bool,
}

impl<W: Write> Voice<'_, W> {
    fn tell(&mut self, text: &str) -> Result<()> {
        let told = if self.exit {
            writeln!(io::stderr(), "{text}")
        } else {
            writeln!(self.out, "{text}").and_then(|()| self.out.flush())
        };
        told.map_err(Error::failed("cannot write"))
    }

    /// One line of `--exit`.
    fn line(&mut self, text: &str) -> Result<()> {
        if !self.exit {
            return Ok(());
        }
        let written = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
        written.map_err(Error::failed("cannot write to standard output"))
    }
}

/// Shows the demo; without `--exit` until it is told to stop.
///
/// # Errors
/// Something of the way does not work.
pub(crate) async fn run(demo: &Demo, out: &mut impl Write) -> Result<()> {
    logging::start(&Log { format: LogFormat::Human, level: "warn".into() })?;
    let temporary = match &demo.dir {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(Error::failed("cannot make a directory"))?),
    };
    let data_dir = match (&demo.dir, &temporary) {
        (Some(named), _) => named.clone(),
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => PathBuf::from("."),
    };
    let (clock, ids) = (Clock::system(), Ids::from_os());
    let key = owner_key(&data_dir, &ids)?;
    let place = place(demo, &ids).await?;
    let (sender, arrivals) = mpsc::channel(ARRIVALS_KEPT);
    let config = config(data_dir, &key);
    let mut server = Server::start(&config, clock.clone(), ids, Some(sender)).await?;
    let mut voice = Voice { out, exit: demo.exit };
    let ended = {
        let tale = story::Story { server: &server, clock, key: &key, place: &place };
        let told = tale.tell(arrivals, &mut voice);
        tokio::select! {
            told = within(demo.exit.then_some(EXIT_DEADLINE), told) => told,
            stop = signals::told_to_stop() => match stop {
                Ok(()) if demo.exit => Err(Error::Failed("stopped before the end".into())),
                other => other,
            },
        }
    };
    let ended = match ended {
        Ok(()) if server.is_broken() => Err(server.broken().await),
        other => other,
    };
    server.stop().await;
    ended
}

async fn within(limit: Option<Duration>, work: impl Future<Output = Result<()>>) -> Result<()> {
    match limit {
        None => work.await,
        Some(limit) => timeout(limit, work).await.unwrap_or_else(|_| {
            Err(Error::Failed(format!("the webhooks did not arrive within {limit:?}")))
        }),
    }
}
