//! `/console/apps/{app}/accounts/{account}`: one account, its calendars and how they are watched.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, AppId};
use tidings_service::{
    Account, AccountChanges, AccountStatus, App, Calendar, Caller, Password, Watch,
};

use super::accounts::{provider_name, state};
use crate::form::{Faults, Form, filled};
use crate::layout::{
    self, Control, Place, Tab, Tone, badge, button, confirm, csrf_field, definition, empty, faults,
    field, hidden, notice, password, time, time_or,
};
use crate::notice::{Kind, Notice};
use crate::path::Path;
use crate::session::Visitor;
use crate::{Answer, Desk, Refusal, live};

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/console/apps/{app}/accounts/{account}", get(show).post(update))
        .route("/console/apps/{app}/accounts/{account}/live", get(follow))
        .route("/console/apps/{app}/accounts/{account}/sync", post(sync))
        .route("/console/apps/{app}/accounts/{account}/delete", get(ask).post(delete))
}

fn path(app: AppId, account: AccountId) -> String {
    format!("/console/apps/{app}/accounts/{account}")
}

fn list(app: AppId) -> String {
    format!("/console/apps/{app}/accounts")
}

/// New words for an account.
#[derive(Debug, Default, Deserialize)]
struct Typed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
}

async fn show(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, account)): Path<(AppId, AccountId)>,
) -> Answer {
    let caller = visitor.caller(&desk, id).await?;
    page(&desk, &visitor, &caller, (id, account), &Faults::none()).await
}

async fn follow(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, account)): Path<(AppId, AccountId)>,
) -> Answer {
    let caller = visitor.caller(&desk, id).await?;
    let of_page = desk.clone();
    Ok(live::stream(&desk, caller.clone(), move || {
        let (desk, caller) = (of_page.clone(), caller.clone());
        async move {
            let found = desk.service.account(&caller, account).await?;
            shown(&desk, &caller, &found).await
        }
    }))
}

async fn sync(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, account)): Path<(AppId, AccountId)>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    desk.service.sync_account(&caller, account).await?;
    Ok(layout::went(path(id, account), Notice::SyncAsked))
}

async fn update(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, account)): Path<(AppId, AccountId)>,
    Form(mut typed): Form<Typed>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    let secret = std::mem::take(&mut typed.password);
    let changes = AccountChanges {
        name: filled(&typed.name),
        username: filled(&typed.username),
        password: (!secret.is_empty()).then(|| Password::new(secret)),
    };
    match desk.service.update_account(&caller, account, changes).await {
        Ok(_) => Ok(layout::went(path(id, account), Notice::AccountSaved)),
        Err(error) => {
            let wrong = Faults::from_error(error)?;
            let page = page(&desk, &visitor, &caller, (id, account), &wrong).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

async fn ask(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, account)): Path<(AppId, AccountId)>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    asked(&desk, &visitor, &caller, (id, account), &Faults::none()).await
}

/// What must be typed to delete an account.
#[derive(Debug, Deserialize)]
struct Confirmed {
    #[serde(default)]
    confirm: String,
}

async fn delete(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, account)): Path<(AppId, AccountId)>,
    Form(typed): Form<Confirmed>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    let found = desk.service.account(&caller, account).await?;
    if typed.confirm.trim() != found.name.trim() {
        let wrong = Faults::one("/confirm", "is not the name of the account");
        let page = asked(&desk, &visitor, &caller, (id, account), &wrong).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    desk.service.delete_account(&caller, account).await?;
    Ok(layout::went(list(id), Notice::AccountDeleted))
}

