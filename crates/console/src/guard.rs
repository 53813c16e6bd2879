//! What stands around every page: who is there, whether a form is ours, and what each answer says to the
//! browser.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN, REFERRER_POLICY,
    SET_COOKIE, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use subtle::ConstantTimeEq;
use tidings_core::limits;
use tidings_inbound::BodyError;
use url::{Url, form_urlencoded};

use crate::cookies::{self, Cookie};
use crate::form::too_long;
use crate::layout::{Bare, Theme};
use crate::session::{Visit, Who, is_portal, is_read};
use crate::{Desk, Refusal, assets};

/// Nothing inline, nothing from elsewhere, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// `no-referrer` would have browsers call the origin of our own forms `null`; this one tells other sites as
/// little (Fetch standard, "append a request `Origin` header").
const REFERRER: &str = "same-origin";

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Lets a request through to its page, and dresses the answer.
pub(crate) async fn guard(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let secure = desk.options.secure;
    if assets::is_one(request.uri().path()) {
        return dressed(next.run(request).await, Theme::System, secure);
    }
    let (parts, body) = request.into_parts();
    let visit = match Visit::of(&desk, &parts).await {
        Ok(visit) => Arc::new(visit),
        Err(refusal) => return dressed(refusal.into_response(), Theme::System, secure),
    };
    let response = match admitted(&desk, parts, body, &visit).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    dressed(with_cookies(response, &visit), visit.theme, secure)
}

/// The request for its page, with the visit; one that changes something only when it is a form of ours.
async fn admitted(
    desk: &Desk,
    mut parts: Parts,
    body: Body,
    visit: &Arc<Visit>,
) -> Result<Request, Refusal> {
    parts.extensions.insert(Arc::clone(visit));
    if is_read(&parts.method) {
        return Ok(Request::from_parts(parts, body));
    }
    if !is_from_here(desk, &parts.headers) {
        return Err(Refusal::ForeignForm);
    }
    if matches!(visit.who, Who::Nobody) && !is_open(parts.uri.path()) {
        return Err(match is_portal(parts.uri.path()) {
            true => Refusal::LinkIsOver,
            false => Refusal::SignIn { back: String::new(), read: false },
        });
    }
    if !is_form(&parts.headers) {
        let why = "a form is sent as application/x-www-form-urlencoded";
        return Err(Refusal::BadForm(StatusCode::UNSUPPORTED_MEDIA_TYPE, why.into()));
    }
    let body = whole(body).await?;
    if !carries(&body, visit.csrf()) {
        return Err(Refusal::ForeignForm);
    }
    if visit.only_looks() && !is_for_viewers(parts.uri.path()) {
        return Err(Refusal::OnlyLook);
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// Whether forms are taken there while nobody is signed in.
fn is_open(path: &str) -> bool {
    matches!(path, "/console/login" | "/console/theme") || path.starts_with("/console/setup/")
}

/// Whether a viewer may send a form there: to what is their own, and to what only computes.
fn is_for_viewers(path: &str) -> bool {
    const OWN: [&str; 5] = [
        "/console/theme",
        "/console/logout",
        "/console/confirm",
        "/console/profile/",
        "/console/sessions/",
    ];
    OWN.iter().any(|own| path.starts_with(own)) || path.ends_with("/verify")
}

/// Whether a page of ours sent this. Browsers say so in one of two headers; what says neither is no browser
/// and must still carry the form's token.
fn is_from_here(desk: &Desk, headers: &HeaderMap) -> bool {
    match headers.get(FETCH_SITE).map(HeaderValue::as_bytes) {
        Some(b"same-origin" | b"none") => true,
        Some(_) => false,
        None => headers.get(ORIGIN).is_none_or(|origin| is_ours(desk, headers, origin)),
    }
}

fn is_ours(desk: &Desk, headers: &HeaderMap, origin: &HeaderValue) -> bool {
    let Some(origin) = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok()) else {
        return false;
    };
    let public = desk.service.public_url().is_some_and(|url| url.origin() == origin.origin());
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let scheme = if desk.options.secure { "https" } else { "http" };
    let here = host.and_then(|host| Url::parse(&format!("{scheme}://{host}/")).ok());
    public || here.is_some_and(|url| url.origin() == origin.origin())
}

fn is_form(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|media_type| media_type.to_str().ok());
    let essence = media_type.and_then(|media_type| media_type.split(';').next());
    essence.is_some_and(|essence| {
        essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

async fn whole(body: Body) -> Result<Bytes, Refusal> {
    let body = tidings_inbound::whole(body, limits::CONSOLE_FORM_BYTES_MAX).await;
    body.map_err(|error| match error {
        BodyError::TooLong => too_long(),
        BodyError::BrokenOff => {
            Refusal::BadForm(StatusCode::BAD_REQUEST, "the form broke off".into())
        }
    })
}

/// Whether a form carries exactly what the page that it came from was given.
fn carries(body: &[u8], expected: Option<&str>) -> bool {
    let mut given = form_urlencoded::parse(body).filter(|(name, _)| name == "csrf");
    match (expected, given.next(), given.next()) {
        (Some(expected), Some((_, given)), None) => {
            bool::from(expected.as_bytes().ct_eq(given.as_bytes()))
        }
        _ => false,
    }
}

/// A notice that a page has shown is forgotten; who has no form cookie yet and sees a page before the door
/// gets one.
fn with_cookies(mut response: Response, visit: &Visit) -> Response {
    let is_page = response.status() == StatusCode::OK && is_html(&response);
    if is_page && visit.notice.is_some() && !cookies::is_set(&response, Cookie::Notice) {
        response = cookies::clear(response, Cookie::Notice);
    }
    let wants_form = matches!(visit.who, Who::Nobody) && visit.form.is_new && is_page;
    if wants_form && !cookies::is_set(&response, Cookie::Form) {
        response = cookies::set(response, Cookie::Form, visit.form.text.as_str());
    }
    response
}

fn is_html(response: &Response) -> bool {
    let media_type = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    media_type.is_some_and(|media_type| media_type.starts_with(b"text/html"))
}

/// The answer in its frame, with its cookies and headers.
fn dressed(mut response: Response, theme: Theme, secure: bool) -> Response {
    for cookie in cookies::headers(&mut response, secure) {
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    if let Some(bare) = response.extensions_mut().remove::<Bare>() {
        let (parts, _) = response.into_parts();
        let page = Html(bare.framed(theme).into_string()).into_response();
        response = Response::from_parts(parts, page.into_body());
    }
    with_headers(response, secure)
}

fn with_headers(mut response: Response, secure: bool) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, REFERRER),
        (OPENER_POLICY, "same-origin"),
        (RESOURCE_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if secure {
        let strict = format!("max-age={}; includeSubDomains", limits::CONSOLE_HSTS_S);
        headers.insert(STRICT_TRANSPORT_SECURITY, strict.parse().expect("digits and letters"));
    }
    response
}
