//! Which addresses are public. Start at [`is_public`].

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{outside::Outside, rules::Addresses};

/// Whether an address is one of the public internet: neither of this machine nor of its network, nor of any special use.
///
/// By the special-purpose registries of IANA (RFC 6890). Of IPv6 only `2000::/3` is public at all; addresses that carry an
/// IPv4 address (mapped, NAT64, 6to4) are as public as that.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // This network, this machine, private, link-local (cloud metadata lives there).
        [0 | 10 | 127, ..] | [169, 254, ..] | [192, 168, ..] => true,
        [172, b, ..] => b & 0xf0 == 16,
        // Shared by carriers; benchmarking.
        [100, b, ..] => b & 0xc0 == 64,
        [198, 18 | 19, ..] => true,
        // Protocol assignments, documentation, the retired 6to4 relay.
        [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [192, 88, 99, _] => true,
        // Multicast, reserved, broadcast.
        [a, ..] => a >= 224,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, .., g, h] = address.segments();
    let v4 = |high: u16, low: u16| is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    // NAT64: 64:ff9b::/96.
    if address.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return v4(g, h);
    }
    // 6to4: 2002::/16.
    if a == 0x2002 {
        return v4(b, c);
    }
    let special = match (a, b) {
        // Protocol assignments with Teredo, documentation.
        (0x2001, b) if b < 0x200 || b == 0xdb8 => true,
        (0x3fff, b) if b < 0x1000 => true,
        _ => false,
    };
    a & 0xe000 == 0x2000 && !special
}

/// Resolves names for the HTTP client and hands it only addresses that are allowed, so that what was checked is what is connected to.
pub(crate) struct CheckedResolver {
    pub(crate) outside: Arc<dyn Outside>,
    pub(crate) addresses: Addresses,
}

/// Found in the HTTP client's error.
#[derive(Debug, thiserror::Error)]
#[error("address {0} is not allowed")]
pub(crate) struct Forbidden(pub(crate) IpAddr);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = self.outside.lookup(name.as_str().to_owned());
        let addresses = self.addresses.clone();
        Box::pin(async move {
            let found = lookup.await?;
            let (allowed, forbidden): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|address| addresses.allows(*address));
            match (allowed.is_empty(), forbidden.first()) {
                (true, Some(&address)) => Err(Forbidden(address).into()),
                (true, None) => Err("the name has no address".into()),
                // Port 0: the client puts the URL's there.
                _ => Ok(Box::new(allowed.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:c0a8:101::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
            "5f00::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn their_neighbours_are() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2002:101:101::1",
            "2606:4700::1111",
            "3fff:1000::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}
