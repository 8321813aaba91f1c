//! From a server's URL to an entry of spin.toml's `allowed_outbound_hosts`.

use std::process::Command;

use anyhow::{Context, Result};

/// Adds the host options that set a server's URL and allow connections to it: `{name}_url` and `{name}_egress`.
///
/// # Errors
/// If `url` is not a URL of Redis or PostgreSQL.
pub fn add_variables(host: &mut Command, name: &str, url: &str) -> Result<()> {
    let egress = of(url).with_context(|| format!("{url} is not a URL of Redis or PostgreSQL"))?;
    host.args(["--variable", &format!("{name}_url={url}"), "--variable", &format!("{name}_egress={egress}")]);
    Ok(())
}

/// `scheme://host:port` of a URL, without user, password, path and query. Without a port, the default port of the
/// scheme. `None` if this is not a URL of Redis or PostgreSQL.
fn of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let default_port = match scheme {
        "redis" | "rediss" => 6379,
        "postgres" | "postgresql" => 5432,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next().filter(|host| !host.is_empty())?;
    // Colons in brackets are part of an IPv6 address.
    let has_port = host.rsplit(']').next()?.contains(':');
    Some(if has_port { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{default_port}") })
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn only_scheme_host_and_port_remain() {
        let cases = [
            ("redis://127.0.0.1:6380/0", "redis://127.0.0.1:6380"),
            ("redis://:secret@cache.internal", "redis://cache.internal:6379"),
            ("rediss://cache.internal", "rediss://cache.internal:6379"),
            ("postgres://u:p%40ss@db:1234/tumbler?sslmode=disable", "postgres://db:1234"),
            ("postgresql://u@[::1]/tumbler", "postgresql://[::1]:5432"),
            ("postgres://u@[::1]:5433/tumbler", "postgres://[::1]:5433"),
        ];
        for (url, egress) in cases {
            assert_eq!(of(url).as_deref(), Some(egress), "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for url in ["", "127.0.0.1:6379", "mysql://db", "redis://"] {
            assert_eq!(of(url), None, "{url}");
        }
    }
}
