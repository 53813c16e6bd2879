//! `/console/apps/{app}/accounts/connect`: connecting an account, by consent at its provider or with a
//! password.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::id::{AccountId, AppId};
use tidings_service::{App, Caller, Error, NewAccount, NewConnection, Password};
use url::Url;

use super::accounts::provider_name;
use crate::form::{Faults, Form, filled};
use crate::layout::{self, Control, Place, Tab, csrf_field, faults, field, notice, password};
use crate::notice::{Kind, Notice};
use crate::path::{Path, Query};
use crate::session::{Visitor, browser};
use crate::{Answer, Desk, Refusal};

/// Providers where people sign in and consent.
const CONSENTING: [&str; 3] = ["google", "microsoft", "zoom"];

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/console/apps/{app}/accounts/connect", get(choose))
        .route("/console/apps/{app}/accounts/connect/{provider}", get(begin).post(by_password))
        .route("/console/apps/{app}/accounts/consent", post(by_consent))
        .route("/console/apps/{app}/accounts/connected", get(connected))
}

fn base(app: AppId) -> String {
    format!("/console/apps/{app}/accounts")
}

/// What was typed into a form for a user name and a password.
#[derive(Debug, Default, Deserialize)]
struct Typed {
    #[serde(default)]
    server_url: String,
    username: String,
    password: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    user: String,
}

async fn choose(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path(id): Path<AppId>,
    headers: HeaderMap,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    Ok(choices(&desk, &visitor, &app, &headers, &Faults::none()))
}

async fn begin(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, provider)): Path<(AppId, String)>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    form(&visitor, &app, &provider, &Typed::default(), &Faults::none())
}

