//! The Sync dialect (Paybook Sync, Syncfy): webhooks, users, sessions, credentials and what they hold.
//! `README.md` is the wire contract.

mod answer;
mod attachments;
mod auth;
mod call;
mod catalogues;
mod count;
mod credentials;
mod documents;
mod examples;
mod format;
mod holdings;
mod jobs;
mod listing;
mod objects;
mod params;
mod query;
mod reading;
mod refusal;
mod route;
mod sessions;
mod subscriptions;
mod users;
mod webhooks;
mod wire;
mod zip;

use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use tidings_service::Service;
use tokio::sync::Mutex;

pub use examples::EXAMPLES;
pub use format::{V1, V3};

/// What every endpoint works with.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) service: Service,
    /// Held while a webhook is made or changed: two requests at once for one URL would both find none.
    pub(crate) upserting: Arc<Mutex<()>>,
}

/// The endpoints of Sync, under `/v1`. The method may be in a header, so the path alone leads here.
pub fn routes(service: Service) -> Router {
    let desk = Desk { service, upserting: Arc::default() };
    Router::new()
        .route("/v1", any(route::handle))
        .route("/v1/", any(route::handle))
        .route("/v1/{*path}", any(route::handle))
        .with_state(desk)
}

#[cfg(test)]
mod tests;
