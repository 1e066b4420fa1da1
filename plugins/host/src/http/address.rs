//! Which addresses a plugin's request may go to: those of the open internet. Everything else needs the operator's grant.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What the address is, if it is none of the open internet. Sources: the IANA registries of special-purpose addresses
/// (RFC 6890 and what has been added since), and for addresses within addresses the RFC named at each.
#[must_use]
pub fn closed(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => closed_v4(address),
        IpAddr::V6(address) => closed_v6(address),
    }
}

fn closed_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, d] = address.octets();
    Some(match (a, b, c, d) {
        (0, ..) => "an address of this network",
        (10, ..) | (172, 16..=31, ..) | (192, 168, ..) => "an address in a private network",
        (100, 64..=127, ..) => "an address shared by a provider's customers (CGNAT)",
        (127, ..) => "an address of this machine",
        (169, 254, ..) => "a link-local address",
        (192, 0, 0, _) => "an address for protocols",
        (192, 0, 2, _) | (198, 51, 100, _) | (203, 0, 113, _) => "an address for documentation",
        (192, 88, 99, _) => "a 6to4 relay",
        (198, 18..=19, ..) => "an address for benchmarks",
        (224..=239, ..) => "a multicast address",
        (255, 255, 255, 255) => "the broadcast address",
        (240..=255, ..) => "a reserved address",
        _ => return None,
    })
}

fn closed_v6(address: Ipv6Addr) -> Option<&'static str> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    Some(match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0) if g == 0 && h == 1 => "an address of this machine",
        (0, 0, 0, 0, 0, 0) if g == 0 && h == 0 => "an address of this network",
        // An IPv4 address in an IPv6 one is judged as what it is in the end, where the network would carry it: RFC 4291 2.5.5.
        (0, 0, 0, 0, 0, 0xffff) => return closed_v4(v4(g, h)).or(Some("an IPv4 address in an IPv6 one")),
        (0, 0, 0, 0, 0, 0) => "an IPv4 address in an IPv6 one",
        // RFC 2765.
        (0, 0, 0, 0, 0xffff, 0) => "an IPv4 address in an IPv6 one",
        // NAT64: RFC 6052; networks with IPv6 alone reach the rest of the internet through it.
        (0x64, 0xff9b, 0, 0, 0, 0) => return closed_v4(v4(g, h)),
        (0x64, 0xff9b, ..) => "an address for translation in a private network",
        (0x100, 0, 0, ..) => "an address that goes nowhere",
        // Teredo: RFC 4380. The IPv4 address in it is the far end of a tunnel.
        (0x2001, 0, ..) => "a Teredo address",
        (0x2001, 0xdb8, ..) | (0x3fff, 0..=0x0fff, ..) => "an address for documentation",
        (0x2001, 0x2, 0, ..) => "an address for benchmarks",
        (0x2001, 0x10..=0x2f, ..) => "an address for protocols (ORCHID)",
        (0x2001, 0..=0x1ff, ..) => "an address for protocols",
        // 6to4: RFC 3056.
        (0x2002, ..) => "a 6to4 address",
        (0x5f00, ..) => "an address for segment routing",
        (0xfc00..=0xfdff, ..) => "an address in a private network",
        (0xfe80..=0xfebf, ..) => "a link-local address",
        (0xfec0..=0xfeff, ..) => "a site-local address",
        (0xff00..=0xffff, ..) => "a multicast address",
        // Of the whole space only this eighth is in use.
        (0x2000..=0x3fff, ..) => return None,
        _ => "an address outside of the internet",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_open_internet_is_open() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
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
            "198.19.9.9",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:db8::1",
            "3fff::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
            "1::1",
        ] {
            assert!(closed(text.parse().unwrap()).is_some(), "{text} is open");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "193.0.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
            "2003::1",
            "64:ff9b::808:808",
        ] {
            assert_eq!(closed(text.parse().unwrap()), None, "{text}");
        }
    }
}
