//! Time limits in a connection address. They are set there because the host pools connections by address: a `SET` would
//! cost a round trip, and would stay in effect for the next user of the connection.
//!
//! Both forms of libpq are supported: a URL with parameters after `?`, and a list of `key=value` whose values may be
//! quoted with `'`. Limits that the address sets itself have priority.

use super::ssl_mode;

/// How long connecting may take, in seconds.
pub const CONNECT_TIMEOUT_S: u64 = 2;

/// How long a statement may run, in milliseconds.
pub const STATEMENT_TIMEOUT_MS: u64 = 5_000;

/// `address` with both limits, and with an `sslmode` that the hosts know.
pub(super) fn with_time_limits(address: &str) -> String {
    let is_url = address.starts_with("postgres://") || address.starts_with("postgresql://");
    let address = ssl_mode::known(address, is_url);
    if is_url { url(&address) } else { key_values(&address) }
}

fn url(address: &str) -> String {
    let setting = format!("-c%20statement_timeout%3D{STATEMENT_TIMEOUT_MS}");
    // A password may hold a bare `?`: parameters start at the first one after the credentials.
    let host = address.find('@').map_or(0, |at| at + 1);
    let mut result = address.to_owned();
    let Some(question_mark) = address[host..].find('?').map(|at| host + at) else {
        return format!("{address}?connect_timeout={CONNECT_TIMEOUT_S}&options={setting}");
    };
    let mut at = question_mark + 1;
    let (mut has_timeout, mut options) = (false, None);
    for parameter in address[at..].split('&') {
        has_timeout |= parameter.starts_with("connect_timeout=");
        if parameter.starts_with("options=") {
            options = Some(at + "options=".len());
        }
        at += parameter.len() + 1;
    }
    let separator = if result.ends_with(['?', '&']) { "" } else { "&" };
    match options {
        // Of several `-c` for one setting, the last one counts: so ours comes first.
        Some(at) => result.insert_str(at, &format!("{setting}%20")),
        None => result += &format!("{separator}options={setting}"),
    }
    if !has_timeout {
        result += &format!("&connect_timeout={CONNECT_TIMEOUT_S}");
    }
    result
}

fn key_values(address: &str) -> String {
    let mut result = address.to_owned();
    match value_of(address, "options") {
        Some(at) if address[at..].starts_with('\'') => {
            result.insert_str(at + 1, &format!("-c statement_timeout={STATEMENT_TIMEOUT_MS} "));
        }
        Some(at) => result.insert_str(at, &format!(r"-c\ statement_timeout={STATEMENT_TIMEOUT_MS}\ ")),
        None => result += &format!(" options='-c statement_timeout={STATEMENT_TIMEOUT_MS}'"),
    }
    if value_of(address, "connect_timeout").is_none() {
        result += &format!(" connect_timeout={CONNECT_TIMEOUT_S}");
    }
    result
}

/// Where the value of `wanted` starts in a list of `key=value`.
pub(super) fn value_of(address: &str, wanted: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    let mut key_start = Some(0);
    let mut found = None;
    for (at, character) in address.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' => quoted = !quoted,
            _ if quoted => {}
            '=' if key_start.is_some_and(|start| address[start..at].trim() == wanted) => {
                found = Some(at + 1 + address[at + 1..].len() - address[at + 1..].trim_start().len());
                key_start = None;
            }
            '=' => key_start = None,
            ' ' if key_start.is_none() && !address[..at].trim_end().ends_with('=') => key_start = Some(at),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio_postgres::Config;

    /// The options and the connect timeout that the client of Spin's host (and of ours) reads from the address.
    fn limits(address: &str) -> (String, u64) {
        let config: Config = with_time_limits(address).parse().expect(address);
        let connect = config.get_connect_timeout().copied().unwrap_or(Duration::ZERO);
        (config.get_options().unwrap_or_default().to_owned(), connect.as_secs())
    }

    #[test]
    fn limits_are_added_to_every_form() {
        for address in [
            "postgres://u:p@h/db",
            "postgresql://h",
            "postgres://u:p?x@h/db",
            "postgres://u:p@h/db?sslmode=disable",
            "postgres://u:p@h/db?",
            "host=h user=u dbname=db",
            "host=h password='options=no connect_timeout=9'",
            "host = h  user = u ",
            r"host=h password=it\'s",
        ] {
            assert_eq!(limits(address), ("-c statement_timeout=5000".to_owned(), 2), "{address}");
        }
    }

    #[test]
    fn the_rest_of_the_address_stays() {
        let config: Config = with_time_limits("postgres://u:p%40@h:6543/db?application_name=x").parse().unwrap();
        assert_eq!(config.get_user(), Some("u"));
        assert_eq!(config.get_password(), Some(&b"p@"[..]));
        assert_eq!(config.get_ports(), [6543]);
        assert_eq!(config.get_dbname(), Some("db"));
        assert_eq!(config.get_application_name(), Some("x"));
    }

    #[test]
    fn verified_tls_is_understood() {
        for address in ["postgres://h/db?sslmode=verify-full", "host=h sslmode=verify-full"] {
            let config: Config = with_time_limits(address).parse().expect(address);
            assert_eq!(config.get_ssl_mode(), tokio_postgres::config::SslMode::Require, "{address}");
        }
    }

    #[test]
    fn limits_in_the_address_have_priority() {
        let merged = "-c statement_timeout=5000 -c statement_timeout=9000";
        for address in [
            "postgres://h/db?connect_timeout=7&options=-c%20statement_timeout%3D9000",
            "postgres://h/db?options=-c%20statement_timeout%3D9000&connect_timeout=7",
            "host=h connect_timeout=7 options='-c statement_timeout=9000'",
            r"options=-c\ statement_timeout=9000 host=h connect_timeout=7",
            "options = '-c statement_timeout=9000' host=h connect_timeout = 7",
        ] {
            assert_eq!(limits(address), (merged.to_owned(), 7), "{address}");
        }
    }
}
