//! Quorum mode: locks on three independent Redis servers, one of which can hang or be down.

use std::time::{Duration, Instant};

use blackbox::{App, Redis, fast_enough, lock_servers, until, within};
use serde_json::json;
use tempfile::TempDir;

use super::{acquire, extend, granted, release_held, show};

/// An application whose locks are on three servers of their own.
struct Quorum {
    app: App,
    servers: Vec<Redis>,
    _folder: TempDir,
}

impl Quorum {
    /// With a deadline of `timeout_ms` for one operation on one server.
    async fn spawn(timeout_ms: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let servers = lock_servers(folder.path()).await;
        let builder = App::builder().locks_on(&servers).variable("lock_timeout_ms", &timeout_ms.to_string());
        Self { app: builder.spawn().await, servers, _folder: folder }
    }

    /// Acquires, is refused, extends, shows and releases a lock ten times, as clients do. The fencing tokens must be
    /// greater than `last`, which is updated. Returns how long the slowest response took.
    async fn exercise(&self, last: &mut u64) -> Duration {
        let mut slowest = Duration::ZERO;
        for _ in 0..10 {
            let mut timed = Instant::now();
            let mut lap = || {
                slowest = slowest.max(timed.elapsed());
                timed = Instant::now();
            };
            // A release ends when the majority has released. The last server may be a little later, and may be part of
            // the next majority.
            let request = json!({"resource": "orders", "ttl": 60_000, "wait": 10_000});
            let grant = granted(&acquire(&self.app, request).await);
            lap();
            assert!(grant.fencing_token > *last, "{grant:?} after {last}");
            *last = grant.fencing_token;
            assert_eq!(acquire(&self.app, json!({"resource": "orders"})).await["acquired"], false);
            lap();
            let extended = extend(&self.app, &grant, 90_000).await;
            assert_eq!(extended["extended"], true, "{extended}");
            lap();
            let shown = show(&self.app, "orders").await;
            // A server that granted after the majority may have assigned a greater fencing token.
            let is_known = shown["fencingToken"].as_u64().is_some_and(|known| known >= *last);
            assert!(shown["held"] == true && is_known, "{last}: {shown}");
            lap();
            release_held(&self.app, &grant).await;
            lap();
        }
        slowest
    }

    /// The administrator's list has a lock, whichever server is down.
    async fn expect_listed(&self, resource: &str) {
        let request = json!({"resource": resource, "ttl": 60_000, "wait": 10_000});
        let grant = granted(&acquire(&self.app, request).await);
        let mut found = 0;
        let mut query = "?limit=1000".to_owned();
        loop {
            let page = self.app.admin().get(format!("/admin/locks{query}")).await.expect_ok();
            found += page["locks"].as_array().unwrap().iter().filter(|lock| lock["key"] == *grant.key).count();
            let Some(next) = page["next"].as_str() else { break };
            query = format!("?limit=1000&cursor={next}");
        }
        assert_eq!(found, 1, "{resource} is listed {found} times");
        self.app.release(&grant).await;
    }
}

/// The token of the lock `orders` on this server.
async fn token(server: &Redis) -> Option<String> {
    server.ask(&["GET", "locks:orders"]).await
}

#[tokio::test]
async fn a_lock_is_on_all_servers_and_nowhere_else() {
    let quorum = Quorum::spawn(10_000).await;
    let grant = quorum.app.given_lock("orders", 600_000).await;
    // The last server may be later than the response.
    for server in &quorum.servers {
        until("the lock is on the server", async || token(server).await.as_ref() == Some(&grant.token)).await;
    }
    assert_eq!(quorum.app.redis.keys().await, Vec::<String>::new());
    quorum.app.release(&grant).await;
    for server in &quorum.servers {
        until("the lock is released on the server", async || token(server).await.is_none()).await;
    }
}

#[tokio::test]
async fn one_of_three_servers_can_hang_or_crash() {
    const LIMIT: Duration = Duration::from_secs(1);
    let mut quorum = Quorum::spawn(2_000).await;
    let mut last = 0;
    quorum.exercise(&mut last).await;
    for broken in 0..3 {
        println!("server {broken} hangs");
        quorum.servers[broken].pause();
        fast_enough(LIMIT, async || quorum.exercise(&mut last).await).await;
        quorum.expect_listed("hangs").await;
        quorum.servers[broken].resume();

        println!("server {broken} is down");
        quorum.servers[broken].kill().await.unwrap();
        fast_enough(LIMIT, async || quorum.exercise(&mut last).await).await;
        quorum.expect_listed("is down").await;
        // It is empty after the restart, but a minority: the fencing tokens do not become lower.
        quorum.servers[broken].restart().await.unwrap();
        quorum.exercise(&mut last).await;
    }
}

