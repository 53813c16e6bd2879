//! `/console/apps/{app}/changes`: the journal, newest first, and searching it.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, AppId};
use tidings_core::limits;
use tidings_service::{App, Caller, Change, ChangeSearch, Error, FoundChanges};
use url::form_urlencoded;

use super::document::beginning;
use crate::form::{Faults, filled};
use crate::layout::{self, Place, Tab, empty, faults, field, time};
use crate::path::{Path, Query};
use crate::session::Visitor;
use crate::{Answer, Desk, Refusal, live};

/// Signs of a change's data in the list.
const BEGINNING: usize = 160;

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/console/apps/{app}/changes", get(list))
        .route("/console/apps/{app}/changes/live", get(follow))
}

/// What is searched for, as the form says it.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    account: String,
    #[serde(default)]
    text: String,
    before: Option<u64>,
}

impl Asked {
    /// Whether everything is wanted, from the newest on.
    fn is_all(&self) -> bool {
        let fields = [&self.kind, &self.account, &self.text];
        self.before.is_none() && fields.iter().all(|field| filled(field).is_none())
    }

    fn search(&self) -> Result<ChangeSearch, Faults> {
        let account = match filled(&self.account) {
            None => None,
            Some(text) => match text.parse::<AccountId>() {
                Ok(id) => Some(id),
                Err(_) => {
                    let why = "must be an account's id, acc_…: it is on the account's page";
                    return Err(Faults::one("account", why));
                }
            },
        };
        Ok(ChangeSearch {
            kind: filled(&self.kind),
            account,
            text: filled(&self.text),
            before: self.before,
            limit: Some(limits::CONSOLE_PAGE),
        })
    }

    /// The same search further back.
    fn older(&self, base: &str, before: u64) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in
            [("type", &self.kind), ("account", &self.account), ("text", &self.text)]
        {
            if let Some(value) = filled(value) {
                query.append_pair(name, &value);
            }
        }
        query.append_pair("before", &before.to_string());
        format!("{base}?{}", query.finish())
    }
}

async fn list(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path(id): Path<AppId>,
    Query(asked): Query<Asked>,
) -> Answer {
    let caller = visitor.caller(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    match search(&desk, &caller, &asked).await? {
        Ok(found) => Ok(page(&desk, &visitor, &app, &asked, Some(&found), &Faults::none())),
        Err(wrong) => {
            let page = page(&desk, &visitor, &app, &asked, None, &wrong);
            Ok((http::StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

async fn search(
    desk: &Desk,
    caller: &Caller,
    asked: &Asked,
) -> Result<Result<FoundChanges, Faults>, Refusal> {
    let search = match asked.search() {
        Ok(search) => search,
        Err(wrong) => return Ok(Err(wrong)),
    };
    match desk.service.search_changes(caller, search).await {
        Ok(found) => Ok(Ok(found)),
        Err(Error::NotFound("account")) => {
            Ok(Err(Faults::one("account", "is no account of this app")))
        }
        Err(error) => Ok(Err(Faults::from_error(error)?)),
    }
}

async fn follow(State(desk): State<Desk>, visitor: Visitor, Path(id): Path<AppId>) -> Answer {
    let caller = visitor.caller(&desk, id).await?;
    let of_page = desk.clone();
    Ok(live::stream(&desk, caller.clone(), move || {
        let (desk, caller) = (of_page.clone(), caller.clone());
        async move {
            let newest =
                ChangeSearch { limit: Some(limits::CONSOLE_PAGE), ..ChangeSearch::default() };
            let found = desk.service.search_changes(&caller, newest).await?;
            Ok(shown(id, &Asked::default(), &found, desk.service.now()))
        }
    }))
}

fn page(
    desk: &Desk,
    visitor: &Visitor,
    app: &App,
    asked: &Asked,
    found: Option<&FoundChanges>,
    wrong: &Faults,
) -> Response {
    let base = format!("/console/apps/{}/changes", app.id);
    let live = asked.is_all().then(|| format!("{base}/live"));
    let body = html! {
        div.head { h1 { "Changes" } }
        (filter(&base, asked, wrong))
        @if let Some(found) = found {
            section data-live=[live] { (shown(app.id, asked, found, desk.service.now())) }
        }
    };
    layout::page(visitor, Place::of_app(app, Tab::Changes, "Changes"), body)
}

fn filter(base: &str, asked: &Asked, wrong: &Faults) -> Markup {
    html! {
        (faults(wrong, &["type", "account", "text"]))
        form.filter method="get" action=(base) role="search" {
            (field("Type", "type", &asked.kind, "invoice.paid, event.* or hook.*", wrong.of("type")))
            (field("Text in the data", "text", &asked.text, "as it is written there", wrong.of("text")))
            (field("Account", "account", &asked.account, "its id, acc_…", wrong.of("account")))
            div.row {
                button type="submit" { "Search" }
                @if !asked.is_all() { a.button.quiet href=(base) { "All changes" } }
            }
        }
    }
}

/// What keeps itself up to date.
fn shown(app: AppId, asked: &Asked, found: &FoundChanges, now: Timestamp) -> Markup {
    let base = format!("/console/apps/{app}/changes");
    html! {
        @if found.changes.is_empty() && asked.is_all() {
            (empty("The journal has every change of this app, numbered 1, 2, 3 …. There is none yet.", html! {
                p {
                    "Connect a calendar under " a href=(format!("/console/apps/{app}/accounts")) { "Accounts" }
                    ", or publish a change: the " a href=(format!("/console/apps/{app}")) { "Overview" }
                    " has the command."
                }
            }))
        } @else if found.changes.is_empty() {
            (empty("Nothing was found as far as was looked.", looked(found, now)))
        } @else {
            (table(&base, &found.changes, now))
            @if !asked.is_all() { (looked(found, now)) }
        }
        nav.pager aria-label="Pages" {
            @if asked.before.is_some() { a.button.quiet href=(base) { "Newest" } }
            @if let Some(before) = found.next_before {
                a.button.quiet href=(asked.older(&base, before)) rel="next" {
                    @if found.changes.is_empty() { "Look further back" } @else { "Older" }
                }
            }
        }
    }
}

/// How far a search looked.
fn looked(found: &FoundChanges, now: Timestamp) -> Markup {
    html! {
        p.quiet {
            "Looked at " (found.looked_at) " changes"
            @if let Some((seq, at)) = found.down_to { ", back to number " (seq) " of " (time(at, now)) }
            "."
            @if found.next_before.is_none() { " That is all that is kept." }
        }
    }
}

fn table(base: &str, changes: &[Change], now: Timestamp) -> Markup {
    html! {
        table.cards {
            caption.unseen { "Changes, newest first" }
            thead { tr {
                th.number scope="col" { "Number" } th scope="col" { "Type" } th scope="col" { "Recorded" }
                th scope="col" { "From" } th scope="col" { "Data" }
            } }
            tbody { @for change in changes { (row(base, change, now)) } }
        }
    }
}

fn row(base: &str, change: &Change, now: Timestamp) -> Markup {
    let data = change.data.as_deref().map(String::from_utf8_lossy);
    html! {
        tr {
            td.number data-name="Number" { (change.seq) }
            td data-name="Type" { a href=(format!("{base}/{}", change.id)) { (change.kind) } }
            td data-name="Recorded" { (time(change.recorded_at, now)) }
            td data-name="From" { (change.provider.as_deref().unwrap_or(change.origin.as_str())) }
            td data-name="Data" {
                @match data {
                    Some(data) => code { (beginning(&data, BEGINNING)) },
                    None => span.unset { "erased" },
                }
            }
        }
    }
}
