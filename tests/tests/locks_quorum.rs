//! Quorum mode: locks on three independent Redis servers, of which one may hang or be gone without clients noticing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::time::{Duration, Instant};

use answer::read;
use blackbox::{App, Grant, lock_servers, until};
use dev_servers::RedisServer;
use serde_json::{Value, json};
use tempfile::TempDir;

/// An application whose locks are on three servers of their own.
struct Quorum {
    app: App,
    servers: Vec<RedisServer>,
    _folder: TempDir,
}

impl Quorum {
    async fn spawn() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let servers = lock_servers(folder.path()).await;
        let app = App::builder().locks_on(&servers).spawn().await;
        Self { app, servers, _folder: folder }
    }

    async fn acquire(&self, body: Value) -> Value {
        let answer = read(self.app.acquire_lock(&body).await).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Acquires, is refused, extends, looks and releases, as a client does; the slowest answer and the last number.
    async fn exercise(&self, resource: &str) -> (Duration, u64) {
        let mut slowest = Duration::ZERO;
        let mut number = 0;
        for _ in 0..10 {
            let mut timed = Instant::now();
            let mut lap = || {
                slowest = slowest.max(timed.elapsed());
                timed = Instant::now();
            };
            // The release before is complete when the majority has answered; the last server may be a moment behind, and
            // then be asked among the next majority.
            let json = self.acquire(json!({"resource": resource, "ttl": 20_000, "wait": 2_000})).await;
            let grant = Grant::from_json(&json["lock"]).unwrap_or_else(|| panic!("{json}"));
            lap();
            assert!(grant.fencing_token > number, "{grant:?} after {number}");
            number = grant.fencing_token;
            assert_eq!(self.acquire(json!({"resource": resource})).await["acquired"], false);
            lap();
            let extended = read(self.app.extend_lock(&grant.key, &grant.token, 30_000).await).await.json();
            assert_eq!(extended["extended"], true, "{extended}");
            lap();
            let shown = read(self.app.show_lock(resource).await).await.json();
            // A server that granted after the majority may have drawn a greater number.
            let is_known = shown["fencingToken"].as_u64().is_some_and(|known| known >= number);
            assert!(shown["held"] == true && is_known, "{number}: {shown}");
            lap();
            let released = read(self.app.release_lock(&grant.key, &grant.token).await).await.json();
            assert_eq!(released, json!({"released": true}));
            lap();
        }
        (slowest, number)
    }

    /// Operators see a lock whichever server is away.
    async fn expect_listed(&self, resource: &str) {
        let json = self.acquire(json!({"resource": resource, "ttl": 20_000, "wait": 2_000})).await;
        let grant = Grant::from_json(&json["lock"]).unwrap_or_else(|| panic!("{json}"));
        let mut found = 0;
        let mut query = "?limit=1000".to_owned();
        loop {
            let page = read(self.app.list_locks(&query).await).await;
            assert_eq!(page.status, 200, "{page:?}");
            let json = page.json();
            found += json["locks"].as_array().unwrap().iter().filter(|lock| lock["key"] == *grant.key).count();
            let Some(next) = json["next"].as_str() else { break };
            query = format!("?limit=1000&cursor={next}");
        }
        assert_eq!(found, 1, "{resource} is not listed, or twice");
        read(self.app.release_lock(&grant.key, &grant.token).await).await;
    }
}

async fn value(server: &RedisServer, key: &str) -> Option<String> {
    let mut connection = redis::Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    redis::cmd("GET").arg(key).query_async(&mut connection).await.unwrap()
}

