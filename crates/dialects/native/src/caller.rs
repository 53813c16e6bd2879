//! Who calls: `authorization: Bearer tdk_…`, and for owner keys `tidings-app: app_…`.

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use tidings_core::id::AppId;
use tidings_service::{Caller, Error};

use crate::Api;
use crate::problem::Problem;

const TIDINGS_APP: HeaderName = HeaderName::from_static("tidings-app");

/// The authenticated caller. Handlers take it first: a stranger learns nothing about the rest of a
/// request.
#[derive(Debug)]
pub(crate) struct By(pub(crate) Caller);

impl FromRequestParts<Api> for By {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let app = app(&parts.headers);
        let caller = match bearer(&parts.headers)? {
            Some(token) => api.service.authenticate(token, app.clone().unwrap_or_default()).await?,
            None => return Err(Error::Unauthenticated.into()),
        };
        app.map(|_| Self(caller.with_address(tidings_inbound::client(parts))))
    }
}

/// The token behind the scheme, which is case-insensitive (RFC 9110 §11.1).
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let given = single(headers, &AUTHORIZATION)?.unwrap_or_default();
    Ok(given
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim_matches(' ')))
}

fn app(headers: &HeaderMap) -> Result<Option<AppId>, Problem> {
    // What is not an id gets the answer of an unknown id.
    single(headers, &TIDINGS_APP)?
        .map(|text| text.parse().map_err(|_| Error::NotFound("app").into()))
        .transpose()
}

/// The value of a header that must not be repeated; empty when it is not text.
pub(crate) fn single<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h str>, Problem> {
    tidings_inbound::single(headers, name)
        .map_err(|repeated| Problem::bad_request("invalid_header", repeated.to_string()))
}
