//! `/console/apps/{app}/settings`: what an app is called and how it is served; and its end.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::html;
use serde::Deserialize;
use tidings_core::catalogue::Validation;
use tidings_core::id::AppId;
use tidings_core::retention::AppRetention;
use tidings_service::{App, AppChanges, AppSettings};

use crate::form::{Faults, Form, filled, lines, ticked};
use crate::layout::{
    self, Control, Place, Tab, area, checkbox, confirm, csrf_field, definition, faults, field,
    select, time,
};
use crate::notice::Notice;
use crate::path::Path;
use crate::session::Visitor;
use crate::{Answer, Desk};

const SHOWN: [&str; 7] = [
    "/name",
    "/external_id",
    "/webhook_url",
    "/settings/redirect_uris",
    "/retention/journal_days",
    "/retention/journal_bytes",
    "/retention/attempt_days",
];

const VALIDATION: [(&str, &str); 3] = [
    ("off", "accept everything"),
    ("warn", "accept everything, and warn the publisher"),
    ("enforce", "refuse what is not as the event types say"),
];

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/console/apps/{app}/settings", get(show).post(change))
        .route("/console/apps/{app}/settings/delete", get(ask).post(delete))
}

fn path(app: AppId) -> String {
    format!("/console/apps/{app}/settings")
}

#[derive(Debug, Deserialize)]
struct Typed {
    name: String,
    #[serde(default)]
    external_id: String,
    #[serde(default)]
    webhook_url: String,
    #[serde(default)]
    redirect_uris: String,
    #[serde(default, deserialize_with = "ticked")]
    subscribe_all: bool,
    #[serde(default)]
    validation: String,
    #[serde(default)]
    journal_days: String,
    #[serde(default)]
    journal_bytes: String,
    #[serde(default)]
    attempt_days: String,
}

impl Typed {
    /// The form as the app is now.
    fn of(app: &App) -> Self {
        let number =
            |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
        Self {
            name: app.name.clone(),
            external_id: app.external_id.clone().unwrap_or_default(),
            webhook_url: app.webhook_url.clone().unwrap_or_default(),
            redirect_uris: app.settings.redirect_uris.join("\n"),
            subscribe_all: app.settings.subscribe_all,
            validation: app.validation.as_str().to_owned(),
            journal_days: number(app.retention.journal_days.map(u64::from)),
            journal_bytes: number(app.retention.journal_bytes),
            attempt_days: number(app.retention.attempt_days.map(u64::from)),
        }
    }

    fn changes(&self) -> Result<AppChanges, Faults> {
        Ok(AppChanges {
            name: Some(self.name.trim().to_owned()),
            external_id: Some(filled(&self.external_id)),
            webhook_url: Some(filled(&self.webhook_url)),
            retention: Some(AppRetention {
                journal_days: number(&self.journal_days, "/retention/journal_days")?,
                journal_bytes: number(&self.journal_bytes, "/retention/journal_bytes")?,
                attempt_days: number(&self.attempt_days, "/retention/attempt_days")?,
            }),
            validation: Validation::parse(&self.validation),
            settings: Some(AppSettings {
                redirect_uris: lines(&self.redirect_uris),
                subscribe_all: self.subscribe_all,
            }),
        })
    }
}

/// A number that may be absent.
fn number<N: std::str::FromStr>(text: &str, pointer: &str) -> Result<Option<N>, Faults> {
    let Some(text) = filled(text) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Faults::one(pointer, "must be a whole number"))
}

