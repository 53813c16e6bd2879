//! The engine as a task of this process.

use std::sync::Arc;

use tidings_engine::errand::{Errands, Order};
use tidings_engine::run::{Engine, EngineParts};
use tidings_engine::subscriptions::Subscriptions;
use tidings_engine::sync::{Cadence, Providers, Syncer};
use tidings_providers::settings::Settings;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Watches the calendars, keeps the subscriptions, runs errands and delivers, until `stopping` turns
/// true and what was in flight is settled, or until the store fails.
pub(crate) async fn run(
    parts: EngineParts,
    settings: Settings,
    cadence: Cadence,
    orders: mpsc::Receiver<Order>,
    stopping: watch::Receiver<bool>,
) {
    let EngineParts { store, egress, keyring, clock, ids, meters, .. } = parts.clone();
    let providers = Arc::new(Providers::new(store, egress, keyring, clock, ids, settings));
    let syncer = Syncer::new(Arc::clone(&providers), cadence).counting(meters);
    let mut beside = JoinSet::new();
    beside.spawn(syncer.run(stopping.clone()));
    beside.spawn(Subscriptions::new(Arc::clone(&providers)).run(stopping.clone()));
    beside.spawn(Errands::new(Arc::clone(&providers)).run(orders, stopping.clone()));
    if let Err(error) = Engine::new(parts).run(stopping).await {
        tracing::error!(%error, "deliveries ended: the store failed");
        beside.abort_all();
    }
    while let Some(ended) = beside.join_next().await {
        if ended.is_err_and(|error| error.is_panic()) {
            tracing::error!("a part of the engine that talks to providers ended with a panic");
        }
    }
    providers.settled().await;
}
