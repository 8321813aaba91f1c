//! From a server's URL to an entry of spin.toml's `allowed_outbound_hosts`.

use std::process::Command;

use anyhow::{Context, Result};

use crate::variables;

/// Sets two variables for the host: the first to a server's URL, the second to the pattern that allows connections to
/// it. They are in the environment, because a URL can contain a password, and every user of this machine can read the
/// arguments of a process.
///
/// # Errors
/// If `url` is not a URL of Redis or PostgreSQL.
pub fn add_variables(host: &mut Command, (url_variable, egress_variable): (&str, &str), url: &str) -> Result<()> {
    let egress = of(url).with_context(|| format!("the value of {url_variable} is not a URL of Redis or PostgreSQL"))?;
    host.env(variables::environment(url_variable), url).env(variables::environment(egress_variable), egress);
    Ok(())
}

/// `scheme://host:port` of a URL, without user, password, path and query. Without a port, the default port of the
/// scheme. `None` if this is not a URL of Redis or PostgreSQL.
pub fn of(url: &str) -> Option<String> {
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
    use std::process::Command;

    use super::{add_variables, of};

    #[test]
    fn a_password_is_not_in_the_arguments() {
        let mut host = Command::new("host");
        add_variables(&mut host, ("redis_url", "redis_egress"), "redis://:5ec2e7@127.0.0.1:6380").unwrap();
        assert_eq!(host.get_args().count(), 0);
        let set: Vec<_> =
            host.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?))).collect();
        let egress = ("SPIN_VARIABLE_REDIS_EGRESS", "redis://127.0.0.1:6380");
        assert_eq!(set, [egress, ("SPIN_VARIABLE_REDIS_URL", "redis://:5ec2e7@127.0.0.1:6380")]);
        let refused = add_variables(&mut host, ("redis_url", "redis_egress"), "mysql://:5ec2e7@db").unwrap_err();
        assert!(!format!("{refused:#}").contains("5ec2e7"), "{refused:#}");
    }

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
