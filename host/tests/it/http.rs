//! Requests and responses: routes, header fields, bodies.

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gate::Gate;
use crate::host::{Host, MANIFEST, read};
use crate::raw_http::raw;

#[tokio::test]
async fn components_see_spins_header_fields() {
    let host = Host::start(&[]).await;
    let fields = [("spin-full-url", "forged"), ("spin-path-match-x", "forged"), ("x-own", "own")];
    let response = host.request(Method::GET, "/named/42/headers?a=1", &fields, "").await;
    let lines: Vec<&str> = response.body.lines().collect();
    let url = &host.url;
    assert_eq!(lines[0], format!("GET {url}/named/42/headers?a=1"));
    for expected in [
        "spin-path-info: /headers".to_owned(),
        format!("spin-full-url: {url}/named/42/headers?a=1"),
        "spin-matched-route: /named/:user_id/...".to_owned(),
        "spin-raw-component-route: /named/:user_id/...".to_owned(),
        "spin-component-route: /named/:user_id".to_owned(),
        "spin-base-path: /".to_owned(),
        "spin-path-match-user-id: 42".to_owned(),
        format!("host: {}", host.authority()),
        "x-own: own".to_owned(),
    ] {
        assert!(lines.contains(&expected.as_str()), "{expected} is not in\n{}", response.body);
    }
    assert!(lines.iter().any(|line| line.starts_with("spin-client-addr: 127.0.0.1:")), "{}", response.body);
    assert!(!response.body.contains("forged"), "{}", response.body);
}

#[tokio::test]
async fn some_paths_need_no_component() {
    let host = Host::start(&[]).await;
    let health = host.get("/.well-known/spin/health").await;
    health.assert_body("OK");
    assert_eq!(health.headers["cache-control"], "no-store");
    let info = host.get("/.well-known/spin/info").await;
    assert_eq!(info.headers["content-type"], "application/json");
    assert_eq!(info.headers["cache-control"], "max-age=60");
    let info: serde_json::Value = serde_json::from_str(&info.body).expect("JSON");
    assert_eq!(info, serde_json::json!({ "name": "probe-app", "version": "1.2.3" }));
    host.get("/.well-known/spin/nothing").await.assert_problem(404);
    let fixed = host.get("/fixed").await;
    assert_eq!((fixed.status.as_u16(), fixed.body.as_str()), (203, "fixed"));
    assert_eq!(fixed.headers["x-fixed"], "yes");
}

#[tokio::test]
async fn a_path_without_route_is_a_problem() {
    let manifest = MANIFEST.replace("route = \"/...\"", "route = \"/only/...\"");
    let host = Host::start_manifest(&manifest, &[]).await;
    host.get("/only/hello").await.assert_body("hello");
    let response = host.get("/elsewhere").await;
    response.assert_problem(404);
    assert!(response.headers.contains_key("content-length"));
}

/// A complete body is sent with its length, unless the component was interrupted (by a tick of the engine, each 10 ms)
/// while it wrote the body: on a busy machine it takes several tries.
async fn assert_has_length(host: &Host, path: &str, length: &str) {
    for _ in 0..100 {
        if let Some(found) = host.get(path).await.headers.get("content-length") {
            assert_eq!(found, length);
            return;
        }
    }
    panic!("GET {path}: no response has a length");
}

#[tokio::test]
async fn a_complete_body_has_a_length() {
    let host = Host::start(&[]).await;
    host.get("/stream?pieces=3").await.assert_body("piece 0\npiece 1\npiece 2\n");
    assert_has_length(&host, "/stream?pieces=3", "24").await;
    assert_has_length(&host, "/stream?pieces=0", "0").await;
}

#[tokio::test]
async fn a_slow_body_is_chunked() {
    let gate = Gate::start().await;
    let host = Host::start(&[]).await;
    let response = host.get_header(&gate.through("/stream?pieces=3&")).await.expect("a header before the body");
    assert_eq!(response.headers()["transfer-encoding"], "chunked");
    gate.open();
    read(response).await.expect("a body").assert_body("piece 0\npiece 1\npiece 2\n");
}

#[tokio::test]
async fn head_has_no_body() {
    let host = Host::start(&[]).await;
    for path in ["/hello", "/stream?pieces=3", "/stream?pieces=3&ms=30"] {
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let response = raw(&host, &request).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
        assert!(response.ends_with("\r\n\r\n"), "{response}");
        assert!(!response.contains("piece"), "{response}");
    }
}

#[tokio::test]
async fn components_read_large_and_empty_bodies() {
    let host = Host::start(&[]).await;
    let body = "x".repeat(3 << 20);
    host.request(Method::POST, "/length", &[], &body).await.assert_body(&body.len().to_string());
    host.request(Method::POST, "/length", &[], "").await.assert_body("0");
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let host = Host::start(&[]).await;
    let mut stream = TcpStream::connect(host.authority()).await.expect("listens");
    for _ in 0..300 {
        stream.write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
        let mut response = Vec::new();
        // Usually with a length; chunked if the component was interrupted.
        while !response.ends_with(b"hello") && !response.ends_with(b"\r\n0\r\n\r\n") {
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).await.expect("received");
            assert_ne!(read, 0, "closed after {}", String::from_utf8_lossy(&response));
            response.extend_from_slice(&buffer[..read]);
        }
        assert!(response.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}
