//! What the vendor's browser component calls: the same two steps, without a key. It knows two public
//! names, the app (`clientId`) and one of its keys (`tokenName`), which must be a key that can do nothing
//! but connect accounts. Pages of other origins may read the answers: there is nothing secret in them.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE,
};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde_json::json;
use tidings_core::limits;
use tidings_service::{Caller, CodeConnection, ConsentPage, Error, Service};
use tokio::sync::Semaphore;

use crate::refusal::Refusal;
use crate::request::{Answer, Fields, Query, done};

/// Codes traded at the same time by who has shown no key: each is a call to a provider.
#[derive(Clone)]
pub(crate) struct Exchanges(pub(crate) Arc<Semaphore>);

impl Exchanges {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(limits::PUBLIC_EXCHANGES_AT_ONCE)))
    }
}

/// `GET /oauth/init?provider&clientId&tokenName&state&redirectUrl&email&name`.
pub(crate) async fn url(State(service): State<Service>, parts: Parts) -> Response {
    readable(init(&service, &Query::of(&parts)).await)
}

async fn init(service: &Service, query: &Query) -> Answer {
    let caller = caller(service, query).await?;
    let page = ConsentPage {
        provider: provider(query)?,
        redirect_uri: query.get("redirectUrl").map(Into::into),
        state: query.get("state").map(Into::into),
        login_hint: query.get("email").map(Into::into),
    };
    let url = service.consent_page(&caller, page).await.map_err(in_words)?;
    Ok(done(json!({ "success": true, "url": url })))
}

/// `POST /oauth/init/connect?provider&clientId&tokenName` with `{code, name, redirectUrl}`.
pub(crate) async fn connect(
    State(service): State<Service>,
    Extension(exchanges): Extension<Exchanges>,
    parts: Parts,
    body: Body,
) -> Response {
    readable(finish(&service, &exchanges, &parts, body).await)
}

async fn finish(service: &Service, exchanges: &Exchanges, parts: &Parts, body: Body) -> Answer {
    let query = Query::of(parts);
    let caller = caller(service, &query).await?;
    let provider = provider(&query)?;
    let fields = Fields::read(&parts.headers, body, &Query::default()).await?;
    let code = fields.text("code").ok_or_else(|| {
        Refusal::told(StatusCode::BAD_REQUEST, "Invalid grant. a code is required.")
    })?;
    let input = CodeConnection {
        provider,
        redirect_uri: fields.text("redirectUrl").map(Into::into),
        code: code.to_owned().into(),
        name: fields.text("name").map(Into::into),
    };
    let turn = exchanges.0.try_acquire().map_err(|_| Error::LimitExceeded {
        limit: "accounts connected at once by browsers; try again".into(),
        retry_after_s: Some(1),
    })?;
    let connected = service.connect_by_code(&caller, input).await.map_err(in_words)?;
    drop(turn);
    Ok(done(super::told(&connected?)))
}

/// Answers the browser's question whether it may ask.
pub(crate) async fn preflight() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST")),
        (ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type")),
        (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
    ];
    readable(Ok((StatusCode::NO_CONTENT, headers).into_response()))
}

/// The component reads the words of `error` to tell these apart.
async fn caller(service: &Service, query: &Query) -> Result<Caller, Refusal> {
    let refused = |status, words: &str| Refusal::told(status, words);
    let app = query.get("clientId").and_then(|id| id.parse().ok());
    let unknown = || refused(StatusCode::UNAUTHORIZED, "Invalid client");
    let found =
        service.public_caller(app.ok_or_else(unknown)?, query.get("tokenName").unwrap_or_default());
    found.await.map_err(|error| match error {
        Error::NotFound("client") => unknown(),
        Error::NotFound(_) => refused(StatusCode::UNAUTHORIZED, "Token not found"),
        Error::Unauthenticated => refused(StatusCode::UNAUTHORIZED, "Token expired"),
        Error::Forbidden(_) => {
            let why = "Not allowed: a public token is a key whose only scope is accounts";
            refused(StatusCode::FORBIDDEN, why)
        }
        other => other.into(),
    })
}

fn provider(query: &Query) -> Result<String, Refusal> {
    let provider = query.get("provider").unwrap_or_default();
    match provider {
        "google" | "microsoft" | "zoom" => Ok(provider.to_owned()),
        _ => {
            let why = "Provider not allowed: use google, microsoft or zoom";
            Err(Refusal::told(StatusCode::BAD_REQUEST, why))
        }
    }
}

/// The component reads one text, not a list of parameters.
fn in_words(error: Error) -> Refusal {
    match &error {
        Error::Invalid(fields) if fields.iter().any(|field| field.pointer == "/redirectUrl") => {
            let why = "redirectUrl is not allowed: it is none of the app's redirect_uris";
            Refusal::told(StatusCode::BAD_REQUEST, why)
        }
        Error::Invalid(_) => Refusal::told(StatusCode::BAD_REQUEST, error.to_string()),
        _ => error.into(),
    }
}

/// Lets pages of every origin read the answer.
fn readable(answer: Answer) -> Response {
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}
