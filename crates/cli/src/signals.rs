//! Being told to stop.

use tokio::signal::unix::{SignalKind, signal};

use crate::error::{Error, Result};

/// Completes on the first SIGTERM or SIGINT.
///
/// # Errors
/// The signals cannot be listened to.
pub(crate) async fn told_to_stop() -> Result<()> {
    let listen = |kind| signal(kind).map_err(Error::failed("cannot listen to signals"));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
