//! The Mobiscroll Connect dialect: subscribing to calendars, and the format of the deliveries.
//! `README.md` is the wire contract.

mod format;
mod refusal;
mod request;
mod subscribe;
mod unsubscribe;

use axum::Router;
use axum::routing::{MethodRouter, post};
use http::StatusCode;
use tidings_service::Service;

use refusal::Refusal;

pub use format::FORMAT;

/// The endpoints of Connect, at the root and under `/connect/api`: the vendor's SDKs are given a base
/// URL that ends with `/api`.
pub fn routes(service: Service) -> Router {
    Router::new().merge(endpoints()).nest("/connect/api", endpoints()).with_state(service)
}

fn endpoints() -> Router<Service> {
    Router::new()
        .route("/subscribe-webhook", only(post(subscribe::subscribe)))
        .route("/unsubscribe-webhook", only(post(unsubscribe::unsubscribe)))
}

/// Answers other methods in Connect's own words.
fn only(endpoint: MethodRouter<Service>) -> MethodRouter<Service> {
    endpoint.fallback(|| async {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Refusal::new(status, "method_not_allowed", "this endpoint takes POST only")
    })
}

#[cfg(test)]
mod tests;
