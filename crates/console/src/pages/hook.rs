//! `/…/webhooks/{hook}`: one webhook, its deliveries as they happen, and what can be done with it.

mod settings;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::hook::{Consent, HookStatus};
use tidings_core::id::HookId;
use tidings_service::{
    Delivery, DeliveryQuery, DeliveryStatus, EnableFrom, Hook, Page, PageInput, Service,
};

use super::side::Side;
use crate::form::Form;
use crate::layout::{self, Icon, empty, notice, pager, select, status_badge, time_or};
use crate::notice::{Kind, Notice};
use crate::path::{Path, Query};
use crate::{Answer, Desk, Refusal, live};

/// Deliveries on the page of a webhook; its list of deliveries has all.
const RECENT: u32 = 20;

pub(crate) fn routes() -> Router<Desk> {
    let of = |base: &str| {
        let path = |rest: &str| format!("{base}/webhooks/{{hook}}{rest}");
        Router::new()
            .route(&path(""), get(show))
            .route(&path("/live"), get(stream))
            .route(&path("/deliveries"), get(deliveries))
            .route(&path("/test"), post(test))
            .route(&path("/pause"), post(pause))
            .route(&path("/enable"), post(enable))
            .route(&path("/ask"), post(ask_receiver))
    };
    of("/console/apps/{app}").merge(of("/portal"))
}

/// The webhook in a path.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct OfHook {
    pub(super) hook: HookId,
}

/// What people see of a webhook in lists: where it leads.
pub(super) fn name_of(hook: &Hook) -> &str {
    hook.url.as_deref().unwrap_or("the app's webhook URL")
}

/// The step to a webhook's page.
pub(super) fn crumb(hook: &Hook) -> (String, String) {
    (format!("/webhooks/{}", hook.id), name_of(hook).to_owned())
}

/// Whether it delivers, and well.
pub(super) fn state_badge(hook: &Hook) -> Markup {
    match hook.status {
        HookStatus::Active if hook.failing_since.is_some() => status_badge("failing"),
        status => status_badge(status.as_str()),
    }
}

async fn show(State(desk): State<Desk>, side: Side, Path(OfHook { hook }): Path<OfHook>) -> Answer {
    let hook = desk.service.hook(&side.caller, hook).await?;
    let path = format!("/webhooks/{}", hook.id);
    let body = html! {
        div.head {
            h1 { (name_of(&hook)) }
            @if side.may_change() { (actions(&side, &hook)) }
        }
        @if !hook.description.is_empty() { p { (hook.description) } }
        section data-live=(side.path(format_args!("{path}/live"))) aria-label="State and recent deliveries" {
            (happenings(&desk.service, &side, hook.id).await?)
        }
        h2 { "Settings" }
        (settings::settings(&side, &hook, desk.service.now()))
    };
    Ok(side.page(name_of(&hook), &[], body))
}

fn actions(side: &Side, hook: &Hook) -> Markup {
    let path = format!("/webhooks/{}", hook.id);
    let go = |rest: &str| side.path(format_args!("{path}{rest}"));
    html! {
        div.row {
            (side.button(&format!("{path}/test"), "main", Some(Icon::Send), "Send test event"))
            @if hook.status == HookStatus::Active {
                (side.button(&format!("{path}/pause"), "quiet", Some(Icon::Paused), "Pause"))
            }
            a.button.quiet href=(go("/replay")) { (Icon::Again) "Replay" }
            a.button.quiet href=(go("/secret")) { (Icon::Keys) "Secret" }
            a.button.quiet href=(go("/edit")) { "Edit" }
            a.button.danger href=(go("/delete")) { "Delete" }
        }
    }
}

