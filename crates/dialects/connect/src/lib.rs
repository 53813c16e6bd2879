//! The Mobiscroll Connect dialect: connecting accounts by OAuth, calendars and their events, subscribing
//! to calendars, and the format of the deliveries. `README.md` is the wire contract.

mod accounts;
mod calendars;
mod draft;
mod event;
mod events;
mod format;
mod moment;
mod oauth;
mod refusal;
mod request;
mod subscribe;
mod unsubscribe;

use axum::routing::{MethodRouter, get, post, put};
use axum::{Json, Router};
use http::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use tidings_service::Service;

use refusal::Refusal;

pub use format::FORMAT;

/// The endpoints of Connect: under `/connect/api`, under `/api`, where the vendor's own base URL has them,
/// and at the root.
pub fn routes(service: Service) -> Router {
    let own = endpoints("/connect/api").fallback(no_such_path);
    Router::new()
        .merge(endpoints(""))
        .nest("/api", endpoints("/api"))
        .nest("/connect/api", own)
        .with_state(service)
}

fn endpoints(mount: &'static str) -> Router<Service> {
    Router::new()
        .route("/health", only(get(health)))
        .route("/calendars", only(get(calendars::list)))
        .route("/events", only(get(events::list)))
        .route("/event", only(post(event::create).merge(put(event::update)).delete(event::delete)))
        .route("/subscribe-webhook", only(post(subscribe::subscribe)))
        .route("/unsubscribe-webhook", only(post(unsubscribe::unsubscribe)))
        .route("/connection-status", only(get(accounts::status)))
        .route("/oauth/connection-status", only(get(accounts::status)))
        .route("/disconnect", only(post(accounts::disconnect)))
        .route("/oauth/disconnect", only(post(accounts::disconnect)))
        .merge(oauth::endpoints(mount))
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Answers other methods in Connect's own words.
fn only(endpoint: MethodRouter<Service>) -> MethodRouter<Service> {
    endpoint.fallback(|method: Method| async move {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let why = format!("{method} is not for this endpoint; the header allow lists what is");
        Refusal::new(status, "method_not_allowed", why)
    })
}

async fn no_such_path(uri: Uri) -> Refusal {
    let why = format!("there is no endpoint {}", uri.path());
    Refusal::new(StatusCode::NOT_FOUND, "not_found", why)
}

#[cfg(test)]
mod tests;
