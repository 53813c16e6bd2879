//! `POST /oauth/token` and `POST /oauth/revoke`.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use tidings_service::{Caller, ConnectTokens, Error, GrantRefusal, Service};
use zeroize::Zeroizing;

use crate::refusal::Refusal;
use crate::request::{Fields, single};

/// The answer (RFC 6749 section 5.1).
#[derive(Serialize)]
struct Granted<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: i64,
    refresh_token: &'a str,
}

/// A refusal (RFC 6749 section 5.2): `error` and `error_description`; `message` is for the SDKs.
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    error: String,
    description: String,
}

impl Refused {
    fn new(status: StatusCode, error: &str, description: impl Into<String>) -> Self {
        Self { status, error: error.to_owned(), description: description.into() }
    }

    fn request(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    fn client() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", "Client authentication failed")
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({
            "error": self.error, "error_description": self.description, "message": self.description,
        });
        let mut response = (self.status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = http::HeaderValue::from_static("Basic realm=\"connect\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let (status, why) = refusal.into_words();
        let error = match status {
            status if status.is_server_error() => "server_error",
            _ => "invalid_request",
        };
        Self::new(status, error, why)
    }
}

impl From<GrantRefusal> for Refused {
    fn from(refusal: GrantRefusal) -> Self {
        let (error, description) = match refusal {
            GrantRefusal::Code => ("invalid_grant", "Invalid authorization code"),
            GrantRefusal::CodeExpired => ("invalid_grant", "Authorization code expired"),
            GrantRefusal::Client => ("invalid_grant", "Client mismatch"),
            GrantRefusal::RedirectUri => ("invalid_grant", "Redirect URI mismatch"),
            GrantRefusal::Refresh => ("invalid_grant", "Invalid refresh token"),
            GrantRefusal::Session => ("session_expired", "OAuth session expired"),
        };
        Self::new(StatusCode::BAD_REQUEST, error, description)
    }
}

/// The header `CLIENT_ID`, which the SDKs send too, says nothing that the credentials do not.
pub(super) async fn token(
    State(service): State<Service>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let fields = Fields::read_form(&headers, body).await?;
    let client = client(&service, &headers, &fields).await?;
    let traded = match required(&fields, "grant_type")?.as_str() {
        "authorization_code" => {
            let code = required(&fields, "code")?;
            let redirect_uri = required(&fields, "redirect_uri")?;
            service.connect_exchange(&client, &code, &redirect_uri).await
        }
        "refresh_token" => {
            let token = required(&fields, "refresh_token")?;
            service.connect_refresh(&client, &token).await
        }
        _ => {
            let why = "grant_type must be authorization_code or refresh_token";
            return Err(Refused::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", why));
        }
    };
    let tokens = traded.map_err(Refusal::from)??;
    Ok(granted(&tokens))
}

fn granted(tokens: &ConnectTokens) -> Response {
    let body = Granted {
        access_token: &tokens.access,
        token_type: "Bearer",
        expires_in: tokens.expires_in_s,
        refresh_token: &tokens.refresh,
    };
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Credentials in the header (RFC 7617) or in the body.
async fn client(
    service: &Service,
    headers: &HeaderMap,
    fields: &Fields,
) -> Result<Caller, Refused> {
    let (id, secret) = match single(headers, &AUTHORIZATION)? {
        Some(header) => basic(header).ok_or_else(Refused::client)?,
        None => {
            let id = fields.optional_text("client_id")?;
            let secret = fields.optional_text("client_secret")?.map(Zeroizing::new);
            id.zip(secret).ok_or_else(Refused::client)?
        }
    };
    if fields.optional_text("client_id")?.is_some_and(|named| named != id) {
        return Err(GrantRefusal::Client.into());
    }
    match service.connect_client(&id, &secret).await {
        Ok(client) => Ok(client),
        Err(Error::Unauthenticated) => Err(Refused::client()),
        Err(error) => Err(Refusal::from(error).into()),
    }
}

fn basic(header: &str) -> Option<(String, Zeroizing<String>)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?);
    let (id, secret) = decoded.split_once(':')?;
    Some((id.to_owned(), Zeroizing::new(secret.to_owned())))
}

fn required(fields: &Fields, name: &str) -> Result<Zeroizing<String>, Refused> {
    let missing = || Refused::request(format!("Missing required parameter: {name}"));
    fields.optional_text(name)?.map(Zeroizing::new).ok_or_else(missing)
}

/// Always success, whatever the token was: the answer tells nothing about it (RFC 7009 section 2.2).
pub(super) async fn revoke(
    State(service): State<Service>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let fields = Fields::read_form(&headers, body).await?;
    let token = Zeroizing::new(fields.text("token")?);
    service.connect_revoke(&token).await?;
    Ok(Json(json!({ "success": true })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_of_a_grant_is_a_documented_400() {
        for (refusal, error, description) in [
            (GrantRefusal::Code, "invalid_grant", "Invalid authorization code"),
            (GrantRefusal::CodeExpired, "invalid_grant", "Authorization code expired"),
            (GrantRefusal::Client, "invalid_grant", "Client mismatch"),
            (GrantRefusal::RedirectUri, "invalid_grant", "Redirect URI mismatch"),
            (GrantRefusal::Refresh, "invalid_grant", "Invalid refresh token"),
            (GrantRefusal::Session, "session_expired", "OAuth session expired"),
        ] {
            let refused = Refused::from(refusal);
            let said = (refused.status, &*refused.error, &*refused.description);
            assert_eq!(said, (StatusCode::BAD_REQUEST, error, description));
        }
    }
}
