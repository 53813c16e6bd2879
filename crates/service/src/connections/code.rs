//! Connecting accounts by a code that the app's own pages were sent. The app sends its people to the
//! provider's page and hands the code over that they come back with; nothing is kept in between.
//!
//! The PKCE verifier is derived from the master key for app and provider: a code that was given for one
//! app is worth nothing to another. Whose consent it was is the app's own to check, by `state`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tidings_core::id::AppId;
use tidings_core::limits;
use tidings_providers::oauth::{self, Pkce};
use tidings_providers::provider::Provider;
use tidings_store as store;
use url::Url;
use zeroize::Zeroizing;

use super::NotConnected;
use crate::validate::Checks;
use crate::{Account, Caller, Error, Result, Scope, Service};

/// A provider's page to send a person to.
#[derive(Clone, Debug, Default)]
pub struct ConsentPage {
    /// `google`, `microsoft` or `zoom`.
    pub provider: String,
    /// Where the provider sends them back to, one of the app's `redirect_uris`; the first when absent.
    pub redirect_uri: Option<String>,
    /// Comes back with the code.
    pub state: Option<String>,
    /// Whom the provider shall offer to sign in, usually an address.
    pub login_hint: Option<String>,
}

/// An account to connect by its code.
#[derive(Clone, Default)]
pub struct CodeConnection {
    /// `google`, `microsoft` or `zoom`.
    pub provider: String,
    /// Where the code was sent to: as in [`ConsentPage`].
    pub redirect_uri: Option<String>,
    /// The code.
    pub code: Zeroizing<String>,
    /// What people call the account; as the provider says when absent.
    pub name: Option<String>,
}

impl std::fmt::Debug for CodeConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CodeConnection").field("provider", &self.provider).finish_non_exhaustive()
    }
}

/// An account that was connected by a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectedByCode {
    /// The account.
    pub account: Account,
    /// What its owner has granted; all that was asked for when the provider does not say.
    pub scopes: Vec<String>,
}

impl Service {
    /// Where to send a person whose account shall be connected.
    ///
    /// # Errors
    /// Forbidden; invalid; not configured.
    pub async fn consent_page(&self, caller: &Caller, input: ConsentPage) -> Result<String> {
        self.allow(caller, Scope::Accounts, "connection.begin", caller.actor().as_str()).await?;
        let app = caller.app()?;
        let (provider, redirect_uri) =
            self.check_code(app, &input.provider, input.redirect_uri.as_deref())?;
        let mut checks = Checks::default();
        checks.optional_name("/email", input.login_hint.as_deref());
        let state = input.state.unwrap_or_default();
        if state.len() > limits::CALLBACK_VALUE_BYTES_MAX {
            let why = format!("must be at most {} bytes", limits::CALLBACK_VALUE_BYTES_MAX);
            checks.refuse("/state", "too_long", why);
        }
        checks.done()?;
        let client = self.providers.settings.oauth(provider).ok_or(Error::Internal)?;
        let pkce = Pkce::of(self.code_verifier(app.id, provider));
        let hint = input.login_hint.as_deref();
        let mut url = oauth::authorize(client, &redirect_uri, &state, &pkce, hint);
        if state.is_empty() {
            let said = url.query_pairs().into_owned().filter(|(name, _)| name != "state");
            let said: Vec<_> = said.collect();
            url.query_pairs_mut().clear().extend_pairs(said);
        }
        Ok(url.into())
    }

    /// Trades a code for an account of the app, or connects the one of the same identity again. Inner
    /// errors are the provider's word on the code.
    ///
    /// # Errors
    /// Forbidden; invalid; not configured; unavailable.
    pub async fn connect_by_code(
        &self,
        caller: &Caller,
        input: CodeConnection,
    ) -> Result<std::result::Result<ConnectedByCode, NotConnected>> {
        self.allow(caller, Scope::Accounts, "account.connect", caller.actor().as_str()).await?;
        let app = caller.app()?;
        let (provider, redirect_uri) =
            self.check_code(app, &input.provider, input.redirect_uri.as_deref())?;
        let mut checks = Checks::default();
        checks.optional_name("/name", input.name.as_deref());
        checks.done()?;
        let verifier = self.code_verifier(app.id, provider);
        let code = input.code.to_string();
        let (tokens, mut identity) =
            match self.trade(provider, code, verifier, redirect_uri).await? {
                Ok(connected) => connected,
                Err(refusal) => return Ok(Err(refusal)),
            };
        identity.name = input.name.or(identity.name);
        let (user_no, actor) = (caller.grant.user_no, caller.actor());
        let kept = self.keep_account(app, user_no, provider, &actor, &tokens, identity).await;
        let id = match kept {
            Ok(id) => id,
            Err(Error::Conflict(why)) => return Ok(Err(NotConnected::new("limit_exceeded", why))),
            Err(error) => return Err(error),
        };
        let account = self.find_account(caller, id).await?.into();
        let asked_for = || Some(self.providers.settings.oauth(provider)?.scopes.clone());
        let scopes = Some(tokens.scopes).filter(|scopes| !scopes.is_empty());
        let scopes = scopes.or_else(asked_for).unwrap_or_default();
        Ok(Ok(ConnectedByCode { account, scopes }))
    }

    /// The caller for a browser that knows nothing but public names: an app, and one of its keys that
    /// can do nothing else than connect accounts (its only scope is `accounts`).
    ///
    /// # Errors
    /// Not found: the client (the app), the token (no key of the app has this name); unauthenticated
    /// when it has expired; forbidden when it may do more.
    pub async fn public_caller(&self, app: AppId, key_name: &str) -> Result<Caller> {
        let app = self.store.app_by_id(app).await?.ok_or(Error::NotFound("client"))?;
        let grant = self.store.grant_named(app.app_no, key_name.to_owned()).await?;
        let grant = grant.ok_or(Error::NotFound("token"))?;
        if grant.expires_at.is_some_and(|at| at <= self.now()) {
            return Err(Error::Unauthenticated);
        }
        if grant.scopes != [Scope::Accounts.as_str()] {
            return Err(Error::Forbidden("accounts, and no other"));
        }
        Ok(Caller::new(grant, Some(app)))
    }

    fn check_code(
        &self,
        app: &store::App,
        provider: &str,
        redirect_uri: Option<&str>,
    ) -> Result<(Provider, Url)> {
        if Provider::parse(provider).is_none_or(|provider| !provider.uses_oauth()) {
            let why = "must be google, microsoft or zoom";
            return Err(Error::invalid("/provider", "provider", why));
        }
        let provider = self.consenting(provider).ok_or_else(|| {
            let why = "is not configured here: the operator must set its client_id";
            Error::NotConfigured(format!("{provider} {why}"))
        })?;
        let known = &app.settings.redirect_uris;
        let chosen = match redirect_uri {
            None => known.first(),
            Some(asked) => known.iter().find(|uri| *uri == asked),
        };
        let chosen = chosen.and_then(|uri| Url::parse(uri).ok()).ok_or_else(|| {
            let why = "is not allowed: give the app its redirect_uris first \
                       (PATCH /api/v1/apps/{id}, settings)";
            Error::invalid("/redirectUrl", "redirect_uri", why)
        })?;
        Ok((provider, chosen))
    }

    fn code_verifier(&self, app: AppId, provider: Provider) -> Zeroizing<String> {
        let secret = self.keyring.derived(app, "pkce", provider.as_str());
        Zeroizing::new(URL_SAFE_NO_PAD.encode(&secret[..]))
    }
}
