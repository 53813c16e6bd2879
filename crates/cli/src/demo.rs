//! `tidings demo`: the whole way on one machine. A calendar changes, signed webhooks arrive.

mod caldav;
mod calendar;
mod google;
mod place;
mod stage;
mod voice;
mod webhook;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use tempfile::TempDir;
use tidings_core::clock::Clock;
use tidings_core::egress::EgressPolicy;
use tidings_core::id::Ids;
use tidings_core::key::{Token, TokenKind};
use tidings_core::retention::Retention;
use tidings_service::Registration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use url::Url;
use zeroize::Zeroizing;

use self::place::Place;
use self::stage::Stage;
use self::voice::Voice;
use crate::config::{Config, Log, LogFormat, Metrics, Platform, SecretText};
use crate::error::{Error, Result};
use crate::server::Server;
use crate::signals::Signals;
use crate::{logging, master_key};

/// `--exit` gives up after this time.
const DEADLINE: Duration = Duration::from_secs(60);
/// Webhooks that wait to be printed.
const ARRIVALS_KEPT: usize = 1_024;
/// Holds the owner key, so that a kept directory has one only.
const KEY_FILE: &str = "demo.key";

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// End once created, updated and deleted have arrived with good signatures; status 1 if they do not
    #[arg(long)]
    exit: bool,
    /// Keep the embedded store there, instead of in a temporary directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Use this CalDAV server instead of the built-in calendar; an event is made there and deleted again
    #[arg(long, value_name = "URL", requires_all = ["user", "password_file"])]
    caldav: Option<Url>,
    /// Show it with this provider: `google` is a simulator on this machine, connected by consent and
    /// watched by push
    #[arg(long, value_enum, default_value_t = Provider::Caldav, conflicts_with = "caldav")]
    provider: Provider,
    /// User name at the CalDAV server
    #[arg(long, value_name = "USER", requires = "caldav")]
    user: Option<String>,
    /// File that holds the password for the CalDAV server
    #[arg(long, value_name = "FILE", requires = "caldav")]
    password_file: Option<PathBuf>,
}

/// With whose calendar the demo is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Provider {
    Caldav,
    Google,
}

/// Shows the demo; without `--exit` until it is told to stop.
///
/// # Errors
/// Something of the way does not work.
pub(crate) async fn run(demo: &Demo, out: &mut impl Write) -> Result<()> {
    logging::start(&Log { format: LogFormat::Human, level: "warn".into() }, None)?;
    let mut signals = Signals::listen()?;
    let (clock, ids) = (Clock::system(), Ids::from_os());
    let (data_dir, _temporary) = data_dir(demo.dir.as_deref())?;
    let key = master_key::read_or_make(&data_dir.join(KEY_FILE), || {
        Zeroizing::new(Token::generate(TokenKind::ApiKey, &ids).reveal().to_owned())
    })?;
    let place = match (&demo.caldav, &demo.user, &demo.password_file) {
        (Some(url), Some(user), Some(file)) => Place::real(url.clone(), user.clone(), file)?,
        _ if demo.provider == Provider::Google => Place::google(&ids).await?,
        _ => Place::built_in(&ids).await?,
    };
    let (sender, arrivals) = mpsc::channel(ARRIVALS_KEPT);
    let config = config(data_dir, &key, &place);
    let mut server = Server::start(&config, clock.clone(), ids, Some(sender)).await?;
    let mut voice = Voice { out, exit: demo.exit };
    let limit = demo.exit.then(|| Instant::now() + DEADLINE);
    let set = within(limit, Stage::set(&server, clock, &key, place, arrivals, &mut voice));
    let set = tokio::select! {
        set = set => set.map(Some),
        () = signals.told_to_stop() => stopped_early(demo.exit).map(|()| None),
    };
    let ended = match set {
        Err(error) => Err(error),
        Ok(None) => Ok(()),
        Ok(Some(mut stage)) => {
            let shown = tokio::select! {
                shown = show(&mut stage, limit, &mut voice) => shown,
                () = signals.told_to_stop() => stopped_early(demo.exit),
                fault = server.broken() => Err(fault),
            };
            stage.clear(&mut voice).await;
            shown
        }
    };
    server.stop().await;
    ended
}

/// The three changes; then, without `--exit`, whatever arrives.
async fn show<W: Write>(
    stage: &mut Stage,
    limit: Option<Instant>,
    voice: &mut Voice<'_, W>,
) -> Result<()> {
    within(limit, stage.change_calendar(voice)).await?;
    if voice.exit {
        return Ok(());
    }
    voice.tell(&stage.what_next().await)?;
    stage.go_on(voice).await
}

async fn within<T>(limit: Option<Instant>, work: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(limit) = limit else { return work.await };
    timeout_at(limit, work).await.unwrap_or_else(|_| {
        let seconds = DEADLINE.as_secs();
        Err(Error::Failed(format!("the webhooks did not arrive within {seconds} s")))
    })
}

fn stopped_early(exit: bool) -> Result<()> {
    match exit {
        true => Err(Error::Failed("stopped before the webhooks arrived".into())),
        false => Ok(()),
    }
}

/// The named directory, or a temporary one that goes away with the second value.
fn data_dir(named: Option<&Path>) -> Result<(PathBuf, Option<TempDir>)> {
    if let Some(named) = named {
        return Ok((named.to_owned(), None));
    }
    let temporary =
        tempfile::tempdir().map_err(Error::failed("cannot make a temporary directory"))?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

fn config(data_dir: PathBuf, key: &str, place: &Place) -> Config {
    Config {
        providers: place.providers(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        data_dir,
        database_url: None,
        public_url: None,
        master_key: None,
        bootstrap_key: Some(SecretText::from(key.to_owned())),
        allowed: Vec::new(),
        egress: EgressPolicy::dev(),
        extra_ca: None,
        proxy: None,
        log: Log { format: LogFormat::Human, level: "warn".into() },
        cadence: place.cadence(),
        retention: Retention::default(),
        disk_reserve: 0,
        registration: Registration::default(),
        platform: Platform::default(),
        metrics: Metrics::default(),
    }
}
