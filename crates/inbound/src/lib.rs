//! Reading a request, before any dialect has a word in it: a bounded body, a header that must not be
//! repeated, a media type. Each surface says what is wrong in words of its own.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It has more bytes than it may.
    #[error("the body is too long")]
    TooLong,
    /// It ended before it was whole.
    #[error("the body broke off")]
    BrokenOff,
}

/// A header is there more than once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is given twice")]
pub struct Repeated(pub HeaderName);

/// A whole body of at most `most` bytes.
///
/// # Errors
/// Too long, also when a layer around us had the smaller limit; broken off.
pub async fn whole(body: Body, most: usize) -> Result<Bytes, BodyError> {
    match Limited::new(body, most).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if is_too_long(&*error) => Err(BodyError::TooLong),
        Err(_) => Err(BodyError::BrokenOff),
    }
}

/// Whether a limit, ours or one of a layer around us, ended the body.
fn is_too_long(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whence a request came, when that is known. A proxy on this machine is believed what it says of its client.
pub fn client(parts: &Parts) -> Option<IpAddr> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let told = forwarded(&parts.headers).filter(|_| peer.is_some_and(|peer| peer.is_loopback()));
    told.or(peer)
}

/// The client of the last proxy on the way: the entry that this proxy itself added.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let line = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next()?.trim().parse().ok()
}

/// The value of a header that must not be repeated; empty when it is not text.
///
/// # Errors
/// It is there more than once.
pub fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Repeated> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Repeated(name.clone()));
    }
    Ok(first.map(|value| value.to_str().unwrap_or_default()))
}

/// Whether a media type is `application/json`, with UTF-8 when it names a charset (RFC 9110 §8.3).
pub fn is_json(media_type: &str) -> bool {
    let mut parts = media_type.split(';').map(str::trim);
    parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
        && parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
            !name.eq_ignore_ascii_case("charset")
                || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::CONTENT_TYPE;

    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_whoever_set_it() {
        assert_eq!(whole(Body::from("abc"), 3).await.unwrap(), "abc");
        assert_eq!(whole(Body::from("abcd"), 3).await, Err(BodyError::TooLong));
        let limited_outside = || Body::new(Limited::new(Body::from("abcd"), 2));
        assert_eq!(whole(limited_outside(), 9).await, Err(BodyError::TooLong));
    }

    #[test]
    fn only_a_proxy_on_this_machine_says_who_its_client_is() {
        for (peer, told, client) in [
            (None, Some("192.0.2.1"), None),
            (Some("127.0.0.1"), None, Some("127.0.0.1")),
            (Some("127.0.0.1"), Some("192.0.2.1"), Some("192.0.2.1")),
            (Some("[::1]"), Some("192.0.2.1, 2001:db8::1"), Some("2001:db8::1")),
            (Some("127.0.0.1"), Some("192.0.2.1, nobody"), Some("127.0.0.1")),
            (Some("198.51.100.7"), Some("192.0.2.1"), Some("198.51.100.7")),
        ] {
            let mut request = http::Request::new(());
            if let Some(peer) = peer {
                let peer: SocketAddr = format!("{peer}:4711").parse().unwrap();
                request.extensions_mut().insert(ConnectInfo(peer));
            }
            if let Some(told) = told {
                request.headers_mut().insert("x-forwarded-for", told.parse().unwrap());
            }
            let (parts, ()) = request.into_parts();
            let expected = client.map(|client| client.parse().unwrap());
            assert_eq!(super::client(&parts), expected, "{peer:?} {told:?}");
        }
    }

    #[test]
    fn a_header_is_there_once_or_not_at_all() {
        let mut headers = HeaderMap::new();
        assert_eq!(single(&headers, &CONTENT_TYPE), Ok(None));
        headers.append(CONTENT_TYPE, HeaderValue::from_static("a"));
        assert_eq!(single(&headers, &CONTENT_TYPE), Ok(Some("a")));
        headers.append(CONTENT_TYPE, HeaderValue::from_static("a"));
        assert_eq!(single(&headers, &CONTENT_TYPE), Err(Repeated(CONTENT_TYPE)));
    }

    #[test]
    fn json_is_json_in_utf_8() {
        for (media_type, json) in [
            ("application/json", true),
            ("Application/JSON; charset=\"UTF-8\"; x=y", true),
            ("application/json; charset=latin1", false),
            ("application/jsonl", false),
            ("text/plain", false),
            ("", false),
        ] {
            assert_eq!(is_json(media_type), json, "{media_type}");
        }
    }
}
