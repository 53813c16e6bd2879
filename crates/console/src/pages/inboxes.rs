//! `/…/inboxes`: URLs for trying webhooks out, and what they received, live.

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, InboxId};
use tidings_service::{App, Caller, Inbox, InboxRequest, Service};
use url::form_urlencoded;

use crate::layout::{
    self, Icon, Place, Tab, code_block, copy, csrf_field, danger_button, empty, time,
};
use crate::notice::Notice;
use crate::path::Path;
use crate::session::Visitor;
use crate::{Answer, Desk, Refusal, live};

/// Requests shown, the newest first.
const SHOWN: usize = 50;

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/console/apps/{app}/inboxes", get(list).post(create))
        .route("/console/apps/{app}/inboxes/{inbox}", get(show))
        .route("/console/apps/{app}/inboxes/{inbox}/live", get(stream))
        .route("/console/apps/{app}/inboxes/{inbox}/delete", post(delete))
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct OfInbox {
    app: AppId,
    inbox: InboxId,
}

async fn enter(desk: &Desk, visitor: &Visitor, app: AppId) -> Result<(Caller, App), Refusal> {
    let caller = visitor.caller(desk, app).await?;
    let app = desk.service.app(&caller, app).await?;
    Ok((caller, app))
}

async fn list(State(desk): State<Desk>, visitor: Visitor, Path(app): Path<AppId>) -> Answer {
    let (caller, app) = enter(&desk, &visitor, app).await?;
    let inboxes = desk.service.inboxes(&caller)?;
    let path = format!("/console/apps/{}/inboxes", app.id);
    let now = desk.service.now();
    let create = html! {
        form.inline method="post" action=(path) {
            (csrf_field(&visitor))
            button.main type="submit" { (Icon::Plus) "Create inbox" }
        }
    };
    let body = html! {
        div.head {
            h1 { "Inboxes" }
            @if visitor.may_change() && !inboxes.is_empty() { (create) }
        }
        p.quiet { "An inbox takes any request and shows it. It lives in memory, until the server stops." }
        @if inboxes.is_empty() {
            (empty("An inbox is a URL for trying out: give it to a webhook and see what arrives.", html! {
                @if visitor.may_change() { (create) }
            }))
        } @else {
            table.cards {
                caption.unseen { "Inboxes" }
                thead { tr { th scope="col" { "Inbox" } th.number scope="col" { "Requests" } th scope="col" { "Created" } } }
                tbody {
                    @for inbox in &inboxes {
                        tr {
                            td data-name="Inbox" { a href=(format!("{path}/{}", inbox.id)) { code { (inbox.id) } } }
                            td.number data-name="Requests" { (inbox.requests) }
                            td data-name="Created" { (time(inbox.created_at, now)) }
                        }
                    }
                }
            }
        }
    };
    Ok(layout::page(&visitor, Place::of_app(&app, Tab::Inboxes, "Inboxes"), body))
}

async fn create(State(desk): State<Desk>, visitor: Visitor, Path(app): Path<AppId>) -> Answer {
    let caller = visitor.changing(&desk, app).await?;
    let inbox = desk.service.create_inbox(&caller).await?;
    let to = format!("/console/apps/{app}/inboxes/{}", inbox.id);
    Ok(layout::went(to, Notice::InboxCreated))
}

async fn show(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path(at): Path<OfInbox>,
    headers: HeaderMap,
) -> Answer {
    let (caller, app) = enter(&desk, &visitor, at.app).await?;
    let inbox = find(&desk.service, &caller, at.inbox)?;
    let url = address(&desk, &headers, &inbox);
    let base = format!("/console/apps/{}", app.id);
    let fill = form_urlencoded::Serializer::new(String::new()).append_pair("url", &url).finish();
    let body = html! {
        div.head {
            h1 { "Inbox" }
            @if visitor.may_change() {
                div.row {
                    a.button.main href=(format!("{base}/webhooks/new?{fill}")) { "Create Webhook to it" }
                    (danger_button(&visitor, &format!("{base}/inboxes/{}/delete", inbox.id), "Delete"))
                }
            }
        }
        p { "Send something to it:" }
        div.row { code.secret-text { (url) } (copy(&url, "the URL")) }
        p.quiet { "Whoever knows this URL may send to it." }
        section data-live=(format!("{base}/inboxes/{}/live", inbox.id)) aria-label="Requests" {
            (received(&desk.service, &caller, at.inbox)?)
        }
    };
    let place =
        Place::of_app(&app, Tab::Inboxes, "Inbox").below(format!("{base}/inboxes"), "Inboxes");
    Ok(layout::page(&visitor, place, body))
}

fn find(service: &Service, caller: &Caller, id: InboxId) -> Result<Inbox, Refusal> {
    let found = service.inboxes(caller)?.into_iter().find(|inbox| inbox.id == id);
    found.ok_or_else(|| tidings_service::Error::NotFound("inbox").into())
}

/// The inbox's URL as this browser would reach it.
fn address(desk: &Desk, headers: &HeaderMap, inbox: &Inbox) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let scheme = if desk.options.secure { "https" } else { "http" };
    format!("{scheme}://{host}/inbox/{}", inbox.token)
}

/// The live part: requests, the newest first.
fn received(service: &Service, caller: &Caller, id: InboxId) -> Result<Markup, Refusal> {
    let requests = service.inbox_requests(caller, id)?;
    let now = service.now();
    Ok(html! {
        h2 { "Requests (" (requests.len()) ")" }
        @if requests.is_empty() {
            (empty("Nothing arrived yet. What is sent to the URL appears here by itself.", ""))
        }
        @for (place, request) in requests.iter().enumerate().rev().take(SHOWN) {
            (one(request, place + 1 == requests.len(), now))
        }
    })
}

fn one(request: &InboxRequest, open: bool, now: Timestamp) -> Markup {
    let name = format!("request-{}", request.received_at.0);
    html! {
        details.card id=(name) open[open] {
            summary { strong { (request.method) } " " code { (request.target) } " " (time(request.received_at, now)) }
            dl.definition.headers {
                @for (name, value) in &request.headers { div { dt { code { (name) } } dd { code { (value) } } } }
            }
            @if request.body.is_empty() { p.quiet { "No body." } } @else {
                (code_block(&String::from_utf8_lossy(&request.body), "the body"))
            }
        }
    }
}

async fn stream(State(desk): State<Desk>, visitor: Visitor, Path(at): Path<OfInbox>) -> Answer {
    let caller = visitor.caller(&desk, at.app).await?;
    find(&desk.service, &caller, at.inbox)?;
    let service = desk.service.clone();
    Ok(live::stream(&desk, caller.clone(), move || {
        let (service, caller) = (service.clone(), caller.clone());
        async move { received(&service, &caller, at.inbox) }
    }))
}

async fn delete(State(desk): State<Desk>, visitor: Visitor, Path(at): Path<OfInbox>) -> Answer {
    let caller = visitor.changing(&desk, at.app).await?;
    desk.service.delete_inbox(&caller, at.inbox).await?;
    Ok(layout::went(format!("/console/apps/{}/inboxes", at.app), Notice::Deleted))
}
