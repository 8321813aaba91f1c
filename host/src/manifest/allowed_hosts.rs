//! `allowed_outbound_hosts`: the hosts that a component may connect to, with Spin's syntax and meaning.

use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use ipnet::IpNet;
use url::Host;

/// `http://<component>.spin.internal` calls another component of the application.
const CHAINING_SUFFIX: &str = ".spin.internal";

/// The list of one component.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts(Vec<AllowedHost>);

/// One entry: `<scheme>://<host>[:<port>]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    /// None for `*`.
    scheme: Option<String>,
    host: HostPattern,
    port: PortPattern,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    Any,
    /// The domain, with a dot before it.
    AnySubdomain(String),
    /// The application itself, by relative URLs.
    ToSelf,
    Literal(Host),
    Network(IpNet),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PortPattern {
    Any,
    One(u16),
    Range(Range<u16>),
}

impl AllowedHosts {
    /// A list of entries.
    pub fn new(hosts: Vec<AllowedHost>) -> Self {
        Self(hosts)
    }

    /// The list of these entries, which must be valid.
    #[cfg(test)]
    pub fn of(entries: &[&str]) -> Self {
        let parse = |entry: &&str| AllowedHost::parse(entry).unwrap_or_else(|error| panic!("{entry}: {error:#}"));
        Self::new(entries.iter().map(parse).collect())
    }

    /// Whether the component may connect to `url`. `scheme` is for URLs without one. A URL that cannot be parsed is
    /// not allowed.
    pub fn allows(&self, url: &str, scheme: &str) -> bool {
        Destination::parse(url, scheme).is_ok_and(|to| self.0.iter().any(|host| host.allows(&to)))
    }

    /// Whether the component may call its own application with relative URLs.
    pub fn allows_self(&self) -> bool {
        self.0.iter().any(|allowed| {
            matches!(allowed.scheme.as_deref(), None | Some("http" | "https"))
                && matches!(allowed.host, HostPattern::Any | HostPattern::ToSelf)
        })
    }
}

impl AllowedHost {
    /// Parses an entry; the error is for the author of the manifest.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            bail!("{text:?} is not <scheme>://<host>[:<port>]; `*` means any, as in \"redis://*:*\"");
        };
        // The last colon separates a port, unless it belongs to an IPv6 address.
        let (host, port) = match rest.rsplit_once(':') {
            None => (rest, ""),
            Some((host, "")) => (host, ""),
            Some(_) if HostPattern::parse(rest).is_ok() => (rest, ""),
            Some((host, tail)) => match tail.split_once('/') {
                Some((port, "")) => (host, port),
                Some(_) => bail!("{text:?} has a path: remove it"),
                None => (host, tail),
            },
        };
        Ok(Self {
            port: PortPattern::parse(port, scheme).with_context(|| format!("invalid port {port:?} in {text:?}"))?,
            scheme: parse_scheme(scheme).with_context(|| format!("invalid scheme {scheme:?} in {text:?}"))?,
            host: HostPattern::parse(host).with_context(|| format!("invalid host {host:?} in {text:?}"))?,
        })
    }

    /// Replaces `http://*.spin.internal` by one entry for each of `components`.
    pub fn expand_chaining(self, components: &[&str]) -> Vec<Self> {
        match &self.host {
            HostPattern::AnySubdomain(suffix) if suffix == CHAINING_SUFFIX => components
                .iter()
                .map(|id| Host::Domain(format!("{id}{CHAINING_SUFFIX}")))
                .map(|host| Self { host: HostPattern::Literal(host), ..self.clone() })
                .collect(),
            _ => vec![self],
        }
    }

    fn allows(&self, to: &Destination) -> bool {
        self.scheme.as_ref().is_none_or(|scheme| *scheme == to.scheme)
            && self.host.allows(&to.host)
            && self.port.allows(to.port)
    }
}

fn parse_scheme(scheme: &str) -> Result<Option<String>> {
    if scheme == "*" {
        return Ok(None);
    }
    ensure!(!scheme.starts_with('{'), "lists of schemes are not supported: write one entry for each");
    ensure!(scheme.chars().all(char::is_alphabetic), "only letters are allowed");
    Ok(Some(scheme.to_owned()))
}

