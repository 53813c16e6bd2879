//! Icons, drawn by us: strokes on a grid of 20, in the colour of the text around them.

use maud::{Markup, PreEscaped, Render, html};

/// A small drawing beside a word. It says nothing that the word does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Icon {
    Apps,
    Overview,
    Webhooks,
    Accounts,
    Changes,
    EventTypes,
    Inboxes,
    Keys,
    Settings,
    Operators,
    Audit,
    Profile,
    Good,
    Bad,
    Waiting,
    Paused,
    Warning,
    Copy,
    Plus,
    Send,
    Again,
}

impl Icon {
    const fn path(self) -> &'static str {
        match self {
            Self::Apps => "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z",
            Self::Overview => "M3 17V9M8 17V3M13 17v-6M18 17V6",
            Self::Webhooks => {
                "M10 5a2.5 2.5 0 1 1 2.2 3.7L10 13M5.5 12a2.5 2.5 0 1 0 2.3 3.4H14M14.5 12.5a2.5 2.5 0 1 1-1 4.8"
            }
            Self::Accounts => "M3 5h14v12H3zM3 9h14M7 3v4M13 3v4",
            Self::Changes => "M3 10h3l2-6 4 12 2-6h3",
            Self::EventTypes => "M3 4h7l7 6-7 7H3zM6.5 8v.01",
            Self::Inboxes => "M3 11l2-7h10l2 7v5H3zM3 11h4l1 2h4l1-2h4",
            Self::Keys => "M12.5 7.5a3.5 3.5 0 1 0-3 3.5l1 1h2v2h2v2h3v-3l-5-5z",
            Self::Settings => "M3 6h8M15 6h2M13 4v4M3 14h2M9 14h8M7 12v4",
            Self::Operators => {
                "M7 9a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2 17c0-3 2-5 5-5s5 2 5 5M13 9a2.5 2.5 0 1 0 0-5M14.5 12c2 .5 3.5 2.3 3.5 5"
            }
            Self::Audit => "M5 3h10v14H5zM8 7h4M8 10h4M8 13h2",
            Self::Profile => "M10 9a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4 17c0-3 2.5-5 6-5s6 2 6 5",
            Self::Good => "M4 10l4 4 8-8",
            Self::Bad => "M5 5l10 10M15 5L5 15",
            Self::Waiting => "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 6v4l3 2",
            Self::Paused => "M7 4v12M13 4v12",
            Self::Warning => "M10 3l8 14H2zM10 8v4M10 14.5v.01",
            Self::Copy => "M7 7h10v10H7zM13 7V3H3v10h4",
            Self::Plus => "M10 4v12M4 10h12",
            Self::Send => "M17 3L3 9l5 2 2 6zM8 11l4-4",
            Self::Again => "M16 10a6 6 0 1 1-2-4.5M16 3v4h-4",
        }
    }
}

impl Render for Icon {
    fn render(&self) -> Markup {
        html! {
            svg.icon viewBox="0 0 20 20" width="16" height="16" aria-hidden="true" focusable="false" {
                path d=(PreEscaped(self.path())) {}
            }
        }
    }
}
