//! The engine as a task of this process.

use std::sync::Arc;

use tidings_core::clock::Clock;
use tidings_core::format::Formats;
use tidings_core::id::Ids;
use tidings_core::seal::Keyring;
use tidings_engine::egress::Egress;
use tidings_engine::sync::{Cadence, Syncer};
use tidings_store::Store;
use tokio::sync::watch;


/// What the engine works with.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) egress: Arc<Egress>,
    pub(crate) keyring: Keyring,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) formats: Formats,
    pub(crate) cadence: Cadence,
}

/// Watches the calendars and delivers, until `stopping` turns true and everything in flight is settled.
pub(crate) async fn run(parts: Parts, stopping: watch::Receiver<bool>) {
    let Parts { store, egress, keyring, clock, ids, formats, cadence } = parts;
    let syncer = Syncer::new(
        store.clone(),
        Arc::clone(&egress),
        keyring.clone(),
        clock.clone(),
        ids.clone(),
        cadence,
    );
    let engine = deliver(store, egress, keyring, clock, ids, formats, stopping.clone());
    tokio::join!(syncer.run(stopping), engine);
}
