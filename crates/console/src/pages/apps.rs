//! `/console/`: the apps, and a new one.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use tidings_service::{App, NewApp, Page, PageInput};

use crate::form::{Faults, Form, filled};
use crate::layout::{self, Control, Icon, Place, Tab, csrf_field, empty, faults, pager, time};
use crate::notice::Notice;
use crate::path::Query;
use crate::session::Visitor;
use crate::{Answer, Desk};

const PATH: &str = "/console/";
const NEW: &str = "/console/apps/new";

pub(crate) fn routes() -> Router<Desk> {
    Router::new().route(PATH, get(list)).route(NEW, get(begin).post(create))
}

/// Which page of a list is shown.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Turn {
    pub(crate) cursor: Option<String>,
}

impl Turn {
    pub(crate) fn input(&self) -> PageInput {
        PageInput { cursor: self.cursor.clone(), limit: Some(tidings_core::limits::CONSOLE_PAGE) }
    }

    pub(crate) fn is_first(&self) -> bool {
        self.cursor.is_none()
    }
}

async fn list(State(desk): State<Desk>, visitor: Visitor, Query(turn): Query<Turn>) -> Answer {
    let apps = desk.service.apps(&visitor.installation(), &turn.input()).await?;
    let now = desk.service.now();
    let body = html! {
        div.head {
            h1 { "Apps" }
            @if visitor.may_change() { a.button.main href=(NEW) { (Icon::Plus) "Create app" } }
        }
        @if apps.items.is_empty() {
            (empty("An app owns webhooks, accounts, keys and its journal of changes. There is none yet.", html! {
                @if visitor.may_change() { a.button href=(NEW) { "Create the first app" } }
            }))
        } @else {
            (table(&apps, now))
            (pager(PATH, apps.next.as_deref(), turn.is_first()))
        }
    };
    Ok(layout::page(&visitor, Place::of_installation(Tab::Apps, "Apps"), body))
}

fn table(apps: &Page<App>, now: tidings_core::clock::Timestamp) -> Markup {
    html! {
        table.cards {
            caption.unseen { "Apps" }
            thead { tr { th { "Name" } th { "Changes" } th { "Created" } th { "Id" } } }
            tbody {
                @for app in &apps.items {
                    tr {
                        td data-name="Name" { a href=(format!("/console/apps/{}", app.id)) { (app.name) } }
                        td.number data-name="Changes" { (app.seq) }
                        td data-name="Created" { (time(app.created_at, now)) }
                        td data-name="Id" { code { (app.id) } }
                    }
                }
            }
        }
    }
}

#[derive(Debug, Default, Deserialize)]
struct Typed {
    name: String,
    #[serde(default)]
    external_id: String,
    #[serde(default)]
    webhook_url: String,
}

async fn begin(State(_): State<Desk>, visitor: Visitor) -> Answer {
    visitor.must_change()?;
    Ok(form(&visitor, &Typed::default(), &Faults::none()))
}

async fn create(State(desk): State<Desk>, visitor: Visitor, Form(typed): Form<Typed>) -> Answer {
    visitor.must_change()?;
    let input = NewApp {
        name: typed.name.trim().to_owned(),
        external_id: filled(&typed.external_id),
        webhook_url: filled(&typed.webhook_url),
    };
    match desk.service.create_app(&visitor.installation(), input).await {
        Ok(app) => {
            Ok(layout::went(format!("/console/apps/{}/webhooks", app.id), Notice::AppCreated))
        }
        Err(error) => {
            let page = form(&visitor, &typed, &Faults::from_error(error)?);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

fn form(visitor: &Visitor, typed: &Typed, wrong: &Faults) -> Response {
    let name = Control {
        label: "Name",
        name: "name",
        value: &typed.name,
        hint: "What people call it, such as the name of your product or of one of its tenants.",
        error: wrong.of("/name"),
        required: true,
        ..Control::default()
    };
    let body = html! {
        h1 { "Create app" }
        (faults(wrong, &["/name", "/external_id", "/webhook_url"]))
        form.card method="post" action=(NEW) {
            (csrf_field(visitor))
            (name.shown())
            details open[!typed.external_id.is_empty() || !typed.webhook_url.is_empty()] {
                summary { "More" }
                (layout::field("Your id", "external_id", &typed.external_id,
                    "Its id in your own system; unique here.", wrong.of("/external_id")))
                (layout::field("Webhook URL", "webhook_url", &typed.webhook_url,
                    "Where webhooks without a URL of their own deliver.", wrong.of("/webhook_url")))
            }
            div.row { button.main type="submit" { "Create" } a.button.quiet href=(PATH) { "Cancel" } }
        }
    };
    layout::page(visitor, Place::of_installation(Tab::Apps, "Create app"), body)
}
