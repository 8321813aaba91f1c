//! HTTP/1 byte by byte: what RFC 9110 and RFC 9112 ask of a server, for valid and for broken requests.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::host::{DEADLINE, Host, MANIFEST};

/// Sends `request` unchanged and reads until the connection is closed.
pub async fn raw(host: &Host, request: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(host.authority()).await.expect("listens");
    stream.write_all(request.as_ref()).await.expect("sent");
    let mut response = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut response)).await.expect("closed").expect("received");
    String::from_utf8_lossy(&response).into_owned()
}

/// Fails unless the host answers `request` with `status` and closes the connection. Errors must be problem documents
/// that no cache keeps.
#[track_caller]
fn assert_status(request: &str, response: &str, status: u16) {
    let context = format!("{request:?} was answered with\n{response}");
    assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{context}");
    assert!(response.contains("\r\nconnection: close\r\n"), "{context}");
    if status >= 400 {
        assert!(response.contains("\r\ncontent-type: application/problem+json\r\n"), "{context}");
        assert!(response.contains("\r\ncache-control: no-store\r\n"), "{context}");
        let (header, body) = response.split_once("\r\n\r\n").expect("a header");
        assert!(header.contains(&format!("\r\ncontent-length: {}", body.len())), "{context}");
        let problem: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(problem["status"], status, "{context}");
    }
}

async fn assert_all(requests: &[(&str, u16)]) {
    let host = Host::start(&[]).await;
    for (request, status) in requests {
        assert_status(request, &raw(&host, request).await, *status);
    }
    host.get("/hello").await.assert_body("hello");
}

#[tokio::test]
async fn the_host_field_must_be_one_host_and_port() {
    assert_all(&[
        ("GET /hello HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n", 200),
        ("GET /hello HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n", 200),
        ("GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\nHost: user@a\r\nConnection: close\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\nHost: a:abc\r\nConnection: close\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\nHost: probe.spin.internal\r\nConnection: close\r\n\r\n", 400),
    ])
    .await;
}

#[tokio::test]
async fn an_absolute_target_replaces_host() {
    let host = Host::start(&[]).await;
    let request = "GET http://a.example/headers HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n";
    let response = raw(&host, request).await;
    assert_status(request, &response, 200);
    assert!(response.contains("GET http://a.example/headers\n"), "{response}");
    assert!(response.contains("\nhost: a.example"), "{response}");
    assert!(!response.contains("b.example"), "{response}");
    for (target, status) in [
        ("https://a.example/hello", 421),
        ("http://user@a.example/hello", 400),
        ("http://other.spin.internal/hello", 400),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
        assert_status(&request, &raw(&host, &request).await, status);
    }
}

