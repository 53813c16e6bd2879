//! The request of a delivery: made again from the journal, to be looked at or sent by hand.

use std::sync::Arc;

use tidings_core::change::Change;
use tidings_core::clock::Timestamp;
use tidings_core::delivery::Members;
use tidings_core::id::DeliveryId;
use tidings_core::sign::{Lasting, Scheme, Secret, SigningKey, signatures};
use tidings_store as store;
use tidings_transform::Script;

use super::{Attempt, AttemptDetail};
use crate::{Caller, Error, Made, Result, Scope, Service};

/// The request of a delivery's last attempt, as it is rendered now.
#[derive(Clone, Debug)]
pub struct DeliveryRequest {
    /// Body, content type, and the headers of format and transform. `Err`: why it cannot be made again, in
    /// plain words.
    pub made: std::result::Result<Made, String>,
    /// Whether it is known to be what was sent, byte for byte: a signature of the attempt fits it, or nothing was
    /// sent and the hook was not changed since. Otherwise the hook has another format, transform or secret by
    /// now.
    pub same_hook: bool,
}

/// A delivery's request, signed now; whoever sends it within five minutes is believed.
#[derive(Clone, Debug)]
pub struct SignedDelivery {
    /// Where it goes.
    pub url: String,
    /// All headers that Tidings sends, in order.
    pub headers: Vec<(String, String)>,
    /// Names of headers that let the hook's requests in: their values are secret and must be filled in.
    pub hidden: Vec<String>,
    /// The body.
    pub body: bytes::Bytes,
}

impl Service {
    /// Makes the request of a delivery again: the last attempt's, or the coming one's when there was none.
    ///
    /// # Errors
    /// Forbidden; not found; unavailable.
    pub async fn delivery_request(
        &self,
        caller: &Caller,
        id: DeliveryId,
    ) -> Result<DeliveryRequest> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        let (hook, row) = self.find_delivery(caller, id).await?;
        let attempts = self.store.attempts(hook.hook_no, &row.members).await?;
        let last = attempts.into_iter().next_back().map(AttemptDetail::into);
        let at = last.as_ref().map_or(self.now(), |attempt: &Attempt| attempt.started_at);
        let made = self.made_again(&hook, &row.members, at).await?;
        let same_hook = match (&made, last) {
            (Ok(made), Some(attempt)) => {
                self.is_what_was_sent(&hook, made, &attempt).await?
                    || !was_signed(&attempt) && hook.updated_at <= attempt.started_at
            }
            (_, Some(attempt)) => hook.updated_at <= attempt.started_at,
            (_, None) => true,
        };
        Ok(DeliveryRequest { made, same_hook })
    }

    /// A delivery's request, signed now, to be sent by hand.
    ///
    /// # Errors
    /// Forbidden; not found; conflict when it cannot be made again or there is nothing to sign with.
    pub async fn sign_delivery(&self, caller: &Caller, id: DeliveryId) -> Result<SignedDelivery> {
        self.allow(caller, Scope::Hooks, "delivery.sign", id).await?;
        let (hook, row) = self.find_delivery(caller, id).await?;
        let now = self.now();
        let made = self.made_again(&hook, &row.members, now).await?.map_err(Error::Conflict)?;
        let (secrets, keys) = self.signers(&hook, now).await?;
        let printed = id.to_string();
        let signing = hook.service.signing;
        let signature = signatures(signing, &secrets, &keys, &printed, now, &made.body);
        let nothing = || Error::Conflict("there is nothing to sign with; rotate the secret".into());
        let mut headers = vec![
            ("webhook-id".to_owned(), printed),
            ("webhook-timestamp".to_owned(), now.unix_seconds().to_string()),
            ("webhook-signature".to_owned(), signature.ok_or_else(nothing)?),
        ];
        headers.extend(made.content_type.map(|value| ("content-type".to_owned(), value)));
        headers.extend(made.headers);
        let entry = caller.did("delivery.sign", id);
        self.store.audit(Some(hook.app_no), entry, now).await?;
        let url = match hook.url {
            Some(url) => url,
            None => caller.app()?.webhook_url.clone().unwrap_or_default(),
        };
        let access = hook.service.access;
        let authorization = access.auth.map(|_| "authorization".to_owned());
        let hidden = access.headers.into_iter().chain(authorization).collect();
        Ok(SignedDelivery { url, headers, hidden, body: made.body })
    }

    /// Renders and transforms a delivery as at `at`; otherwise says why that cannot be done.
    async fn made_again(
        &self,
        hook: &store::Hook,
        members: &Members,
        at: Timestamp,
    ) -> Result<std::result::Result<Made, String>> {
        let changes = self.store.members(hook, members, &self.formats).await?;
        if changes.is_empty() || changes.iter().any(is_erased) {
            return Ok(Err("the content was erased or is no longer kept".into()));
        }
        let rendered = match hook.render(&self.formats, members, &changes, at) {
            Ok(rendered) => rendered,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let Some(source) = &hook.selection().transform else {
            return Ok(Ok(Made::of(rendered, Vec::new())));
        };
        let script = match Script::compile(source) {
            Ok(script) => script,
            Err(error) => return Ok(Err(format!("transform: {error}"))),
        };
        let reshaped = self.sandbox.reshape(&script, rendered, &changes).await;
        let made = reshaped.map(|(rendered, added)| Made::of(rendered, added));
        Ok(made.map_err(|error| format!("transform: {error}")))
    }

    /// Whether a signature that an attempt carried is that of `made`. What was rotated out proves nothing.
    async fn is_what_was_sent(
        &self,
        hook: &store::Hook,
        made: &Made,
        attempt: &Attempt,
    ) -> Result<bool> {
        let sent = |wanted: &str| {
            let found = attempt.request_headers.iter().find(|(name, _)| name == wanted);
            found.map_or("", |(_, value)| value.as_str())
        };
        let (secrets, keys) = self.signers(hook, self.now()).await?;
        let (id, at) = (sent("webhook-id"), attempt.started_at);
        let own = signatures(hook.service.signing, &secrets, &keys, id, at, &made.body);
        let own = own.unwrap_or_default();
        let carried: Vec<_> = sent("webhook-signature").split(' ').collect();
        Ok(own.split(' ').any(|signature| !signature.is_empty() && carried.contains(&signature)))
    }

    /// What a hook signs with at `now`, opened. What does not open is left out.
    pub(crate) async fn signers(
        &self,
        hook: &store::Hook,
        now: Timestamp,
    ) -> Result<(Vec<Lasting<Secret>>, Vec<Lasting<SigningKey>>)> {
        let app = hook.app_id;
        let secrets = self.store.hook_secrets(hook.hook_no, now).await?.into_iter();
        let secrets = secrets.filter_map(|row| {
            Some((Secret::open(&self.keyring, app, row.id, &row.sealed)?, row.expires_at))
        });
        let keys = match hook.service.signing.has(Scheme::V1a) {
            true => self.store.signing_keys(hook.app_no, now).await?,
            false => Vec::new(),
        };
        let keys = keys.into_iter().filter_map(|row| {
            Some((SigningKey::open(&self.keyring, app, row.id, &row.sealed)?, row.expires_at))
        });
        Ok((secrets.collect(), keys.collect()))
    }
}

fn is_erased(change: &Arc<Change>) -> bool {
    change.new.body.is_empty()
}

/// Whether an attempt got as far as being signed.
fn was_signed(attempt: &Attempt) -> bool {
    attempt.request_headers.iter().any(|(name, _)| name == "webhook-signature")
}
