//! Which URLs are acceptable. The text is judged raw first, because the parser silently repairs
//! what an attacker may want repaired (tabs, newlines, backslashes), and then as parsed.

use std::net::IpAddr;

use super::EgressPolicy;
use crate::limits::URL_BYTES_MAX;

/// Names under these suffixes never belong to the public (RFC 6761, 6762, 7686, 8375, 9476 and
/// common practice).
const INTERNAL_SUFFIXES: &[&str] = &[
    "alt",
    "corp",
    "example",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "onion",
    "private",
    "svc",
    "test",
];
const LOOPBACK_SUFFIXES: &[&str] = &["localhost", "localdomain"];
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// The scheme of a vetted URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// TLS.
    Https,
    /// Plain text, by explicit configuration only.
    Http,
}

/// The host of a vetted URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name in ASCII, lower case, without the root dot.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// A URL that passed [`EgressPolicy::vet_url`], taken apart for the HTTP client. What its name
/// resolves to has still to be vetted.
#[derive(Clone, PartialEq, Eq)]
pub struct VettedUrl {
    scheme: Scheme,
    host: Host,
    port: u16,
    authority: String,
    origin: String,
    target: String,
}

impl VettedUrl {
    /// `https` or `http`.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Name or address.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, the scheme's own when the URL names none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of the `Host` header: the port only where it is not the scheme's own.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Scheme, host and port (`https://example.com:443`): equal for URLs that can share a
    /// connection.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Path and query as they are sent (`/a?b=c`).
    pub fn target(&self) -> &str {
        &self.target
    }
}

/// The whole URL in normal form.
impl std::fmt::Display for VettedUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match self.scheme {
            Scheme::Https => "https",
            Scheme::Http => "http",
        };
        write!(f, "{scheme}://{}{}", self.authority, self.target)
    }
}

/// Without path and query, which may hold a token.
impl std::fmt::Debug for VettedUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VettedUrl({})", self.origin)
    }
}

/// Why a URL was refused. The text never repeats the URL, which may hold a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefusal {
    /// Nothing but blanks.
    #[error("the URL is empty: give one such as https://example.com/hook")]
    Empty,
    /// More than [`URL_BYTES_MAX`] bytes.
    #[error("the URL is longer than {URL_BYTES_MAX} bytes: shorten it")]
    TooLong,
    /// Control characters, blanks, backslashes or marks that reverse the reading direction.
    #[error("the URL has a {0} in it: remove it or percent-encode it")]
    Characters(&'static str),
    /// No absolute URL with a host.
    #[error("this is not an absolute URL with a host: give one such as https://example.com/hook")]
    Malformed,
    /// A scheme other than the allowed ones.
    #[error("the URL must begin with {0}://")]
    Scheme(&'static str),
    /// A user name or password.
    #[error("the URL has a user name or password in it: send credentials in a header instead")]
    Userinfo,
    /// A `#`.
    #[error("the URL has a fragment (#), which is never sent: remove it")]
    Fragment,
    /// A port that is not allowed.
    #[error("port {0} is not allowed: use 443 or 8443, or ask the operator to allow it")]
    Port(u16),
    /// A name without a dot or under a suffix for internal use.
    #[error("the host is an internal name: use a public one or ask the operator to allow it")]
    InternalName,
    /// An address that is not public.
    #[error("the address is {0}: use a public one or ask the operator to allow it")]
    Address(&'static str),
}

impl UrlRefusal {
    /// A stable code for programs, `url_*`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "url_empty",
            Self::TooLong => "url_too_long",
            Self::Characters(_) => "url_characters",
            Self::Malformed => "url_malformed",
            Self::Scheme(_) => "url_scheme",
            Self::Userinfo => "url_userinfo",
            Self::Fragment => "url_fragment",
            Self::Port(_) => "url_port",
            Self::InternalName => "url_internal_name",
            Self::Address(_) => "url_address",
        }
    }
}

