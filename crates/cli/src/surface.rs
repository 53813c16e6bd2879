//! Every path that the server answers.

pub(crate) mod dialects;
mod hosts;
mod providers;
mod traced;

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use tidings_core::limits::REQUEST_BODY_BYTES_MAX;
use tidings_inbound::BodyError;
use tidings_service::{InboxRequest, Service};
use tokio::sync::{mpsc, watch};
use tower_http::catch_panic::CatchPanicLayer;

use crate::config::Platform;
use crate::metrics::{self, Metrics, Readers};

/// Headers that say who may write; an inbox does not keep them.
const CREDENTIALS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];

/// What the paths of the server itself work with.
#[derive(Clone)]
struct Desk {
    service: Service,
    metrics: Arc<Metrics>,
    stopping: watch::Receiver<bool>,
    arrivals: Option<mpsc::Sender<InboxRequest>>,
}

/// All surfaces. Each dialect bounds its bodies in its own words. What an inbox receives also goes to
/// `arrivals` when it has room.
pub(crate) fn router(
    service: &Service,
    platform: &Platform,
    metrics: &Arc<Metrics>,
    stopping: &watch::Receiver<bool>,
    arrivals: Option<mpsc::Sender<InboxRequest>>,
) -> Router {
    let desk = Desk {
        service: service.clone(),
        metrics: Arc::clone(metrics),
        stopping: stopping.clone(),
        arrivals,
    };
    let readers = if metrics.open { Readers::All } else { Readers::Owners };
    let own = Router::new()
        .merge(providers::routes())
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/inbox/{token}", any(receive))
        .method_not_allowed_fallback(no_such_method)
        .with_state(desk);
    let all = tidings_native::router(service.clone(), service.ids().clone(), stopping.clone())
        .merge(dialects::routes(service, platform))
        .merge(tidings_console::router(service.clone(), console(service), stopping.clone()))
        .merge(metrics::routes(Arc::clone(metrics), readers))
        .merge(own);
    let all = all.layer(axum::middleware::from_fn(traced::traced));
    let all = match &platform.domain {
        Some(domain) => hosts::of_persons(all, domain.clone()),
        None => all,
    };
    all.layer(CatchPanicLayer::custom(panicked))
}

/// How browsers reach the console: by https when the server's public address says so.
fn console(service: &Service) -> tidings_console::Options {
    tidings_console::Options {
        secure: service.public_url().is_some_and(|url| url.scheme() == "https"),
        version: env!("CARGO_PKG_VERSION"),
    }
}

/// The process runs.
async fn healthz() -> &'static str {
    "ok\n"
}

/// The process takes work: it is not stopping and its store answers. A second line says how far what was
/// accepted is ahead of the engine; that does not make it less ready, for others would not be faster.
async fn readyz(State(desk): State<Desk>) -> Response {
    if *desk.stopping.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match desk.service.ready().await {
        Ok(()) => {
            let lag = desk.metrics.lag_seconds().await;
            let lag = lag.map_or(String::new(), |lag| format!("queue lag: {lag:.1} s\n"));
            format!("ready\n{lag}").into_response()
        }
        Err(error) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {error}\n")).into_response()
        }
    }
}

/// Puts any request into an inbox.
async fn receive(
    State(desk): State<Desk>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = match whole(body, REQUEST_BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let kept = parts.headers.iter().filter(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
    let request = InboxRequest {
        received_at: desk.service.now(),
        method: parts.method.to_string(),
        target: target.to_owned(),
        headers: kept.map(|(name, value)| (name.to_string(), text(value))).collect(),
        body,
    };
    match desk.service.receive_inbox_request(&token, request.clone()) {
        Ok(()) => {
            if let Some(arrivals) = &desk.arrivals {
                drop(arrivals.try_send(request));
            }
            StatusCode::NO_CONTENT.into_response()
        }
        Err(_) => problem(
            StatusCode::NOT_FOUND,
            "not_found",
            "there is no such inbox: inboxes live until the server stops; make one with \
             POST /api/v1/inboxes",
        ),
    }
}

/// A body of at most `most` bytes, or the refusal of it.
async fn whole(body: Body, most: usize) -> Result<Bytes, Response> {
    tidings_inbound::whole(body, most).await.map_err(|error| match error {
        BodyError::TooLong => {
            let detail = format!("a request body has at most {most} bytes");
            problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &detail)
        }
        BodyError::BrokenOff => {
            problem(StatusCode::BAD_REQUEST, "malformed", "the request body broke off")
        }
    })
}

async fn no_such_method() -> Response {
    let detail = "the header allow lists the methods of this path";
    problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    tracing::error!("a request handler panicked");
    problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "internal error")
}

/// A problem document (RFC 9457) for the paths that belong to no dialect.
fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let document = serde_json::json!({
        "type": format!("/docs/problems#{code}"),
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "code": code,
        "detail": detail,
    });
    let media_type = [(CONTENT_TYPE, "application/problem+json")];
    (status, media_type, document.to_string()).into_response()
}
