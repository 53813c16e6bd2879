//! Connecting accounts: where to send a person, and what becomes of the code that comes back. The
//! redirect addresses are settings of the app.

use axum::body::Body;
use serde_json::json;
use tidings_service::{AccountStatus, CodeConnection, ConnectedByCode, ConsentPage};

use crate::refusal::Refusal;
use crate::request::{Answer, Asked, Fields, Provider, checked, done};

pub(crate) mod init;

/// `GET /{provider}/oauth?email&state`.
pub(crate) async fn url(asked: Asked) -> Answer {
    let query = &asked.query;
    let email = query.get("email");
    let mut faults = Vec::new();
    // Zoom's page takes no address.
    let needed = asked.provider != Provider::Zoom;
    if needed && query.all("email").next().is_none() {
        faults.push(query.fault("email", "Invalid value"));
    }
    if (needed || email.is_some()) && !email.is_some_and(is_email) {
        faults.push(query.fault("email", "a valid email is required."));
    }
    checked(faults)?;
    let page = ConsentPage {
        provider: asked.provider.as_str().into(),
        redirect_uri: query.get("redirectUrl").map(Into::into),
        state: query.get("state").map(Into::into),
        login_hint: email.map(Into::into),
    };
    let url = asked.service.consent_page(&asked.caller, page).await?;
    Ok(done(json!({ "success": true, "url": url })))
}

/// `POST /{provider}/connect` with `{code, name}`.
pub(crate) async fn connect(asked: Asked, body: Body) -> Answer {
    let fields = Fields::read(&asked.headers, body, &Default::default()).await?;
    let mut faults = Vec::new();
    let code = fields.need("code", "a code is required.", &mut faults);
    let name = fields.need("name", "a name is required.", &mut faults);
    checked(faults)?;
    let input = CodeConnection {
        provider: asked.provider.as_str().into(),
        redirect_uri: fields.text("redirectUrl").map(Into::into),
        code: code.into(),
        name: Some(name),
    };
    let connected = asked.service.connect_by_code(&asked.caller, input).await?;
    Ok(done(told(&connected.map_err(Refusal::from)?)))
}

/// The account as Pyas tells it.
fn told(connected: &ConnectedByCode) -> serde_json::Value {
    let ConnectedByCode { account, scopes } = connected;
    let status = match account.status {
        AccountStatus::Active => "active",
        _ => "inactive",
    };
    json!({ "success": true, "data": { "account": {
        "accountId": account.id,
        "email": account.username,
        "name": account.name,
        "provider": account.provider,
        "status": status,
        "scopes": scopes,
    }}})
}

/// As much of an address as can be told without asking for it.
pub(crate) fn is_email(text: &str) -> bool {
    let (user, host) = text.rsplit_once('@').unwrap_or_default();
    let is_bad = |c: char| c.is_control() || c.is_whitespace() || "<>\",;:".contains(c);
    !user.is_empty()
        && host.split('.').count() > 1
        && host.split('.').all(|label| !label.is_empty())
        && text.len() <= 254
        && !text.contains(is_bad)
}
