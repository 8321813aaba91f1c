//! `X-Forwarded-For`: it names the client only if `trusted_proxies` contains the sender.

use blackbox::{Api, App};

use super::{builder, remaining};

const QUOTA: u64 = 1_000;

async fn app(trusted: &str) -> App {
    builder(QUOTA).await.variable("trusted_proxies", trusted).spawn().await
}

/// How many requests the client with these fields has sent, this one included.
async fn count(api: &Api, forwarded: &[&str]) -> u64 {
    let request = api.get("/users");
    let request = forwarded.iter().fold(request, |request, value| request.header("x-forwarded-for", value));
    QUOTA - remaining(&request.await, "default")
}

#[tokio::test]
async fn nobody_is_trusted_by_default() {
    for trusted in ["", "10.0.0.0/8, 127.0.0.2, ::1"] {
        let app = app(trusted).await;
        for (number, forwarded) in (1..).zip(["203.0.113.1", "203.0.113.2", "127.0.0.2", ""]) {
            assert_eq!(count(&app, &[forwarded]).await, number, "{forwarded:?}");
        }
        assert_eq!(count(&app, &[]).await, 5);
    }
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client() {
    for trusted in ["127.0.0.0/8", "127.0.0.1", "10.0.0.0/8,127.0.0.1/32", " 192.0.2.7 , 127.0.0.0/8"] {
        let app = app(trusted).await;
        for number in 1..=3 {
            assert_eq!(count(&app, &["203.0.113.1"]).await, number, "{trusted:?}");
            assert_eq!(count(&app, &["203.0.113.2"]).await, number, "{trusted:?}");
        }
        // The proxy's own requests.
        assert_eq!(count(&app, &[]).await, 1, "{trusted:?}");
    }
    // Only this one.
    let app = app("127.0.0.2").await;
    let proxy = Api::from_address(&app.host.url(), "127.0.0.2");
    assert_eq!(count(&proxy, &["203.0.113.1"]).await, 1);
    assert_eq!(count(&proxy, &["203.0.113.2"]).await, 1);
    assert_eq!(count(&app, &["203.0.113.3"]).await, 1);
    assert_eq!(count(&app, &["203.0.113.4"]).await, 2);
}

#[tokio::test]
async fn of_a_chain_the_last_address_that_is_no_proxy_counts() {
    let app = app("127.0.0.0/8, 10.0.0.0/8, 2001:db8:aaaa::/48").await;
    let chains: [&[&str]; 9] = [
        &["203.0.113.1"],
        // What the client has made up is on the left.
        &["198.51.100.1, 203.0.113.1"],
        &["198.51.100.2,203.0.113.1"],
        &["unknown, 203.0.113.1"],
        &["10.0.0.9, 203.0.113.1"],
        &["203.0.113.1, 10.1.2.3"],
        &["203.0.113.1 , 10.1.2.3,\t10.9.9.9"],
        &["203.0.113.1, 2001:db8:aaaa::7, 127.0.0.9"],
        // Fields of the same name are one list.
        &["198.51.100.3, 203.0.113.1", "10.1.2.3"],
    ];
    for (number, chain) in (1..).zip(chains) {
        assert_eq!(count(&app, chain).await, number, "{chain:?}");
    }
    assert_eq!(count(&app, &["198.51.100.1"]).await, 1);
}

#[tokio::test]
async fn what_is_no_address_gives_no_quota() {
    let app = app("127.0.0.0/8").await;
    let mut counts = Vec::new();
    for forwarded in ["unknown", "_hidden", "203.0.113.1x", "300.1.1.1", "", ",", "a, b", "203.0.113.0/24"] {
        counts.push(count(&app, &[forwarded]).await);
    }
    counts.push(count(&app, &[]).await);
    assert_eq!(counts, (1..=9).collect::<Vec<_>>(), "all of them are the proxy's");
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_client() {
    let app = app("127.0.0.0/8").await;
    let same = ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:DB8:1:2:0::9"];
    for (number, address) in (1..).zip(same) {
        assert_eq!(count(&app, &[address]).await, number, "{address}");
    }
    assert_eq!(count(&app, &["2001:db8:1:3::1"]).await, 1);
    let keys = app.redis.keys().await;
    assert_eq!(keys.iter().filter(|key| key.starts_with("ratelimit")).count(), 2, "{keys:?}");
}