/// The live part: how the webhook stands, and what it delivered last.
async fn happenings(service: &Service, side: &Side, id: HookId) -> Result<Markup, Refusal> {
    let hook = service.hook(&side.caller, id).await?;
    let query = DeliveryQuery { hook: Some(id), ..DeliveryQuery::default() };
    let input = PageInput { limit: Some(RECENT), ..PageInput::default() };
    let recent = service.deliveries(&side.caller, query, &input).await?;
    let now = service.now();
    Ok(html! {
        (standing(side, &hook))
        dl.stats {
            div { dt { "State" } dd { (state_badge(&hook)) } }
            div { dt { "Attempts" } dd { (hook.runs) } }
            div { dt { "Failed" } dd { (hook.failures) } }
            div { dt { "Failed in a row" } dd { (hook.consecutive_failures) } }
            div { dt { "Failing since" } dd { (time_or(hook.failing_since, now, "-")) } }
        }
        h2 { "Recent deliveries" }
        @if recent.items.is_empty() {
            (empty("Nothing was delivered yet. What matches the triggers arrives here as it happens.", html! {
                @if side.may_change() { p { "Send a test event to see the first one." } }
            }))
        } @else {
            (delivery_table(side, &recent.items, now))
            p { a href=(side.path(format_args!("/webhooks/{id}/deliveries"))) { "All deliveries" } }
        }
    })
}

/// Why the webhook stands still, and the way on.
fn standing(side: &Side, hook: &Hook) -> Markup {
    if hook.status == HookStatus::Active {
        return html! {};
    }
    let path = format!("/webhooks/{}", hook.id);
    let reason = hook.status_reason.as_deref().unwrap_or("no reason is noted");
    let waits = matches!(hook.consent, Some(Consent::Asked | Consent::Refused));
    html! {
        (notice(Kind::Warning, html! {
            "This webhook is " (hook.status.as_str()) ": " (reason) ". What happens meanwhile is kept for it."
        }))
        @if side.may_change() {
            @if waits {
                (side.button(&format!("{path}/ask"), "main", None, "Ask the receiver again"))
            } @else {
                form.filter method="post" action=(side.path(format_args!("{path}/enable"))) {
                    (side.csrf())
                    (select("Go on", "from", "", &[
                        ("", "as the format has it"),
                        ("backlog", "with everything that waits"),
                        ("now", "with what comes from now on; what waits is skipped"),
                    ], "", None))
                    button.main type="submit" { "Enable" }
                }
            }
        }
    }
}

/// Deliveries, newest first: for pages and live parts.
pub(super) fn delivery_table(
    side: &Side,
    deliveries: &[Delivery],
    now: tidings_core::clock::Timestamp,
) -> Markup {
    html! {
        table.cards {
            caption.unseen { "Deliveries" }
            thead {
                tr {
                    th scope="col" { "Delivery" } th scope="col" { "State" } th scope="col" { "Changes" }
                    th.number scope="col" { "Attempts" } th scope="col" { "Last attempt" }
                    th scope="col" { "Next attempt" } th scope="col" { "Why" }
                }
            }
            tbody {
                @for delivery in deliveries {
                    tr {
                        td data-name="Delivery" {
                            a href=(side.path(format_args!("/deliveries/{}", delivery.id))) { code { (delivery.id) } }
                        }
                        td data-name="State" { (delivery_badge(delivery)) }
                        td data-name="Changes" { (members(delivery)) }
                        td.number data-name="Attempts" { (delivery.attempts) }
                        td data-name="Last attempt" { (time_or(delivery.last_attempt_at, now, "-")) }
                        td data-name="Next attempt" {
                            @match delivery.next_attempt_at {
                                Some(at) if at <= now => "now",
                                at => (time_or(at, now, "-")),
                            }
                        }
                        td data-name="Why" { (delivery.reason.as_deref().unwrap_or("-")) }
                    }
                }
            }
        }
    }
}

/// What became of a delivery.
pub(super) fn delivery_badge(delivery: &Delivery) -> Markup {
    status_badge(match delivery.status {
        DeliveryStatus::Parked => "retrying",
        status => status.as_str(),
    })
}

/// `42`, or `40 to 42 (3)`.
pub(super) fn members(delivery: &Delivery) -> String {
    if delivery.first_seq == delivery.last_seq {
        return delivery.first_seq.to_string();
    }
    format!("{} to {} ({})", delivery.first_seq, delivery.last_seq, delivery.changes)
}

