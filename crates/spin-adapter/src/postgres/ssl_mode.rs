//! `sslmode` in a connection address. The hosts' client knows `disable`, `prefer` and `require`, and with the last two
//! it always checks the certificate and its name. That is what libpq calls `verify-full`, so this means `require` here.

use super::address::value_of;

/// Modes of libpq that ask for no more than the hosts do with [`REQUIRE`].
const CHECKED: [&str; 2] = ["verify-full", "verify-ca"];
const REQUIRE: &str = "require";

/// `address`, with a mode that the hosts know.
pub(super) fn known(address: &str, is_url: bool) -> String {
    let start = if is_url { parameter(address) } else { value_of(address, "sslmode") };
    let Some(start) = start else { return address.to_owned() };
    let value = &address[start..];
    let mode = CHECKED.into_iter().find(|mode| {
        let rest = value.strip_prefix(mode);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['&', ' ']))
    });
    match mode {
        Some(mode) => format!("{}{REQUIRE}{}", &address[..start], &value[mode.len()..]),
        None => address.to_owned(),
    }
}

/// Where the value of the parameter `sslmode` of a URL starts.
fn parameter(url: &str) -> Option<usize> {
    const NAME: &str = "sslmode=";
    let found = url.match_indices(NAME).find(|(at, _)| url[..*at].ends_with(['?', '&']));
    found.map(|(at, _)| at + NAME.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verify_full_means_require() {
        for (address, expected) in [
            ("postgres://u:p@h/db?sslmode=verify-full", "postgres://u:p@h/db?sslmode=require"),
            ("postgres://h/db?a=b&sslmode=verify-ca&c=d", "postgres://h/db?a=b&sslmode=require&c=d"),
            ("postgres://h/db?sslmode=require", "postgres://h/db?sslmode=require"),
            ("postgres://h/db?sslmode=disable", "postgres://h/db?sslmode=disable"),
            ("postgres://h/db?sslmode=verify-fully", "postgres://h/db?sslmode=verify-fully"),
            ("postgres://h/db", "postgres://h/db"),
        ] {
            assert_eq!(known(address, true), expected);
        }
        for (address, expected) in [
            ("host=h sslmode=verify-full user=u", "host=h sslmode=require user=u"),
            ("host=h sslmode = verify-ca", "host=h sslmode = require"),
            ("host=h password='sslmode=verify-full'", "host=h password='sslmode=verify-full'"),
        ] {
            assert_eq!(known(address, false), expected);
        }
    }
}
