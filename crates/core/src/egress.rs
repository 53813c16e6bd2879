//! Egress policy: which URLs and addresses Tidings may send requests to. Pure; nothing is resolved
//! or dialled here.
//!
//! Every URL that we are given passes [`EgressPolicy::vet_url`], every address that a name resolves
//! to passes [`EgressPolicy::vet_addresses`] immediately before it is dialled, at every attempt.

mod address;
mod failure;
mod url;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

pub use self::address::{AddressRefusal, forbidden};
pub use self::failure::FailureClass;
pub use self::url::{Host, Scheme, UrlRefusal, VettedUrl};

/// What may be reached. The default is [`EgressPolicy::public_only`]; every widening is explicit
/// configuration of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressPolicy {
    allowed: Vec<IpNet>,
    http: bool,
    ports: Ports,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Ports {
    Any,
    Listed(Vec<u16>),
}

impl Default for EgressPolicy {
    fn default() -> Self {
        Self::public_only()
    }
}

impl EgressPolicy {
    /// `https` to public addresses on ports 443 and 8443.
    pub fn public_only() -> Self {
        Self { allowed: Vec::new(), http: false, ports: Ports::Listed(vec![443, 8443]) }
    }

    /// For development on one machine: also loopback, `localhost`, `http` and any port.
    pub fn dev() -> Self {
        Self::public_only()
            .allow(IpNet::new_assert(Ipv4Addr::new(127, 0, 0, 0).into(), 8))
            .allow(IpNet::new_assert(Ipv6Addr::LOCALHOST.into(), 128))
            .allow_http(true)
            .allow_any_port(true)
    }

    /// For what the operator configured himself, such as a proxy: any address and port, `http` too.
    pub fn anywhere() -> Self {
        Self::dev()
            .allow(IpNet::V4(ipnet::Ipv4Net::default()))
            .allow(IpNet::V6(ipnet::Ipv6Net::default()))
    }

    /// Also allows the addresses of `net`, for receivers inside the operator's network. Internal
    /// names (`hooks.corp`, `receiver`) become acceptable too, as long as what they resolve to is;
    /// a loopback `net` does that for `localhost` only.
    #[must_use]
    pub fn allow(mut self, net: IpNet) -> Self {
        self.allowed.push(net);
        self
    }

    /// Whether `http` is accepted; it also opens port 80.
    #[must_use]
    pub fn allow_http(mut self, allowed: bool) -> Self {
        self.http = allowed;
        self
    }

    /// Whether any port but 0 is accepted; `false` goes back to 443 and 8443.
    #[must_use]
    pub fn allow_any_port(mut self, allowed: bool) -> Self {
        self.ports = if allowed { Ports::Any } else { Ports::Listed(vec![443, 8443]) };
        self
    }

    /// The only ports that are accepted.
    #[must_use]
    pub fn ports(mut self, ports: Vec<u16>) -> Self {
        self.ports = Ports::Listed(ports);
        self
    }

    /// Why `ip` must not be dialled under this policy; `None` when it may.
    pub fn refuses(&self, ip: IpAddr) -> Option<&'static str> {
        forbidden(ip).filter(|_| !self.allowed.iter().any(|net| net.contains(&ip)))
    }

    fn accepts_port(&self, scheme: Scheme, port: u16) -> bool {
        match &self.ports {
            Ports::Any => port != 0,
            Ports::Listed(ports) => ports.contains(&port) || (scheme == Scheme::Http && port == 80),
        }
    }

    fn allows_loopback(&self) -> bool {
        let loopback = [Ipv4Addr::LOCALHOST.into(), IpAddr::from(Ipv6Addr::LOCALHOST)];
        loopback.iter().any(|ip| self.allowed.iter().any(|net| net.contains(ip)))
    }

    fn allows_internal_names(&self) -> bool {
        self.allowed.iter().any(|net| !net.addr().is_loopback())
    }
}

#[cfg(test)]
mod tests;
