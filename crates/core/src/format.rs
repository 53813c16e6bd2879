//! Formats: the body and headers that a hook receives, and the triggers it can ask for.
//!
//! A format is a value made of plain functions. Dialects define theirs, the binary collects them in
//! [`Formats`] and hands them to matching and rendering, which know no dialect by name.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::clock::Timestamp;
use crate::hook::Grouping;
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
    /// Whether `trigger` is one that this format's dialect knows.
    pub knows: fn(trigger: &str) -> bool,
    /// Whether `trigger` asks for changes of type `kind`.
    pub asks: fn(trigger: &str, kind: &str) -> bool,
    /// Whether the dialect's documentation offers `kind` for accounts at `provider`.
    pub documents: fn(kind: &str, provider: &str) -> bool,
    /// Groupings whose changes fit into one request; empty: a request holds one change.
    pub batches: &'static [Grouping],
    /// Puts changes into body and headers.
    pub render: fn(&RenderInput<'_>) -> Result<Rendered, RenderError>,
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

    /// The formats as `name@version`, for error messages.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|f| format!("{}@{}", f.name, f.version)).collect()
    }
}
