//! Fields, buttons and forms. Every field has a label; its hint and its fault are tied to it, so that they
//! are read out with it.

use maud::{Markup, html};

use crate::form::Faults;
use crate::session::Visitor;

/// What one-line fields differ in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Control<'a> {
    /// What people read.
    pub(crate) label: &'a str,
    /// The name in the form.
    pub(crate) name: &'a str,
    /// What it says already.
    pub(crate) value: &'a str,
    /// `text` when empty; or `url`, `email`, `number`, `datetime-local`, …
    pub(crate) kind: &'a str,
    /// A word of help.
    pub(crate) hint: &'a str,
    /// What is wrong with it.
    pub(crate) error: Option<&'a str>,
    /// Whether it must be filled.
    pub(crate) required: bool,
    /// What the browser may fill in for it (`autocomplete`), `off` when empty.
    pub(crate) autocomplete: &'a str,
}

/// A text of one line, in short.
pub(crate) fn field(
    label: &str,
    name: &str,
    value: &str,
    hint: &str,
    error: Option<&str>,
) -> Markup {
    Control { label, name, value, hint, error, ..Control::default() }.shown()
}

/// A password, never filled with an earlier value.
pub(crate) fn password(
    label: &str,
    name: &str,
    autocomplete: &str,
    hint: &str,
    error: Option<&str>,
) -> Markup {
    Control {
        label,
        name,
        kind: "password",
        hint,
        error,
        required: true,
        autocomplete,
        ..Control::default()
    }
    .shown()
}

impl Control<'_> {
    /// The field with all that belongs to it.
    pub(crate) fn shown(&self) -> Markup {
        let kind = if self.kind.is_empty() { "text" } else { self.kind };
        let autocomplete = if self.autocomplete.is_empty() { "off" } else { self.autocomplete };
        let input = html! {
            input id=(id(self.name)) name=(self.name) type=(kind) value=[(kind != "password").then_some(self.value)]
                required[self.required] autocomplete=(autocomplete) spellcheck="false"
                aria-describedby=[described(self.name, self.hint, self.error)]
                aria-invalid=[self.error.map(|_| "true")];
        };
        around(self.label, self.name, self.hint, self.error, &input)
    }
}

/// A text of several lines.
pub(crate) fn area(
    label: &str,
    name: &str,
    value: &str,
    hint: &str,
    error: Option<&str>,
) -> Markup {
    let input = html! {
        textarea id=(id(name)) name=(name) rows="5" spellcheck="false" autocomplete="off"
            aria-describedby=[described(name, hint, error)] aria-invalid=[error.map(|_| "true")] {
            // A line break right after the tag would be dropped.
            "\n" (value)
        }
    };
    around(label, name, hint, error, &input)
}

/// One of several values, each with what people read for it.
pub(crate) fn select(
    label: &str,
    name: &str,
    value: &str,
    options: &[(&str, &str)],
    hint: &str,
    error: Option<&str>,
) -> Markup {
    let input = html! {
        select id=(id(name)) name=(name) aria-describedby=[described(name, hint, error)]
            aria-invalid=[error.map(|_| "true")] {
            @for (option, words) in options {
                option value=(option) selected[*option == value] { (words) }
            }
        }
    };
    around(label, name, hint, error, &input)
}

/// A box to tick.
pub(crate) fn checkbox(label: &str, name: &str, value: &str, ticked: bool, hint: &str) -> Markup {
    tick("checkbox", label, name, value, ticked, hint)
}

/// One of several boxes of the same name, of which one is ticked.
pub(crate) fn choice(label: &str, name: &str, value: &str, ticked: bool, hint: &str) -> Markup {
    tick("radio", label, name, value, ticked, hint)
}

fn tick(kind: &str, label: &str, name: &str, value: &str, ticked: bool, hint: &str) -> Markup {
    let place = format!("{name}-{value}");
    html! {
        div.tick {
            input id=(id(&place)) type=(kind) name=(name) value=(value) checked[ticked]
                aria-describedby=[described(&place, hint, None)];
            label for=(id(&place)) { (label) }
            @if !hint.is_empty() { small.hint id=(hint_id(&place)) { (hint) } }
        }
    }
}

/// A field that nobody sees.
pub(crate) fn hidden(name: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(name) value=(value); }
}

/// What every form of an operator's page carries.
pub(crate) fn csrf_field(visitor: &Visitor) -> Markup {
    csrf_input(visitor.csrf())
}

/// What every form carries: for pages of the portal ([`crate::session::Guest::csrf`]) and before the door.
pub(crate) fn csrf_input(text: &str) -> Markup {
    hidden("csrf", text)
}

/// A form of nothing but a button.
pub(crate) fn button(visitor: &Visitor, action: &str, word: &str) -> Markup {
    html! {
        form.inline method="post" action=(action) { (csrf_field(visitor)) button.quiet type="submit" { (word) } }
    }
}

/// As [`button`], for what cannot be taken back.
pub(crate) fn danger_button(visitor: &Visitor, action: &str, word: &str) -> Markup {
    html! {
        form.inline method="post" action=(action) { (csrf_field(visitor)) button.danger type="submit" { (word) } }
    }
}

/// A page that asks before something that cannot be taken back: `typed` must be typed when it is there (a
/// field `confirm`, which the handler compares).
pub(crate) fn confirm(
    visitor: &Visitor,
    action: &str,
    ask: &str,
    typed: Option<&str>,
    word: &str,
    back: &str,
    faults: &Faults,
) -> Markup {
    html! {
        form.card method="post" action=(action) {
            (csrf_field(visitor))
            p { (ask) }
            @if let Some(typed) = typed {
                (field(&format!("Type {typed} to confirm"), "confirm", "", "", faults.of("/confirm")))
            }
            div.row { button.danger type="submit" { (word) } a.button.quiet href=(back) { "Keep it" } }
        }
    }
}

/// What is wrong with a form beside its fields: `shown` are the pointers whose fields say it themselves.
pub(crate) fn faults(faults: &Faults, shown: &[&str]) -> Markup {
    let above: Vec<_> = faults.beside(shown).collect();
    html! {
        @if !faults.is_empty() {
            div.notice.bad role="alert" {
                @if above.is_empty() { p { "Nothing was changed: see the fields below." } }
                @for why in &above { p { (crate::refusal::sentence(why)) } }
            }
        }
    }
}

fn around(label: &str, name: &str, hint: &str, error: Option<&str>, input: &Markup) -> Markup {
    html! {
        div.field {
            label for=(id(name)) { (label) }
            @if !hint.is_empty() { small.hint id=(hint_id(name)) { (hint) } }
            (input)
            @if let Some(error) = error { p.error id=(error_id(name)) { (crate::refusal::sentence(error)) } }
        }
    }
}

fn described(name: &str, hint: &str, error: Option<&str>) -> Option<String> {
    let hint = (!hint.is_empty()).then(|| hint_id(name));
    let ids: Vec<_> = hint.into_iter().chain(error.map(|_| error_id(name))).collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

/// An id has no blanks.
fn id(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    format!("f-{}", name.chars().map(plain).collect::<String>())
}

fn hint_id(name: &str) -> String {
    format!("{}-hint", id(name))
}

fn error_id(name: &str) -> String {
    format!("{}-error", id(name))
}
