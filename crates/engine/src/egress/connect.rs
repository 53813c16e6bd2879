//! Making one connection: TCP to a vetted address, TLS to the name, HTTP/1.1 on top.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tidings_core::egress::{FailureClass, Host, Scheme};
use tidings_core::limits::{RESPONSE_HEADER_BYTES_MAX, RESPONSE_HEADERS_MAX};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::message::{Exchange, Message};
use super::outcome::{Failure, Phase, Trace};
use super::proxy::{Exit, Proxy};
use super::tls::Tls;
use super::{Way, micros};

/// How long a connection may take to become ready for the next request once a response is read.
/// It is ready at once unless the receiver has not taken the whole request.
const SETTLE: Duration = Duration::from_millis(5);

/// One connection to a receiver. Dropping it closes the socket whatever state it is in.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
    pub(super) address: SocketAddr,
    /// When the address was last found among the vetted answers for the name.
    pub(super) vetted_at: Instant,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Sends the request and waits for the head of the response.
    ///
    /// # Errors
    /// The error gives the message back when nothing of it was sent.
    pub(super) async fn exchange(
        mut self,
        message: Message,
        trace: &mut Trace,
    ) -> Result<Exchange, TrySendError<Message>> {
        trace.phase = Phase::Waiting;
        let started = Instant::now();
        let response = self.sender.try_send_request(message).await?;
        trace.timings.first_byte_us = Some(micros(started));
        Ok(Exchange { response, connection: self })
    }

    /// The connection when it is ready for another request.
    pub(super) async fn settled(mut self) -> Option<Self> {
        if self.sender.is_ready() {
            return Some(self);
        }
        matches!(timeout(SETTLE, self.sender.ready()).await, Ok(Ok(()))).then_some(self)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }
}

/// Connects to the first of the vetted `addresses` that answers, within the budget altogether.
pub(super) async fn connect(
    way: &Way<'_>,
    addresses: &[IpAddr],
    tls: &Tls,
    trace: &mut Trace,
) -> Result<Connection, Failure> {
    let vetted_at = Instant::now();
    let deadline = vetted_at + way.budget.connect;
    trace.phase = Phase::Connecting;
    let stream = dial(addresses, way.url.port(), deadline, trace).await?;
    trace.timings.connect_us = Some(micros(vetted_at));
    let address = stream.peer_addr().map_err(|error| Failure::of_connect(&error))?;
    if trace.address != Some(address) {
        let detail = "the connection went to another address than the vetted one";
        return Err(Failure::new(FailureClass::EgressRefused, detail));
    }
    speak(way, stream, address, vetted_at, tls, trace).await
}

/// The same through the operator's proxy, which was found at `proxies`.
pub(super) async fn connect_through(
    proxy: &Proxy,
    proxies: &[IpAddr],
    exit: Exit<'_>,
    way: &Way<'_>,
    tls: &Tls,
    trace: &mut Trace,
) -> Result<Connection, Failure> {
    let vetted_at = Instant::now();
    let deadline = vetted_at + way.budget.connect;
    trace.phase = Phase::Connecting;
    let (stream, address) = proxy.tunnel(proxies, exit, way.url.port(), deadline, trace).await?;
    trace.timings.connect_us = Some(micros(vetted_at));
    speak(way, stream, address, vetted_at, tls, trace).await
}

/// TLS where the URL wants it, and HTTP/1.1 on top.
async fn speak(
    way: &Way<'_>,
    stream: TcpStream,
    address: SocketAddr,
    vetted_at: Instant,
    tls: &Tls,
    trace: &mut Trace,
) -> Result<Connection, Failure> {
    let budget = way.budget.connect;
    let (sender, driver) = match way.url.scheme() {
        Scheme::Http => speak_http(stream).await?,
        Scheme::Https => {
            trace.phase = Phase::Handshaking;
            let started = Instant::now();
            let handshake = tls.handshake(way.identity, way.url.host(), stream);
            let encrypted = timeout_at(vetted_at + budget, handshake)
                .await
                .map_err(|_| trace.out_of_time(budget))?
                .map_err(|error| Failure::of_handshake(&error))?;
            trace.timings.tls_us = Some(micros(started));
            speak_http(encrypted).await?
        }
    };
    Ok(Connection { sender, driver, address, vetted_at })
}

/// Tries the addresses in order. Each gets an equal share of the time that is left, so that a dead
/// first address does not use up the budget of the others.
pub(super) async fn dial(
    addresses: &[IpAddr],
    port: u16,
    deadline: Instant,
    trace: &mut Trace,
) -> Result<TcpStream, Failure> {
    let started = Instant::now();
    let mut failure = trace.out_of_time(deadline - started);
    for (tried, &ip) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let address = SocketAddr::new(ip, port);
        trace.address = Some(address);
        match timeout(share, open(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = Failure::of_connect(&error),
            Err(_) => failure = trace.out_of_time(started.elapsed()),
        }
    }
    Err(failure)
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn speak_http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<(SendRequest<Full<Bytes>>, AbortHandle), Failure> {
    let (sender, connection) = http1::Builder::new()
        .max_headers(RESPONSE_HEADERS_MAX)
        .max_header_size(RESPONSE_HEADER_BYTES_MAX)
        .max_buf_size(RESPONSE_HEADER_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Failure::of_exchange(&error))?;
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::trace!(%error, "connection ended");
        }
    });
    Ok((sender, driver.abort_handle()))
}

/// The name that the certificate must be for.
pub(super) fn server_name(host: &Host) -> io::Result<rustls::pki_types::ServerName<'static>> {
    match host {
        Host::Address(ip) => Ok(rustls::pki_types::ServerName::IpAddress((*ip).into())),
        Host::Name(name) => rustls::pki_types::ServerName::try_from(name.clone())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error)),
    }
}
