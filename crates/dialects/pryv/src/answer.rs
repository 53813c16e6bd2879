//! What a request is answered with: `meta` in every body, and the headers that every answer has.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::limits;

use crate::call::Call;
use crate::refusal::Refusal;
use crate::request::Asked;
use crate::route::{self, Routed};
use crate::{API_VERSION, Desk, format, methods, platform};

/// A status and the properties of the body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Map<String, Value>,
}

impl Answer {
    /// 200 with these properties.
    pub(crate) fn ok<const N: usize>(properties: [(&str, Value); N]) -> Self {
        let body = properties.map(|(name, value)| (name.to_owned(), value));
        Self { status: StatusCode::OK, body: Map::from_iter(body) }
    }

    /// 201 with this property.
    pub(crate) fn created(name: &str, value: Value) -> Self {
        Self { status: StatusCode::CREATED, ..Self::ok([(name, value)]) }
    }
}

/// An answer, or its refusal, and the access that was used.
pub(crate) struct Answered {
    outcome: Result<Answer, Refusal>,
    access: Option<String>,
}

impl Answered {
    fn by_nobody(outcome: Result<Answer, Refusal>) -> Self {
        Self { outcome, access: None }
    }

    /// With the time at which the request was taken on: what changes later is found by asking for
    /// changes since then.
    pub(crate) fn into_response(self, now: Timestamp) -> Response {
        let mut retry_after_s = None;
        let (status, mut body) = match self.outcome {
            Ok(answer) => (answer.status, answer.body),
            Err(refusal) => {
                retry_after_s = refusal.retry_after_s;
                let body = Map::from_iter([("error".to_owned(), refusal.to_json())]);
                (refusal.status, body)
            }
        };
        body.insert("meta".into(), format::meta(now));
        let mut response = (status, axum::Json(Value::Object(body))).into_response();
        set_headers(response.headers_mut());
        let access = self.access.and_then(|id| HeaderValue::try_from(id).ok());
        if let Some(access) = access {
            response.headers_mut().insert(HeaderName::from_static("pryv-access-id"), access);
        }
        if let Some(seconds) = retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Tokens are in no cookie, so any page may call.
fn set_headers(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in [
        ("api-version", API_VERSION),
        ("access-control-allow-origin", "*"),
        ("access-control-allow-headers", "Authorization, Content-Type"),
        ("access-control-allow-methods", "GET, POST, PUT, DELETE, OPTIONS"),
        ("access-control-expose-headers", "API-Version, Pryv-Access-Id"),
        ("access-control-max-age", "1728000"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

/// Answers a request.
pub(crate) async fn to(desk: &Desk, request: Request, now: Timestamp) -> Answered {
    if request.method() == Method::OPTIONS {
        return Answered::by_nobody(Ok(Answer::ok([])));
    }
    let asked = match Asked::read(request).await {
        Ok(asked) => asked,
        Err(refusal) => return Answered::by_nobody(Err(refusal)),
    };
    if let Some(outcome) = platform::answer(desk, &asked, now).await {
        return Answered::by_nobody(outcome);
    }
    let call = match Call::open(desk, &asked, now).await {
        Ok(call) => call,
        Err(refusal) => return Answered::by_nobody(Err(refusal)),
    };
    let access = Some(call.access.cuid());
    Answered { outcome: of_account(&call, &asked).await, access }
}

/// Answers a request to a person's account.
async fn of_account(call: &Call, asked: &Asked) -> Result<Answer, Refusal> {
    let path = &asked.path[1..];
    if route::is_batch(asked, path) {
        return batch(call, &asked.body).await;
    }
    let nothing = || Refusal::new(StatusCode::NOT_FOUND, "unknown-resource", "Unknown resource");
    let Routed { method, params } = route::find(asked, path)?.ok_or_else(nothing)?;
    methods::run(call, method, &params).await
}

/// Runs calls one after the other; one that is refused does not keep the next from running.
async fn batch(call: &Call, body: &Value) -> Result<Answer, Refusal> {
    let why = "A batch is an array of calls, each with a method and params.";
    let calls = body.as_array().ok_or_else(|| Refusal::structure(why))?;
    if calls.len() > limits::PRYV_BATCH_CALLS_MAX {
        let most = limits::PRYV_BATCH_CALLS_MAX;
        return Err(Refusal::structure(format!("A batch has at most {most} calls.")));
    }
    let mut results = Vec::with_capacity(calls.len());
    for one in calls {
        let outcome = one_of_batch(call, one).await;
        results.push(match outcome {
            Ok(answer) => Value::Object(answer.body),
            Err(refusal) => json!({ "error": refusal.to_json() }),
        });
    }
    Ok(Answer::ok([("results", Value::Array(results))]))
}

async fn one_of_batch(call: &Call, one: &Value) -> Result<Answer, Refusal> {
    let why = "A call has a method, a string, and params, an object.";
    let method = one["method"].as_str().ok_or_else(|| Refusal::structure(why))?;
    let none = Map::new();
    let params = match &one["params"] {
        Value::Object(params) => params,
        Value::Null => &none,
        Value::Array(list) if list.is_empty() => &none,
        _ => return Err(Refusal::structure(why)),
    };
    if methods::is_http_only(method) {
        return Err(Refusal::method(method));
    }
    methods::run(call, method, params).await
}
