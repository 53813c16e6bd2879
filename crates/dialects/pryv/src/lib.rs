//! The Pryv dialect: accounts of persons with streams and events, accesses to them, and webhooks that say
//! that something changed. `README.md` is the wire contract.

mod access;
mod answer;
mod call;
mod event;
mod examples;
mod format;
mod home;
mod methods;
mod moments;
mod options;
mod params;
mod permission;
mod platform;
mod query;
mod refusal;
mod request;
mod route;
mod scope;
mod seconds;
mod tree;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use tidings_service::Service;
use tokio::sync::Mutex;

use moments::Moments;

pub use examples::EXAMPLES;
pub use format::FORMAT;
pub use options::{Options, Pace};

/// The version of the API that is spoken, as `meta.apiVersion` and the header `API-Version` say it.
pub(crate) const API_VERSION: &str = "2.0.0";

/// `meta.serial`: another one tells clients to read the service information again.
pub(crate) const SERIAL: &str = "20261121";

/// What a request is answered with.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) service: Service,
    pub(crate) options: Options,
    pub(crate) moments: Moments,
    pub(crate) creating: Arc<Mutex<()>>,
}

/// The endpoints of Pryv under `/pryv`, for a platform that is configured in no way.
pub fn routes(service: Service) -> Router {
    routes_of(service, Options::default())
}

/// The endpoints of Pryv under `/pryv`.
pub fn routes_of(service: Service, options: Options) -> Router {
    Router::new()
        .route("/pryv", any(serve))
        .route("/pryv/", any(serve))
        .route("/pryv/{*path}", any(serve))
        .with_state(Desk {
            moments: Moments::new(service.clock().clone()),
            service,
            options,
            creating: Arc::default(),
        })
}

async fn serve(State(desk): State<Desk>, request: Request) -> Response {
    let account = request.uri().path().split('/').nth(2).unwrap_or_default();
    let account = params::decode(account, false).to_lowercase();
    answer::to(&desk, request, &account).await.into_response()
}

#[cfg(test)]
mod tests;
