//! The operator's proxy: every connection is a `CONNECT` tunnel (RFC 9110 §9.3.6) through it.

use std::net::{IpAddr, SocketAddr};

use tidings_core::access::Hidden;
use tidings_core::egress::{EgressPolicy, FailureClass, Host, UrlRefusal, VettedUrl};
use tidings_core::limits::PROXY_ANSWER_BYTES_MAX;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::connect::dial;
use super::outcome::{Failure, Trace};

/// A proxy that the operator configured.
///
/// It is asked to connect to the address that we vetted. One that is `filtering` is asked to connect to the
/// name instead: it looks the name up and judges what it finds, in place of our policy.
#[derive(Clone, Debug)]
pub struct Proxy {
    url: VettedUrl,
    authorization: Option<Hidden>,
    filtering: bool,
}

/// The text does not name a proxy. It is not repeated, for it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Only `http://` is spoken to proxies.
    #[error("give http://host:port or http://user:password@host:port")]
    Form,
    /// The host or port cannot be used.
    #[error("{0}")]
    Host(UrlRefusal),
}

/// What a tunnel ends at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Exit<'a> {
    /// One of the addresses that we vetted.
    Addresses(&'a [IpAddr]),
    /// Whatever the filtering proxy finds under the name.
    Name(&'a str),
}

impl Proxy {
    /// Reads `http://[user:password@]host:port`. The proxy itself may be anywhere: it is the operator's.
    ///
    /// # Errors
    /// The text has another form.
    pub fn parse(text: &str, filtering: bool) -> Result<Self, ProxyError> {
        let rest = text.strip_prefix("http://").ok_or(ProxyError::Form)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(ProxyError::Form);
        }
        let (userinfo, authority) = match rest.rsplit_once('@') {
            Some((userinfo, authority)) => (Some(userinfo), authority),
            None => (None, rest),
        };
        let url = EgressPolicy::anywhere().vet_url(&format!("http://{authority}"));
        let url = url.map_err(ProxyError::Host)?;
        let authorization = userinfo.map(basic).transpose()?;
        Ok(Self { url, authorization, filtering })
    }

    /// Whether it judges names itself.
    pub(super) fn filters(&self) -> bool {
        self.filtering
    }

    /// Its own host, to be looked up.
    pub(super) fn host(&self) -> &Host {
        self.url.host()
    }

    /// A stream that ends at `exit`, and the address there as far as we know it.
    pub(super) async fn tunnel(
        &self,
        addresses: &[IpAddr],
        exit: Exit<'_>,
        port: u16,
        deadline: Instant,
        trace: &mut Trace,
    ) -> Result<(TcpStream, SocketAddr), Failure> {
        let exits: Vec<(String, Option<SocketAddr>)> = match exit {
            Exit::Name(name) => vec![(format!("{name}:{port}"), None)],
            Exit::Addresses(found) => {
                let found = found.iter().map(|ip| SocketAddr::new(*ip, port));
                found.map(|address| (address.to_string(), Some(address))).collect()
            }
        };
        let mut failure = Failure::new(FailureClass::Proxy, "no time left to reach the proxy");
        for (tried, (target, address)) in exits.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(exits.len() - tried).unwrap_or(u32::MAX);
            let until = Instant::now() + share;
            match timeout(share, self.open(addresses, target, until, trace)).await {
                Ok(Ok((stream, peer))) => {
                    let address = address.unwrap_or(peer);
                    trace.address = Some(address);
                    return Ok((stream, address));
                }
                Ok(Err(error)) => failure = error,
                Err(_) => {
                    let detail = "no answer from the proxy in time";
                    failure = Failure::new(FailureClass::ConnectTimeout, detail);
                }
            }
            trace.address = *address;
        }
        Err(failure)
    }

    async fn open(
        &self,
        addresses: &[IpAddr],
        target: &str,
        deadline: Instant,
        trace: &mut Trace,
    ) -> Result<(TcpStream, SocketAddr), Failure> {
        let ours = |failure: Failure| {
            let detail = format!("the proxy cannot be reached: {}", failure.detail);
            Failure::new(FailureClass::Proxy, detail)
        };
        let dialled = dial(addresses, self.url.port(), deadline, trace).await;
        let mut stream = dialled.map_err(ours)?;
        let broke = |_| Failure::new(FailureClass::Proxy, "the proxy closed the connection");
        let peer = stream.peer_addr().map_err(broke)?;
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(authorization) = &self.authorization {
            request += &format!("Proxy-Authorization: {}\r\n", authorization.reveal());
        }
        request += "\r\n";
        stream.write_all(request.as_bytes()).await.map_err(broke)?;
        let status = read_status(&mut stream).await?;
        judge(status)?;
        Ok((stream, peer))
    }
}

/// Reads the head of the answer; nothing may follow it, for it is on us to speak first.
async fn read_status(stream: &mut TcpStream) -> Result<u16, Failure> {
    let wrong = |detail: &str| Failure::new(FailureClass::Proxy, detail);
    let mut head = Vec::with_capacity(512);
    loop {
        let mut chunk = [0; 512];
        let read = stream.read(&mut chunk).await;
        let read = read.map_err(|_| wrong("the proxy closed the connection"))?;
        if read == 0 {
            return Err(wrong("the proxy closed the connection"));
        }
        head.extend_from_slice(&chunk[..read]);
        let end = head.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        match end {
            Some(end) if end + 4 == head.len() => break,
            // A refusal may carry a body; only an accepted tunnel must be silent.
            Some(_) if !status_of(&head).is_some_and(|status| (200..300).contains(&status)) => {
                break;
            }
            Some(_) => return Err(wrong("the proxy sent more than its answer")),
            None if head.len() > PROXY_ANSWER_BYTES_MAX => {
                return Err(wrong("the proxy's answer is too long"));
            }
            None => {}
        }
    }
    status_of(&head).ok_or_else(|| wrong("the proxy does not speak HTTP/1.1"))
}

fn status_of(head: &[u8]) -> Option<u16> {
    let line = head.strip_prefix(b"HTTP/1.")?;
    let digits = std::str::from_utf8(line.get(2..5)?).ok()?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// What the proxy's answer says about the way out, or about the receiver.
fn judge(status: u16) -> Result<(), Failure> {
    let (class, why) = match status {
        200..=299 => return Ok(()),
        407 => (FailureClass::Proxy, "it wants other credentials"),
        502 | 503 => (FailureClass::Unreachable, "it could not reach the receiver"),
        504 => (FailureClass::ConnectTimeout, "the receiver did not answer it in time"),
        _ => (FailureClass::Proxy, "it does not let the request out"),
    };
    Err(Failure::new(class, format!("the proxy answered {status}: {why}")))
}

/// The userinfo of a URL, percent-decoded, as `Basic` (RFC 7617).
fn basic(userinfo: &str) -> Result<Hidden, ProxyError> {
    let (username, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let decode = |text: &str| percent_decoded(text).map(Hidden::from).ok_or(ProxyError::Form);
    let auth = tidings_core::access::Auth::Basic {
        username: decode(username)?,
        password: decode(password)?,
    };
    auth.authorization().ok_or(ProxyError::Form)
}

fn percent_decoded(text: &str) -> Option<String> {
    // `+` is a plus sign in a userinfo and a blank in a form.
    let pair = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    let value = url::form_urlencoded::parse(pair.as_bytes()).next()?.1.into_owned();
    (!value.contains('\u{fffd}') && !value.chars().any(char::is_control)).then_some(value)
}
