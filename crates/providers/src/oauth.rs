//! OAuth 2.0 without I/O: the code flow (RFC 6749 section 4.1) with PKCE (RFC 7636), as Google,
//! Microsoft and Zoom speak it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use tidings_core::access::Hidden;
use tidings_core::id::Ids;
use url::Url;
use zeroize::Zeroizing;

use crate::http::Request;
use crate::provider::Provider;
use crate::settings::constant;

mod credential;
mod token;

pub use credential::{Credential, Identity, missing_scopes};
pub use token::{TokenError, Tokens, tokens};

/// Our OAuth client at one provider, as the operator registered it.
#[derive(Clone, Debug)]
pub struct OAuthApp {
    /// Whose it is: tells the provider's own parameters.
    pub provider: Provider,
    /// Its public name.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Hidden,
    /// Where the user agrees.
    pub authorize_url: Url,
    /// Where codes and refresh tokens are traded.
    pub token_url: Url,
    /// Where tokens are given back. Microsoft has no such place.
    pub revoke_url: Option<Url>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// How the client shows who it is.
    pub style: ClientAuth,
}

/// How a client authenticates at the token endpoint (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_id` and `client_secret` in the form.
    Body,
    /// HTTP Basic.
    Basic,
}

/// Least for us: reading and writing events, and the list of calendars.
const GOOGLE_SCOPES: [&str; 4] = [
    "openid",
    "email",
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
];
const MICROSOFT_SCOPES: [&str; 5] =
    ["offline_access", "openid", "profile", "User.Read", "Calendars.ReadWrite"];

impl OAuthApp {
    /// At Google.
    pub fn google(client_id: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self {
            provider: Provider::Google,
            client_id: client_id.into(),
            client_secret: client_secret.into().into(),
            authorize_url: constant("https://accounts.google.com/o/oauth2/v2/auth"),
            token_url: constant("https://oauth2.googleapis.com/token"),
            revoke_url: Some(constant("https://oauth2.googleapis.com/revoke")),
            scopes: GOOGLE_SCOPES.map(Into::into).into(),
            style: ClientAuth::Body,
        }
    }

    /// At Microsoft, for `common`, `organizations`, `consumers` or one tenant.
    pub fn microsoft(
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
        tenant: &str,
    ) -> Self {
        let base = constant("https://login.microsoftonline.com/");
        let endpoint = |name| crate::http::below(&base, &[tenant, "oauth2", "v2.0", name]);
        Self {
            provider: Provider::Microsoft,
            client_id: client_id.into(),
            client_secret: client_secret.into().into(),
            authorize_url: endpoint("authorize"),
            token_url: endpoint("token"),
            revoke_url: None,
            scopes: MICROSOFT_SCOPES.map(Into::into).into(),
            style: ClientAuth::Body,
        }
    }

    /// At Zoom, whose scopes belong to the app and are not asked for.
    pub fn zoom(client_id: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self {
            provider: Provider::Zoom,
            client_id: client_id.into(),
            client_secret: client_secret.into().into(),
            authorize_url: constant("https://zoom.us/oauth/authorize"),
            token_url: constant("https://zoom.us/oauth/token"),
            revoke_url: Some(constant("https://zoom.us/oauth/revoke")),
            scopes: Vec::new(),
            style: ClientAuth::Basic,
        }
    }

    /// A form to the token or revocation endpoint, with our client's credentials.
    fn post(&self, url: &Url, fields: &[(&str, &str)]) -> Request {
        match self.style {
            ClientAuth::Body => {
                let ours =
                    [("client_id", self.client_id.as_str()), ("client_secret", self.secret())];
                Request::form(url.clone(), &[fields, &ours].concat())
            }
            ClientAuth::Basic => {
                let encoded = |text: &str| -> String {
                    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
                };
                let pair = Zeroizing::new(format!(
                    "{}:{}",
                    encoded(&self.client_id),
                    encoded(self.secret())
                ));
                let mut request = Request::form(url.clone(), fields)
                    .with(AUTHORIZATION.as_str(), &format!("Basic {}", STANDARD.encode(&*pair)));
                if let Some(header) = request.headers.get_mut(AUTHORIZATION) {
                    header.set_sensitive(true);
                }
                request
            }
        }
    }

    fn secret(&self) -> &str {
        self.client_secret.reveal()
    }
}

/// Proof that whoever trades the code began the flow (RFC 7636, method S256).
#[derive(Clone)]
pub struct Pkce {
    /// Kept secret until the code is traded.
    pub verifier: Zeroizing<String>,
    /// Its hash, for the authorization request.
    pub challenge: String,
}

impl std::fmt::Debug for Pkce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pkce").field("challenge", &self.challenge).finish_non_exhaustive()
    }
}

impl Pkce {
    /// A new one of 256 random bits.
    pub fn new(ids: &Ids) -> Self {
        let mut random = Zeroizing::new([0; 32]);
        ids.fill(&mut random[..]);
        Self::of(Zeroizing::new(URL_SAFE_NO_PAD.encode(&random[..])))
    }

    /// That of a stored verifier.
    pub fn of(verifier: Zeroizing<String>) -> Self {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        Self { verifier, challenge }
    }
}

/// Where the user's browser is sent. `state` comes back as it is: an opaque random text that only we
/// can map to what it stands for.
pub fn authorize(
    app: &OAuthApp,
    redirect_uri: &Url,
    state: &str,
    pkce: &Pkce,
    login_hint: Option<&str>,
) -> Url {
    let mut url = app.authorize_url.clone();
    let mut query = url.query_pairs_mut();
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", &app.client_id)
        .append_pair("redirect_uri", redirect_uri.as_str())
        .append_pair("state", state)
        .append_pair("code_challenge", &pkce.challenge)
        .append_pair("code_challenge_method", "S256");
    if !app.scopes.is_empty() {
        query.append_pair("scope", &app.scopes.join(" "));
    }
    match app.provider {
        // A refresh token comes only with a consent.
        Provider::Google => {
            query
                .append_pair("access_type", "offline")
                .append_pair("prompt", "consent")
                .append_pair("include_granted_scopes", "true");
        }
        Provider::Microsoft => {
            query.append_pair("response_mode", "query").append_pair("prompt", "select_account");
        }
        Provider::Zoom | Provider::Caldav | Provider::Apple => {}
    }
    if let Some(hint) = login_hint {
        query.append_pair("login_hint", hint);
    }
    drop(query);
    url
}

/// Trades a code for tokens.
pub fn exchange(app: &OAuthApp, code: &str, verifier: &str, redirect_uri: &Url) -> Request {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri.as_str()),
        ("code_verifier", verifier),
    ];
    app.post(&app.token_url, &fields)
}

/// Trades a refresh token for an access token.
pub fn refresh(app: &OAuthApp, refresh_token: &str) -> Request {
    app.post(&app.token_url, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
}

/// Gives an account's tokens back (RFC 7009); `None` where there is no place for it. Any answer but a
/// 5xx settles it: what is unknown is revoked already.
pub fn revoke(app: &OAuthApp, credential: &Credential) -> Option<Request> {
    let url = app.revoke_url.as_ref()?;
    // Google ends the whole grant with either token; Zoom knows its access tokens only.
    let token = match (&credential.refresh_token, app.provider) {
        (Some(refresh), Provider::Google) => refresh,
        _ => &credential.access_token,
    };
    Some(app.post(url, &[("token", token.reveal())]))
}

#[cfg(test)]
mod tests;
