//! The frame of a page, and the pieces that pages are made of.

mod controls;
mod icon;
mod pieces;
mod shell;
mod time;

use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::Markup;
use tidings_service::App;

use crate::notice::Notice;
use crate::session::{Guest, Visit, Visitor};

pub(crate) use crate::notice::Kind;
pub(crate) use controls::{
    Control, area, button, checkbox, choice, confirm, csrf_field, csrf_input, danger_button,
    faults, field, hidden, password, select,
};
pub(crate) use icon::Icon;
pub(crate) use pieces::{
    Tone, badge, code_block, copy, definition, empty, notice, pager, secret_once, status_badge,
};
pub(crate) use shell::Bare;
pub(crate) use time::{duration_ms, time, time_or};

/// The colours that a person chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The name in the cookie, the form and the stylesheet.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::System => "As the system",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// The reverse of [`Theme::as_str`]; the system's for anything else.
    pub(crate) fn of_cookie(text: Option<&str>) -> Self {
        match text {
            Some("light") => Self::Light,
            Some("dark") => Self::Dark,
            _ => Self::System,
        }
    }
}

/// Which part of the console is open: a tab of an app, or an entry of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tab {
    /// All apps.
    Apps,
    /// Of an app.
    Overview,
    /// Of an app.
    Webhooks,
    /// Of an app.
    Accounts,
    /// Of an app.
    Changes,
    /// Of an app.
    EventTypes,
    /// Of an app.
    Inboxes,
    /// Of an app.
    Keys,
    /// Of an app.
    Settings,
    /// Who may sign in.
    Operators,
    /// The audit log.
    Audit,
    /// The operator's own name, password and second factor.
    Profile,
    /// The operator's sessions.
    Sessions,
}

/// A step of the way to a page: where it leads and what it is called.
#[derive(Clone, Debug)]
pub(crate) struct Crumb {
    /// A path.
    pub(crate) path: String,
    /// What people read.
    pub(crate) name: String,
}

impl Crumb {
    /// A step.
    pub(crate) fn new(path: impl Into<String>, name: impl Into<String>) -> Self {
        Self { path: path.into(), name: name.into() }
    }
}

/// Where a page is.
#[derive(Clone, Debug)]
pub(crate) struct Place<'a> {
    /// The app that it belongs to: then its tabs are shown, and Apps and the app begin the crumbs.
    pub(crate) app: Option<&'a App>,
    /// The part that is open.
    pub(crate) tab: Tab,
    /// The title of the window, and the last crumb. The page has its own `h1`.
    pub(crate) title: &'a str,
    /// The steps between the app (or the start) and this page, without both.
    pub(crate) crumbs: Vec<Crumb>,
}

impl<'a> Place<'a> {
    /// The page of a tab of an app.
    pub(crate) fn of_app(app: &'a App, tab: Tab, title: &'a str) -> Self {
        Self { app: Some(app), tab, title, crumbs: Vec::new() }
    }

    /// A page of the installation.
    pub(crate) fn of_installation(tab: Tab, title: &'a str) -> Self {
        Self { app: None, tab, title, crumbs: Vec::new() }
    }

    /// The same, one step further inside.
    #[must_use]
    pub(crate) fn below(mut self, path: impl Into<String>, name: impl Into<String>) -> Self {
        self.crumbs.push(Crumb::new(path, name));
        self
    }
}

/// A page for an operator. For another status: `(status, page(..)).into_response()`.
#[expect(clippy::needless_pass_by_value, reason = "a page hands over what it has made")]
pub(crate) fn page(visitor: &Visitor, place: Place<'_>, body: Markup) -> Response {
    Html(shell::page(visitor, &place, &body).into_string()).into_response()
}

/// A page for somebody who is not signed in. The guard puts the frame around it, in the chosen theme.
pub(crate) fn bare(title: impl Into<String>, body: Markup) -> Response {
    shell::Bare { title: title.into(), body, wide: false }.into_response()
}

/// A page of the portal, wide enough for tables.
#[expect(clippy::needless_pass_by_value, reason = "a page hands over what it has made")]
pub(crate) fn portal(guest: &Guest, title: impl Into<String>, body: Markup) -> Response {
    let Visit { notice, .. } = &*guest.visit;
    let body = maud::html! { @if let Some(notice) = notice { (notice.shown()) } (body) };
    shell::Bare { title: title.into(), body, wide: true }.into_response()
}

/// After a form was taken: on to a page (303), which shows the notice once.
pub(crate) fn went(to: impl AsRef<str>, notice: Notice) -> Response {
    notice.on(Redirect::to(to.as_ref()).into_response())
}

/// After a form was taken: on to a page of somebody else's, such as a provider's consent. A redirect would
/// be stopped by `form-action 'self'`, so this is a page of ours that leads there by itself.
pub(crate) fn onward(url: &str, name: &str) -> Response {
    Html(shell::onward(url, name).into_string()).into_response()
}
