//! Who we are at the providers: the sections `[google]`, `[microsoft]` and `[zoom]`. A section is used when
//! it has a `client_id`.

use tidings_core::access::Hidden;
use tidings_providers::oauth::OAuthApp;
use tidings_providers::settings::{GoogleSettings, MicrosoftSettings, Settings, ZoomSettings};
use url::Url;

use super::typed::{Typed, TypedClient, TypedMicrosoft, TypedZoom};
use super::{parse, required, secret, wrong};
use crate::error::Result;

/// The tenant of Microsoft accounts of every kind.
const TENANT_DEFAULT: &str = "common";

/// The providers that the operator has credentials for.
///
/// # Errors
/// A section without its secret, or an address that is none.
pub(super) fn settings(typed: &Typed, public_url: Option<Url>) -> Result<Settings> {
    Ok(Settings {
        google: google(&typed.google)?,
        microsoft: microsoft(&typed.microsoft)?,
        zoom: zoom(&typed.zoom)?,
        public_url,
    })
}

fn google(typed: &TypedClient) -> Result<Option<GoogleSettings>> {
    let Some((id, secret)) = credentials("google", typed)? else { return Ok(None) };
    let mut google = GoogleSettings::new(id, secret);
    settle("google", typed, &mut google.oauth, &mut google.api)?;
    Ok(Some(google))
}

fn microsoft(typed: &TypedMicrosoft) -> Result<Option<MicrosoftSettings>> {
    let client = typed.client();
    let Some((id, secret)) = credentials("microsoft", &client)? else { return Ok(None) };
    let tenant = typed.tenant.as_deref().unwrap_or(TENANT_DEFAULT);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if tenant.is_empty() || !tenant.chars().all(is_plain) {
        let why = "give common, organizations, consumers, or a tenant's id or domain";
        return Err(wrong("microsoft.tenant", why));
    }
    let mut microsoft = MicrosoftSettings::new(id, secret, tenant);
    settle("microsoft", &client, &mut microsoft.oauth, &mut microsoft.api)?;
    Ok(Some(microsoft))
}

fn zoom(typed: &TypedZoom) -> Result<Option<ZoomSettings>> {
    let client = typed.client();
    let Some((id, client_secret)) = credentials("zoom", &client)? else { return Ok(None) };
    let mut zoom = ZoomSettings::new(id, client_secret);
    settle("zoom", &client, &mut zoom.oauth, &mut zoom.api)?;
    let (itself, file) = (typed.webhook_secret.clone(), typed.webhook_secret_file.as_deref());
    let webhook = secret("zoom.webhook_secret", itself, file)?;
    zoom.webhook_secret = webhook.map(|secret| Hidden::from(secret.reveal().to_owned()));
    Ok(Some(zoom))
}

/// Our client id and secret; `None` when the section is not used.
fn credentials(section: &str, typed: &TypedClient) -> Result<Option<(String, String)>> {
    let key = format!("{section}.client_secret");
    let file = typed.client_secret_file.as_deref();
    let secret = secret(&key, typed.client_secret.clone(), file)?;
    let Some(id) = typed.client_id.clone().filter(|id| !id.is_empty()) else {
        let is_used = secret.is_some();
        return if is_used {
            Err(wrong(&format!("{section}.client_id"), "is needed"))
        } else {
            Ok(None)
        };
    };
    let secret = required(&key, secret)?;
    Ok(Some((id, secret.reveal().to_owned())))
}

/// Puts the operator's addresses and scopes in the place of the vendor's.
fn settle(section: &str, typed: &TypedClient, app: &mut OAuthApp, api: &mut Url) -> Result<()> {
    let given = |name: &str, text: &Option<String>| -> Result<Option<Url>> {
        text.as_deref().map(|text| address(&format!("{section}.{name}"), text)).transpose()
    };
    if let Some(url) = given("api_url", &typed.api_url)? {
        *api = url;
    }
    if let Some(url) = given("authorize_url", &typed.authorize_url)? {
        app.authorize_url = url;
    }
    if let Some(url) = given("token_url", &typed.token_url)? {
        app.token_url = url;
    }
    if let Some(url) = given("revoke_url", &typed.revoke_url)? {
        app.revoke_url = Some(url);
    }
    if let Some(scopes) = &typed.scopes {
        app.scopes = scopes.clone();
    }
    Ok(())
}

fn address(key: &str, text: &str) -> Result<Url> {
    let url: Url = parse(key, text, "a URL, such as https://graph.microsoft.com/v1.0")?;
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if matches!(url.scheme(), "http" | "https") && is_plain {
        return Ok(url);
    }
    Err(wrong(key, "give an https:// or http:// URL without a query and a user name"))
}