impl EgressPolicy {
    /// Judges a URL by its text alone. Called on create, update, test, replay and every attempt.
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub fn vet_url(&self, text: &str) -> Result<VettedUrl, UrlRefusal> {
        vet_text(text)?;
        let url = ::url::Url::parse(text).map_err(|_| UrlRefusal::Malformed)?;
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" if self.http => Scheme::Http,
            _ if self.http => return Err(UrlRefusal::Scheme("https:// or http")),
            _ => return Err(UrlRefusal::Scheme("https")),
        };
        vet_authority_text(text)?;
        if url.fragment().is_some() {
            return Err(UrlRefusal::Fragment);
        }
        let host = self.vet_host(&url.host().ok_or(UrlRefusal::Malformed)?)?;
        let port = url.port_or_known_default().ok_or(UrlRefusal::Malformed)?;
        if !self.accepts_port(scheme, port) {
            return Err(UrlRefusal::Port(port));
        }
        Ok(assemble(&url, scheme, host, port))
    }

    fn vet_host(&self, host: &::url::Host<&str>) -> Result<Host, UrlRefusal> {
        let ip = match *host {
            ::url::Host::Domain(name) => return self.vet_name(name),
            ::url::Host::Ipv4(ip) => IpAddr::V4(ip),
            ::url::Host::Ipv6(ip) => IpAddr::V6(ip),
        };
        self.refuses(ip).map_or(Ok(Host::Address(ip)), |reason| Err(UrlRefusal::Address(reason)))
    }

    fn vet_name(&self, name: &str) -> Result<Host, UrlRefusal> {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.len() > HOST_BYTES_MAX || !name.split('.').all(is_label) {
            return Err(UrlRefusal::Malformed);
        }
        let allowed = if under_any(name, LOOPBACK_SUFFIXES) {
            self.allows_loopback()
        } else {
            let internal = !name.contains('.') || under_any(name, INTERNAL_SUFFIXES);
            !internal || self.allows_internal_names()
        };
        if allowed { Ok(Host::Name(name.to_owned())) } else { Err(UrlRefusal::InternalName) }
    }
}

fn vet_text(text: &str) -> Result<(), UrlRefusal> {
    if text.trim().is_empty() {
        return Err(UrlRefusal::Empty);
    }
    if text.len() > URL_BYTES_MAX {
        return Err(UrlRefusal::TooLong);
    }
    text.chars().find_map(suspicious).map_or(Ok(()), |what| Err(UrlRefusal::Characters(what)))
}

fn suspicious(c: char) -> Option<&'static str> {
    match c {
        '\\' => Some("backslash"),
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some("mark that changes the reading direction")
        }
        c if c.is_control() => Some("control character"),
        c if c.is_whitespace() => Some("blank"),
        _ => None,
    }
}

/// Judges what the parser would forgive: missing or extra slashes and an empty user name.
fn vet_authority_text(text: &str) -> Result<(), UrlRefusal> {
    let (_, rest) = text.split_once("://").ok_or(UrlRefusal::Malformed)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err(UrlRefusal::Malformed);
    }
    if authority.contains('@') {
        return Err(UrlRefusal::Userinfo);
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn under_any(name: &str, suffixes: &[&str]) -> bool {
    suffixes.iter().any(|suffix| {
        name.strip_suffix(suffix).is_some_and(|head| head.is_empty() || head.ends_with('.'))
    })
}

fn assemble(url: &::url::Url, scheme: Scheme, host: Host, port: u16) -> VettedUrl {
    let host_text = match &host {
        Host::Name(name) => name.clone(),
        Host::Address(IpAddr::V4(ip)) => ip.to_string(),
        Host::Address(IpAddr::V6(ip)) => format!("[{ip}]"),
    };
    let authority = match url.port() {
        Some(port) => format!("{host_text}:{port}"),
        None => host_text.clone(),
    };
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let origin = format!("{}://{host_text}:{port}", url.scheme());
    VettedUrl { scheme, host, port, authority, origin, target }
}
