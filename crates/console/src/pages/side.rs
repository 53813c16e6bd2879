//! Who looks at webhooks, and from where: an operator in the console, or an end user in the portal. Both see the
//! same pages under other paths; what they may see of them the service decides.

use axum::extract::{FromRequestParts, Path as AxumPath};
use axum::response::Response;
use http::request::Parts;
use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::id::AppId;
use tidings_service::{App, Caller};

use crate::form::Faults;
use crate::layout::{self, Crumb, Icon, Place, Tab, csrf_input};
use crate::session::{Guest, Visitor, is_portal};
use crate::{Desk, Refusal};

/// One side of the pages about webhooks.
#[derive(Clone, Debug)]
pub(super) struct Side {
    /// As whom verbs are called.
    pub(super) caller: Caller,
    /// What every path on this side begins with.
    pub(super) base: String,
    seat: Seat,
}

#[derive(Clone, Debug)]
enum Seat {
    Operator(Box<(Visitor, App)>),
    Guest(Box<Guest>),
}

#[derive(Deserialize)]
struct OfApp {
    app: AppId,
}

impl FromRequestParts<Desk> for Side {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Refusal> {
        if is_portal(parts.uri.path()) {
            let guest = Guest::from_request_parts(parts, desk).await?;
            let (caller, base) = (guest.caller.clone(), "/portal".to_owned());
            return Ok(Self { caller, base, seat: Seat::Guest(Box::new(guest)) });
        }
        let visitor = Visitor::from_request_parts(parts, desk).await?;
        let path = AxumPath::<OfApp>::from_request_parts(parts, desk).await;
        let AxumPath(OfApp { app }) = path.map_err(|_| Refusal::NoSuchPage)?;
        let caller = visitor.caller(desk, app).await?;
        let app = desk.service.app(&caller, app).await?;
        let base = format!("/console/apps/{}", app.id);
        Ok(Self { caller, base, seat: Seat::Operator(Box::new((visitor, app))) })
    }
}

impl Side {
    /// A path on this side.
    pub(super) fn path(&self, rest: impl std::fmt::Display) -> String {
        format!("{}{rest}", self.base)
    }

    /// Whether buttons and forms are shown.
    pub(super) fn may_change(&self) -> bool {
        match &self.seat {
            Seat::Operator(seat) => seat.0.may_change(),
            Seat::Guest(_) => true,
        }
    }

    /// Checks [`Side::may_change`].
    pub(super) fn must_change(&self) -> Result<(), Refusal> {
        if self.may_change() { Ok(()) } else { Err(Refusal::OnlyLook) }
    }

    /// Checks that an operator gave the password lately; an end user's link is short-lived anyway.
    pub(super) fn must_be_sure(&self, desk: &Desk, back: &str) -> Result<(), Refusal> {
        match &self.seat {
            Seat::Operator(seat) => seat.0.must_be_sure(desk, back),
            Seat::Guest(_) => Ok(()),
        }
    }

    /// Whether this is the portal: an end user chooses nobody else's things.
    pub(super) fn is_portal(&self) -> bool {
        matches!(self.seat, Seat::Guest(_))
    }

    /// Where hooks without a URL deliver.
    pub(super) fn app_url(&self) -> Option<&str> {
        match &self.seat {
            Seat::Operator(seat) => seat.1.webhook_url.as_deref(),
            Seat::Guest(_) => None,
        }
    }

    /// What every form on this side carries.
    pub(super) fn csrf(&self) -> Markup {
        match &self.seat {
            Seat::Operator(seat) => layout::csrf_field(&seat.0),
            Seat::Guest(guest) => csrf_input(&guest.csrf),
        }
    }

    /// A form of nothing but a button; `action` is a path on this side, `class` that of the button.
    pub(super) fn button(
        &self,
        action: &str,
        class: &str,
        icon: Option<Icon>,
        word: &str,
    ) -> Markup {
        html! {
            form.inline method="post" action=(self.path(action)) {
                (self.csrf())
                button class=(class) type="submit" { @if let Some(icon) = icon { (icon) } (word) }
            }
        }
    }

    /// A page that asks before something that cannot be taken back.
    pub(super) fn confirm(&self, action: &str, ask: &str, word: &str, back: &str) -> Markup {
        html! {
            form.card method="post" action=(self.path(action)) {
                (self.csrf())
                p { (ask) }
                div.row {
                    button.danger type="submit" { (word) }
                    a.button.quiet href=(self.path(back)) { "Keep it" }
                }
            }
        }
    }

    /// A page of the tab Webhooks. `crumbs` are the steps below the list, as paths on this side.
    pub(super) fn page(&self, title: &str, crumbs: &[(String, String)], body: Markup) -> Response {
        let steps = || crumbs.iter().map(|(path, name)| (self.path(path), name.clone()));
        match &self.seat {
            Seat::Operator(seat) => {
                let (visitor, app) = &**seat;
                let mut place = Place::of_app(app, Tab::Webhooks, title);
                if title != "Webhooks" {
                    place = place.below(self.path("/webhooks"), "Webhooks");
                }
                place.crumbs.extend(steps().map(|(path, name)| Crumb::new(path, name)));
                layout::page(visitor, place, body)
            }
            Seat::Guest(guest) => {
                let inside = title != "Webhooks";
                let body = html! {
                    nav.crumbs aria-label="Breadcrumb" {
                        ol {
                            li { (guest.caller.app_name().unwrap_or_default()) }
                            @if inside { li { a href="/portal/webhooks" { "Webhooks" } } }
                            @for (path, name) in steps() { li { a href=(path) { (name) } } }
                            li aria-current="page" { (title) }
                        }
                    }
                    (body)
                };
                layout::portal(guest, title, body)
            }
        }
    }
}

/// What is wrong with a form about webhooks: a thing that it names and that is not there belongs to its field.
pub(super) fn faults_of(error: tidings_service::Error) -> Result<Faults, Refusal> {
    use tidings_service::Error;
    match error {
        Error::NotFound(what @ ("user" | "account" | "calendar")) => {
            let why = format!("there is no such {what} in this app");
            Ok(Faults::one(&format!("/{what}"), why))
        }
        Error::Gone { .. } => Ok(Faults::one("/from", error.to_string())),
        error => Faults::from_error(error),
    }
}
