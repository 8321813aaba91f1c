//! Requests and answers: routes, header fields, bodies, framing.

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::program::Host;

#[tokio::test]
async fn components_see_spins_header_fields() {
    let host = Host::start(&[]);
    let fields = [("spin-full-url", "forged"), ("spin-path-match-x", "forged"), ("x-own", "own")];
    let answer = host.request(Method::GET, "/named/42/headers?a=1", &fields, "").await;
    let lines: Vec<&str> = answer.body.lines().collect();
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
        assert!(lines.contains(&expected.as_str()), "{expected} is not in\n{}", answer.body);
    }
    assert!(lines.iter().any(|line| line.starts_with("spin-client-addr: 127.0.0.1:")), "{}", answer.body);
    assert!(!answer.body.contains("forged"), "{}", answer.body);
}

#[tokio::test]
async fn what_needs_no_component() {
    let host = Host::start(&[]);
    host.get("/.well-known/spin/health").await.assert_body("OK");
    let info = host.get("/.well-known/spin/info").await;
    assert_eq!(info.headers["content-type"], "application/json");
    let info: serde_json::Value = serde_json::from_str(&info.body).expect("JSON");
    assert_eq!(info, serde_json::json!({ "name": "probe-app", "version": "1.2.3" }));
    host.get("/.well-known/spin/nothing").await.assert_problem(404);
    let fixed = host.get("/fixed").await;
    assert_eq!((fixed.status.as_u16(), fixed.body.as_str()), (203, "fixed"));
    assert_eq!(fixed.headers["x-fixed"], "yes");
}

#[tokio::test]
async fn a_path_without_route_is_a_problem() {
    let manifest = crate::program::MANIFEST.replace("route = \"/...\"", "route = \"/only/...\"");
    let host = Host::start_manifest(&manifest, &["--variable", "needed=x"]);
    host.get("/only/hello").await.assert_body("hello");
    let answer = host.get("/elsewhere").await;
    answer.assert_problem(404);
    assert!(answer.headers.contains_key("content-length"));
}

/// Sends `request` as it is and reads all that comes.
async fn raw(host: &Host, request: &str) -> String {
    let mut stream = TcpStream::connect(host.authority()).await.expect("listens");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("received");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_finished_body_has_a_length_and_a_slow_one_is_chunked() {
    let host = Host::start(&[]);
    let finished = host.get("/stream?pieces=3").await;
    finished.assert_body("piece 0\npiece 1\npiece 2\n");
    assert_eq!(finished.headers["content-length"], "24");
    let slow = host.get("/stream?pieces=3&pause-ms=30").await;
    slow.assert_body("piece 0\npiece 1\npiece 2\n");
    assert_eq!(slow.headers["transfer-encoding"], "chunked");
    let empty = host.get("/stream?pieces=0").await;
    assert_eq!(empty.headers["content-length"], "0");
}

#[tokio::test]
async fn head_has_no_body() {
    let host = Host::start(&[]);
    for path in ["/hello", "/stream?pieces=3", "/stream?pieces=3&pause-ms=30"] {
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = raw(&host, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        assert!(!answer.contains("piece"), "{answer}");
    }
}

#[tokio::test]
async fn requests_without_a_clear_authority_are_refused() {
    let host = Host::start(&[]);
    for request in [
        "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET http://a.example/hello HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n",
    ] {
        assert!(raw(&host, request).await.starts_with("HTTP/1.1 400 "), "{request}");
    }
}

#[tokio::test]
async fn bodies_go_in_whole() {
    let host = Host::start(&[]);
    let body = "x".repeat(3 << 20);
    host.request(Method::POST, "/length", &[], &body).await.assert_body(&body.len().to_string());
    host.request(Method::POST, "/length", &[], "").await.assert_body("0");
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let host = Host::start(&[]);
    let mut stream = TcpStream::connect(host.authority()).await.expect("listens");
    for _ in 0..300 {
        stream.write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
        let mut answer = Vec::new();
        // With its length as a rule; in chunks if a tick came between.
        while !answer.ends_with(b"hello") && !answer.ends_with(b"\r\n0\r\n\r\n") {
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).await.expect("received");
            assert_ne!(read, 0, "closed after {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&buffer[..read]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}
