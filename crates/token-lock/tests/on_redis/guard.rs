//! Work under a guard.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use ports::Reply;
use ports::native::TestClient;
use token_lock::{Guarded, LockError, Settings};

use crate::world::{LONG, PATIENT, on_redis, resource};

/// When the lock on `orders` ends, by the server's clock; `None` if it is free.
async fn ends_at(redis: &TestClient) -> Option<i64> {
    match redis.say("PEXPIRETIME locks:orders").await[..] {
        [Reply::Int(ms)] if ms > 0 => Some(ms),
        _ => None,
    }
}

#[tokio::test]
async fn locks_last_as_long_as_the_work() {
    on_redis(async |world| {
        let redis = world.redis();
        let both = ["customers", "orders"].map(resource);
        let outcome = world.one.locks.guard(&both, 3_000, 0, async |lease| {
            // Four extensions, one third of the TTL apart, are more than the TTL.
            let mut ends = BTreeSet::new();
            while ends.len() < 5 {
                assert!(!lease.is_lost());
                assert_eq!(world.other.try_grant(&both[1], 1_000).await, None);
                ends.extend(ends_at(&redis).await);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            lease.fencing(&both[0])
        });
        let outcome = outcome.await.expect("Redis replies");
        assert!(matches!(outcome, Guarded::Done { value: Some(_), lost: false }), "{outcome:?}");
        assert!(world.is_gone("locks:customers locks:orders").await, "released at the end");
    })
    .await;
}

#[tokio::test]
async fn the_lease_reports_a_lost_lock() {
    on_redis(async |world| {
        let redis = world.redis();
        let orders = [resource("orders")];
        for loss in ["DEL locks:orders", "SET locks:orders somebody"] {
            let outcome = world.one.locks.guard(&orders, 3_000, 0, async |lease| {
                redis.say(loss).await;
                lease.lost().await;
                assert!(lease.is_lost());
            });
            let outcome = tokio::time::timeout(LONG, outcome).await.expect("reported by the next extension");
            assert_eq!(outcome, Ok(Guarded::Done { value: (), lost: true }), "{loss}");
            redis.say("DEL locks:orders").await;
        }
    })
    .await;
}

/// The guard does not wait for the reply to the extension: that would take 60 s.
#[tokio::test]
async fn a_lock_that_cannot_be_extended_is_lost_at_its_end() {
    on_redis(async |world| {
        let server = &world.servers[0];
        let orders = [resource("orders")];
        let started = Instant::now();
        let outcome = world.one.locks.guard(&orders, 2_000, 0, async |lease| {
            server.pause();
            lease.lost().await;
            let elapsed = started.elapsed();
            server.resume();
            elapsed
        });
        let Ok(Guarded::Done { value, lost: true }) = outcome.await else { panic!("it is lost") };
        assert!((Duration::from_millis(1_999)..LONG).contains(&value), "{value:?}");
    })
    .await;
}

#[tokio::test]
async fn a_lock_survives_a_short_outage() {
    on_redis(async |world| {
        let (server, redis) = (&world.servers[0], world.redis());
        let instance = world.instance(Settings { timeout_ms: 1_000, ..PATIENT });
        let orders = [resource("orders")];
        let outcome = instance.locks.guard(&orders, 6_000, 0, async |_| {
            let before = ends_at(&redis).await;
            server.pause();
            // The first extension begins after 2 s and fails after 3 s. The next one begins after 3.6 s.
            instance.take_commands();
            while instance.take_commands().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            server.resume();
            while ends_at(&redis).await <= before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert_eq!(outcome.await, Ok(Guarded::Done { value: (), lost: false }));
    })
    .await;
}

#[tokio::test]
async fn a_lock_that_ended_while_the_work_computed_is_lost() {
    on_redis(async |world| {
        let orders = [resource("orders")];
        let outcome = world.one.locks.guard(&orders, 1_000, 0, async |lease| {
            std::thread::sleep(Duration::from_millis(1_010));
            assert!(lease.is_lost());
        });
        assert_eq!(outcome.await, Ok(Guarded::Done { value: (), lost: true }));
    })
    .await;
}

#[tokio::test]
async fn dropping_a_guard_releases_its_locks() {
    on_redis(async |world| {
        let orders = [resource("orders")];
        let (started, has_started) = tokio::sync::oneshot::channel();
        let working = world.one.locks.guard(&orders, 3_600_000, 0, async |_| {
            started.send(()).expect("the test waits for it");
            std::future::pending::<()>().await;
        });
        let Either::Right((_, cancelled)) = select(Box::pin(working), has_started).await else { panic!("it works") };
        assert!(!world.is_gone("locks:orders").await);
        drop(cancelled);
        world.until_gone("locks:orders").await;
    })
    .await;
}

#[tokio::test]
async fn work_does_not_start_without_the_lock() {
    on_redis(async |mut world| {
        let orders = [resource("orders")];
        world.one.grant(&orders[0], 60_000).await;
        let outcome = world.other.locks.guard(&orders, 1_000, 50, async |_| panic!("it is taken")).await;
        assert!(matches!(outcome, Ok(Guarded::Taken { .. })), "{outcome:?}");
        world.servers[0].kill().await.expect("killed");
        let outcome = world.other.locks.guard(&orders, 1_000, 50, async |_| panic!("there is no Redis")).await;
        assert!(matches!(outcome, Err(LockError::Unavailable(_))), "{outcome:?}");
    })
    .await;
}
