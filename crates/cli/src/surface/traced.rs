//! Requests as spans of a trace, for whoever collects them.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderName;
use tidings_engine::trace;
use tracing::field::Empty;
use tracing::{Instrument, Level};

/// Of W3C Trace Context.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A span for each request, named by its route: paths themselves may hold tokens.
pub(super) async fn traced(request: Request, next: Next) -> Response {
    if !tracing::enabled!(target: trace::TARGET, Level::INFO) {
        return next.run(request).await;
    }
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let parent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
    let span = tracing::info_span!(
        target: trace::TARGET,
        "request",
        otel.name = format!("{} {route}", request.method()),
        otel.kind = "server",
        traceparent = parent,
        http.request.method = request.method().as_str(),
        http.route = route,
        http.response.status_code = Empty,
        "error.type" = Empty,
    );
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    if response.status().is_server_error() {
        span.record("error.type", response.status().as_str());
    }
    response
}