async fn show(State(desk): State<Desk>, visitor: Visitor, Path(id): Path<AppId>) -> Answer {
    let caller = visitor.caller(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    Ok(page(&desk, &visitor, &app, &Typed::of(&app), &Faults::none()))
}

async fn change(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path(id): Path<AppId>,
    Form(typed): Form<Typed>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    let wrong = match typed.changes() {
        Err(wrong) => wrong,
        Ok(changes) => match desk.service.update_app(&caller, id, changes).await {
            Ok(_) => return Ok(layout::went(path(id), Notice::Saved)),
            Err(error) => Faults::from_error(error)?,
        },
    };
    let page = page(&desk, &visitor, &app, &typed, &wrong);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

fn page(desk: &Desk, visitor: &Visitor, app: &App, typed: &Typed, wrong: &Faults) -> Response {
    let now = desk.service.now();
    let body = html! {
        div.head {
            h1 { "Settings" }
            @if visitor.may_change() {
                a.button.danger href=(format!("{}/delete", path(app.id))) { "Delete app" }
            }
        }
        (definition(&[
            ("Id", html! { code { (app.id) } }),
            ("Created", time(app.created_at, now)),
            ("Changed", time(app.updated_at, now)),
            ("Changes in the journal", html! { "from " (app.oldest_seq) " to " (app.seq) }),
        ]))
        (faults(wrong, &SHOWN))
        form.card method="post" action=(path(app.id)) {
            (csrf_field(visitor))
            fieldset disabled[!visitor.may_change()] {
                legend { "App" }
                (fields(typed, wrong))
            }
            fieldset disabled[!visitor.may_change()] {
                legend { "What is kept" }
                (kept(typed, wrong))
            }
            @if visitor.may_change() { button.main type="submit" { "Save" } }
        }
    };
    layout::page(visitor, Place::of_app(app, Tab::Settings, "Settings"), body)
}

fn fields(typed: &Typed, wrong: &Faults) -> maud::Markup {
    html! {
        (Control { label: "Name", name: "name", value: &typed.name, error: wrong.of("/name"), required: true, ..Control::default() }.shown())
        (field("Your id", "external_id", &typed.external_id, "Its id in your own system; unique here.", wrong.of("/external_id")))
        (field("Webhook URL", "webhook_url", &typed.webhook_url,
            "Where webhooks without a URL of their own deliver.", wrong.of("/webhook_url")))
        (select("Changes that you publish", "validation", &typed.validation, &VALIDATION, "", None))
        (area("Redirect URIs", "redirect_uris", &typed.redirect_uris,
            "Connect: where a person may be sent back to. One a line, compared character by character.",
            wrong.of("/settings/redirect_uris")))
        (checkbox("Watch every calendar", "subscribe_all", "yes", typed.subscribe_all,
            "Connect: once the app has a webhook URL."))
    }
}

fn kept(typed: &Typed, wrong: &Faults) -> maud::Markup {
    html! {
        p.quiet { "Empty: as the installation has it." }
        (field("Changes, days", "journal_days", &typed.journal_days, "", wrong.of("/retention/journal_days")))
        (field("Changes, bytes", "journal_bytes", &typed.journal_bytes,
            "Beyond it the oldest go before their time.", wrong.of("/retention/journal_bytes")))
        (field("Attempts, days", "attempt_days", &typed.attempt_days, "", wrong.of("/retention/attempt_days")))
    }
}

async fn ask(State(desk): State<Desk>, visitor: Visitor, Path(id): Path<AppId>) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    Ok(asked(&visitor, &app, &Faults::none()))
}

fn asked(visitor: &Visitor, app: &App, wrong: &Faults) -> Response {
    let action = format!("{}/delete", path(app.id));
    let question = "Its webhooks stop, its accounts are given back to their providers, and its journal is erased. \
        There is no way back.";
    let body = html! {
        h1 { "Delete " (app.name) "?" }
        (faults(wrong, &["/confirm"]))
        (confirm(visitor, &action, question, Some(&app.name), "Delete app", &path(app.id), wrong))
    };
    let place = Place::of_app(app, Tab::Settings, "Delete").below(path(app.id), "Settings");
    layout::page(visitor, place, body)
}

#[derive(Debug, Deserialize)]
struct Confirmed {
    #[serde(default)]
    confirm: String,
}

async fn delete(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path(id): Path<AppId>,
    Form(typed): Form<Confirmed>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    if typed.confirm.trim() != app.name.trim() {
        let wrong = Faults::one("/confirm", "type the name of the app as it is written above");
        let page = asked(&visitor, &app, &wrong);
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    desk.service.delete_app(&caller, id).await?;
    Ok(layout::went("/console/", Notice::AppDeleted))
}
