//! The outermost layer: gives every request an id, and problems their final form.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::ALLOW;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tidings_core::id::Ids;
use tidings_core::limits;

use crate::problem::Problem;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that we take over from a client, bytes.
const CLIENT_ID_BYTES_MAX: usize = 64;

/// Answers with `x-request-id`: the client's when it is usable, else a new one.
pub(crate) async fn stamp(State(ids): State<Ids>, request: Request, next: Next) -> Response {
    let id = from_client(request.headers()).unwrap_or_else(|| fresh(&ids));
    let too_long = request.uri().path_and_query().map_or(0, |path| path.as_str().len())
        > limits::REQUEST_TARGET_BYTES_MAX;
    let mut response = if too_long {
        Problem::new(
            StatusCode::URI_TOO_LONG,
            "uri_too_long",
            format!("a request target has at most {} bytes", limits::REQUEST_TARGET_BYTES_MAX),
        )
        .into_response()
    } else {
        next.run(request).await
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let allow = response.headers_mut().remove(ALLOW);
        response = problem.respond(&id);
        if let Some(allow) = allow {
            response.headers_mut().insert(ALLOW, allow);
        }
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

fn from_client(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(X_REQUEST_ID).iter();
    let text = values.next()?.to_str().ok()?;
    let usable = (1..=CLIENT_ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    (usable && values.next().is_none()).then(|| text.to_owned())
}

fn fresh(ids: &Ids) -> String {
    let mut bytes = [0; 16];
    ids.fill(&mut bytes[4..]);
    format!("req_{:024x}", u128::from_be_bytes(bytes))
}
