//! The secrets that hooks sign with.

use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, HookId};
use tidings_core::limits;
use tidings_core::sign::Secret;
use tidings_store::NewSecret;

use crate::validate::Checks;
use crate::{Caller, Error, Result, Scope, Service};

/// How to rotate a hook's secret.
#[derive(Clone, Debug, Default)]
pub struct RotateSecret {
    /// The new secret, `whsec_…`; made when absent.
    pub secret: Option<String>,
    /// How long the earlier secrets go on signing, ms: 0 to 7 days, by default a day.
    pub overlap_ms: Option<i64>,
}

/// The outcome of a rotation.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The new secret, shown this once.
    pub secret: Secret,
    /// Until when the earlier secrets go on signing.
    pub overlap_until: Timestamp,
}

/// A secret that a hook signs with.
#[derive(Clone, Debug)]
pub struct RevealedSecret {
    /// The secret.
    pub secret: Secret,
    /// When it stops signing, for one that was rotated; absent: the current one.
    pub expires_at: Option<Timestamp>,
}

impl Service {
    /// The secrets that a hook signs with, newest first. Each look is written into the audit log.
    ///
    /// # Errors
    /// Forbidden; not found; conflict when the hook's secrets do not open.
    pub async fn reveal_hook_secret(
        &self,
        caller: &Caller,
        id: HookId,
    ) -> Result<Vec<RevealedSecret>> {
        const ACTION: &str = "hook.secret.reveal";
        self.allow(caller, Scope::Hooks, ACTION, id).await?;
        let hook = self.find_hook(caller, id).await?;
        let now = self.now();
        self.store.audit(Some(hook.app_no), caller.did(ACTION, id), now).await?;
        let (secrets, _) = self.signers(&hook, now).await?;
        if secrets.is_empty() {
            return Err(Error::Conflict("the hook's secret cannot be opened; rotate it".into()));
        }
        let revealed = |(secret, expires_at)| RevealedSecret { secret, expires_at };
        Ok(secrets.into_iter().map(revealed).collect())
    }

    /// Gives a hook a new secret. The earlier ones sign beside it until the overlap ends.
    ///
    /// # Errors
    /// Forbidden; not found; invalid; conflict beyond [`limits::HOOK_SECRETS_MAX`] secrets.
    pub async fn rotate_hook_secret(
        &self,
        caller: &Caller,
        id: HookId,
        input: RotateSecret,
    ) -> Result<Rotated> {
        self.allow(caller, Scope::Hooks, "hook.rotate_secret", id).await?;
        let hook = self.find_hook(caller, id).await?;
        let now = self.now();
        let overlap_ms = input.overlap_ms.unwrap_or(limits::SECRET_OVERLAP_DEFAULT_MS);
        let mut checks = Checks::default();
        let secret = self.secret_or_new(&mut checks, input.secret.as_deref());
        if !(0..=limits::SECRET_OVERLAP_MAX_MS).contains(&overlap_ms) {
            checks.refuse(
                "/overlap_ms",
                "range",
                format!("must be 0 to {}", limits::SECRET_OVERLAP_MAX_MS),
            );
        }
        checks.done()?;
        let secret = secret.ok_or(Error::Internal)?;
        let sealed = self.seal_secret(hook.app_id, &secret, now);
        let overlap_until = now.plus_ms(overlap_ms);
        let entry = caller.did("hook.rotate_secret", id);
        self.store.rotate_hook_secret(&hook, sealed, overlap_until, entry, now).await?;
        Ok(Rotated { secret, overlap_until })
    }

    /// The given secret when it is one, a new one when none is given.
    pub(super) fn secret_or_new(&self, checks: &mut Checks, given: Option<&str>) -> Option<Secret> {
        let Some(text) = given else { return Some(Secret::generate(&self.ids)) };
        match text.parse() {
            Ok(secret) => Some(secret),
            Err(error) => {
                checks.refuse("/secret", "secret", error.to_string());
                None
            }
        }
    }

    /// A secret in its printed form, sealed for its row.
    pub(super) fn seal_secret(&self, app: AppId, secret: &Secret, now: Timestamp) -> NewSecret {
        let id = self.ids.next(now);
        NewSecret { id, sealed: secret.seal(&self.keyring, app, id, &self.ids) }
    }
}
