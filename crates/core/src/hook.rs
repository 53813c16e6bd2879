//! What a hook asks for, and how it wants to be served.

mod consent;
mod service;

use serde::{Deserialize, Serialize};

use crate::change::{Change, is_operational};
use crate::filter::{Filter, Reading};
use crate::format::{FormatRef, Formats};

pub use consent::Consent;
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
    /// Also the echoes of our own writes to calendars, see [`Change::is_echo`]. What is stored without a
    /// word of it is of a time without such writes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub echoes: bool,
    /// No changes of these collections (store keys).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<i64>,
    /// Collections (store keys, ascending) that left for good, each with the first `seq` that is not selected
    /// any more. What came before stays selected, so that this needs no new version of the selection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<(i64, u64)>,
    /// Only changes whose content is like this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Only changes whose content is like at least one of these, unless there are none. The format is told
    /// the names of those that took a change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<Named>,
    /// Source of the script that reshapes the rendered request; the one in force now applies, as the
    /// format does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<String>,
}

/// A filter with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its name, unique in the hook.
    pub name: String,
    /// What it takes.
    pub filter: Filter,
}

impl Selection {
    /// Whether the hook with store key `hook_no` receives `change`.
    ///
    /// Operational types are matched by exact triggers only, never by the hook they are about, and by no
    /// hook that is confined to an end user. A
    /// test event matches the one hook it was made for, whatever that hook's triggers and filter. What is
    /// about the service itself is in every scope and under every name.
    pub fn matches(&self, formats: &Formats, hook_no: i64, change: &Change) -> bool {
        self.selects(formats, hook_no, &Reading::new(change))
    }

    /// As [`Selection::matches`], for a change that is matched with many hooks: its body is read at most
    /// once, and only when a filter looks into it.
    pub fn selects(&self, formats: &Formats, hook_no: i64, reading: &Reading<'_>) -> bool {
        let change = reading.change();
        let subject = &change.new.subject;
        let kind = change.new.kind.as_str();
        if kind == crate::change::types::HOOK_TEST {
            return subject.hook_no == Some(hook_no);
        }
        let of_service = kind == crate::change::types::SERVICE_STARTED;
        let in_scope = match subject.hook_no {
            // What concerns other hooks is not for a hook of one end user: they may be anybody's.
            Some(about) => about != hook_no && self.is_for(subject.user_no),
            None => of_service || self.in_scope(change) && self.covers(formats, change),
        };
        in_scope
            && (self.echoes || !change.is_echo())
            && self.asks_for(formats, kind)
            && self.filter.as_ref().is_none_or(|filter| filter.holds(reading))
            && (self.named.is_empty() || of_service || self.names(reading).next().is_some())
    }

    /// The names of the named filters that take a change.
    pub fn names<'s>(&'s self, reading: &Reading<'_>) -> impl Iterator<Item = &'s str> {
        let holds = |named: &&Named| named.filter.holds(reading);
        self.named.iter().filter(holds).map(|named| named.name.as_str())
    }

    /// Has a collection leave for good, from change `seq` on; says whether it had not left before.
    pub fn leave(&mut self, collection_no: i64, seq: u64) -> bool {
        let found = self.left.binary_search_by_key(&collection_no, |(left, _)| *left);
        if let Err(place) = found {
            self.left.insert(place, (collection_no, seq));
        }
        found.is_err()
    }

    /// From which change on a collection is left out, if it has left.
    pub fn left_at(&self, collection_no: i64) -> Option<u64> {
        let found = self.left.binary_search_by_key(&collection_no, |(left, _)| *left);
        found.ok().map(|place| self.left[place].1)
    }

    fn in_scope(&self, change: &Change) -> bool {
        let subject = &change.new.subject;
        let is_out =
            |no| self.except.contains(&no) || self.left_at(no).is_some_and(|seq| seq <= change.seq);
        [
            (self.user_no, subject.user_no),
            (self.account_no, subject.account_no),
            (self.collection_no, subject.collection_no),
        ]
        .into_iter()
        .all(|(wanted, have)| wanted.is_none() || wanted == have)
            && !subject.collection_no.is_some_and(is_out)
    }