#[tokio::test]
async fn chunked_is_the_only_transfer_coding() {
    let after = "Connection: close\r\n\r\n1\r\na\r\n0\r\n\r\n";
    let host = Host::start(&[]).await;
    for (fields, status) in [
        ("Transfer-Encoding: chunked\r\n", 200),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 501),
        ("Transfer-Encoding: gzip\r\n", 400),
        ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 200),
        ("Content-Length: 1\r\nContent-Length: 2\r\n", 400),
    ] {
        let request = format!("POST /length HTTP/1.1\r\nHost: a\r\n{fields}{after}");
        assert_status(&request, &raw(&host, &request).await, status);
    }
    // Both fields: closed although the client did not ask for it (RFC 9112, section 6.3).
    let request =
        "POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n";
    assert_status(request, &raw(&host, request).await, 200);
    let old = "POST /length HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert!(raw(&host, old).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn methods_and_targets_that_the_host_answers() {
    assert_all(&[
        ("BREW /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 501),
        ("CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\nConnection: close\r\n\r\n", 501),
        ("GET /hello#part HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
        ("GET /h\u{e9}llo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
        ("GET /hello?a=\u{e9} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
        ("GET * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
        ("GET a.example:80 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400),
    ])
    .await;
    let host = Host::start(&[]).await;
    for field in ["Host:", "Host: a"] {
        let request = format!("OPTIONS * HTTP/1.1\r\n{field}\r\nConnection: close\r\n\r\n");
        let response = raw(&host, &request).await;
        assert_status(&request, &response, 200);
        assert!(response.contains("\r\nallow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\r\n"), "{response}");
        assert!(response.contains("\r\ncontent-length: 0\r\n"), "{response}");
    }
}

#[tokio::test]
async fn versions() {
    let host = Host::start(&[]).await;
    let newer = "GET /headers HTTP/1.2\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_status(newer, &raw(&host, newer).await, 200);
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/3.1"] {
        let request = format!("GET /hello {version}\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert_status(&request, &raw(&host, &request).await, 505);
    }
    for version in ["http/1.1", "HTTP/1", "HTTP/1.1.1"] {
        let request = format!("GET /hello {version}\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert_status(&request, &raw(&host, &request).await, 400);
    }
    let response = raw(&host, "GET /headers HTTP/1.0\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.0 200 "), "{response}");
    assert!(response.contains(&format!("GET {}/headers\n", host.url)), "{response}");
}

#[tokio::test]
async fn a_request_is_checked_anew_on_a_used_connection() {
    let host = Host::start(&[]).await;
    let mut stream = TcpStream::connect(host.authority()).await.expect("listens");
    for _ in 0..3 {
        stream.write_all(b"GET /fixed HTTP/1.2\r\nHost: a\r\n\r\n").await.expect("sent");
        let mut response = Vec::new();
        while !response.ends_with(b"fixed") {
            assert_ne!(stream.read_buf(&mut response).await.expect("received"), 0, "closed");
        }
        assert!(response.starts_with(b"HTTP/1.1 203 "));
    }
    stream.write_all(b"GET /fixed HTTP/2.0\r\nHost: a\r\n\r\n").await.expect("sent");
    let mut response = String::new();
    stream.read_to_string(&mut response).await.expect("received");
    assert_status("the fourth", &response, 505);
}

#[tokio::test]
async fn a_body_that_looks_like_a_request_arrives_unchanged() {
    let host = Host::start(&[]).await;
    let body = "GET /#a HTTP/1.2\r\n".repeat(100);
    let mut stream = TcpStream::connect(host.authority()).await.expect("listens");
    for _ in 0..2 {
        let header = format!("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(header.as_bytes()).await.expect("sent");
        stream.write_all(body.as_bytes()).await.expect("sent");
        let mut response = Vec::new();
        while !response.ends_with(b"1800") {
            assert_ne!(stream.read_buf(&mut response).await.expect("received"), 0, "closed");
        }
        assert!(response.starts_with(b"HTTP/1.1 200 "));
    }
}

#[tokio::test]
async fn what_hyper_refuses_is_a_problem() {
    assert_all(&[
        ("nonsense\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
        ("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", 400),
        ("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na", 400),
    ])
    .await;
}

#[tokio::test]
async fn headers_have_a_limit() {
    let host = Host::start(&[]).await;
    let long = "x".repeat(31 << 10);
    let request = format!("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: {long}\r\n\r\n");
    assert_status("31 KiB of fields", &raw(&host, &request).await, 200);
    // Without the end of the header: the host must answer before it, and reads no more.
    let long = "x".repeat(32 << 10);
    let request = format!("GET /hello HTTP/1.1\r\nHost: a\r\nX: {long}");
    assert_status("32 KiB of fields", &raw(&host, &request[..32 << 10]).await, 431);
    let request = format!("GET /{long}");
    assert_status("32 KiB of target", &raw(&host, &request[..32 << 10]).await, 414);
    let many = "X: y\r\n".repeat(101);
    let request = format!("GET /hello HTTP/1.1\r\nHost: a\r\n{many}\r\n");
    assert_status("many fields", &raw(&host, &request).await, 431);
}

#[tokio::test]
async fn a_broken_body_is_a_problem_of_the_host() {
    let host = Host::start(&[]).await;
    for chunks in ["x\r\n", "1\r\nab\r\n0\r\n\r\n", "1\nab\r\n", "ffffffffffffffffff\r\na", "1 1\r\n"] {
        let request = format!("POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_status(&request, &raw(&host, &request).await, 400);
    }
    // The client sends less than it announced, and ends its side of the connection.
    let mut stream = TcpStream::connect(host.authority()).await.expect("listens");
    let request = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc";
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream.shutdown().await.expect("ended");
    let mut response = String::new();
    stream.read_to_string(&mut response).await.expect("received");
    assert_status(request, &response, 400);
}

#[tokio::test]
async fn the_host_says_that_it_closes_after_an_unread_body() {
    let manifest = MANIFEST.replace("route = \"/...\"", "route = \"/only/...\"");
    let host = Host::start_manifest(&manifest, &[]).await;
    for (path, status) in [("/only/hello", 200), ("/elsewhere", 404), ("/fixed", 203)] {
        // The rest never arrives: the host cannot wait for it.
        let request = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc");
        assert_status(&request, &raw(&host, &request).await, status);
        let request = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n");
        assert_status(&request, &raw(&host, &request).await, status);
    }
}

#[tokio::test]
async fn an_unread_body_that_has_arrived_does_not_close_the_connection() {
    let manifest = MANIFEST.replace("route = \"/...\"", "route = \"/only/...\"");
    let host = Host::start_manifest(&manifest, &[]).await;
    let mut stream = TcpStream::connect(host.authority()).await.expect("listens");
    for path in ["/elsewhere", "/fixed", "/elsewhere"] {
        let request = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut response = Vec::new();
        while !response.ends_with(b"}") && !response.ends_with(b"fixed") {
            assert_ne!(stream.read_buf(&mut response).await.expect("received"), 0, "closed");
        }
        let text = String::from_utf8_lossy(&response);
        assert!(!text.contains("connection: close"), "{text}");
    }
}
