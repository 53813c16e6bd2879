//! `/console/apps/{app}/changes/{change}`: one change, its data and what became of it.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use maud::{Markup, html};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, ChangeId};
use tidings_core::limits;
use tidings_service::{Caller, Change, Delivery, DeliveryQuery, PageInput};

use super::document;
use crate::layout::{self, Place, Tab, definition, empty, status_badge, time, time_or};
use crate::path::Path;
use crate::session::Visitor;
use crate::{Answer, Desk, Refusal, live};

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/console/apps/{app}/changes/{change}", get(show))
        .route("/console/apps/{app}/changes/{change}/live", get(follow))
}

async fn show(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, change)): Path<(AppId, ChangeId)>,
) -> Answer {
    let caller = visitor.caller(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    let change = desk.service.change(&caller, change).await?;
    let base = format!("/console/apps/{id}");
    let now = desk.service.now();
    let deliveries = deliveries(&desk, &caller, id, change.id).await?;
    let data = change.data.as_deref().map(String::from_utf8_lossy);
    let body = html! {
        div.head { h1 { (change.kind) " " span.quiet { "number " (change.seq) } } }
        (facts(&base, &change, now))
        h2 { "Deliveries" }
        section data-live=(format!("{base}/changes/{}/live", change.id)) { (deliveries) }
        h2 { "Data" }
        @match data {
            Some(data) => (document::shown(&data, "the data")),
            None => p { "The data is erased: its account or its end user was deleted. The change keeps its number." }
        }
    };
    let title = format!("Change {}", change.seq);
    let place =
        Place::of_app(&app, Tab::Changes, &title).below(format!("{base}/changes"), "Changes");
    Ok(layout::page(&visitor, place, body))
}

async fn follow(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, change)): Path<(AppId, ChangeId)>,
) -> Answer {
    let caller = visitor.caller(&desk, id).await?;
    let of_page = desk.clone();
    Ok(live::stream(&desk, caller.clone(), move || {
        let (desk, caller) = (of_page.clone(), caller.clone());
        async move { deliveries(&desk, &caller, id, change).await }
    }))
}

fn facts(base: &str, change: &Change, now: Timestamp) -> Markup {
    let mut rows = vec![
        ("Happened", time(change.occurred_at, now)),
        ("Recorded", time(change.recorded_at, now)),
        ("From", html! { (change.provider.as_deref().unwrap_or(change.origin.as_str())) }),
    ];
    if let Some(account) = change.account {
        let path = format!("{base}/accounts/{account}");
        rows.push(("Account", html! { a href=(path) { (account) } }));
    }
    if let Some(item) = &change.item {
        rows.push(("Item at its provider", html! { code { (item) } }));
    }
    if let Some(key) = &change.order_key {
        rows.push(("Order key", html! { code { (key) } }));
    }
    rows.push(("Id", html! { code { (change.id) } }));
    definition(&rows)
}

/// What keeps itself up to date.
async fn deliveries(
    desk: &Desk,
    caller: &Caller,
    app: AppId,
    change: ChangeId,
) -> Result<Markup, Refusal> {
    let query = DeliveryQuery { change: Some(change), ..DeliveryQuery::default() };
    let page = PageInput { cursor: None, limit: Some(limits::CONSOLE_PAGE) };
    let found = desk.service.deliveries(caller, query, &page).await?;
    let now = desk.service.now();
    Ok(html! {
        @if found.items.is_empty() {
            (empty("No webhook was called for this change alone or first.", html! {
                p { "Either no webhook asks for its type, or it has not come to it yet, or it went out in one request \
                     with earlier changes. The ledger of a webhook says which." }
            }))
        } @else {
            table.cards {
                caption.unseen { "Deliveries" }
                thead { tr {
                    th scope="col" { "Delivery" } th scope="col" { "Webhook" } th scope="col" { "State" }
                    th.number scope="col" { "Attempts" } th scope="col" { "Next attempt" }
                } }
                tbody { @for delivery in &found.items { (row(app, delivery, now)) } }
            }
            @if found.next.is_some() { p.quiet { "More webhooks than these were called." } }
        }
    })
}

fn row(app: AppId, delivery: &Delivery, now: Timestamp) -> Markup {
    let base = format!("/console/apps/{app}");
    html! {
        tr {
            td data-name="Delivery" {
                a href=(format!("{base}/deliveries/{}", delivery.id)) { code { (delivery.id) } }
            }
            td data-name="Webhook" { a href=(format!("{base}/webhooks/{}", delivery.hook)) { code { (delivery.hook) } } }
            td data-name="State" {
                (status_badge(delivery.status.as_str()))
                @if let Some(reason) = &delivery.reason { " " small.quiet { (reason) } }
            }
            td.number data-name="Attempts" { (delivery.attempts) }
            td data-name="Next attempt" { (time_or(delivery.next_attempt_at, now, "none")) }
        }
    }
}
