//! Settings of an app that its dialects read.

use serde::{Deserialize, Serialize};

/// What an app says about how dialects serve it; what is absent has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppSettings {
    /// Where a person may be sent back to with an authorization code (RFC 6749 section 3.1.2), compared
    /// character by character.
    pub redirect_uris: Vec<String>,
    /// Connect: whether every calendar of the app is watched once the app has a `webhook_url`.
    pub subscribe_all: bool,
}

impl Default for AppSettings {
    fn default() -> Self {
        Self { redirect_uris: Vec::new(), subscribe_all: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_has_its_default() {
        let read = |text| serde_json::from_str::<AppSettings>(text).unwrap();
        assert_eq!(read("{}"), AppSettings::default());
        assert!(read("{}").subscribe_all);
        let own =
            AppSettings { redirect_uris: vec!["https://a.example/".into()], subscribe_all: false };
        assert_eq!(read(&serde_json::to_string(&own).unwrap()), own);
    }
}