async fn by_password(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, provider)): Path<(AppId, String)>,
    Form(mut typed): Form<Typed>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    let secret = Password::new(std::mem::take(&mut typed.password));
    match connect(&desk, &caller, &provider, &typed, secret).await {
        Ok(account) => {
            Ok(layout::went(format!("{}/{account}", base(id)), Notice::AccountConnected))
        }
        Err(error) => {
            let app = desk.service.app(&caller, id).await?;
            let page = form(&visitor, &app, &provider, &typed, &Faults::from_error(error)?)?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

async fn connect(
    desk: &Desk,
    caller: &Caller,
    provider: &str,
    typed: &Typed,
    password: Password,
) -> Result<AccountId, Error> {
    let user = match filled(&typed.user) {
        Some(name) => Some(desk.service.upsert_user(caller, name).await?.0.id),
        None => None,
    };
    let input = NewAccount {
        provider: provider.to_owned(),
        user,
        external_id: None,
        name: filled(&typed.name),
        server_url: filled(&typed.server_url),
        username: typed.username.trim().to_owned(),
        password,
    };
    Ok(desk.service.connect_account(caller, input).await?.id)
}

/// What was chosen for a sign-in at a provider.
#[derive(Debug, Deserialize)]
struct Chosen {
    provider: String,
    #[serde(default)]
    user: String,
    /// The account to connect again.
    #[serde(default)]
    account: String,
}

/// Sends the operator's browser to the provider, and makes sure that only this browser can end it.
async fn by_consent(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path(id): Path<AppId>,
    headers: HeaderMap,
    Form(chosen): Form<Chosen>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    let return_to = public_page(&desk, &format!("{}/connected", base(id)));
    let input = NewConnection {
        provider: chosen.provider.clone(),
        user_named: filled(&chosen.user),
        account: chosen.account.parse().ok(),
        return_to: return_to.map(String::from),
        browser: browser(&headers, desk.options.secure),
        ..NewConnection::default()
    };
    match desk.service.begin_connection(&caller, input).await {
        Ok(begun) => Ok(layout::onward(&begun.authorize_url, provider_name(&chosen.provider))),
        Err(error) => {
            let app = desk.service.app(&caller, id).await?;
            let page = choices(&desk, &visitor, &app, &headers, &Faults::from_error(error)?);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

/// A page of ours under the address by which providers know us.
fn public_page(desk: &Desk, path: &str) -> Option<Url> {
    desk.service.public_url().and_then(|url| url.join(path).ok())
}

/// How the provider's page ended.
#[derive(Debug, Default, Deserialize)]
struct Ended {
    account: Option<String>,
    error: Option<String>,
}

/// Back from the provider. The words follow from a code of ours: an address can be made up by anybody.
async fn connected(
    visitor: Visitor,
    State(desk): State<Desk>,
    Path(id): Path<AppId>,
    Query(ended): Query<Ended>,
) -> Answer {
    let caller = visitor.caller(&desk, id).await?;
    let account = ended.account.as_deref().and_then(|account| account.parse::<AccountId>().ok());
    if let Some(account) = account {
        return Ok(layout::went(format!("{}/{account}", base(id)), Notice::AccountConnected));
    }
    let app = desk.service.app(&caller, id).await?;
    let body = html! {
        h1 { "The account is not connected" }
        (notice(Kind::Warning, why(ended.error.as_deref())))
        p { a.button.main href=(format!("{}/connect", base(id))) { "Try again" } }
    };
    let place = Place::of_app(&app, Tab::Accounts, "Not connected").below(base(id), "Accounts");
    Ok(layout::page(&visitor, place, body))
}

fn why(code: Option<&str>) -> &'static str {
    match code {
        Some("access_denied") => "The consent was not given. Nothing was stored.",
        Some("missing_scopes") => {
            "Not everything that is needed was ticked on the provider's page. Leave all boxes ticked."
        }
        Some("other_account") => {
            "Somebody else signed in there. To connect an account again, sign in as the same person."
        }
        Some("account_deleted") => "The account was deleted in the meantime.",
        Some("provider_unavailable") => {
            "The provider cannot at this moment. Try again in some minutes."
        }
        Some("not_configured") => {
            "The provider refuses this server's configuration. See the server's log, and the provider's page in \
             the documentation."
        }
        Some("limit_exceeded") => "This app has as many accounts as it may have.",
        Some("unknown_state") => {
            "This page was used already, is too old, or was begun in another browser."
        }
        _ => "The provider did not let the account be connected.",
    }
}

fn choices(
    desk: &Desk,
    visitor: &Visitor,
    app: &App,
    headers: &HeaderMap,
    wrong: &Faults,
) -> Response {
    let connect = format!("{}/connect", base(app.id));
    let body = html! {
        h1 { "Connect account" }
        (faults(wrong, &[]))
        p.quiet {
            "Connected calendars are read at once. What is in them already makes no changes: only what happens \
             from now on."
        }
        (consents(desk, visitor, app.id, headers))
        section.card aria-labelledby="by-password" {
            h2 id="by-password" { "With a password" }
            div.row {
                a.button href=(format!("{connect}/caldav")) { "Connect CalDAV server" }
                a.button href=(format!("{connect}/apple")) { "Connect iCloud" }
            }
        }
    };
    let place =
        Place::of_app(app, Tab::Accounts, "Connect account").below(base(app.id), "Accounts");
    layout::page(visitor, place, body)
}

fn consents(desk: &Desk, visitor: &Visitor, app: AppId, headers: &HeaderMap) -> Markup {
    let offered = |provider: &&str| desk.service.offers_consent(provider);
    let (can, cannot): (Vec<_>, Vec<_>) = CONSENTING.into_iter().partition(|name| offered(name));
    let elsewhere = elsewhere(desk, headers, app);
    html! {
        section.card aria-labelledby="by-consent" {
            h2 id="by-consent" { "By signing in there" }
            @if let Some(page) = elsewhere {
                (notice(Kind::Info, html! {
                    "Providers send people back to " (page.origin().ascii_serialization()) ": open "
                    a href=(page) { "this page there" } " to connect by signing in."
                }))
            } @else if !can.is_empty() {
                form method="post" action=(format!("{}/consent", base(app))) {
                    (csrf_field(visitor))
                    (field("End user", "user", "", USER_HINT, None))
                    div.row {
                        @for provider in &can {
                            button type="submit" name="provider" value=(provider) {
                                "Connect " (provider_name(provider))
                            }
                        }
                    }
                }
            }
            @if !cannot.is_empty() {
                p.quiet {
                    "Not set up on this server: "
                    @for (at, provider) in cannot.iter().enumerate() {
                        @if at > 0 { ", " }
                        (provider_name(provider)) " (" code { (provider) ".client_id" } ")"
                    }
                    ". The operator sets these and " code { "public_url" } " in the server's configuration."
                }
            }
        }
    }
}

const USER_HINT: &str = "Whose account it is, by the id that your application uses. Leave it empty when it is nobody's in particular.";

/// This page under the address that providers send people back to, when the browser is at another one: the
/// cookie of this session would not be there.
fn elsewhere(desk: &Desk, headers: &HeaderMap, app: AppId) -> Option<Url> {
    let page = public_page(desk, &format!("{}/connect", base(app)))?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok())?;
    let public = match page.port() {
        Some(port) => format!("{}:{port}", page.host_str()?),
        None => page.host_str()?.to_owned(),
    };
    (!host.eq_ignore_ascii_case(&public)).then_some(page)
}

/// The form of a provider that is reached with a password.
fn form(
    visitor: &Visitor,
    app: &App,
    provider: &str,
    typed: &Typed,
    wrong: &Faults,
) -> Result<Response, Refusal> {
    let (label, secret, hint) = match provider {
        "caldav" => ("User name", "Password", ""),
        "apple" => ("Apple account", "App-specific password", APPLE_HINT),
        _ => return Err(Refusal::NoSuchPage),
    };
    let connect = format!("{}/connect", base(app.id));
    let title = format!("Connect {}", provider_name(provider));
    let server = Control {
        label: "Server",
        name: "server_url",
        value: &typed.server_url,
        kind: "url",
        hint: "The address of the CalDAV server, such as https://dav.example.com/.",
        error: wrong.of("/server_url"),
        required: true,
        ..Control::default()
    };
    let username = Control {
        label,
        name: "username",
        value: &typed.username,
        error: wrong.of("/username"),
        required: true,
        ..Control::default()
    };
    let body = html! {
        h1 { (title) }
        (faults(wrong, &["/server_url", "/username", "/password", "/name"]))
        form.card method="post" action=(format!("{connect}/{provider}")) {
            (csrf_field(visitor))
            @if provider == "caldav" { (server.shown()) }
            (username.shown())
            (password(secret, "password", "off", hint, wrong.of("/password")))
            details open[!typed.name.is_empty() || !typed.user.is_empty()] {
                summary { "More" }
                (field("Name", "name", &typed.name,
                    "What people call the account; the user name when empty.", wrong.of("/name")))
                (field("End user", "user", &typed.user, USER_HINT, None))
            }
            div.row { button.main type="submit" { "Connect" } a.button.quiet href=(connect) { "Back" } }
        }
    };
    let place = Place::of_app(app, Tab::Accounts, &title)
        .below(base(app.id), "Accounts")
        .below(connect, "Connect account");
    Ok(layout::page(visitor, place, body))
}

const APPLE_HINT: &str = "Made at account.apple.com under Sign-In and Security. The password of the Apple account \
    itself does not work.";
