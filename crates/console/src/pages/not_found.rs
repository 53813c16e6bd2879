//! What is no page of ours.

use axum::Router;
use axum::response::Redirect;
use axum::routing::{any, get};

use crate::session::Visitor;
use crate::{Desk, Refusal};

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/", get(start))
        .route("/console", get(start))
        .route("/console/{*rest}", any(no_such_page))
        .route("/portal/{token}/{*rest}", any(no_such_portal_page))
}

async fn start() -> Redirect {
    Redirect::to("/console/")
}

/// Only who is signed in learns which pages there are.
async fn no_such_page(_: Visitor) -> Refusal {
    Refusal::NoSuchPage
}

async fn no_such_portal_page() -> Refusal {
    Refusal::NoSuchPage
}

pub(crate) async fn no_such_method() -> Refusal {
    Refusal::NoSuchMethod
}
