//! Reading a request: who asks, for which provider, and with which parameters.

use axum::RequestPartsExt;
use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value};
use tidings_core::{json, limits};
use tidings_inbound::{BodyError, is_json, whole};
use tidings_service::{Account, Calendar, Caller, Error, Service};

use crate::refusal::{Fault, Location, Refusal};

/// The result of an endpoint.
pub(crate) type Answer = Result<Response, Refusal>;

/// A provider with endpoints of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    Google,
    Microsoft,
    Zoom,
}

impl Provider {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let all = [Self::Google, Self::Microsoft, Self::Zoom];
        all.into_iter().find(|provider| provider.as_str() == text)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Microsoft => "microsoft",
            Self::Zoom => "zoom",
        }
    }
}

/// A request whose key is good. Keys are looked at before anything else.
pub(crate) struct Asked {
    pub(crate) service: Service,
    pub(crate) caller: Caller,
    pub(crate) provider: Provider,
    /// The event, calendar or meeting that the path names.
    pub(crate) id: String,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
}

impl FromRequestParts<Service> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Refusal> {
        let key = single(&parts.headers, &HeaderName::from_static("x-api-key"))?;
        let key = key.ok_or(Refusal::Unauthorized)?.to_owned();
        // An owner key is of no app: it names one, as in the native API.
        let app = single(&parts.headers, &HeaderName::from_static("tidings-app"))?;
        let app = app.map(|app| app.parse().map_err(|_| Refusal::not_found())).transpose()?;
        let caller = service.authenticate(&key, app).await?;
        let path = parts.extract::<RawPathParams>().await.map_err(|_| Refusal::not_found())?;
        let part = |wanted: &str| path.iter().find(|(name, _)| *name == wanted).map(|(_, v)| v);
        let provider = part("provider").and_then(Provider::parse).ok_or_else(Refusal::not_found)?;
        Ok(Self {
            service: service.clone(),
            caller,
            provider,
            id: part("id").unwrap_or_default().to_owned(),
            query: Query::of(parts),
            headers: parts.headers.clone(),
        })
    }
}

impl Asked {
    /// The account that a request is about: one of this provider.
    pub(crate) async fn account(&self, id: &str) -> Result<Account, Refusal> {
        let id = id.parse().map_err(|_| Refusal::no_account())?;
        let account = self.service.account(&self.caller, id).await?;
        let fits = account.provider == self.provider.as_str();
        if fits { Ok(account) } else { Err(Refusal::no_account()) }
    }

    /// A calendar of an account by its id at the provider. Google's main calendar is `primary`, too.
    pub(crate) async fn calendar(&self, account: &Account, id: &str) -> Result<Calendar, Refusal> {
        let calendars = self.service.calendars(&self.caller, account.id).await?;
        let primary = self.provider == Provider::Google && id == "primary";
        let is_meant = |calendar: &Calendar| {
            calendar.external_id == id || primary && calendar.primary == Some(true)
        };
        calendars.into_iter().find(is_meant).ok_or_else(Refusal::not_found)
    }
}

/// The parameters of a query, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(pub(crate) Vec<(String, String)>);

impl Query {
    pub(crate) fn of(parts: &Parts) -> Self {
        let text = parts.uri.query().unwrap_or_default();
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// Every value of a parameter.
    pub(crate) fn all<'q>(&'q self, name: &str) -> impl Iterator<Item = &'q str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter, the last when it is repeated; none when it is absent or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).last().filter(|value| !value.is_empty())
    }

    /// A fault of a parameter, with the value that it has.
    pub(crate) fn fault(&self, name: &str, msg: impl Into<String>) -> Fault {
        Fault {
            value: self.all(name).last().map(Into::into),
            msg: msg.into(),
            param: name.to_owned(),
            location: Location::Query,
        }
    }

    /// A parameter that must be there; what is wrong otherwise goes to `faults`, in the order of asking.
    pub(crate) fn need(&self, name: &str, msgs: &[&str], faults: &mut Vec<Fault>) -> String {
        if let Some(value) = self.get(name) {
            return value.to_owned();
        }
        faults.extend(msgs.iter().map(|msg| self.fault(name, *msg)));
        String::new()
    }
}

/// The members of a request's body; those that it lacks may stand in the query.
#[derive(Debug)]
pub(crate) struct Fields {
    members: Map<String, Value>,
    query: Query,
}

impl Fields {
    /// Reads a body of at most [`limits::REQUEST_BODY_BYTES_MAX`]; one without any byte has no members.
    pub(crate) async fn read(
        headers: &HeaderMap,
        body: Body,
        query: &Query,
    ) -> Result<Self, Refusal> {
        let most = limits::REQUEST_BODY_BYTES_MAX;
        let body = whole(body, most).await.map_err(|error| match error {
            BodyError::TooLong => {
                let why = format!("the body has at most {most} bytes");
                Refusal::told(StatusCode::PAYLOAD_TOO_LARGE, why)
            }
            BodyError::BrokenOff => Refusal::told(StatusCode::BAD_REQUEST, error.to_string()),
        })?;
        let members = if body.is_empty() { Map::new() } else { parsed(headers, &body)? };
        Ok(Self { members, query: query.clone() })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// A text of the body, or else of the query.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let text = self.get(name).map_or_else(|| self.query.get(name), Value::as_str);
        text.filter(|text| !text.trim().is_empty())
    }

    pub(crate) fn fault(&self, name: &str, msg: impl Into<String>) -> Fault {
        Fault {
            value: self.get(name).filter(|value| !value.is_object()).cloned(),
            msg: msg.into(),
            param: name.to_owned(),
            location: Location::Body,
        }
    }

    /// A text that must be there; as [`Query::need`].
    pub(crate) fn need(&self, name: &str, msg: &str, faults: &mut Vec<Fault>) -> String {
        if let Some(text) = self.text(name) {
            return text.to_owned();
        }
        faults.push(self.fault(name, msg));
        String::new()
    }
}

fn parsed(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, Refusal> {
    let media = |why| Refusal::told(StatusCode::UNSUPPORTED_MEDIA_TYPE, why);
    if single(headers, &CONTENT_ENCODING)?.is_some_and(|e| !e.eq_ignore_ascii_case("identity")) {
        return Err(media("send the body without content-encoding"));
    }
    if !single(headers, &CONTENT_TYPE)?.is_some_and(is_json) {
        return Err(media("send the body as content-type: application/json in UTF-8"));
    }
    let bad = |why: String| Refusal::told(StatusCode::BAD_REQUEST, why);
    json::validate(body).map_err(|error| bad(format!("the body is {error}")))?;
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(bad("the body must be a JSON object".into())),
    }
}

/// The value of a header that must not be repeated; empty when it is not text.
pub(crate) fn single<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h str>, Refusal> {
    tidings_inbound::single(headers, name)
        .map_err(|repeated| Refusal::told(StatusCode::BAD_REQUEST, repeated.to_string()))
}

/// Ok when there are no faults.
pub(crate) fn checked(faults: Vec<Fault>) -> Result<(), Refusal> {
    if faults.is_empty() { Ok(()) } else { Err(Refusal::Invalid(faults)) }
}

/// A success.
pub(crate) fn done(body: Value) -> Response {
    let cache = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (cache, axum::Json(body)).into_response()
}

/// An event that the service does not find is the same as any other thing.
pub(crate) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::NotFound(_))
}
