//! The native API: `/api/v1`, `/openapi.json` and the webhook format `native@1`.
//!
//! The wire contract is this crate's README. One file per noun; each turns a request into the
//! service's input, calls one verb and turns the output back. `/openapi.json` is collected from the
//! same handlers.

mod accounts;
mod answers;
mod apps;
mod audit;
mod body;
mod calendars;
mod caller;
mod changes;
mod cloudevents;
mod connections;
mod cursor;
mod deliveries;
mod event_types;
mod events;
mod examples;
mod format;
mod hooks;
mod inboxes;
mod keys;
mod ledger;
mod openapi;
mod path;
mod people;
mod problem;
mod query;
mod records;
mod replays;
mod request_id;
mod search;
mod stats;
mod stream;
mod users;
mod webhook_keys;

use axum::Router;
use axum::middleware;
use bytes::Bytes;
use http::StatusCode;
use tidings_core::id::Ids;
use tidings_service::Service;
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use problem::Problem;

pub use cloudevents::CLOUDEVENTS;
pub use format::NATIVE;

/// What handlers work with.
#[derive(Clone, Debug)]
struct Api {
    service: Service,
    openapi: Bytes,
    stopping: watch::Receiver<bool>,
}

/// The native API, with answers for unknown paths. `stopping` turns true when the server shuts down
/// and ends the streams.
pub fn router(service: Service, ids: Ids, stopping: watch::Receiver<bool>) -> Router {
    let (router, document) = routes().split_for_parts();
    let api = Api { service, openapi: openapi::print(&document), stopping };
    router
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(ids, request_id::stamp))
        .with_state(api)
}

/// Every route with its documentation; routes enter the router in no other way.
fn routes() -> OpenApiRouter<Api> {
    let resources = [
        apps::routes(),
        keys::routes(),
        users::routes(),
        people::routes(),
        accounts::routes(),
        connections::routes(),
        calendars::routes(),
        events::routes(),
        records::routes(),
        hooks::routes(),
        changes::routes(),
        search::routes(),
        stats::routes(),
        event_types::routes(),
        examples::routes(),
        stream::routes(),
        deliveries::routes(),
        replays::routes(),
        ledger::routes(),
        inboxes::routes(),
        audit::routes(),
        webhook_keys::routes(),
    ];
    let v1 = resources.into_iter().fold(OpenApiRouter::new(), OpenApiRouter::merge);
    OpenApiRouter::with_openapi(openapi::outline())
        .nest("/api/v1", v1)
        .merge(webhook_keys::well_known())
        .routes(routes!(openapi::document))
}

async fn no_such_path() -> Problem {
    Problem::not_found("there is no such path; see /openapi.json")
}

async fn no_such_method() -> Problem {
    let detail = "the header allow lists the methods of this path";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
