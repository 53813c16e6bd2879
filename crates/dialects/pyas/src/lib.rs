//! The Pyas dialect: the format of its webhooks. `README.md` is the wire contract.
//!
//! Pyas documents no API to manage webhooks, so hooks with this format are made with the native API. Its
//! calls for accounts, calendars, events and meetings are under `/pyas`.

mod calendars;
mod draft;
mod events;
mod meetings;
mod oauth;
mod refusal;
mod render;
mod request;
mod shape;
mod triggers;

use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Extension, Router};
use http::StatusCode;
use tidings_core::format::{Format, Preset};
use tidings_core::hook::{Coalesce, Grouping};
use tidings_service::Service;

use refusal::Refusal;
use triggers::{asks, documents, knows};

/// The endpoints of Pyas, under `/pyas`.
pub fn routes(service: Service) -> Router {
    Router::new().nest("/pyas", endpoints()).with_state(service)
}

fn endpoints() -> Router<Service> {
    let event = get(events::get).put(events::update).patch(events::update).delete(events::delete);
    let meeting =
        get(meetings::get).put(meetings::update).patch(meetings::update).delete(meetings::delete);
    let by_browser = post(oauth::init::connect)
        .options(oauth::init::preflight)
        .layer(Extension(oauth::init::Exchanges::new()));
    Router::new()
        .route("/oauth/init", get(oauth::init::url).options(oauth::init::preflight))
        .route("/oauth/init/connect", by_browser)
        .route("/{provider}/oauth", get(oauth::url))
        .route("/{provider}/connect", post(oauth::connect))
        .route("/{provider}/calendars", get(calendars::list))
        .route("/{provider}/calendars/{id}", get(calendars::get))
        .route("/{provider}/events", get(events::list::list).post(events::create))
        .route("/{provider}/events/{id}", event)
        .route("/{provider}/meetings", get(meetings::list).post(meetings::create))
        .route("/{provider}/meetings/{id}", meeting)
        .fallback(async || Refusal::not_found().into_response())
        .method_not_allowed_fallback(async || {
            let why = "Method Not Allowed";
            Refusal::told(StatusCode::METHOD_NOT_ALLOWED, why).into_response()
        })
}

/// The format `pyas@1`.
pub const FORMAT: Format = Format {
    name: "pyas",
    version: 1,
    title: "Pyas",
    triggers: triggers::all,
    knows,
    asks,
    documents,
    batches: &[Grouping::AccountType],
    preset: PRESET,
    render: render::render,
};

/// What happens at about the same time in an account shares a request by its trigger.
const PRESET: Preset = Preset {
    coalesce: Some(Coalesce {
        group: Grouping::AccountType,
        window_ms: 500,
        max_wait_ms: 2_000,
        ..Coalesce::PLAIN
    }),
    ..Preset::PLAIN
};

#[cfg(test)]
mod tests;
