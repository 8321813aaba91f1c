//! Whether a component may connect to a Redis address.

use redis::{ConnectionAddr, IntoConnectionInfo};

use crate::manifest::AllowedHosts;

/// Whether `allowed` permits the server at `address`. Both the text of the address and what the Redis client has parsed
/// must be permitted, because two parsers may disagree: in `redis://a#@b` the user is `a#` and the host `b`, or the
/// host is `a`. Sockets in the file system are not allowed.
pub fn is_allowed(allowed: &AllowedHosts, address: &str) -> bool {
    let Ok(info) = address.into_connection_info() else { return false };
    let (host, port) = match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => (host, port),
        _ => return false,
    };
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let scheme = address.split_once("://").map_or("redis", |(scheme, _)| scheme);
    allowed.allows(address, "redis") && allowed.allows(&format!("{scheme}://{host}:{port}"), "redis")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_that_the_client_connects_to_is_checked() {
        let allowed = AllowedHosts::of(&["redis://good.example", "redis://[::1]:7", "rediss://127.0.0.1:*"]);
        for good in [
            "redis://good.example",
            "redis://user:password@good.example:6379/3",
            "redis://good.example#@bad.example",
            "redis://[::1]:7",
            "rediss://127.0.0.1:6380",
        ] {
            assert!(is_allowed(&allowed, good), "{good}");
        }
        for bad in [
            "redis://bad.example#@good.example",
            "redis://bad.example:6379#@good.example:6379",
            "redis://bad.example?@good.example",
            "redis://good.example@bad.example",
            "redis://good.example:7",
            "redis://127.0.0.1:6380",
            "unix:///good.example",
            "good.example",
        ] {
            assert!(!is_allowed(&allowed, bad), "{bad}");
        }
        let any = AllowedHosts::of(&["*://*:*"]);
        assert!(!is_allowed(&any, "unix:///tmp/redis.sock") && is_allowed(&any, "redis://anywhere"));
    }
}
