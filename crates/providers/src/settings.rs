//! Where the providers are and who we are there: everything that simulators and national clouds
//! replace.

use tidings_core::access::Hidden;
use url::Url;

use crate::oauth::OAuthApp;
use crate::provider::Provider;

/// The providers that the operator has credentials for.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Google Calendar.
    pub google: Option<GoogleSettings>,
    /// Microsoft Graph.
    pub microsoft: Option<MicrosoftSettings>,
    /// Zoom.
    pub zoom: Option<ZoomSettings>,
    /// Where providers reach us. Without one there are no pushes (all is polled) and no callbacks.
    pub public_url: Option<Url>,
}

/// Google Calendar.
#[derive(Clone, Debug)]
pub struct GoogleSettings {
    /// Our OAuth client.
    pub oauth: OAuthApp,
    /// `https://www.googleapis.com/calendar/v3`.
    pub api: Url,
}

/// Microsoft Graph.
#[derive(Clone, Debug)]
pub struct MicrosoftSettings {
    /// Our OAuth client.
    pub oauth: OAuthApp,
    /// With the version: `https://graph.microsoft.com/v1.0`.
    pub api: Url,
}

/// Zoom.
#[derive(Clone, Debug)]
pub struct ZoomSettings {
    /// Our OAuth client.
    pub oauth: OAuthApp,
    /// `https://api.zoom.us/v2`.
    pub api: Url,
    /// Signs Zoom's pushes ("secret token" of the Zoom app). Without one all is polled.
    pub webhook_secret: Option<Hidden>,
}

impl GoogleSettings {
    /// At Google itself.
    pub fn new(client_id: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self {
            oauth: OAuthApp::google(client_id, client_secret),
            api: constant("https://www.googleapis.com/calendar/v3"),
        }
    }
}

impl MicrosoftSettings {
    /// At Microsoft's worldwide cloud, for `common`, `organizations`, `consumers` or one tenant.
    pub fn new(
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
        tenant: &str,
    ) -> Self {
        Self {
            oauth: OAuthApp::microsoft(client_id, client_secret, tenant),
            api: constant("https://graph.microsoft.com/v1.0"),
        }
    }
}

impl ZoomSettings {
    /// At Zoom itself.
    pub fn new(client_id: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self {
            oauth: OAuthApp::zoom(client_id, client_secret),
            api: constant("https://api.zoom.us/v2"),
            webhook_secret: None,
        }
    }
}

impl Settings {
    /// Our OAuth client at `provider`; `None` when it has none or the operator configured none.
    pub fn oauth(&self, provider: Provider) -> Option<&OAuthApp> {
        match provider {
            Provider::Google => self.google.as_ref().map(|google| &google.oauth),
            Provider::Microsoft => self.microsoft.as_ref().map(|microsoft| &microsoft.oauth),
            Provider::Zoom => self.zoom.as_ref().map(|zoom| &zoom.oauth),
            Provider::Caldav | Provider::Apple => None,
        }
    }
}

pub(crate) fn constant(url: &str) -> Url {
    Url::parse(url).expect("a constant address")
}
