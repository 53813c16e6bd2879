//! The Sync dialect. `README.md` is the wire contract.

use axum::Router;
use tidings_service::Service;

/// The endpoints of Sync.
pub fn routes(service: Service) -> Router {
    Router::new().with_state(service)
}
