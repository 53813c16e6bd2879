//! The beginning and the end of an account at its provider.

use http::HeaderValue;
use http::header::AUTHORIZATION;
use tidings_providers::errand::{Refusal, Reply};
use tidings_providers::error::ProviderError;
use tidings_providers::http::{Request, Response};
use tidings_providers::oauth::{self, Credential, Identity, TokenError};
use tidings_providers::provider::Provider;
use tidings_providers::{google, microsoft, zoom};
use url::Url;

use super::{not_found, refusal, store};
use crate::egress::Budget;
use crate::subscriptions;
use crate::sync::client::send;
use crate::sync::tokens::{self, budget};
use crate::sync::{Providers, Stop};

/// Trades a code for tokens and asks whose they are.
pub(super) async fn exchange(
    providers: &Providers,
    provider: Provider,
    code: &str,
    verifier: &str,
    redirect_uri: &Url,
) -> Result<Reply, Refusal> {
    let app = providers.oauth(provider).map_err(|error| refusal(error.into()))?;
    let request = oauth::exchange(app, code, verifier, redirect_uri);
    let response = send(&providers.egress, request, budget()).await.map_err(refusal)?;
    let tokens = oauth::tokens(provider, &response).map_err(|error| match error {
        // The code, not an account: nothing was connected yet.
        TokenError::Withdrawn { why } => Refusal::Invalid(why),
        TokenError::Operator { why } => Refusal::Operator(why),
        TokenError::Retry { after_ms, why } => Refusal::Unavailable { why, after_ms },
    })?;
    let missing = oauth::missing_scopes(&app.scopes, &tokens.scopes);
    if !missing.is_empty() {
        let why = format!("these permissions were not given: {}", missing.join(", "));
        return Err(Refusal::Forbidden(why));
    }
    let told = tokens.identity.clone();
    let credential = Credential::new(tokens, providers.clock.now());
    let identity = match told {
        Some(identity) => identity,
        None => identity(providers, provider, &credential).await.map_err(refusal)?,
    };
    Ok(Reply::Connected { tokens: credential, identity })
}

/// Reads who it is out of an answer.
type Read = fn(&Response) -> Result<Identity, ProviderError>;

async fn identity(
    providers: &Providers,
    provider: Provider,
    credential: &Credential,
) -> Result<Identity, Stop> {
    let (mut request, read): (Request, Read) = match provider {
        Provider::Google => (
            google::calendars::identity_request(providers.google()?),
            google::calendars::parse_identity,
        ),
        Provider::Microsoft => (
            microsoft::calendars::me_request(providers.microsoft()?),
            microsoft::calendars::parse_me,
        ),
        Provider::Zoom => (zoom::user::me_request(providers.zoom()?), zoom::user::parse_me),
        Provider::Caldav | Provider::Apple => {
            return Err(ProviderError::permanent("its accounts have no tokens").into());
        }
    };
    let token = format!("Bearer {}", credential.access_token.reveal());
    let mut header = HeaderValue::try_from(token).map_err(|_| {
        ProviderError::retry("the provider gave a token with characters that HTTP forbids")
    })?;
    header.set_sensitive(true);
    request.headers.insert(AUTHORIZATION, header);
    let response = send(&providers.egress, request, Budget::provider()).await?;
    Ok(read(&response)?)
}

/// Stops the account's subscriptions while its tokens are still good, then gives the tokens back. What
/// the provider does not let us do is not done: the account is going in any case.
pub(super) async fn revoke(providers: &Providers, account_no: i64) -> Result<Reply, Refusal> {
    let account = providers.store.account(account_no).await.map_err(store)?;
    let account = account.ok_or_else(|| not_found("account"))?;
    let oauth = Provider::parse(&account.provider).filter(|provider| provider.uses_oauth());
    let Some(provider) = oauth else { return Ok(Reply::Done) };
    subscriptions::stop_all(providers, &account).await.map_err(store)?;
    if account.credential.is_some() {
        let given_back = give_back(providers, account_no, provider).await;
        given_back.map_err(refusal)?;
    }
    Ok(Reply::Done)
}

async fn give_back(providers: &Providers, account_no: i64, provider: Provider) -> Result<(), Stop> {
    let (_, credential) = tokens::opened(providers, account_no).await?;
    let Some(request) = oauth::revoke(providers.oauth(provider)?, &credential) else {
        return Ok(());
    };
    let response = send(&providers.egress, request, budget()).await?;
    if response.status.is_server_error() {
        let why = format!("{provider} could not take its tokens back ({})", response.status);
        let after_ms = response.retry_after_ms();
        return Err(ProviderError::Retry { after_ms, why }.into());
    }
    Ok(())
}
