//! Answers: the envelope around every JSON, and files.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::refusal::{Fault, Refusal};

/// What an endpoint found or did.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The payload of the envelope.
    Payload(Box<RawValue>),
    /// A file, as it is.
    File(File),
}

/// A file to download.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) content_type: String,
    pub(crate) content: Bytes,
}

/// The envelope, in the order of the documentation.
#[derive(Serialize)]
struct Envelope<'a> {
    rid: &'a str,
    code: u16,
    errors: Option<&'a [Fault]>,
    status: bool,
    message: Option<&'a str>,
    response: Option<&'a RawValue>,
}

impl Answer {
    /// A payload of any shape.
    pub(crate) fn of(payload: &impl Serialize) -> Result<Self, Refusal> {
        let payload =
            to_raw_value(payload).map_err(|_| Refusal::from(tidings_service::Error::Internal))?;
        Ok(Self::Payload(payload))
    }

    /// `true`: done.
    pub(crate) fn done() -> Result<Self, Refusal> {
        Self::of(&true)
    }

    /// The response, of the request with this id.
    pub(crate) fn respond(self, rid: &str) -> Response {
        match self {
            Self::Payload(payload) => enveloped(&Envelope {
                rid,
                code: StatusCode::OK.as_u16(),
                errors: None,
                status: true,
                message: None,
                response: Some(&payload),
            }),
            Self::File(file) => file.into_response(),
        }
    }
}

impl Refusal {
    /// The response, of the request with this id.
    pub(crate) fn respond(&self, rid: &str) -> Response {
        let mut response = enveloped(&Envelope {
            rid,
            code: self.status.as_u16(),
            errors: Some(self.faults.as_slice()).filter(|faults| !faults.is_empty()),
            status: false,
            message: self.status.canonical_reason(),
            response: None,
        });
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("api_key realm=\"sync\""));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn enveloped(envelope: &Envelope<'_>) -> Response {
    let mut response = axum::Json(envelope).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl IntoResponse for File {
    /// Somebody else's file is served from our host: no browser may take it for a page of ours.
    fn into_response(self) -> Response {
        let content_type = HeaderValue::from_str(&self.content_type)
            .unwrap_or(HeaderValue::from_static("application/octet-stream"));
        let mut response = Response::new(Body::from(self.content));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; sandbox"),
        );
        response
    }
}
