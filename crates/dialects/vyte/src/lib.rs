//! The Vyte dialect: webhooks of an organization, and the scheduling that they tell of.
//! `README.md` is the wire contract.

mod action;
mod book;
mod calendars;
mod event;
mod events;
mod examples;
mod format;
mod hooks;
mod joining;
mod pages;
mod profile;
mod refusal;
mod request;
mod users;

use axum::Router;
use axum::routing::{MethodRouter, any, delete, get, post};
use tidings_service::Service;

use refusal::Refusal;

pub use examples::EXAMPLES;
pub use format::{FORMAT, FORMAT_ARRAY};

/// The endpoints of Vyte: `/v2/…`, `/hooks` as the reference has it, and the link by which users join.
pub fn routes(service: Service) -> Router {
    let unknown = any(|| async { Refusal::not_found("path") });
    Router::new()
        .route("/v2/hooks", hook_list(get(hooks::list_v2).put(hooks::put_list_v2)))
        .route("/v2/hooks/{id}", one_hook())
        .route("/hooks", hook_list(get(hooks::list).put(hooks::put_list)))
        .route("/hooks/{id}", one_hook())
        .merge(scheduling())
        .merge(people())
        .route("/v2/{*path}", unknown.clone())
        .route("/hooks/{id}/{*path}", unknown.clone())
        .route("/organizations/{id}", unknown.clone())
        .route("/organizations/{id}/{*path}", unknown)
        .with_state(service)
}

fn hook_list(list: MethodRouter<Service>) -> MethodRouter<Service> {
    only("GET, PUT, POST", list.post(hooks::create))
}

fn one_hook() -> MethodRouter<Service> {
    only("GET, PUT, DELETE", get(hooks::get).put(hooks::update).delete(hooks::delete))
}

fn scheduling() -> Router<Service> {
    let list = || only("GET, POST", get(events::list).post(events::create));
    // The vendor prints the request that deletes an invitee as a POST.
    let invitee = delete(events::uninvite).post(events::uninvite);
    Router::new()
        .route("/v2/events", list())
        // As the vendor's example of a list prints it.
        .route("/v2/events/", list())
        .route("//v2/events/", list())
        .route("/v2/events/{id}", only("GET, PUT", get(events::get).put(events::update)))
        .route("/v2/events/{id}/confirm", only("POST", post(events::confirm)))
        .route("/v2/events/{id}/cancel", only("POST", post(events::cancel)))
        .route("/v2/events/{id}/invitees", only("POST", post(events::invite)))
        .route("/v2/events/{id}/invitees/{invitee_id}", only("DELETE, POST", invitee))
        .route("/v2/events/{id}/votes", only("POST", post(events::vote)))
        .route("/v2/events/{id}/dates/{date_id}/votes", only("POST", post(events::vote_on_date)))
        .route("/v2/events/{id}/places/{place_id}/votes", only("POST", post(events::vote_on_place)))
}

fn people() -> Router<Service> {
    let user = get(users::get).put(users::update).delete(users::delete);
    let page = get(pages::get).put(pages::update).delete(pages::delete);
    let calendar = delete(calendars::delete);
    Router::new()
        .route("/v2/users", only("GET, POST", get(users::list).post(users::create)))
        .route("/v2/users/batch", only("POST, PUT", post(users::batch).put(users::batch)))
        .route("/v2/users/{id}", only("GET, PUT, DELETE", user))
        .route("/v2/users/{id}/calendars", only("GET", get(calendars::list)))
        .route("/v2/users/{id}/calendars/{calendar_id}", only("DELETE", calendar))
        .route("/v2/users/{id}/vyteme", only("GET, PUT", get(pages::get_of).put(pages::put_of)))
        .route("/v2/vytemes", only("POST", post(pages::create)))
        .route("/v2/vytemes/", only("POST", post(pages::create)))
        .route("/v2/vytemes/{nickname}", only("GET, PUT, DELETE", page))
        .route(
            "/organizations/{id}/join",
            only("GET, POST", get(joining::join).post(joining::join)),
        )
}

/// Answers other methods in this dialect's own words.
fn only(allow: &'static str, endpoint: MethodRouter<Service>) -> MethodRouter<Service> {
    endpoint.fallback(move || async move { Refusal::method_not_allowed(allow) })
}

#[cfg(test)]
mod tests;
