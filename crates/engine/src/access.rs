//! Getting in at a receiver: the headers, credentials and certificate that a hook's requests carry.

#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tidings_core::access::{Access, Auth, ClientCertificate, Hidden};
use tidings_core::clock::Clock;

use self::token::Tokens;
use crate::egress::{Attempted, Budget, Egress, Identity, Request};

/// Error class of an attempt that was not made because the hook's own access failed. It says nothing about
/// the receiver.
pub(crate) const AUTH: &str = "auth";

/// An [`Access`], ready for use.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Marked as sensitive, so that attempts are recorded without their values.
    headers: HeaderMap,
    identity: Option<Identity>,
    tokens: Option<Tokens>,
    name: String,
}

impl Entry {
    /// Gets an access ready. `name` is another one for each version of it: what belongs to an earlier one
    /// is not used any more.
    ///
    /// # Errors
    /// It holds what the checks at creation refuse; the text repeats nothing of it.
    pub(crate) fn new(access: &Access, egress: &Egress, name: String) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &access.headers {
            let name = HeaderName::try_from(name.as_str());
            let name = name.map_err(|_| "a header of its access has no valid name")?;
            headers.insert(name, sensitive(value)?);
        }
        if let Some(value) = access.auth.as_ref().and_then(Auth::authorization) {
            headers.insert(AUTHORIZATION, sensitive(&value)?);
        }
        let tokens = match &access.auth {
            Some(Auth::Oauth2(client)) => Some(Tokens::new(client.clone(), egress.policy())),
            _ => None,
        };
        let certified = access.client_certificate.as_ref().map(ClientCertificate::certified_key);
        let certified = certified.transpose();
        let certified = certified.map_err(|error| format!("its client certificate {error}"))?;
        let identity = certified.map(|key| egress.tls().identify(Arc::new(key), name.clone()));
        Ok(Self { headers, identity, tokens, name })
    }

    /// The name that it was given.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The headers that are always the same.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Puts a token into `headers`, when the hook uses one: it is fetched when there is none.
    ///
    /// # Errors
    /// Why there is no token, in plain words.
    pub(crate) async fn authorize(
        &self,
        egress: &Egress,
        clock: &Clock,
        headers: &mut HeaderMap,
    ) -> Result<(), String> {
        if let Some(tokens) = &self.tokens {
            headers.insert(AUTHORIZATION, tokens.get(egress, clock).await?);
        }
        Ok(())
    }

    /// Sends the request. A token that the receiver answers 401 to is fetched anew, once.
    pub(crate) async fn send(
        &self,
        egress: &Egress,
        clock: &Clock,
        request: Request<'_>,
    ) -> Attempted {
        let identity = self.identity.as_ref();
        let Some(tokens) = &self.tokens else { return egress.send_as(request, identity).await };
        let Request { method, url, mut headers, body, budget } = request;
        let first = Request {
            method: method.clone(),
            url,
            headers: headers.clone(),
            body: body.clone(),
            budget,
        };
        let attempted = egress.send_as(first, identity).await;
        if attempted.status() != Some(401) {
            return attempted;
        }
        tokens.forget(headers.get(AUTHORIZATION)).await;
        if self.authorize(egress, clock, &mut headers).await.is_err() {
            return attempted;
        }
        let spent = std::time::Duration::from_micros(attempted.timings.total_us.unwrap_or(0));
        let budget = Budget { total: budget.total.saturating_sub(spent), ..budget };
        egress.send_as(Request { method, url, headers, body, budget }, identity).await
    }
}

fn sensitive(value: &Hidden) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_bytes(value.reveal().as_bytes())
        .map_err(|_| "a header of its access has characters that HTTP forbids")?;
    value.set_sensitive(true);
    Ok(value)
}
