//! The catalogue of event types: what an app says about the changes that it publishes.

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
