//! Many large requests and responses at once. Each is served or refused for lack of memory, and together they never use
//! more memory than the host allows an instance (1 GiB): beyond that the host ends the instance with all its requests.

use std::time::{Duration, Instant};

use blackbox::{Api, App, Origin, Response, until};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::VALUE_MAX;

/// Large values in the body of one `mset`.
const AT_ONCE: usize = 15;
/// The largest reply of Redis that the host passes on.
const REPLY_MAX: usize = 128 * 1024 * 1024;

/// An application with the key `small`, whose Redis evicts nothing.
async fn app() -> App {
    let app = App::spawn().await;
    app.redis.run(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert_eq!(app.put("/api/cache/small?ttl=1000").json(json!(1)).await.status(), 200);
    app
}

/// The body of an `mset` of large values `large:{first}`, `large:{first + 1}`, ...
fn large_values(first: usize) -> Value {
    let value = json!("x".repeat(VALUE_MAX - 2));
    let entries = (first..first + AT_ONCE).map(|number| (format!("large:{number}"), value.clone()));
    json!({"entries": entries.collect::<Map<_, _>>(), "ttl": 1000})
}

/// Stores at least `large:0` to `large:{count - 1}`.
async fn given_large_values(app: &App, count: usize) {
    for first in (0..count).step_by(AT_ONCE) {
        let stored = app.post("/api/cache/mset").json(large_values(first)).await;
        assert_eq!(stored.expect_ok(), json!({"stored": AT_ONCE}));
    }
}

fn keys(count: usize) -> Value {
    json!({"keys": (0..count).map(|number| format!("large:{number}")).collect::<Vec<_>>()})
}

/// Small requests are served. Those for many keys share a connection with the large ones: they are served when Redis
/// has sent what is ahead of them, and refused before that on a slow machine.
async fn expect_unharmed(api: &Api) {
    let response = api.get("/api/cache/small").await;
    assert_eq!(response.expect_ok()["value"], 1);
    served(api, "/api/cache/mget", json!({"keys": ["small"]}), json!({"entries": {"small": 1}, "missing": []})).await;
    let small = json!({"entries": {"small": 1}, "ttl": 1000});
    served(api, "/api/cache/mset", small, json!({"stored": 1})).await;
}

/// The request is served with `expected` in the end. If it is refused, the response says when to try again.
async fn served(api: &Api, path: &str, body: Value, expected: Value) {
    let is_served = async || {
        let response = api.post(path).json(body.clone()).await;
        is_served(&response) && response.expect_ok() == expected
    };
    until("a small request is served", is_served).await;
}

/// Whether the request was served. If not, the response says when to try again.
fn is_served(response: &Response) -> bool {
    if response.status() == 200 {
        return true;
    }
    response.expect_unavailable();
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_responses_at_once_end_no_instance() {
    const KEYS: usize = 240;
    const MGETS: usize = 8;
    let app = app().await;
    given_large_values(&app, KEYS).await;
    let length: usize = (0..KEYS).map(|number| format!(r#""large:{number}":,"#).len() + VALUE_MAX).sum();
    let mut mgets = JoinSet::new();
    for _ in 0..MGETS {
        let api = app.api.clone();
        mgets.spawn(async move { api.post("/api/cache/mget").json(keys(KEYS)).await });
    }
    let mut msets = JoinSet::new();
    for first in 0..MGETS {
        let api = app.api.clone();
        msets.spawn(async move { api.post("/api/cache/mset").json(large_values(first * AT_ONCE)).await });
    }
    let mut served = 0;
    while let Some(response) = mgets.join_next().await {
        let response = response.unwrap();
        if is_served(&response) {
            assert_eq!(response.text().len(), length - 1 + r#"{"entries":{},"missing":[]}"#.len());
            served += 1;
        }
        expect_unharmed(&app).await;
    }
    println!("{served} of {MGETS} responses of {} MiB", length / 1024 / 1024);
    for response in msets.join_all().await {
        is_served(&response);
    }
    // On a slow machine Redis may take too long for all of them. One alone is served.
    let alone = async || is_served(&app.post("/api/cache/mget").json(keys(KEYS)).await);
    until("a large request alone is served", alone).await;
}

#[tokio::test]
async fn responses_that_nobody_reads_end_no_instance() {
    const KEYS: usize = 60;
    const CLIENTS: usize = 100;
    let app = app().await;
    given_large_values(&app, KEYS).await;
    let body = keys(KEYS).to_string();
    let head = "POST /api/cache/mget HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length:";
    let mut clients = Vec::new();
    let mut refused = 0;
    for _ in 0..CLIENTS {
        let mut client = TcpStream::connect(app.host.address()).await.unwrap();
        client.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
        let mut status = [0; "HTTP/1.1 200".len()];
        client.read_exact(&mut status).await.unwrap();
        match &status[9..] {
            b"200" => clients.push(client),
            b"503" => refused += 1,
            other => panic!("{:?} after {} responses", str::from_utf8(other), clients.len()),
        }
        expect_unharmed(&app).await;
        if refused > 2 {
            break;
        }
    }
    println!("{} responses of {} MiB that nobody reads; then {refused} refused", clients.len(), KEYS / 2);
    assert!(clients.len() > 2, "too few were served");
    // When they disconnect, their memory is free again.
    drop(clients);
    let served = async || app.post("/api/cache/mget").json(keys(KEYS)).await.status() == 200;
    until("a large request is served again", served).await;
}

#[tokio::test]
async fn warming_from_a_slow_origin_does_not_block_other_requests() {
    const WARMS: usize = 40;
    /// Keys that a request fetches at a time.
    const WIDTH: usize = 16;
    /// Less than `cache_origin_timeout_ms`: if the origin holds the requests for longer, they may time out.
    const LONGEST_HOLD: Duration = Duration::from_secs(8);
    let origin = Origin::start().await;
    let app = App::builder()
        .origin(&origin)
        // So that few instances share the requests.
        .host_arg("--max-instance-concurrent-reuse-count", "128")
        .spawn()
        .await;
    for attempt in 0..20 {
        origin.hold();
        let (start, before) = (Instant::now(), origin.count());
        let mut warms = JoinSet::new();
        for warm in 0..WARMS {
            let api = app.api.clone();
            let keys: Vec<_> = (0..WIDTH).map(|number| format!("warm:{attempt}:{warm}:{number}")).collect();
            warms.spawn(async move { api.post("/api/cache/warm").json(json!({"keys": keys})).await });
        }
        // Some have begun. The others wait for memory.
        origin.received(before + 2 * WIDTH).await;
        for _ in 0..20 {
            assert_eq!(app.post("/api/cache/mget").json(keys(10)).await.expect_ok()["entries"], json!({}));
        }
        origin.release();
        let held = start.elapsed();
        let responses: Vec<_> = warms.join_all().await.iter().map(Response::expect_ok).collect();
        if held < LONGEST_HOLD {
            let all_filled = json!({"warmed": WIDTH, "filled": WIDTH, "failed": []});
            assert!(responses.iter().all(|response| *response == all_filled), "{responses:?}");
            return;
        }
    }
    panic!("the origin held the requests for too long in each attempt");
}

#[tokio::test]
async fn a_response_that_would_be_too_large_is_refused() {
    const KEYS: usize = REPLY_MAX / VALUE_MAX + 1;
    let app = app().await;
    given_large_values(&app, KEYS).await;
    let refused = app.post("/api/cache/mget").json(keys(KEYS)).await.expect_problem(413, "content-too-large");
    assert_eq!(refused["limitBytes"], REPLY_MAX);
    // That is no failure of Redis: other requests still use it.
    assert!(app.get("/api/cache/small").await.is_hit());
    assert_eq!(app.post("/api/cache/mget").json(keys(10)).await.status(), 200);
}

#[tokio::test]
async fn a_body_in_chunks_of_one_byte_takes_no_more_memory_than_its_length() {
    const LENGTH: usize = 100_000;
    let app = app().await;
    let address = app.host.address();
    let mut puts = JoinSet::new();
    for number in 0..2 {
        let address = address.clone();
        puts.spawn(async move {
            let mut client = TcpStream::connect(address).await.unwrap();
            let path = format!("/api/cache/bytes:{number}");
            let head = "host: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n";
            let bytes = "1\r\n7\r\n".repeat(LENGTH);
            let request = format!("PUT {path} HTTP/1.1\r\n{head}connection: close\r\n\r\n{bytes}0\r\n\r\n");
            // A host whose instance has ended may close the connection before it has read everything.
            let _ = client.write_all(request.as_bytes()).await;
            let mut response = String::new();
            client.read_to_string(&mut response).await.unwrap();
            assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        });
    }
    puts.join_all().await;
    expect_unharmed(&app).await;
    let stored = app.get("/api/cache/bytes:0").await;
    assert_eq!(stored.text().len(), r#"{"key":"bytes:0","value":}"#.len() + LENGTH);
}
