//! What became of a request.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tidings_core::egress::{AddressRefusal, FailureClass, UrlRefusal};

/// One attempt, successful or not.
#[derive(Debug)]
pub struct Attempted {
    /// The address that was dialled; `None` when it did not come to that.
    pub address: Option<SocketAddr>,
    /// How long each phase took.
    pub timings: Timings,
    /// An answer of whatever status, or why there was none.
    pub result: Result<Response, Failure>,
}

impl Attempted {
    /// The attempt at a URL that the policy refuses: nothing is dialled.
    pub(super) fn refused(refusal: &UrlRefusal) -> Self {
        let failure = Failure::new(FailureClass::EgressRefused, refusal.to_string());
        Self { address: None, timings: Timings::default(), result: Err(failure) }
    }

    /// The status, when there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.result.as_ref().ok().map(|response| response.status)
    }
}

/// Microseconds spent in each phase; `None` where the phase did not take place or did not end, as
/// the first three on a reused connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Looking up the name.
    pub dns_us: Option<u64>,
    /// TCP connection.
    pub connect_us: Option<u64>,
    /// TLS handshake.
    pub tls_us: Option<u64>,
    /// From handing over the request to the complete head of the response.
    pub first_byte_us: Option<u64>,
    /// The whole attempt, response body included.
    pub total_us: Option<u64>,
}

/// An answer. Redirects are answers like others.
pub struct Response {
    /// The status, 100 to 999.
    pub status: u16,
    /// The headers in the order of arrival, values of equal names together, names in lower case.
    /// `set-cookie` is left out: it is a secret of the receiver and of no use to us.
    pub headers: Vec<(String, Bytes)>,
    /// The body, at most [`super::Budget::store_bytes`], as received (never inflated).
    pub body: Bytes,
    /// Whether `body` is all of it, and if not, why.
    pub body_end: BodyEnd,
}

/// Without headers and body, which hold secrets and payloads.
impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {} bytes, {:?}", self.status, self.body.len(), self.body_end)
    }
}

impl Response {
    /// Whether a part of the body is missing.
    pub fn truncated(&self) -> bool {
        self.body_end != BodyEnd::Complete
    }

    /// The last value of the header `name` (lower case) that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().rev().filter(|(found, _)| found == name);
        values.find_map(|(_, value)| std::str::from_utf8(value).ok())
    }
}

/// How the response body ended. The status was complete in any case, so it decides about success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// All of it was received and handed back.
    Complete,
    /// It was longer than the budget's byte caps.
    Capped,
    /// The connection broke or the framing was wrong.
    Broken,
    /// The total budget ended first.
    OutOfTime,
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", class.code())]
pub struct Failure {
    /// The class, with meaning and advice.
    pub class: FailureClass,
    /// What exactly, in plain words.
    pub detail: String,
}

impl Failure {
    pub(super) fn new(class: FailureClass, detail: impl Into<String>) -> Self {
        Self { class, detail: detail.into() }
    }

    pub(super) fn of_addresses(refusal: &AddressRefusal) -> Self {
        let class = match refusal {
            AddressRefusal::Empty => FailureClass::Dns,
            AddressRefusal::Forbidden { .. } => FailureClass::EgressRefused,
        };
        Self::new(class, refusal.to_string())
    }

    pub(super) fn of_connect(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                Self::new(FailureClass::ConnectRefused, "nothing accepts connections there")
            }
            io::ErrorKind::TimedOut => Self::new(FailureClass::ConnectTimeout, "no reply"),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
                Self::new(FailureClass::ConnectionClosed, "closed while connecting")
            }
            _ => Self::new(FailureClass::Unreachable, error.to_string()),
        }
    }

    pub(super) fn of_handshake(error: &io::Error) -> Self {
        if is_certificate_or_protocol(error) {
            return Self::new(FailureClass::Tls, error.to_string());
        }
        Self::new(FailureClass::Tls, "the receiver closed the connection during the handshake")
    }

    pub(super) fn of_exchange(error: &hyper::Error) -> Self {
        if error.is_parse_too_large() {
            let detail = "more than 100 response headers or 64 KiB of them";
            return Self::new(FailureClass::ResponseTooLarge, detail);
        }
        if error.is_parse() {
            let detail = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            return Self::new(FailureClass::Protocol, detail);
        }
        let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        match io {
            Some(io) if is_certificate_or_protocol(io) => {
                Self::new(FailureClass::Tls, io.to_string())
            }
            Some(_) => Self::new(FailureClass::ConnectionClosed, "reset before the answer"),
            None if error.is_incomplete_message() || error.is_canceled() || error.is_closed() => {
                Self::new(FailureClass::ConnectionClosed, "closed before the answer")
            }
            None => Self::new(FailureClass::Protocol, error.to_string()),
        }
    }
}

fn is_certificate_or_protocol(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
}

/// What an attempt did so far, kept outside of the future that a deadline may drop.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) address: Option<SocketAddr>,
    pub(super) timings: Timings,
    pub(super) phase: Phase,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Phase {
    #[default]
    Resolving,
    Connecting,
    Handshaking,
    Waiting,
}

impl Trace {
    /// The budget of the present phase, or of everything, is used up.
    pub(super) fn out_of_time(&self, budget: Duration) -> Failure {
        let (class, phase) = match self.phase {
            Phase::Resolving => (FailureClass::Dns, "looking up the host name"),
            Phase::Connecting => (FailureClass::ConnectTimeout, "connecting"),
            Phase::Handshaking => (FailureClass::Timeout, "making the TLS connection"),
            Phase::Waiting => (FailureClass::Timeout, "waiting for the answer"),
        };
        Failure::new(class, format!("gave up after {} ms while {phase}", budget.as_millis()))
    }
}
