//! Asking a provider: requests out through the guarded client, answers in.

use std::sync::atomic::{AtomicI64, Ordering};

use http::header::{AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tidings_core::egress::FailureClass;
use tidings_providers::caldav::Login;
use tidings_providers::error::ProviderError;
use tidings_providers::google::error::is_about_the_token;
use tidings_providers::http::{Request, Response};
use tidings_providers::provider::Provider;
use tidings_store::Account;

use super::providers::Providers;
use super::tokens::{NoToken, Token};
use super::{Stop, caldav};
use crate::egress::{self, BodyEnd, Budget, Egress};

const AGENT: HeaderValue = HeaderValue::from_static(concat!("tidings/", env!("CARGO_PKG_VERSION")));

/// How requests of an account are authorised.
enum Access {
    /// With its user name and password.
    Login(Login),
    /// With its access token, which is refreshed when it is old or refused.
    Bearer,
}

/// One account's way to its provider.
pub(crate) struct Client<'a> {
    providers: &'a Providers,
    account_no: i64,
    access: Access,
    /// `credential_gen` of the credential that was used last.
    generation: AtomicI64,
}

impl<'a> Client<'a> {
    /// Makes no request.
    ///
    /// # Errors
    /// Permanent when the account's credentials cannot be used at all.
    pub(crate) fn new(providers: &'a Providers, account: &Account) -> Result<Self, ProviderError> {
        let oauth = Provider::parse(&account.provider).is_some_and(Provider::uses_oauth);
        let access = match oauth {
            true => Access::Bearer,
            false => Access::Login(caldav::login(&providers.keyring, account)?),
        };
        let generation = AtomicI64::new(account.credential_gen);
        Ok(Self { providers, account_no: account.account_no, access, generation })
    }

    /// The credential that a refusal proves something about, as its `credential_gen`.
    pub(crate) fn generation(&self) -> i64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// The user name, password and server of an account that has them.
    pub(crate) fn login(&self) -> Option<&Login> {
        match &self.access {
            Access::Login(login) => Some(login),
            Access::Bearer => None,
        }
    }

    /// Sends a request and reads the answer, which may be long, outside of the async threads.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        request: Request,
        read: impl FnOnce(&Response) -> Result<T, ProviderError> + Send + 'static,
    ) -> Result<T, Stop> {
        let response = self.send(request).await?;
        let reading = tokio::task::spawn_blocking(move || read(&response));
        Ok(reading
            .await
            .map_err(|_| ProviderError::permanent("the provider's answer could not be read"))??)
    }

    /// Sends a request; a second time only when the first was refused for its access token and there
    /// is a newer one. The answer is complete; a 401 is final.
    pub(crate) async fn send(&self, mut request: Request) -> Result<Response, Stop> {
        let Providers { egress, tokens, .. } = self.providers;
        if let Access::Login(login) = &self.access {
            login.authorize(&mut request)?;
            return send(egress, request, Budget::provider()).await;
        }
        let token = self.used(tokens.access(self.providers, self.account_no, None).await)?;
        request.headers.insert(AUTHORIZATION, token.header());
        let response = send(egress, request.clone(), Budget::provider()).await?;
        if !is_about_the_token(&response) {
            return Ok(response);
        }
        let refused = Some(&token);
        let token = self.used(tokens.access(self.providers, self.account_no, refused).await)?;
        request.headers.insert(AUTHORIZATION, token.header());
        let response = send(egress, request, Budget::provider()).await?;
        if is_about_the_token(&response) {
            let why = "the provider refuses a new access token (401); connect the account again";
            return Err(ProviderError::Reauthorise { why: why.into() }.into());
        }
        Ok(response)
    }

    fn used(&self, found: Result<Token, NoToken>) -> Result<Token, Stop> {
        let generation = match &found {
            Ok(token) => token.generation,
            Err(none) => none.generation,
        };
        self.generation.store(generation, Ordering::Relaxed);
        found.map_err(|none| none.stop)
    }
}

/// Sends a request once, as it is. The answer is complete.
pub(crate) async fn send(
    egress: &Egress,
    mut request: Request,
    budget: Budget,
) -> Result<Response, Stop> {
    request.headers.insert(USER_AGENT, AGENT);
    let url = egress.policy().vet_url(request.url.as_str()).map_err(|refusal| {
        ProviderError::permanent(format!("the provider's address is refused: {refusal}"))
    })?;
    let attempted = egress
        .send(egress::Request {
            method: request.method,
            url: &url,
            headers: request.headers,
            body: request.body,
            budget,
        })
        .await;
    match attempted.result {
        Ok(response) => complete(response),
        Err(failure) => {
            let why = format!("the provider did not answer: {}", failure.detail);
            Err(Stop::Provider(match failure.class {
                FailureClass::EgressRefused => ProviderError::permanent(why),
                _ => ProviderError::retry(why),
            }))
        }
    }
}

fn complete(response: egress::Response) -> Result<Response, Stop> {
    match response.body_end {
        BodyEnd::Complete => {}
        BodyEnd::Capped => return Err(Stop::TooLarge),
        BodyEnd::Broken | BodyEnd::OutOfTime => {
            let why = "the provider's answer was cut off";
            return Err(Stop::Provider(ProviderError::retry(why)));
        }
    }
    let status = StatusCode::from_u16(response.status)
        .map_err(|_| ProviderError::retry(format!("the provider answered {}", response.status)))?;
    let mut headers = HeaderMap::new();
    for (name, value) in response.headers {
        let name = HeaderName::try_from(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_maybe_shared(value)) {
            headers.append(name, value);
        }
    }
    Ok(Response { status, headers, body: response.body })
}
