//! `/…/webhooks/{hook}/secret`: the signing secret is shown or replaced. No other page shows it.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::limits;
use tidings_service::{Hook, RotateSecret};

use super::hook::{OfHook, crumb};
use super::side::{Side, faults_of};
use crate::form::{Faults, Form, filled};
use crate::layout::{Control, copy, faults, notice, select, time_or};
use crate::notice::Kind;
use crate::path::Path;
use crate::{Answer, Desk};

const HOUR_MS: i64 = 3_600_000;

pub(crate) fn routes() -> Router<Desk> {
    let of = |base: &str| {
        let path = |rest: &str| format!("{base}/webhooks/{{hook}}/secret{rest}");
        // Both answers hold a secret, so a form asks for them: nothing prefetches, repeats or links to it.
        Router::new()
            .route(&path(""), get(show))
            .route(&path("/reveal"), post(reveal).get(back))
            .route(&path("/rotate"), post(rotate).get(back))
    };
    of("/console/apps/{app}").merge(of("/portal"))
}

/// Whoever loads an answer anew begins again.
async fn back(side: Side, Path(OfHook { hook }): Path<OfHook>) -> axum::response::Redirect {
    axum::response::Redirect::to(&side.path(format_args!("/webhooks/{hook}/secret")))
}

async fn show(State(desk): State<Desk>, side: Side, Path(OfHook { hook }): Path<OfHook>) -> Answer {
    side.must_change()?;
    let hook = desk.service.hook(&side.caller, hook).await?;
    Ok(page(&side, &hook, &html! {}, &Faults::none()))
}

async fn reveal(
    State(desk): State<Desk>,
    side: Side,
    Path(OfHook { hook }): Path<OfHook>,
) -> Answer {
    side.must_change()?;
    side.must_be_sure(&desk, &side.path(format_args!("/webhooks/{hook}/secret")))?;
    let secrets = desk.service.reveal_hook_secret(&side.caller, hook).await?;
    let hook = desk.service.hook(&side.caller, hook).await?;
    let now = desk.service.now();
    let shown = html! {
        section.secret aria-label="Signing secret" {
            h2 { "Signing secret" }
            @for revealed in &secrets {
                @let text = revealed.secret.reveal();
                div.row { code.secret-text { (text) } (copy(&text, "the secret")) }
                @if revealed.expires_at.is_some() {
                    p.quiet { "Replaced; signs beside the newer one until " (time_or(revealed.expires_at, now, "")) "." }
                }
            }
            p.quiet { "This look is written into the audit log." }
        }
    };
    Ok(page(&side, &hook, &shown, &Faults::none()))
}

/// How the secret is replaced.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Typed {
    overlap_h: String,
    secret: String,
}

impl Default for Typed {
    fn default() -> Self {
        Self { overlap_h: "24".into(), secret: String::new() }
    }
}

async fn rotate(
    State(desk): State<Desk>,
    side: Side,
    Path(OfHook { hook }): Path<OfHook>,
    Form(typed): Form<Typed>,
) -> Answer {
    side.must_change()?;
    side.must_be_sure(&desk, &side.path(format_args!("/webhooks/{hook}/secret")))?;
    let hours: Option<i64> = typed.overlap_h.trim().parse().ok();
    let overlap_ms = hours.map(|hours| hours.saturating_mul(HOUR_MS));
    let input = RotateSecret { secret: filled(&typed.secret), overlap_ms };
    let rotated = desk.service.rotate_hook_secret(&side.caller, hook, input).await;
    let hook = desk.service.hook(&side.caller, hook).await?;
    match rotated {
        Ok(rotated) => {
            let now = desk.service.now();
            let until = time_or(Some(rotated.overlap_until), now, "");
            let shown = html! {
                (notice(Kind::Good, html! { "There is a new secret. The old one signs beside it; that ends " (until) "." }))
                section.secret aria-label="New signing secret" {
                    h2 { "New signing secret" }
                    div.row { code.secret-text { (rotated.secret.reveal()) } (copy(&rotated.secret.reveal(), "the secret")) }
                    p { "Put it where your receiver has the old one." }
                }
            };
            Ok(page(&side, &hook, &shown, &Faults::none()))
        }
        Err(error) => {
            let page = page(&side, &hook, &html! {}, &faults_of(error)?);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

fn page(side: &Side, hook: &Hook, shown: &Markup, wrong: &Faults) -> Response {
    let path = format!("/webhooks/{}/secret", hook.id);
    let days = limits::SECRET_OVERLAP_MAX_MS / HOUR_MS / 24;
    let longest = (days * 24).to_string();
    let weeks = format!("{days} days");
    let own = Control {
        label: "Secret of your own",
        name: "secret",
        kind: "password",
        hint: "whsec_ and the base64 of 24 to 64 bytes. Empty: one is made.",
        error: wrong.of("/secret"),
        autocomplete: "new-password",
        ..Control::default()
    };
    let body = html! {
        h1 { "Signing secret" }
        (shown)
        p {
            "Receivers check with it that a request comes from here and that nobody changed it: the header "
            code { "webhook-signature" } " is made with it."
        }
        (side.button(&format!("{path}/reveal"), "main", None, "Reveal secret"))
        h2 { "Rotate" }
        p { "A new secret takes over. The old one goes on signing beside it for a while, so that receivers have time." }
        (faults(wrong, &["/secret", "/overlap_ms"]))
        form.card method="post" action=(side.path(format_args!("{path}/rotate"))) {
            (side.csrf())
            (select("The old secret signs on for", "overlap_h", "24", &[
                ("0", "No time: it is known to somebody else"),
                ("1", "1 hour"),
                ("24", "1 day"),
                (&longest, &weeks),
            ], "", wrong.of("/overlap_ms")))
            details open[wrong.of("/secret").is_some()] { summary { "More" } (own.shown()) }
            button type="submit" { "Rotate secret" }
        }
    };
    side.page("Signing secret", &[crumb(hook)], body)
}
