//! Reverse proxies whose `X-Forwarded-For` is trusted.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// The bits before the IPv4 address in an IPv4-mapped IPv6 address.
const MAPPED_BITS: u8 = 96;

/// Addresses and networks of trusted reverse proxies. Its text is a list with commas: `10.0.0.0/8, 2001:db8::1`; empty:
/// no proxy is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// A text that is not a list of addresses or networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a list of addresses or networks like 10.0.0.0/8, 2001:db8::1")]
pub struct InvalidProxies;

impl TrustedProxies {
    /// Whether no proxy is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the proxy with this address is trusted.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = InvalidProxies;

    fn from_str(list: &str) -> Result<Self, InvalidProxies> {
        let entries = list.split(',').map(str::trim).filter(|_| !list.trim().is_empty());
        entries.map(|entry| network(entry).ok_or(InvalidProxies)).collect::<Result<_, _>>().map(Self)
    }
}

/// An address is a network of its own. IPv4-mapped IPv6 addresses count as IPv4, as in [`TrustedProxies::contains`].
fn network(entry: &str) -> Option<IpNet> {
    let network = match entry.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => entry.parse().ok()?,
    };
    match (network.addr().to_canonical(), network.prefix_len().checked_sub(MAPPED_BITS)) {
        (address @ IpAddr::V4(_), Some(bits)) if network.addr().is_ipv6() => IpNet::new(address, bits).ok(),
        _ => Some(network),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(list: &str) -> TrustedProxies {
        list.parse().unwrap()
    }

    #[test]
    fn addresses_and_networks_of_both_kinds_are_trusted() {
        for (list, trusted, others) in [
            ("", "", "0.0.0.0 ::"),
            (" ", "", "10.0.0.1"),
            ("10.0.0.1", "10.0.0.1 ::ffff:10.0.0.1", "10.0.0.2 ::10.0.0.1"),
            ("10.1.2.3/8,2001:db8::/32", "10.255.0.1 2001:db8:1::1", "11.0.0.1 2001:db9::1 ::a00:1"),
            (" 10.0.0.1 , ::1 ", "10.0.0.1 ::1", "127.0.0.1"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("::ffff:10.0.0.0/104", "10.9.9.9 ::ffff:10.0.0.1", "11.0.0.1"),
            ("0.0.0.0/0", "1.2.3.4 ::ffff:1.2.3.4", "2001:db8::1"),
        ] {
            let proxies = proxies(list);
            for address in trusted.split_whitespace() {
                assert!(proxies.contains(address.parse().unwrap()), "{list} has {address}");
            }
            for address in others.split_whitespace() {
                assert!(!proxies.contains(address.parse().unwrap()), "{list} does not have {address}");
            }
        }
        assert!(proxies("").is_empty() && !proxies("::1").is_empty());
    }

    #[test]
    fn other_texts_are_refused() {
        for list in [
            ",",
            "10.0.0.1,",
            "10.0.0.1;10.0.0.2",
            "10.0.0.1 10.0.0.2",
            "10.0.0",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "*",
            "localhost",
            "10.0.0.1:80",
            "[::1]",
            "010.0.0.1",
        ] {
            assert_eq!(list.parse::<TrustedProxies>(), Err(InvalidProxies), "{list:?}");
        }
    }
}
