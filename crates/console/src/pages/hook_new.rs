//! `/…/webhooks/new`: a webhook is created.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::html;
use serde::Deserialize;

use super::hook_form::{Offer, Shown, Typed};
use super::side::{Side, faults_of};
use crate::form::{Faults, Form};
use crate::layout;
use crate::notice::Notice;
use crate::path::Query;
use crate::{Answer, Desk};

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/console/apps/{app}/webhooks/new", get(begin).post(create))
        .route("/portal/webhooks/new", get(begin).post(create))
}

/// What a link to the form may fill in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filled {
    url: String,
}

async fn begin(State(desk): State<Desk>, side: Side, Query(filled): Query<Filled>) -> Answer {
    side.must_change()?;
    let offer = Offer::of(&desk.service, &side).await?;
    let typed = Typed { url: filled.url, format: offer.first().to_owned(), ..Typed::default() };
    Ok(page(&side, &offer, &typed, &Faults::none()))
}

async fn create(State(desk): State<Desk>, side: Side, Form(typed): Form<Typed>) -> Answer {
    side.must_change()?;
    let made = match typed.new_hook() {
        Ok(input) => desk.service.create_hook(&side.caller, input).await,
        Err(wrong) => Err(wrong),
    };
    match made {
        Ok(created) => {
            let to = side.path(format_args!("/webhooks/{}", created.hook.id));
            Ok(layout::went(to, Notice::HookCreated))
        }
        Err(error) => {
            let offer = Offer::of(&desk.service, &side).await?;
            let page = page(&side, &offer, &typed, &faults_of(error)?);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

fn page(side: &Side, offer: &Offer, typed: &Typed, wrong: &Faults) -> Response {
    let form = Shown { side, offer, typed, wrong, hook: None };
    let body = html! {
        h1 { "Create Webhook" }
        (form.form("/webhooks/new", "/webhooks", "Create"))
    };
    side.page("Create Webhook", &[], body)
}
