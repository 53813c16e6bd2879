//! `/console/apps/{app}/accounts`: the connected accounts.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::clock::Timestamp;
use tidings_core::id::AppId;
use tidings_core::limits;
use tidings_service::{Account, AccountQuery, AccountStatus, Page, PageInput};

use crate::layout::{self, Icon, Place, Tab, empty, pager, status_badge, time_or};
use crate::path::{Path, Query};
use crate::session::Visitor;
use crate::{Answer, Desk};

pub(crate) fn routes() -> Router<Desk> {
    Router::new().route("/console/apps/{app}/accounts", get(list))
}

/// What people call a provider.
pub(super) fn provider_name(provider: &str) -> &str {
    match provider {
        "google" => "Google Calendar",
        "microsoft" => "Microsoft 365",
        "zoom" => "Zoom",
        "caldav" => "CalDAV",
        "apple" => "iCloud",
        "record" => "Records of the application",
        other => other,
    }
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    cursor: Option<String>,
    status: Option<String>,
}

async fn list(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path(id): Path<AppId>,
    Query(asked): Query<Asked>,
) -> Answer {
    let caller = visitor.caller(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    let status = asked.status.as_deref().and_then(AccountStatus::parse);
    let query = AccountQuery { status, ..AccountQuery::default() };
    let page = PageInput { cursor: asked.cursor.clone(), limit: Some(limits::CONSOLE_PAGE) };
    let accounts = desk.service.accounts(&caller, query, &page).await?;
    let base = format!("/console/apps/{id}/accounts");
    let connect = format!("{base}/connect");
    let body = html! {
        div.head {
            h1 { "Accounts" }
            @if visitor.may_change() { a.button.main href=(connect) { (Icon::Plus) "Connect account" } }
        }
        (filter(&base, status))
        @if accounts.items.is_empty() {
            @let what = match status {
                None => "A connected account is a person's calendars at Google, Microsoft, Zoom, iCloud or any CalDAV \
                         server. What changes in them becomes changes here. There is none yet.",
                Some(_) => "No account is in this state.",
            };
            (empty(what, html! {
                @if visitor.may_change() { a.button href=(connect) { "Connect an account" } }
            }))
        } @else {
            (table(&base, &accounts, desk.service.now()))
            @let path = status.map_or(base.clone(), |status| format!("{base}?status={}", status.as_str()));
            (pager(&path, accounts.next.as_deref(), asked.cursor.is_none()))
        }
    };
    Ok(layout::page(&visitor, Place::of_app(&app, Tab::Accounts, "Accounts"), body))
}

fn filter(base: &str, open: Option<AccountStatus>) -> Markup {
    let choices = [
        (None, "All"),
        (Some(AccountStatus::Active), "Active"),
        (Some(AccountStatus::Inactive), "Inactive"),
    ];
    html! {
        nav.row.filter aria-label="State" {
            @for (status, name) in choices {
                @let path = status.map_or(base.to_owned(), |status| format!("{base}?status={}", status.as_str()));
                a.button.quiet href=(path) aria-current=[(status == open).then_some("true")] { (name) }
            }
        }
    }
}

fn table(base: &str, accounts: &Page<Account>, now: Timestamp) -> Markup {
    html! {
        table.cards {
            caption.unseen { "Accounts" }
            thead { tr {
                th scope="col" { "Account" } th scope="col" { "Provider" } th scope="col" { "End user" }
                th scope="col" { "State" } th scope="col" { "Last sync" }
            } }
            tbody { @for account in &accounts.items { (row(base, account, now)) } }
        }
    }
}

fn row(base: &str, account: &Account, now: Timestamp) -> Markup {
    let user = account.user_external_id.clone().or(account.user_id.map(|user| user.to_string()));
    let wrong = account.status_reason.as_ref().or(account.last_error.as_ref());
    html! {
        tr {
            td data-name="Account" { a href=(format!("{base}/{}", account.id)) { (account.name) } }
            td data-name="Provider" { (provider_name(&account.provider)) }
            td data-name="End user" { @match user { Some(user) => (user), None => span.unset { "none" } } }
            td data-name="State" {
                span.row { (state(account)) }
                @if let Some(why) = wrong { small.quiet { (why) } }
            }
            td data-name="Last sync" {
                @if account.provider == "record" { span.quiet { "written by the application" } }
                @else { (time_or(account.last_sync_at, now, "not yet")) }
            }
        }
    }
}

/// The state of an account: one that is watched and fails is no good state.
pub(super) fn state(account: &Account) -> Markup {
    match account.status {
        AccountStatus::Active if account.last_error.is_some() => status_badge("failing"),
        AccountStatus::Active if account.provider != "record" && !account.baseline_done => {
            status_badge("syncing")
        }
        status => status_badge(status.as_str()),
    }
}
