//! Header fields that say where a request comes from.

use axum::http::{HeaderMap, HeaderValue};
use http_api::rate_limit::{Client, Peer, TrustedProxies};
use telemetry::TraceContext;

/// Without trusted proxies only the host's field counts. With some, the client is one of the addresses that were sent.
/// Its name is short.
pub fn forwarded_for(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(4) {
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        headers.append("x-forwarded-for", value);
    }
    headers.insert("spin-client-addr", HeaderValue::from_static("10.0.0.1:7"));
    let name = |trusted: &str| {
        let trusted: TrustedProxies = trusted.parse().expect("valid");
        Client::from(Peer::of(&headers, &trusted)).to_string()
    };
    assert_eq!(name(""), "ip:10.0.0.1");
    let behind = name("10.0.0.0/8, ::1");
    assert!(behind.starts_with("ip:") && behind.len() <= 64, "{behind}");
    // An address that a client wrote itself, to the left of one that a trusted proxy saw, does not count.
    let mut appended = headers.clone();
    appended.append("x-forwarded-for", HeaderValue::from_static("192.0.2.9"));
    let trusted: TrustedProxies = "10.0.0.0/8".parse().expect("valid");
    assert_eq!(Client::from(Peer::of(&appended, &trusted)).to_string(), "ip:192.0.2.9");
}

/// What is continued keeps its trace, and can be continued again.
pub fn traceparent(bytes: &[u8]) {
    let Some(context) = TraceContext::continuing(bytes) else { return };
    let (id, written) = (context.trace_id().to_string(), context.to_string());
    assert_eq!(&bytes[3..35], id.as_bytes());
    let again = TraceContext::continuing(written.as_bytes()).expect("our own is valid");
    assert_eq!((written.len(), again.trace_id().to_string()), (55, id));
}
