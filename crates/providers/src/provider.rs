//! The providers by name.

/// Who keeps the calendars of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// Google Calendar.
    Google,
    /// Microsoft Graph: Outlook and Microsoft 365.
    Microsoft,
    /// Zoom meetings.
    Zoom,
    /// Any CalDAV server.
    Caldav,
    /// iCloud, which speaks CalDAV.
    Apple,
}

impl Provider {
    /// Every provider.
    pub const ALL: [Self; 5] =
        [Self::Google, Self::Microsoft, Self::Zoom, Self::Caldav, Self::Apple];

    /// The name used in the store and in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Microsoft => "microsoft",
            Self::Zoom => "zoom",
            Self::Caldav => "caldav",
            Self::Apple => "apple",
        }
    }

    /// The reverse of [`Provider::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == text)
    }

    /// Whether its accounts are connected by OAuth 2.0 instead of a password.
    pub fn uses_oauth(self) -> bool {
        matches!(self, Self::Google | Self::Microsoft | Self::Zoom)
    }
}

impl std::fmt::Display for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
