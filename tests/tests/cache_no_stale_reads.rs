//! After an invalidation has returned, no read answers what was fetched before it: under concurrent readers and
//! invalidations of every kind, with numbers and entries deleted in Redis, with Redis flushed and restarted, with the host
//! killed. The origin's values only grow, so a read that gets a smaller one than was there when the last invalidation
//! began is stale.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use answer::read;
use blackbox::{ADMIN_TOKEN, Api, App, Origin, Reply};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::task::JoinSet;

const RUN: Duration = Duration::from_secs(15);
const KEYS: usize = 4;
const READERS_OF_EACH: usize = 3;

/// What the clients of one run share.
#[derive(Default)]
struct Run {
    over: AtomicBool,
    /// For each key, the origin's value when the last invalidation that was acknowledged began.
    floors: [AtomicU64; KEYS],
    reads: AtomicU64,
    hits: AtomicU64,
    invalidations: AtomicU64,
}

impl Run {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// One of the ways to invalidate key number `key`.
fn invalidation(api: &Api, key: usize, way: u64) -> RequestBuilder {
    let name = format!("k{key}");
    let post = |body| api.request(Method::POST, "/api/cache/invalidate").json(&body);
    let admin = |path: &str| api.request(Method::DELETE, &format!("/admin/cache{path}")).bearer_auth(ADMIN_TOKEN);
    // Those that touch the other keys too are fewer, or nothing would ever be a hit.
    match way % 12 {
        0..3 => api.cached(Method::DELETE, &name, ""),
        3..6 => post(json!({"key": name})),
        6..9 => post(json!({"pattern": format!("k[{key}]")})),
        9 => post(json!({"module": "kv"})),
        10 => admin("/operation/kv/get"),
        _ => admin(""),
    }
}

/// Gives the origin ever greater values and invalidates after each.
async fn invalidate(run: Arc<Run>, api: Api, origin: Arc<Origin>, key: usize) {
    for value in 1.. {
        origin.reply(&format!("/k{key}"), Reply::json(value.to_string()));
        // Nobody need see it before an invalidation is acknowledged: a failed one may have done nothing.
        loop {
            if run.is_over() {
                return;
            }
            let way = value + key as u64;
            let answer = invalidation(&api, key, way).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                break;
            }
        }
        run.floors[key].store(value, Ordering::SeqCst);
        run.invalidations.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..60))).await;
    }
}

async fn watch(run: Arc<Run>, api: Api, key: usize) {
    while !run.is_over() {
        let floor = run.floors[key].load(Ordering::SeqCst);
        // The host may be down.
        let Ok(answer) = api.cached(Method::GET, &format!("k{key}"), "").send().await else { continue };
        let answer = read(answer).await;
        // Its bursts of new instances may be slow for the origin's deadline.
        if answer.status != 200 {
            assert!([502, 503, 504].contains(&answer.status.as_u16()), "{answer:?}");
            continue;
        }
        let value = answer.json()["value"].as_u64().unwrap();
        assert!(value >= floor, "a stale read: {value} after {floor} was invalidated; {answer:?}");
        run.reads.fetch_add(1, Ordering::Relaxed);
        run.hits.fetch_add(u64::from(answer.is_hit()), Ordering::Relaxed);
        if fastrand::u8(0..4) == 0 {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..5))).await;
        }
    }
}

/// Runs all clients for a while, `disturb` beside them again and again.
async fn race(app: &mut App, origin: Origin, disturb: impl AsyncFn(&mut App)) {
    let origin = Arc::new(origin);
    origin.delay(Duration::from_millis(3));
    let run = Arc::new(Run::default());
    let mut clients = JoinSet::new();
    for key in 0..KEYS {
        origin.reply(&format!("/k{key}"), Reply::json("0"));
        clients.spawn(invalidate(Arc::clone(&run), app.api.clone(), Arc::clone(&origin), key));
        for _ in 0..READERS_OF_EACH {
            clients.spawn(watch(Arc::clone(&run), app.api.clone(), key));
        }
    }
    let start = Instant::now();
    while start.elapsed() < RUN {
        disturb(app).await;
        // A client that panicked has found something.
        if let Some(ended) = clients.try_join_next() {
            ended.unwrap();
        }
    }
    run.over.store(true, Ordering::Relaxed);
    clients.join_all().await;
    let [reads, hits, invalidations] =
        [&run.reads, &run.hits, &run.invalidations].map(|counter| counter.load(Ordering::Relaxed));
    println!("{reads} reads ({hits} hits) beside {invalidations} invalidations: none stale");
    assert!(reads > 500 && hits > reads / 10 && invalidations > 100, "too little happened to prove anything");
}

async fn app(origin: &Origin) -> App {
    let builder = App::builder().variable("cache_origin_url", &origin.url());
    builder.variable("cache_origin_timeout_ms", "5000").spawn().await
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(20..200))).await;
}

#[tokio::test]
async fn undisturbed() {
    let origin = Origin::start().await;
    let mut app = app(&origin).await;
    race(&mut app, origin, async |_| pause().await).await;
}

#[tokio::test]
async fn while_keys_are_evicted() {
    let origin = Origin::start().await;
    let mut app = app(&origin).await;
    race(&mut app, origin, async |app| {
        pause().await;
        // As `allkeys-lru` does it: any key may go, numbers and registries included.
        let mut redis = app.redis.connection().await;
        for _ in 0..3 {
            let key: Option<String> = redis::cmd("RANDOMKEY").query_async(&mut redis).await.unwrap();
            let _: i64 = redis::cmd("DEL").arg(key.unwrap_or_default()).query_async(&mut redis).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn while_redis_is_flushed_and_restarted() {
    let origin = Origin::start().await;
    let mut app = app(&origin).await;
    race(&mut app, origin, async |app| {
        for _ in 0..5 {
            pause().await;
            let _: String = redis::cmd("FLUSHALL").query_async(&mut app.redis.connection().await).await.unwrap();
        }
        app.redis.restart().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    })
    .await;
}

#[tokio::test]
async fn while_the_host_is_killed() {
    let origin = Origin::start().await;
    let mut app = app(&origin).await;
    race(&mut app, origin, async |app| {
        tokio::time::sleep(Duration::from_secs(2)).await;
        app.restart_host().await;
    })
    .await;
}