#[tokio::test]
async fn a_lock_survives_the_loss_of_any_one_server() {
    for broken in 0..3 {
        let mut quorum = Quorum::spawn(10_000).await;
        let grant = quorum.app.given_lock("orders", 600_000).await;
        // The third server may be later than the response. The two that stay must have the lock.
        for server in &quorum.servers {
            until("the lock is on the server", async || token(server).await.is_some()).await;
        }
        quorum.servers[broken].kill().await.unwrap();
        assert_eq!(acquire(&quorum.app, json!({"resource": "orders"})).await["acquired"], false, "without {broken}");
        // Empty again: still two of three have the lock.
        quorum.servers[broken].restart().await.unwrap();
        assert_eq!(acquire(&quorum.app, json!({"resource": "orders"})).await["acquired"], false, "{broken} is empty");
        release_held(&quorum.app, &grant).await;
        let next = granted(&acquire(&quorum.app, json!({"resource": "orders", "wait": 10_000})).await);
        assert!(next.fencing_token > grant.fencing_token);
    }
}

#[tokio::test]
async fn without_a_majority_no_lock_is_granted() {
    let mut quorum = Quorum::spawn(500).await;
    let grant = quorum.app.given_lock("orders", 600_000).await;
    quorum.servers[0].kill().await.unwrap();
    quorum.servers[2].pause();
    within(Duration::from_secs(6), async || {
        let request = quorum.app.post("/api/cache/lock/acquire").json(json!({"resource": "new"}));
        request.await.expect_unavailable();
        quorum.app.extend(&grant, 30_000).await.expect_unavailable();
        quorum.app.release(&grant).await.expect_unavailable();
    })
    .await;
    quorum.servers[2].resume();
    quorum.servers[0].restart().await.unwrap();
    // For a short time after a failure the application does not use a server.
    let granted = async || {
        let response = quorum.app.post("/api/cache/lock/acquire").json(json!({"resource": "newer"})).await;
        response.status() == 200 && response.json()["acquired"] == true
    };
    until("a lock is granted", granted).await;
}

#[tokio::test]
async fn locks_can_have_a_redis_server_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = Redis::start(folder.path()).await;
    let app =
        App::builder().variable("lock_redis_urls", &server.url()).variable("lock_egress", &server.url()).spawn().await;
    let grant = app.given_lock("orders", 600_000).await;
    assert_eq!(token(&server).await.as_ref(), Some(&grant.token));
    assert_eq!(app.redis.keys().await, Vec::<String>::new());
    release_held(&app, &grant).await;
}

#[tokio::test]
async fn a_list_of_servers_that_is_not_a_quorum_is_refused() {
    for urls in ["redis://127.0.0.1:1,redis://127.0.0.1:1,redis://127.0.0.1:2", "redis://127.0.0.1:1,redis://b", "b"] {
        let app = App::builder().variable("lock_redis_urls", urls).spawn().await;
        let response = app.post("/api/cache/lock/acquire").json(json!({"resource": "orders"})).await;
        response.expect_problem(500, "internal");
        let log = app.host.output();
        assert!(log.contains("lock_redis_urls") && !log.contains("redis://b"), "{log}");
    }
}

#[tokio::test]
async fn one_server_under_two_names_is_no_quorum() {
    let folder = tempfile::tempdir().unwrap();
    let servers = lock_servers(folder.path()).await;
    let [first, second] = [servers[0].url(), servers[1].url()];
    let urls = format!("{first},{}/1,{second}", first.trim_end_matches('/'));
    let builder = App::builder().variable("lock_redis_urls", &urls).variable("lock_egress", "redis://127.0.0.1:*");
    let app = builder.spawn().await;
    app.post("/api/cache/lock/acquire").json(json!({"resource": "orders"})).await.expect_problem(500, "internal");
    for server in &servers {
        assert_eq!(token(server).await, None);
    }
    let page = app.admin().get("/admin/locks").await.expect_ok();
    assert!(page["warnings"][0].as_str().is_some_and(|text| text.contains("lock_redis_urls")), "{page}");
    assert!(app.host.output().contains("lock_redis_urls must name different servers"));
}
