//! Reading a request: its bearer, and the fields of its JSON object. Unknown fields are tolerated, as
//! in Connect; wrong types are not.

use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};
use tidings_core::clock::Timestamp;
use tidings_core::{json, limits};
use tidings_inbound::{BodyError, is_json};
use tidings_service::{Caller, GrantKind, Service};
use url::form_urlencoded;

use crate::format::PROVIDERS;
use crate::refusal::Refusal;

/// The end of the year 9999, the last that RFC 3339 can write, ms since the Unix epoch.
const LATEST_MS: i64 = 253_402_300_799_999;

/// Who calls: the holder of an access token of Connect.
pub(crate) async fn caller(service: &Service, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let caller = service.authenticate_text(bearer(headers)?, None, &[GrantKind::Connect]).await?;
    service.connect_access(&caller)?;
    Ok(caller)
}

/// The token behind the scheme `Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let (scheme, token) = single(headers, &AUTHORIZATION)?
        .and_then(|value| value.split_once(' '))
        .ok_or_else(Refusal::unauthorized)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token.trim())
    } else {
        Err(Refusal::unauthorized())
    }
}

/// The fields of a request's body.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// These fields.
    #[cfg(test)]
    pub(crate) fn of(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// Reads a body of at most [`limits::REQUEST_BODY_BYTES_MAX`].
    pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Refusal> {
        check_headers(headers)?;
        Self::parse(&whole(body).await?)
    }

    /// As [`Fields::read`], of a request that may come without a body; what the query names counts more.
    pub(crate) async fn read_with_query(
        headers: &HeaderMap,
        query: Option<&str>,
        body: Body,
    ) -> Result<Self, Refusal> {
        let body = whole(body).await?;
        let is_empty = body.iter().all(u8::is_ascii_whitespace);
        let mut fields = if is_empty {
            Self(Map::new())
        } else {
            check_headers(headers)?;
            Self::parse(&body)?
        };
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        fields.0.extend(pairs.map(|(name, value)| (name.into_owned(), value.into_owned().into())));
        Ok(fields)
    }

    /// A form (RFC 6749 appendix B) or, by its media type, a JSON object.
    pub(crate) async fn read_form(headers: &HeaderMap, body: Body) -> Result<Self, Refusal> {
        let media_type = single(headers, &CONTENT_TYPE)?.unwrap_or_default();
        if is_json(media_type) {
            return Self::read(headers, body).await;
        }
        let body = whole(body).await?;
        let pairs = form_urlencoded::parse(&body);
        let fields = pairs.map(|(name, value)| (name.into_owned(), value.into_owned().into()));
        Ok(Self(fields.collect()))
    }

    fn parse(body: &Bytes) -> Result<Self, Refusal> {
        json::validate(body)
            .map_err(|error| Refusal::bad_request("malformed", format!("the body is {error}")))?;
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            _ => Err(Refusal::bad_request("malformed", "the body must be a JSON object")),
        }
    }

    /// The provider, which must be one that Connect documents.
    pub(crate) fn provider(&self) -> Result<String, Refusal> {
        let provider = self.text("provider")?;
        if PROVIDERS.contains(&provider.as_str()) {
            return Ok(provider);
        }
        let why = format!("{provider:?} is not supported; use google, microsoft, apple or caldav");
        Err(Refusal::field("provider", "unsupported_provider", &why))
    }

    /// A string that must be there and not be empty.
    pub(crate) fn text(&self, name: &str) -> Result<String, Refusal> {
        self.optional_text(name)?.ok_or_else(|| Refusal::field(name, "missing", "is required"))
    }

    /// A string; none when absent, `null` or empty.
    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(_) => Err(Refusal::field(name, "wrong_type", "must be a string")),
        }
    }

    /// A field as it was sent.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A yes or no; none when absent or `null`.
    pub(crate) fn optional_bool(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(Refusal::field(name, "wrong_type", "must be true or false")),
        }
    }

    /// A moment in milliseconds since the Unix epoch, fractions cut off; none when absent or `null`.
    pub(crate) fn optional_millis(&self, name: &str) -> Result<Option<Timestamp>, Refusal> {
        let value = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        let millis = value.as_i64().or_else(|| value.as_f64().map(|millis| millis as i64));
        match millis {
            Some(millis @ 0..=LATEST_MS) => Ok(Some(Timestamp(millis))),
            _ => {
                let why = "must be a number of milliseconds since 1970-01-01T00:00:00Z";
                Err(Refusal::field(name, "wrong_type", why))
            }
        }
    }
}

/// A body of at most [`limits::REQUEST_BODY_BYTES_MAX`].
async fn whole(body: Body) -> Result<Bytes, Refusal> {
    let most = limits::REQUEST_BODY_BYTES_MAX;
    tidings_inbound::whole(body, most).await.map_err(|error| match error {
        BodyError::TooLong => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("the body has at most {most} bytes"),
        ),
        BodyError::BrokenOff => Refusal::bad_request("malformed", error.to_string()),
    })
}

fn check_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    let refuse =
        |why| Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", why);
    if single(headers, &CONTENT_ENCODING)?.is_some_and(|e| !e.eq_ignore_ascii_case("identity")) {
        return Err(refuse("send the body without content-encoding"));
    }
    if !single(headers, &CONTENT_TYPE)?.is_some_and(is_json) {
        return Err(refuse("send the body as content-type: application/json in UTF-8"));
    }
    Ok(())
}

/// The value of a header that must not be repeated; empty when it is not text.
pub(crate) fn single<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h str>, Refusal> {
    tidings_inbound::single(headers, name)
        .map_err(|repeated| Refusal::bad_request("invalid_header", repeated.to_string()))
}

#[cfg(test)]
mod tests;
