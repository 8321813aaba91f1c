//! Reads of the cache service: after an invalidation has returned, no read returns a value that was fetched before it.
//! Clients read and invalidate in every way, while keys are evicted, Redis is flushed and restarted, or the host is
//! killed. The origin's values only increase, so a read is stale if its value is less than the origin's value when the
//! last acknowledged invalidation began.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use blackbox::{Api, App, Origin, Reply, Request};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::progress::Progress;

pub const KEYS: usize = 4;
const READERS_OF_EACH: usize = 3;
/// How long a value stays that is not read from the cache, perhaps because something is broken.
const HIT_BOUND: Duration = Duration::from_secs(2);

/// What the clients of one race share.
pub struct Race {
    progress: Arc<Progress>,
    /// For each key, the origin's value when the last invalidation that was acknowledged began.
    floors: [AtomicU64; KEYS],
    /// For each key, how many reads were hits.
    hits: [AtomicU64; KEYS],
}

impl Race {
    pub fn new(progress: &Arc<Progress>) -> Arc<Self> {
        Arc::new(Self { progress: progress.clone(), floors: Default::default(), hits: Default::default() })
    }

    /// Another race with the same keys and the same origin, after this one.
    pub fn next(&self, progress: &Arc<Progress>) -> Arc<Self> {
        let floors = self.floors.each_ref().map(|floor| AtomicU64::new(floor.load(Ordering::SeqCst)));
        Arc::new(Self { progress: progress.clone(), floors, hits: Default::default() })
    }

    /// Starts the clients, on these hosts in turns.
    pub fn start(self: &Arc<Self>, apis: &[Api], origin: &Arc<Origin>) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        for key in 0..KEYS {
            clients.spawn(invalidate(self.clone(), apis[key % apis.len()].clone(), origin.clone(), key));
            for reader in 0..READERS_OF_EACH {
                clients.spawn(read(self.clone(), apis[reader % apis.len()].clone(), key));
            }
        }
        clients
    }
}

/// One of the ways to invalidate key number `key`.
fn invalidation(api: &Api, key: usize, way: u64) -> Request {
    let path = format!("/api/cache/k{key}");
    let post = |body: Value| api.post("/api/cache/invalidate").json(body);
    // Fewer of those that also invalidate the other keys, because there must be hits.
    match way % 12 {
        0..3 => api.delete(path),
        3..6 => post(json!({"key": format!("k{key}")})),
        6..9 => post(json!({"pattern": format!("k[{key}]")})),
        9 => post(json!({"module": "kv"})),
        10 => api.admin().delete("/admin/cache/operation/kv/get"),
        _ => api.admin().delete("/admin/cache"),
    }
}

/// Gives the origin greater and greater values, and invalidates after each.
async fn invalidate(race: Arc<Race>, api: Api, origin: Arc<Origin>, key: usize) {
    for value in race.floors[key].load(Ordering::SeqCst) + 1.. {
        origin.reply(&format!("/k{key}"), Reply::json(value.to_string()));
        // A failed invalidation may have done nothing, so it is repeated.
        loop {
            if !race.progress.goes_on() {
                return;
            }
            let response = invalidation(&api, key, value + key as u64).send().await;
            if response.is_ok_and(|response| response.status() == 200) {
                break;
            }
        }
        race.floors[key].store(value, Ordering::SeqCst);
        race.progress.count("invalidations", 1);
        // Each second time, a value stays until it has been read from the cache: a slow machine would have no hits.
        let (start, hits) = (Instant::now(), race.hits[key].load(Ordering::Relaxed));
        let all_missed = || value % 2 == 0 && race.hits[key].load(Ordering::Relaxed) == hits;
        while all_missed() && start.elapsed() < HIT_BOUND && race.progress.goes_on() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..60))).await;
    }
}

async fn read(race: Arc<Race>, api: Api, key: usize) {
    while race.progress.goes_on() {
        let floor = race.floors[key].load(Ordering::SeqCst);
        let Ok(response) = api.get(format!("/api/cache/k{key}")).send().await else {
            // The host is down.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // A busy machine may be too slow for the deadline of the origin.
        if response.status() != 200 {
            assert!([502, 503, 504].contains(&response.status()), "{response:?}");
            continue;
        }
        let value = response.json()["value"].as_u64().unwrap();
        assert!(value >= floor, "a stale read: {value} after {floor} was invalidated; {response:?}");
        race.progress.count("reads", 1);
        race.hits[key].fetch_add(u64::from(response.is_hit()), Ordering::Relaxed);
        race.progress.count("hits", usize::from(response.is_hit()));
        if fastrand::u8(0..4) == 0 {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..5))).await;
        }
    }
}

/// Gives the origin the values from which the clients count.
pub fn start_at_zero(origin: &Origin) {
    for key in 0..KEYS {
        origin.reply(&format!("/k{key}"), Reply::json("0"));
    }
}

/// Runs all clients while `fault` strikes again and again, at least this number of times.
async fn check(faults: u64, fault: impl AsyncFn(&mut App)) {
    let origin = Arc::new(Origin::start().await);
    let mut app = App::builder().origin(&origin).spawn().await;
    origin.delay(Duration::from_millis(3));
    let progress = Progress::until(&[("reads", 1_000), ("hits", 100), ("invalidations", 100), ("faults", faults)]);
    start_at_zero(&origin);
    let mut clients = Race::new(&progress).start(&[app.api.clone()], &origin);
    while progress.goes_on() {
        fault(&mut app).await;
        progress.count("faults", 1);
        progress.happens_again("hits").await;
        // A client that panicked has found a stale read.
        if let Some(Err(ended)) = clients.try_join_next() {
            progress.stop();
            std::panic::resume_unwind(ended.into_panic());
        }
    }
    clients.join_all().await;
    progress.expect_enough();
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(20..200))).await;
}

#[tokio::test]
async fn no_read_is_stale_without_faults() {
    check(0, async |_| pause().await).await;
}

#[tokio::test]
async fn no_read_is_stale_when_keys_are_evicted() {
    let evict = async |app: &mut App| {
        pause().await;
        // As `allkeys-lru` does: any key, also generations and registries.
        for _ in 0..3 {
            let key: Option<String> = app.redis.ask(&["RANDOMKEY"]).await;
            app.redis.run(&["DEL", &key.unwrap_or_default()]).await;
        }
    };
    check(20, evict).await;
}

#[tokio::test]
async fn no_read_is_stale_when_redis_is_flushed_and_restarted() {
    let flush_and_restart = async |app: &mut App| {
        for _ in 0..5 {
            pause().await;
            app.redis.run(&["FLUSHALL"]).await;
        }
        app.redis.restart().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    check(3, flush_and_restart).await;
}

#[tokio::test]
async fn no_read_is_stale_when_the_host_is_killed() {
    let restart = async |app: &mut App| {
        tokio::time::sleep(Duration::from_secs(2)).await;
        app.restart_host().await;
    };
    check(2, restart).await;
}
