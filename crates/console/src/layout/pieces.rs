//! Pieces that show something.

use maud::{Markup, Render, html};
use url::form_urlencoded;

use super::Icon;
use crate::notice::Kind;

/// What a state means for whoever looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// All is well.
    Good,
    /// Something to look at.
    Warning,
    /// Something is broken.
    Bad,
    /// On its way.
    Waiting,
    /// Stands still on purpose.
    Paused,
    /// Only a word.
    Plain,
}

/// A state: a drawing and a word, so that colour is never the only sign.
pub(crate) fn badge(tone: Tone, word: &str) -> Markup {
    let (class, icon) = match tone {
        Tone::Good => ("good", Some(Icon::Good)),
        Tone::Warning => ("warning", Some(Icon::Warning)),
        Tone::Bad => ("bad", Some(Icon::Bad)),
        Tone::Waiting => ("waiting", Some(Icon::Waiting)),
        Tone::Paused => ("paused", Some(Icon::Paused)),
        Tone::Plain => ("plain", None),
    };
    html! { span class=(format!("badge {class}")) { @if let Some(icon) = icon { (icon) } (word) } }
}

/// A [`badge`] whose tone follows from the word: the states of hooks, deliveries, accounts and replays.
pub(crate) fn status_badge(word: &str) -> Markup {
    let tone = match word {
        "active" | "delivered" | "done" | "ok" | "healthy" | "on" | "success" | "watched" => {
            Tone::Good
        }
        "pending" | "parked" | "running" | "retrying" | "waiting" | "syncing" | "open" => {
            Tone::Waiting
        }
        "paused" | "skipped" | "cancelled" | "off" => Tone::Paused,
        "disabled" | "degraded" | "polled" | "expired" => Tone::Warning,
        "failed" | "failing" | "exhausted" | "inactive" | "refused" | "revoked" | "denied"
        | "error" => Tone::Bad,
        _ => Tone::Plain,
    };
    badge(tone, word)
}

/// A text about the whole page.
pub(crate) fn notice(kind: Kind, text: impl Render) -> Markup {
    let role = if kind == Kind::Bad { "alert" } else { "status" };
    html! { p class=(format!("notice {}", kind.class())) role=(role) { (text) } }
}

/// What stands in place of a list that has nothing: what it would show, and what to do next.
pub(crate) fn empty(what: &str, do_next: impl Render) -> Markup {
    html! {
        div.empty {
            p.what { (what) }
            div.next { (do_next) }
        }
    }
}

/// The way to the next page of a list, and back to its first. `path` may have a query of its own, without
/// `cursor`.
pub(crate) fn pager(path: &str, next: Option<&str>, is_first: bool) -> Markup {
    let onward = next.map(|cursor| {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("cursor", cursor).finish();
        format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' })
    });
    html! {
        @if onward.is_some() || !is_first {
            nav.pager aria-label="Pages" {
                @if !is_first { a.button.quiet href=(path) { "First page" } }
                @if let Some(onward) = onward { a.button.quiet href=(onward) rel="next" { "Next page" } }
            }
        }
    }
}

/// A button that copies `text`, for whoever has the script; it is hidden without.
pub(crate) fn copy(text: &str, what: &str) -> Markup {
    html! {
        button.copy.quiet type="button" hidden data-copy=(text) aria-label=(format!("Copy {what}")) {
            (Icon::Copy) span { "Copy" }
        }
    }
}

/// A secret that is shown this once.
pub(crate) fn secret_once(label: &str, text: &str) -> Markup {
    html! {
        section.secret aria-label=(label) {
            h2 { (label) }
            p { "It is shown this once. Keep it where your other secrets are; nobody can show it again." }
            div.row { code.secret-text { (text) } (copy(text, "the secret")) }
        }
    }
}

/// A text as it is, such as a body or a command, with a button that copies it.
pub(crate) fn code_block(text: &str, what: &str) -> Markup {
    html! {
        div.code {
            (copy(text, what))
            pre tabindex="0" role="region" aria-label=(what) { code { (text) } }
        }
    }
}

/// Names and values, one below the other.
pub(crate) fn definition(rows: &[(&str, Markup)]) -> Markup {
    html! {
        dl.definition { @for (name, value) in rows { div { dt { (name) } dd { (value) } } } }
    }
}
