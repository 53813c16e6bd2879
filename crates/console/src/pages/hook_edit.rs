//! `/…/webhooks/{hook}/edit` and `/delete`: a webhook is changed, or goes.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::html;
use tidings_service::Hook;

use super::hook::{OfHook, crumb, name_of};
use super::hook_form::{Offer, Shown, Typed};
use super::side::{Side, faults_of};
use crate::form::{Faults, Form};
use crate::layout;
use crate::notice::Notice;
use crate::path::Path;
use crate::{Answer, Desk};

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/console/apps/{app}/webhooks/{hook}/edit", get(begin).post(save))
        .route("/portal/webhooks/{hook}/edit", get(begin).post(save))
        .route("/console/apps/{app}/webhooks/{hook}/delete", get(ask).post(delete))
        .route("/portal/webhooks/{hook}/delete", get(ask).post(delete))
}

async fn begin(
    State(desk): State<Desk>,
    side: Side,
    Path(OfHook { hook }): Path<OfHook>,
) -> Answer {
    side.must_change()?;
    let hook = desk.service.hook(&side.caller, hook).await?;
    let offer = Offer::of(&desk.service, &side).await?;
    Ok(page(&side, &hook, &offer, &Typed::of(&hook, &offer), &Faults::none()))
}

async fn save(
    State(desk): State<Desk>,
    side: Side,
    Path(OfHook { hook }): Path<OfHook>,
    Form(mut typed): Form<Typed>,
) -> Answer {
    side.must_change()?;
    let hook = desk.service.hook(&side.caller, hook).await?;
    let offer = Offer::of(&desk.service, &side).await?;
    typed.format.clone_from(&hook.format);
    let saved = match typed.changes(&Typed::of(&hook, &offer)) {
        Ok(changes) => desk.service.update_hook(&side.caller, hook.id, changes).await,
        Err(wrong) => Err(wrong),
    };
    match saved {
        Ok(hook) => {
            let to = side.path(format_args!("/webhooks/{}", hook.id));
            Ok(layout::went(to, Notice::HookSaved))
        }
        Err(error) => {
            let page = page(&side, &hook, &offer, &typed, &faults_of(error)?);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

fn page(side: &Side, hook: &Hook, offer: &Offer, typed: &Typed, wrong: &Faults) -> Response {
    let form = Shown { side, offer, typed, wrong, hook: Some(hook) };
    let path = format!("/webhooks/{}", hook.id);
    let body = html! {
        h1 { "Edit webhook" }
        p.quiet { "Triggers, filters and scope apply from the next change on; the rest applies at once, also to \
            what waits for a retry." }
        (form.form(&format!("{path}/edit"), &path, "Save"))
    };
    side.page("Edit webhook", &[crumb(hook)], body)
}

async fn ask(State(desk): State<Desk>, side: Side, Path(OfHook { hook }): Path<OfHook>) -> Answer {
    side.must_change()?;
    let hook = desk.service.hook(&side.caller, hook).await?;
    let path = format!("/webhooks/{}", hook.id);
    let ask = format!(
        "Delete the webhook {}? What waits for it is not delivered any more, and its history is gone.",
        name_of(&hook)
    );
    let body = html! {
        h1 { "Delete webhook" }
        (side.confirm(&format!("{path}/delete"), &ask, "Delete", &path))
    };
    Ok(side.page("Delete webhook", &[crumb(&hook)], body))
}

async fn delete(
    State(desk): State<Desk>,
    side: Side,
    Path(OfHook { hook }): Path<OfHook>,
) -> Answer {
    side.must_change()?;
    desk.service.delete_hook(&side.caller, hook).await?;
    Ok(layout::went(side.path("/webhooks"), Notice::HookDeleted))
}
