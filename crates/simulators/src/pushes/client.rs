//! One POST to an address of this machine.

use std::io;

use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::Url;

use super::{Push, Reply};

/// Sends the push to `url`.
///
/// # Errors
/// No answer, or the address is not on loopback: nothing of a simulator leaves the machine.
pub(super) async fn post(url: &str, push: &Push) -> io::Result<Reply> {
    let url: Url = url.parse().map_err(invalid)?;
    let addresses = url.socket_addrs(|| None)?;
    let address = addresses.into_iter().find(|address| address.ip().is_loopback());
    let (Some(address), "http") = (address, url.scheme()) else {
        return Err(invalid("pushes go to http on loopback; give a route for other addresses"));
    };
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Ends when the sender is dropped or the peer goes away.
    tokio::spawn(connection);
    let mut request = Request::post(&url[url::Position::BeforePath..]);
    request = request.header(HOST, address.to_string());
    // Said even when it is 0, as Google does.
    request = request.header(CONTENT_LENGTH, push.body.len());
    for (name, value) in &push.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(push.body.clone())).map_err(invalid)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = response.status().as_u16();
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let body: Bytes = response.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    Ok(Reply { status, content_type, body })
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
