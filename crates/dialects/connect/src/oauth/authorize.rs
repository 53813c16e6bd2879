//! `GET /oauth/authorize` and the pages behind it, on which a person chooses what to connect.

use std::collections::HashMap;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use tidings_core::limits::CONNECT_AUTHORIZATION_MS;
use tidings_service::{Authorization, AuthorizationInput, ConnectLogin, Error, Password, Service};
use url::form_urlencoded::{self, Serializer};

use super::page;
use crate::refusal::Refusal;
use crate::request::Fields;

/// Providers whose accounts are connected by a form of ours.
const BY_PASSWORD: [&str; 2] = ["apple", "caldav"];

/// A page that says what is wrong.
pub(super) struct Wrong(StatusCode, String);

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        page::wrong(self.0, &self.1)
    }
}

impl From<Refusal> for Wrong {
    fn from(refusal: Refusal) -> Self {
        let (status, why) = refusal.into_words();
        Self(status, why)
    }
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound("authorization") => no_session(),
            Error::Unauthenticated => {
                Self(StatusCode::UNAUTHORIZED, "client_id is not one of ours".into())
            }
            Error::Forbidden("csrf") => {
                let why = "this form is not from the page that this browser has open";
                Self(StatusCode::FORBIDDEN, why.into())
            }
            error => Refusal::from(error).into(),
        }
    }
}

fn no_session() -> Wrong {
    let why = "OAuth session expired: go back to the application and begin once more";
    Wrong(StatusCode::BAD_REQUEST, why.into())
}

pub(super) async fn begin(
    State(service): State<Service>,
    RawQuery(query): RawQuery,
) -> Result<Response, Wrong> {
    begun(&service, query.as_deref().unwrap_or_default(), "select").await
}

/// The same where the documentation has it: one level higher.
pub(super) async fn begin_above(
    State(service): State<Service>,
    RawQuery(query): RawQuery,
) -> Result<Response, Wrong> {
    begun(&service, query.as_deref().unwrap_or_default(), "oauth/select").await
}

async fn begun(service: &Service, query: &str, page: &str) -> Result<Response, Wrong> {
    let mut given = pairs(query);
    let mut take = |name: &str| given.remove(name).filter(|value| !value.is_empty());
    let missing = |name| Wrong(StatusCode::BAD_REQUEST, format!("{name} is required"));
    let client_id = take("client_id").ok_or_else(|| missing("client_id"))?;
    let user_id = take("user_id").ok_or_else(|| missing("user_id"))?;
    if take("response_type").is_some_and(|kind| kind != "code") {
        return Err(Wrong(StatusCode::BAD_REQUEST, "response_type must be code".into()));
    }
    let providers = take("providers").unwrap_or_default();
    let input = AuthorizationInput {
        client_id,
        user_id,
        scope: take("scope"),
        state: take("state"),
        language: take("lng"),
        providers: providers.split(',').map(str::to_owned).collect(),
    };
    let flow = service.connect_authorize(input).await?;
    // All parameters go on, with the redirect URI that counts.
    let kept = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "redirect_uri");
    let mut onward = Serializer::new(String::new());
    onward.extend_pairs(kept).append_pair("redirect_uri", &flow.redirect_uri);
    let onward = format!("{page}?{}", onward.finish());
    Ok(going(StatusCode::FOUND, &onward, Some(cookie(is_secure(service), &flow.cookie))))
}

