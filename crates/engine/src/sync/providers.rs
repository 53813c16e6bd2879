//! What everything that talks to a provider shares: passes, subscriptions and errands.

use std::sync::Arc;

use tidings_core::clock::Clock;
use tidings_core::id::Ids;
use tidings_core::seal::Keyring;
use tidings_providers::error::ProviderError;
use tidings_providers::oauth::OAuthApp;
use tidings_providers::provider::Provider;
use tidings_providers::settings::{GoogleSettings, MicrosoftSettings, Settings, ZoomSettings};
use tidings_store::Store;

use super::locks::Locks;
use super::tokens::Tokens;
use crate::egress::Egress;

/// The way to the providers and to the mirror. One for the process: its locks keep a pull of a
/// collection and a write to it apart, and let one refresh at a time happen to an account's tokens. Clones
/// share everything.
#[derive(Clone, Debug)]
pub struct Providers {
    pub(crate) store: Store,
    pub(crate) egress: Arc<Egress>,
    pub(crate) keyring: Keyring,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) settings: Arc<Settings>,
    pub(crate) tokens: Arc<Tokens>,
    /// Turns at a collection, by its store key.
    pub(crate) collections: Arc<Locks>,
}

impl Providers {
    /// `egress` and its policy guard every request; `settings` say where the providers are and who we
    /// are there.
    pub fn new(
        store: Store,
        egress: Arc<Egress>,
        keyring: Keyring,
        clock: Clock,
        ids: Ids,
        settings: Settings,
    ) -> Self {
        let (tokens, collections) = (Arc::default(), Arc::default());
        let settings = Arc::new(settings);
        Self { store, egress, keyring, clock, ids, settings, tokens, collections }
    }

    /// Waits until no tokens are being refreshed: to be called before the store is closed, for a rotated
    /// token that is not stored is lost.
    pub async fn settled(&self) {
        self.tokens.settled().await;
    }

    /// The settings for Google.
    ///
    /// # Errors
    /// Permanent when the operator configured none; so with the others.
    pub(crate) fn google(&self) -> Result<&GoogleSettings, ProviderError> {
        self.settings.google.as_ref().ok_or_else(|| unconfigured(Provider::Google))
    }

    /// The settings for Microsoft Graph.
    pub(crate) fn microsoft(&self) -> Result<&MicrosoftSettings, ProviderError> {
        self.settings.microsoft.as_ref().ok_or_else(|| unconfigured(Provider::Microsoft))
    }

    /// The settings for Zoom.
    pub(crate) fn zoom(&self) -> Result<&ZoomSettings, ProviderError> {
        self.settings.zoom.as_ref().ok_or_else(|| unconfigured(Provider::Zoom))
    }

    /// Our OAuth client at `provider`.
    pub(crate) fn oauth(&self, provider: Provider) -> Result<&OAuthApp, ProviderError> {
        self.settings.oauth(provider).ok_or_else(|| unconfigured(provider))
    }
}

fn unconfigured(provider: Provider) -> ProviderError {
    ProviderError::permanent(format!(
        "no OAuth client for {provider} is configured on this server; the operator must add its \
         client id and secret"
    ))
}
