//! The catalogue of event types: what an app says about the changes that it publishes.

mod examples;

pub use examples::EXAMPLES;

/// What happens to a published change that is not as its type's schema says, or of an unknown type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// It is not looked at.
    #[default]
    Off,
    /// It is accepted, and the publisher is told.
    Warn,
    /// It is refused.
    Enforce,
}

impl Validation {
    /// The name used in the store and in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Enforce => "enforce",
        }
    }

    /// The reverse of [`Validation::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Off, Self::Warn, Self::Enforce].into_iter().find(|v| v.as_str() == text)
    }
}

/// An example of a change: what a type looks like when it comes from where it usually comes from. The
/// dialects define those of their own types, the binary collects them.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// Its type.
    pub kind: &'static str,
    /// What happened, in plain words.
    pub about: &'static str,
    /// The item's id at its provider, for changes of an item.
    pub item: Option<&'static str>,
    /// The content, a JSON document over several lines. Its ids name nothing.
    pub data: &'static str,
}

impl Example {
    /// The content on one line, as it would have been written.
    pub fn document(&self) -> String {
        self.data.replace("\n  ", "")
    }
}
