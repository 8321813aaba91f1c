//! Each rule of `allowed_outbound_hosts` by an example that is allowed and one that is not.

use super::*;

fn allowed(entries: &[&str]) -> AllowedHosts {
    AllowedHosts::of(entries)
}

#[test]
fn scheme_host_and_port_must_all_match() {
    let hosts = allowed(&["*://app.example:443", "http://example.com:8383", "redis://*:*"]);
    for (url, scheme, expected) in [
        ("http://example.com:8383/foo/bar", "http", true),
        ("example.com:8383", "http", true),
        ("https://app.example/", "https", true),
        ("app.example:443", "https", true),
        ("redis://anywhere:1", "redis", true),
        ("redis://anywhere", "redis", true),
        ("http://example.com/", "http", false),
        ("http://app.example", "http", false),
        ("http://other.example", "http", false),
        ("rediss://anywhere:1", "redis", false),
        ("http://[bad", "http", false),
    ] {
        assert_eq!(hosts.allows(url, scheme), expected, "{url}");
    }
}

#[test]
fn subdomains_networks_ranges_and_addresses() {
    let hosts = allowed(&["http://*.Example.com", "*://10.0.0.7/8:80", "http://[::1]:8000..8002", "tcp://127.0.0.1:7"]);
    for (url, scheme, expected) in [
        ("http://a.b.example.com/x", "http", true),
        ("http://10.9.9.9", "http", true),
        ("http://[::1]:8001", "http", true),
        ("127.0.0.1:7", "tcp", true),
        ("http://example.com", "http", false),
        ("http://myexample.com", "http", false),
        ("http://11.0.0.1", "http", false),
        ("http://[::1]:8002", "http", false),
        ("http://[::2]:8001", "http", false),
        ("127.0.0.1:8", "tcp", false),
    ] {
        assert_eq!(hosts.allows(url, scheme), expected, "{url}");
    }
}

#[test]
fn user_and_password_are_ignored() {
    let hosts = allowed(&["postgres://db.example"]);
    assert!(hosts.allows("postgres://user:pass%23word@db.example/app", "postgres"));
    // The host ends at `#`, `?` and `/`, whatever follows: here it is `other.example`.
    for end in ["#", "?", "/", ":5432#", ":5432?x="] {
        assert!(!hosts.allows(&format!("postgres://other.example{end}@db.example/app"), "postgres"), "{end}");
        assert!(!hosts.allows(&format!("other.example{end}@db.example"), "postgres"), "{end}");
    }
    assert!(hosts.allows("user:pa%23ss@db.example", "postgres"));
    assert!(!hosts.allows("postgres://db.example@other.example/app", "postgres"));
    let files = allowed(&["https://example.com"]);
    assert!(files.allows("https://example.com/file@0.1.0.json", "https"));
}

#[test]
fn self_and_service_chaining() {
    assert!(allowed(&["http://self"]).allows_self());
    assert!(allowed(&["*://*:*"]).allows_self());
    assert!(!allowed(&["redis://*:*", "http://example.com"]).allows_self());
    let wildcard = AllowedHost::parse("http://*.spin.internal").expect("valid").expand_chaining(&["users", "cache"]);
    let wildcard = AllowedHosts::new(wildcard);
    assert!(wildcard.allows("http://cache.spin.internal/x", "http"));
    assert!(!wildcard.allows("http://stranger.spin.internal/x", "http"));
    assert_eq!(chaining_target("cache.spin.internal"), Some("cache"));
    assert_eq!(chaining_target("cache.spin.internal:80"), Some("cache"));
    assert_eq!(chaining_target("a.cache.spin.internal"), None);
    assert_eq!(chaining_target("example.com"), None);
}

#[test]
fn invalid_entries_are_refused() {
    for bad in [
        "",
        "*",
        "example.com",
        "example.com:80",
        "http://example.com:port",
        "http://example.com:8080..70000",
        "http://*.example.com:8080/p",
        "http://example.com/a",
        "http://example.com//",
        "http://*.127.0.0.1",
        "http://a*.example.com",
        "http://{a,b}.example",
        "{http,https}://example.com",
        "tcp://example.com",
        "insecure:allow-all",
        "http://[::1",
        "*://127.0.0.0/24",
        "http://127.0.0.0/24/p",
    ] {
        assert!(AllowedHost::parse(bad).is_err(), "{bad:?}");
    }
    for good in ["http://example.com/", "http://example.com:80/", "http://ff00::/8", "http://[::1]", "*://*:*"] {
        assert!(AllowedHost::parse(good).is_ok(), "{good:?}");
    }
}
