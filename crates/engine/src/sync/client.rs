//! Asking a calendar server: CalDAV requests out through the guarded client, answers in.

use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tidings_core::egress::FailureClass;
use tidings_core::seal::{Keyring, Place};
use tidings_providers::caldav::{Login, Request, Response};
use tidings_providers::error::ProviderError;
use tidings_store::Account;
use url::Url;

use super::Stop;
use crate::egress::{self, BodyEnd, Budget, Egress};

const AGENT: HeaderValue = HeaderValue::from_static(concat!("tidings/", env!("CARGO_PKG_VERSION")));

/// One account's way to its server.
pub(super) struct Client<'a> {
    egress: &'a Egress,
    login: Login,
}

impl<'a> Client<'a> {
    pub(super) fn new(egress: &'a Egress, login: Login) -> Self {
        Self { egress, login }
    }

    /// Where discovery begins.
    pub(super) fn server(&self) -> &Url {
        self.login.server()
    }

    /// Sends a request and reads the answer, which may be long, outside of the async threads.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        request: Request,
        read: impl FnOnce(&Response) -> Result<T, ProviderError> + Send + 'static,
    ) -> Result<T, Stop> {
        let response = self.send(request).await?;
        let reading = tokio::task::spawn_blocking(move || read(&response));
        Ok(reading.await.map_err(|_| {
            ProviderError::permanent("the calendar server's answer could not be read")
        })??)
    }

    /// Sends a request once. The answer is complete.
    pub(super) async fn send(&self, mut request: Request) -> Result<Response, Stop> {
        self.login.authorize(&mut request)?;
        request.headers.insert(USER_AGENT, AGENT);
        let url = self.egress.policy().vet_url(request.url.as_str()).map_err(|refusal| {
            ProviderError::permanent(format!("the calendar server's address is refused: {refusal}"))
        })?;
        let attempted = self
            .egress
            .send(egress::Request {
                method: request.method,
                url: &url,
                headers: request.headers,
                body: request.body,
                budget: Budget::provider(),
            })
            .await;
        match attempted.result {
            Ok(response) => complete(response),
            Err(failure) => {
                let why = format!("the calendar server did not answer: {}", failure.detail);
                Err(Stop::Provider(match failure.class {
                    FailureClass::EgressRefused => ProviderError::permanent(why),
                    _ => ProviderError::retry(why),
                }))
            }
        }
    }
}

fn complete(response: egress::Response) -> Result<Response, Stop> {
    match response.body_end {
        BodyEnd::Complete => {}
        BodyEnd::Capped => return Err(Stop::TooLarge),
        BodyEnd::Broken | BodyEnd::OutOfTime => {
            let why = "the calendar server's answer was cut off";
            return Err(Stop::Provider(ProviderError::retry(why)));
        }
    }
    let status = StatusCode::from_u16(response.status).map_err(|_| {
        ProviderError::retry(format!("the calendar server answered {}", response.status))
    })?;
    let mut headers = HeaderMap::new();
    for (name, value) in response.headers {
        let name = HeaderName::try_from(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_maybe_shared(value)) {
            headers.append(name, value);
        }
    }
    Ok(Response { status, headers, body: response.body })
}

/// The account's credentials, opened.
pub(super) fn login(keyring: &Keyring, account: &Account) -> Result<Login, ProviderError> {
    let missing = || {
        ProviderError::permanent("the account has no credentials; connect it again with a password")
    };
    let sealed = account.credential.as_deref().ok_or_else(missing)?;
    let user = account.username.as_deref().ok_or_else(missing)?;
    let place =
        Place { table: "account", column: "credential", app: account.app_id, row: account.id.0 };
    let password = keyring.open(place, sealed).map_err(|error| {
        ProviderError::permanent(format!("the stored password cannot be opened: {error}"))
    })?;
    let password = std::str::from_utf8(&password)
        .map_err(|_| ProviderError::permanent("the stored password is not text"))?;
    match account.provider.as_str() {
        "apple" => Login::apple(user, password),
        "caldav" => {
            let server = account.server_url.as_deref().and_then(|url| Url::parse(url).ok());
            let server = server.ok_or_else(|| {
                ProviderError::permanent("the account's server address is not a URL")
            })?;
            Login::caldav(&server, user, password)
        }
        other => Err(ProviderError::permanent(format!("accounts of {other} are not watched"))),
    }
}
