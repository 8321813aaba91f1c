//! Work under a guard.

use std::time::{Duration, Instant};

use ports::Reply;
use token_lock::{Guarded, LockError};

use crate::clients::{Client, Instance, on_redis, resource};

#[tokio::test]
async fn locks_live_as_long_as_the_work() {
    on_redis(async |server| {
        let (one, other) = (Instance::new([&server]), Instance::new([&server]));
        let both = ["a", "b"].map(resource);
        let outcome = one.locks.guard(&both, 150, 0, async |lease| {
            let until = Instant::now() + Duration::from_millis(600);
            while Instant::now() < until {
                assert!(!lease.is_lost());
                assert_eq!(other.try_grant(&both[1], 1_000).await, None);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            lease.fencing(&both[0])
        });
        let outcome = outcome.await.expect("Redis answers");
        assert!(matches!(outcome, Guarded::Done { value: Some(_), lost: false }), "{outcome:?}");
        assert_eq!(
            Client::new(&server.url()).say("EXISTS locks:a locks:b").await,
            [Reply::Int(0)],
            "unlocked at the end"
        );
    })
    .await;
}

#[tokio::test]
async fn work_is_told_when_its_lock_is_lost() {
    on_redis(async |server| {
        let client = Client::new(&server.url());
        let instance = Instance::new([&server]);
        let orders = [resource("orders")];
        for way in ["DEL locks:orders", "SET locks:orders somebody"] {
            let outcome = instance.locks.guard(&orders, 300, 0, async |lease| {
                client.say(way).await;
                lease.lost().await;
                assert!(lease.is_lost());
            });
            let outcome = tokio::time::timeout(Duration::from_secs(5), outcome).await.expect("told at the renewal");
            assert_eq!(outcome, Ok(Guarded::Done { value: (), lost: true }), "{way}");
            client.say("DEL locks:orders").await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_lock_that_cannot_be_renewed_is_lost_at_its_end() {
    on_redis(async |server| {
        let instance = Instance::new([&server]);
        let orders = [resource("orders")];
        let outcome = instance.locks.guard(&orders, 400, 0, async |lease| {
            let started = Instant::now();
            server.pause();
            lease.lost().await;
            let waited = started.elapsed();
            server.resume();
            waited
        });
        let Ok(Guarded::Done { value, lost: true }) = outcome.await else { panic!("lost") };
        assert!((350..500).contains(&value.as_millis()), "{value:?}");
    })
    .await;
}

#[tokio::test]
async fn a_short_outage_is_survived() {
    on_redis(async |server| {
        let instance = Instance::new([&server]);
        let orders = [resource("orders")];
        let outcome = instance.locks.guard(&orders, 1_500, 0, async |_| {
            server.pause();
            tokio::time::sleep(Duration::from_millis(800)).await;
            server.resume();
            tokio::time::sleep(Duration::from_millis(1_500)).await;
        });
        assert_eq!(outcome.await, Ok(Guarded::Done { value: (), lost: false }));
    })
    .await;
}

#[tokio::test]
async fn a_lock_that_ended_during_work_that_never_rests_is_lost() {
    on_redis(async |server| {
        let instance = Instance::new([&server]);
        let orders = [resource("orders")];
        let outcome = instance.locks.guard(&orders, 20, 0, async |lease| {
            std::thread::sleep(Duration::from_millis(40));
            assert!(lease.is_lost());
        });
        assert_eq!(outcome.await, Ok(Guarded::Done { value: (), lost: true }));
    })
    .await;
}

#[tokio::test]
async fn a_guard_that_is_dropped_unlocks() {
    on_redis(async |server| {
        let instance = Instance::new([&server]);
        let orders = [resource("orders")];
        let working = instance.locks.guard(&orders, 3_600_000, 0, async |_| std::future::pending::<()>().await);
        let cancelled = tokio::time::timeout(Duration::from_millis(100), working).await;
        assert!(cancelled.is_err(), "it was at work");
        crate::until_gone(&Client::new(&server.url()), "locks:orders").await;
    })
    .await;
}

#[tokio::test]
async fn work_is_not_begun_without_the_lock() {
    on_redis(async |mut server| {
        let (one, other) = (Instance::new([&server]), Instance::new([&server]));
        let orders = [resource("orders")];
        one.grant(&orders[0], 60_000).await;
        let outcome = other.locks.guard(&orders, 1_000, 50, async |_| panic!("it is taken")).await;
        assert!(matches!(outcome, Ok(Guarded::Taken { .. })), "{outcome:?}");
        server.kill().await.expect("killed");
        let outcome = other.locks.guard(&orders, 1_000, 50, async |_| panic!("there is no Redis")).await;
        assert!(matches!(outcome, Err(LockError::Unavailable(_))), "{outcome:?}");
    })
    .await;
}
