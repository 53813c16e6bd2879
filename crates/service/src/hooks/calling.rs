//! Trying a hook's receiver out beside its deliveries.

use bytes::Bytes;
use tidings_core::id::HookId;
use tidings_core::limits;
use tidings_providers::errand::{Called, Errand, Refusal, Reply};

use super::consent;
use crate::{Caller, Error, Result, Scope, Service};

impl Service {
    /// Sends `body` (JSON) to where a hook delivers, once and now, whatever the hook's status; signed and let
    /// in as its deliveries are. It is recorded nowhere, and the hook's counts stay as they are. An answer
    /// that is no success is no error, nor is an unreachable receiver: see [`Called`].
    ///
    /// # Errors
    /// Forbidden; not found; conflict when the receiver has not consented; unavailable while another such
    /// request of the app is under way, or too many are.
    pub async fn call_hook(&self, caller: &Caller, id: HookId, body: Bytes) -> Result<Called> {
        self.allow(caller, Scope::Hooks, "hook.call", id).await?;
        let hook = self.find_hook(caller, id).await?;
        consent::must_not_want(&hook)?;
        let errand = Errand::Call { hook_no: hook.hook_no, body };
        match self.errand(errand, limits::ERRAND_DEADLINE_MS).await {
            Ok(Reply::Called(called)) => Ok(called),
            Ok(_) => Err(Error::Internal),
            Err(Refusal::NotFound(_)) => Err(Error::NotFound("hook")),
            Err(Refusal::Busy) => {
                let why = "another call of a hook is under way".into();
                Err(Error::ProviderUnavailable { why, retry_after_s: 1 })
            }
            Err(refusal) => Err(refusal.into()),
        }
    }
}