async fn asked(
    desk: &Desk,
    visitor: &Visitor,
    caller: &Caller,
    (id, account): (AppId, AccountId),
    wrong: &Faults,
) -> Answer {
    let app = desk.service.app(caller, id).await?;
    let found = desk.service.account(caller, account).await?;
    let here = path(id, account);
    let what = format!(
        "Its credential and its mirrored calendars are erased, and so is the content of its changes. Access is given \
         back at {}, as far as that lets us. This cannot be taken back.",
        provider_name(&found.provider)
    );
    let body = html! {
        h1 { "Delete account " (found.name) }
        (confirm(visitor, &format!("{here}/delete"), &what, Some(&found.name), "Delete account", &here, wrong))
    };
    let place = Place::of_app(&app, Tab::Accounts, "Delete")
        .below(list(id), "Accounts")
        .below(here.clone(), found.name.clone());
    Ok(layout::page(visitor, place, body))
}

async fn page(
    desk: &Desk,
    visitor: &Visitor,
    caller: &Caller,
    (id, account): (AppId, AccountId),
    wrong: &Faults,
) -> Result<Response, Refusal> {
    let app = desk.service.app(caller, id).await?;
    let found = desk.service.account(caller, account).await?;
    let here = path(id, account);
    let shown = shown(desk, caller, &found).await?;
    let is_record = found.provider == "record";
    let body = html! {
        div.head {
            h1 { (found.name) }
            @if visitor.may_change() && !is_record && found.status == AccountStatus::Active {
                (button(visitor, &format!("{here}/sync"), "Sync now"))
            }
        }
        section data-live=(format!("{here}/live")) { (shown) }
        @if visitor.may_change() { (changing(visitor, &app, &found, wrong)) }
    };
    let place = Place::of_app(&app, Tab::Accounts, &found.name).below(list(id), "Accounts");
    Ok(layout::page(visitor, place, body))
}

/// What keeps itself up to date.
async fn shown(desk: &Desk, caller: &Caller, account: &Account) -> Result<Markup, Refusal> {
    let calendars = desk.service.calendars(caller, account.id).await?;
    let now = desk.service.now();
    let is_record = account.provider == "record";
    Ok(html! {
        (trouble(account, now))
        (facts(account, now))
        @if is_record {
            p { "This account holds records of the application. They are written by its API; there is nothing to sync." }
        } @else {
            h2 { "Calendars" }
            @if calendars.is_empty() {
                (empty("No calendar is known yet.", html! {
                    p { "The account is read " (time(account.next_sync_at, now)) "; then its calendars are listed here." }
                }))
            } @else { (calendar_table(&calendars, now)) }
        }
    })
}

/// What is wrong, in plain words, and what to do about it.
fn trouble(account: &Account, now: Timestamp) -> Markup {
    let by_consent = matches!(account.provider.as_str(), "google" | "microsoft" | "zoom");
    let reason = account.status_reason.as_deref().unwrap_or("the provider no longer lets us in");
    html! {
        @if account.status == AccountStatus::Inactive {
            (notice(Kind::Bad, html! {
                strong { "The account is inactive: " } (reason) ". "
                @if by_consent { "Its owner must sign in once more: press Reconnect below." }
                @else { "Give its new password below; it goes on at once." }
                " Nothing is lost: what happens meanwhile is found then."
            }))
        } @else if let Some(error) = &account.last_error {
            (notice(Kind::Warning, html! {
                strong { "The last sync failed: " } (error) ". "
                @if account.failures > 1 { (account.failures) " in a row. " }
                "It is tried again " (time(account.next_sync_at, now))
                ". If it goes on, see whether the server can be reached and the login is still good."
            }))
        }
        @if let Some(why) = &account.watch_error {
            (notice(Kind::Info, html! { "New calendars are found by polling only: " (why) "." }))
        }
    }
}

