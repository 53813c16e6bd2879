//! The engine as a task of this process.

use std::sync::Arc;

use tidings_engine::run::{Engine, EngineParts};
use tidings_engine::sync::{Cadence, Syncer};
use tokio::sync::watch;

/// Watches the calendars and delivers, until `stopping` turns true and what was in flight is settled, or
/// until the store fails.
pub(crate) async fn run(parts: EngineParts, cadence: Cadence, stopping: watch::Receiver<bool>) {
    let EngineParts { store, egress, keyring, clock, ids, .. } = parts.clone();
    let syncer = Syncer::new(store, Arc::clone(&egress), keyring, clock, ids, cadence);
    let watching = tokio::spawn(syncer.run(stopping.clone()));
    if let Err(error) = Engine::new(parts).run(stopping).await {
        tracing::error!(%error, "deliveries ended: the store failed");
        watching.abort();
    }
    if watching.await.is_err_and(|error| error.is_panic()) {
        tracing::error!("watching the calendars ended with a panic");
    }
}
