//! Formats: the body and headers that a hook receives, and the triggers it can ask for.
//!
//! A format is a value made of plain functions. Dialects define theirs, the binary collects them in
//! [`Formats`] and hands them to matching and rendering, which know no dialect by name.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::clock::Timestamp;
use crate::hook::{Coalesce, DisableRule, Grouping};
use crate::id::{AppId, DeliveryId, HookId};

/// What a hook pins: a format and its version, written `native@1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FormatRef {
    /// Name of the format.
    pub name: String,
    /// Its version.
    pub version: u16,
}

/// The text does not name a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a format is written name or name@version, for example native@1")]
pub struct FormatRefError;

impl TryFrom<String> for FormatRef {
    type Error = FormatRefError;
    fn try_from(text: String) -> Result<Self, FormatRefError> {
        let (name, version) = text.split_once('@').unwrap_or((&text, "1"));
        let version = version.parse().map_err(|_| FormatRefError)?;
        if name.is_empty() {
            return Err(FormatRefError);
        }
        Ok(Self { name: name.to_owned(), version })
    }
}

impl From<FormatRef> for String {
    fn from(format: FormatRef) -> Self {
        format.to_string()
    }
}

impl std::fmt::Display for FormatRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// What a format renders from.
#[derive(Debug)]
pub struct RenderInput<'a> {
    /// The app.
    pub app: AppId,
    /// The hook.
    pub hook: HookId,
    /// The hook's id in its dialect, such as Connect's `channelId`.
    pub hook_external_id: Option<&'a str>,
    /// The delivery.
    pub delivery: DeliveryId,
    /// The changes it stands for, in order; at least one.
    pub changes: &'a [Change],
    /// For each of the changes the names of the hook's named filters that took it; empty for a hook
    /// without such filters.
    pub named: &'a [Vec<&'a str>],
    /// The time of this attempt.
    pub now: Timestamp,
}

/// A rendered request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Header names (lower case) and values, besides signature and content headers.
    pub headers: Vec<(&'static str, String)>,
    /// `content-type`, when there is a body.
    pub content_type: Option<&'static str>,
    /// The exact bytes that are signed and sent.
    pub body: Bytes,
}

/// A change cannot be put into the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("change cannot be rendered: {0}")]
pub struct RenderError(pub String);

/// A wire format of a dialect.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Its name, as in [`FormatRef`].
    pub name: &'static str,
    /// Its version.
    pub version: u16,
    /// What people call it.
    pub title: &'static str,
    /// The triggers that people are offered, in the order of the dialect's documentation. It may know more,
    /// such as an app's own types.
    pub triggers: fn() -> Vec<&'static str>,
    /// Whether `trigger` is one that this format's dialect knows.
    pub knows: fn(trigger: &str) -> bool,
    /// Whether `trigger` asks for changes of type `kind`.
    pub asks: fn(trigger: &str, kind: &str) -> bool,
    /// Whether the dialect's documentation offers `kind` for accounts at `provider`.
    pub documents: fn(kind: &str, provider: &str) -> bool,
    /// Groupings whose changes fit into one request; empty: a request holds one change.
    pub batches: &'static [Grouping],
    /// How hooks of this format are served unless they say otherwise.
    pub preset: Preset,
    /// Puts changes into body and headers.
    pub render: fn(&RenderInput<'_>) -> Result<Rendered, RenderError>,
}

/// How the dialect of a format serves its hooks: a hook begins with this, and what it says itself wins.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Seconds to wait before each attempt, the first 0; absent: as [`crate::retry::Schedule`] has it.
    /// What is no schedule is passed over.
    pub retry: Option<&'static [u32]>,
    /// When failures disable the hook; absent: as [`DisableRule`] has it.
    pub disable: Option<DisableRule>,
    /// Whether deliveries go out one by one.
    pub one_by_one: bool,
    /// Whether a hook whose deliveries go out one by one is disabled when one of them is given up.
    pub stops_when_exhausted: bool,
    /// How changes share a request; absent: not at all.
    pub coalesce: Option<Coalesce>,
    /// Whether a receiver that fails is spared its schedule; see [`crate::hook::Service::breaker`].
    pub breaker: bool,
    /// Whether waits are lengthened by chance; see [`crate::hook::Service::jitter`].
    pub jitter: bool,
    /// Whether a retry takes later changes in; see [`crate::hook::Service::merges`].
    pub merges: bool,
    /// Whether a hook may have any text as its URL. What the guarded way out refuses then fails as a
    /// delivery, visibly, and counts as one.
    pub any_url: bool,
    /// Where a hook goes on that is enabled without a word on that.
    pub from_on_enable: OnEnable,
}

impl Preset {
    /// What hooks have of which nothing else is known.
    pub const PLAIN: Self = Self {
        retry: None,
        disable: None,
        one_by_one: false,
        stops_when_exhausted: false,
        coalesce: None,
        breaker: true,
        jitter: true,
        merges: false,
        any_url: false,
        from_on_enable: OnEnable::Backlog,
    };
}

/// Where a hook goes on when it is enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEnable {
    /// Where it stood: everything that waits is delivered.
    Backlog,
    /// At the end of the journal: what waits is skipped, visibly.
    Now,
}

/// The formats of this binary.
#[derive(Clone, Debug, Default)]
pub struct Formats(Vec<Format>);

impl Formats {
    /// Collects formats.
    pub fn new(formats: Vec<Format>) -> Self {
        Self(formats)
    }

    /// Looks a format up.
    pub fn get(&self, wanted: &FormatRef) -> Option<&Format> {
        self.0.iter().find(|f| f.name == wanted.name && f.version == wanted.version)
    }

    /// All of them, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Format> {
        self.0.iter()
    }

    /// The formats as `name@version`, for error messages.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|f| format!("{}@{}", f.name, f.version)).collect()
    }
}
