//! `/console/audit`: who did what, newest first; of the installation, or of one app.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use tidings_core::clock::Timestamp;
use tidings_core::id::AppId;
use tidings_service::{App, AuditLine, Caller, PageInput};

use crate::layout::{self, Place, Tab, Tone, badge, empty, pager, select, time};
use crate::path::Query;
use crate::session::Visitor;
use crate::{Answer, Desk, Refusal};

const PATH: &str = "/console/audit";

pub(crate) fn routes() -> Router<Desk> {
    Router::new().route(PATH, get(list))
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    app: String,
    cursor: Option<String>,
}

async fn list(State(desk): State<Desk>, visitor: Visitor, Query(wanted): Query<Wanted>) -> Answer {
    let apps = every_app(&desk, &visitor.installation()).await?;
    let (caller, path) = whose(&desk, &visitor, &wanted, &apps).await?;
    let page = PageInput {
        cursor: wanted.cursor.clone(),
        limit: Some(tidings_core::limits::CONSOLE_PAGE),
    };
    let lines = desk.service.audit(&caller, &page).await?;
    let now = desk.service.now();
    let body = html! {
        div.head { h1 { "Audit log" } }
        p { "Each line holds the one before it; " code { "tidings audit verify" } " finds a line that was changed or taken out." }
        (filter(&visitor, &apps, caller.app_id()))
        @if lines.items.is_empty() {
            (empty("Nothing was done here yet.", html! { a href="/console/" { "To the apps" } }))
        } @else {
            (table(&lines.items, now))
            (pager(&path, lines.next.as_deref(), wanted.cursor.is_none()))
        }
    };
    Ok(layout::page(&visitor, Place::of_installation(Tab::Audit, "Audit log"), body))
}

/// The log that is shown and its path. The installation's is for owners: others see the first app's.
async fn whose(
    desk: &Desk,
    visitor: &Visitor,
    wanted: &Wanted,
    apps: &[App],
) -> Result<(Caller, String), Refusal> {
    let named = match wanted.app.as_str() {
        "" if visitor.is_owner() => return Ok((visitor.installation(), PATH.to_owned())),
        "" => apps.first().map(|app| app.id).ok_or(Refusal::NoSuchPage)?,
        text => text.parse::<AppId>().map_err(|_| Refusal::NoSuchPage)?,
    };
    Ok((visitor.caller(desk, named).await?, format!("{PATH}?app={named}")))
}

async fn every_app(desk: &Desk, caller: &Caller) -> Result<Vec<App>, Refusal> {
    let page = PageInput { cursor: None, limit: Some(tidings_core::limits::PAGE_MAX) };
    Ok(desk.service.apps(caller, &page).await?.items)
}

fn filter(visitor: &Visitor, apps: &[App], shown: Option<AppId>) -> Markup {
    let ids: Vec<_> = apps.iter().map(|app| (app.id.to_string(), app.name.as_str())).collect();
    let shown = shown.map(|app| app.to_string()).unwrap_or_default();
    let installation = visitor.is_owner().then_some(("", "The installation"));
    let named = ids.iter().map(|(id, name)| (id.as_str(), *name));
    let options: Vec<_> = installation.into_iter().chain(named).collect();
    html! {
        form.filter method="get" action=(PATH) {
            (select("Log of", "app", &shown, &options, "", None))
            button.quiet type="submit" { "Show" }
        }
    }
}

fn table(lines: &[AuditLine], now: Timestamp) -> Markup {
    html! {
        table.cards {
            caption.unseen { "Audit log" }
            thead { tr { th { "When" } th { "Who" } th { "What" } th { "To what" } th { "Address" } th { "More" } } }
            tbody {
                @for line in lines {
                    tr {
                        td data-name="When" { (time(line.at, now)) }
                        td data-name="Who" { code { (line.actor) } }
                        td data-name="What" { (line.action) " " @if line.denied { (badge(Tone::Bad, "denied")) } }
                        td data-name="To what" { code { (line.object) } }
                        td data-name="Address" { (line.address.as_deref().unwrap_or("-")) }
                        td data-name="More" { (more(&line.detail)) }
                    }
                }
            }
        }
    }
}

fn more(detail: &Value) -> Markup {
    let is_empty = detail.as_object().is_none_or(serde_json::Map::is_empty);
    html! { @if !is_empty { code { (detail) } } @else { span.quiet { "-" } } }
}
