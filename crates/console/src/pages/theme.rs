//! The switch between light and dark.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect};
use axum::routing::post;
use serde::Deserialize;

use super::next::local;
use crate::cookies::{self, Cookie};
use crate::form::Form;
use crate::layout::Theme;
use crate::{Answer, Desk};

pub(crate) fn routes() -> Router<Desk> {
    Router::new().route("/console/theme", post(choose))
}

#[derive(Debug, Deserialize)]
struct Typed {
    theme: String,
    back: String,
}

async fn choose(State(_): State<Desk>, Form(typed): Form<Typed>) -> Answer {
    let response = Redirect::to(local(Some(&typed.back))).into_response();
    Ok(match Theme::of_cookie(Some(&typed.theme)) {
        Theme::System => cookies::clear(response, Cookie::Theme),
        theme => cookies::set(response, Cookie::Theme, theme.as_str()),
    })
}
