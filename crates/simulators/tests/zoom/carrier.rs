//! Tidings' own requests, carried to the simulator.

use http::header::{AUTHORIZATION, HOST};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tidings_providers::http::{Request, Response};
use tidings_providers::settings::ZoomSettings;
use tidings_simulators::zoom::Zoom;
use tokio::net::TcpStream;

/// Settings that lead to the simulator.
pub(crate) fn settings(zoom: &Zoom) -> ZoomSettings {
    let (id, secret) = zoom.oauth().client();
    let mut settings = ZoomSettings::new(id, secret);
    settings.api = zoom.api_url();
    settings.oauth.authorize_url = zoom.authorize_url();
    settings.oauth.token_url = zoom.token_url();
    settings.oauth.revoke_url = Some(zoom.revoke_url());
    settings
}

/// Sends a request with this access token, if any.
pub(crate) async fn carry(request: Request, token: Option<&str>) -> Response {
    let address = request.url.socket_addrs(|| None).unwrap()[0];
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let target = &request.url[url::Position::BeforePath..];
    let mut sent = http::Request::builder().method(request.method.clone()).uri(target);
    sent = sent.header(HOST, address.to_string());
    for (name, value) in &request.headers {
        sent = sent.header(name, value);
    }
    if let Some(token) = token {
        sent = sent.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let sent = sent.body(Full::new(request.body)).unwrap();
    let (parts, body) = sender.send_request(sent).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response { status: parts.status, headers: parts.headers, body }
}
