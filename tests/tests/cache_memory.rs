//! Large requests and answers, many at once: they are answered, or told that there is no room, and never take more memory
//! than the host allows an instance (1 GiB), which would end all of its requests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use answer::{Answer, read};
use blackbox::{Api, App, Origin, until};
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The largest value.
const LARGE: usize = 512 * 1024;
/// Large values in a body of `mset`.
const AT_ONCE: usize = 15;
/// What the host hands over of one answer of Redis.
const ANSWER_MAX: usize = 128 * 1024 * 1024;

/// An application with the value of `small`, in whose Redis everything has room, and nothing is too late only because the
/// machine is small.
async fn app() -> App {
    let app = App::builder().variable("cache_timeout_ms", "5000").spawn().await;
    let mut redis = app.redis.connection().await;
    let _: () = redis::cmd("CONFIG").arg(&["SET", "maxmemory", "0"]).query_async(&mut redis).await.unwrap();
    assert_eq!(app.put_cached("small", "?ttl=1000", &json!(1)).await.status(), 200);
    app
}

/// The body of an `mset` of large values `large:{first}`, `large:{first + 1}`, ...
fn large_values(first: usize) -> Value {
    let value = json!("x".repeat(LARGE - 2));
    let entries = (first..first + AT_ONCE).map(|number| (format!("large:{number}"), value.clone()));
    json!({"entries": entries.collect::<Map<_, _>>(), "ttl": 1000})
}

/// Stores `large:0` up to `large:{count}`, and perhaps some more.
async fn given_large_values(app: &App, count: usize) {
    for first in (0..count).step_by(AT_ONCE) {
        let stored = read(app.mset(&large_values(first)).await).await;
        assert_eq!(stored.expect_ok(), json!({"stored": AT_ONCE}));
    }
}

fn keys(count: usize) -> Value {
    json!({"keys": (0..count).map(|number| format!("large:{number}")).collect::<Vec<_>>()})
}

/// Whatever large requests are there, small ones are served.
async fn expect_unharmed(api: &Api) {
    let answer = read(api.get_cached("small").await).await;
    assert_eq!(answer.expect_ok()["value"], 1);
    let answer = read(api.mget(&json!({"keys": ["small"]})).await).await;
    assert_eq!(answer.expect_ok()["entries"], json!({"small": 1}));
    let answer = read(api.mset(&json!({"entries": {"small": 1}, "ttl": 1000})).await).await;
    assert_eq!(answer.expect_ok(), json!({"stored": 1}));
}

/// Whether the request was served; if not, it was told to come back.
fn is_served(answer: &Answer) -> bool {
    if answer.status == 200 {
        return true;
    }
    answer.expect_problem(503, "unavailable");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0, "{answer:?}");
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_answers_at_once_end_no_instance() {
    const KEYS: usize = 240;
    const MGETS: usize = 8;
    let app = app().await;
    given_large_values(&app, KEYS).await;
    let length: usize = (0..KEYS).map(|number| format!(r#""large:{number}":,"#).len() + LARGE).sum();
    let mut mgets = JoinSet::new();
    for _ in 0..MGETS {
        let api = app.api.clone();
        mgets.spawn(async move { read(api.mget(&keys(KEYS)).await).await });
    }
    let mut msets = JoinSet::new();
    for first in 0..MGETS {
        let api = app.api.clone();
        msets.spawn(async move { read(api.mset(&large_values(first * AT_ONCE)).await).await });
    }
    let mut served = 0;
    while let Some(answer) = mgets.join_next().await {
        let answer = answer.unwrap();
        if is_served(&answer) {
            assert_eq!(answer.body.len(), length - 1 + r#"{"entries":{},"missing":[]}"#.len());
            served += 1;
        }
        expect_unharmed(&app).await;
    }
    println!("{served} of {MGETS} answers of {} MiB", length / 1024 / 1024);
    assert!(served > 0, "nobody was served");
    for answer in msets.join_all().await {
        is_served(&answer);
    }
}

#[tokio::test]
async fn answers_that_nobody_reads_end_no_instance() {
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
            other => panic!("{:?} after {} answers", str::from_utf8(other), clients.len()),
        }
        expect_unharmed(&app).await;
        if refused > 2 {
            break;
        }
    }
    println!("{} answers of {} MiB that nobody reads; then {refused} refused", clients.len(), KEYS / 2);
    assert!(clients.len() > 2, "few were served");
    // Their memory is free again when they have gone.
    drop(clients);
    let served = async || read(app.mget(&keys(KEYS)).await).await.status == 200;
    until("there is room again", served).await;
}

#[tokio::test]
async fn warming_from_a_slow_origin_keeps_no_other_requests_out() {
    const WARMS: usize = 40;
    /// Keys that a request fetches at a time.
    const WIDTH: usize = 16;
    let origin = Origin::start().await;
    origin.hold();
    let app = App::builder()
        .variable("cache_origin_url", &origin.url())
        .variable("cache_origin_timeout_ms", "10000")
        .variable("cache_timeout_ms", "5000")
        // So that the requests meet in few instances.
        .host_arg("--max-instance-concurrent-reuse-count", "128")
        .spawn()
        .await;
    let mut warms = JoinSet::new();
    for warm in 0..WARMS {
        let api = app.api.clone();
        let keys: Vec<_> = (0..WIDTH).map(|number| format!("warm:{warm}:{number}")).collect();
        warms.spawn(async move { read(api.warm(&json!({"keys": keys})).await).await });
    }
    // Most have begun; the others wait for memory, or are about to.
    origin.asked(2 * WIDTH).await;
    for _ in 0..100 {
        assert_eq!(read(app.mget(&keys(10)).await).await.expect_ok()["entries"], json!({}));
    }
    origin.release();
    for answer in warms.join_all().await {
        assert_eq!(answer.expect_ok(), json!({"warmed": WIDTH, "filled": WIDTH, "failed": []}));
    }
}

#[tokio::test]
async fn what_no_answer_can_hold_is_refused() {
    const KEYS: usize = ANSWER_MAX / LARGE + 1;
    let app = app().await;
    given_large_values(&app, KEYS).await;
    let refused = read(app.mget(&keys(KEYS)).await).await.expect_problem(413, "content-too-large");
    assert_eq!(refused["limitBytes"], ANSWER_MAX);
    // It says nothing about Redis: reads of others still ask it.
    assert!(read(app.get_cached("small").await).await.is_hit());
    assert_eq!(app.mget(&keys(10)).await.status(), 200);
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_takes_no_more_than_its_length() {
    const LENGTH: usize = 100_000;
    let app = app().await;
    let address = app.host.address();
    let mut puts = JoinSet::new();
    for number in 0..2 {
        let address = address.clone();
        puts.spawn(async move {
            let mut client = TcpStream::connect(address).await.unwrap();
            let path = format!("/api/cache/drop:{number}");
            let head = "host: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n";
            let bytes = "1\r\n7\r\n".repeat(LENGTH);
            let request = format!("PUT {path} HTTP/1.1\r\n{head}connection: close\r\n\r\n{bytes}0\r\n\r\n");
            // A host that has lost its instance may close the connection before it has read everything.
            let _ = client.write_all(request.as_bytes()).await;
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        });
    }
    puts.join_all().await;
    expect_unharmed(&app).await;
    let stored = read(app.cached(Method::GET, "drop:0", "").send().await.unwrap()).await;
    assert_eq!(stored.body.len(), r#"{"key":"drop:0","value":}"#.len() + LENGTH);
}
