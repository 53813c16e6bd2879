//! Whether receivers agreed to be sent to. The service notes that a receiver is to be asked; the engine asks,
//! and notes the answer.

use tidings_core::hook::{self, Consent, HookStatus};
use tidings_core::id::HookId;
use tidings_store::{self as store, HookUpdate};

use super::Hook;
use crate::{Caller, Error, Result, Scope, Service};

/// How a receiver's consent is sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// It is not.
    None,
    /// By the `OPTIONS` handshake of CloudEvents.
    Options,
}

impl Service {
    /// Asks the receiver of a hook that was refused, or never answered, once more. The answer shows in the
    /// hook's `consent` and status.
    ///
    /// # Errors
    /// Forbidden; not found; conflict when its receiver is not asked, or its URL is not acceptable.
    pub async fn verify_hook(&self, caller: &Caller, id: HookId) -> Result<Hook> {
        self.allow(caller, Scope::Hooks, "hook.verify", id).await?;
        let hook = self.find_hook(caller, id).await?;
        match hook.service.consent {
            None => {
                let why = "the hook's receiver is not asked; set verify to options first";
                return Err(Error::Conflict(why.into()));
            }
            Some(Consent::Given) => return self.hook_view(hook).await,
            Some(Consent::Asked | Consent::Refused) => {}
        }
        self.vet_target(caller, &hook)?;
        let service = hook::Service { consent: Some(Consent::Asked), ..hook.service.clone() };
        let update =
            HookUpdate { service: Some(service), status: waiting(&hook), ..HookUpdate::default() };
        self.write_hook(caller, &hook, update, "hook.verify").await
    }
}

/// How a hook whose receiver is asked stands meanwhile: a paused one stays paused.
pub(super) fn waiting(hook: &store::Hook) -> Option<(HookStatus, Option<String>)> {
    let waits = || (HookStatus::Disabled, Some(Consent::WAITING.to_owned()));
    (hook.status == HookStatus::Active || by_consent(hook)).then(waits)
}

/// Whether the hook is disabled for want of consent only.
pub(super) fn by_consent(hook: &store::Hook) -> bool {
    let reason = hook.status_reason.as_deref().unwrap_or_default();
    hook.status == HookStatus::Disabled
        && [Consent::WAITING, Consent::REFUSED].iter().any(|words| reason.starts_with(words))
}

/// What a change makes of the question: a new URL is a new receiver.
pub(super) fn changed(
    current: Option<Consent>,
    verify: Option<Verify>,
    new_url: bool,
) -> Option<Consent> {
    match (verify, current) {
        (Some(Verify::None), _) => None,
        (Some(Verify::Options), None) => Some(Consent::Asked),
        (_, Some(_)) if new_url => Some(Consent::Asked),
        (_, current) => current,
    }
}

/// Refuses to enable a hook whose receiver did not agree.
pub(super) fn must_not_want(hook: &store::Hook) -> Result<()> {
    match hook.service.consent {
        Some(Consent::Asked | Consent::Refused) => {
            let why = "the receiver did not consent yet; ask it with POST /hooks/{id}/verify";
            Err(Error::Conflict(why.into()))
        }
        None | Some(Consent::Given) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_receiver_is_asked_anew() {
        use Consent::{Asked, Given, Refused};
        for (current, verify, new_url, expected) in [
            (None, None, true, None),
            (None, Some(Verify::Options), false, Some(Asked)),
            (Some(Given), None, false, Some(Given)),
            (Some(Given), None, true, Some(Asked)),
            (Some(Given), Some(Verify::Options), false, Some(Given)),
            (Some(Given), Some(Verify::Options), true, Some(Asked)),
            (Some(Refused), None, false, Some(Refused)),
            (Some(Refused), None, true, Some(Asked)),
            (Some(Refused), Some(Verify::None), true, None),
        ] {
            assert_eq!(changed(current, verify, new_url), expected, "{current:?} {verify:?}");
        }
    }
}
