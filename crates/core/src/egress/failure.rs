//! What can go wrong with a request to somebody else, in plain words.

/// The class of a failed attempt. Stored with the attempt by [`FailureClass::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The egress policy forbids the URL or an address of its name; nothing was dialled.
    EgressRefused,
    /// The name could not be resolved.
    Dns,
    /// The receiver's machine refused the connection.
    ConnectRefused,
    /// The connection was not made in time.
    ConnectTimeout,
    /// No way to the receiver's network.
    Unreachable,
    /// The TLS handshake failed.
    Tls,
    /// Connected, but not done within the budget.
    Timeout,
    /// The receiver closed the connection before its answer was complete.
    ConnectionClosed,
    /// The operator's proxy did not let the connection out; says nothing about the receiver.
    Proxy,
    /// The answer was not HTTP.
    Protocol,
    /// The headers of the answer were too large or too many.
    ResponseTooLarge,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 11] = [
        Self::EgressRefused,
        Self::Dns,
        Self::ConnectRefused,
        Self::ConnectTimeout,
        Self::Unreachable,
        Self::Tls,
        Self::Timeout,
        Self::ConnectionClosed,
        Self::Proxy,
        Self::Protocol,
        Self::ResponseTooLarge,
    ];

    /// The stable code, stored and shown to programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::EgressRefused => "egress_refused",
            Self::Dns => "dns",
            Self::ConnectRefused => "connect_refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::ConnectionClosed => "connection_closed",
            Self::Proxy => "proxy",
            Self::Protocol => "protocol",
            Self::ResponseTooLarge => "response_too_large",
        }
    }

    /// The class with this code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.code() == code)
    }

    /// What happened, in plain words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::EgressRefused => "the URL points to a place that Tidings must not reach",
            Self::Dns => "the host name could not be resolved",
            Self::ConnectRefused => "the connection was refused",
            Self::ConnectTimeout => "the connection was not made in time",
            Self::Unreachable => "the receiver's network could not be reached",
            Self::Tls => "the secure connection (TLS) could not be made",
            Self::Timeout => "the receiver did not finish its answer in time",
            Self::ConnectionClosed => "the receiver closed the connection before it answered",
            Self::Proxy => "the proxy of this installation did not let the request out",
            Self::Protocol => "the answer was not valid HTTP",
            Self::ResponseTooLarge => "the headers of the answer were too large",
        }
    }

    /// The likely cause and what to do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::EgressRefused => {
                "use a public https address, or ask the operator to allow the receiver's network"
            }
            Self::Dns => "check the spelling of the host name and its DNS records",
            Self::ConnectRefused => {
                "nothing listens on that port: start the receiver or correct the port"
            }
            Self::ConnectTimeout => "a firewall may drop the connection, or the receiver is down",
            Self::Unreachable => "check the receiver's address and the route to it",
            Self::Tls => {
                "check that the certificate is valid, unexpired, for this host name and sent with \
                 its intermediate certificates"
            }
            Self::Timeout => {
                "answer 2xx at once and do the work afterwards, in a queue of your own"
            }
            Self::ConnectionClosed => {
                "the receiver or a proxy before it may have crashed or restarted: see its log"
            }
            Self::Proxy => {
                "ask the operator to look at the proxy: its address, credentials and rules"
            }
            Self::Protocol => "check that an HTTP/1.1 server answers at that address and port",
            Self::ResponseTooLarge => "answer with at most 100 headers of 64 KiB together",
        }
    }
}
