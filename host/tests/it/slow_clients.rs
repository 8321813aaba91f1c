//! Clients that are slow or silent: each loses its own connection, and the others notice nothing.

use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::gate::{Gate, OPEN};
use crate::host::{DEADLINE, Host};
use crate::metrics::Measured;

/// The shortest timeouts that there are.
const SHORT: [&str; 8] =
    ["--header-timeout", "1s", "--keep-alive-timeout", "1s", "--body-timeout", "1s", "--write-timeout", "1s"];

/// The time of a header, in which also a slow machine connects and sends.
const SHORT_HEADER: [&str; 2] = ["--header-timeout", "3s"];

/// Connects and sends `bytes`.
async fn send(host: &Host, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = TcpStream::connect(host.authority()).await.expect("listens");
    stream.write_all(bytes.as_ref()).await.expect("sent");
    stream
}

/// What arrives until the host closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut rest)).await.expect("closed").expect("closed in order");
    String::from_utf8_lossy(&rest).into_owned()
}

async fn closed(measured: &Measured, reason: &str, expected: f64) {
    measured.wait_for("tumbler_host_connections_closed_total", &[("reason", reason)], expected).await;
}

/// Fails unless `response` is a complete problem document with `status`, and the last response.
#[track_caller]
fn assert_problem(response: &str, status: u16) {
    assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
    for field in ["connection: close", "content-type: application/problem+json", "cache-control: no-store", "date: "] {
        assert!(response.contains(&format!("\r\n{field}")), "no {field} in\n{response}");
    }
    let (header, body) = response.split_once("\r\n\r\n").expect("a header");
    assert!(header.contains(&format!("\r\ncontent-length: {}", body.len())), "{response}");
    let problem: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(problem["status"], status, "{response}");
}