pub(super) async fn select(
    State(service): State<Service>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Wrong> {
    let flow = known(&service, &headers).await?;
    let problem = pairs(query.as_deref().unwrap_or_default()).remove("problem");
    Ok(page::selection(&flow, problem.as_deref().map(page::problem)))
}

/// On to a provider's own page, and from there back to where these pages are mounted.
pub(super) async fn leave(
    mount: &'static str,
    State(service): State<Service>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Wrong> {
    let mut given = pairs(query.as_deref().unwrap_or_default());
    let mut take = |name: &str| given.remove(name).unwrap_or_default();
    let (provider, csrf) = (take("provider"), take("csrf"));
    let base = service.public_url().map(|url| url.as_str().trim_end_matches('/'));
    let base = base.ok_or_else(|| {
        let why = "the server does not know its own address: the operator must set public_url";
        Wrong(StatusCode::INTERNAL_SERVER_ERROR, why.into())
    })?;
    let back = format!("{base}{mount}/oauth/back");
    let page = service.connect_leave(&headers, &csrf, &provider, &back).await?;
    Ok(going(StatusCode::SEE_OTHER, &page, None))
}

/// Back from a provider, with an account or without.
pub(super) async fn back(
    State(service): State<Service>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Wrong> {
    let mut given = pairs(query.as_deref().unwrap_or_default());
    let Some(account) = given.remove("account") else {
        let problem = given.remove("error").unwrap_or_default();
        let onward = Serializer::new(String::new()).append_pair("problem", &problem).finish();
        return Ok(going(StatusCode::SEE_OTHER, &format!("select?{onward}"), None));
    };
    let flow = service.connect_back(&headers, &account).await?;
    Ok(to_selection(&service, &flow))
}

/// The form for a server and a password.
pub(super) async fn login(
    State(service): State<Service>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Wrong> {
    let flow = known(&service, &headers).await?;
    let given = pairs(query.as_deref().unwrap_or_default());
    let provider = given.get("provider").filter(|name| BY_PASSWORD.contains(&name.as_str()));
    let provider = provider.ok_or_else(not_by_password)?;
    Ok(page::login(StatusCode::OK, &flow, provider, &page::Typed::default(), None))
}

pub(super) async fn log_in(
    State(service): State<Service>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Wrong> {
    let fields = Fields::read_form(&headers, body).await?;
    let text = |name: &str| Ok::<_, Refusal>(fields.optional_text(name)?.unwrap_or_default());
    let (provider, csrf) = (text("provider")?, text("csrf")?);
    if !BY_PASSWORD.contains(&provider.as_str()) {
        return Err(not_by_password());
    }
    let typed = page::Typed { server: text("server")?, username: text("username")? };
    let server_url = (provider == "caldav").then(|| typed.server.trim().to_owned());
    let login = ConnectLogin {
        provider: provider.clone(),
        server_url,
        username: typed.username.trim().to_owned(),
        password: Password::new(text("password")?),
    };
    match service.connect_login(&headers, &csrf, login).await {
        Ok(flow) => Ok(to_selection(&service, &flow)),
        Err(error @ (Error::Invalid(_) | Error::LimitExceeded { .. })) => {
            let flow = known(&service, &headers).await?;
            let (status, why) = Refusal::from(error).into_words();
            Ok(page::login(status, &flow, &provider, &typed, Some(&why)))
        }
        Err(error) => Err(error.into()),
    }
}

/// The end: back to the app, with a code.
pub(super) async fn finish(
    State(service): State<Service>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Wrong> {
    let fields = Fields::read_form(&headers, body).await?;
    let csrf = fields.optional_text("csrf")?.unwrap_or_default();
    let onward = service.connect_finish(&headers, &csrf).await?;
    Ok(going(StatusCode::SEE_OTHER, &onward, Some(no_cookie())))
}

pub(super) async fn cancel(
    State(service): State<Service>,
    headers: HeaderMap,
) -> Result<Response, Wrong> {
    let onward = service.connect_cancel(&headers).await?;
    Ok(going(StatusCode::SEE_OTHER, &onward, Some(no_cookie())))
}

async fn known(service: &Service, headers: &HeaderMap) -> Result<Authorization, Wrong> {
    service.connect_authorization(headers).await?.ok_or_else(no_session)
}

fn not_by_password() -> Wrong {
    Wrong(StatusCode::BAD_REQUEST, "provider must be apple or caldav".into())
}

fn to_selection(service: &Service, flow: &Authorization) -> Response {
    let cookie = cookie(is_secure(service), &flow.cookie);
    going(StatusCode::SEE_OTHER, "select", Some(cookie))
}

fn going(status: StatusCode, to: &str, cookie: Option<String>) -> Response {
    let headers = [(LOCATION, to.to_owned()), (CACHE_CONTROL, "no-store".into())];
    let cookie = cookie.map(|cookie| [(SET_COOKIE, cookie)]);
    match cookie {
        Some(cookie) => (status, headers, cookie).into_response(),
        None => (status, headers).into_response(),
    }
}

/// Whether people reach this server by TLS: then the cookie takes no other way.
fn is_secure(service: &Service) -> bool {
    service.public_url().is_some_and(|url| url.scheme() == "https")
}

/// As documented, and `Secure` where that can be.
fn cookie(is_secure: bool, value: &str) -> String {
    let age = CONNECT_AUTHORIZATION_MS / 1_000;
    let secure = if is_secure { "; Secure" } else { "" };
    format!("oauth_req={value}; HttpOnly; Path=/; Max-Age={age}; SameSite=Lax{secure}")
}

fn no_cookie() -> String {
    "oauth_req=; HttpOnly; Path=/; Max-Age=0; SameSite=Lax".into()
}

fn pairs(query: &str) -> HashMap<String, String> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}
