//! The form of a webhook: the seed's path in front (URL, format, triggers), the rest folded. The same fields make
//! a new one and change one.

mod of_hook;
mod parts;
mod read;
mod triggers;

use maud::{Markup, html};
use serde::Deserialize;
use tidings_service::Hook;

use super::side::Side;
use crate::form::{Faults, ticked};
use crate::layout::{self, Control, faults};

pub(super) use of_hook::{access_in_words, span, word};
pub(super) use triggers::Offer;

/// What was typed. An empty text asks for the default, or leaves things as they are.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(super) struct Typed {
    pub(super) url: String,
    pub(super) description: String,
    pub(super) format: String,
    /// `format trigger`, as the boxes have it.
    pub(super) triggers: Vec<String>,
    /// Further triggers of the format, one a line.
    pub(super) more_triggers: String,
    pub(super) providers: String,
    pub(super) user: String,
    pub(super) account: String,
    pub(super) calendar: String,
    pub(super) except_calendars: String,
    #[serde(deserialize_with = "ticked")]
    pub(super) echoes: bool,
    pub(super) filter: String,
    pub(super) named: String,
    pub(super) transform: String,
    pub(super) external_id: String,
    pub(super) retry: String,
    pub(super) concurrency: String,
    pub(super) timeout_ms: String,
    pub(super) rate_count: String,
    pub(super) rate_per: String,
    pub(super) ordering: String,
    pub(super) order_key: String,
    pub(super) on_exhausted: String,
    pub(super) coalesce: String,
    pub(super) group: String,
    pub(super) delay_ms: String,
    pub(super) window_ms: String,
    pub(super) max_wait_ms: String,
    pub(super) min_interval_ms: String,
    pub(super) batch_max: String,
    pub(super) batch_bytes_max: String,
    pub(super) disable: String,
    pub(super) failing_ms: String,
    pub(super) failures: String,
    pub(super) breaker: String,
    pub(super) jitter: String,
    pub(super) merges: String,
    pub(super) signing: String,
    pub(super) verify: String,
    pub(super) headers: String,
    #[serde(deserialize_with = "ticked")]
    pub(super) clear_headers: bool,
    pub(super) auth: String,
    pub(super) username: String,
    pub(super) password: String,
    pub(super) token: String,
    pub(super) token_url: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) scope: String,
    pub(super) audience: String,
    pub(super) certificate: String,
    pub(super) private_key: String,
    #[serde(deserialize_with = "ticked")]
    pub(super) clear_certificate: bool,
    pub(super) secret: String,
    pub(super) expires_at: String,
    pub(super) from_seq: String,
}

/// The fields whose faults stand beside them.
const SHOWN: &[&str] = &[
    "/url",
    "/description",
    "/format",
    "/triggers",
    "/user",
    "/account",
    "/calendar",
    "/except_calendars",
    "/filter",
    "/named",
    "/transform",
    "/external_id",
    "/retry",
    "/concurrency",
    "/timeout_ms",
    "/rate",
    "/order_key",
    "/coalesce/delay_ms",
    "/coalesce/window_ms",
    "/coalesce/max_wait_ms",
    "/coalesce/min_interval_ms",
    "/coalesce/batch_max",
    "/coalesce/batch_bytes_max",
    "/disable/failing_ms",
    "/disable/failures",
    "/merges",
    "/access/headers",
    "/access/auth",
    "/access/client_certificate",
    "/secret",
    "/expires_at",
    "/from",
];

/// A form as it is shown.
pub(super) struct Shown<'a> {
    pub(super) side: &'a Side,
    pub(super) offer: &'a Offer,
    pub(super) typed: &'a Typed,
    pub(super) wrong: &'a Faults,
    /// The hook that is changed; none for a new one.
    pub(super) hook: Option<&'a Hook>,
}

impl Shown<'_> {
    /// The form, which is sent to `action` and left for `back` (paths on this side).
    pub(super) fn form(&self, action: &str, back: &str, word: &str) -> Markup {
        html! {
            (faults(self.wrong, SHOWN))
            form.card.wide method="post" action=(self.side.path(action)) {
                (self.side.csrf())
                (self.basics())
                (triggers::boxes(self))
                (parts::scope(self))
                (parts::content(self))
                (parts::limits(self))
                (parts::order(self))
                (parts::sharing(self))
                (parts::reach(self))
                (parts::rest(self))
                div.row {
                    button.main type="submit" { (word) }
                    a.button.quiet href=(self.side.path(back)) { "Cancel" }
                }
            }
        }
    }

    fn basics(&self) -> Markup {
        let of_app = self.side.app_url();
        let hint = match of_app {
            Some(_) => "Where requests are sent (POST). Empty: the app's webhook URL.",
            None => "Where requests are sent (POST): a public https address of yours.",
        };
        let url = Control {
            label: "URL",
            name: "url",
            value: &self.typed.url,
            hint,
            error: self.wrong.of("/url"),
            required: of_app.is_none() && self.hook.is_none(),
            autocomplete: "url",
            ..Control::default()
        };
        html! {
            (url.shown())
            (layout::field("Description", "description", &self.typed.description,
                "For people; may be empty.", self.wrong.of("/description")))
        }
    }

    /// Whether a folded part is open: something in it was typed, or is wrong.
    fn is_open(&self, typed: &[&str], pointers: &[&str]) -> bool {
        typed.iter().any(|text| !text.is_empty()) && self.hook.is_none()
            || pointers.iter().any(|pointer| self.wrong.of(pointer).is_some())
    }

    fn text(&self, label: &str, name: &str, value: &str, hint: &str, pointer: &str) -> Markup {
        layout::field(label, name, value, hint, self.wrong.of(pointer))
    }

    fn area(&self, label: &str, name: &str, value: &str, hint: &str, pointer: &str) -> Markup {
        layout::area(label, name, value, hint, self.wrong.of(pointer))
    }
}
