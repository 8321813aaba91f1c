//! Variables, environment, outgoing requests, other components.

use crate::host::Host;

#[tokio::test]
async fn variables_come_from_command_line_environment_and_default() {
    let host = Host::start(&[]).await;
    host.get("/variable?name=plain").await.assert_body("<by default>");
    host.get("/variable?name=needed").await.assert_body("given");
    let unknown = "Error::Undefined(\"no variable for \\\"probe\\\".\\\"nothing\\\"\")";
    host.get("/variable?name=nothing").await.assert_body(unknown);
    let invalid = host.get("/variable?name=Bad").await.body;
    assert!(invalid.starts_with("Error::InvalidName(\"\\\"Bad\\\": invalid character 'B'."), "{invalid}");

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("value");
    std::fs::write(&file, "from a file\n").expect("written");
    let variable = format!("plain=@{}", file.display());
    let host = Host::start(&["--variable", &variable]).await;
    host.get("/variable?name=plain").await.assert_body("<from a file\n>");
}

#[tokio::test]
async fn the_environment_comes_from_the_manifest_and_the_command_line() {
    let host = Host::start(&["--env", "GREETING=from the command line", "--env", "MORE=a=b"]).await;
    host.get("/environment?name=GREETING").await.assert_body("from the command line");
    host.get("/environment?name=KEPT").await.assert_body("kept");
    host.get("/environment?name=MORE").await.assert_body("a=b");
    // Components do not see the host's own environment.
    host.get("/environment?name=PATH").await.assert_body("");
}

#[tokio::test]
async fn only_allowed_hosts_are_reached() {
    let target = Host::start(&[]).await;
    let fetchable = format!("fetchable={}", target.authority());
    let host = Host::start(&["--variable", &fetchable]).await;
    host.get(&format!("/fetch?url={}/hello", target.url)).await.assert_body("200 OK\nhello");
    let through = host.get(&format!("/fetch?url={}/headers", target.url)).await.body;
    assert!(through.contains(&format!("host: {}", target.authority())), "{through}");
    for url in ["http://127.0.0.1:1/", "https://example.com/", "http://stranger.spin.internal/"] {
        host.get(&format!("/fetch?url={url}")).await.assert_body("ErrorCode::HttpRequestDenied");
    }
}

#[tokio::test]
async fn failures_to_connect_have_error_codes() {
    let host = Host::start(&[]).await;
    host.get("/fetch?url=http://127.0.0.1:1/").await.assert_body("ErrorCode::ConnectionRefused");
    let host = Host::start(&["--variable", "fetchable=nowhere.invalid"]).await;
    let response = host.get("/fetch?url=http://nowhere.invalid/").await.body;
    assert!(response.starts_with("ErrorCode::DnsError("), "{response}");
}

#[tokio::test]
async fn components_call_each_other_without_a_socket() {
    let host = Host::start(&[]).await;
    host.get("/fetch?url=http://other.spin.internal/environment?name=GREETING")
        .await
        .assert_body("200 OK\nfrom the other");
    let seen = host.get("/fetch?url=http://other.spin.internal/headers?x=1").await.body;
    for expected in [
        "GET http://other.spin.internal/headers?x=1",
        "spin-path-info: /headers",
        "spin-client-addr: 0.0.0.0:0",
        "spin-matched-route: /...",
        "spin-component-route: ",
    ] {
        assert!(seen.lines().any(|line| line == expected), "{expected:?} is not in\n{seen}");
    }
    assert!(!seen.contains("\nhost: "), "{seen}");
    let trapped = host.get("/fetch?url=http://other.spin.internal/trap").await.body;
    assert!(trapped.starts_with("500 Internal Server Error\n"), "{trapped}");
    // A private component has no route of its own.
    host.get("/environment?name=GREETING").await.assert_body("from the manifest");
}

#[tokio::test]
async fn a_component_reaches_its_own_application() {
    let host = Host::start(&[]).await;
    host.get("/fetch?url=http://self.alt/fixed").await.assert_body("203 Non Authoritative Information\nfixed");
}
