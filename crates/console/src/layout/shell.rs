//! The frame around a page: head, menu, tabs, crumbs, footer.

use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use tidings_service::App;

use super::{Icon, Place, Tab, Theme};
use crate::assets;
use crate::layout::{button, csrf_field, hidden};
use crate::session::Visitor;

/// A page without a menu, which waits for its frame: only the guard knows the theme of a request that was
/// refused before any page saw it.
#[derive(Clone, Debug)]
pub(crate) struct Bare {
    pub(crate) title: String,
    pub(crate) body: Markup,
    pub(crate) wide: bool,
}

impl IntoResponse for Bare {
    fn into_response(self) -> Response {
        let mut response = Html("").into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl Bare {
    /// The page in its frame.
    pub(crate) fn framed(&self, theme: Theme) -> Markup {
        let class = if self.wide { "bare wide" } else { "bare" };
        document(
            theme,
            &self.title,
            &html! {
                body class=(class) {
                    (skip_link())
                    header.top { span.brand { (brand()) } }
                    main id="main" tabindex="-1" { (self.body) }
                }
            },
        )
    }
}

/// A page of ours that leads to somebody else's.
pub(super) fn onward(url: &str, name: &str) -> Markup {
    let head = html! { meta http-equiv="refresh" content=(format!("0;url={url}")); };
    with_head(
        Theme::System,
        &format!("On to {name}"),
        &head,
        &html! {
            body.bare {
                main id="main" {
                    h1 { "On to " (name) }
                    p { a.button href=(url) rel="noreferrer" { "Go on to " (name) } }
                }
            }
        },
    )
}

/// A page of an operator.
pub(super) fn page(visitor: &Visitor, place: &Place<'_>, body: &Markup) -> Markup {
    let visit = &visitor.visit;
    document(
        visit.theme,
        place.title,
        &html! {
            body {
                (skip_link())
                header.top {
                    a.brand href="/console/" { (brand()) }
                    (menu(visitor, place.tab))
                    (account(visitor, place.tab))
                }
                (crumbs(place))
                @if let Some(app) = place.app { (tabs(visitor, app, place.tab)) }
                main id="main" tabindex="-1" {
                    @if let Some(notice) = visit.notice { (notice.shown()) }
                    (body)
                }
                (footer(visitor))
            }
        },
    )
}

fn document(theme: Theme, title: &str, body: &Markup) -> Markup {
    with_head(theme, title, &html! {}, body)
}

fn with_head(theme: Theme, title: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=(theme.as_str()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Tidings" }
                link rel="icon" href=(assets::ICON.path()) type="image/svg+xml";
                link rel="stylesheet" href=(assets::STYLE.path());
                script src=(assets::SCRIPT.path()) defer {}
                (head)
            }
            (body)
        }
    }
}

fn skip_link() -> Markup {
    html! { a.skip href="#main" { "Skip to the content" } }
}

fn brand() -> Markup {
    html! {
        svg.mark viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false" {
            path d="M3 10h3l2-6 4 12 2-6h3" {}
        }
        "Tidings"
    }
}

fn menu(visitor: &Visitor, open: Tab) -> Markup {
    let is_apps = !matches!(open, Tab::Operators | Tab::Audit | Tab::Profile | Tab::Sessions);
    html! {
        nav.menu aria-label="Main" {
            (entry("/console/", Icon::Apps, "Apps", is_apps))
            @if visitor.may_change() {
                (entry("/console/audit", Icon::Audit, "Audit log", open == Tab::Audit))
            }
            @if visitor.is_owner() {
                (entry("/console/operators", Icon::Operators, "Operators", open == Tab::Operators))
            }
        }
    }
}

fn account(visitor: &Visitor, open: Tab) -> Markup {
    let operator = &visitor.session.operator;
    html! {
        nav.account aria-label="You" {
            (entry("/console/profile", Icon::Profile, &operator.name, matches!(open, Tab::Profile | Tab::Sessions)))
            (button(visitor, "/console/logout", "Sign out"))
        }
    }
}

fn entry(path: &str, icon: Icon, name: &str, open: bool) -> Markup {
    html! { a href=(path) aria-current=[open.then_some("page")] { (icon) span { (name) } } }
}

fn tabs(visitor: &Visitor, app: &App, open: Tab) -> Markup {
    let base = format!("/console/apps/{}", app.id);
    let all = [
        (Tab::Overview, "", Icon::Overview, "Overview"),
        (Tab::Webhooks, "/webhooks", Icon::Webhooks, "Webhooks"),
        (Tab::Accounts, "/accounts", Icon::Accounts, "Accounts"),
        (Tab::Changes, "/changes", Icon::Changes, "Changes"),
        (Tab::EventTypes, "/event-types", Icon::EventTypes, "Event types"),
        (Tab::Inboxes, "/inboxes", Icon::Inboxes, "Inboxes"),
        (Tab::Keys, "/keys", Icon::Keys, "Keys"),
        (Tab::Settings, "/settings", Icon::Settings, "Settings"),
    ];
    // Keys are for those who may make them.
    let shown = all.into_iter().filter(|(tab, ..)| *tab != Tab::Keys || visitor.may_change());
    html! {
        nav.tabs aria-label=(format!("App {}", app.name)) {
            @for (tab, path, icon, name) in shown {
                (entry(&format!("{base}{path}"), icon, name, tab == open))
            }
        }
    }
}

fn crumbs(place: &Place<'_>) -> Markup {
    html! {
        nav.crumbs aria-label="Breadcrumb" {
            ol {
                @if place.tab != Tab::Apps || place.app.is_some() || !place.crumbs.is_empty() {
                    li { a href="/console/" { "Apps" } }
                }
                @if let Some(app) = place.app {
                    @if place.tab != Tab::Overview || !place.crumbs.is_empty() {
                        li { a href=(format!("/console/apps/{}", app.id)) { (app.name) } }
                    }
                }
                @for crumb in &place.crumbs { li { a href=(crumb.path) { (crumb.name) } } }
                li aria-current="page" { (place.title) }
            }
        }
    }
}

fn footer(visitor: &Visitor) -> Markup {
    let visit = &visitor.visit;
    html! {
        footer {
            form.theme method="post" action="/console/theme" {
                (csrf_field(visitor))
                (hidden("back", &visit.target))
                fieldset {
                    legend { "Colours" }
                    @for theme in [Theme::System, Theme::Light, Theme::Dark] {
                        button.quiet type="submit" name="theme" value=(theme.as_str())
                            aria-pressed=(if theme == visit.theme { "true" } else { "false" }) {
                            (theme.words())
                        }
                    }
                }
            }
            p.quiet { "Tidings " (visitor.version) " · " a href="/openapi.json" { "API description" } }
        }
    }
}