fn facts(account: &Account, now: Timestamp) -> Markup {
    let user = match (&account.user_external_id, account.user_id) {
        (Some(name), _) => html! { (name) },
        (None, Some(id)) => html! { code { (id) } },
        (None, None) => html! { span.unset { "none" } },
    };
    let mut rows = vec![
        ("State", state(account)),
        ("Provider", html! { (provider_name(&account.provider)) }),
        ("End user", user),
    ];
    if let Some(username) = &account.username {
        rows.push(("Signed in as", html! { (username) }));
    }
    if let Some(server) = &account.server_url {
        rows.push(("Server", html! { (server) }));
    }
    if account.provider != "record" {
        rows.extend([
            ("Last sync", time_or(account.last_sync_at, now, "not yet")),
            ("Next sync", time(account.next_sync_at, now)),
            ("Last change found", time_or(account.last_change_at, now, "none yet")),
        ]);
    }
    rows.push(("Connected", time(account.created_at, now)));
    rows.push(("Id", html! { code { (account.id) } }));
    definition(&rows)
}

fn calendar_table(calendars: &[Calendar], now: Timestamp) -> Markup {
    html! {
        table.cards {
            caption.unseen { "Calendars" }
            thead { tr {
                th scope="col" { "Calendar" } th scope="col" { "Watched" } th scope="col" { "Last push" }
                th scope="col" { "Last sync" } th scope="col" { "Subscription ends" }
            } }
            tbody { @for calendar in calendars { (calendar_row(calendar, now)) } }
        }
    }
}

fn calendar_row(calendar: &Calendar, now: Timestamp) -> Markup {
    let Watch { polled_because, subscription, expires_at, delivered_at, synced_at, error } =
        &calendar.watch;
    let name = calendar.name.as_deref().unwrap_or(&calendar.external_id);
    html! {
        tr {
            td data-name="Calendar" {
                (name)
                @if calendar.primary == Some(true) { " " (badge(Tone::Plain, "main")) }
                @if !calendar.baseline_done { " " (badge(Tone::Waiting, "first sync")) }
                br; code.quiet { (calendar.id) }
            }
            td data-name="Watched" {
                @match polled_because {
                    None => (badge(Tone::Good, "pushed")),
                    Some(why) => { (badge(Tone::Plain, "polled")) " " small.quiet { (why) } }
                }
                @if let Some(error) = error { br; (badge(Tone::Bad, "failing")) " " small { (error) } }
            }
            td data-name="Last push" { (time_or(*delivered_at, now, "none")) }
            td data-name="Last sync" { (time_or(*synced_at, now, "not yet")) }
            td data-name="Subscription ends" {
                @match subscription {
                    None => span.quiet { "none" },
                    Some(state) => { (time_or(*expires_at, now, "no end")) " " small.quiet { (state) } }
                }
            }
        }
    }
}

fn changing(visitor: &Visitor, app: &App, account: &Account, wrong: &Faults) -> Markup {
    let here = path(app.id, account.id);
    let by_password = matches!(account.provider.as_str(), "caldav" | "apple");
    let by_consent = matches!(account.provider.as_str(), "google" | "microsoft" | "zoom");
    let inactive = account.status == AccountStatus::Inactive;
    let username = Control {
        label: "User name",
        name: "username",
        value: account.username.as_deref().unwrap_or_default(),
        error: wrong.of("/username"),
        ..Control::default()
    };
    html! {
        h2 { "Change" }
        (faults(wrong, &["/name", "/username", "/password"]))
        @if by_consent {
            form.card method="post" action=(format!("{}/consent", list(app.id))) {
                (csrf_field(visitor)) (hidden("provider", &account.provider))
                (hidden("account", &account.id.to_string()))
                p { "Sign in at " (provider_name(&account.provider)) " once more, as the same person." }
                button type="submit" class=[inactive.then_some("main")] { "Reconnect" }
            }
        }
        @if by_password {
            form.card method="post" action=(here) {
                (csrf_field(visitor))
                (username.shown())
                (password("New password", "password", "off", "", wrong.of("/password")))
                button type="submit" class=[inactive.then_some("main")] { "Reconnect" }
            }
        }
        form.card method="post" action=(here) {
            (csrf_field(visitor))
            (field("Name", "name", &account.name, "What people call the account.", wrong.of("/name")))
            div.row {
                button type="submit" { "Save name" }
                a.button.danger href=(format!("{here}/delete")) { "Delete account" }
            }
        }
    }
}
