//! Signing in, signing out, and giving the password once more before something that matters.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::html;
use serde::Deserialize;
use tidings_service::{Error, SignIn, SignedIn};

use super::next::local;
use crate::cookies::{self, Cookie};
use crate::form::{Faults, Form, filled};
use crate::layout::{self, Control, Place, Tab, csrf_field, csrf_input, faults, hidden, password};
use crate::notice::Notice;
use crate::path::Query;
use crate::session::{Anyone, Visit, Visitor, Who};
use crate::{Answer, Desk};

const CODE_HINT: &str = "The six digits that your authenticator shows now.";

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/console/login", get(begin).post(sign_in))
        .route("/console/logout", post(sign_out))
        .route("/console/confirm", get(ask).post(confirm))
}

/// Where to go on after it.
#[derive(Debug, Default, Deserialize)]
struct Onward {
    next: Option<String>,
}

async fn begin(Anyone(visit): Anyone, Query(onward): Query<Onward>) -> Response {
    let next = local(onward.next.as_deref());
    match visit.who {
        Who::Operator(_) => Redirect::to(next).into_response(),
        _ => form(
            &visit,
            &Typed { next: next.to_owned(), ..Typed::default() },
            false,
            &Faults::none(),
        ),
    }
}

#[derive(Default, Deserialize)]
struct Typed {
    email: String,
    password: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

async fn sign_in(
    State(desk): State<Desk>,
    Anyone(visit): Anyone,
    Form(typed): Form<Typed>,
) -> Answer {
    let code = filled(&typed.code);
    let tried =
        desk.service.sign_in(typed.email.trim(), &typed.password, code.as_deref(), &visit.origin);
    match tried.await {
        Ok(SignIn::In(signed)) => Ok(signed_in(&signed, local(Some(&typed.next)))),
        Ok(SignIn::NeedsCode) => Ok(form(&visit, &typed, true, &Faults::none())),
        Err(error) => {
            let (status, wrong) = told(error)?;
            Ok((status, form(&visit, &typed, code.is_some(), &wrong)).into_response())
        }
    }
}

/// The way on with the new session, and without what forms carried before it.
pub(super) fn signed_in(signed: &SignedIn, next: &str) -> Response {
    let response = Redirect::to(next).into_response();
    let response = cookies::clear(response, Cookie::Form);
    cookies::set(response, Cookie::Session, signed.token.as_str())
}

/// What a sign-in that failed says: the same whoever was tried.
fn told(error: Error) -> Result<(StatusCode, Faults), crate::Refusal> {
    match error {
        Error::Unauthenticated => {
            let why = "the address, the password or the code is wrong";
            Ok((StatusCode::UNAUTHORIZED, Faults::one("", why)))
        }
        Error::LimitExceeded { retry_after_s, .. } => {
            let wait = retry_after_s.map_or(String::new(), |seconds| format!(" in {seconds} s"));
            let why = format!("too many tries: try again{wait}");
            Ok((StatusCode::TOO_MANY_REQUESTS, Faults::one("", why)))
        }
        error => Ok((StatusCode::UNPROCESSABLE_ENTITY, Faults::from_error(error)?)),
    }
}

fn form(visit: &Visit, typed: &Typed, with_code: bool, wrong: &Faults) -> Response {
    let email = Control {
        label: "E-mail address",
        name: "email",
        kind: "email",
        value: &typed.email,
        required: true,
        autocomplete: "username",
        ..Control::default()
    };
    layout::bare(
        "Sign in",
        html! {
            @if let Some(notice) = visit.notice { (notice.shown()) }
            h1 { "Sign in" }
            (faults(wrong, &[]))
            form.card method="post" action="/console/login" {
                (csrf_input(&visit.form.text))
                (hidden("next", &typed.next))
                (email.shown())
                (password("Password", "password", "current-password", "", None))
                @if with_code {
                    p { "Give your password and the code of your authenticator." }
                    (code(None))
                } @else {
                    details {
                        summary { "I have a code" }
                        (code(None))
                    }
                }
                button.main type="submit" { "Sign in" }
            }
        },
    )
}

pub(super) fn code(error: Option<&str>) -> maud::Markup {
    Control {
        label: "Code",
        name: "code",
        hint: CODE_HINT,
        error,
        autocomplete: "one-time-code",
        ..Control::default()
    }
    .shown()
}

async fn sign_out(State(desk): State<Desk>, visitor: Visitor) -> Answer {
    desk.service.sign_out(&visitor.session).await?;
    let response = layout::went("/console/login", Notice::SignedOut);
    Ok(cookies::clear(response, Cookie::Session))
}

async fn ask(visitor: Visitor, Query(onward): Query<Onward>) -> Response {
    confirmation(&visitor, local(onward.next.as_deref()), &Faults::none())
}

#[derive(Deserialize)]
struct Given {
    password: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

async fn confirm(State(desk): State<Desk>, visitor: Visitor, Form(given): Form<Given>) -> Answer {
    let (next, code) = (local(Some(&given.next)), filled(&given.code));
    let confirmed =
        desk.service.reauthenticate(&visitor.session, &given.password, code.as_deref()).await;
    match confirmed {
        Ok(()) => Ok(layout::went(next, Notice::Confirmed)),
        Err(error) => {
            let (status, wrong) = told(error)?;
            Ok((status, confirmation(&visitor, next, &wrong)).into_response())
        }
    }
}

fn confirmation(visitor: &Visitor, next: &str, wrong: &Faults) -> Response {
    let body = html! {
        h1 { "Is it you?" }
        p { "What comes next shows or makes a secret. Give your password once more; it counts for ten minutes." }
        (faults(wrong, &[]))
        form.card method="post" action="/console/confirm" {
            (csrf_field(visitor))
            (hidden("next", next))
            (password("Password", "password", "current-password", "", None))
            @if visitor.session.operator.has_totp { (code(None)) }
            div.row { button.main type="submit" { "Go on" } a.button.quiet href="/console/" { "Cancel" } }
        }
    };
    layout::page(visitor, Place::of_installation(Tab::Profile, "Is it you?"), body)
}
