//! Every hit is checked while many clients read and write the same users and sellers: no check raises a false alarm.
//! `TUMBLER_RACE_FACTOR=100` makes 100,000 checks of 1,000.

use std::sync::Arc;
use std::time::Duration;

use blackbox::{Api, App, Builder, Seller};
use fastrand::Rng;
use serde_json::json;
use tokio::task::JoinSet;

use crate::progress::Progress;

const USERS: usize = 8;
const READERS: u64 = 24;
const WRITERS: u64 = 4;
const LIMITS: [&str; 3] = ["", "?limit=3", "?isActive=true"];

/// Reads users, pages, batches and sellers at random until the race ends.
async fn read(api: Api, ids: Arc<[i64]>, sellers: Arc<[Seller]>, progress: Arc<Progress>, mut rng: Rng) {
    while progress.goes_on() {
        let id = ids[rng.usize(..ids.len())];
        let seller = &sellers[rng.usize(..sellers.len())];
        let response = match rng.u32(..10) {
            0..5 => api.get(format!("/users/{id}")).await,
            5 => api.get(format!("/users{}", LIMITS[rng.usize(..LIMITS.len())])).await,
            6 => api.get(format!("/users?ids={id},{}", ids[0])).await,
            7 => seller.owner.get("/sellers/me").await,
            8 => seller.admin.get(seller.path("")).await,
            _ => api.with_jwt(1, &["user"]).get(seller.path("")).await,
        };
        response.expect_ok();
    }
}

/// Changes users and sellers at random until the race ends, with pauses: otherwise no entry lives until it is hit.
async fn write(api: Api, ids: Arc<[i64]>, sellers: Arc<[Seller]>, progress: Arc<Progress>, mut rng: Rng) {
    while progress.goes_on() {
        if rng.u32(..4) == 0 {
            let seller = &sellers[rng.usize(..sellers.len())];
            let change = json!({"businessName": format!("Shop {}", rng.u32(..))});
            seller.admin.patch(seller.path("")).json(change).await.expect_ok();
        } else {
            let id = ids[rng.usize(..ids.len())];
            api.patch(format!("/users/{id}")).json(json!({"name": format!("Al {}", rng.u32(..))})).await.expect_ok();
        }
        progress.count("writes", 1);
        tokio::time::sleep(Duration::from_millis(rng.u64(..40))).await;
    }
}

/// The sums of the counters `verified` and `stale` of all operations.
async fn verdicts(app: &App) -> (u64, u64) {
    let counters: Vec<(String, u64)> = app.redis.ask(&["HGETALL", "cache:stats"]).await;
    let sum = |name: &str| counters.iter().filter(|(field, _)| field.ends_with(name)).map(|(_, count)| count).sum();
    (sum(":verified"), sum(":stale"))
}

/// Runs the clients until so many checks have ended.
async fn race(builder: Builder, checks: u64, writes: u64) {
    let app = builder.variable("cache_verify_ratio", "1").spawn().await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut ids = Vec::new();
    for number in 0..USERS {
        ids.push(app.given_user_id(&format!("u{number}")).await);
    }
    let (ids, sellers) =
        (Arc::<[i64]>::from(ids), Arc::from([app.given_seller("ada").await, app.given_seller("bob").await]));
    let progress = Progress::until(&[("checks", checks), ("writes", writes)]);
    let mut clients = JoinSet::new();
    for number in 0..READERS + WRITERS {
        let rng = Rng::with_seed(seed.wrapping_add(number));
        let (api, ids, sellers, progress) =
            (app.api.clone(), Arc::clone(&ids), Arc::clone(&sellers), Arc::clone(&progress));
        if number < READERS {
            clients.spawn(read(api, ids, sellers, progress, rng));
        } else {
            clients.spawn(write(api, ids, sellers, progress, rng));
        }
    }
    let mut seen = 0;
    while progress.goes_on() {
        let (verified, stale) = verdicts(&app).await;
        if stale > 0 {
            progress.stop();
            panic!("{stale} false alarms in {verified} checks: {}", app.host.output());
        }
        progress.count("checks", (verified - seen) as usize);
        seen = verified;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    clients.join_all().await;
    progress.expect_enough();
    let (verified, stale) = verdicts(&app).await;
    println!("{stale} stale of {} checked", verified + stale);
    assert_eq!(stale, 0, "{}", app.host.output());
    assert!(!app.host.output().contains("entry was stale"), "{}", app.host.output());
}

#[tokio::test]
async fn checks_beside_readers_and_writers_raise_no_false_alarm() {
    race(App::builder(), 1_000, 60).await;
}

/// As above, on instances that share nothing: many checks run at the same time.
#[tokio::test]
async fn checks_on_many_instances_raise_no_false_alarm() {
    race(App::builder().instance_per_request(), 500, 30).await;
}
