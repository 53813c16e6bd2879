//! The documents that the demo calendar answers with.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tidings_providers::caldav::escape;

pub(super) fn found(href: &str, props: &str) -> String {
    let href = escape(href);
    format!(
        "<D:response><D:href>{href}</D:href><D:propstat><D:prop>{props}</D:prop>\
         <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
}

pub(super) fn gone(href: &str) -> String {
    let href = escape(href);
    format!(
        "<D:response><D:href>{href}</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>"
    )
}

pub(super) fn multistatus(inner: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><D:multistatus xmlns:D=\"DAV:\" \
         xmlns:C=\"urn:ietf:params:xml:ns:caldav\" xmlns:CS=\"http://calendarserver.org/ns/\">{inner}\
         </D:multistatus>"
    );
    xml(StatusCode::MULTI_STATUS, body)
}

pub(super) fn xml(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "application/xml; charset=utf-8")], body).into_response()
}
