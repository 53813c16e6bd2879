//! `/console/profile`: the operator's own password and second factor.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, PreEscaped, html};
use qrcode::QrCode;
use serde::Deserialize;
use tidings_service::Error;

use super::login::code;
use crate::form::{Faults, Form};
use crate::layout::{
    self, Place, Tab, Tone, badge, copy, csrf_field, definition, faults, password,
};
use crate::notice::Notice;
use crate::session::Visitor;
use crate::{Answer, Desk, Refusal};

const PATH: &str = "/console/profile";
const TOTP: &str = "/console/profile/totp";

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route(PATH, get(show))
        .route("/console/profile/password", post(change_password))
        .route(TOTP, get(offer).post(confirm))
        .route("/console/profile/totp/remove", post(remove))
}

/// What is wrong, and with which form.
#[derive(Default)]
struct Wrong {
    password: Faults,
    totp: Faults,
}

async fn show(visitor: Visitor) -> Response {
    profile(&visitor, &Wrong::default())
}

fn profile(visitor: &Visitor, wrong: &Wrong) -> Response {
    let operator = &visitor.session.operator;
    let body = html! {
        div.head { h1 { (operator.name) } a.button.quiet href="/console/sessions" { "Your sessions" } }
        (definition(&[
            ("E-mail address", html! { (operator.email) }),
            ("Role", html! { (operator.role.as_str()) }),
            ("Id", html! { code { (operator.id) } }),
        ]))
        div.grid {
            section { h2 { "Password" } (password_form(visitor, &wrong.password)) }
            section { h2 { "Second factor" } (second_factor(visitor, &wrong.totp)) }
        }
    };
    layout::page(visitor, Place::of_installation(Tab::Profile, "Profile"), body)
}

fn password_form(visitor: &Visitor, wrong: &Faults) -> Markup {
    html! {
        (faults(wrong, &["/password", "/present"]))
        form.card method="post" action="/console/profile/password" {
            (csrf_field(visitor))
            (password("Current password", "present", "current-password", "", wrong.of("/present")))
            (password("New password", "new", "new-password", "Your other sessions end.", wrong.of("/password")))
            button type="submit" { "Change password" }
        }
    }
}

fn second_factor(visitor: &Visitor, wrong: &Faults) -> Markup {
    html! {
        div.card {
            @if visitor.session.operator.has_totp {
                p { (badge(Tone::Good, "on")) " Signing in asks for a code of your authenticator." }
                (faults(wrong, &["/present"]))
                form method="post" action="/console/profile/totp/remove" {
                    (csrf_field(visitor))
                    (layout::password("Password", "present-totp", "current-password", "", wrong.of("/present")))
                    button.danger type="submit" { "Turn off" }
                }
            } @else {
                p { (badge(Tone::Paused, "off")) " With it, nobody signs in with your password alone." }
                a.button href=(TOTP) { "Set up an authenticator" }
            }
        }
    }
}

#[derive(Deserialize)]
struct Passwords {
    present: String,
    new: String,
}

async fn change_password(
    State(desk): State<Desk>,
    visitor: Visitor,
    Form(typed): Form<Passwords>,
) -> Answer {
    let changed =
        desk.service.change_own_password(&visitor.session, &typed.present, typed.new.into()).await;
    match changed {
        Ok(()) => Ok(layout::went(PATH, Notice::PasswordChanged)),
        Err(error) => {
            let wrong = Wrong { password: about_password(error)?, ..Wrong::default() };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, profile(&visitor, &wrong)).into_response())
        }
    }
}

fn about_password(error: Error) -> Result<Faults, Refusal> {
    match error {
        Error::Unauthenticated => Ok(Faults::one("/present", "this is not your password")),
        error => Faults::from_error(error),
    }
}

async fn offer(State(desk): State<Desk>, visitor: Visitor) -> Answer {
    if visitor.session.operator.has_totp {
        return Ok(layout::went(PATH, Notice::TotpOn));
    }
    visitor.must_be_sure(&desk, TOTP)?;
    authenticator(&desk, &visitor, &Faults::none()).await
}

/// The secret of an authenticator, until a code of it was given.
async fn authenticator(desk: &Desk, visitor: &Visitor, wrong: &Faults) -> Answer {
    let offer = desk.service.begin_totp(&visitor.session).await?;
    let body = html! {
        h1 { "Set up an authenticator" }
        (faults(wrong, &["/code"]))
        div.card {
            p { "Read this with an authenticator on your phone, or type the secret into it." }
            (drawn(&offer.uri))
            div.row { code.secret-text { (offer.secret_base32) } (copy(&offer.secret_base32, "the secret")) }
            p { a href=(offer.uri) { "Open it in an authenticator on this device" } }
        }
        form.card method="post" action=(TOTP) {
            (csrf_field(visitor))
            (code(wrong.of("/code")))
            div.row { button.main type="submit" { "Turn on" } a.button.quiet href=(PATH) { "Cancel" } }
        }
    };
    let place = Place::of_installation(Tab::Profile, "Authenticator").below(PATH, "Profile");
    Ok(layout::page(visitor, place, body))
}

/// The URI as a picture for a camera; nothing when it has no room in one.
fn drawn(uri: &str) -> Markup {
    let Ok(qr) = QrCode::new(uri) else { return html! {} };
    let size = qr.width();
    let dark =
        qr.to_colors().into_iter().enumerate().filter(|(_, color)| *color == qrcode::Color::Dark);
    let path: String =
        dark.map(|(at, _)| format!("M{} {}h1v1h-1z", at % size, at / size)).collect();
    html! {
        svg.qr role="img" aria-label="QR code of the secret" viewBox=(format!("0 0 {size} {size}"))
            shape-rendering="crispEdges" {
            path d=(PreEscaped(path)) fill="#000" {}
        }
    }
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

async fn confirm(State(desk): State<Desk>, visitor: Visitor, Form(typed): Form<Code>) -> Answer {
    visitor.must_be_sure(&desk, TOTP)?;
    match desk.service.confirm_totp(&visitor.session, typed.code.trim()).await {
        Ok(()) => Ok(layout::went(PATH, Notice::TotpOn)),
        Err(error) => {
            let wrong = Faults::from_error(error)?;
            let page = authenticator(&desk, &visitor, &wrong).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

#[derive(Deserialize)]
struct Present {
    #[serde(rename = "present-totp")]
    present: String,
}

async fn remove(State(desk): State<Desk>, visitor: Visitor, Form(typed): Form<Present>) -> Answer {
    match desk.service.remove_totp(&visitor.session, &typed.present).await {
        Ok(()) => Ok(layout::went(PATH, Notice::TotpOff)),
        Err(error) => {
            let wrong = Wrong { totp: about_password(error)?, ..Wrong::default() };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, profile(&visitor, &wrong)).into_response())
        }
    }
}
