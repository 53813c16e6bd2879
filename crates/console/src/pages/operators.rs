//! `/console/operators`: who may sign in. For owners.

mod one;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::clock::Timestamp;
use tidings_service::{Caller, Error, NewOperator, Operator, Role};

use crate::form::{Faults, Form};
use crate::layout::{
    self, Control, Icon, Place, Tab, Tone, badge, csrf_field, faults, password, select, time,
};
use crate::notice::Notice;
use crate::session::Visitor;
use crate::{Answer, Desk, Refusal};

const PATH: &str = "/console/operators";
const NEW: &str = "/console/operators/new";

/// The roles, with what they may do.
const ROLES: [(&str, &str); 3] = [
    ("viewer", "viewer: sees everything but secrets"),
    ("admin", "admin: does everything in every app"),
    ("owner", "owner: everything, also operators and owner keys"),
];

pub(crate) fn routes() -> Router<Desk> {
    Router::new().route(PATH, get(list)).route(NEW, get(begin).post(create)).merge(one::routes())
}

/// The owner as a caller; anybody else may not even look.
fn owner(visitor: &Visitor) -> Result<Caller, Refusal> {
    if visitor.is_owner() {
        Ok(visitor.installation())
    } else {
        Err(Error::Forbidden("owner").into())
    }
}

async fn list(State(desk): State<Desk>, visitor: Visitor) -> Answer {
    let operators = desk.service.operators(&owner(&visitor)?).await?;
    let now = desk.service.now();
    let body = html! {
        div.head {
            h1 { "Operators" }
            a.button.main href=(NEW) { (Icon::Plus) "Add operator" }
        }
        p { "Who may sign in to this console. What each of them does is in the audit log." }
        table.cards {
            caption.unseen { "Operators" }
            thead { tr { th { "Name" } th { "E-mail address" } th { "Role" } th { "Second factor" } th { "Since" } th { "State" } } }
            tbody { @for operator in &operators { (row(operator, now)) } }
        }
    };
    Ok(layout::page(&visitor, Place::of_installation(Tab::Operators, "Operators"), body))
}

fn row(operator: &Operator, now: Timestamp) -> Markup {
    html! {
        tr {
            td data-name="Name" { a href=(path(operator)) { (operator.name) } }
            td data-name="E-mail address" { (operator.email) }
            td data-name="Role" { (operator.role.as_str()) }
            td data-name="Second factor" {
                @if operator.has_totp { (badge(Tone::Good, "on")) } @else { (badge(Tone::Plain, "off")) }
            }
            td data-name="Since" { (time(operator.created_at, now)) }
            td data-name="State" { (state(operator)) }
        }
    }
}

fn state(operator: &Operator) -> Markup {
    match operator.disabled_at {
        None => badge(Tone::Good, "active"),
        Some(_) => badge(Tone::Paused, "disabled"),
    }
}

fn path(operator: &Operator) -> String {
    format!("{PATH}/{}", operator.id)
}

#[derive(Default, Deserialize)]
struct Typed {
    email: String,
    name: String,
    role: String,
    password: String,
}

async fn begin(State(desk): State<Desk>, visitor: Visitor) -> Answer {
    owner(&visitor)?;
    visitor.must_be_sure(&desk, NEW)?;
    Ok(form(&visitor, &Typed::default(), &Faults::none()))
}

async fn create(State(desk): State<Desk>, visitor: Visitor, Form(typed): Form<Typed>) -> Answer {
    let owner = owner(&visitor)?;
    visitor.must_be_sure(&desk, NEW)?;
    let Some(role) = Role::parse(&typed.role) else { return Err(Refusal::NoSuchPage) };
    let new = NewOperator {
        email: typed.email.trim().to_owned(),
        name: typed.name.trim().to_owned(),
        role,
        password: typed.password.clone().into(),
    };
    match desk.service.create_operator(&owner, new).await {
        Ok(operator) => Ok(layout::went(path(&operator), Notice::OperatorCreated)),
        Err(error) => {
            let page = form(&visitor, &typed, &Faults::from_error(error)?);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

fn form(visitor: &Visitor, typed: &Typed, wrong: &Faults) -> Response {
    let control = |label, name, kind, value, pointer| Control {
        label,
        name,
        kind,
        value,
        error: wrong.of(pointer),
        required: true,
        ..Control::default()
    };
    let body = html! {
        h1 { "Add operator" }
        (faults(wrong, &["/email", "/name", "/password"]))
        form.card method="post" action=(NEW) {
            (csrf_field(visitor))
            (control("Name", "name", "text", &typed.name, "/name").shown())
            (control("E-mail address", "email", "email", &typed.email, "/email").shown())
            (select("Role", "role", &typed.role, &ROLES, "", None))
            (password("First password", "password", "new-password",
                "Tell it to them; they change it in their profile.", wrong.of("/password")))
            div.row { button.main type="submit" { "Add" } a.button.quiet href=(PATH) { "Cancel" } }
        }
    };
    let place = Place::of_installation(Tab::Operators, "Add operator").below(PATH, "Operators");
    layout::page(visitor, place, body)
}
