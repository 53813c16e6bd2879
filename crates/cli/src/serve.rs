//! `tidings serve`.

use std::io::Write;

use clap::Args;
use tidings_core::clock::Clock;
use tidings_core::id::Ids;

use crate::config::{self, Config, Flags};
use crate::error::{Error, Result};
use crate::logging;
use crate::server::Server;
use crate::signals::Signals;

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
    let mut config = Config::load(&serve.flags, &config::variables())?;
    if serve.dev {
        config = config.for_development();
    }
    logging::start(&config.log)?;
    let mut signals = Signals::listen()?;
    let mut server = Server::start(&config, Clock::system(), Ids::from_os(), None).await?;
    announce(&server, &config, out).map_err(Error::failed("cannot write to standard output"))?;
    tracing::info!(address = %server.address, dev = serve.dev, "serving");
    let ended = tokio::select! {
        () = signals.told_to_stop() => Ok(()),
        fault = server.broken() => Err(fault),
    };
    tracing::info!("stopping");
    server.stop().await;
    tracing::info!("stopped");
    ended
}

/// Says where it serves and, on the first start, the owner key: the only time it is shown.
fn announce(server: &Server, config: &Config, out: &mut impl Write) -> std::io::Result<()> {
    let url = config.public_url.as_ref().map_or_else(|| server.url(), ToString::to_string);
    writeln!(out, "tidings serves {}", url.trim_end_matches('/'))?;
    if let Some(key) = &server.bootstrap.generated {
        writeln!(out, "owner key, shown this once: {}", key.reveal())?;
    }
    out.flush()
}
