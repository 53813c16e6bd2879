//! Reading a request: its key, its query and its JSON.

mod fields;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderName};
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;
use tidings_core::id::{AppId, Bits96};
use tidings_core::{json, limits};
use tidings_inbound::{BodyError, whole};
use tidings_service::{Caller, Service};

use crate::refusal::Refusal;

pub(crate) use fields::Fields;

/// An authenticated request: who calls, and the organization that it is about.
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) caller: Caller,
    pub(crate) organization: AppId,
    pub(crate) query: Query,
}

impl Call {
    /// The organization's id on the wire.
    pub(crate) fn organization(&self) -> String {
        self.organization.0.to_hex24()
    }

    /// Checks an organization's id that the client gave: it must be the key's own.
    pub(crate) fn must_be_ours(&self, organization: &str) -> Result<(), Refusal> {
        if Bits96::from_hex24(organization) == Some(self.organization.0) {
            return Ok(());
        }
        let message = "the key is of another organization";
        Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", message))
    }
}

impl FromRequestParts<Service> for Call {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Refusal> {
        let query = Query::parse(&parts.uri)?;
        let key = key(&parts.headers, &query)?;
        let caller = service.authenticate(&key, None).await?;
        let organization = caller.app_id().ok_or_else(|| {
            Refusal::bad_request("malformed", "use a key of the organization, not the owner's")
        })?;
        Ok(Self { service: service.clone(), caller, organization, query })
    }
}

/// The API key: raw in the header, or in the query; in both only when it is the same.
fn key(headers: &HeaderMap, query: &Query) -> Result<String, Refusal> {
    let header = single(headers, &AUTHORIZATION)?.map(str::trim).filter(|key| !key.is_empty());
    // The vendor's guide prints a stray backslash and quote at the end of the one in the query.
    let asked = query.text("api_key").map(|key| key.trim_end_matches(['"', '\\']));
    match (header, asked.filter(|key| !key.is_empty())) {
        (Some(header), Some(asked)) if header != asked => Err(Refusal::unauthorized()),
        (Some(key), _) | (None, Some(key)) => Ok(key.to_owned()),
        (None, None) => Err(Refusal::unauthorized()),
    }
}

/// The JSON of a request's body; none when the body is empty. Whatever its media type says: the vendor's
/// examples leave it out now and then.
#[derive(Debug)]
pub(crate) struct Given(pub(crate) Option<Value>);

impl Given {
    /// The body, which must be an object.
    pub(crate) fn object(&self) -> Result<Fields<'_>, Refusal> {
        let value = self.0.as_ref();
        let value =
            value.ok_or_else(|| Refusal::bad_request("malformed", "the body is missing"))?;
        Fields::of("", value)
    }

    /// The body, which must be an object when there is one.
    pub(crate) fn optional_object(&self) -> Result<Option<Fields<'_>>, Refusal> {
        self.0.as_ref().map(|value| Fields::of("", value)).transpose()
    }
}

impl<S: Sync> FromRequest<S> for Given {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let encoding = single(request.headers(), &CONTENT_ENCODING)?;
        if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
            let why = "send the body without content-encoding";
            return Err(Refusal::bad_request("malformed", why));
        }
        let body = read(request.into_body()).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        json::validate(&body)
            .map_err(|error| Refusal::bad_request("malformed", format!("the body is {error}")))?;
        let value = serde_json::from_slice(&body)
            .map_err(|_| Refusal::bad_request("malformed", "the body must be JSON"))?;
        Ok(Self(Some(value)))
    }
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    let most = limits::REQUEST_BODY_BYTES_MAX;
    whole(body, most).await.map_err(|error| match error {
        BodyError::TooLong => {
            let why = format!("the body has at most {most} bytes");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", why)
        }
        BodyError::BrokenOff => Refusal::bad_request("malformed", error.to_string()),
    })
}

/// The value of a header that must not be repeated; empty when it is not text.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Refusal> {
    tidings_inbound::single(headers, name)
        .map_err(|repeated| Refusal::bad_request("malformed", repeated.to_string()))
}

/// The parameters of a query string, decoded, in order.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    fn parse(uri: &Uri) -> Result<Self, Refusal> {
        axum::extract::Query::try_from_uri(uri)
            .map(|axum::extract::Query(pairs)| Self(pairs))
            .map_err(|_| Refusal::bad_request("malformed", "the query is not readable"))
    }

    /// A parameter; none when absent or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        pairs.find(|(given, value)| given == name && !value.is_empty()).map(|(_, value)| &**value)
    }

    /// The values of a parameter that may be repeated or hold several, with commas between them.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        let given =
            self.0.iter().filter(|(given, _)| given == name || *given == format!("{name}[]"));
        given
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
            .filter(|v| !v.is_empty())
            .collect()
    }
}

#[cfg(test)]
mod tests;
