//! One operator: name, role, whether they can sign in; a new password; the end.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::id::OperatorId;
use tidings_service::{Operator, OperatorChanges, Role};

use super::{PATH, ROLES, owner, path, state};
use crate::form::{Faults, Form, ticked};
use crate::layout::{
    self, Place, Tab, Tone, badge, checkbox, confirm, csrf_field, definition, faults, field,
    password, select,
};
use crate::notice::Notice;
use crate::path::Path;
use crate::session::Visitor;
use crate::{Answer, Desk, Refusal};

pub(super) fn routes() -> Router<Desk> {
    Router::new()
        .route("/console/operators/{operator}", get(show).post(change))
        .route("/console/operators/{operator}/password", post(set_password))
        .route("/console/operators/{operator}/delete", get(ask).post(delete))
}

async fn show(State(desk): State<Desk>, visitor: Visitor, Path(id): Path<OperatorId>) -> Answer {
    let operator = desk.service.operator(&owner(&visitor)?, id).await?;
    Ok(page(&visitor, &operator, &Faults::none()))
}

fn page(visitor: &Visitor, operator: &Operator, wrong: &Faults) -> Response {
    let body = html! {
        div.head {
            h1 { (operator.name) }
            a.button.danger href=(format!("{}/delete", path(operator))) { "Delete" }
        }
        (definition(&[
            ("E-mail address", html! { (operator.email) }),
            ("State", state(operator)),
            ("Second factor", badge(Tone::Plain, if operator.has_totp { "on" } else { "off" })),
            ("Id", html! { code { (operator.id) } }),
        ]))
        (faults(wrong, &["/name", "/password"]))
        div.grid {
            section { h2 { "What they may do" } (change_form(visitor, operator, wrong)) }
            section { h2 { "A new password" } (password_form(visitor, operator, wrong)) }
        }
    };
    let place = Place::of_installation(Tab::Operators, &operator.name).below(PATH, "Operators");
    layout::page(visitor, place, body)
}

fn change_form(visitor: &Visitor, operator: &Operator, wrong: &Faults) -> Markup {
    html! {
        form.card method="post" action=(path(operator)) {
            (csrf_field(visitor))
            (field("Name", "name", &operator.name, "", wrong.of("/name")))
            (select("Role", "role", operator.role.as_str(), &ROLES, "It holds from their next request on.", None))
            (checkbox("Cannot sign in", "disabled", "yes", operator.disabled_at.is_some(), "Their sessions end at once."))
            @if operator.has_totp {
                (checkbox("Turn off their second factor", "remove_totp", "yes", false, "For those who lost their authenticator."))
            }
            button type="submit" { "Save" }
        }
    }
}

fn password_form(visitor: &Visitor, operator: &Operator, wrong: &Faults) -> Markup {
    html! {
        form.card method="post" action=(format!("{}/password", path(operator))) {
            (csrf_field(visitor))
            (password("New password", "password", "new-password",
                "For those who forgot theirs. Their sessions end.", wrong.of("/password")))
            button type="submit" { "Set password" }
        }
    }
}

#[derive(Deserialize)]
struct Typed {
    name: String,
    role: String,
    #[serde(default, deserialize_with = "ticked")]
    disabled: bool,
    #[serde(default, deserialize_with = "ticked")]
    remove_totp: bool,
}

async fn change(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path(id): Path<OperatorId>,
    Form(typed): Form<Typed>,
) -> Answer {
    let owner = owner(&visitor)?;
    let operator = desk.service.operator(&owner, id).await?;
    visitor.must_be_sure(&desk, &path(&operator))?;
    let Some(role) = Role::parse(&typed.role) else { return Err(Refusal::NoSuchPage) };
    let is_disabled = operator.disabled_at.is_some();
    let changes = OperatorChanges {
        name: Some(typed.name.trim().to_owned()),
        role: (role != operator.role).then_some(role),
        disabled: (typed.disabled != is_disabled).then_some(typed.disabled),
        remove_totp: typed.remove_totp,
    };
    match desk.service.update_operator(&owner, id, changes).await {
        Ok(operator) => Ok(layout::went(path(&operator), Notice::Saved)),
        Err(error) => {
            let page = page(&visitor, &operator, &Faults::from_error(error)?);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

#[derive(Deserialize)]
struct NewPassword {
    password: String,
}

async fn set_password(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path(id): Path<OperatorId>,
    Form(typed): Form<NewPassword>,
) -> Answer {
    let owner = owner(&visitor)?;
    let operator = desk.service.operator(&owner, id).await?;
    visitor.must_be_sure(&desk, &path(&operator))?;
    match desk.service.set_operator_password(&owner, id, typed.password.into()).await {
        Ok(()) => Ok(layout::went(path(&operator), Notice::PasswordSet)),
        Err(error) => {
            let page = page(&visitor, &operator, &Faults::from_error(error)?);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

async fn ask(State(desk): State<Desk>, visitor: Visitor, Path(id): Path<OperatorId>) -> Answer {
    let operator = desk.service.operator(&owner(&visitor)?, id).await?;
    visitor.must_be_sure(&desk, &format!("{}/delete", path(&operator)))?;
    Ok(asked(&visitor, &operator, &Faults::none()))
}

fn asked(visitor: &Visitor, operator: &Operator, wrong: &Faults) -> Response {
    let path = path(operator);
    let action = format!("{path}/delete");
    let question = "They cannot sign in any more, and their sessions end. What they did stays in the audit log.";
    let body = html! {
        h1 { "Delete " (operator.name) "?" }
        (faults(wrong, &["/confirm"]))
        (confirm(visitor, &action, question, None, "Delete operator", &path, wrong))
    };
    let place = Place::of_installation(Tab::Operators, "Delete")
        .below(PATH, "Operators")
        .below(path.as_str(), operator.name.as_str());
    layout::page(visitor, place, body)
}

async fn delete(State(desk): State<Desk>, visitor: Visitor, Path(id): Path<OperatorId>) -> Answer {
    let owner = owner(&visitor)?;
    let operator = desk.service.operator(&owner, id).await?;
    visitor.must_be_sure(&desk, &format!("{}/delete", path(&operator)))?;
    match desk.service.delete_operator(&owner, id).await {
        Ok(()) => Ok(layout::went(PATH, Notice::OperatorDeleted)),
        Err(error) => {
            let page = asked(&visitor, &operator, &Faults::from_error(error)?);
            Ok((StatusCode::CONFLICT, page).into_response())
        }
    }
}
