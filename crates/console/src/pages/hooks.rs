//! `/…/webhooks`: the webhooks of an app, or of an end user.

use axum::Router;
use axum::extract::State;
use axum::response::Redirect;
use axum::routing::get;
use maud::{Markup, html};
use tidings_core::clock::Timestamp;
use tidings_service::Hook;

use super::apps::Turn;
use super::hook::{name_of, state_badge};
use super::side::Side;
use crate::layout::{Icon, empty, pager, time_or};
use crate::path::Query;
use crate::{Answer, Desk};

/// Triggers shown of each webhook.
const TRIGGERS_SHOWN: usize = 3;

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/console/apps/{app}/webhooks", get(list))
        .route("/portal/webhooks", get(list))
        .route("/portal", get(portal))
        .route("/portal/", get(portal))
}

async fn portal() -> Redirect {
    Redirect::to("/portal/webhooks")
}

async fn list(State(desk): State<Desk>, side: Side, Query(turn): Query<Turn>) -> Answer {
    let hooks = desk.service.hooks(&side.caller, &turn.input()).await?;
    let now = desk.service.now();
    let new = side.path("/webhooks/new");
    let body = html! {
        div.head {
            h1 { "Webhooks" }
            @if side.may_change() { a.button.main href=(new) { (Icon::Plus) "Create Webhook" } }
        }
        @if hooks.items.is_empty() {
            (empty("A webhook sends what happens to a URL of yours, as it happens. There is none yet.", html! {
                @if side.may_change() { a.button href=(new) { "Create the first webhook" } }
                @if !side.is_portal() {
                    p.quiet {
                        "No receiver at hand? " a href=(side.path("/inboxes")) { "Make an inbox" }
                        " and give its URL to a webhook."
                    }
                }
            }))
        } @else {
            (table(&side, &hooks.items, now))
            (pager(&side.path("/webhooks"), hooks.next.as_deref(), turn.is_first()))
        }
    };
    Ok(side.page("Webhooks", &[], body))
}

fn table(side: &Side, hooks: &[Hook], now: Timestamp) -> Markup {
    html! {
        table.cards {
            caption.unseen { "Webhooks" }
            thead {
                tr {
                    th scope="col" { "URL" } th scope="col" { "State" } th scope="col" { "Format" }
                    th scope="col" { "Triggers" } th.number scope="col" { "Attempts" }
                    th.number scope="col" { "Failed" } th scope="col" { "Failing since" }
                }
            }
            tbody {
                @for hook in hooks {
                    tr {
                        td data-name="URL" {
                            div {
                                a href=(side.path(format_args!("/webhooks/{}", hook.id))) { (name_of(hook)) }
                                @if !hook.description.is_empty() { div.quiet { (hook.description) } }
                            }
                        }
                        td data-name="State" { (state_badge(hook)) }
                        td data-name="Format" { code { (hook.format) } }
                        td data-name="Triggers" { (triggers(&hook.triggers)) }
                        td.number data-name="Attempts" { (hook.runs) }
                        td.number data-name="Failed" { (hook.failures) }
                        td data-name="Failing since" { (time_or(hook.failing_since, now, "-")) }
                    }
                }
            }
        }
    }
}

fn triggers(all: &[String]) -> Markup {
    let more = all.len().saturating_sub(TRIGGERS_SHOWN);
    html! {
        span {
            (all.iter().take(TRIGGERS_SHOWN).cloned().collect::<Vec<_>>().join(", "))
            @if more > 0 { span.quiet { " and " (more) " more" } }
        }
    }
}