    /// Whether it takes changes of this end user, or of none.
    fn is_for(&self, user_no: Option<i64>) -> bool {
        self.user_no.is_none() || self.user_no == user_no
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
    use crate::change::Subject;

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
            ("*", "service.started", false),
            ("service.*", "service.started", false),
            ("service.started", "service.started", true),
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

    const PLAIN: crate::format::Format = crate::format::Format {
        name: "plain",
        version: 1,
        title: "Plain",
        triggers: Vec::new,
        knows: is_pattern,
        asks: pattern_covers,
        documents: |_, _| true,
        batches: &[],
        preset: crate::format::Preset::PLAIN,
        render: |_| Err(crate::format::RenderError(String::new())),
    };

    fn change(kind: &str, subject: Subject) -> Change {
        let new = crate::change::NewChange {
            id: crate::id::ChangeId(crate::id::Bits96::new(1)),
            kind: kind.into(),
            subject,
            order_key: None,
            occurred_at: crate::clock::Timestamp(0),
            origin: crate::change::Origin::Api,
            actor: None,
            traceparent: None,
            body: bytes::Bytes::from_static(br#"{"n":1}"#),
        };
        Change { seq: 1, recorded_at: crate::clock::Timestamp(0), new }
    }

    #[test]
    fn a_change_is_selected_by_trigger_scope_and_filter_together() {
        let formats = Formats::new(vec![PLAIN]);
        let plain = || Selection {
            format: FormatRef { name: "plain".into(), version: 1 },
            triggers: vec!["*".into(), "hook.disabled".into()],
            providers: Providers::All,
            user_no: None,
            account_no: None,
            collection_no: None,
            echoes: false,
            except: Vec::new(),
            left: Vec::new(),
            filter: None,
            named: Vec::new(),
            transform: None,
        };
        let filter = |source| Some(Filter::parse(source).unwrap());
        let full = Selection {
            user_no: Some(1),
            account_no: Some(2),
            collection_no: Some(3),
            echoes: true,
            filter: filter(r#"{"path":"/data/n","eq":1}"#),
            ..plain()
        };
        let of = |user_no, account_no, collection_no| Subject {
            user_no: Some(user_no),
            account_no: Some(account_no),
            collection_no: Some(collection_no),
            ..Subject::default()
        };
        let about = |hook_no| Subject { hook_no: Some(hook_no), ..Subject::default() };
        let never = Selection { filter: filter(r#"{"path":"/data/n","eq":2}"#), ..plain() };
        let of_a_user = Selection { user_no: Some(1), ..plain() };
        for (selection, kind, subject, selected) in [
            (&full, "a.b", of(1, 2, 3), true),
            (&full, "a.b", of(9, 2, 3), false),
            (&full, "a.b", of(1, 9, 3), false),
            (&full, "a.b", of(1, 2, 9), false),
            (&full, "a.b", Subject::default(), false),
            (&plain(), "a.b", Subject::default(), true),
            (&never, "a.b", Subject::default(), false),
            (&never, "hook.disabled", about(8), false),
            (&never, "hook.test", about(7), true),
            (&plain(), "hook.test", about(8), false),
            (&plain(), "hook.test", Subject::default(), false),
            (&plain(), "hook.disabled", about(8), true),
            (&plain(), "hook.disabled", about(7), false),
            (&plain(), "hook.failing", about(8), false),
            (&of_a_user, "hook.disabled", about(8), false),
            (&of_a_user, "hook.test", about(7), true),
        ] {
            let change = change(kind, subject);
            assert_eq!(selection.matches(&formats, 7, &change), selected, "{kind} {change:?}");
        }
        let mut left = plain();
        let seq = change("a.b", of(1, 2, 3)).seq;
        assert!(left.leave(3, seq + 1) && left.leave(1, 0) && !left.leave(3, 0));
        assert_eq!(left.left, [(1, 0), (3, seq + 1)]);
        for (collection, from, selected) in [(3, seq + 1, true), (3, seq, false), (4, 0, true)] {
            left.left[1].1 = from;
            let change = change("a.b", of(1, 2, collection));
            assert_eq!(left.matches(&formats, 7, &change), selected, "{collection} {from}");
        }
        let stored = serde_json::to_string(&full).unwrap();
        assert_eq!(serde_json::from_str::<Selection>(&stored).unwrap(), full);
        let stored = serde_json::to_string(&plain()).unwrap();
        assert!(!stored.contains("echoes"), "a stored selection reads as before: {stored}");
        assert_eq!(serde_json::from_str::<Selection>(&stored).unwrap(), plain());
    }

    #[test]
    fn collections_can_be_left_out_and_names_are_those_of_the_filters_that_hold() {
        let formats = Formats::new(vec![PLAIN]);
        let named = |name: &str, source| Named {
            name: name.into(),
            filter: Filter::parse(source).unwrap(),
        };
        let selection = Selection {
            format: FormatRef { name: "plain".into(), version: 1 },
            triggers: vec!["*".into(), "service.started".into()],
            providers: Providers::All,
            user_no: Some(1),
            account_no: None,
            collection_no: None,
            echoes: false,
            except: vec![7, 8],
            left: Vec::new(),
            filter: None,
            named: vec![
                named("one", r#"{"path":"/data/n","eq":1}"#),
                named("two", r#"{"path":"/data/n","eq":2}"#),
                named("any", r#"{"path":"/data/n","exists":true}"#),
            ],
            transform: None,
        };
        let of = |collection_no| Subject { user_no: Some(1), collection_no, ..Subject::default() };
        for (kind, subject, selected) in [
            ("a.b", of(Some(6)), true),
            ("a.b", of(Some(7)), false),
            ("a.b", of(None), true),
            ("service.started", Subject::default(), true),
            ("service.stopped", Subject::default(), false),
        ] {
            let change = change(kind, subject);
            assert_eq!(selection.matches(&formats, 7, &change), selected, "{kind} {change:?}");
        }
        let change = change("a.b", of(None));
        let names: Vec<_> = selection.names(&Reading::new(&change)).collect();
        assert_eq!(names, ["one", "any"]);
        let none = Selection { named: selection.named[1..2].to_vec(), ..selection.clone() };
        assert!(!none.matches(&formats, 7, &change), "no named filter takes it");
        let stored = serde_json::to_string(&selection).unwrap();
        assert_eq!(serde_json::from_str::<Selection>(&stored).unwrap(), selection);
    }

    #[test]
    fn how_a_hook_of_earlier_times_is_served_reads_as_before() {
        let stored = r#"{"retry":[0,5],"ordering":"hook","coalesce":{"group":"all"}}"#;
        let service: Service = serde_json::from_str(stored).unwrap();
        assert_eq!((service.breaker, service.jitter, service.merges), (true, true, false));
        assert_eq!(service.coalesce, Some(Coalesce::PLAIN));
        let group = Grouping::Collection.key(&change("a.b", Subject::default()));
        assert_eq!(group, "collection 0");
    }

    #[test]
    fn an_echo_of_our_own_write_is_for_hooks_that_ask_for_it() {
        use crate::change::Origin;

        let formats = Formats::new(vec![PLAIN]);
        let quiet = Selection {
            format: FormatRef { name: "plain".into(), version: 1 },
            triggers: vec!["*".into()],
            providers: Providers::All,
            user_no: None,
            account_no: None,
            collection_no: None,
            echoes: false,
            except: Vec::new(),
            left: Vec::new(),
            filter: None,
            named: Vec::new(),
            transform: None,
        };
        let all = Selection { echoes: true, ..quiet.clone() };
        for (origin, kind, provider, echo) in [
            (Origin::Api, "event.created", Some("google"), true),
            (Origin::Api, "event.updated", Some("microsoft"), true),
            (Origin::Api, "event.deleted", Some("caldav"), true),
            (Origin::Api, "event.created", Some("apple"), true),
            (Origin::Api, "event.created", Some("zoom"), true),
            (Origin::Provider, "event.created", Some("google"), false),
            (Origin::Import, "event.created", Some("google"), false),
            (Origin::Api, "event.created", Some("record"), false),
            (Origin::Api, "event.created", None, false),
            (Origin::Api, "events.created", Some("google"), false),
            (Origin::Api, "calendar.created", Some("google"), false),
            (Origin::Api, "account.deleted", Some("google"), false),
        ] {
            let provider = provider.map(String::from);
            let subject = Subject { provider, collection_no: Some(3), ..Subject::default() };
            let mut change = change(kind, subject);
            change.new.origin = origin;
            assert_eq!(change.is_echo(), echo, "{change:?}");
            assert_eq!(quiet.matches(&formats, 7, &change), !echo, "{change:?}");
            assert!(all.matches(&formats, 7, &change), "{change:?}");
            change.new.subject.collection_no = None;
            assert!(!change.is_echo(), "an app published it about an account");
        }
    }
}
