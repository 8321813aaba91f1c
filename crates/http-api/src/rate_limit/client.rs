//! Who sends a request.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::HeaderMap;

use super::proxies::TrustedProxies;

/// The field with the address of the connection. The host sets it, and removes what a client sends in it.
const CLIENT_ADDR: &str = "spin-client-addr";
const FORWARDED_FOR: &str = "x-forwarded-for";
/// The part of an IPv6 address that a provider assigns to one customer, who is free to choose the rest.
const CUSTOMER_BITS: u32 = 64;

/// Who has a quota. Its text is the name of the client in the keys of counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// The user of a verified JSON Web Token: `sub:42`.
    User(i64),
    /// A program with a verified static token: `token:api` or `token:admin`.
    Token(&'static str),
    /// An address, if there is no token. IPv6 counts by its /64: `ip:192.0.2.1`, `ip:2001:db8::/64`.
    Address(IpAddr),
    /// The host gives no address. All such clients share a quota: `ip:unknown`.
    Unknown,
}

/// Who is at the other end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Another component of the application, by service chaining.
    Component,
    /// A client with this address, in canonical form.
    Address(IpAddr),
    /// The host gives no address.
    Unknown,
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "sub:{id}"),
            Self::Token(name) => write!(f, "token:{name}"),
            Self::Address(address) => match address.to_canonical() {
                IpAddr::V4(address) => write!(f, "ip:{address}"),
                IpAddr::V6(address) => {
                    let customer = u128::from(address) >> CUSTOMER_BITS << CUSTOMER_BITS;
                    write!(f, "ip:{}/{CUSTOMER_BITS}", Ipv6Addr::from(customer))
                }
            },
            Self::Unknown => f.write_str("ip:unknown"),
        }
    }
}

impl From<Peer> for Client {
    fn from(peer: Peer) -> Self {
        match peer {
            Peer::Address(address) => Self::Address(address),
            Peer::Component | Peer::Unknown => Self::Unknown,
        }
    }
}

impl Peer {
    /// Who sends a request with these header fields. If it is a trusted proxy, the right-most address in
    /// `X-Forwarded-For` counts that is not one: the part to the left of it may be forged.
    pub fn of(headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        let connected = headers.get(CLIENT_ADDR).and_then(|field| address(field.to_str().ok()?));
        match connected {
            // What hosts send for service chaining.
            Some(address) if address.is_unspecified() => Self::Component,
            Some(address) => Self::Address(forwarded_for(headers, address, trusted)),
            None => Self::Unknown,
        }
    }
}

/// The client behind `connected`, if that is a trusted proxy.
fn forwarded_for(headers: &HeaderMap, connected: IpAddr, trusted: &TrustedProxies) -> IpAddr {
    let mut client = connected;
    // Several fields mean the same as one with commas.
    let fields = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut hops = fields.flat_map(|field| field.as_bytes().rsplit(|byte| *byte == b','));
    while trusted.contains(client) {
        // Each proxy appends the address of its client. If that is not an address, only the proxy is known.
        match hops.next().and_then(|hop| address(str::from_utf8(hop).ok()?.trim())) {
            Some(before) => client = before,
            None => break,
        }
    }
    client
}

