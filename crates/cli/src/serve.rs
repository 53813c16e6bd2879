//! `tidings serve`.

use std::io::Write;

use clap::Args;
use tidings_core::clock::Clock;
use tidings_core::id::Ids;

use crate::config::{self, Config, Flags};
use crate::console::Links;
use crate::error::{Error, Result};
use crate::logging;
use crate::profile::{Profile, Profiles, Variables};
use crate::server::Server;
use crate::signals::Signals;
use crate::{systemd, telemetry};

#[derive(Args, Debug)]
pub(crate) struct Serve {
    #[command(flatten)]
    flags: Flags,
    /// For development: webhooks may go to this machine and over http, calendars are asked often
    #[arg(long)]
    dev: bool,
}

/// Serves until it is told to stop.
///
/// # Errors
/// The configuration is wrong, or the server cannot start or go on.
pub(crate) async fn run(serve: &Serve, out: &mut impl Write) -> Result<()> {
    let variables = config::variables();
    let mut config = Config::load(&serve.flags, &variables)?;
    if serve.dev {
        config = config.for_development();
    }
    let (traces, telemetry) = telemetry::start(&config, &variables)?.unzip();
    logging::start(&config.log, traces)?;
    let mut signals = Signals::listen()?;
    let mut server = Server::start(&config, Clock::system(), Ids::from_os(), None).await?;
    let url = config.public_url.as_ref().map_or_else(|| server.url(), ToString::to_string);
    let links = Links::of(&server.service, &url).await;
    if serve.dev {
        keep_key(&server, &variables);
    }
    announce(&server, url.trim_end_matches('/'), &links, out)
        .map_err(Error::failed("cannot write to standard output"))?;
    tracing::info!(address = %server.address, dev = serve.dev, "serving");
    systemd::tell(&variables, "READY=1");
    let ended = tokio::select! {
        () = signals.told_to_stop() => Ok(()),
        fault = server.broken() => Err(fault),
    };
    tracing::info!("stopping");
    systemd::tell(&variables, "STOPPING=1");
    server.stop().await;
    if let Some(telemetry) = telemetry {
        telemetry.finish().await;
    }
    tracing::info!("stopped");
    ended
}

/// In development the first key goes where commands on this machine look for one, unless they ask another server.
/// It was shown, so a server whose owner has no home directory is there all the same.
fn keep_key(server: &Server, variables: &Variables) {
    let Some(key) = &server.bootstrap.generated else { return };
    let url = server.url();
    let kept = Profiles::read(variables).and_then(|profiles| {
        if profiles.is_usually_another(&url) {
            return Ok(None);
        }
        let key = Some(key.reveal().to_owned());
        profiles.keep(None, Profile { url: Some(url.clone()), app: None, key }).map(Some)
    });
    match kept {
        Ok(Some((file, _))) => {
            tracing::info!(file = %file.display(), "the key is kept for commands");
        }
        Ok(None) => tracing::info!("the key is not kept: run `tidings login` to ask this server"),
        Err(error) => tracing::warn!(%error, "the key is not kept: run `tidings login`"),
    }
}

/// Says where it serves, and on the first start the owner key: the only time it is shown.
fn announce(
    server: &Server,
    url: &str,
    links: &Links,
    out: &mut impl Write,
) -> std::io::Result<()> {
    writeln!(out, "tidings serves {url}")?;
    if let Some(key) = &server.bootstrap.generated {
        writeln!(out, "owner key, shown this once: {}", key.reveal())?;
    }
    writeln!(out, "{links}")?;
    out.flush()
}
