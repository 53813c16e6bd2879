//! What a hook asks for, and how it wants to be served.

mod service;

use serde::{Deserialize, Serialize};

use crate::change::{Change, is_operational};
use crate::format::{FormatRef, Formats};

pub use service::{
    Coalesce, DisableRule, Grouping, KeySource, OnExhausted, Ordering, Rate, Service, Span,
};

/// Whether a hook takes calendar changes only of the providers that its dialect documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Providers {
    /// Only those that the dialect's documentation names.
    #[default]
    Documented,
    /// Every provider.
    All,
}

/// Which changes a hook receives, and in which shape. A new version of it applies from the `seq` at
/// which it was written; see `hook_version` in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The wire format.
    pub format: FormatRef,
    /// Triggers in the vocabulary of the format's dialect.
    pub triggers: Vec<String>,
    /// Documented or all providers.
    #[serde(default)]
    pub providers: Providers,
    /// Only changes of this end user's accounts (store key).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_no: Option<i64>,
    /// Only changes of this account (store key).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_no: Option<i64>,
    /// Only changes of this collection (store key).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection_no: Option<i64>,
}

impl Selection {
    /// Whether the hook with store key `hook_no` receives `change`.
    ///
    /// Operational types are matched by exact triggers only, and never by the hook they are about. A
    /// test event matches the one hook it was made for, whatever that hook's triggers.
    pub fn matches(&self, formats: &Formats, hook_no: i64, change: &Change) -> bool {
        let subject = &change.new.subject;
        let kind = change.new.kind.as_str();
        if let Some(only) = subject.hook_no {
            return (kind == crate::change::types::HOOK_TEST) == (only == hook_no)
                && (only == hook_no || self.asks_for(formats, kind));
        }
        let in_scope = [
            (self.user_no, subject.user_no),
            (self.account_no, subject.account_no),
            (self.collection_no, subject.collection_no),
        ]
        .into_iter()
        .all(|(wanted, have)| wanted.is_none() || wanted == have);
        in_scope && self.covers(formats, change) && self.asks_for(formats, kind)
    }

    fn covers(&self, formats: &Formats, change: &Change) -> bool {
        let (Providers::Documented, Some(provider)) =
            (self.providers, &change.new.subject.provider)
        else {
            return true;
        };
        formats.get(&self.format).is_some_and(|f| (f.documents)(&change.new.kind, provider))
    }

    fn asks_for(&self, formats: &Formats, kind: &str) -> bool {
        let Some(format) = formats.get(&self.format) else { return false };
        self.triggers.iter().any(|trigger| (format.asks)(trigger, kind))
    }
}

/// Whether `pattern` (a type, `prefix.*` or `*`) covers `kind`. Wildcards never cover operational types.
pub fn pattern_covers(pattern: &str, kind: &str) -> bool {
    if pattern == kind {
        return true;
    }
    if is_operational(kind) {
        return false;
    }
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(prefix) => prefix.ends_with('.') && kind.starts_with(prefix),
        None => false,
    }
}

/// Whether `pattern` is one that [`pattern_covers`] understands.
pub fn is_pattern(pattern: &str) -> bool {
    pattern == "*" || crate::change::is_type(pattern.strip_suffix(".*").unwrap_or(pattern))
}

/// Whether a hook's cursor moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookStatus {
    /// It moves.
    Active,
    /// Its owner stopped it for a while.
    Paused,
    /// Tidings or its owner stopped it; an explicit call starts it again.
    Disabled,
}

impl HookStatus {
    /// The name used in the store and in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }

    /// The reverse of [`HookStatus::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Paused, Self::Disabled].into_iter().find(|s| s.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_types_but_wildcards_never_operational_ones() {
        for (pattern, kind, covers) in [
            ("*", "event.updated", true),
            ("event.*", "event.updated", true),
            ("event.*", "events.updated", false),
            ("event.*", "event", false),
            ("event.updated", "event.updated", true),
            ("event.updated", "event.created", false),
            ("*", "hook.disabled", false),
            ("hook.*", "hook.disabled", false),
            ("hook.disabled", "hook.disabled", true),
            ("event*", "event.updated", false),
        ] {
            assert_eq!(pattern_covers(pattern, kind), covers, "{pattern} {kind}");
        }
        for (pattern, good) in [
            ("*", true),
            ("a.*", true),
            ("a.b", true),
            ("a*", false),
            ("*.a", false),
            ("", false),
            (".*", false),
        ] {
            assert_eq!(is_pattern(pattern), good, "{pattern}");
        }
    }
}