#[tokio::test]
async fn a_silent_connection_and_an_idle_one_are_closed() {
    let measured = Measured::start(&[&SHORT_HEADER[..], &["--keep-alive-timeout", "1s"]].concat()).await;
    let mut silent = send(&measured.host, "").await;
    let mut idle = send(&measured.host, "GET /fixed HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(rest(&mut silent).await, "");
    let response = rest(&mut idle).await;
    assert!(response.ends_with("fixed") && !response.contains("connection: close"), "{response}");
    closed(&measured, "header_timeout", 1.0).await;
    closed(&measured, "keep_alive_timeout", 1.0).await;
}

#[tokio::test]
async fn a_header_that_does_not_end_is_408() {
    let measured = Measured::start(&SHORT_HEADER).await;
    let mut half = send(&measured.host, "GET /hello HTTP/1.1\r\nHos").await;
    let mut second = send(&measured.host, "GET /fixed HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut first_response = Vec::new();
    while !first_response.ends_with(b"fixed") {
        assert_ne!(second.read_buf(&mut first_response).await.expect("received"), 0);
    }
    second.write_all(b"G").await.expect("sent");
    assert_problem(&rest(&mut half).await, 408);
    assert_problem(&rest(&mut second).await, 408);
    closed(&measured, "header_timeout", 2.0).await;
    let none = [("component", "none"), ("status_class", "4xx")];
    assert_eq!(measured.figures().await.value("tumbler_host_requests_total", &none), 2.0);
}

#[tokio::test]
async fn a_header_that_arrives_byte_by_byte_has_no_more_time() {
    let host = Host::start(&SHORT_HEADER).await;
    let (mut read, mut write) = send(&host, "GET /hello HTTP/1.1\r\nX: ").await.into_split();
    let drip = async {
        // Ends when the host has closed the connection.
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let response = async {
        let mut response = vec![0; 4096];
        let length = timeout(DEADLINE, read.read(&mut response)).await.expect("a response").expect("received");
        String::from_utf8_lossy(&response[..length]).into_owned()
    };
    tokio::select! {
        () = drip => panic!("closed without a response"),
        response = response => assert_problem(&response, 408),
    }
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_408() {
    let measured = Measured::start(&["--body-timeout", "1s"]).await;
    // The first two are received by the host; the component waits for the others.
    let requests = [
        "Content-Length: 10\r\n\r\nx",
        "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        "Content-Length: 100000\r\n\r\nx",
        "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n",
    ];
    for (count, request) in (1..).zip(requests) {
        let request = format!("POST /length HTTP/1.1\r\nHost: a\r\n{request}");
        let response = rest(&mut send(&measured.host, request).await).await;
        let response = response.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&response);
        assert_problem(response, 408);
        closed(&measured, "body_timeout", f64::from(count)).await;
    }
    measured.host.get("/hello").await.assert_body("hello");
}

#[tokio::test]
async fn slow_short_bodies_take_no_places() {
    let limits = ["--max-instances", "1", "--max-instance-concurrent-reuse-count", "1"];
    let host = Host::start(&limits).await;
    let header = "POST /length HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 10\r\n\r\n1";
    let mut slow = join_all((0..100).map(|_| send(&host, header))).await;
    for _ in 0..20 {
        host.get("/hello").await.assert_body("hello");
    }
    slow[0].write_all(b"234567890").await.expect("sent");
    let response = rest(&mut slow[0]).await;
    assert!(response.starts_with("HTTP/1.1 200 ") && response.contains("\r\n10"), "{response}");
}

#[tokio::test]
async fn slow_long_bodies_take_half_of_the_places() {
    let limits = ["--max-instances", "2", "--max-instance-concurrent-reuse-count", "4"];
    let host = Host::start(&limits).await;
    let header = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n1";
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(send(&host, header).await);
    }
    // Four of eight places are for them. Without that limit, no place would be left for others.
    let mut refused = 0;
    while refused < 20 {
        let mut stream = send(&host, header).await;
        let mut response = [0; 4096];
        tokio::select! {
            biased;
            length = stream.read(&mut response) => {
                let length = length.expect("received");
                assert!(response[..length].starts_with(b"HTTP/1.1 503 "));
                refused += 1;
            }
            () = async { host.get("/hello").await.assert_body("hello") } => slow.push(stream),
        }
    }
    host.get("/hello").await.assert_body("hello");
}

#[tokio::test]
async fn a_response_that_nobody_reads_is_ended() {
    let limits = ["--max-instances", "1", "--max-instance-concurrent-reuse-count", "1"];
    let measured = Measured::start(&[&["--write-timeout", "1s"], &limits[..]].concat()).await;
    let unread = send(&measured.host, "GET /stream?pieces=100000000 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    closed(&measured, "write_timeout", 1.0).await;
    // The only place is free again.
    measured.host.get("/hello").await.assert_body("hello");
    drop(unread);
}

#[tokio::test]
async fn no_timeout_ends_what_a_component_waits_for() {
    let gate = Gate::start().await;
    let host = Host::start(&SHORT).await;
    let others = async {
        gate.wait_for(2).await;
        // Each of these takes as long as the timeouts.
        for _ in 0..3 {
            assert_eq!(rest(&mut send(&host, "").await).await, "");
        }
        gate.open();
    };
    let (fetch, stream) = (gate.through("/fetch?"), gate.through("/stream?pieces=2&"));
    let (waiting, streaming, ()) = tokio::join!(host.get(&fetch), host.get(&stream), others);
    waiting.assert_body(OPEN);
    streaming.assert_body("piece 0\npiece 1\n");
}

#[tokio::test]
async fn a_response_arrives_although_its_request_is_still_being_sent() {
    let host = Host::start(&[]).await;
    let body = vec![b'x'; 3_000_000];
    let header = format!("Host: a\r\nContent-Length: {}\r\n\r\n", body.len());
    // One is answered by the component, one by the host, and one by hyper.
    let too_long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(40_000));
    for (start, status) in [("GET /hello HTTP/1.1", 200), ("POST /fixed HTTP/1.1", 203), (&*too_long, 431)] {
        for _ in 0..10 {
            let mut stream = send(&host, format!("{start}\r\n{header}")).await;
            // As a simple client does: first the whole request, then the response.
            stream.write_all(&body).await.expect("the host reads");
            let response = rest(&mut stream).await;
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
            assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
        }
    }
}
