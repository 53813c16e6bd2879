//! Reading a request: its true method, its path, its parameters and who sends it.

use axum::body::Body;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Method, Uri};
use serde_json::{Map, Value};
use tidings_core::{json, limits};
use tidings_inbound::{BodyError, is_json, whole};

use crate::auth::Presented;
use crate::params::Params;
use crate::refusal::Refusal;

/// The true method of a POST.
const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

/// A call of an endpoint.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Verb,
    /// The path behind `/v1`, in segments.
    pub(crate) path: Vec<String>,
    pub(crate) params: Params,
    pub(crate) presented: Presented,
    /// `https` behind a proxy that says so.
    pub(crate) scheme: &'static str,
    /// The name under which the client knows this server.
    pub(crate) host: String,
}

/// The methods that Sync has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Call {
    /// Reads a request whose body has at most [`limits::REQUEST_BODY_BYTES_MAX`].
    pub(crate) async fn read(parts: &Parts, body: Body) -> Result<Self, Refusal> {
        let method = verb(&parts.method, &parts.headers)?;
        let mut fields = query(&parts.uri)?;
        let most = limits::REQUEST_BODY_BYTES_MAX;
        let body = whole(body, most).await.map_err(|error| {
            Refusal::bad_request(match error {
                BodyError::TooLong => format!("the body has at most {most} bytes"),
                BodyError::BrokenOff => error.to_string(),
            })
        })?;
        fields.extend(object(&parts.headers, &body)?);
        let params = Params(fields);
        let presented = match single(&parts.headers, &AUTHORIZATION)? {
            Some(text) => Presented::in_header(text),
            None => Presented::in_params(&params)?,
        };
        let path = parts.uri.path().split('/').filter(|segment| !segment.is_empty());
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let authority = parts.uri.authority().map(http::uri::Authority::as_str);
        let secure = header("x-forwarded-proto").is_some_and(|proto| proto == "https");
        Ok(Self {
            method,
            path: path.skip(1).map(decoded).collect::<Result<_, _>>()?,
            params,
            presented,
            scheme: if secure { "https" } else { "http" },
            host: authority.or_else(|| header(HOST.as_str())).unwrap_or("localhost").to_owned(),
        })
    }
}

/// A segment of a path without its percent signs (RFC 3986 §2.1).
fn decoded(segment: &str) -> Result<String, Refusal> {
    let wrong = || Refusal::bad_request("the path is not percent-encoded UTF-8");
    let mut parts = segment.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or_else(wrong)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn verb(method: &Method, headers: &HeaderMap) -> Result<Verb, Refusal> {
    let named = match *method {
        Method::POST => single(headers, &METHOD_OVERRIDE)?.unwrap_or("POST"),
        ref other => other.as_str(),
    };
    let known =
        [("GET", Verb::Get), ("POST", Verb::Post), ("PUT", Verb::Put), ("DELETE", Verb::Delete)];
    let found = known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(named.trim()));
    let why = "the method must be GET, POST, PUT or DELETE, also in x-http-method-override";
    found.map(|(_, verb)| verb).ok_or_else(|| Refusal::bad_request(why))
}

fn query(uri: &Uri) -> Result<Map<String, Value>, Refusal> {
    let pairs: Result<Query<Vec<(String, String)>>, QueryRejection> = Query::try_from_uri(uri);
    let Query(pairs) = pairs.map_err(|_| Refusal::bad_request("the query cannot be read"))?;
    Ok(pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect())
}

/// The fields of a body: none when there is no body, whatever its content type says, for the clients send
/// such requests.
fn object(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, Refusal> {
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    if single(headers, &CONTENT_ENCODING)?.is_some_and(|e| !e.eq_ignore_ascii_case("identity")) {
        return Err(Refusal::bad_request("send the body without content-encoding"));
    }
    if !single(headers, &CONTENT_TYPE)?.is_some_and(is_json) {
        return Err(Refusal::bad_request(
            "send the body as content-type: application/json in UTF-8",
        ));
    }
    json::validate(body).map_err(|error| Refusal::bad_request(format!("the body is {error}")))?;
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(Value::Null) => Ok(Map::new()),
        _ => Err(Refusal::bad_request("the body must be a JSON object")),
    }
}

/// The value of a header that must not be repeated; empty when it is not text.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Refusal> {
    tidings_inbound::single(headers, name)
        .map_err(|repeated| Refusal::bad_request(format!("the header {repeated}")))
}

#[cfg(test)]
mod tests;
