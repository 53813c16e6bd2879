//! The triggers, as boxes grouped by dialect: those of each format, and the app's own types where a format takes
//! them.

use maud::{Markup, html};
use tidings_core::change::types;
use tidings_core::format::{Format, FormatRef};
use tidings_service::{PageInput, Service};

use super::{Shown, Typed};
use crate::Refusal;
use crate::layout::{checkbox, choice};
use crate::pages::side::Side;

/// What can be ticked.
#[derive(Debug)]
pub(in crate::pages) struct Offer {
    formats: Vec<Offered>,
}

/// A format and what it offers.
#[derive(Debug)]
struct Offered {
    name: String,
    title: &'static str,
    all: bool,
    own: Vec<(String, String)>,
    /// Triggers of its dialect, in groups.
    groups: Vec<(String, Vec<&'static str>)>,
    operational: Vec<&'static str>,
}

impl Offer {
    /// What this side is offered: every format of the binary, with the app's own types.
    pub(in crate::pages) async fn of(service: &Service, side: &Side) -> Result<Self, Refusal> {
        let input =
            PageInput { limit: Some(tidings_core::limits::PAGE_MAX), ..PageInput::default() };
        let types = match service.event_types(&side.caller, &input).await {
            Ok(page) => page.items,
            // An end user is not told what else the app publishes.
            Err(tidings_service::Error::Forbidden(_)) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let own: Vec<_> = types
            .into_iter()
            .filter(|kind| !kind.deprecated)
            .map(|kind| (kind.name, kind.description))
            .collect();
        let mut formats: Vec<_> =
            service.formats().iter().map(|format| offered(format, &own)).collect();
        if side.is_portal() {
            // Nor of the app's other webhooks.
            formats.iter_mut().for_each(|offered| offered.operational.clear());
        }
        Ok(Self { formats })
    }

    /// The first format, which a new hook begins with.
    pub(in crate::pages) fn first(&self) -> &str {
        self.formats.first().map_or("", |format| &format.name)
    }

    /// Whether a trigger of a format has a box.
    pub(super) fn has_box(&self, format: &str, trigger: &str) -> bool {
        self.formats.iter().filter(|offered| offered.name == format).any(|offered| {
            offered.all && trigger == "*"
                || offered.own.iter().any(|(own, _)| own == trigger)
                || offered.groups.iter().any(|(_, group)| group.contains(&trigger))
                || offered.operational.contains(&trigger)
        })
    }
}

fn offered(format: &Format, own: &[(String, String)]) -> Offered {
    let listed = (format.triggers)();
    let mut groups: Vec<(String, Vec<&'static str>)> = Vec::new();
    for trigger in &listed {
        let group = trigger.split(['.', '_']).next().unwrap_or_default();
        match groups.iter_mut().find(|(name, _)| name == group) {
            Some((_, triggers)) => triggers.push(trigger),
            None => groups.push((group.to_owned(), vec![trigger])),
        }
    }
    // Single ones share a group.
    let (many, single): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(_, of)| of.len() > 1);
    let mut groups = many;
    if !single.is_empty() {
        let name = if groups.is_empty() { "Triggers" } else { "other" };
        groups.push((name.into(), single.into_iter().flat_map(|(_, of)| of).collect()));
    }
    let takes = |kind: &str| (format.knows)(kind) && !listed.contains(&kind);
    let name = FormatRef { name: format.name.to_owned(), version: format.version };
    Offered {
        name: name.to_string(),
        title: format.title,
        all: (format.knows)("*"),
        own: own.iter().filter(|(kind, _)| takes(kind)).cloned().collect(),
        groups,
        operational: types::OPERATIONAL.into_iter().filter(|kind| takes(kind)).collect(),
    }
}

/// Format and triggers. Of a hook that exists the format stays.
pub(super) fn boxes(form: &Shown<'_>) -> Markup {
    let chosen = &form.typed.format;
    let shown = form.offer.formats.iter();
    let shown = shown.filter(|offered| form.hook.is_none() || offered.name == *chosen);
    let error = form.wrong.of("/triggers");
    html! {
        fieldset.formats aria-describedby=[error.map(|_| "triggers-error")] {
            legend { "Format and triggers" }
            @if let Some(error) = form.wrong.of("/format") { p.error { "The format " (error) "." } }
            @if let Some(error) = error { p.error id="triggers-error" { "Triggers: " (error) "." } }
            @for offered in shown {
                div.format {
                    @if form.hook.is_none() {
                        (choice(offered.title, "format", &offered.name, offered.name == *chosen, &offered.name))
                    } @else {
                        p { strong { (offered.title) } " " code { (offered.name) } }
                    }
                    div.triggers { (offered.boxes(form.typed)) }
                }
            }
            (form.area("Other triggers", "more_triggers", &form.typed.more_triggers,
                "One a line, in the words of the chosen format: a type such as invoice.paid, or a pattern such as \
                 invoice.* where the format takes them.", "/more_triggers"))
        }
    }
}

impl Offered {
    fn boxes(&self, typed: &Typed) -> Markup {
        html! {
            @if self.all { (self.tick(typed, "*", "Everything, also types to come")) }
            @if !self.own.is_empty() {
                (self.group("Your own types", self.own.iter().map(|(kind, about)| (kind.as_str(), about.as_str())), typed))
            }
            @for (group, triggers) in &self.groups {
                (self.group(group, triggers.iter().map(|trigger| (*trigger, "")), typed))
            }
            @if !self.operational.is_empty() {
                details open[self.operational.iter().any(|kind| self.is_ticked(typed, kind))] {
                    summary { "About webhooks themselves" }
                    (self.group("Operations", self.operational.iter().map(|kind| (*kind, "")), typed))
                }
            }
        }
    }

    fn group<'a>(
        &self,
        name: &str,
        triggers: impl Iterator<Item = (&'a str, &'a str)>,
        typed: &Typed,
    ) -> Markup {
        html! {
            fieldset.columns {
                legend { (name) }
                @for (trigger, about) in triggers { (self.tick(typed, trigger, about)) }
            }
        }
    }

    fn tick(&self, typed: &Typed, trigger: &str, about: &str) -> Markup {
        let value = format!("{} {trigger}", self.name);
        checkbox(trigger, "triggers", &value, self.is_ticked(typed, trigger), about)
    }

    fn is_ticked(&self, typed: &Typed, trigger: &str) -> bool {
        let of_this = |ticked: &String| {
            ticked.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix(' ')) == Some(trigger)
        };
        typed.triggers.iter().any(of_this)
    }
}
