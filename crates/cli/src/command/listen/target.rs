//! Where forwarded changes go.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use url::{Host, Url};

use crate::client::Client;
use crate::error::{Error, Result};

/// Where the servers of the usual frameworks listen while one develops.
const PORTS: [u16; 7] = [3000, 8000, 8080, 4000, 5000, 5173, 8888];
/// A port of this machine that does not answer within this time has no listener.
const LOOK: Duration = Duration::from_millis(250);

/// The target: the one that is given, else the first usual port on which something listens.
///
/// # Errors
/// Usage: it is no URL; it is on another machine and that was not allowed; nothing listens.
pub(super) async fn find(given: Option<&str>, allow_remote: bool, server: &Client) -> Result<Url> {
    if let Some(given) = given {
        return parse(given, allow_remote);
    }
    let server = &server.place().url;
    for port in PORTS {
        if server.port_or_known_default() == Some(port) && is_here(server) {
            continue;
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if let Ok(Ok(_)) = timeout(LOOK, TcpStream::connect(address)).await {
            return parse(&port.to_string(), false);
        }
    }
    let ports = PORTS.map(|port| port.to_string()).join(", ");
    Err(Error::Usage(format!(
        "nothing listens on this machine's ports {ports}: start your receiver, or give --forward-to URL"
    )))
}

fn parse(given: &str, allow_remote: bool) -> Result<Url> {
    let text = match given {
        port if port.parse::<u16>().is_ok() => format!("http://127.0.0.1:{port}/"),
        url if url.contains("://") => url.to_owned(),
        bare => format!("http://{bare}"),
    };
    let refuse = |why: &str| Error::Usage(format!("--forward-to {given}: {why}"));
    let url: Url = text.parse().map_err(|error| refuse(&format!("{error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse("give an http or https URL"));
    }
    if !allow_remote && !is_here(&url) {
        return Err(refuse(
            "this is another machine, which would receive your data: say --allow-remote if you mean it",
        ));
    }
    Ok(url)
}

/// Whether a URL leads to this machine, without asking anybody for a name.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_forwarded_to_unless_that_is_said() {
        for (given, wanted, remote) in [
            ("3000", "http://127.0.0.1:3000/", false),
            ("localhost:3000", "http://localhost:3000/", false),
            ("localhost:3000/hook?a=b", "http://localhost:3000/hook?a=b", false),
            ("http://[::1]:3000/x", "http://[::1]:3000/x", false),
            ("http://[::ffff:127.0.0.1]:3000/x", "http://[::ffff:7f00:1]:3000/x", false),
            ("https://app.localhost/x", "https://app.localhost/x", false),
            ("http://127.1:3000", "http://127.0.0.1:3000/", false),
            ("https://example.com/x", "https://example.com/x", true),
            ("http://localhost.example.com", "http://localhost.example.com/", true),
            ("http://10.0.0.1", "http://10.0.0.1/", true),
            ("http://0.0.0.0:3000", "http://0.0.0.0:3000/", true),
            ("http://[::ffff:10.0.0.1]", "http://[::ffff:a00:1]/", true),
        ] {
            let allowed = parse(given, true).unwrap();
            assert_eq!(allowed.as_str(), wanted, "{given}");
            assert_eq!(parse(given, false).is_err(), remote, "{given}");
        }
        for wrong in ["", "ftp://localhost", "http://"] {
            assert!(parse(wrong, true).is_err(), "{wrong}");
        }
    }
}
