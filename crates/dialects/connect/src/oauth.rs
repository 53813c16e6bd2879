//! OAuth 2.0 (RFC 6749): a person connects accounts in a browser, the app gets a code, and for that tokens.

mod authorize;
mod page;
mod token;

use axum::Router;
use axum::routing::{get, post};
use tidings_service::Service;

use crate::only;

/// Where the pages are relative to one another: below `oauth/`, wherever that is mounted.
pub(crate) fn endpoints(mount: &'static str) -> Router<Service> {
    let leave = move |service, query, headers| authorize::leave(mount, service, query, headers);
    Router::new()
        .route("/oauth/authorize", only(get(authorize::begin)))
        .route("/authorize", only(get(authorize::begin_above)))
        .route("/oauth/select", only(get(authorize::select)))
        .route("/oauth/leave", only(get(leave)))
        .route("/oauth/back", only(get(authorize::back)))
        .route("/oauth/login", only(get(authorize::login).post(authorize::log_in)))
        .route("/oauth/finish", only(post(authorize::finish)))
        .route("/oauth/cancel", only(get(authorize::cancel)))
        .route("/oauth/style.css", only(get(page::style)))
        .route("/oauth/token", only(post(token::token)))
        .route("/token", only(post(token::token)))
        .route("/oauth/revoke", only(post(token::revoke)))
        .route("/revoke", only(post(token::revoke)))
}
