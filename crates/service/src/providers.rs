//! The providers: who we are there, and errands to them. The service makes no request itself; whoever
//! takes errands from the [`Desk`] does.

use std::sync::Arc;
use std::time::Duration;

use tidings_core::limits;
use tidings_providers::errand::{Errand, Refusal, Reply};
use tidings_providers::provider::Provider;
use tidings_providers::settings::Settings;
use tokio::sync::{mpsc, oneshot};
use url::Url;

use crate::pushes::Pushes;
use crate::{Error, Result, Service};

/// Where errands are handed over: each comes with the way back for its answer.
pub type Desk = mpsc::Sender<(Errand, oneshot::Sender<std::result::Result<Reply, Refusal>>)>;

/// Who we are at the providers. Clones share everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Providers {
    pub(crate) settings: Arc<Settings>,
    pub(crate) pushes: Pushes,
    desk: Option<Desk>,
}

impl Service {
    /// The same with providers: `settings` say who we are there, `desk` takes errands to them. Must be
    /// called within a runtime.
    #[must_use]
    pub fn with_providers(mut self, settings: Settings, desk: Desk) -> Self {
        let pushes = Pushes::watching(self.store.committed());
        self.providers = Providers { settings: Arc::new(settings), pushes, desk: Some(desk) };
        self
    }

    /// Hands an errand over and waits for its answer.
    pub(crate) async fn errand(
        &self,
        errand: Errand,
        within_ms: u64,
    ) -> std::result::Result<Reply, Refusal> {
        let unavailable = |why: &str| Refusal::Unavailable { why: why.to_owned(), after_ms: None };
        let Some(desk) = &self.providers.desk else {
            return Err(Refusal::Operator("no provider is configured on this server".into()));
        };
        // Whoever calls hooks leaves room for those who write to calendars.
        let is_call = matches!(errand, Errand::Call { .. });
        if is_call && desk.capacity() <= desk.max_capacity() / 2 {
            return Err(Refusal::Busy);
        }
        let (answer, answered) = oneshot::channel();
        desk.try_send((errand, answer)).map_err(|full| match full {
            mpsc::error::TrySendError::Full(_) => Refusal::Busy,
            mpsc::error::TrySendError::Closed(_) => unavailable("the server is stopping"),
        })?;
        match tokio::time::timeout(Duration::from_millis(within_ms), answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(unavailable("the server is stopping")),
            Err(_) => Err(unavailable("the provider takes too long")),
        }
    }

    /// A provider whose accounts are connected by consent, and that the operator has configured.
    pub(crate) fn consenting(&self, name: &str) -> Option<Provider> {
        Provider::parse(name).filter(|provider| self.providers.settings.oauth(*provider).is_some())
    }

    /// Where `provider` sends people back to.
    pub(crate) fn redirect_uri(&self, provider: Provider) -> Result<Url> {
        let base = self.providers.settings.public_url.as_ref().ok_or_else(|| {
            Error::NotConfigured(
                "the server does not know its own address: the operator must set public_url".into(),
            )
        })?;
        Ok(tidings_providers::http::below(base, &["providers", provider.as_str(), "callback"]))
    }
}

/// What a provider's refusal is to a caller that named no version.
impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound(_) => Self::NotFound("event"),
            Refusal::Conflict(why) | Refusal::Inactive(why) => Self::Conflict(why),
            Refusal::Invalid(why) | Refusal::Forbidden(why) => Self::Refused(why),
            Refusal::Operator(why) => {
                tracing::error!(why, "a provider does not accept this server's configuration");
                Self::NotConfigured(why)
            }
            Refusal::Unavailable { why, after_ms } => {
                Self::ProviderUnavailable { why, retry_after_s: seconds(after_ms) }
            }
            Refusal::Busy => {
                let why = "too many requests wait for the providers".into();
                Self::ProviderUnavailable { why, retry_after_s: 1 }
            }
        }
    }
}

/// Whole seconds, at least one; what is not said is told as a few.
fn seconds(after_ms: Option<u64>) -> u32 {
    let most = limits::RETRY_AFTER_MAX_MS.unsigned_abs();
    let ms = after_ms.map_or(5_000, |ms| ms.min(most));
    u32::try_from(ms.div_ceil(1_000).max(1)).unwrap_or(u32::MAX)
}
