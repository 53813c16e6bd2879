//! Reading a request: its token, its path and its parameters.

use axum::body::Body;
use axum::extract::Request;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName, ORIGIN, REFERER,
};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Map, Value};
use tidings_core::{json, limits};
use tidings_inbound::BodyError;

use crate::params;
use crate::refusal::Refusal;

/// A request of which everything is read. It has secrets, and so cannot be printed.
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// What follows `/pryv`, decoded; without empty ends.
    pub(crate) path: Vec<String>,
    pub(crate) query: Map<String, Value>,
    /// The JSON of the body; `null` when there is none.
    pub(crate) body: Value,
    /// Who calls.
    pub(crate) token: Option<String>,
    /// `Origin`, or `Referer`.
    pub(crate) origin: Option<String>,
    /// Scheme and host under which the client knows this server: `https://your.host`.
    pub(crate) site: String,
    /// The host alone.
    pub(crate) host: String,
}

impl Asked {
    /// Reads a request with a body of at most [`limits::REQUEST_BODY_BYTES_MAX`].
    pub(crate) async fn read(request: Request) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let headers = &parts.headers;
        let mut query = params::of_query(params::pairs(parts.uri.query().unwrap_or_default()));
        let mut authorization = header(headers, &AUTHORIZATION).map(str::to_owned);
        let from_query = match query.remove("auth") {
            Some(Value::String(token)) => Some(token),
            _ => None,
        };
        let mut method = parts.method.clone();
        let body = whole(body).await?;
        let kind = header(headers, &CONTENT_TYPE).unwrap_or_default();
        let body = if is_form(kind) && method == Method::POST {
            let form = Form::read(&body)?;
            authorization = form.authorization.or(authorization);
            method = form.method.unwrap_or(method);
            form.body
        } else {
            json_body(headers, kind, &body)?
        };
        let token = authorization.as_deref().and_then(token_of).or(from_query);
        let origin = header(headers, &ORIGIN).or_else(|| header(headers, &REFERER));
        let (site, host) = site(&parts.uri, headers);
        Ok(Self {
            method,
            path: path(&parts.uri),
            query,
            body,
            token: token.filter(|token| !token.is_empty()),
            origin: origin.map(str::to_owned),
            site,
            host,
        })
    }

    /// The body as the parameters of a method.
    pub(crate) fn fields(&self) -> Result<Map<String, Value>, Refusal> {
        match &self.body {
            Value::Object(fields) => Ok(fields.clone()),
            Value::Null => Ok(Map::new()),
            _ => Err(Refusal::structure("The body must be a JSON object.")),
        }
    }
}

/// The documented way around cross-origin rules: a form whose fields stand for the rest of the request.
struct Form {
    method: Option<Method>,
    authorization: Option<String>,
    body: Value,
}

impl Form {
    fn read(body: &Bytes) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(body)
            .map_err(|_| Refusal::structure("The form must be text in UTF-8."))?;
        let mut form = Self { method: None, authorization: None, body: Value::Null };
        let mut fields = Map::new();
        for (name, value) in params::pairs(text) {
            match name.as_str() {
                "_method" => {
                    let method = Method::from_bytes(value.to_ascii_uppercase().as_bytes());
                    let known = [Method::GET, Method::POST, Method::PUT, Method::DELETE];
                    let method = method.ok().filter(|method| known.contains(method));
                    let why = "_method must be GET, POST, PUT or DELETE.";
                    form.method = Some(method.ok_or_else(|| Refusal::structure(why))?);
                }
                "_auth" => form.authorization = Some(value),
                "_json" => form.body = parse(value.as_bytes())?,
                _ => {
                    fields.insert(name, Value::String(value));
                }
            }
        }
        if form.body.is_null() && !fields.is_empty() {
            form.body = Value::Object(fields);
        }
        Ok(form)
    }
}