#[tokio::test]
async fn a_lock_is_on_all_servers_and_nowhere_else() {
    let quorum = Quorum::spawn().await;
    let grant = quorum.app.given_lock("orders", 60_000).await;
    // Some servers may have answered after the majority.
    for server in &quorum.servers {
        let start = Instant::now();
        while value(server, "locks:orders").await.as_ref() != Some(&grant.token) {
            assert!(start.elapsed() < Duration::from_secs(5), "the lock is not on {}", server.url());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!(quorum.app.redis.keys().await, Vec::<String>::new());
    quorum.app.release_lock(&grant.key, &grant.token).await;
    for server in &quorum.servers {
        let start = Instant::now();
        while value(server, "locks:orders").await.is_some() {
            assert!(start.elapsed() < Duration::from_secs(5), "the lock is still on {}", server.url());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn one_of_three_may_hang_or_die_in_turn() {
    let mut quorum = Quorum::spawn().await;
    let (healthy, mut number) = quorum.exercise("orders").await;
    println!("all there: slowest answer {healthy:?}");
    for broken in 0..3 {
        quorum.servers[broken].pause();
        let (slowest, now) = quorum.exercise("orders").await;
        println!("server {broken} stopped: slowest answer {slowest:?}");
        assert!(now > number, "{now} after {number}");
        assert!(slowest < Duration::from_secs(1), "{slowest:?}");
        quorum.expect_listed("stopped").await;
        quorum.servers[broken].resume();

        quorum.servers[broken].kill().await.unwrap();
        let (slowest, now_killed) = quorum.exercise("orders").await;
        println!("server {broken} killed: slowest answer {slowest:?}");
        assert!(now_killed > now, "{now_killed} after {now}");
        assert!(slowest < Duration::from_secs(1), "{slowest:?}");
        quorum.expect_listed("killed").await;
        // It comes back empty, and a minority: its missing counter must not lower the numbers.
        quorum.servers[broken].restart().await.unwrap();
        let (_, now_back) = quorum.exercise("orders").await;
        assert!(now_back > now_killed, "{now_back} after {now_killed}");
        number = now_back;
    }
}

#[tokio::test]
async fn a_lock_survives_the_loss_of_any_one_server() {
    for broken in 0..3 {
        let mut quorum = Quorum::spawn().await;
        let grant = quorum.app.given_lock("orders", 60_000).await;
        quorum.servers[broken].kill().await.unwrap();
        assert_eq!(quorum.acquire(json!({"resource": "orders"})).await["acquired"], false, "without {broken}");
        // Empty again: still two of three say whose it is.
        quorum.servers[broken].restart().await.unwrap();
        assert_eq!(quorum.acquire(json!({"resource": "orders"})).await["acquired"], false, "{broken} is empty");
        let released = read(quorum.app.release_lock(&grant.key, &grant.token).await).await;
        assert_eq!(released.json(), json!({"released": true}));
        let json = quorum.acquire(json!({"resource": "orders", "wait": 5_000})).await;
        let next = Grant::from_json(&json["lock"]).unwrap_or_else(|| panic!("{json}"));
        assert!(next.fencing_token > grant.fencing_token);
    }
}

#[tokio::test]
async fn without_a_majority_there_are_no_locks() {
    let mut quorum = Quorum::spawn().await;
    let grant = quorum.app.given_lock("orders", 60_000).await;
    quorum.servers[0].kill().await.unwrap();
    quorum.servers[2].pause();
    let start = Instant::now();
    for answer in [
        quorum.app.acquire_lock(&json!({"resource": "new"})).await,
        quorum.app.extend_lock(&grant.key, &grant.token, 30_000).await,
        quorum.app.release_lock(&grant.key, &grant.token).await,
    ] {
        let answer = read(answer).await;
        answer.expect_problem(503, "unavailable");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0, "{answer:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    quorum.servers[2].resume();
    quorum.servers[0].restart().await.unwrap();
    // For a moment those that failed are left alone: whoever is told so may come again.
    let granted = async || {
        let answer = read(quorum.app.acquire_lock(&json!({"resource": "newer"})).await).await;
        answer.status == 200 && answer.json()["acquired"] == true
    };
    until("there is a majority again", granted).await;
}

#[tokio::test]
async fn one_server_for_locks_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path()).await.unwrap();
    let app =
        App::builder().variable("lock_redis_urls", &server.url()).variable("lock_egress", &server.url()).spawn().await;
    let grant = app.given_lock("orders", 60_000).await;
    assert_eq!(value(&server, "locks:orders").await.as_ref(), Some(&grant.token));
    assert_eq!(app.redis.keys().await, Vec::<String>::new());
    let released = read(app.release_lock(&grant.key, &grant.token).await).await;
    assert_eq!(released.json(), json!({"released": true}));
}

#[tokio::test]
async fn lists_that_are_no_quorum_are_refused() {
    for urls in ["redis://127.0.0.1:1,redis://127.0.0.1:1,redis://127.0.0.1:2", "redis://127.0.0.1:1,redis://b", "b"] {
        let app = App::builder().variable("lock_redis_urls", urls).spawn().await;
        let answer = read(app.acquire_lock(&json!({"resource": "orders"})).await).await;
        answer.expect_problem(500, "internal");
        let log = app.host.output();
        assert!(log.contains("lock_redis_urls") && !log.contains("redis://b"), "{log}");
    }
}
