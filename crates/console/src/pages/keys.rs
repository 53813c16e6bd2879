//! `/console/apps/{app}/keys`: the app's API keys.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, GrantId};
use tidings_service::{App, GrantKind, Key, NewKey, Scope};

use super::apps::Turn;
use crate::form::{Faults, Form};
use crate::layout::{
    self, Control, Icon, Place, Tab, Tone, badge, checkbox, confirm, csrf_field, empty, faults,
    pager, secret_once, select, time, time_or,
};
use crate::notice::Notice;
use crate::path::{Path, Query};
use crate::session::Visitor;
use crate::{Answer, Desk};

const DAY_MS: i64 = 24 * 3600 * 1000;

/// What a key may do, in words.
const SCOPES: [(Scope, &str); 7] = [
    (Scope::Admin, "everything in this app"),
    (Scope::Publish, "publish changes"),
    (Scope::Read, "read everything but secrets"),
    (Scope::Hooks, "create, change and test webhooks; resend and replay"),
    (Scope::Accounts, "users and connected accounts"),
    (Scope::Calendars, "read and write calendars and events"),
    (Scope::Records, "read and write the application's own records"),
];

/// How long a key works by itself, days; 0: until it is revoked.
const LIVES: [(&str, &str); 4] =
    [("0", "until it is revoked"), ("1", "a day"), ("30", "30 days"), ("365", "a year")];

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/console/apps/{app}/keys", get(list))
        .route("/console/apps/{app}/keys/new", get(begin).post(create))
        .route("/console/apps/{app}/keys/{key}/revoke", get(ask).post(revoke))
}

fn path(app: AppId) -> String {
    format!("/console/apps/{app}/keys")
}

async fn list(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path(id): Path<AppId>,
    Query(turn): Query<Turn>,
) -> Answer {
    let caller = visitor.caller(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    let keys = desk.service.keys(&caller, GrantKind::App, &turn.input()).await?;
    let now = desk.service.now();
    let new = format!("{}/new", path(id));
    let body = html! {
        div.head {
            h1 { "Keys" }
            @if visitor.may_change() { a.button.main href=(new) { (Icon::Plus) "Create key" } }
        }
        @if keys.items.is_empty() {
            (empty("With a key your programs publish changes, read the journal and manage webhooks of this app.",
                html! { a.button href=(new) { "Create the first key" } }))
        } @else {
            table.cards {
                caption.unseen { "Keys" }
                thead { tr { th { "Name" } th { "Kind" } th { "May" } th { "Ends in" } th { "Created" } th { "Last used" } th { "State" } } }
                tbody { @for key in &keys.items { (row(id, key, now)) } }
            }
            (pager(&path(id), keys.next.as_deref(), turn.is_first()))
        }
    };
    Ok(layout::page(&visitor, Place::of_app(&app, Tab::Keys, "Keys"), body))
}

fn row(app: AppId, key: &Key, now: Timestamp) -> Markup {
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let name = if key.name.is_empty() { "unnamed" } else { &key.name };
    let is_over = key.expires_at.is_some_and(|at| at <= now);
    html! {
        tr {
            td data-name="Name" { div { (name) br; code.quiet { (key.id) } } }
            td data-name="Kind" { (key.kind.as_str()) }
            td data-name="May" { (scopes.join(", ")) }
            td data-name="Ends in" { code { "…" (key.hint) } }
            td data-name="Created" { (time(key.created_at, now)) }
            td data-name="Last used" { (time_or(key.last_used_at, now, "never")) }
            td data-name="State" {
                @if let Some(at) = key.revoked_at { (badge(Tone::Bad, "revoked")) " " (time(at, now)) }
                @else if is_over { (badge(Tone::Warning, "expired")) }
                @else {
                    span.row {
                        (badge(Tone::Good, "active"))
                        @if let Some(at) = key.expires_at { span { "until " (time(at, now)) } }
                        a href=(format!("{}/{}/revoke", path(app), key.id)) { "Revoke" }
                    }
                }
            }
        }
    }
}

#[derive(Debug, Default, Deserialize)]
struct Typed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    days: u16,
}

impl Typed {
    fn input(&self, now: Timestamp) -> NewKey {
        NewKey {
            kind: GrantKind::App,
            name: self.name.trim().to_owned(),
            scopes: self.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect(),
            expires_at: (self.days > 0).then(|| now.plus_ms(i64::from(self.days) * DAY_MS)),
        }
    }
}

async fn begin(State(desk): State<Desk>, visitor: Visitor, Path(id): Path<AppId>) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    visitor.must_be_sure(&desk, &format!("{}/new", path(id)))?;
    let app = desk.service.app(&caller, id).await?;
    Ok(form(&visitor, &app, &Typed::default(), &Faults::none()))
}

async fn create(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path(id): Path<AppId>,
    Form(typed): Form<Typed>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    visitor.must_be_sure(&desk, &format!("{}/new", path(id)))?;
    let app = desk.service.app(&caller, id).await?;
    match desk.service.create_key(&caller, typed.input(desk.service.now())).await {
        Ok(created) => {
            let body = html! {
                h1 { "Key " (created.key.name) }
                (secret_once("The new key", created.token.reveal()))
                p { "Send it as " code { "Authorization: Bearer" } " and the key." }
                a.button href=(path(id)) { "I have kept it" }
            };
            let place = Place::of_app(&app, Tab::Keys, "New key").below(path(id), "Keys");
            Ok(layout::page(&visitor, place, body))
        }
        Err(error) => {
            let page = form(&visitor, &app, &typed, &Faults::from_error(error)?);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

fn form(visitor: &Visitor, app: &App, typed: &Typed, wrong: &Faults) -> Response {
    let name = Control {
        label: "Name",
        name: "name",
        value: &typed.name,
        hint: "Who uses it, such as the program or the machine.",
        error: wrong.of("/name"),
        required: true,
        ..Control::default()
    };
    let body = html! {
        h1 { "Create key" }
        (faults(wrong, &["/name", "/scopes"]))
        form.card method="post" action=(format!("{}/new", path(app.id))) {
            (csrf_field(visitor))
            (name.shown())
            fieldset {
                legend { "It may" }
                @for (scope, words) in SCOPES {
                    (checkbox(scope.as_str(), "scopes", scope.as_str(), typed.scopes.iter().any(|held| held == scope.as_str()), words))
                }
                @if let Some(why) = wrong.of("/scopes") { p.error { (why) } }
            }
            (select("It works", "days", &typed.days.to_string(), &LIVES, "", wrong.of("/expires_at")))
            div.row { button.main type="submit" { "Create" } a.button.quiet href=(path(app.id)) { "Cancel" } }
        }
    };
    layout::page(
        visitor,
        Place::of_app(app, Tab::Keys, "Create key").below(path(app.id), "Keys"),
        body,
    )
}

async fn ask(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, key)): Path<(AppId, GrantId)>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    let key = desk.service.key(&caller, key).await?;
    let action = format!("{}/{}/revoke", path(id), key.id);
    let question = "The next request with it is refused. It cannot be made to work again.";
    let body = html! {
        h1 { "Revoke " (key.name) "?" }
        (confirm(&visitor, &action, question, None, "Revoke key", &path(id), &Faults::none()))
    };
    let place = Place::of_app(&app, Tab::Keys, "Revoke").below(path(id), "Keys");
    Ok(layout::page(&visitor, place, body))
}

async fn revoke(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, key)): Path<(AppId, GrantId)>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    desk.service.revoke_key(&caller, key).await?;
    Ok(layout::went(path(id), Notice::KeyRevoked))
}
