//! `/providers/…`: what calendar providers push, and where they send people back to.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use tidings_core::limits::PUSH_BODY_BYTES_MAX;
use tidings_service::{
    Error, Finished, NotConnected, Pushed, ZoomPush, microsoft_validation_token,
};
use url::Url;
use url::form_urlencoded;

use super::{Desk, problem, whole};

/// What is answered as text is never taken for anything else.
const PLAIN: [(HeaderName, &str); 4] = [
    (CONTENT_TYPE, "text/plain; charset=utf-8"),
    (http::header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'"),
    (CACHE_CONTROL, "no-store"),
];

pub(super) fn routes() -> Router<Desk> {
    Router::new()
        .route("/providers/google/notifications", post(google))
        .route("/providers/microsoft/notifications", post(microsoft))
        .route("/providers/zoom/notifications", post(zoom))
        .route("/providers/{provider}/callback", get(callback))
}

/// Google looks at the status only: what is not ours gets the same as what is.
async fn google(State(desk): State<Desk>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(refusal) = whole(body, PUSH_BODY_BYTES_MAX).await {
        return refusal;
    }
    match desk.service.google_push(&parts.headers).await {
        Ok(pushed) => {
            note("google", pushed);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => not_noted(&error),
    }
}

/// Graph asks for its own words back before it pushes; then it looks at the status only.
async fn microsoft(
    State(desk): State<Desk>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    if let Some(token) = query.as_deref().and_then(microsoft_validation_token) {
        return (PLAIN, token).into_response();
    }
    let body = match whole(request.into_body(), PUSH_BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    match desk.service.microsoft_push(&body).await {
        Ok(pushed) => {
            pushed.into_iter().for_each(|pushed| note("microsoft", pushed));
            StatusCode::ACCEPTED.into_response()
        }
        Err(error) => not_noted(&error),
    }
}

async fn zoom(State(desk): State<Desk>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match whole(body, PUSH_BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    match desk.service.zoom_push(&parts.headers, &body).await {
        Ok(ZoomPush::Pushed(pushed)) => {
            note("zoom", pushed);
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(ZoomPush::Proof(proof)) => {
            ([(CONTENT_TYPE, "application/json")], Body::from(proof)).into_response()
        }
        Ok(ZoomPush::Refused(why)) => {
            tracing::debug!(why, "a push was refused");
            problem(StatusCode::UNAUTHORIZED, "unauthenticated", "the push is not signed by zoom")
        }
        Err(error) => not_noted(&error),
    }
}

fn note(provider: &'static str, pushed: Pushed) {
    if let Pushed::Ignored(why) = pushed {
        tracing::debug!(provider, why, "a push changed nothing");
    }
}

/// What the provider must send again is answered 503.
fn not_noted(error: &Error) -> Response {
    match error {
        Error::NotFound(_) => {
            let detail = "the operator has not configured this provider";
            problem(StatusCode::NOT_FOUND, "not_found", detail)
        }
        Error::Malformed(why) => problem(StatusCode::BAD_REQUEST, "malformed", why),
        _ => {
            let refusal =
                problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "not noted; send it again");
            ([(RETRY_AFTER, "1")], refusal).into_response()
        }
    }
}

/// The end of a connection: a person's browser, with a code or an error.
async fn callback(
    State(desk): State<Desk>,
    Path(provider): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let value = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    };
    let answer = match (value("error"), value("code")) {
        (Some(error), _) => Err(error),
        (None, code) => Ok(code.unwrap_or_default()),
    };
    let state = value("state").unwrap_or_default();
    // A connection may have been begun in a browser at Connect's pages, or in the console.
    let connect = desk.service.connect_browser(&headers).await;
    let secure = desk.service.public_url().is_some_and(|url| url.scheme() == "https");
    let browsers: Vec<_> =
        connect.into_iter().chain(tidings_console::browser(&headers, secure)).collect();
    match desk.service.finish_connection_in(&browsers, &provider, &state, answer).await {
        Ok(finished) => finish(finished),
        Err(_) => {
            let text = "the account was not connected: the server cannot now; begin once more\n";
            (StatusCode::SERVICE_UNAVAILABLE, PLAIN, text).into_response()
        }
    }
}

/// Back to where the connection was begun, else a few words.
fn finish(Finished { outcome, return_to }: Finished) -> Response {
    if let Some(url) = return_to {
        let headers = [(LOCATION, returning(url, &outcome)), (CACHE_CONTROL, "no-store".into())];
        return (StatusCode::SEE_OTHER, headers).into_response();
    }
    match outcome {
        Ok(_) => (PLAIN, "the account is connected; you can close this window\n").into_response(),
        Err(NotConnected { why, .. }) => {
            let text = format!("the account was not connected: {why}\n");
            (StatusCode::BAD_REQUEST, PLAIN, text).into_response()
        }
    }
}

fn returning(mut url: Url, outcome: &Result<tidings_core::id::AccountId, NotConnected>) -> String {
    match outcome {
        Ok(account) => url.query_pairs_mut().append_pair("account", &account.to_string()),
        Err(refusal) => url
            .query_pairs_mut()
            .append_pair("error", refusal.code)
            .append_pair("error_description", &refusal.why),
    };
    url.into()
}

#[cfg(test)]
mod tests;
