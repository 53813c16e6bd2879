//! What is replayed: the form, and what it asks for.

use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::clock::Timestamp;
use tidings_service::{Error, Field, Hook, LedgerState, NewReplay, ReplayFrom};

use crate::form::{Faults, filled, lines};
use crate::layout::{self, area, checkbox, field, hidden, select};
use crate::pages::side::Side;

const HOUR_MS: i64 = 3_600_000;

/// What was typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    /// Hours back from now; empty once it is fixed.
    hours: String,
    /// A time or a change's number.
    from: String,
    /// A time or a change's number.
    until: String,
    types: String,
    account: String,
    states: Vec<String>,
    into: String,
    rate: String,
}

/// States that can be asked for, and what people read for them.
const STATES: [(LedgerState, &str); 5] = [
    (LedgerState::Exhausted, "Given up"),
    (LedgerState::Skipped, "Skipped"),
    (LedgerState::Parked, "Waits for a retry"),
    (LedgerState::Disabled, "Held back while the webhook was disabled"),
    (LedgerState::Delivered, "Delivered"),
];

impl Typed {
    /// The same with a beginning and an end that no longer move.
    pub(super) fn fixed(mut self, now: Timestamp) -> Self {
        if filled(&self.from).is_none() {
            let hours: i64 = self.hours.trim().parse().unwrap_or(24);
            self.from = now.plus_ms(hours.saturating_mul(-HOUR_MS)).to_string();
        }
        if filled(&self.until).is_none() {
            self.until = now.to_string();
        }
        self.hours.clear();
        self
    }

    /// What the service takes.
    pub(super) fn input(&self) -> Result<NewReplay, Error> {
        let mut wrong = Vec::new();
        let mut refuse = |pointer: &str, why: &str| {
            wrong.push(Field { pointer: pointer.into(), code: "form", why: why.into() });
        };
        let point = |text: &str| -> Option<ReplayFrom> {
            match text.trim().parse() {
                Ok(seq) => Some(ReplayFrom::Seq(seq)),
                Err(_) => Timestamp::parse(text.trim()).map(ReplayFrom::Time),
            }
        };
        let either = "must be a time such as 2026-03-12T09:00:00Z, or a change's number";
        let from = point(&self.from);
        if from.is_none() {
            refuse("/from", either);
        }
        let until = filled(&self.until).and_then(|text| point(&text));
        if until.is_none() && filled(&self.until).is_some() {
            refuse("/until", either);
        }
        let account = filled(&self.account).map(|text| text.parse());
        let into = filled(&self.into).map(|text| text.parse());
        let rate = filled(&self.rate).map(|text| text.parse());
        if matches!(account, Some(Err(_))) {
            refuse("/account", "must be an account's id");
        }
        if matches!(into, Some(Err(_))) {
            refuse("/into", "must be a webhook's id");
        }
        if matches!(rate, Some(Err(_))) {
            refuse("/rate", "must be a whole number");
        }
        let states = STATES.iter().map(|(state, _)| *state);
        let states = states.filter(|state| self.states.iter().any(|typed| typed == state.as_str()));
        match from.filter(|_| wrong.is_empty()) {
            Some(from) => Ok(NewReplay {
                from,
                until,
                types: lines(&self.types),
                account: account.and_then(Result::ok),
                states: states.collect(),
                into: into.and_then(Result::ok),
                rate: rate.and_then(Result::ok),
            }),
            None => Err(Error::Invalid(wrong)),
        }
    }

    /// The same as fields that nobody sees, to be confirmed.
    pub(super) fn kept(&self) -> Markup {
        html! {
            (hidden("from", &self.from))
            (hidden("until", &self.until))
            (hidden("types", &self.types))
            (hidden("account", &self.account))
            @for state in &self.states { (hidden("states", state)) }
            (hidden("into", &self.into))
            (hidden("rate", &self.rate))
        }
    }
}

/// The form, which leads to the dry run.
pub(super) fn shown(side: &Side, hook: &Hook, typed: &Typed, wrong: &Faults) -> Markup {
    let pointers = ["/from", "/until", "/types", "/account", "/into", "/rate"];
    let more = pointers.iter().any(|pointer| wrong.of(pointer).is_some());
    html! {
        (layout::faults(wrong, &pointers))
        form.card method="post" action=(side.path(format_args!("/webhooks/{}/replay/count", hook.id))) {
            (side.csrf())
            (select("Since", "hours", if typed.hours.is_empty() { "24" } else { &typed.hours }, &[
                ("1", "The last hour"),
                ("24", "The last day"),
                ("168", "The last 7 days"),
                ("720", "The last 30 days"),
            ], "", None))
            fieldset.columns {
                legend { "Only changes that are" }
                @for (state, words) in STATES {
                    @let ticked = typed.states.iter().any(|typed| typed == state.as_str());
                    (checkbox(words, "states", state.as_str(), ticked, ""))
                }
                p.hint { "None ticked: all of them." }
            }
            details open[more] {
                summary { "More" }
                (field("From", "from", &typed.from, "A time such as 2026-03-12T09:00:00Z, or a change's number. Goes before the choice above.", wrong.of("/from")))
                (field("Until", "until", &typed.until, "A time or a change's number; empty: now.", wrong.of("/until")))
                (area("Types", "types", &typed.types, "One a line: invoice.paid, invoice.* or *. Empty: all.", wrong.of("/types")))
                (field("Account", "account", &typed.account, "Only changes of this account: acc_….", wrong.of("/account")))
                (field("Into another webhook", "into", &typed.into, "The id of the webhook that receives them: hook_…. Empty: this one.", wrong.of("/into")))
                (field("Rate", "rate", &typed.rate, "Requests a second, at most. Empty: as fast as the webhook takes it.", wrong.of("/rate")))
            }
            button.main type="submit" { "Count first" }
        }
    }
}
