//! Which addresses are dangerous to dial.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::EgressPolicy;
use crate::limits::DNS_ANSWERS_MAX;

/// Why the addresses of a name were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefusal {
    /// The name has no address.
    #[error("the host name has no address: check the name in the URL")]
    Empty,
    /// One of the addresses is forbidden, which refuses all of them: which one is dialled must not
    /// be up to the name server.
    #[error("the address {ip} is {reason}: use a public address or ask the operator to allow it")]
    Forbidden {
        /// The address.
        ip: IpAddr,
        /// What it is, such as `a loopback address`.
        reason: &'static str,
    },
}

impl EgressPolicy {
    /// The addresses to dial, in the given order, at most [`DNS_ANSWERS_MAX`] of them.
    ///
    /// # Errors
    /// No address at all, or a forbidden one anywhere in `answers`, also beyond the cap.
    pub fn vet_addresses(&self, answers: &[IpAddr]) -> Result<Vec<IpAddr>, AddressRefusal> {
        for &ip in answers {
            if let Some(reason) = self.refuses(ip) {
                return Err(AddressRefusal::Forbidden { ip, reason });
            }
        }
        if answers.is_empty() {
            return Err(AddressRefusal::Empty);
        }
        Ok(answers.iter().copied().take(DNS_ANSWERS_MAX).collect())
    }
}

/// What makes `ip` no public address, in words that complete "the address is …"; `None` when it is
/// one. Follows the IANA special-purpose registries, refusing by default what is not allocated.
pub fn forbidden(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => forbidden_v4(ip),
        IpAddr::V6(ip) => forbidden_v6(ip),
    }
}

fn forbidden_v4(ip: Ipv4Addr) -> Option<&'static str> {
    Some(match ip.octets() {
        [0, ..] => "unspecified (0.0.0.0/8)",
        [10, ..] | [192, 168, ..] => "a private address",
        [172, b, ..] if b & 0xf0 == 16 => "a private address",
        [100, b, ..] if b & 0xc0 == 64 => "a carrier-grade NAT address",
        [127, ..] => "a loopback address",
        [169, 254, ..] => "a link-local address",
        [168, 63, 129, 16] => "a cloud platform address",
        [192, 0, 0, _] => "reserved for protocols",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "a documentation address",
        [192, 88, 99, _] => "a 6to4 relay address",
        [198, 18 | 19, ..] => "a benchmarking address",
        [224..=239, ..] => "a multicast address",
        [240..=255, ..] => "a reserved or broadcast address",
        _ => return None,
    })
}

/// Only 2000::/3 is global unicast; within it a few blocks are not. Of the rest only NAT64
/// (RFC 6052) is unwrapped, because networks with DNS64 reach all of IPv4 through it.
fn forbidden_v6(ip: Ipv6Addr) -> Option<&'static str> {
    let segments = ip.segments();
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [.., a, b, c, d] = ip.octets();
        return forbidden_v4(Ipv4Addr::new(a, b, c, d));
    }
    Some(match segments {
        _ if ip.is_loopback() => "a loopback address",
        _ if ip.is_unspecified() => "unspecified (::)",
        [0xfe80..=0xfebf, ..] => "a link-local address",
        [0xfc00..=0xfdff, ..] => "a private address",
        [0xff00..=0xffff, ..] => "a multicast address",
        [first, ..] if first & 0xe000 != 0x2000 => "outside the public range 2000::/3",
        [0x2001, second, ..] if second < 0x200 => "reserved for protocols (2001::/23)",
        [0x2001, 0xdb8, ..] => "a documentation address",
        [0x2002, ..] => "a 6to4 address",
        [0x3fff, second, ..] if second < 0x1000 => "a documentation address",
        _ => return None,
    })
}
