//! How hooks get in at their receivers: checked here, stored sealed, never shown again.

use tidings_core::access::{Access, AccessSummary, Auth, ClientCertificate, Hidden};
use tidings_core::clock::Timestamp;
use tidings_core::hook;
use tidings_core::id::AppId;
use tidings_core::seal::Place;
use tidings_core::sign::{Scheme, Signing};
use tidings_store::{self as store, NewSecret};

use super::consent::{self, Verify};
use crate::validate::Checks;
use crate::{Error, Result, Service};

/// What to change of a hook's access; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct AccessChanges {
    /// The extra headers, all of them: name and value; empty: none any more.
    pub headers: Option<Vec<(String, Hidden)>>,
    /// What goes into `authorization`; `None`: nothing any more.
    pub auth: Option<Option<Auth>>,
    /// The client certificate; `None`: none any more.
    pub client_certificate: Option<Option<ClientCertificate>>,
}

/// How a hook's requests are signed and let in, and whether its receiver is asked first; what is absent
/// stays or has its default.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// The signature schemes; `v1` by default.
    pub signing: Option<Vec<Scheme>>,
    /// Headers, credentials and certificate.
    pub access: AccessChanges,
    /// Whether the receiver has to agree first.
    pub verify: Option<Verify>,
}

impl AccessChanges {
    /// Whether it leaves everything as it is.
    pub(super) fn is_empty(&self) -> bool {
        self.headers.is_none() && self.auth.is_none() && self.client_certificate.is_none()
    }

    /// Whether it changes some pieces and leaves others, which have to be opened for that.
    pub(super) fn is_partial(&self) -> bool {
        let given =
            [self.headers.is_some(), self.auth.is_some(), self.client_certificate.is_some()];
        given.contains(&true) && given.contains(&false)
    }

    /// Credentials are for the origin that they were given for: whoever moves the hook away must know them.
    pub(super) fn must_be_given_anew(&self, checks: &mut Checks, current: &AccessSummary) {
        let headers = !current.headers.is_empty() && self.headers.is_none();
        if headers || (current.auth.is_some() && self.auth.is_none()) {
            let why = "leads to another origin than the hook's headers and auth are for; give access \
                       anew, or clear it, in the same request";
            checks.refuse("/url", "origin", why);
        }
    }

    fn apply(self, mut access: Access) -> Access {
        if let Some(headers) = self.headers {
            access.headers = headers
                .into_iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value))
                .collect();
        }
        if let Some(auth) = self.auth {
            access.auth = auth;
        }
        if let Some(certificate) = self.client_certificate {
            access.client_certificate = certificate;
        }
        access
    }
}

impl Service {
    /// Puts `reach` into how a hook is served; answers its access, made of an earlier one. A new URL is a new
    /// receiver.
    pub(super) fn check_reach(
        &self,
        checks: &mut Checks,
        service: &mut hook::Service,
        earlier: Access,
        reach: Reach,
        new_url: bool,
    ) -> Access {
        match reach.signing.as_deref().map(Signing::new) {
            Some(Ok(signing)) => service.signing = signing,
            Some(Err(error)) => checks.refuse("/signing", "signing", error.to_string()),
            None => {}
        }
        service.consent = consent::changed(service.consent, reach.verify, new_url);
        if reach.access.is_empty() {
            return earlier;
        }
        let access = self.check_access(checks, earlier, reach.access);
        service.access = access.summary();
        access
    }

    /// The access that `changes` make of an earlier one.
    fn check_access(&self, checks: &mut Checks, earlier: Access, changes: AccessChanges) -> Access {
        let access = changes.apply(earlier);
        for refusal in access.refusals() {
            checks.refuse(format!("/access{}", refusal.pointer), refusal.code, refusal.why);
        }
        if let Some(Auth::Oauth2(client)) = &access.auth {
            checks.url("/access/auth/token_url", &client.token_url, &self.egress);
        }
        access
    }

    /// Whether `url` has another origin than the hook's own.
    pub(super) fn leaves_origin(&self, hook: &store::Hook, url: Option<&str>) -> bool {
        let origin = |url: Option<&str>| {
            url.and_then(|url| self.egress.vet_url(url).ok()).map(|url| url.origin().to_owned())
        };
        origin(hook.url.as_deref()) != origin(url)
    }

    /// An access sealed for its row; `None` when there is nothing in it.
    pub(super) fn seal_access(
        &self,
        app: AppId,
        access: &Access,
        now: Timestamp,
    ) -> Option<NewSecret> {
        if access.is_empty() {
            return None;
        }
        let id = self.ids.next(now);
        let place = Place { table: "hook_access", column: "sealed", app, row: id };
        Some(NewSecret { id, sealed: self.keyring.seal(place, &access.to_json(), &self.ids) })
    }

    /// What a hook has, to be changed.
    pub(super) async fn open_access(&self, hook: &store::Hook) -> Result<Access> {
        let Some(found) = self.store.hook_access(hook.hook_no).await? else {
            return Ok(Access::default());
        };
        let place =
            Place { table: "hook_access", column: "sealed", app: hook.app_id, row: found.id };
        let opened = self.keyring.open(place, &found.sealed).ok();
        opened.and_then(|document| Access::from_json(&document)).ok_or_else(|| {
            tracing::error!(hook.id = %hook.id, "the access of a hook does not open");
            Error::Internal
        })
    }
}
