//! The Pryv dialect. `README.md` is the wire contract.

use axum::Router;
use tidings_service::Service;

/// The endpoints of Pryv.
pub fn routes(service: Service) -> Router {
    Router::new().with_state(service)
}