/// An address, also with a port or in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    text.parse().ok().or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn client(connected: &str, forwarded: &[&str], trusted: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(CLIENT_ADDR, HeaderValue::from_bytes(connected.as_bytes()).unwrap());
        for field in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(field.as_bytes()).unwrap());
        }
        match Peer::of(&headers, &trusted.parse().unwrap()) {
            Peer::Component => "component".to_owned(),
            peer => Client::from(peer).to_string(),
        }
    }

    #[test]
    fn the_host_says_who_has_connected() {
        for (connected, expected) in [
            ("192.0.2.1:54321", "ip:192.0.2.1"),
            ("192.0.2.1", "ip:192.0.2.1"),
            ("[2001:db8:1:2:3:4:5:6]:443", "ip:2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::", "ip:2001:db8:1:2::/64"),
            ("[2001:db8::1]", "ip:2001:db8::/64"),
            ("[::1]:80", "ip:::/64"),
            ("[fe80::1%3]:80", "ip:fe80::/64"),
            ("[::ffff:192.0.2.1]:80", "ip:192.0.2.1"),
            ("0.0.0.0:0", "component"),
            ("", "ip:unknown"),
            ("localhost:80", "ip:unknown"),
            ("192.0.2.1:99999", "ip:unknown"),
            ("192.0.2.256", "ip:unknown"),
            ("192.0.2.1, 192.0.2.2", "ip:unknown"),
            ("192.0.2.\u{e9}", "ip:unknown"),
        ] {
            assert_eq!(client(connected, &["198.51.100.7"], ""), expected, "{connected}");
        }
        assert_eq!(Peer::of(&HeaderMap::new(), &TrustedProxies::default()), Peer::Unknown);
    }

    #[test]
    fn only_what_trusted_proxies_have_added_is_believed() {
        const PROXY: &str = "10.0.0.1:4000";
        const TRUSTED: &str = "10.0.0.0/8, 2001:db8:ffff::/48";
        for (why, forwarded, expected) in [
            ("one proxy", &["192.0.2.1"][..], "ip:192.0.2.1"),
            ("a forged address to the left", &["203.0.113.9, 192.0.2.1"], "ip:192.0.2.1"),
            ("a forged trusted address to the left", &["10.9.9.9, 192.0.2.1"], "ip:192.0.2.1"),
            ("a forged chain to the left", &["203.0.113.9, 10.0.0.2, 192.0.2.1"], "ip:192.0.2.1"),
            ("several proxies", &["203.0.113.9, 192.0.2.1, 10.0.0.3,10.0.0.2"], "ip:192.0.2.1"),
            ("several fields", &["203.0.113.9", "192.0.2.1", "10.0.0.2"], "ip:192.0.2.1"),
            ("a forged field of its own", &["203.0.113.9", "192.0.2.1"], "ip:192.0.2.1"),
            ("proxies of both kinds", &["192.0.2.1, 2001:db8:ffff::2"], "ip:192.0.2.1"),
            ("a client in a trusted network", &["10.0.0.7"], "ip:10.0.0.7"),
            ("only trusted addresses", &["10.0.0.9, 10.0.0.8"], "ip:10.0.0.9"),
            ("with a port", &["192.0.2.1:5000"], "ip:192.0.2.1"),
            ("IPv6 with a port", &["[2001:db8:1:2:3::4]:5000"], "ip:2001:db8:1:2::/64"),
            ("IPv6 in brackets", &["[2001:db8:1:2:3::4]"], "ip:2001:db8:1:2::/64"),
            ("IPv4 in IPv6", &["::ffff:192.0.2.1"], "ip:192.0.2.1"),
            ("a proxy as IPv4 in IPv6", &["192.0.2.1, ::ffff:10.0.0.2"], "ip:192.0.2.1"),
            ("spaces and tabs", &["  203.0.113.9 ,\t192.0.2.1  "], "ip:192.0.2.1"),
            ("nothing", &[], "ip:10.0.0.1"),
            ("an empty field", &[""], "ip:10.0.0.1"),
            ("an empty element", &["192.0.2.1,"], "ip:10.0.0.1"),
            ("garbage", &["192.0.2.1, unknown"], "ip:10.0.0.1"),
            ("garbage behind a proxy", &["_hidden, 10.0.0.2"], "ip:10.0.0.2"),
            ("garbage to the left", &["'; DROP TABLE, 192.0.2.1"], "ip:192.0.2.1"),
            ("not ASCII", &["\u{e9}"], "ip:10.0.0.1"),
            ("leading zeros", &["010.0.0.9"], "ip:10.0.0.1"),
            ("a component", &["0.0.0.0"], "ip:0.0.0.0"),
        ] {
            assert_eq!(client(PROXY, forwarded, TRUSTED), expected, "{why}");
        }
        assert_eq!(client("192.0.2.1:4000", &["203.0.113.9"], TRUSTED), "ip:192.0.2.1", "the client is no proxy");
        assert_eq!(client(PROXY, &["203.0.113.9"], ""), "ip:10.0.0.1", "no proxy is trusted");
        assert_eq!(client("[::ffff:10.0.0.1]:4000", &["203.0.113.9"], TRUSTED), "ip:203.0.113.9");
        assert_eq!(client("0.0.0.0:0", &["203.0.113.9"], "0.0.0.0/0"), "component");
    }

    #[test]
    fn a_very_long_chain_is_read_only_as_far_as_it_is_trusted() {
        let forged = vec!["10.0.0.2"; 10_000].join(", ");
        assert_eq!(client("10.0.0.1:1", &[&forged, "192.0.2.1"], "10.0.0.0/8"), "ip:192.0.2.1");
    }

    #[test]
    fn users_and_programs_have_names_that_no_address_has() {
        assert_eq!(Client::User(42).to_string(), "sub:42");
        assert_eq!(Client::Token("api").to_string(), "token:api");
    }
}
