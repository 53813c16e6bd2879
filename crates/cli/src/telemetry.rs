//! Traces, handed to an OpenTelemetry collector when the standard variables name one.
//!
//! OTLP over HTTP in its JSON encoding (opentelemetry-proto 1.x, "OTLP/HTTP"), which every collector takes
//! at the same address as protobuf. A span that finds no room is dropped and counted: nothing here holds
//! up the server.

mod export;
mod layer;
mod settings;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tidings_core::clock::Clock;
use tidings_core::id::Ids;
use tidings_core::limits::{TRACE_FINISH_MS, TRACE_SPANS_WAITING_MAX};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::export::Exporter;
pub(crate) use self::layer::Traces;
use self::settings::Settings;
use crate::config::Config;
use crate::error::Result;

/// Spans on their way to the collector. Dropped last: it hands over what it has.
#[derive(Debug)]
pub(crate) struct Telemetry {
    task: JoinHandle<()>,
    stop: tokio::sync::oneshot::Sender<()>,
}

/// The layer that collects spans and the task that hands them over; `None` when no collector is named.
///
/// # Errors
/// A variable that cannot be understood, or asks for what is not spoken here.
pub(crate) fn start(
    config: &Config,
    variables: &[(String, String)],
) -> Result<Option<(Traces, Telemetry)>> {
    let Some(settings) = Settings::read(variables)? else { return Ok(None) };
    let (spans, waiting) = mpsc::channel(TRACE_SPANS_WAITING_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    let traces =
        Traces::new(spans, Arc::clone(&dropped), settings.sampler, Clock::system(), Ids::from_os());
    let exporter = Exporter::new(settings, config, dropped)?;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(exporter.run(waiting, stopped));
    Ok(Some((traces, Telemetry { task, stop })))
}

impl Telemetry {
    /// Hands over what is left. A collector that does not answer holds up no stop for long.
    pub(crate) async fn finish(self) {
        // It is gone already when it cannot be told.
        let _told = self.stop.send(());
        drop(tokio::time::timeout(Duration::from_millis(TRACE_FINISH_MS), self.task).await);
    }
}
