//! The first operator, by the link that the server prints on its first start.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::html;
use serde::Deserialize;
use tidings_core::key::Token;
use tidings_service::{Error, NewOperator, Role};

use super::login::signed_in;
use crate::form::{Faults, Form};
use crate::layout::{self, Control, csrf_input, faults, password};
use crate::notice::Notice;
use crate::path::Path;
use crate::session::{Anyone, Visit};
use crate::{Answer, Desk};

const SHOWN: [&str; 3] = ["/email", "/name", "/password"];

pub(crate) fn routes() -> Router<Desk> {
    Router::new().route("/console/setup/{token}", get(begin).post(set_up))
}

/// What has not the shape of a link of ours never becomes the address of a form: with dots and slashes in it, the
/// form would lead elsewhere, and take a password there.
async fn begin(Anyone(visit): Anyone, Path(token): Path<String>) -> Response {
    match Token::parse(&token) {
        Some(_) => form(&visit, &token, &Typed::default(), &Faults::none()),
        None => over(),
    }
}

#[derive(Default, Deserialize)]
struct Typed {
    email: String,
    name: String,
    password: String,
}

async fn set_up(
    State(desk): State<Desk>,
    Anyone(visit): Anyone,
    Path(token): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    let new = NewOperator {
        email: typed.email.trim().to_owned(),
        name: typed.name.trim().to_owned(),
        role: Role::Owner,
        password: typed.password.clone().into(),
    };
    match desk.service.set_up(&token, new, &visit.origin).await {
        Ok(signed) => Ok(Notice::Welcome.on(signed_in(&signed, "/console/"))),
        Err(Error::Unauthenticated | Error::NotFound(_)) => Ok(over()),
        Err(error) => {
            let page = form(&visit, &token, &typed, &Faults::from_error(error)?);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

fn over() -> Response {
    let page = layout::bare(
        "This link is over",
        html! {
            h1 { "This link is over" }
            p { "It works once, for 24 hours, and only while there is no operator." }
            p { "Is there one? " a href="/console/login" { "Sign in" } ". Else start the server again: it prints a new link." }
        },
    );
    (StatusCode::NOT_FOUND, page).into_response()
}

fn form(visit: &Visit, token: &str, typed: &Typed, wrong: &Faults) -> Response {
    let control = |label, name, kind, value, pointer, autocomplete| Control {
        label,
        name,
        kind,
        value,
        hint: "",
        error: wrong.of(pointer),
        required: true,
        autocomplete,
    };
    layout::bare(
        "Set up the console",
        html! {
            h1 { "Set up the console" }
            p { "You become the owner of this installation: you may do everything, and let others in." }
            (faults(wrong, &SHOWN))
            form.card method="post" action=(format!("/console/setup/{token}")) {
                (csrf_input(&visit.form.text))
                (control("Your name", "name", "text", &typed.name, "/name", "name").shown())
                (control("E-mail address", "email", "email", &typed.email, "/email", "username").shown())
                (password("Password", "password", "new-password",
                    "Any characters, as long as you like; a few words are good.", wrong.of("/password")))
                button.main type="submit" { "Set up" }
            }
        },
    )
}
