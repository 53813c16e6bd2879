//! What a request is answered with: `meta` in every body, and the headers that every answer has.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_service::Error;

use crate::call::Call;
use crate::moments::Moment;
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
    /// What changes later is found by asking for changes since then.
    server_time: Timestamp,
}

impl Answered {
    pub(crate) fn into_response(self) -> Response {
        let mut retry_after_s = None;
        let (status, mut body) = match self.outcome {
            Ok(answer) => (answer.status, answer.body),
            Err(refusal) => {
                retry_after_s = refusal.retry_after_s;
                let body = Map::from_iter([("error".to_owned(), refusal.to_json())]);
                (refusal.status, body)
            }
        };
        body.insert("meta".into(), format::meta(self.server_time));
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

/// Answers a request to the platform or to an account of this name.
pub(crate) async fn to(desk: &Desk, request: Request, account: &str) -> Answered {
    let Moment { at, server_time, .. } = desk.moments.take(account, false);
    let by_nobody = |outcome| Answered { outcome, access: None, server_time };
    if request.method() == Method::OPTIONS {
        return by_nobody(Ok(Answer::ok([])));
    }
    let asked = match Asked::read(request).await {
        Ok(asked) => asked,
        Err(refusal) => return by_nobody(Err(refusal)),
    };
    if let Some(outcome) = platform::answer(desk, &asked, at).await {
        return by_nobody(outcome);
    }
    match Call::open(desk, &asked, at).await {
        Ok(call) => in_account(desk, call, asked, account).await,
        Err(refusal) => by_nobody(Err(refusal)),
    }
}

/// Runs what an access asks for to its end, also when whoever asks hangs up: as long as it runs, a write is under
/// way. It begins here, for nobody without an access can hold up the time of an account, and no slow sender.
async fn in_account(desk: &Desk, mut call: Call, asked: Asked, account: &str) -> Answered {
    let moment = desk.moments.take(account, asked.method != Method::GET);
    let (access, server_time) = (Some(call.access.cuid()), moment.server_time);
    call.now = moment.at;
    let running = tokio::spawn(async move {
        let outcome = of_account(&call, &asked).await;
        drop(moment);
        outcome
    });
    let outcome = running.await.unwrap_or_else(|_| Err(Error::Internal.into()));
    Answered { outcome, access, server_time }
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
    let (mut results, mut size) = (Vec::with_capacity(calls.len()), Size::default());
    for one in calls {
        let outcome = match size.0 <= limits::PRYV_ANSWER_BYTES_MAX {
            true => one_of_batch(call, one).await,
            false => Err(Refusal::answer_full()),
        };
        let result = match outcome {
            Ok(answer) => Value::Object(answer.body),
            Err(refusal) => json!({ "error": refusal.to_json() }),
        };
        size.add(&result);
        results.push(result);
    }
    Ok(Answer::ok([("results", Value::Array(results))]))
}

/// Counts the bytes of JSON without keeping them.
#[derive(Default)]
struct Size(usize);

impl Size {
    fn add(&mut self, value: &Value) {
        serde_json::to_writer(self, value).expect("counting never fails");
    }
}

impl std::io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
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