async fn stream(
    State(desk): State<Desk>,
    side: Side,
    Path(OfHook { hook }): Path<OfHook>,
) -> Answer {
    desk.service.hook(&side.caller, hook).await?;
    let (service, side) = (desk.service.clone(), std::sync::Arc::new(side));
    Ok(live::stream(&desk, side.caller.clone(), move || {
        let (service, side) = (service.clone(), side.clone());
        async move { happenings(&service, &side, hook).await }
    }))
}

/// Which deliveries are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    status: String,
    cursor: Option<String>,
}

async fn deliveries(
    State(desk): State<Desk>,
    side: Side,
    Path(OfHook { hook }): Path<OfHook>,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let hook = desk.service.hook(&side.caller, hook).await?;
    let query = DeliveryQuery {
        hook: Some(hook.id),
        status: DeliveryStatus::parse(&wanted.status),
        ..DeliveryQuery::default()
    };
    let limit = Some(tidings_core::limits::CONSOLE_PAGE);
    let input = PageInput { cursor: wanted.cursor.clone(), limit };
    let page = desk.service.deliveries(&side.caller, query, &input).await?;
    Ok(all_deliveries(&side, &hook, &wanted, &page, desk.service.now()))
}

fn all_deliveries(
    side: &Side,
    hook: &Hook,
    wanted: &Wanted,
    page: &Page<Delivery>,
    now: tidings_core::clock::Timestamp,
) -> Response {
    let path = side.path(format_args!("/webhooks/{}/deliveries", hook.id));
    let states = [
        ("", "All"),
        ("delivered", "Delivered"),
        ("parked", "Retrying"),
        ("exhausted", "Given up"),
        ("pending", "Being settled"),
    ];
    let known =
        states.iter().find(|(state, _)| *state == wanted.status).map_or("", |(state, _)| state);
    let first = if known.is_empty() { path.clone() } else { format!("{path}?status={known}") };
    let body = html! {
        h1 { "Deliveries" }
        form.filter method="get" action=(path) {
            (select("State", "status", known, &states, "", None))
            button.quiet type="submit" { "Show" }
        }
        @if page.items.is_empty() {
            (empty("There is no delivery like that.", html! {
                a href=(side.path(format_args!("/webhooks/{}", hook.id))) { "Back to the webhook" }
            }))
        } @else { (delivery_table(side, &page.items, now)) }
        (pager(&first, page.next.as_deref(), wanted.cursor.is_none()))
    };
    side.page("Deliveries", &[crumb(hook)], body)
}

async fn test(State(desk): State<Desk>, side: Side, Path(OfHook { hook }): Path<OfHook>) -> Answer {
    side.must_change()?;
    desk.service.test_hook(&side.caller, hook).await?;
    Ok(layout::went(side.path(format_args!("/webhooks/{hook}")), Notice::TestSent))
}

async fn pause(
    State(desk): State<Desk>,
    side: Side,
    Path(OfHook { hook }): Path<OfHook>,
) -> Answer {
    side.must_change()?;
    desk.service.pause_hook(&side.caller, hook).await?;
    Ok(layout::went(side.path(format_args!("/webhooks/{hook}")), Notice::HookPaused))
}

/// Where an enabled webhook goes on.
#[derive(Debug, Deserialize)]
struct Onward {
    #[serde(default)]
    from: String,
}

async fn enable(
    State(desk): State<Desk>,
    side: Side,
    Path(OfHook { hook }): Path<OfHook>,
    Form(onward): Form<Onward>,
) -> Answer {
    side.must_change()?;
    let from = match onward.from.as_str() {
        "backlog" => EnableFrom::Backlog,
        "now" => EnableFrom::Now,
        _ => EnableFrom::Usual,
    };
    desk.service.enable_hook(&side.caller, hook, from).await?;
    Ok(layout::went(side.path(format_args!("/webhooks/{hook}")), Notice::HookEnabled))
}

async fn ask_receiver(
    State(desk): State<Desk>,
    side: Side,
    Path(OfHook { hook }): Path<OfHook>,
) -> Answer {
    side.must_change()?;
    desk.service.verify_hook(&side.caller, hook).await?;
    Ok(layout::went(side.path(format_args!("/webhooks/{hook}")), Notice::Saved))
}