/// The token in an `Authorization`: bare, after `Bearer`, or as the user name of `Basic`. What follows a
/// bare token after a space is the caller's own note.
fn token_of(authorization: &str) -> Option<String> {
    let authorization = authorization.trim();
    let (first, rest) = authorization.split_once(' ').unwrap_or((authorization, ""));
    let rest = rest.trim();
    if rest.is_empty() {
        return Some(first.to_owned());
    }
    if first.eq_ignore_ascii_case("bearer") {
        return rest.split(' ').next().map(str::to_owned);
    }
    if first.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(rest).or_else(|_| STANDARD_NO_PAD.decode(rest)).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        return text.split(':').next().map(str::to_owned);
    }
    Some(first.to_owned())
}

fn path(uri: &Uri) -> Vec<String> {
    let path = uri.path().trim_start_matches('/').trim_end_matches('/');
    path.split('/').skip(1).map(|segment| params::decode(segment, false)).collect()
}

/// Scheme and host of the request, and the host alone.
fn site(uri: &Uri, headers: &HeaderMap) -> (String, String) {
    let host = uri.authority().map(http::uri::Authority::as_str).or_else(|| header(headers, &HOST));
    let host = host.unwrap_or("localhost");
    let forwarded = HeaderName::from_static("x-forwarded-proto");
    let secure = header(headers, &forwarded) == Some("https");
    (format!("{}://{host}", if secure { "https" } else { "http" }), host.to_owned())
}

fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn is_form(kind: &str) -> bool {
    essence(kind).eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn essence(kind: &str) -> &str {
    kind.split(';').next().unwrap_or_default().trim()
}

fn json_body(headers: &HeaderMap, kind: &str, body: &Bytes) -> Result<Value, Refusal> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    let encoding = header(headers, &CONTENT_ENCODING);
    if let Some(encoding) = encoding.filter(|e| !e.eq_ignore_ascii_case("identity")) {
        return Err(unsupported(encoding));
    }
    if !essence(kind).eq_ignore_ascii_case("application/json") {
        return Err(unsupported(kind));
    }
    parse(body)
}

fn unsupported(kind: &str) -> Refusal {
    let message =
        format!("If you think we should, please help us and report an issue! (You used {kind})");
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-content-type", message)
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    json::validate(body).map_err(|error| Refusal::structure(format!("The body is {error}.")))?;
    serde_json::from_slice(body).map_err(|_| Refusal::structure("The body is not JSON."))
}

async fn whole(body: Body) -> Result<Bytes, Refusal> {
    let most = limits::REQUEST_BODY_BYTES_MAX;
    tidings_inbound::whole(body, most).await.map_err(|error| match error {
        BodyError::TooLong => {
            let message = format!("A request body has at most {most} bytes.");
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            Refusal::new(status, "invalid-request-structure", message)
        }
        BodyError::BrokenOff => Refusal::structure("The body broke off."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form_of_authorization_has_its_token() {
        for (authorization, token) in [
            ("ck8pqobua", Some("ck8pqobua")),
            ("ck8pqobua my-caller-id", Some("ck8pqobua")),
            ("Bearer ck8pqobua", Some("ck8pqobua")),
            ("bearer ck8pqobua caller", Some("ck8pqobua")),
            ("Basic Y2s4cHFvYnVh", Some("ck8pqobua")),
            ("Basic Y2s4cHFvYnVhOg==", Some("ck8pqobua")),
            ("Basic Y2s4cHFvYnVhOg", Some("ck8pqobua")),
            ("Basic !!", None),
            ("", Some("")),
        ] {
            assert_eq!(token_of(authorization).as_deref(), token, "{authorization}");
        }
    }

    #[tokio::test]
    async fn a_form_stands_for_any_request() {
        let form = "_method=put&_auth=tok&_json=%7B%22state%22%3A%22active%22%7D&x=1";
        let request = Request::post("/pryv/ana/webhooks/w%201/?auth=other")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(HOST, "tidings.example:8080")
            .body(Body::from(form));
        let asked = Asked::read(request.unwrap()).await.unwrap();
        assert_eq!(asked.method, Method::PUT);
        assert_eq!(asked.path, ["ana", "webhooks", "w 1"]);
        assert_eq!(asked.token.as_deref(), Some("tok"));
        assert_eq!(asked.body, serde_json::json!({"state": "active"}));
        assert_eq!(asked.site, "http://tidings.example:8080");
    }
}