impl HostPattern {
    fn parse(host: &str) -> Result<Self> {
        let host = host.trim();
        match host {
            "*" => return Ok(Self::Any),
            "self" | "self.alt" => return Ok(Self::ToSelf),
            _ => {}
        }
        ensure!(!host.starts_with('{'), "lists of hosts are not supported: write one entry for each");
        if let Ok(network) = host.parse::<IpNet>() {
            return Ok(Self::Network(network.trunc()));
        }
        let host = host.strip_suffix('/').unwrap_or(host);
        ensure!(!host.contains('/'), "a path is not allowed");
        if let Some(domain) = host.strip_prefix("*.") {
            ensure!(!domain.contains('*'), "`*` is allowed only at the start");
            return match Host::parse(domain)? {
                Host::Domain(domain) => Ok(Self::AnySubdomain(format!(".{domain}"))),
                _ => bail!("only a domain is allowed after `*.`"),
            };
        }
        ensure!(!host.contains('*'), "`*` is allowed only as `*` or `*.<domain>`");
        Ok(Self::Literal(Host::parse(host)?))
    }

    fn allows(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Literal(literal), host) => literal == host,
            (Self::AnySubdomain(suffix), Host::Domain(domain)) => domain.ends_with(suffix.as_str()),
            (Self::Network(network), Host::Ipv4(ip)) => network.contains(&std::net::IpAddr::V4(*ip)),
            (Self::Network(network), Host::Ipv6(ip)) => network.contains(&std::net::IpAddr::V6(*ip)),
            _ => false,
        }
    }
}

impl PortPattern {
    fn parse(port: &str, scheme: &str) -> Result<Self> {
        if port.is_empty() {
            return well_known_port(scheme)
                .map(Self::One)
                .context("this scheme has no default port: add `:<port>`, or `:*` for all ports");
        }
        if port == "*" {
            return Ok(Self::Any);
        }
        ensure!(
            !port.starts_with('{'),
            "lists of ports are not supported: write one entry for each, or a range such as 8000..8010"
        );
        Ok(match port.split_once("..") {
            Some((start, end)) => Self::Range(start.parse()?..end.parse()?),
            None => Self::One(port.parse()?),
        })
    }

    fn allows(&self, port: Option<u16>) -> bool {
        match (self, port) {
            (Self::Any, _) => true,
            (_, None) => false,
            (Self::One(allowed), Some(port)) => *allowed == port,
            (Self::Range(range), Some(port)) => range.contains(&port),
        }
    }
}

fn well_known_port(scheme: &str) -> Option<u16> {
    Some(match scheme {
        "postgres" => 5432,
        "mysql" => 3306,
        "redis" => 6379,
        "mqtt" => 1883,
        "http" => 80,
        "https" => 443,
        _ => return None,
    })
}

/// Where a component wants to connect to.
struct Destination {
    scheme: String,
    host: Host,
    port: Option<u16>,
}

impl Destination {
    fn parse(url: &str, scheme: &str) -> Result<Self> {
        let parsed = match url::Url::parse(url) {
            Ok(parsed) if parsed.has_host() => parsed,
            _ => url::Url::parse(&format!("{scheme}://{url}"))?,
        };
        Ok(Self {
            // Parsed again: for schemes other than http and https, `Url` treats 127.0.0.1 as a name.
            host: Host::parse(parsed.host_str().context("no host")?)?,
            port: parsed.port().or_else(|| well_known_port(parsed.scheme())),
            scheme: parsed.scheme().to_owned(),
        })
    }
}

/// The component that `http://<component>.spin.internal` means.
pub fn chaining_target(host: &str) -> Option<&str> {
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let target = host.strip_suffix(CHAINING_SUFFIX)?;
    (!target.contains('.')).then_some(target)
}

#[cfg(test)]
#[path = "allowed_hosts_tests.rs"]
mod tests;
