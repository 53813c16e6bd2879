//! `/…/deliveries/{delivery}`: every attempt of a delivery, its request, what went wrong and what to do about it.

mod attempt;
mod by_hand;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::clock::Timestamp;
use tidings_core::id::DeliveryId;
use tidings_service::{Attempt, Delivery, DeliveryRequest, DeliveryStatus, Service, advice};

use super::hook::{crumb, delivery_badge, members};
use super::side::Side;
use crate::layout::{self, Icon, code_block, definition, notice, time_or};
use crate::notice::{Kind, Notice};
use crate::path::Path;
use crate::refusal::sentence;
use crate::{Answer, Desk, Refusal, live};

pub(crate) fn routes() -> Router<Desk> {
    let of = |base: &str| {
        let path = |rest: &str| format!("{base}/deliveries/{{delivery}}{rest}");
        Router::new()
            .route(&path(""), get(show))
            .route(&path("/live"), get(stream))
            .route(&path("/resend"), post(resend))
            .merge(by_hand::routes(&path("")))
    };
    of("/console/apps/{app}").merge(of("/portal"))
}

/// The delivery in a path.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct OfDelivery {
    delivery: DeliveryId,
}

async fn show(
    State(desk): State<Desk>,
    side: Side,
    Path(OfDelivery { delivery }): Path<OfDelivery>,
) -> Answer {
    let service = &desk.service;
    let found = service.delivery(&side.caller, delivery).await?;
    let hook = service.hook(&side.caller, found.hook).await?;
    let request = service.delivery_request(&side.caller, delivery).await?;
    let path = format!("/deliveries/{delivery}");
    let body = html! {
        div.head {
            h1 { "Delivery" }
            @if side.may_change() {
                div.row {
                    (side.button(&format!("{path}/resend"), "main", Some(Icon::Again), "Resend"))
                    (side.button(&format!("{path}/curl"), "quiet", None, "As curl, signed now"))
                    a.button.quiet href=(side.path(format_args!("{path}/verify"))) { "Verify a signature" }
                }
            }
        }
        section data-live=(side.path(format_args!("{path}/live"))) aria-label="State and attempts" {
            (happenings(service, &side, delivery).await?)
        }
        h2 { "Request body" }
        (body_again(&request))
    };
    Ok(side.page("Delivery", &[crumb(&hook)], body))
}

/// The live part: what became of the delivery, attempt by attempt.
async fn happenings(service: &Service, side: &Side, id: DeliveryId) -> Result<Markup, Refusal> {
    let delivery = service.delivery(&side.caller, id).await?;
    let attempts = service.attempts(&side.caller, id).await?;
    let now = service.now();
    Ok(html! {
        (outline(&delivery, now))
        @if delivery.status != DeliveryStatus::Delivered {
            @if let Some(failed) = attempts.last() { (what_to_do(failed)) }
        }
        h2 { "Attempts" }
        @if attempts.is_empty() {
            p.quiet { "None is kept. It was not tried yet, or its attempts are older than what is kept." }
        }
        // The newest first: that is what people look for.
        @for (place, tried) in attempts.iter().enumerate().rev() {
            (attempt::shown(tried, place + 1, place + 1 == attempts.len(), now))
        }
    })
}

fn outline(delivery: &Delivery, now: Timestamp) -> Markup {
    let next = match delivery.next_attempt_at {
        Some(at) if at <= now => html! { "now" },
        at => time_or(at, now, "-"),
    };
    definition(&[
        ("State", delivery_badge(delivery)),
        ("Id", html! { code { (delivery.id) } " (the header webhook-id)" }),
        ("Changes", html! { (members(delivery)) }),
        ("Attempts", html! { (delivery.attempts) }),
        ("Next attempt", next),
        ("Why", html! { (delivery.reason.as_deref().map_or("-".into(), sentence)) }),
    ])
}

/// The likely cause of a failure, and how to fix it.
fn what_to_do(attempt: &Attempt) -> Markup {
    let Some(advice) = advice(attempt) else { return html! {} };
    html! {
        section.advice.notice.warning aria-label="What to do" {
            p { strong { "Likely cause: " } (sentence(&advice.cause)) }
            p { strong { "What to do: " } (sentence(&advice.fix)) }
        }
    }
}

/// The body as the journal gives it again.
fn body_again(request: &DeliveryRequest) -> Markup {
    let made = match &request.made {
        Ok(made) => made,
        Err(why) => return notice(Kind::Info, html! { "It cannot be shown: " (why) "." }),
    };
    html! {
        @if request.same_hook {
            p.quiet { "Made again from the journal; byte for byte what was sent last, or what will be sent." }
        } @else {
            (notice(Kind::Info, html! {
                "Made again from the journal as the webhook is now. It was changed since the last attempt (or its \
                 secret was), so that what was sent may have been different."
            }))
        }
        @if !made.headers.is_empty() {
            (definition(&made.headers.iter().map(|(name, value)| (name.as_str(), html! { (value) })).collect::<Vec<_>>()))
        }
        @if let Some(kind) = &made.content_type { p.quiet { (kind) } }
        (code_block(&text_of(&made.body), "the request body"))
    }
}

/// Bytes as a text to look at: JSON of one line is spread out by the browser's wrapping only, for it is shown as
/// it is.
fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn stream(
    State(desk): State<Desk>,
    side: Side,
    Path(OfDelivery { delivery }): Path<OfDelivery>,
) -> Answer {
    desk.service.delivery(&side.caller, delivery).await?;
    let (service, side) = (desk.service.clone(), std::sync::Arc::new(side));
    Ok(live::stream(&desk, side.caller.clone(), move || {
        let (service, side) = (service.clone(), side.clone());
        async move { happenings(&service, &side, delivery).await }
    }))
}

async fn resend(
    State(desk): State<Desk>,
    side: Side,
    Path(OfDelivery { delivery }): Path<OfDelivery>,
) -> Answer {
    side.must_change()?;
    desk.service.resend_delivery(&side.caller, delivery).await?;
    Ok(layout::went(side.path(format_args!("/deliveries/{delivery}")), Notice::Resent))
}
