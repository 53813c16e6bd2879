//! The Ed25519 keys that an app's deliveries are signed with, for receivers that verify without a secret.

use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, SigningKeyId};
use tidings_core::limits;
use tidings_core::sign::{PublicKey, SigningKey};
use tidings_store::{self as store, NewSigningKey};

use crate::validate::Checks;
use crate::{Caller, Error, Result, Scope, Service};

/// A key that receivers verify with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookKey {
    /// Its id.
    pub id: SigningKeyId,
    /// The public key.
    pub key: PublicKey,
    /// Since when it signs.
    pub activated_at: Timestamp,
    /// When it stops signing, for one that was rotated; absent: the active key.
    pub retires_at: Option<Timestamp>,
}

impl Service {
    /// The public keys that sign for an app, newest first. Anybody may ask: an unknown app and one without
    /// keys look the same.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn webhook_keys(&self, app: AppId) -> Result<Vec<WebhookKey>> {
        match self.store.app_by_id(app).await? {
            Some(app) => self.published_keys(app.app_no).await,
            None => Ok(Vec::new()),
        }
    }

    /// The same for the only app of the installation that signs so; those without keys do not count.
    ///
    /// # Errors
    /// Not found when several apps have keys; unavailable.
    pub async fn webhook_keys_of_only_app(&self) -> Result<Vec<WebhookKey>> {
        match *self.store.apps_that_sign(self.now(), 2).await? {
            [] => Ok(Vec::new()),
            [only] => self.published_keys(only).await,
            _ => Err(Error::NotFound("the only app that signs")),
        }
    }

    /// Gives an app a new signing key. The earlier ones sign beside it, and stay published, until the overlap
    /// ends. Answers all keys, newest first.
    ///
    /// # Errors
    /// Forbidden; not found; invalid; conflict beyond [`limits::APP_SIGNING_KEYS_MAX`] keys.
    pub async fn rotate_webhook_key(
        &self,
        caller: &Caller,
        app: AppId,
        overlap_ms: Option<i64>,
    ) -> Result<Vec<WebhookKey>> {
        self.allow(caller, Scope::Admin, "app.rotate_webhook_key", app).await?;
        let app = self.find_app(caller, app).await?;
        let overlap_ms = overlap_ms.unwrap_or(limits::SIGNING_KEY_OVERLAP_DEFAULT_MS);
        let mut checks = Checks::default();
        if !(0..=limits::SECRET_OVERLAP_MAX_MS).contains(&overlap_ms) {
            let why = format!("must be 0 to {}", limits::SECRET_OVERLAP_MAX_MS);
            checks.refuse("/overlap_ms", "range", why);
        }
        checks.done()?;
        let now = self.now();
        let new = self.new_signing_key(app.id, now);
        let entry = caller.did("app.rotate_webhook_key", app.id);
        self.store.rotate_signing_key(app.app_no, new, now.plus_ms(overlap_ms), entry, now).await?;
        self.published_keys(app.app_no).await
    }

    /// Gives the app its first key when it has none: a hook is about to sign with it.
    pub(crate) async fn ensure_signing_key(&self, app_no: i64, app: AppId) -> Result<()> {
        let now = self.now();
        if self.store.signing_keys(app_no, now).await?.is_empty() {
            self.store.add_first_signing_key(app_no, self.new_signing_key(app, now), now).await?;
        }
        Ok(())
    }

    fn new_signing_key(&self, app: AppId, now: Timestamp) -> NewSigningKey {
        let key = SigningKey::generate(&self.ids);
        let id = self.ids.next(now);
        let sealed = key.seal(&self.keyring, app, id, &self.ids);
        NewSigningKey { id, public: key.public().0, sealed }
    }

    async fn published_keys(&self, app_no: i64) -> Result<Vec<WebhookKey>> {
        let keys = self.store.signing_keys(app_no, self.now()).await?;
        Ok(keys.iter().map(view).collect())
    }
}

fn view(key: &store::SigningKeyRow) -> WebhookKey {
    WebhookKey {
        id: SigningKeyId(key.id),
        key: PublicKey(key.public),
        activated_at: key.created_at,
        retires_at: key.expires_at,
    }
}
