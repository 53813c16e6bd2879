//! A request as hyper wants it, and a response as we hand it on.

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, SET_COOKIE, TE, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use tidings_core::egress::FailureClass;
use tokio::time::{Instant, timeout_at};

use super::connect::Connection;
use super::outcome::{BodyEnd, Failure, Response};
use super::{Budget, Request};

pub(super) type Message = http::Request<Full<Bytes>>;

/// Ours to decide, whoever configured the headers.
const RESERVED: [http::HeaderName; 7] =
    [ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, TE, TRANSFER_ENCODING, UPGRADE];

pub(super) fn assemble(request: Request<'_>) -> Result<Message, Failure> {
    let unfit = || Failure::new(FailureClass::EgressRefused, "the URL is not valid in HTTP");
    let target = Uri::try_from(request.url.target()).map_err(|_| unfit())?;
    let host = HeaderValue::try_from(request.url.authority()).map_err(|_| unfit())?;
    let mut message = Message::new(Full::new(request.body));
    *message.method_mut() = request.method;
    *message.uri_mut() = target;
    *message.headers_mut() = request.headers;
    for name in RESERVED {
        message.headers_mut().remove(name);
    }
    message.headers_mut().insert(HOST, host);
    Ok(message)
}

/// A response whose head has arrived, and the connection that brings the body.
pub(super) struct Exchange {
    pub(super) response: http::Response<Incoming>,
    pub(super) connection: Connection,
}

impl Exchange {
    /// Reads the body within the budget. The connection comes back when it is fit for reuse.
    pub(super) async fn finish(
        self,
        budget: Budget,
        deadline: Instant,
    ) -> (Response, Option<Connection>) {
        let Self { response, connection } = self;
        let (head, mut body) = response.into_parts();
        let mut stored = Vec::new();
        let read = if body.is_end_stream() {
            Read { end: BodyEnd::Complete, all: true }
        } else {
            timeout_at(deadline, read_body(&mut body, budget, &mut stored))
                .await
                .unwrap_or(Read { end: BodyEnd::OutOfTime, all: false })
        };
        let reuse = read.all && clearly_framed(head.status, &head.headers);
        let response = Response {
            status: head.status.as_u16(),
            headers: as_list(&head.headers),
            body: stored.into(),
            body_end: read.end,
        };
        if reuse { (response, connection.settled().await) } else { (response, None) }
    }
}

struct Read {
    end: BodyEnd,
    /// All was read from the wire, though perhaps not all of it stored.
    all: bool,
}

async fn read_body(body: &mut Incoming, budget: Budget, stored: &mut Vec<u8>) -> Read {
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Read { end: BodyEnd::Broken, all: false };
        };
        let Some(data) = frame.data_ref() else { continue };
        let room = budget.store_bytes.saturating_sub(stored.len());
        stored.extend_from_slice(&data[..data.len().min(room)]);
        seen += data.len();
        if seen > budget.read_bytes {
            return Read { end: BodyEnd::Capped, all: false };
        }
    }
    let end = if seen > stored.len() { BodyEnd::Capped } else { BodyEnd::Complete };
    Read { end, all: true }
}

/// Whether there can be no doubt where the response ended, so that none of it can be taken for the
/// answer to the next request.
fn clearly_framed(status: StatusCode, headers: &HeaderMap) -> bool {
    let lengths = headers.get_all(CONTENT_LENGTH).iter().count();
    let encoded = headers.contains_key(TRANSFER_ENCODING);
    let bodiless = status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
        || status.is_informational();
    let announces_body = encoded || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    !(encoded && lengths > 0) && lengths < 2 && !(bodiless && announces_body)
}

fn as_list(headers: &HeaderMap) -> Vec<(String, Bytes)> {
    headers
        .iter()
        .filter(|(name, _)| *name != SET_COOKIE)
        .map(|(name, value)| (name.as_str().to_owned(), Bytes::copy_from_slice(value.as_bytes())))
        .collect()
}
